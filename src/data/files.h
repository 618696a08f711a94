/* The four files of an IDX set: how they may be called, and what well-known sets hold. */
#ifndef MG_DATA_FILES_H
#define MG_DATA_FILES_H

#include "error.h"
#include <stdbool.h>
#include <stdint.h>

typedef enum mg_set_file {
    MG_TRAIN_IMAGES,
    MG_TRAIN_LABELS,
    MG_TEST_IMAGES,
    MG_TEST_LABELS,
    MG_SET_FILE_COUNT
} mg_set_file;

/* The file in `dir`, under the first of its names that is a regular file: -idx3-ubyte before
 * .idx3-ubyte before idx4 (images only; idx1 for labels), and raw before .gz.
 * *out: malloc'd path, or NULL if there is none. MG_ERR_MEMORY. */
mg_status mg__set_locate(char **out, const char *dir, mg_set_file file);

/* Where a file with `ndim` dimensions is written: "<dir>/train-images-idx3-ubyte"; malloc'd, NULL
 * when out of memory. */
char *mg__set_path(const char *dir, mg_set_file file, int ndim);

/* All of these names, with ", " between, for a message; malloc'd, NULL when out of memory. */
char *mg__set_names(mg_set_file file);

/* Sets that everybody has the same copy of. */
typedef struct mg_known_set {
    const char *name, *title; /* "fashion", "Fashion-MNIST" */
    const char *mirrors[3];   /* base URLs of the .gz files, NULL after the last */
    bool packed;              /* the sizes and hashes are those of the .gz as published, else those
                                 of the content, whatever packed it */
    struct mg_known_file {
        const char *name; /* raw; the mirrors have it with ".gz" */
        uint64_t size;    /* bytes */
        const char *sha256;
    } files[MG_SET_FILE_COUNT];
} mg_known_set;
extern const mg_known_set mg__known_sets[]; /* MNIST first; name is NULL at their end */

/* MG_OK if the file at `path`, raw or gzip, is that file of the set.
 * MG_ERR_MISMATCH: it is not; MG_ERR_FORMAT: broken gzip; MG_ERR_NOT_FOUND, MG_ERR_IO. */
mg_status mg__known_check(const mg_known_set *set, const char *path, mg_set_file file);

#endif
