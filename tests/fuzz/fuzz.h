/* What the fuzz targets share. A target, one file, is a function of bytes from outside:
 * LLVMFuzzerTestOneInput. libFuzzer calls it with inputs of its own making (scripts/fuzz.sh), and
 * replay.c with seeds, hostile files and their mutations (the tests). It fails by abort() or by
 * what a sanitizer sees. */
#ifndef MG_FUZZ_H
#define MG_FUZZ_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memfd_create */
#endif

#include "error.h"
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* LLVM's names (llvm.org/docs/LibFuzzer.html). The mutator is a target's own, where a checksum, a
 * length or a packing would else keep nearly all mutations at the door. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

#define FUZZ_CHECK(what)                                                                           \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "%s:%d: not so: %s (%s)\n", __FILE__, __LINE__, #what,                 \
                    mg_last_error());                                                              \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* A failure says why, in one line that steers no terminal. */
static inline void fuzz_check_refusal(mg_status st)
{
    const char *message = mg_last_error();
    FUZZ_CHECK(st < 0 && strcmp(mg_status_name(st), "unknown") != 0);
    FUZZ_CHECK(*message);
    for (; *message; message++) FUZZ_CHECK((uint8_t)*message >= ' ' && *message != 127);
}

/* Reads all of it, so that a sanitizer sees what does not exist. */
static inline void fuzz_touch(const void *bytes, size_t size)
{
    const volatile uint8_t *at = bytes;
    for (size_t i = 0; i < size; i++) (void)at[i];
}

/* ---- files in memory ---- */

enum { FUZZ_FILES = 2 };
static int fuzz_fds[FUZZ_FILES] = {-1, -1};

/* A file that holds these bytes until the next call with the same index; its path. */
static inline const char *fuzz_file(int index, const uint8_t *data, size_t size)
{
    static char paths[FUZZ_FILES][32];
    int *fd = &fuzz_fds[index];
    if (*fd < 0) *fd = memfd_create("fuzz", MFD_CLOEXEC);
    FUZZ_CHECK(*fd >= 0 && ftruncate(*fd, 0) == 0);
    FUZZ_CHECK(pwrite(*fd, data, size, 0) == (ssize_t)size);
    snprintf(paths[index], sizeof paths[index], "/proc/self/fd/%d", *fd);
    return paths[index];
}

/* A folder, under the current one, in which these names are links to the files of fuzz_file. */
static inline const char *fuzz_folder(const char *const names[], int count)
{
    static bool made;
    char link[64];
    if (made) return "folder";
    mkdir("folder", 0777);
    for (int i = 0; i < count; i++) {
        snprintf(link, sizeof link, "folder/%s", names[i]);
        unlink(link);
        FUZZ_CHECK(symlink(fuzz_file(i, NULL, 0), link) == 0);
    }
    made = true;
    return "folder";
}

/* ---- an input that stands for two files: the size of the first one as u16 (little-endian), both
 * ---- */

typedef struct fuzz_part {
    uint8_t *bytes;
    size_t size;
} fuzz_part;

static inline void fuzz_split(fuzz_part parts[2], const uint8_t *data, size_t size)
{
    const size_t all = size < 2 ? 0 : size - 2;
    size_t first = all ? data[0] | (size_t)data[1] << 8 : 0;
    if (first > all) first = all;
    parts[0] = (fuzz_part){(uint8_t *)(uintptr_t)data + (all ? 2 : 0), first};
    parts[1] = (fuzz_part){parts[0].bytes + first, all - first};
}

/* Mutates one of the two, the other keeps its bytes. `mend` (or NULL) then makes good what a change
 * of the second file breaks. */
static inline size_t fuzz_mutate_parts(uint8_t *data, size_t size, size_t max_size, unsigned seed,
                                       void (*mend)(uint8_t *, size_t))
{
    fuzz_part p[2];
    if (size < 2 || max_size < 16) return LLVMFuzzerMutate(data, size, max_size);
    fuzz_split(p, data, size);
    const size_t room = max_size - 2 < UINT16_MAX ? max_size - 2 : UINT16_MAX;
    uint8_t *copy = malloc(room + 1);
    FUZZ_CHECK(copy);
    if (seed % 2) { /* the second one lies at the end: in place */
        p[1].size = LLVMFuzzerMutate(p[1].bytes, p[1].size, max_size - 2 - p[0].size);
        if (mend && seed % 8 != 1) mend(p[1].bytes, p[1].size);
    } else if (p[1].size < room) {
        memcpy(copy, p[1].bytes, p[1].size);
        p[0].size = LLVMFuzzerMutate(p[0].bytes, p[0].size, room - p[1].size);
        memcpy(p[0].bytes + p[0].size, copy, p[1].size);
        data[0] = (uint8_t)p[0].size;
        data[1] = (uint8_t)(p[0].size >> 8);
    }
    free(copy);
    return 2 + p[0].size + p[1].size;
}

#endif
