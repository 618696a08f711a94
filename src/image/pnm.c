/* The Netpbm formats PBM, PGM and PPM (netpbm.sourceforge.net/doc/pnm.html). Not through stb_image,
 * which reads only P5 and P6, takes a shortened file for a whole one, swaps the bytes of 16-bit
 * values and does not scale a largest value other than 255. */
#include "image/decode.h"
#include <stdbool.h>
#include <stdlib.h>

typedef struct parser {
    const uint8_t *bytes;
    size_t size, at;
    bool bits, plain; /* PBM; numbers as text */
    uint32_t max;     /* the value of white */
} parser;

static bool is_space(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static void skip_space(parser *p)
{
    bool comment = false;
    for (; p->at < p->size; p->at++) {
        uint8_t c = p->bytes[p->at];
        if (c == '#') comment = true;
        if (!comment && !is_space(c)) return;
        if (c == '\n' || c == '\r') comment = false;
    }
}

/* The next decimal number of at most `digits` digits, as text; -1 if there is none. Saturates far
 * above every limit. */
static int64_t number(parser *p, int digits)
{
    int64_t value = -1;
    skip_space(p);
    for (; digits > 0 && p->at < p->size; digits--, p->at++) {
        uint8_t c = p->bytes[p->at];
        if (c < '0' || c > '9') break;
        value = (value < 0 ? 0 : value) * 10 + (c - '0');
        if (value > INT32_MAX) value = INT32_MAX;
    }
    return value;
}

/* One value of the raster, 0 .. max, or -1 past the end. `column` counts the values of a row. */
static int64_t sample(parser *p, uint32_t column)
{
    if (p->plain) return number(p, p->bits ? 1 : INT32_MAX);
    if (p->bits) { /* eight to a byte, each row begins a new one */
        if (column % 8 == 0) p->at++;
        return p->at <= p->size ? p->bytes[p->at - 1] >> (7 - column % 8) & 1 : -1;
    }
    size_t width = p->max > 255 ? 2 : 1;
    if (p->size - p->at < width) return -1;
    const uint8_t *b = p->bytes + p->at;
    p->at += width;
    return width == 2 ? b[0] << 8 | b[1] : b[0];
}

static mg_status raster(uint8_t *pixels, parser *p, uint32_t row_values, uint32_t height,
                        const char *name)
{
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < row_values; x++) {
            int64_t value = sample(p, x);
            if (value < 0)
                return mg__fail(MG_ERR_FORMAT,
                                "%s: truncated PNM: no value at byte %zu (row %u "
                                "of %u)",
                                name, p->at, y + 1, height);
            if (value > p->max)
                return mg__fail(MG_ERR_FORMAT, "%s: PNM value %lld in row %u, expected at most %u",
                                name, (long long)value, y + 1, p->max);
            uint32_t grey = ((uint32_t)value * 255 + p->max / 2) / p->max;
            *pixels++ = (uint8_t)(p->bits ? 255 - grey : grey); /* in PBM 1 is black */
        }
    return MG_OK;
}

mg_status mg__decode_pnm(mg_image **out, const uint8_t *bytes, size_t size, const char *name)
{
    mg_status st;
    int kind = bytes[1] - '0'; /* 1-3 plain, 4-6 raw: PBM, PGM, PPM */
    parser p = {.bytes = bytes, .size = size, .at = 2, .plain = kind <= 3, .bits = kind % 3 == 1};
    uint32_t channels = kind % 3 == 0 ? 3 : 1;
    uint8_t *pixels = NULL;

    int64_t width = number(&p, INT32_MAX), height = number(&p, INT32_MAX);
    int64_t max = p.bits ? 1 : number(&p, INT32_MAX);
    if (width < 0 || height < 0 || max < 1 || max > 65535 || p.at >= size || !is_space(bytes[p.at]))
        MG_FAIL(MG_ERR_FORMAT, "%s: malformed PNM header (expected P%d, width, height%s, a space)",
                name, kind, p.bits ? "" : ", largest value up to 65535");
    p.at++;
    p.max = (uint32_t)max;
    MG_TRY(mg__image_check_size(width, height, name));

    pixels = malloc((size_t)width * (size_t)height * channels);
    if (!pixels) MG_FAIL(MG_ERR_MEMORY, "%s: out of memory for the picture", name);
    MG_TRY(raster(pixels, &p, (uint32_t)width * channels, (uint32_t)height, name));
    MG_TRY(mg__image_wrap(out, pixels, (uint32_t)width, (uint32_t)height, channels));
    pixels = NULL;
    st = MG_OK;
out:
    free(pixels);
    return st;
}
