/* Sets in other forms: what comes back from them, and what is refused. */
#define _XOPEN_SOURCE 700 /* mkdtemp, nftw */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "data/import.h"
#include "data/make.h"
#include "data/zip.h"
#include "idx_files.h"
#include "mnist_gpu/image.h"

/* ---- CSV ---- */

static mg_dataset *csv(const char *text)
{
    mg_dataset *set = NULL;
    scratch_write("set.csv", text, strlen(text));
    assert_ok(mg__import_csv(&set, "set.csv"));
    return set;
}

static void csv_with_and_without_heading(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "3,0,1,2,255\n9,4,5,6,7\n", "label,a,b,c,d\r\n3,0,1,2,255\r\n9,4,5,6,7\r\n",
        "3,0,1,2,255\n\n9,4,5,6,7", /* no end of the last line */
    };
    for (int i = 0; i < MG_COUNT_OF(texts); i++) {
        mg_dataset *set = csv(texts[i]);
        assert_int_equal(set->count, 2);
        assert_int_equal(set->height, 2);
        assert_int_equal(set->width, 2);
        assert_int_equal(set->classes, 10);
        assert_memory_equal(set->labels, "\3\11", 2);
        assert_memory_equal(set->pixels, "\0\1\2\377\4\5\6\7", 8);
        mg_dataset_free(set);
    }
}

static void csv_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "set.csv: no line with an image is in it"},
        {"label,a,b,c,d\n", "set.csv: no line with an image is in it"},
        {"1,2,3\n", "set.csv:1: found 3 fields, expected a label and the pixels of a square"},
        {"1,2,3,4,5\n1,2,3,4\n", "set.csv:2: found only 4 fields, expected 5"},
        {"1,2,3,4,5\n1,2,3,4,5,6\n", "set.csv:2: found more than 5 fields"},
        {"1,2,3,4,256\n", "set.csv:1: field 5 is \"256\", expected a whole number from 0 to 255"},
        {"1,2,,4,5\n", "set.csv:1: field 3 is \"\""},
        {"1,2,-3,4,5\n", "field 3 is \"-3\""},
        {"1,2,3.5,4,5\n", "field 3 is \"3.5\""},
        {"1,2,3,4,99999999999999999999\n", "field 5 is \"99999999999999999999\""},
        {"1,2,3,4,\x1b[31m\n", "field 5 is \"?[31m\""},
    };
    for (int i = 0; i < MG_COUNT_OF(cases); i++) {
        mg_dataset *set = NULL;
        scratch_write("set.csv", cases[i].text, strlen(cases[i].text));
        assert_int_equal(mg__import_csv(&set, "set.csv"), MG_ERR_FORMAT);
        assert_message(cases[i].message);
        assert_null(set);
    }
    mg_dataset *set = NULL;
    scratch_write("set.csv", "1,2\0003\n", 7);
    assert_int_equal(mg__import_csv(&set, "set.csv"), MG_ERR_FORMAT);
    assert_message("not text");
    assert_int_equal(mg__import_csv(&set, "absent.csv"), MG_ERR_NOT_FOUND);
}

/* ---- .npz ---- */

typedef struct bytes {
    uint8_t at[1 << 15];
    size_t size;
} bytes;

static void put(bytes *b, const void *from, size_t size)
{
    assert_true(b->size + size <= sizeof b->at);
    memcpy(b->at + b->size, from, size);
    b->size += size;
}

static void put_number(bytes *b, uint32_t value, int size)
{
    for (int i = 0; i < size; i++, value >>= 8) put(b, &(uint8_t){(uint8_t)value}, 1);
}

static void make_npy(bytes *b, const char *type, const char *shape, const void *items, size_t size)
{
    char header[256];
    b->size = 0;
    const int length =
        snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }\n",
                 type, shape);
    put(b, "\x93NUMPY\1\0", 8);
    put_number(b, (uint32_t)length, 2);
    put(b, header, (size_t)length);
    put(b, items, size);
}

/* A member of an archive, and lies about it. */
typedef struct member {
    const char *name;
    bytes content;
    bool deflated;
    uint32_t claimed; /* its size, 0: the true one */
} member;

static size_t deflate_raw(uint8_t *out, size_t room, const bytes *in)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)in->at, .avail_in = (uInt)in->size};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_out = out;
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    const size_t size = z.total_out;
    deflateEnd(&z);
    return size;
}

static void make_zip(bytes *zip, const member *members, int count)
{
    static uint8_t packed[1 << 15];
    static bytes directory;
    zip->size = directory.size = 0;
    for (int i = 0; i < count; i++) {
        const member *m = &members[i];
        const uint32_t crc = (uint32_t)crc32(0, m->content.at, (uInt)m->content.size);
        const uint32_t length = m->claimed ? m->claimed : (uint32_t)m->content.size;
        const size_t size =
            m->deflated ? deflate_raw(packed, sizeof packed, &m->content) : m->content.size;
        const uint16_t name = (uint16_t)strlen(m->name);
        const uint32_t offset = (uint32_t)zip->size;
        for (int central = 0; central < 2; central++) {
            bytes *to = central ? &directory : zip;
            put(to, central ? "PK\1\2\24\0" : "PK\3\4", central ? 6 : 4);
            put_number(to, 20, 2);
            put_number(to, 0, 2);
            put_number(to, m->deflated ? 8 : 0, 2);
            put_number(to, 0, 4); /* time */
            put_number(to, crc, 4);
            put_number(to, (uint32_t)size, 4);
            put_number(to, length, 4);
            put_number(to, name, 2);
            put_number(to, 0, 2);
            if (central) {
                put_number(to, 0, 4);
                put_number(to, 0, 4);
                put_number(to, 0, 2);
                put_number(to, offset, 4);
            }
            put(to, m->name, name);
        }
        put(zip, m->deflated ? packed : m->content.at, size);
    }
    const uint32_t start = (uint32_t)zip->size;
    put(zip, directory.at, directory.size);
    put(zip, "PK\5\6\0\0\0\0", 8);
    put_number(zip, (uint32_t)count, 2);
    put_number(zip, (uint32_t)count, 2);
    put_number(zip, (uint32_t)directory.size, 4);
    put_number(zip, start, 4);
    put_number(zip, 0, 2);
}

static const uint8_t items[16] = {10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120};

/* Two images of 2 x 3, labels 7 and 3. */
static void usual(member members[2], bool deflated)
{
    members[0] = (member){.name = "x_train.npy", .deflated = deflated};
    members[1] = (member){.name = "y_train.npy", .deflated = deflated};
    make_npy(&members[0].content, "|u1", "(2, 2, 3)", items, 12);
    make_npy(&members[1].content, "<i8", "(2,)", "\7\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0", 16);
}

static member members[2];
static bytes archive;

static void assert_npz(mg_status expected, const char *message)
{
    mg_import import = {0};
    scratch_write("set.npz", archive.at, archive.size);
    assert_int_equal(mg__import_npz(&import, "set.npz"), expected);
    assert_message(message);
    assert_null(import.train);
}

static void npz_stored_and_deflated(void **state)
{
    (void)state;
    for (int deflated = 0; deflated < 2; deflated++) {
        mg_import import = {0};
        usual(members, deflated);
        make_zip(&archive, members, 2);
        scratch_write("set.npz", archive.at, archive.size);
        assert_ok(mg__import_npz(&import, "set.npz"));
        assert_null(import.test);
        assert_int_equal(import.train->count, 2);
        assert_int_equal(import.train->height, 2);
        assert_int_equal(import.train->width, 3);
        assert_int_equal(import.train->classes, 8);
        assert_memory_equal(import.train->pixels, items, 12);
        assert_memory_equal(import.train->labels, "\7\3", 2);
        mg__import_free(&import);
    }
}

static void npz_puts_channels_first(void **state)
{
    (void)state;
    mg_import import = {0};
    usual(members, true);
    make_npy(&members[0].content, "|u1", "(2, 1, 2, 3)", items, 12);
    make_zip(&archive, members, 2);
    scratch_write("set.npz", archive.at, archive.size);
    assert_ok(mg__import_npz(&import, "set.npz"));
    static const uint8_t planes[] = {10, 40, 20, 50, 30, 60, 70, 100, 80, 110, 90, 120};
    assert_int_equal(import.train->channels, 3);
    assert_memory_equal(import.train->pixels, planes, 12);
    mg__import_free(&import);
}

static void npz_refuses_arrays(void **state)
{
    (void)state;
    static const struct {
        int member;
        const char *type, *shape;
        size_t size;
        const char *message;
    } cases[] = {
        {0, "<f4", "(3, 1, 1)", 12, "x_train.npy: expected images of type |u1"},
        {0, "|u1", "(2, 6)", 12, "expected the shape (n, height, width)"},
        {0, "|u1", "(2, 1, 1, 6)", 12, "expected the shape"},
        {0, "|u1", "(2, 2, 4)", 12, "x_train.npy: its size is not that of its shape"},
        {0, "|u1", "(2, 0, 4)", 12, "expected a shape of whole numbers"},
        {0, "|u1", "(4294967296, 4294967296, 1)", 12, "of at most 2^30 items"},
        /* 2^32 or 2^64 more than what is right; a product that is 12 in 64 bits */
        {0, "|u1", "(4294967298, 2, 3)", 12, "of at most 2^30 items"},
        {0, "|u1", "(2, 4294967298, 3)", 12, "of at most 2^30 items"},
        {0, "|u1", "(2, 2, 4294967299)", 12, "of at most 2^30 items"},
        {0, "|u1", "(18446744073709551618, 2, 3)", 12, "of at most 2^30 items"},
        {0, "|u1", "(2, 18446744073709551618, 3)", 12, "of at most 2^30 items"},
        {0, "|u1", "(2, 2, 18446744073709551619)", 12, "of at most 2^30 items"},
        {0, "|u1", "(2, 2, 4611686018427387907)", 12, "of at most 2^30 items"},
        {1, "|u1", "(4294967298,)", 2, "y_train.npy: expected a shape"},
        {1, "<i8", "(2305843009213693954,)", 16, "y_train.npy: expected a shape"},
        {0, "|u1", "(2, 1, 1, 2, 3)", 12, "more than 4 dimensions"},
        {0, "|u1", "(2, x, 3)", 12, "expected a shape of whole numbers"},
        {0, "|u1", "(2, 2, 3", 12, "expected a shape of whole numbers"},
        {0, "|u1", "2", 12, "its shape is no tuple"},
        {0, "[('a', 'u1')]", "(2, 2, 3)", 12, "its type is none of numpy's plain ones"},
        {1, "|u1", "(3,)", 3, "y_train.npy: expected as many labels as images"},
        {1, "<f4", "(2,)", 8, "y_train.npy: expected labels of a whole number type"},
        {1, ">i4", "(2,)", 8, "expected labels of a whole number type"},
        {1, "<i4", "(2,)", 8, "y_train.npy: label 1 is not from 0 to 255"},
    };
    for (int i = 0; i < MG_COUNT_OF(cases); i++) {
        usual(members, true);
        make_npy(&members[cases[i].member].content, cases[i].type, cases[i].shape, items,
                 cases[i].size);
        make_zip(&archive, members, 2);
        assert_npz(MG_ERR_FORMAT, cases[i].message);
    }
    make_zip(&archive, members, 1);
    assert_npz(MG_ERR_FORMAT, "x_train.npy without y_train.npy");
    make_zip(&archive, members, 0);
    assert_npz(MG_ERR_FORMAT, "neither x_train.npy nor x_test.npy");
}

/* Every cut and, at every place, a changed byte: an error or the right set, never a crash. */
static void npz_survives_damage(void **state)
{
    (void)state;
    usual(members, true);
    make_zip(&archive, members, 2);
    bytes whole = archive;
    for (size_t i = 0; i < whole.size; i++)
        for (int how = 0; how < 3; how++) {
            mg_import import = {0};
            bytes damaged = whole;
            if (how == 0) damaged.size = i;
            damaged.at[i] = how == 1 ? 0xff : (uint8_t)(damaged.at[i] ^ 1);
            scratch_write("set.npz", damaged.at, damaged.size);
            const mg_status st = mg__import_npz(&import, "set.npz");
            assert_true(st == MG_OK || st == MG_ERR_FORMAT || st == MG_ERR_UNSUPPORTED);
            if (how == 0) assert_int_equal(st, MG_ERR_FORMAT);
            if (import.train) assert_memory_equal(import.train->pixels, items, 12);
            mg__import_free(&import);
        }
}

static void zip_refuses_lies(void **state)
{
    (void)state;
    usual(members, true);
    members[0].claimed = 1 << 20; /* less than 1032 times as much */
    members[0].content.size = 0;
    put(&members[0].content, (uint8_t[2000]){0}, 2000);
    make_zip(&archive, members, 2);
    assert_npz(MG_ERR_FORMAT, "bytes cannot become 1048576");
    members[0].claimed = 1999;
    make_zip(&archive, members, 2);
    assert_npz(MG_ERR_FORMAT, "corrupt, or not of 1999 bytes");
    members[0].claimed = 0x7fffffff;
    make_zip(&archive, members, 2);
    assert_npz(MG_ERR_FORMAT, "grows to 2147483647 bytes, expected at most 1073741824");
    members[0].claimed = 0xffffffff;
    make_zip(&archive, members, 2);
    assert_npz(MG_ERR_UNSUPPORTED, "zip64");
    usual(members, false);
    members[0].claimed = 5;
    make_zip(&archive, members, 2);
    assert_npz(MG_ERR_FORMAT, "bytes cannot become 5");
    archive.size = 0;
    put(&archive, "no archive at all", 17);
    assert_npz(MG_ERR_FORMAT, "not a ZIP archive");
}

/* ---- folders ---- */

static void write_picture(const char *path, uint32_t width, uint32_t height, uint8_t value)
{
    uint8_t pixels[64];
    memset(pixels, value, sizeof pixels);
    assert_true(width * height <= sizeof pixels);
    assert_ok(mg_image_save(&(mg_image){width, height, 1, pixels}, path));
}

static void make_folders(const char *first, const char *second)
{
    char path[64];
    scratch_remove("pictures");
    assert_int_equal(mkdir("pictures", 0777), 0);
    for (int i = 0; i < 6; i++) {
        const char *class = i % 2 ? second : first;
        snprintf(path, sizeof path, "pictures/%s", class);
        mkdir(path, 0777);
        snprintf(path, sizeof path, "pictures/%s/%d.%s", class, i, i < 3 ? "png" : "pgm");
        write_picture(path, 3, 2, (uint8_t)(10 * i));
    }
}

static void folders_with_numbers_and_with_names(void **state)
{
    (void)state;
    const mg_folder_options options = {0};
    for (int named = 0; named < 2; named++) {
        mg_import import = {0};
        uint32_t seen = 0;
        make_folders(named ? "dog" : "4", named ? "cat" : "1");
        scratch_write("pictures/README", "not a class", 11);
        scratch_write(named ? "pictures/cat/.hidden" : "pictures/1/.hidden", "no picture", 10);
        assert_ok(mg__import_folders(&import, "pictures", MG_SPLIT_TEST, &options));
        assert_null(import.train);
        assert_int_equal(import.test->count, 6);
        assert_int_equal(import.test->width, 3);
        assert_int_equal(import.test->height, 2);
        for (int i = 0; i < 6; i++) {
            const int value = import.test->pixels[6 * i];
            const bool second = value / 10 % 2;
            seen |= 1u << value / 10;
            assert_int_equal(import.test->labels[i], named ? !second : second ? 1 : 4);
        }
        assert_int_equal(seen, 63);
        assert_int_equal(import.name_count, named ? 2 : 0);
        if (named) assert_string_equal(import.names[1], "dog");
        mg__import_free(&import);
    }
}

static void folders_resize_only_when_asked(void **state)
{
    (void)state;
    mg_import import = {0};
    make_folders("4", "1");
    write_picture("pictures/4/9.png", 4, 4, 90);
    assert_int_equal(
        mg__import_folders(&import, "pictures", MG_SPLIT_TRAIN, &(mg_folder_options){0}),
        MG_ERR_FORMAT);
    assert_message("expected 3 x 2 as the others have; --size resizes");
    assert_ok(
        mg__import_folders(&import, "pictures", MG_SPLIT_TRAIN, &(mg_folder_options){.size = 5}));
    assert_int_equal(import.train->count, 7);
    assert_int_equal(import.train->width, 5);
    mg__import_free(&import);
}

static void folders_refuse(void **state)
{
    (void)state;
    mg_import import = {0};
    const mg_folder_options options = {0};
    make_folders("4", "1");
    scratch_write("pictures/4/noise.png", "no picture", 10);
    assert_int_equal(mg__import_folders(&import, "pictures", MG_SPLIT_TRAIN, &options),
                     MG_ERR_FORMAT);
    assert_message("pictures/4/noise.png: not a PNG");
    scratch_remove("pictures");
    assert_int_equal(mg__import_folders(&import, "pictures", MG_SPLIT_TRAIN, &options),
                     MG_ERR_NOT_FOUND);
    assert_int_equal(mkdir("pictures", 0777), 0);
    assert_int_equal(mg__import_folders(&import, "pictures", MG_SPLIT_TRAIN, &options),
                     MG_ERR_FORMAT);
    assert_message("no folder of pictures per class");
    assert_int_equal(mkdir("pictures/a", 0777), 0);
    assert_int_equal(mg__import_folders(&import, "pictures", MG_SPLIT_TRAIN, &options),
                     MG_ERR_FORMAT);
    assert_message("no pictures are in its folders");
    assert_int_equal(mkdir("pictures/a/b", 0777), 0);
    assert_int_equal(mg__import_folders(&import, "pictures", MG_SPLIT_TRAIN, &options),
                     MG_ERR_FORMAT);
    assert_message("pictures/a/b: a folder, expected pictures");
}

/* ---- EMNIST ---- */

static void emnist_is_read_and_turned(void **state)
{
    (void)state;
    mg_import import = {0};
    write_idx("em-letters-train-images-idx3-ubyte", DIMS(2, 2, 3), 1, 1); /* 1 2 3 / 4 5 6, ... */
    write_idx("em-letters-train-labels-idx1-ubyte", DIMS(2), 1, 25);
    write_idx("em-letters-test-images-idx3-ubyte.gz", DIMS(1, 2, 3), 1, 1);
    write_idx("em-letters-test-labels-idx1-ubyte.gz", DIMS(1), 1, 1);
    assert_ok(mg__import_prefix(&import, "em-letters"));
    assert_int_equal(import.train->classes, 27);
    assert_int_equal(import.test->count, 1);
    assert_ok(mg__dataset_transpose(import.train));
    assert_int_equal(import.train->height, 3);
    assert_int_equal(import.train->width, 2);
    assert_memory_equal(import.train->pixels, "\1\4\2\5\3\6\7\12\10\13\11\14", 12);
    mg__import_free(&import);
    write_idx("em-letters-test-labels-idx1-ubyte.gz", DIMS(2), 1, 1);
    assert_int_equal(mg__import_prefix(&import, "em-letters"), MG_ERR_FORMAT);
    assert_message("em-letters: 1 test images, but 2 labels");
    assert_null(import.train);
    assert_int_equal(mg__import_prefix(&import, "absent"), MG_ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_with_and_without_heading),
        cmocka_unit_test(csv_refuses),
        cmocka_unit_test(npz_stored_and_deflated),
        cmocka_unit_test(npz_puts_channels_first),
        cmocka_unit_test(npz_refuses_arrays),
        cmocka_unit_test(npz_survives_damage),
        cmocka_unit_test(zip_refuses_lies),
        cmocka_unit_test(folders_with_numbers_and_with_names),
        cmocka_unit_test(folders_resize_only_when_asked),
        cmocka_unit_test(folders_refuse),
        cmocka_unit_test(emnist_is_read_and_turned),
    };
    return cmocka_run_group_tests_name("import", tests, scratch_enter, scratch_leave);
}
