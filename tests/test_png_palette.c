/* PNGs whose pixels are indices into a palette, and those with a transparent colour. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "pictures.h"

/* A PNG of 8 x 2 pixels in rows of 8 * bits * samples bits, with a palette (NULL: none) and tRNS.
 */
typedef struct indexed {
    uint8_t colour_type, bits;
    const uint8_t *rows; /* both, one after the other */
    const char *palette;
    size_t palette_size;
    const char *transparent;
    size_t transparent_size;
} indexed;

static blob make_indexed(indexed p)
{
    blob b = {0}, header = {0}, rows = {0};
    uint8_t packed[256];
    uLongf size = sizeof packed;
    const size_t row = (size_t)p.bits * (p.colour_type == 2 ? 3 : 1);
    put_be32(&header, 8);
    put_be32(&header, 2);
    put(&header, (uint8_t[]){p.bits, p.colour_type, 0, 0, 0}, 5);
    for (size_t y = 0; y < 2; y++) {
        put(&rows, "", 1);
        put(&rows, p.rows + y * row, row);
    }
    assert_int_equal(compress(packed, &size, rows.bytes, rows.size), Z_OK);
    put(&b, "\x89PNG\r\n\x1a\n", 8);
    put_chunk(&b, "IHDR", header.bytes, header.size);
    if (p.palette) put_chunk(&b, "PLTE", p.palette, p.palette_size);
    if (p.transparent) put_chunk(&b, "tRNS", p.transparent, p.transparent_size);
    put_chunk(&b, "IDAT", packed, size);
    put_chunk(&b, "IEND", NULL, 0);
    free(header.bytes);
    free(rows.bytes);
    return b;
}

/* Indices of every depth; tRNS may give the alpha of the first ones only. */
static void test_palette(void **state)
{
    (void)state;
    static const char palette[] = "\0\0\0"
                                  "\xff\x80\0"
                                  "\1\2\3"
                                  "\xc8\xc8\xfa";
    static const char alpha[] = "\0\x60\xff";
    static const uint8_t indices[16] = {0, 1, 1, 0, 0, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1};
    for (uint8_t bits = 1; bits <= 8; bits *= 2)
        for (uint8_t transparent = 0; transparent <= 3; transparent++) {
            const uint8_t largest = bits == 1 ? 1 : 3; /* of the indices */
            uint8_t rows[16] = {0}, pixels[16 * 4];
            const uint8_t channels = transparent ? 4 : 3;
            for (int i = 0; i < 16; i++) {
                const int index = (indices[i] * 2 + i) % (largest + 1), bit = i * bits;
                rows[bit / 8] |= (uint8_t)(index << (8 - bits - bit % 8));
                memcpy(pixels + i * channels, palette + 3 * index, 3);
                if (transparent)
                    pixels[i * 4 + 3] = index < transparent ? (uint8_t)alpha[index] : 255;
            }
            const indexed p = {3, bits, rows, palette, largest == 1 ? 6 : 12, alpha, transparent};
            if (bits == 1 && transparent > 2) continue;
            if (transparent) {
                assert_decodes(make_indexed(p), 8, 2, 4, pixels);
            } else {
                indexed opaque = p;
                opaque.transparent = NULL;
                assert_decodes(make_indexed(opaque), 8, 2, 3, pixels);
            }
        }
}

/* Grey and RGB with one colour that is transparent: in all its bits, or not at all. */
static void test_colour_key(void **state)
{
    (void)state;
    uint8_t rows[16 * 6], pixels[16 * 4];
    for (int i = 0; i < 16; i++) {
        rows[i] = (uint8_t)(i % 3);
        pixels[2 * i] = rows[i];
        pixels[2 * i + 1] = i % 3 == 1 ? 0 : 255;
    }
    assert_decodes(make_indexed((indexed){0, 8, rows, NULL, 0, "\0\1", 2}), 8, 2, 2, pixels);
    for (int i = 0; i < 16; i++) { /* the low byte counts, though it is not kept */
        rows[2 * i] = pixels[2 * i] = 7;
        rows[2 * i + 1] = (uint8_t)(i % 3);
    }
    assert_decodes(make_indexed((indexed){0, 16, rows, NULL, 0, "\7\1", 2}), 8, 2, 2, pixels);
    for (int i = 0; i < 16; i++) {
        const uint8_t colour[] = {9, (uint8_t)(i % 3), 8};
        memcpy(rows + 3 * i, colour, 3);
        memcpy(pixels + 4 * i, colour, 3);
        pixels[4 * i + 3] = i % 3 == 1 ? 0 : 255;
    }
    assert_decodes(make_indexed((indexed){2, 8, rows, NULL, 0, "\0\x9\0\1\0\x8", 6}), 8, 2, 4,
                   pixels);
    uint8_t bits[] = {0xa0, 0x0f}, grey[16 * 2];
    for (int i = 0; i < 16; i++) {
        grey[2 * i] = bits[i / 8] << i % 8 & 0x80 ? 255 : 0;
        grey[2 * i + 1] = grey[2 * i] ? 255 : 0;
    }
    assert_decodes(make_indexed((indexed){0, 1, bits, NULL, 0, "\0\0", 2}), 8, 2, 2, grey);
}

static void test_hostile_palette(void **state)
{
    (void)state;
    static const uint8_t rows[48] = {0, 1, 1, 0, 1}; /* as many as the longest need */
    char large[771] = {0};
    const struct {
        indexed picture;
        const char *part;
    } cases[] = {
        {{3, 8, rows, NULL, 0, NULL, 0}, "Corrupt PNG"},
        {{3, 8, rows, NULL, 0, "\0", 1}, "Corrupt PNG"}, /* tRNS without PLTE before it */
        {{3, 8, rows, large, 5, NULL, 0}, "Corrupt PNG"},
        {{3, 8, rows, large, 771, NULL, 0}, "Corrupt PNG"},
        {{3, 8, rows, large, 6, large, 257}, "Corrupt PNG"},
        {{3, 16, rows, large, 6, NULL, 0}, "Corrupt PNG"},
        {{0, 8, rows, NULL, 0, "\0", 1}, "Corrupt PNG"},
        {{2, 8, rows, NULL, 0, "\0\0", 2}, "Corrupt PNG"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        blob b = make_indexed(cases[i].picture);
        assert_picture_refused(&b, cases[i].part);
        free(b.bytes);
    }
}

/* Colours that the palette lacks are black: nothing that was in memory before. */
static void test_index_past_palette(void **state)
{
    (void)state;
    uint8_t rows[16], pixels[16 * 3] = {0};
    for (int i = 0; i < 16; i++) rows[i] = (uint8_t)(17 * i);
    memset(pixels, 90, 3);
    const indexed p = {3, 8, rows, "ZZZ", 3, NULL, 0};
    assert_decodes(make_indexed(p), 8, 2, 3, pixels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_palette),
        cmocka_unit_test(test_colour_key),
        cmocka_unit_test(test_hostile_palette),
        cmocka_unit_test(test_index_past_palette),
    };
    return cmocka_run_group_tests_name("png_palette", tests, NULL, NULL);
}
