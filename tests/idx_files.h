/* Makes IDX and gzip files for tests. Include after cmocka.h. */
#ifndef MG_TEST_IDX_FILES_H
#define MG_TEST_IDX_FILES_H

#include "error.h"
#include "scratch.h"
#include <zlib.h>

static inline void assert_ok(mg_status st)
{
    if (st != MG_OK) fail_msg("%s: %s", mg_status_name(st), mg_last_error());
}

/* One gzip member; malloc'd. */
static inline uint8_t *gzip(const void *bytes, size_t size, size_t *packed_size)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)bytes, .avail_in = (uInt)size};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    const uLong bound = deflateBound(&z, (uLong)size);
    uint8_t *packed = malloc(bound);
    assert_non_null(packed);
    z.next_out = packed;
    z.avail_out = (uInt)bound;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    *packed_size = z.total_out;
    deflateEnd(&z);
    return packed;
}

static inline void write_gzip(const char *path, const void *bytes, size_t size)
{
    size_t packed_size;
    uint8_t *packed = gzip(bytes, size, &packed_size);
    scratch_write(path, packed, packed_size);
    free(packed);
}

/* Writes an IDX file of `ndim` sizes whose i-th byte is first + i * step (mod 256); packed if the
 * name ends in ".gz". */
static inline void write_idx(const char *path, int ndim, const uint32_t *dims, int first, int step)
{
    uint8_t bytes[4096] = {0, 0, 8, (uint8_t)ndim};
    size_t length = 4, count = 1;
    for (int i = 0; i < ndim; i++) {
        for (int shift = 24; shift >= 0; shift -= 8) bytes[length++] = (uint8_t)(dims[i] >> shift);
        count *= dims[i];
    }
    assert_true(length + count <= sizeof bytes);
    for (size_t i = 0; i < count; i++) bytes[length++] = (uint8_t)(first + (int)i * step);
    if (strcmp(path + strlen(path) - 3, ".gz") == 0)
        write_gzip(path, bytes, length);
    else
        scratch_write(path, bytes, length);
}

#define DIMS(...)                                                                                  \
    MG_COUNT_OF(((uint32_t[]){__VA_ARGS__})), (const uint32_t[]) { __VA_ARGS__ }

#endif
