/* SHA-256, gzip and IDX files: what is right is read, and every lie is refused. */
#define _XOPEN_SOURCE 700 /* mkdtemp, nftw */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "data/idx.h"
#include "data/sha256.h"
#include "idx_files.h"

/* ---- SHA-256 ---- */

static void assert_sha256(const void *bytes, size_t size, size_t piece, const char *expected)
{
    mg_sha256 hash;
    char hex[MG_SHA256_HEX_SIZE];
    mg__sha256_init(&hash);
    for (size_t at = 0; at < size; at += piece)
        mg__sha256_update(&hash, (const uint8_t *)bytes + at,
                          piece < size - at ? piece : size - at);
    mg__sha256_final(&hash, hex);
    assert_string_equal(hex, expected);
}

/* The examples published with FIPS 180-2/4, and lengths around the padding's edge (55, 56, 63, 64:
 * values by sha256sum). */
static void sha256_gives_the_published_digests(void **state)
{
    (void)state;
    assert_sha256("", 0, 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_sha256("abc", 3, 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, 56,
                  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    char *million = malloc(1000000);
    assert_non_null(million);
    memset(million, 'a', 1000000);
    const char *expected = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
    assert_sha256(million, 1000000, 1000000, expected);
    assert_sha256(million, 1000000, 7, expected);
    assert_sha256(million, 1000000, 64, expected);
    assert_sha256(million, 55, 55,
                  "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318");
    assert_sha256(million, 56, 56,
                  "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a");
    assert_sha256(million, 63, 63,
                  "7d3e74a05d7db15bce4ad9ec0658ea98e3f06eeecf16b4c6fff2da457ddc2f34");
    assert_sha256(million, 64, 64,
                  "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb");
    free(million);
}

/* ---- IDX ---- */

#define BYTES(text) text, sizeof(text) - 1

static const struct {
    const char *what, *bytes;
    size_t size;
    int min_dims, max_dims;
    const char *message;
} hostile[] = {
    {"empty", BYTES(""), 3, 4, "cut short: found 0 of 4 header bytes"},
    {"three bytes", BYTES("\0\0\10"), 3, 4, "cut short: found 3 of 4 header bytes"},
    {"PNG", BYTES("\x89PNG\r\n\x1a\n"), 3, 4,
     "not an IDX file: found 89 50 4e 47 at the start, expected 00 00 08"},
    {"second byte", BYTES("\0\1\10\3\0\0\0\1\0\0\0\1\0\0\0\1x"), 3, 4, "found 00 01 08 03"},
    {"signed bytes", BYTES("\0\0\x09\3"), 3, 4, "found IDX type 0x09 (signed byte), expected 0x08"},
    {"shorts", BYTES("\0\0\x0b\3"), 3, 4, "found IDX type 0x0b (short), expected 0x08"},
    {"ints", BYTES("\0\0\x0c\3"), 3, 4, "found IDX type 0x0c (int), expected 0x08"},
    {"floats", BYTES("\0\0\x0d\3"), 3, 4, "found IDX type 0x0d (float), expected 0x08"},
    {"doubles", BYTES("\0\0\x0e\3"), 3, 4, "found IDX type 0x0e (double), expected 0x08"},
    {"no such type", BYTES("\0\0\xff\3"), 3, 4, "found IDX type 0xff (unknown), expected 0x08"},
    {"no dimensions", BYTES("\0\0\10\0"), 1, 4, "found 0 dimensions, expected 1 to 4"},
    {"labels for images", BYTES("\0\0\10\1\0\0\0\1\1"), 3, 4, "found 1 dimensions, expected 3 to"},
    {"images for labels", BYTES("\0\0\10\3\0\0\0\1\0\0\0\1\0\0\0\1x"), 1, 1,
     "found 3 dimensions, expected 1"},
    {"5 dimensions", BYTES("\0\0\10\5"), 3, 4, "found 5 dimensions, expected 3 to 4"},
    {"255 dimensions", BYTES("\0\0\10\xff"), 1, 4, "found 255 dimensions, expected 1 to 4"},
    {"sizes cut", BYTES("\0\0\10\3\0\0\0\1\0\0\0\1\0\0\0"), 3, 4,
     "cut short: found 11 of 12 header bytes"},
    {"no labels", BYTES("\0\0\10\1\0\0\0\0"), 1, 1, "found size 0, expected each dimension"},
    {"no images", BYTES("\0\0\10\3\0\0\0\0\0\0\0\1\0\0\0\1"), 3, 4, "found size 0 x 1 x 1,"},
    {"height 0", BYTES("\0\0\10\3\0\0\0\1\0\0\0\0\0\0\0\1"), 3, 4, "found size 1 x 0 x 1,"},
    {"width 0", BYTES("\0\0\10\3\0\0\0\1\0\0\0\1\0\0\0\0"), 3, 4, "found size 1 x 1 x 0,"},
    {"0 after an overflow",
     BYTES("\0\0\10\4\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0"), 3, 4,
     "found size 4294967295 x 4294967295 x 4294967295 x 0, expected"},
    {"overflow", BYTES("\0\0\10\3\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\2x"), 3, 4,
     "found size 4294967295 x 4294967295 x 2, expected a product below 2^63"},
    {"a sign bit's worth", BYTES("\0\0\10\3\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\1x"), 3, 4,
     "found size 4294967295 x 4294967295 x 1, expected a product below 2^63"},
    {"overflow to 0", BYTES("\0\0\10\4\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0x"), 3, 4,
     "found size 65536 x 65536 x 65536 x 65536, expected a product below 2^63"},
    {"an exabyte announced", BYTES("\0\0\10\3\x7f\xff\xff\xff\x7f\xff\xff\xff\0\0\0\1xyz"), 3, 4,
     "cut short: found 3 bytes after the header, expected 2147483647 x 2147483647 x 1"},
    {"little-endian sizes", BYTES("\0\0\10\1\2\0\0\0\0\1"), 1, 1,
     "cut short: found 2 bytes after the header, expected 33554432"},
    {"no bytes", BYTES("\0\0\10\3\0\0\0\1\0\0\0\2\0\0\0\3"), 3, 4, "found 0 bytes after"},
    {"one byte short", BYTES("\0\0\10\3\0\0\0\1\0\0\0\2\0\0\0\3abcde"), 3, 4,
     "cut short: found 5 bytes after the header, expected 1 x 2 x 3"},
    {"one byte long", BYTES("\0\0\10\3\0\0\0\1\0\0\0\2\0\0\0\3abcdefg"), 3, 4,
     "found bytes after the last one, expected 1 x 2 x 3 after the header"},
    {"a line end added", BYTES("\0\0\10\1\0\0\0\2\1\2\n"), 1, 1,
     "found bytes after the last one, expected 2 after the header"},
};

static void assert_refused(const char *what, const char *path, int min_dims, int max_dims,
                           const char *message)
{
    mg_idx idx = {0};
    const mg_status st = mg__idx_read(&idx, path, min_dims, max_dims);
    if (st != MG_ERR_FORMAT) fail_msg("%s: %s, expected ERR_FORMAT", what, mg_status_name(st));
    assert_null(idx.bytes);
    assert_message(path);
    assert_message(message);
}

static void idx_refuses_every_lie(void **state)
{
    (void)state;
    for (int i = 0; i < MG_COUNT_OF(hostile); i++) {
        scratch_write("raw", hostile[i].bytes, hostile[i].size);
        assert_refused(hostile[i].what, "raw", hostile[i].min_dims, hostile[i].max_dims,
                       hostile[i].message);
        write_gzip("packed", hostile[i].bytes, hostile[i].size);
        assert_refused(hostile[i].what, "packed", hostile[i].min_dims, hostile[i].max_dims,
                       hostile[i].message);
    }
}

static void idx_refuses_every_beginning_of_a_file(void **state)
{
    (void)state;
    for (int gz = 0; gz < 2; gz++) {
        size_t size;
        write_idx(gz ? "whole.gz" : "whole", DIMS(3, 4, 5), 0, 7);
        char *bytes = scratch_read(gz ? "whole.gz" : "whole", &size);
        for (size_t cut = 0; cut < size; cut++) {
            scratch_write("cut", bytes, cut);
            assert_refused("a beginning", "cut", 1, 4, gz && cut < 2 ? "" : "cut short");
        }
        free(bytes);
    }
}

/* Flips each bit of a gzip file in turn: it is refused, or the bit says nothing about the content:
 * time, extra flags, system and the advice "text" (RFC 1952, 2.3), 49 bits; at most 7 more fill up
 * the last byte of the deflate data. */
static void idx_sees_every_flipped_bit_of_gzip_data(void **state)
{
    (void)state;
    size_t size;
    int idle = 0;
    write_idx("whole.gz", DIMS(3, 4, 5), 0, 7);
    char *bytes = scratch_read("whole.gz", &size);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        mg_idx idx = {0};
        flip_bit(bytes, bit);
        scratch_write("flipped", bytes, size);
        flip_bit(bytes, bit);
        const mg_status st = mg__idx_read(&idx, "flipped", 1, 4);
        if (st == MG_OK) {
            assert_int_equal(idx.size, 60);
            for (int i = 0; i < 60; i++) assert_int_equal(idx.bytes[i], 7 * i % 256);
            idle++;
        } else {
            assert_int_equal(st, MG_ERR_FORMAT);
        }
        free(idx.bytes);
    }
    assert_in_range(idle, 49, 49 + 7);
    free(bytes);
}

static void idx_refuses_what_follows_gzip_data(void **state)
{
    (void)state;
    static const char idx_bytes[] = "\0\0\10\1\0\0\0\2\1\2";
    static const struct {
        const char *tail, *message;
        size_t size;
    } tails[] = {{"\0", "found bytes after the end of the gzip data", 1},
                 {"<html>", "found bytes after the end of the gzip data", 6},
                 {"\x1f", "cut short: the gzip data have no end", 1},
                 {"\x1fxyz", "corrupt gzip data: incorrect header check", 4}};
    size_t size;
    uint8_t *packed = gzip(idx_bytes, 10, &size), both[256];
    memcpy(both, packed, size);
    for (int i = 0; i < MG_COUNT_OF(tails); i++) {
        memcpy(both + size, tails[i].tail, tails[i].size);
        scratch_write("tail", both, size + tails[i].size);
        assert_refused(tails[i].tail, "tail", 1, 1, tails[i].message);
    }
    memcpy(both + size, packed, size); /* a second member: more content */
    scratch_write("tail", both, 2 * size);
    assert_refused("second member", "tail", 1, 1, "found bytes after the last one, expected 2");
    free(packed);
}

static void idx_reads_gzip_of_several_members(void **state)
{
    (void)state;
    uint8_t both[256];
    size_t first_size, second_size;
    uint8_t *first = gzip("\0\0\10\1\0\0", 6, &first_size);
    uint8_t *second = gzip("\0\3\7\1\2", 5, &second_size);
    memcpy(both, first, first_size);
    memcpy(both + first_size, second, second_size);
    scratch_write("members", both, first_size + second_size);
    free(first);
    free(second);

    mg_idx idx = {0};
    assert_ok(mg__idx_read(&idx, "members", 1, 1));
    assert_int_equal(idx.size, 3);
    assert_memory_equal(idx.bytes, "\7\1\2", 3);
    free(idx.bytes);
}

/* Little on the disk, much in memory: no more is unpacked than the header announced, and one. */
static void idx_is_not_flooded_by_a_small_file(void **state)
{
    (void)state;
    const size_t size = 50u << 20;
    uint8_t *zeros = calloc(1, size);
    assert_non_null(zeros);
    memcpy(zeros, "\0\0\10\1\0\0\0\4", 8);
    write_gzip("flood", zeros, size);
    free(zeros);
    assert_refused("flood", "flood", 1, 1, "found bytes after the last one, expected 4");
}

static void idx_takes_gzip_by_content_and_not_by_name(void **state)
{
    (void)state;
    mg_idx idx = {0};
    write_gzip("packed-without-saying", "\0\0\10\1\0\0\0\2\5\6", 10);
    assert_ok(mg__idx_read(&idx, "packed-without-saying", 1, 1));
    assert_memory_equal(idx.bytes, "\5\6", 2);
    free(idx.bytes);
    scratch_write("raw.gz", "\0\0\10\1\0\0\0\2\5\6", 10);
    assert_ok(mg__idx_read(&idx, "raw.gz", 1, 1));
    assert_memory_equal(idx.bytes, "\5\6", 2);
    free(idx.bytes);
}

/* Larger than every buffer and first guess on the way, so that memory has to grow. */
static void idx_reads_large_files(void **state)
{
    (void)state;
    const size_t count = (5u << 20) + 3;
    uint8_t *bytes = malloc(8 + count);
    assert_non_null(bytes);
    memcpy(bytes, "\0\0\10\1\0\x50\0\3", 8);
    for (size_t i = 0; i < count; i++) bytes[8 + i] = (uint8_t)(i * i >> 7);
    scratch_write("large", bytes, 8 + count);
    write_gzip("large.gz", bytes, 8 + count);
    for (int gz = 0; gz < 2; gz++) {
        mg_idx idx = {0};
        assert_ok(mg__idx_read(&idx, gz ? "large.gz" : "large", 1, 1));
        assert_int_equal(idx.size, count);
        assert_memory_equal(idx.bytes, bytes + 8, count);
        free(idx.bytes);
    }
    free(bytes);
}

static void idx_tells_absent_from_unreadable(void **state)
{
    (void)state;
    mg_idx idx = {0};
    assert_int_equal(mg__idx_read(&idx, "absent", 1, 1), MG_ERR_NOT_FOUND);
    assert_message("absent: cannot open: No such file");
    assert_int_equal(mg__idx_read(&idx, ".", 1, 1), MG_ERR_IO);
    assert_message(".: cannot read: Is a directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_gives_the_published_digests),
        cmocka_unit_test(idx_refuses_every_lie),
        cmocka_unit_test(idx_refuses_every_beginning_of_a_file),
        cmocka_unit_test(idx_sees_every_flipped_bit_of_gzip_data),
        cmocka_unit_test(idx_refuses_what_follows_gzip_data),
        cmocka_unit_test(idx_reads_gzip_of_several_members),
        cmocka_unit_test(idx_is_not_flooded_by_a_small_file),
        cmocka_unit_test(idx_takes_gzip_by_content_and_not_by_name),
        cmocka_unit_test(idx_reads_large_files),
        cmocka_unit_test(idx_tells_absent_from_unreadable),
    };
    return cmocka_run_group_tests_name("idx", tests, scratch_enter, scratch_leave);
}
