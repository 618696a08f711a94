#include "data/import.h"
#include "data/make.h"
#include "error.h"
#include "io/file.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES ((size_t)1 << 30)

typedef struct reader {
    const char *path, *at; /* at: the next character; a NUL follows the last one */
    size_t line;
} reader;

static bool at_line_end(const reader *r)
{
    return !*r->at || *r->at == '\n' || (*r->at == '\r' && r->at[1] == '\n');
}

static void next_line(reader *r)
{
    r->at += strcspn(r->at, "\n");
    if (*r->at) r->at++;
    r->line++;
}

static bool is_blank_line(const char *line) { return line[strspn(line, " \t\r")] == '\n'; }

/* The number at the cursor and the comma or line's end behind it. */
static mg_status read_byte(uint8_t *out, reader *r, size_t field)
{
    char shown[MG_SHOWN_SIZE], found[MG_SHOWN_SIZE];
    unsigned value = 0;
    size_t digits = 0;
    while (digits < 4 && r->at[digits] >= '0' && r->at[digits] <= '9')
        value = value * 10 + (unsigned)(r->at[digits++] - '0');
    const char *start = r->at;
    r->at += digits;
    const bool ends = at_line_end(r) || *r->at == ',';
    if (!digits || value > 255 || !ends) {
        snprintf(found, sizeof found, "%.*s", (int)strcspn(start, ",\r\n"), start);
        return mg__fail(MG_ERR_FORMAT,
                        "%s:%zu: field %zu is \"%s\", expected a whole number from 0 to 255",
                        r->path, r->line, field, mg__shown(shown, found));
    }
    *out = (uint8_t)value;
    return MG_OK;
}

static mg_status read_image(mg_dataset *set, uint32_t index, reader *r)
{
    const size_t size = (size_t)set->height * set->width;
    uint8_t *pixels = set->pixels + index * size;
    for (size_t i = 0; i <= size; i++) {
        const mg_status st = read_byte(i ? &pixels[i - 1] : &set->labels[index], r, i + 1);
        if (st) return st;
        if (at_line_end(r) != (i == size))
            return mg__fail(MG_ERR_FORMAT, "%s:%zu: found %s %zu fields, expected %zu as before",
                            r->path, r->line, i < size ? "only" : "more than", i + 1, size + 1);
        if (i < size) r->at++;
    }
    return MG_OK;
}

/* How many images the text holds, and how large they are; skips a heading. */
static mg_status measure(uint64_t *count, uint32_t *side, reader *r)
{
    if (*r->at < '0' || *r->at > '9') next_line(r);
    if (!*r->at) return mg__fail(MG_ERR_FORMAT, "%s: no line with an image is in it", r->path);
    size_t fields = 1;
    for (const char *c = r->at; *c && *c != '\n'; c++) fields += *c == ',';
    for (*side = 1; (size_t)*side * *side < fields - 1;) ++*side;
    if ((size_t)*side * *side != fields - 1 || fields < 2)
        return mg__fail(MG_ERR_FORMAT,
                        "%s:%zu: found %zu fields, expected a label and the pixels of a square",
                        r->path, r->line, fields);
    *count = 0;
    for (const char *c = r->at; *c; c += strcspn(c, "\n"), c += *c != 0)
        *count += !is_blank_line(c);
    return MG_OK;
}

mg_status mg__import_csv(mg_dataset **out, const char *path)
{
    mg_status st = MG_OK;
    uint8_t *text = NULL;
    size_t size;
    uint64_t count = 0;
    uint32_t side = 0;
    mg_dataset *set = NULL;
    MG_TRY(mg__file_read(&text, &size, path, MAX_BYTES));
    if (strlen((char *)text) != size) MG_FAIL(MG_ERR_FORMAT, "%s: not text: found a NUL", path);
    reader r = {path, (char *)text, 1};
    MG_TRY(measure(&count, &side, &r));
    MG_TRY(mg__dataset_new(&set, count, 1, side, side, path));
    for (uint32_t i = 0; *r.at; next_line(&r))
        if (!is_blank_line(r.at)) MG_TRY(read_image(set, i++, &r));
    set->classes = mg__count_classes(set->labels, set->count);
    *out = set;
    set = NULL;
out:
    mg_dataset_free(set);
    free(text);
    return st;
}
