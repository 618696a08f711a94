/* A fresh directory for tests that write files: made and entered by the group's setup, removed by
 * its teardown. With short ways to write, read and compare files. Include after cmocka.h. */
#ifndef MG_TEST_SCRATCH_H
#define MG_TEST_SCRATCH_H

#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char scratch_dir[256];

static int scratch_remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info, (void)kind, (void)at;
    return remove(path);
}

/* Empties a directory away; one that is not there is fine. */
static inline void scratch_remove(const char *dir)
{
    nftw(dir, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline int scratch_enter(void **state)
{
    (void)state;
    const char *parent = getenv("TMPDIR");
    snprintf(scratch_dir, sizeof scratch_dir, "%s/mnist_gpu-test-XXXXXX", parent ? parent : "/tmp");
    return mkdtemp(scratch_dir) && chdir(scratch_dir) == 0 ? 0 : -1;
}

static inline int scratch_leave(void **state)
{
    (void)state;
    if (chdir("/")) return -1;
    scratch_remove(scratch_dir);
    return 0;
}

static inline void scratch_write(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static inline void flip_bit(void *bytes, size_t bit)
{
    ((unsigned char *)bytes)[bit / 8] ^= (unsigned char)(1 << bit % 8);
}

/* The whole file, malloc'd, with a NUL behind it. */
static inline char *scratch_read(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file) fail_msg("%s: cannot open", path);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    const long length = ftell(file);
    assert_true(length >= 0);
    rewind(file);
    char *bytes = calloc(1, (size_t)length + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, (size_t)length, file), length);
    fclose(file);
    *size = (size_t)length;
    return bytes;
}

static inline bool scratch_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

static inline void scratch_copy(const char *from, const char *to)
{
    size_t size;
    char *bytes = scratch_read(from, &size);
    scratch_write(to, bytes, size);
    free(bytes);
}

static inline void assert_same_file(const char *left, const char *right)
{
    size_t left_size, right_size;
    char *l = scratch_read(left, &left_size), *r = scratch_read(right, &right_size);
    if (left_size != right_size || memcmp(l, r, left_size) != 0)
        fail_msg("%s and %s differ", left, right);
    free(l);
    free(r);
}

/* The last failure's message holds `part`, and is one line. */
static inline void assert_message(const char *part)
{
    if (!strstr(mg_last_error(), part))
        fail_msg("message \"%s\" does not hold \"%s\"", mg_last_error(), part);
    assert_null(strpbrk(mg_last_error(), "\n\r\x1b"));
}

#endif
