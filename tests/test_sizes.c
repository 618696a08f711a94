/* Every number in a file from which a size is computed: where it is so large that 16, 32 or 64 bits
 * overflow, and the more where they then wrap round to the right number, the file is refused. What
 * is no field of its own is elsewhere: products of sizes (idx, safetensors, model), npz's shapes
 * (import), numbers of a state (run). */
#define _GNU_SOURCE /* memmem, mkdtemp */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "data/idx.h"
#include "data/import.h"
#include "idx_files.h"
#include "io/file.h"
#include "io/run.h"
#include "io/run_files.h"
#include "io/safetensors.h"
#include "mnist_gpu/image.h"
#include "mnist_gpu/model.h"
#include "pictures.h"

/* ---- formats: how a file is made, and read ---- */

#define PIXELS "abcdefghijkl" /* [3][4] */

static void write_blob(blob b)
{
    scratch_write("file", b.bytes, b.size);
    free(b.bytes);
}

static void make_idx(void) { write_idx("file", DIMS(2, 3, 2, 2), 0, 1); }
static void make_gzip(void)
{
    write_idx("plain.gz", DIMS(5), 0, 1);
    assert_int_equal(rename("plain.gz", "file"), 0);
}
static void make_png_file(void) { write_blob(make_png(4, 3, 1, 8, (const uint8_t *)PIXELS)); }
static void make_bmp_file(void) { write_blob(make_bmp(4, 3, (const uint8_t *)PIXELS)); }
static void make_jpeg_file(void) { write_blob(make_jpeg(4, 3, (const uint8_t *)PIXELS)); }

static void make_npz(void)
{
    size_t size;
    char *bytes = scratch_read(MG_SOURCE_DIR "/tests/fuzz/seeds/npz/colour.npz", &size);
    scratch_write("file", bytes, size);
    free(bytes);
}

static void make_tensors(void)
{
    const mg_st_tensor tensor = {
        .name = "a", .dtype = "U8", .rank = 1, .dim = {12}, .data = PIXELS, .size = 12};
    assert_ok(mg__safetensors_write("file", &tensor, 1, NULL, 0));
}

static mg_status read_idx(void)
{
    mg_idx idx = {0};
    const mg_status st = mg__idx_read(&idx, "file", 1, MG_IDX_MAX_DIMS);
    free(idx.bytes);
    return st;
}

static mg_status read_picture(void)
{
    mg_image *image = NULL;
    const mg_status st = mg_image_load(&image, "file");
    mg_image_free(image);
    return st;
}

static mg_status read_npz(void)
{
    mg_import import = {0};
    const mg_status st = mg__import_npz(&import, "file");
    mg__import_free(&import);
    return st;
}

static mg_status read_tensors(void)
{
    mg_safetensors *file = NULL;
    const mg_status st = mg__safetensors_read(&file, "file");
    mg__safetensors_free(file);
    return st;
}

static mg_status read_model(void)
{
    mg_model *model = NULL;
    const mg_status st = mg_model_load(&model, "file");
    mg_model_free(model);
    return st;
}

static mg_status read_config(void)
{
    mg_run_config config = {0};
    assert_int_equal(rename("file", MG_RUN_CONFIG), 0);
    const mg_status st = mg__run_load_config(&config, ".");
    mg__run_config_free(&config);
    return st;
}

static void assert_refused(mg_status st, const char *field, const char *value, const char *message)
{
    if (st == MG_OK) fail_msg("%s = %s is accepted", field, value);
    if (!strstr(mg_last_error(), message) || strchr(mg_last_error(), '\n'))
        fail_msg("%s = %s: \"%s\", expected \"%s\"", field, value, mg_last_error(), message);
}

/* ---- numbers in binary ---- */

static const struct binary {
    const char *field;
    void (*make)(void);
    mg_status (*read)(void);
    const char *mark; /* the field lies `at` bytes after the first of these; NULL: after the start,
                         or before the end where it is negative */
    int mark_size, at, bytes;
    enum { LITTLE, BIG, SIGNED } order; /* SIGNED: little-endian, and -1 is right */
    const char *message;
} binaries[] = {
#define MARK(text) text, sizeof(text) - 1
    {"IDX images", make_idx, read_idx, NULL, 0, 4, 4, BIG, "expected"},
    {"IDX channels", make_idx, read_idx, NULL, 0, 8, 4, BIG, "expected"},
    {"IDX height", make_idx, read_idx, NULL, 0, 12, 4, BIG, "expected"},
    {"IDX width", make_idx, read_idx, NULL, 0, 16, 4, BIG, "expected"},
    {"gzip size", make_gzip, read_idx, NULL, 0, -4, 4, LITTLE, "incorrect length check"},
    {"PNG header length", make_png_file, read_picture, MARK("IHDR"), -4, 4, BIG, "PNG"},
    {"PNG width", make_png_file, read_picture, MARK("IHDR"), 4, 4, BIG, "arge"},
    {"PNG height", make_png_file, read_picture, MARK("IHDR"), 8, 4, BIG, "arge"},
    {"PNG data length", make_png_file, read_picture, MARK("IDAT"), -4, 4, BIG, "PNG"},
    {"BMP start of pixels", make_bmp_file, read_picture, NULL, 0, 10, 4, LITTLE, "BMP"},
    {"BMP header size", make_bmp_file, read_picture, NULL, 0, 14, 4, LITTLE, "BMP"},
    {"BMP width", make_bmp_file, read_picture, NULL, 0, 18, 4, LITTLE, ""},
    {"BMP height", make_bmp_file, read_picture, NULL, 0, 22, 4, SIGNED, ""},
    {"JPEG segment", make_jpeg_file, read_picture, MARK("\xff\xdb"), 2, 2, BIG, "JPEG"},
    {"JPEG frame", make_jpeg_file, read_picture, MARK("\xff\xc0"), 2, 2, BIG, "JPEG"},
    {"JPEG height", make_jpeg_file, read_picture, MARK("\xff\xc0"), 5, 2, BIG, "arge"},
    {"JPEG width", make_jpeg_file, read_picture, MARK("\xff\xc0"), 7, 2, BIG, "arge"},
    {"JPEG scan", make_jpeg_file, read_picture, MARK("\xff\xda"), 2, 2, BIG, "JPEG"},
    {"ZIP entries", make_npz, read_npz, MARK("PK\5\6"), 10, 2, LITTLE, "file: "},
    {"ZIP directory", make_npz, read_npz, MARK("PK\5\6"), 16, 4, LITTLE, ""},
    {"ZIP packed size", make_npz, read_npz, MARK("PK\1\2"), 20, 4, LITTLE, "x_test.npy"},
    {"ZIP size", make_npz, read_npz, MARK("PK\1\2"), 24, 4, LITTLE, "x_test.npy"},
    {"ZIP name", make_npz, read_npz, MARK("PK\1\2"), 28, 2, LITTLE, "directory is cut short"},
    {"ZIP extra field", make_npz, read_npz, MARK("PK\1\2"), 30, 2, LITTLE,
     "directory is cut short"},
    {"ZIP comment", make_npz, read_npz, MARK("PK\1\2"), 32, 2, LITTLE, "directory is cut short"},
    {"ZIP member", make_npz, read_npz, MARK("PK\1\2"), 42, 4, LITTLE, "x_test.npy"},
    {"ZIP member's name", make_npz, read_npz, MARK("PK\3\4"), 26, 2, LITTLE, "cut short"},
    {"ZIP member's extra field", make_npz, read_npz, MARK("PK\3\4"), 28, 2, LITTLE, "cut short"},
    {"safetensors header", make_tensors, read_tensors, NULL, 0, 0, 8, LITTLE, "header of"},
};

static uint64_t get_number(const struct binary *b, const uint8_t *at)
{
    uint64_t v = 0;
    for (int i = 0; i < b->bytes; i++) v = v << 8 | at[b->order == BIG ? i : b->bytes - 1 - i];
    return v;
}

static void put_number(const struct binary *b, uint8_t *at, uint64_t v)
{
    for (int i = 0; i < b->bytes; i++)
        at[b->order == BIG ? b->bytes - 1 - i : i] = (uint8_t)(v >> 8 * i);
}

/* The largest number of 15, 16, 31, 32, 63 and 64 bits; the right one with a high bit set. */
static void check_binary(const struct binary *b)
{
    static const int bits[] = {15, 16, 31, 32, 63, 64};
    size_t size;
    char value[32];
    b->make();
    if (b->read() != MG_OK) fail_msg("%s: %s", b->field, mg_last_error());
    uint8_t *file = (uint8_t *)scratch_read("file", &size);
    uint8_t *at = b->mark ? memmem(file, size, b->mark, (size_t)b->mark_size) : file;
    assert_non_null(at);
    at += b->mark || b->at >= 0 ? b->at : (int)size + b->at;
    const uint64_t right = get_number(b, at);
    for (int i = 0; i < MG_COUNT_OF(bits) && bits[i] <= 8 * b->bytes; i++)
        for (int high = 0; high < 2; high++) {
            const uint64_t v =
                high ? right | (uint64_t)1 << (bits[i] - 1) : UINT64_MAX >> (64 - bits[i]);
            if (v == UINT64_MAX >> (64 - 8 * b->bytes) && b->order == SIGNED) continue;
            put_number(b, at, v);
            scratch_write("file", file, size);
            snprintf(value, sizeof value, "%#llx", (unsigned long long)v);
            assert_refused(b->read(), b->field, value, b->message);
        }
    free(file);
}

static void binary_numbers(void **state)
{
    (void)state;
    for (int i = 0; i < MG_COUNT_OF(binaries); i++) check_binary(&binaries[i]);
}

/* ---- numbers in text ---- */

#define CONFIG(key) "\"" key "\": ", read_config
#define QUOTED(key) "\"" key "\": \"", read_config
#define MODEL                                                                                      \
    "input 1x28x30\nconv out=2 kernel=7 stride=4 pad=5\nmaxpool size=6 stride=7\ndense out=8\n"    \
    "softmax_xent\n"
#define NETPBM "P2 4 3 55\n 0 1 2 3 4 5 6 7 8 9 10 11\n"

static const struct textual {
    const char *file;   /* NULL: a config.json */
    const char *before; /* what the number comes after */
    mg_status (*read)(void);
    bool is_64_bits; /* only what has more is too large */
    const char *message;
} texts[] = {
    {NETPBM, "P2 ", read_picture, false, "pixels"},
    {NETPBM, "P2 4 ", read_picture, false, "pixels"},
    {NETPBM, "P2 4 3 ", read_picture, false, "PNM"},
    {NETPBM, "\n ", read_picture, false, "expected at most 55"},
    {MODEL, "input ", read_model, false, "file:1: "},
    {MODEL, "input 1x", read_model, false, "file:1: "},
    {MODEL, "input 1x28x", read_model, false, "file:1: "},
    {MODEL, "conv out=", read_model, false, "file:2: "},
    {MODEL, "kernel=", read_model, false, "file:2: "},
    {MODEL, "7 stride=", read_model, false, "file:2: "},
    {MODEL, "pad=", read_model, false, "file:2: "},
    {MODEL, "size=", read_model, false, "file:3: "},
    {MODEL, "6 stride=", read_model, false, "file:3: "},
    {MODEL, "dense out=", read_model, false, "file:4: "},
    {NULL, CONFIG("epochs"), false, ""},
    {NULL, CONFIG("batch"), false, ""},
    {NULL, CONFIG("lr_step"), false, ""},
    {NULL, CONFIG("lr_patience"), false, ""},
    {NULL, CONFIG("patience"), false, ""},
    {NULL, CONFIG("limit"), false, ""},
    {NULL, CONFIG("train_count"), false, ""},
    {NULL, CONFIG("val_count"), false, ""},
    {NULL, CONFIG("keep"), false, ""},
    {NULL, QUOTED("seed"), true, "\"seed\": expected a whole number"},
    {NULL, QUOTED("warmup"), true, "\"warmup\": expected a whole number"},
    {NULL, QUOTED("max_steps"), true, "\"max_steps\": expected a whole number"},
};

static char *config_text(void)
{
    size_t size;
    mg_run_config config = {.options = mg_train_options_default(),
                            .model_name = (char[]){"m"},
                            .model_text = (char[]){"input"},
                            .data = (char[]){"d"},
                            .device = (char[]){"cpu"}};
    assert_ok(mg__run_save_config(".", &config));
    return scratch_read(MG_RUN_CONFIG, &size);
}

/* The right number and 2^31, 2^32, 2^62, 2^63 or 2^64, and one of 40 digits. */
static void check_text(const struct textual *t)
{
    enum { VALUES = 6 };
    char values[VALUES][48];
    char *text = t->file ? strdup(t->file) : config_text();
    assert_non_null(text);
    const char *at = strstr(text, t->before);
    char *after;
    assert_non_null(at);
    at += strlen(t->before);
    const unsigned long long right = strtoull(at, &after, 10);
    assert_true(after > at && right < 84);
    static const int powers[] = {31, 32, 62, 63};
    for (int i = 0; i < MG_COUNT_OF(powers); i++)
        snprintf(values[i], sizeof *values, "%llu", right + (1ull << powers[i]));
    snprintf(values[4], sizeof *values, "184467440737095516%llu", 16 + right); /* 2^64 and it */
    snprintf(values[5], sizeof *values, "%040d", 0);
    memset(values[5], '9', 40);
    for (int i = t->is_64_bits ? 4 : 0; i < VALUES; i++) {
        if (i == 0 && strstr(t->before, "_count")) continue; /* 32 bits without a sign */
        if (i == 0 && strstr(t->before, "limit")) continue;
        char *changed = mg__format("%.*s%s%s", (int)(at - text), text, values[i], after);
        assert_non_null(changed);
        scratch_write("file", changed, strlen(changed));
        assert_refused(t->read(), t->before, values[i], t->message);
        free(changed);
    }
    scratch_write("file", text, strlen(text));
    if (t->read() != MG_OK) fail_msg("%s: %s", t->before, mg_last_error());
    free(text);
}

static void text_numbers(void **state)
{
    (void)state;
    for (int i = 0; i < MG_COUNT_OF(texts); i++) check_text(&texts[i]);
}

/* ---- safetensors' header: numbers in text before the data ---- */

static void tensor_numbers(void **state)
{
    (void)state;
    /* for shape [3] of F32 at [0, 12]: what it is in so many bits, or its product by 4 */
    static const char *const cases[][2] = {
        {"[4294967299]", "[0,12]"},           {"[4611686018427387907]", "[0,12]"},
        {"[9223372036854775807]", "[0,12]"},  {"[9223372036854775811]", "[0,12]"},
        {"[18446744073709551619]", "[0,12]"}, {"[3]", "[0,4294967308]"},
        {"[3]", "[0,9223372036854775807]"},   {"[3]", "[0,18446744073709551628]"},
        {"[3]", "[4294967296,12]"},           {"[3]", "[9223372036854775807,12]"},
        {"[3]", "[18446744073709551616,12]"}, {"[3]", "[4294967296,4294967308]"},
    };
    for (int i = 0; i < MG_COUNT_OF(cases); i++) {
        char file[256];
        const int length = snprintf(file + 8, sizeof file - 8,
                                    "{\"a\":{\"dtype\":\"F32\",\"shape\":%s,\"data_offsets\":%s}}",
                                    cases[i][0], cases[i][1]);
        memcpy(file, &(uint64_t){(uint64_t)length}, 8);
        memcpy(file + 8 + length, PIXELS, 12);
        scratch_write("file", file, 8 + (size_t)length + 12);
        assert_refused(read_tensors(), cases[i][0], cases[i][1], "file: ");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(binary_numbers),
        cmocka_unit_test(text_numbers),
        cmocka_unit_test(tensor_numbers),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
