/* The four files of an IDX set: how they may be called, and what MNIST's hold. */
#ifndef MG_DATA_FILES_H
#define MG_DATA_FILES_H

#include "error.h"
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

/* All of these names, with ", " between, for a message; malloc'd, NULL when out of memory. */
char *mg__set_names(mg_set_file file);

/* MNIST as first published: every copy of it decompresses to these bytes. */
typedef struct mg_mnist_file {
    const char *name; /* raw; the mirrors have it with ".gz" */
    uint64_t size;    /* bytes, decompressed */
    const char *sha256;
} mg_mnist_file;
extern const mg_mnist_file mg__mnist_files[MG_SET_FILE_COUNT];

/* MG_OK if the content of `path`, raw or gzip, is that of mg__mnist_files[file].
 * MG_ERR_MISMATCH: it is not; MG_ERR_FORMAT: broken gzip; MG_ERR_NOT_FOUND, MG_ERR_IO. */
mg_status mg__mnist_check(const char *path, mg_set_file file);

#endif
