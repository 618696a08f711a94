#define _GNU_SOURCE /* fopencookie */
#include "io/text_stream.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

typedef struct text {
    char **out;
    size_t *out_size;
    char *bytes; /* [capacity] */
    size_t size, capacity;
    bool lost;
} text;

static bool reserve(text *t, size_t needed)
{
    if (needed <= t->capacity) return true;
    const size_t capacity = needed < 512 ? 512 : 2 * needed;
    char *larger = realloc(t->bytes, capacity);
    if (!larger) return false;
    t->bytes = larger;
    t->capacity = capacity;
    return true;
}

static ssize_t put(void *cookie, const char *bytes, size_t size)
{
    text *t = cookie;
    if (t->lost || !reserve(t, t->size + size + 1)) {
        t->lost = true;
        return 0;
    }
    memcpy(t->bytes + t->size, bytes, size);
    t->size += size;
    return (ssize_t)size;
}

static int finish(void *cookie)
{
    text *t = cookie;
    const bool whole = !t->lost && reserve(t, t->size + 1);
    if (whole) t->bytes[t->size] = 0;
    if (!whole) free(t->bytes);
    *t->out = whole ? t->bytes : NULL;
    *t->out_size = whole ? t->size : 0;
    free(t);
    return whole ? 0 : EOF;
}

FILE *mg__open_text(char **out, size_t *size)
{
    text *t = calloc(1, sizeof *t);
    FILE *stream =
        t ? fopencookie(t, "w", (cookie_io_functions_t){.write = put, .close = finish}) : NULL;
    *out = NULL;
    if (!stream) {
        free(t);
        return NULL;
    }
    t->out = out;
    t->out_size = size;
    return stream;
}
