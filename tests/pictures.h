/* Small picture files, made in memory for tests, and checks of what is decoded from them. Include
 * after cmocka.h. */
#ifndef MG_TEST_PICTURES_H
#define MG_TEST_PICTURES_H

#include "mnist_gpu/image.h"
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

typedef struct blob {
    uint8_t *bytes;
    size_t size;
} blob;

static inline void put(blob *b, const void *bytes, size_t size)
{
    b->bytes = realloc(b->bytes, b->size + size + 1);
    assert_non_null(b->bytes);
    if (size) memcpy(b->bytes + b->size, bytes, size);
    b->size += size;
}

static inline void put_be32(blob *b, uint32_t v)
{
    put(b, (uint8_t[]){(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v}, 4);
}

static inline void put_le32(blob *b, uint32_t v)
{
    put(b, (uint8_t[]){(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)}, 4);
}

static inline void put_chunk(blob *b, const char *kind, const void *data, size_t size)
{
    put_be32(b, (uint32_t)size);
    put(b, kind, 4);
    put(b, data, size);
    put_be32(b, (uint32_t)crc32(0, b->bytes + b->size - size - 4, (uInt)size + 4));
}

static inline blob png_around(uint32_t width, uint32_t height, uint32_t channels, uint32_t bits,
                              const blob *idat)
{
    static const uint8_t colour_type[] = {0, 0, 4, 2, 6};
    blob b = {0}, header = {0};
    put_be32(&header, width);
    put_be32(&header, height);
    put(&header, (uint8_t[]){(uint8_t)bits, colour_type[channels], 0, 0, 0}, 5);
    put(&b, "\x89PNG\r\n\x1a\n", 8);
    put_chunk(&b, "IHDR", header.bytes, header.size);
    put_chunk(&b, "IDAT", idat->bytes, idat->size);
    put_chunk(&b, "IEND", NULL, 0);
    free(header.bytes);
    return b;
}

/* pixels: [height][width][channels], big-endian if bits is 16. */
static inline blob make_png(uint32_t width, uint32_t height, uint32_t channels, uint32_t bits,
                            const uint8_t *pixels)
{
    blob rows = {0}, idat = {0};
    size_t row = (size_t)width * channels * bits / 8;
    for (uint32_t y = 0; y < height; y++) {
        put(&rows, "", 1);
        put(&rows, pixels + y * row, row);
    }
    uLongf packed = compressBound(rows.size);
    idat.bytes = malloc(packed);
    assert_int_equal(compress(idat.bytes, &packed, rows.bytes, rows.size), Z_OK);
    idat.size = packed;
    blob b = png_around(width, height, channels, bits, &idat);
    free(rows.bytes);
    free(idat.bytes);
    return b;
}

/* 24 bits a pixel; width must be a multiple of 4. grey: [height][width]. A negative height stores
 * the rows from the top. */
static inline blob make_bmp(int32_t width, int32_t height, const uint8_t *grey)
{
    blob b = {0};
    put(&b, "BM", 2);
    const uint32_t file_header[] = {0, 0, 54};
    const uint32_t info_header[] = {
        40, (uint32_t)width, (uint32_t)height, 1 | 24 << 16, 0, 0, 0, 0, 0, 0};
    for (int i = 0; i < 3; i++) put_le32(&b, file_header[i]);
    for (int i = 0; i < 10; i++) put_le32(&b, info_header[i]);
    int32_t rows = grey ? abs(height) : 0;
    for (int32_t y = 0; y < rows; y++)
        for (int32_t x = 0; x < width; x++) {
            uint8_t v = grey[(height < 0 ? y : rows - 1 - y) * width + x];
            put(&b, (uint8_t[]){v, v, v}, 3);
        }
    return b;
}

typedef struct bit_writer {
    blob *out;
    uint32_t bits, count;
} bit_writer;

static inline void put_bits(bit_writer *w, uint32_t value, uint32_t count)
{
    while (count-- > 0) {
        w->bits = w->bits << 1 | (value >> count & 1);
        if (++w->count < 8) continue;
        put(w->out, (uint8_t[]){(uint8_t)w->bits}, 1);
        if ((uint8_t)w->bits == 0xff) put(w->out, "", 1);
        w->bits = w->count = 0;
    }
}

/* A baseline JPEG in grey whose 8x8 blocks are flat: levels[rows][columns]. Quantisation by 1; DC
 * code of size s is s itself in four bits, AC has one code, 0 = end of block. */
static inline blob make_jpeg(uint32_t columns, uint32_t rows, const uint8_t *levels)
{
    blob b = {0};
    uint8_t ones[64], sizes[12], height[2] = {(uint8_t)(rows >> 5), (uint8_t)(rows << 3)};
    memset(ones, 1, sizeof ones);
    for (int i = 0; i < 12; i++) sizes[i] = (uint8_t)i;
    put(&b, "\xff\xd8\xff\xdb\0\x43\0", 7);
    put(&b, ones, 64);
    put(&b, "\xff\xc0\0\x0b\x08", 5);
    put(&b, height, 2);
    put(&b, (uint8_t[]){(uint8_t)(columns >> 5), (uint8_t)(columns << 3), 1, 1, 0x11, 0}, 6);
    put(&b,
        "\xff\xc4\0\x1f\0"
        "\0\0\0\x0c\0\0\0\0\0\0\0\0\0\0\0\0",
        21);
    put(&b, sizes, 12);
    put(&b,
        "\xff\xc4\0\x14\x10"
        "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
        "\0",
        22);
    put(&b, "\xff\xda\0\x08\1\1\0\0\x3f\0", 10);
    bit_writer w = {.out = &b};
    int before = 0;
    for (uint32_t i = 0; i < columns * rows; i++) {
        int dc = 8 * (levels[i] - 128), change = dc - before;
        uint32_t size = 0;
        while (abs(change) >> size) size++;
        put_bits(&w, size, 4);
        put_bits(&w, (uint32_t)(change < 0 ? change - 1 : change), size);
        put_bits(&w, 0, 1);
        before = dc;
    }
    put_bits(&w, 0x7f, 7); /* fills the last byte */
    put(&b, "\xff\xd9", 2);
    return b;
}

static inline blob make_pnm(const char *header, const void *raster, size_t size)
{
    blob b = {0};
    put(&b, header, strlen(header));
    put(&b, raster, size);
    return b;
}

/* ---- checks ---- */

/* Decoding from memory of the exact size, so that a sanitizer sees every byte read past it. */
static inline mg_status decode(mg_image **out, const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    mg_status st = mg_image_decode(out, copy, size, "pic");
    free(copy);
    return st;
}

static inline void assert_picture_message(const char *part)
{
    const char *message = mg_last_error();
    if (strncmp(message, "pic: ", 5) != 0 || strchr(message, '\n') || !strstr(message, part))
        fail_msg("message \"%s\", expected one line from \"pic: \" with \"%s\"", message, part);
}

static inline void assert_picture_refused(const blob *b, const char *part)
{
    mg_image *image = NULL;
    assert_int_equal(decode(&image, b->bytes, b->size), MG_ERR_FORMAT);
    assert_null(image);
    assert_picture_message(part);
}

/* Takes the file. */
static inline void assert_decodes(blob b, uint32_t width, uint32_t height, uint32_t channels,
                                  const uint8_t *pixels)
{
    mg_image *image = NULL;
    if (decode(&image, b.bytes, b.size) != MG_OK) fail_msg("%s", mg_last_error());
    assert_int_equal(image->width, width);
    assert_int_equal(image->height, height);
    assert_int_equal(image->channels, channels);
    assert_memory_equal(image->pixels, pixels, (size_t)width * height * channels);
    mg_image_free(image);
    free(b.bytes);
}

#endif
