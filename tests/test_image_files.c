/* Decoding of picture files, hostile ones too. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "mnist_gpu/image.h"
#include "pictures.h"
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static uint32_t random_state = 1;
static uint32_t random_u32(void) /* xorshift32 */
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    return random_state ^= random_state << 5;
}

/* ---- decoding ---- */

static void test_png(void **state)
{
    (void)state;
    uint8_t pixels[4 * 3 * 2 * 4], high[4 * 3 * 4];
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(7 * i + 3);
    for (uint32_t channels = 1; channels <= 4; channels++) {
        assert_decodes(make_png(4, 3, channels, 8, pixels), 4, 3, channels, pixels);
        for (uint32_t i = 0; i < 4 * 3 * channels; i++) high[i] = pixels[2 * i];
        assert_decodes(make_png(4, 3, channels, 16, pixels), 4, 3, channels, high);
    }
}

static void test_bmp(void **state)
{
    (void)state;
    uint8_t grey[4 * 3], rgb[4 * 3 * 3];
    for (int i = 0; i < 12; i++)
        rgb[3 * i] = rgb[3 * i + 1] = rgb[3 * i + 2] = grey[i] = (uint8_t)(20 * i);
    assert_decodes(make_bmp(4, 3, grey), 4, 3, 3, rgb);
    assert_decodes(make_bmp(4, -3, grey), 4, 3, 3, rgb);
}

static void test_jpeg(void **state)
{
    (void)state;
    const uint8_t levels[2 * 3] = {0, 255, 128, 17, 200, 99};
    uint8_t pixels[16 * 24];
    for (int i = 0; i < 16 * 24; i++) pixels[i] = levels[i / 24 / 8 * 3 + i % 24 / 8];
    assert_decodes(make_jpeg(3, 2, levels), 24, 16, 1, pixels);
}

/* The JPEG with an APP1 segment after its first marker. */
static blob with_exif(blob jpeg, const void *tiff, size_t size)
{
    blob b = {0};
    put(&b, jpeg.bytes, 2);
    put(&b, "\xff\xe1", 2);
    put(&b, (uint8_t[]){(uint8_t)((size + 8) >> 8), (uint8_t)(size + 8)}, 2);
    put(&b, "Exif\0", 6);
    put(&b, tiff, size);
    put(&b, jpeg.bytes + 2, jpeg.size - 2);
    free(jpeg.bytes);
    return b;
}

static void test_exif(void **state)
{
    (void)state;
    const uint8_t levels[2] = {0, 200}; /* dark left, bright right: 16 x 8 */
    /* by orientation: is it tall, and is the dark half the left or upper one? */
    static const struct {
        bool tall, dark_first;
    } cases[] = {{0},          {false, true}, {false, false}, {false, false}, {false, true},
                 {true, true}, {true, true},  {true, false},  {true, false}};
    for (uint8_t o = 0; o <= 9; o++)
        for (int little = 0; little < 2; little++) {
            const uint8_t le[] = {'I',  'I', 42, 0, 8, 0, 0, 0, 1, 0,
                                  0x12, 1,   3,  0, 1, 0, 0, 0, o, 0};
            const uint8_t be[] = {'M', 'M',  0, 42, 0, 0, 0, 8, 0, 1,
                                  1,   0x12, 0, 3,  0, 0, 0, 1, 0, o};
            blob b = with_exif(make_jpeg(2, 1, levels), little ? le : be, sizeof le);
            const int known = o >= 1 && o <= 8 ? o : 1; /* anything else is no orientation */
            const bool tall = cases[known].tall;
            uint8_t pixels[128];
            for (int i = 0; i < 128; i++) {
                const bool first = tall ? i < 64 : i % 16 < 8;
                pixels[i] = first == cases[known].dark_first ? 0 : 200;
            }
            assert_decodes(b, tall ? 8 : 16, tall ? 16 : 8, 1, pixels);
        }
}

/* EXIF data that points outside, is cut, or counts more entries than there are: as if there were
 * none. */
static void test_hostile_exif(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } cases[] = {{"", 0},
                 {"II*\0", 4},
                 {"II*\0\xff\xff\xff\xff", 8},
                 {"MM\0*\x80\0\0\0", 8},
                 {"II*\0\x08\0\0\0\xff\xff", 10},
                 {"II*\0\x08\0\0\0\xff\xff\x12\1\3\0", 14},
                 {"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0", 18},
                 {"II*\0\x08\0\0\0\1\0\x12\1\2\0\1\0\0\0\6\0", 20},
                 {"XX*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0", 20}};
    const uint8_t levels[2] = {0, 200};
    uint8_t pixels[128];
    for (int i = 0; i < 128; i++) pixels[i] = i % 16 < 8 ? 0 : 200;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_decodes(with_exif(make_jpeg(2, 1, levels), cases[i].bytes, cases[i].size), 16, 8, 1,
                       pixels);
}

static void test_pnm(void **state)
{
    (void)state;
    const uint8_t grey[] = {0, 51, 102, 153, 204, 255}, bits[] = {0, 255, 255, 255, 0, 0};
    assert_decodes(make_pnm("P5\n# a comment\n3 2 255\n", grey, 6), 3, 2, 1, grey);
    assert_decodes(make_pnm("P6 1 2\n255\n", grey, 6), 1, 2, 3, grey);
    assert_decodes(make_pnm("P5 3 2 5 ", "\0\1\2\3\4\5", 6), 3, 2, 1, grey);
    /* two bytes, the high one first, and a largest value of their own */
    assert_decodes(make_pnm("P5 3 2 1000 ", "\0\0\0\xc8\1\x90\2\x58\3\x20\3\xe8", 12), 3, 2, 1,
                   grey);
    assert_decodes(make_pnm("P2 3 2 5\n0 1 2 # half\n3 4 5", "", 0), 3, 2, 1, grey);
    assert_decodes(make_pnm("P3\n1 2\n15\n0 3 6\n9 12 15\n", "", 0), 1, 2, 3, grey);
    assert_decodes(make_pnm("P1\n3 2\n100\n01 1", "", 0), 3, 2, 1, bits);
    assert_decodes(make_pnm("P4\n3 2\n", "\x80\x60", 2), 3, 2, 1, bits);
}

static void test_load(void **state)
{
    (void)state;
    char path[] = "/tmp/mnist_gpu_test_XXXXXX";
    const uint8_t grey[] = {1, 2, 3, 4};
    blob b = make_png(2, 2, 1, 8, grey);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, b.bytes, b.size), b.size);
    close(fd);

    mg_image *image = NULL;
    mg_status st = mg_image_load(&image, path);
    unlink(path);
    assert_int_equal(st, MG_OK);
    assert_memory_equal(image->pixels, grey, 4);
    mg_image_free(image);
    free(b.bytes);

    assert_int_equal(mg_image_load(&image, path), MG_ERR_NOT_FOUND);
    assert_non_null(strstr(mg_last_error(), path));
    mg_image_free(NULL);
}

/* ---- hostile files ---- */

/* One small file of each format, none of whose bytes can be done without. */
enum { FORMATS = 5 };
static void make_formats(blob files[FORMATS])
{
    uint8_t noise[16 * 16 * 4];
    for (size_t i = 0; i < sizeof noise; i++) noise[i] = (uint8_t)random_u32();
    files[0] = make_png(16, 16, 4, 8, noise);
    files[1] = make_jpeg(8, 6, noise);
    files[2] = make_bmp(16, 8, noise);
    files[3] = make_pnm("P5 16 16 255\n", noise, 256);
    files[4] = make_pnm("P4 16 16\n", noise, 32);
}

static void test_truncated(void **state)
{
    (void)state;
    blob files[FORMATS];
    make_formats(files);
    for (int i = 0; i < FORMATS; i++) {
        mg_image *image = NULL;
        assert_int_equal(decode(&image, files[i].bytes, files[i].size), MG_OK);
        mg_image_free(image);
        for (size_t size = 0; size < files[i].size; size++)
            assert_picture_refused(&(blob){files[i].bytes, size}, "");
        assert_picture_refused(&(blob){files[i].bytes, files[i].size - 1}, "truncated");
        free(files[i].bytes);
    }
}

/* Whatever is in a file, it is a picture or one line that says why not. */
static void decode_anything(const uint8_t *bytes, size_t size)
{
    mg_image *image = NULL;
    if (decode(&image, bytes, size) == MG_OK) {
        uint8_t input[28 * 28];
        if (mg_image_to_input(input, 1, 28, 28, image, NULL) != MG_OK)
            assert_null(strchr(mg_last_error(), '\n'));
    } else {
        assert_picture_message("");
    }
    mg_image_free(image);
}

static void test_damaged(void **state)
{
    (void)state;
    blob files[FORMATS];
    make_formats(files);
    for (int i = 0; i < FORMATS; i++) {
        blob f = files[i];
        for (int round = 0; round < 500; round++) {
            uint8_t *copy = malloc(f.size);
            assert_non_null(copy);
            memcpy(copy, f.bytes, f.size);
            /* near the start more often: headers matter most */
            size_t reach = round % 2 ? f.size : f.size < 64 ? f.size : 64;
            for (uint32_t k = random_u32() % 4 + 1; k > 0; k--)
                copy[random_u32() % reach] = (uint8_t)random_u32();
            decode_anything(copy, f.size);
            free(copy);
        }
        free(f.bytes);
    }
}

static void test_random_bytes(void **state)
{
    (void)state;
    static const char *const magics[] = {"",
                                         "\x89PNG\r\n\x1a\n",
                                         "\xff\xd8\xff",
                                         "BM",
                                         "P1 ",
                                         "P2 ",
                                         "P3 ",
                                         "P4 ",
                                         "P5 ",
                                         "P6 ",
                                         "P5 9 9 "};
    for (int round = 0; round < 500; round++)
        for (size_t i = 0; i < sizeof magics / sizeof *magics; i++) {
            uint8_t bytes[256];
            for (size_t k = 0; k < sizeof bytes; k++) bytes[k] = (uint8_t)random_u32();
            memcpy(bytes, magics[i], strlen(magics[i]));
            decode_anything(bytes, random_u32() % (sizeof bytes + 1));
        }
}

static void test_wrong_magic(void **state)
{
    (void)state;
    assert_picture_refused(&(blob){(uint8_t *)"", 0}, "empty");
    assert_picture_refused(&(blob){(uint8_t *)"GIF89a\1\0\1\0", 10}, "not a PNG");
    assert_picture_refused(&(blob){(uint8_t *)"B", 1}, "starts with 42");
    assert_picture_refused(&(blob){(uint8_t *)"P7\n", 3}, "starts with 50 37 0a");
    assert_picture_refused(&(blob){(uint8_t *)"hello, world", 12}, "68 65 6c 6c");
}

static void test_huge(void **state)
{
    (void)state;
    const uint8_t any[64] = {0};
    blob jpeg = make_jpeg(1, 1, any);
    for (size_t i = 0; i + 9 < jpeg.size; i++) /* 65535 x 65535 in the frame header */
        if (jpeg.bytes[i] == 0xff && jpeg.bytes[i + 1] == 0xc0) memset(jpeg.bytes + i + 5, 0xff, 4);
    blob none = {0};
    struct {
        blob file;
        const char *part;
    } cases[] = {
        {png_around(16385, 1, 1, 8, &none), "arge"},
        {png_around(16384, 16384, 1, 8, &none), "16384 x 16384"},
        {png_around(0xffffffff, 0xffffffff, 4, 16, &none), "arge"},
        {png_around(0, 5, 1, 8, &none), "PNG"},
        {png_around(8192, 8192, 1, 8, &none), "PNG"},
        {make_bmp(INT32_MAX, 1, NULL), "2147483647 x 1"},
        {make_bmp(4, INT32_MIN, NULL), "4 x 2147483648"},
        {make_bmp(-4, 4, NULL), "-4 x 4"},
        {make_bmp(8192, 8192, NULL), "truncated"},
        {jpeg, ""},
        {make_pnm("P5 99999999999999999999 1 255\n", any, 64), "x 1 pixels"},
        {make_pnm("P5 1 99999999999999999999 255\n", any, 64), "of 1 x "},
        {make_pnm("P5 16384 16384 255\n", any, 64), "16384 x 16384"},
        {make_pnm("P5 0 4 255\n", any, 64), "0 x 4"},
        {make_pnm("P5 4 4 65536\n", any, 64), "malformed"},
        {make_pnm("P5 4 4 0\n", any, 64), "malformed"},
        {make_pnm("P2 1 1 10\n11", any, 0), "expected at most 10"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_picture_refused(&cases[i].file, cases[i].part);
        free(cases[i].file.bytes);
    }
}

/* More codes in a Huffman table than there are bytes to encode: stb_image would write past it. */
static void test_huffman_overflow(void **state)
{
    (void)state;
    blob jpeg = make_jpeg(1, 1, (uint8_t[]){0});
    size_t at = 2;
    while (jpeg.bytes[at + 1] != 0xc4)
        at += 2 + (size_t)(jpeg.bytes[at + 2] << 8 | jpeg.bytes[at + 3]);
    jpeg.bytes[at + 5 + 14] = jpeg.bytes[at + 5 + 15] = 200;
    assert_picture_refused(&jpeg, "Huffman");
    free(jpeg.bytes);
}

/* 16 x 16 pixels by its header, 256 MB when inflated. */
static void test_bomb(void **state)
{
    (void)state;
    enum { ROUND = 1 << 20, ROUNDS = 256 };
    blob idat = {0};
    z_stream z = {0};
    uint8_t *zeros = calloc(1, ROUND), packed[4096];
    assert_non_null(zeros);
    assert_int_equal(deflateInit(&z, 9), Z_OK);
    for (int i = 0; i <= ROUNDS; i++) {
        z.next_in = zeros;
        z.avail_in = i < ROUNDS ? ROUND : 0;
        do {
            z.next_out = packed;
            z.avail_out = sizeof packed;
            deflate(&z, i < ROUNDS ? Z_NO_FLUSH : Z_FINISH);
            put(&idat, packed, sizeof packed - z.avail_out);
        } while (z.avail_out == 0);
    }
    deflateEnd(&z);
    free(zeros);
    blob bomb = png_around(16, 16, 1, 8, &idat);

    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    assert_picture_refused(&bomb, "more data than its size allows");
    getrusage(RUSAGE_SELF, &after);
    assert_in_range(after.ru_maxrss - before.ru_maxrss, 0, 64 << 10); /* KiB */
    free(bomb.bytes);
    free(idat.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_png),
        cmocka_unit_test(test_bmp),
        cmocka_unit_test(test_jpeg),
        cmocka_unit_test(test_exif),
        cmocka_unit_test(test_hostile_exif),
        cmocka_unit_test(test_pnm),
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_random_bytes),
        cmocka_unit_test(test_wrong_magic),
        cmocka_unit_test(test_huge),
        cmocka_unit_test(test_huffman_overflow),
        cmocka_unit_test(test_bomb),
    };
    return cmocka_run_group_tests_name("image_files", tests, NULL, NULL);
}
