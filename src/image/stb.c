/* PNG, JPEG and BMP, decoded by stb_image. All of stb_image stays inside this file: its symbols are
 * static, so that a program which has a copy of its own can link this library. */
#include "image/decode.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* What one allocation of stb_image may take, and whether more was asked for. A small PNG can
 * inflate to gigabytes whatever size its header states; this is what stops it. */
static _Thread_local struct {
    size_t limit;
    bool exceeded;
} allocation;

static bool may_allocate(size_t bytes)
{
    if (bytes > allocation.limit) allocation.exceeded = true;
    return bytes <= allocation.limit;
}

/* Zeroed, so that what a damaged file leaves out is black and not what was there before. */
static void *limited_malloc(size_t bytes) { return may_allocate(bytes) ? calloc(1, bytes) : NULL; }

static void *limited_realloc(void *old, size_t bytes)
{
    return may_allocate(bytes) ? realloc(old, bytes) : NULL;
}

#define STBI_MALLOC(bytes)       limited_malloc(bytes)
#define STBI_REALLOC(old, bytes) limited_realloc(old, bytes)
#define STBI_FREE(old)           free(old)
#define STBI_ONLY_BMP
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#define STBI_NO_STDIO
#define STBI_FAILURE_USERMSG
#define STBI_MAX_DIMENSIONS MG_IMAGE_MAX_SIDE
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION

#ifdef __GNUC__
/* To the end of the file: it is there that GCC reports functions declared but not defined. */
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#endif
#include <stb/stb_image.h>
#ifdef __GNUC__
#pragma GCC diagnostic pop
#endif

/* stb_image reads zeros past the end of a file and calls that a picture. Through callbacks it can
 * be seen asking for more than there is. */
typedef struct reader {
    const uint8_t *bytes;
    size_t size, at;
    bool past_end;
} reader;

enum { STB_BUFFER = sizeof((stbi__context *)0)->buffer_start };

static int reader_read(void *user, char *data, int size)
{
    reader *r = user;
    size_t left = r->size - r->at, want = (size_t)size;
    /* A whole buffer is asked for without need and may be given in part. */
    if (left < want && (left == 0 || want != STB_BUFFER)) r->past_end = true;
    if (want > left) want = left;
    memcpy(data, r->bytes + r->at, want);
    r->at += want;
    return (int)want;
}

static void reader_skip(void *user, int size)
{
    reader *r = user;
    size_t left = r->size - r->at;
    if (size < 0 || (size_t)size > left) {
        r->past_end = true;
        r->at = r->size;
    } else {
        r->at += (size_t)size;
    }
}

static int reader_eof(void *user)
{
    const reader *r = user;
    return r->at == r->size;
}

static const stbi_io_callbacks callbacks = {reader_read, reader_skip, reader_eof};

static mg_status failure(const reader *r, const char *name, const char *format)
{
    if (r->past_end)
        return mg__fail(MG_ERR_FORMAT, "%s: truncated %s: the picture goes on after its end", name,
                        format);
    const char *reason = stbi_failure_reason();
    if (allocation.exceeded) reason = "more data than its size allows";
    return mg__fail(MG_ERR_FORMAT, "%s: unreadable %s: %s", name, format,
                    reason ? reason : "damaged");
}

/* stb_image 2.27 trusts the number of codes in a JPEG's Huffman tables and writes past them. This
 * walks the segments as it does (anything up to 0xff is skipped, entropy-coded data too) and finds
 * a table of more codes than a byte can number. */
static bool huffman_tables_fit(const uint8_t *bytes, size_t size)
{
    enum {
        STUFFING = 0x00,
        TEM = 0x01,
        RST0 = 0xd0,
        SOI = 0xd8,
        EOI = 0xd9,
        DHT = 0xc4,
        COUNTS = 16
    };
    size_t at = 0;
    while (at + 4 <= size) {
        uint8_t marker = bytes[at + 1];
        if (bytes[at] != 0xff || marker == 0xff) {
            at++;
            continue;
        }
        at += 2;
        if (marker == EOI) break;
        if (marker == STUFFING || marker == TEM || (marker >= RST0 && marker <= SOI)) continue;
        size_t end = at + (size_t)(bytes[at] << 8 | bytes[at + 1]);
        at += 2;
        if (marker != DHT) {
            if (end > at) at = end;
            continue;
        }
        while (at < end) { /* a table, be it longer than its segment: class, counts, values */
            size_t codes = 0;
            for (size_t i = at + 1; i <= at + COUNTS && i < size; i++) codes += bytes[i];
            if (codes > 255) return false;
            at += 1 + COUNTS + codes;
        }
    }
    return true;
}

mg_status mg__decode_stb(mg_image **out, const uint8_t *bytes, size_t size, const char *name,
                         const char *format)
{
    mg_status st;
    int width, height, channels;
    stbi_uc *pixels = NULL;
    uint8_t *mended = NULL;

    if (bytes[0] == 0x89) MG_TRY(mg__png_mend(&mended, &size, bytes));
    reader header = {.bytes = mended ? mended : bytes, .size = size}, file = header;
    if (bytes[0] == 0xff && !huffman_tables_fit(bytes, size)) /* JPEG */
        MG_FAIL(MG_ERR_FORMAT, "%s: unreadable %s: a Huffman table of more than 255 codes", name,
                format);
    allocation.limit = 64 << 10; /* the header's tables */
    allocation.exceeded = false;
    if (!stbi_info_from_callbacks(&callbacks, &header, &width, &height, &channels)) {
        /* The reason is that of the last format tried; decoding tries only the right one. */
        pixels = stbi_load_from_callbacks(&callbacks, &file, &width, &height, &channels, 0);
        st = failure(&file, name, format);
        goto out;
    }
    /* The rows of a BMP stored from the top count as negative. */
    MG_TRY(mg__image_check_size(width, height < 0 ? -(int64_t)height : height, name));

    /* Four 16-bit channels with room for padding to blocks, twice; the file itself, twice. */
    allocation.limit = ((size_t)width + 64) * ((size_t)abs(height) + 64) * 16 + 2 * size;
    pixels = stbi_load_from_callbacks(&callbacks, &file, &width, &height, &channels, 0);
    if (!pixels || file.past_end) {
        st = failure(&file, name, format);
        goto out;
    }
    MG_TRY(mg__image_wrap(out, pixels, (uint32_t)width, (uint32_t)height, (uint32_t)channels));
    pixels = NULL;
    st = MG_OK;
out:
    free(pixels);
    free(mended);
    return st;
}
