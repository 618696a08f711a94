/* The safetensors format: a round trip, and a table of hostile headers. */
#define _XOPEN_SOURCE 700 /* mkdtemp, nftw */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "io/safetensors.h"
#include "scratch.h"
#include <math.h>

/* Writes a file of the header `json`, as it is, and `data_size` zero bytes. */
static void write_raw(const char *path, uint64_t header_size, const char *json, size_t data_size)
{
    const size_t length = strlen(json), size = 8 + length + data_size;
    uint8_t *bytes = calloc(1, size + 1);
    assert_non_null(bytes);
    memcpy(bytes, &header_size, 8);
    memcpy(bytes + 8, json, length);
    scratch_write(path, bytes, size);
    free(bytes);
}

static void round_trip(void **state)
{
    (void)state;
    const float floats[6] = {1, -2, 3.5f, 0, INFINITY, 1e-42f};
    const uint16_t halves[3] = {1, 2, 65535};
    const mg_st_tensor tensors[] = {
        {.name = "zeta", .dtype = "F32", .rank = 2, .dim = {2, 3}, .data = floats, .size = 24},
        {.name = "empty", .dtype = "F64", .rank = 2, .dim = {5, 0}, .size = 0},
        {.name = "\xc3\xa9 \"\\",
         .dtype = "BF16",
         .rank = 1,
         .dim = {3},
         .data = halves,
         .size = 6},
        {.name = "scalar", .dtype = "F32", .rank = 0, .data = floats + 2, .size = 4},
    };
    const char *const metadata[] = {"b", "line\nline \"x\" \xe2\x82\xac", "a", "", "b", "later"};
    assert_int_equal(mg__safetensors_write("x", tensors, 4, metadata, 3), MG_OK);
    assert_int_equal(mg__safetensors_write("y", tensors, 4, metadata, 3), MG_OK);
    assert_same_file("x", "y");

    size_t size;
    uint64_t header_size;
    char *bytes = scratch_read("x", &size);
    memcpy(&header_size, bytes, 8);
    assert_int_equal(header_size % 8, 0);
    assert_int_equal(size, 8 + header_size + 24 + 6 + 4);
    const char start[] = "{\"__metadata__\":{\"b\":\"later\",\"a\":\"\"},\"zeta\":{";
    assert_memory_equal(bytes + 8, start, strlen(start));
    free(bytes);

    mg_safetensors *file = NULL;
    assert_int_equal(mg__safetensors_read(&file, "x"), MG_OK);
    assert_int_equal(file->count, 4);
    for (int i = 0; i < 4; i++) {
        const mg_st_tensor *found = mg__safetensors_find(file, tensors[i].name);
        assert_ptr_equal(found, &file->tensors[i]);
        assert_string_equal(found->dtype, tensors[i].dtype);
        assert_int_equal(found->rank, tensors[i].rank);
        assert_memory_equal(found->dim, tensors[i].dim, sizeof found->dim);
        assert_int_equal(found->size, tensors[i].size);
        if (found->size) assert_memory_equal(found->data, tensors[i].data, found->size);
    }
    assert_string_equal(mg__safetensors_metadata(file, "b"), "later");
    assert_null(mg__safetensors_metadata(file, "c"));
    assert_null(mg__safetensors_find(file, "__metadata__"));
    mg__safetensors_free(file);

    const char *const latin1[] = {"name", "caf\xe9"};
    assert_int_equal(mg__safetensors_write("x", tensors, 4, latin1, 1), MG_ERR_INVALID);
    assert_message("x: header: \"name\" is not UTF-8");
    assert_same_file("x", "y");
    remove("x");
    remove("y");
}

#define F32(shape, offsets) "{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":" offsets "}"
#define RANK9               "[1,1,1,1,1,1,1,1,1]"

/* Headers with so many bytes of data behind them, and what the message says; NULL: it is fine. */
static const struct {
    const char *json;
    size_t data_size;
    const char *message;
} headers[] = {
    {"{}", 0, NULL},
    {"{\"a\":" F32("[2]", "[0,8]") "}   ", 8, NULL},
    {"{\"a\":" F32("[]", "[0,4]") "}", 4, NULL},
    {"{\"b\":" F32("[1]", "[4,8]") ",\"e\":" F32("[0]", "[4,4]") ",\"a\":" F32("[1]", "[0,4]") "}",
     8, NULL},
    {"{\"__metadata__\":{\"k\":\"\"}}", 0, NULL},
    {"", 0, "the header is no JSON object"},
    {"  {}", 0, "the header is no JSON object"},
    {"{}\n", 0, "the header is no JSON object"},
    {"[]", 0, "the header is no JSON object"},
    {"{} {}", 0, "header, byte"},
    {"{\"a\":}", 0, "header, byte"},
    {"{\"a\":\"\xff\"}", 0, "header, byte"},
    {"{\"\\u0000\":{}}", 0, "header, byte"},
    {"{\"\x1b[2J\":1}", 0, "header, byte"},
    {"{\"a\":1e999}", 0, "header, byte"},
    {"{\"a\":" F32("[1]", "[0,4]") ",\"a\":" F32("[1]", "[0,4]") "}", 4, "duplicate"},
    {"{\"__metadata__\":1}", 0, "__metadata__ is not an object"},
    {"{\"__metadata__\":null}", 0, "__metadata__ is not an object"},
    {"{\"__metadata__\":{\"epoch\":3}}", 0, "the value of \"epoch\" is not text"},
    {"{\"a\\u001b\\n\":1}", 0, "tensor \"a??\": its entry is no object"},
    {"{\"a\":null}", 0, "its entry is no object"},
    {"{\"a\":{}}", 0, "tensor \"a\": no \"dtype\" text"},
    {"{\"a\":{\"dtype\":1}}", 0, "no \"dtype\" text"},
    {"{\"a\":{\"dtype\":\"f32\"}}", 0, "unknown dtype \"f32\""},
    {"{\"a\":{\"dtype\":\"F32\"}}", 0, "no \"shape\" list"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4],\"x\":1}}", 4,
     "unknown key \"x\""},
    {"{\"a\":" F32("4", "[0,4]") "}", 4, "no \"shape\" list"},
    {"{\"a\":" F32("[-1]", "[0,4]") "}", 4, "no integer of at least 0"},
    {"{\"a\":" F32("[1.0]", "[0,4]") "}", 4, "no integer of at least 0"},
    {"{\"a\":" F32("[\"1\"]", "[0,4]") "}", 4, "no integer of at least 0"},
    {"{\"a\":" F32("[99999999999999999999]", "[0,4]") "}", 4, "header, byte"},
    {"{\"a\":" F32(RANK9, "[0,4]") "}", 4, "9 dimensions"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "\"data_offsets\" must be"},
    {"{\"a\":" F32("[1]", "[0]") "}", 4, "\"data_offsets\" must be"},
    {"{\"a\":" F32("[1]", "[0,4,8]") "}", 4, "\"data_offsets\" must be"},
    {"{\"a\":" F32("[1]", "[-4,0]") "}", 4, "\"data_offsets\" must be"},
    {"{\"a\":" F32("[1]", "[4,0]") "}", 4, "data_offsets [4, 0] do not lie in the 4 bytes"},
    {"{\"a\":" F32("[1]", "[0,5]") "}", 4, "data_offsets [0, 5] do not lie in the 4 bytes"},
    {"{\"a\":" F32("[1]", "[9223372036854775804,9223372036854775807]") "}", 4, "do not lie in"},
    {"{\"a\":" F32("[2]", "[0,4]") "}", 4, "shape [2] of F32 does not fit its 4 bytes"},
    {"{\"a\":" F32("[0]", "[0,4]") "}", 4, "shape [0] of F32 does not fit its 4 bytes"},
    /* 2^62 * 4 and 2^32 * 2^32 * 4 are 0 in 64 bits. */
    {"{\"a\":" F32("[4611686018427387904]", "[0,0]") "}", 0, "does not fit its 0 bytes"},
    {"{\"a\":" F32("[4294967296,4294967296]", "[0,0]") "}", 0, "does not fit its 0 bytes"},
    {"{\"a\":" F32("[1]", "[0,4]") "}", 5, "5 bytes of data, the tensors have 4"},
    {"{}", 1, "1 bytes of data, the tensors have 0"},
    {"{\"a\":" F32("[1]", "[1,5]") "}", 5, "starts at byte 1 of the data, expected 0 (a hole)"},
    {"{\"a\":" F32("[1]", "[0,4]") ",\"b\":" F32("[1]", "[8,12]") "}", 12,
     "tensor \"b\": starts at byte 8 of the data, expected 4 (a hole)"},
    {"{\"a\":" F32("[2]", "[0,8]") ",\"b\":" F32("[2]", "[4,12]") "}", 12,
     "tensor \"b\": starts at byte 4 of the data, expected 8 (an overlap)"},
    {"{\"a\":" F32("[1]", "[0,4]") ",\"b\":" F32("[1]", "[0,4]") "}", 4, "(an overlap)"},
    {"{\"a\":" F32("[2]", "[0,8]") ",\"b\":" F32("[0]", "[4,4]") "}", 8, "(an overlap)"},
};

static void refuses_hostile_headers(void **state)
{
    (void)state;
    for (int i = 0; i < MG_COUNT_OF(headers); i++) {
        mg_safetensors *file = NULL;
        write_raw("x", strlen(headers[i].json), headers[i].json, headers[i].data_size);
        const mg_status st = mg__safetensors_read(&file, "x");
        if (st != (headers[i].message ? MG_ERR_FORMAT : MG_OK))
            fail_msg("%s: status %d", headers[i].json, st);
        if (headers[i].message) {
            assert_message(headers[i].message);
            assert_int_equal(strncmp(mg_last_error(), "x: ", 3), 0);
            assert_null(file);
        }
        mg__safetensors_free(file);
    }
    remove("x");
}

static void refuses_hostile_lengths(void **state)
{
    (void)state;
    static const struct {
        uint64_t header_size;
        const char *message;
    } cases[] = {
        {0, "no JSON object"},
        {1, "no JSON object"},
        {3, "truncated: a header of 3 bytes in a file of 10"},
        {100000000, "truncated"},
        {100000001, "at most 100000000 are allowed"},
        {UINT64_MAX, "at most 100000000 are allowed"},
    };
    mg_safetensors *file = NULL;
    for (int i = 0; i < MG_COUNT_OF(cases); i++) {
        write_raw("x", cases[i].header_size, "{}", 0);
        assert_int_equal(mg__safetensors_read(&file, "x"), MG_ERR_FORMAT);
        assert_message(cases[i].message);
    }
    for (size_t size = 0; size < 8; size++) {
        scratch_write("x", "\2\0\0\0\0\0\0\0", size);
        assert_int_equal(mg__safetensors_read(&file, "x"), MG_ERR_FORMAT);
        assert_message("too short");
    }
    /* A nesting that would run a recursive parser off its stack. */
    char *deep = malloc(1 << 20);
    assert_non_null(deep);
    memcpy(deep, "{\"a\":", 5);
    memset(deep + 5, '[', (1 << 20) - 7);
    memcpy(deep + (1 << 20) - 2, "}", 2);
    write_raw("x", strlen(deep), deep, 0);
    assert_int_equal(mg__safetensors_read(&file, "x"), MG_ERR_FORMAT);
    assert_message("header, byte");
    free(deep);
    remove("x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(refuses_hostile_headers),
        cmocka_unit_test(refuses_hostile_lengths),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
