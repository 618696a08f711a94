/* PNG (ISO/IEC 15948): a signature, then chunks of length, type, data and CRC. The rows, each after
 * a byte that names its filter, are one zlib stream; pictures of flat areas need no filter. */
#include "image/png.h"
#include "image/decode.h"
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { SIGNATURE = 8, CHUNK = 12 /* length, type and CRC around the data */, IHDR = 13 };

static uint8_t *put_u32(uint8_t *to, uint32_t v)
{
    for (int i = 0; i < 4; i++) to[i] = (uint8_t)(v >> (24 - 8 * i));
    return to + 4;
}

/* Closes the chunk whose `size` bytes of data lie at chunk + 8 already; returns its end. */
static uint8_t *end_chunk(uint8_t *chunk, const char type[4], size_t size)
{
    memcpy(put_u32(chunk, (uint32_t)size), type, 4);
    return put_u32(chunk + 8 + size, (uint32_t)crc32(0, chunk + 4, (uInt)size + 4));
}

/* [height][1 + width * channels]: filter 0 and the row's pixels. */
static uint8_t *filter_rows(const mg_image *image)
{
    const size_t row = (size_t)image->width * image->channels;
    uint8_t *rows = malloc(image->height * (row + 1));
    for (size_t y = 0; rows && y < image->height; y++) {
        rows[y * (row + 1)] = 0;
        memcpy(rows + y * (row + 1) + 1, image->pixels + y * row, row);
    }
    return rows;
}

mg_status mg__png_encode(uint8_t **out, size_t *size, const mg_image *image)
{
    static const uint8_t color_type[] = {0, 0, 4, 2, 6}; /* by channels */
    mg_status st;
    uint8_t *rows = NULL, *file = NULL;
    MG_TRY(mg__image_check_size(image->width, image->height, "PNG"));
    const size_t length = image->height * ((size_t)image->width * image->channels + 1);
    uLongf packed = compressBound(length);
    rows = filter_rows(image);
    file = malloc(SIGNATURE + 3 * CHUNK + IHDR + packed);
    if (!rows || !file) MG_FAIL(MG_ERR_MEMORY, "out of memory for a picture");
    memcpy(file, "\x89PNG\r\n\x1a\n", SIGNATURE);

    uint8_t *at = file + SIGNATURE;
    put_u32(put_u32(at + 8, image->width), image->height);
    memcpy(at + 16, (uint8_t[]){8, color_type[image->channels], 0, 0, 0}, 5); /* 8 bits, deflate */
    at = end_chunk(at, "IHDR", IHDR);
    if (compress2(at + 8, &packed, rows, length, Z_BEST_COMPRESSION) != Z_OK)
        MG_FAIL(MG_ERR_MEMORY, "out of memory for a picture");
    at = end_chunk(at, "IDAT", packed);
    at = end_chunk(at, "IEND", 0);
    *size = (size_t)(at - file);
    *out = file;
    file = NULL;
out:
    free(rows);
    free(file);
    return st;
}
