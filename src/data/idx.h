/* The IDX format: 00 00, a type byte (8: unsigned byte, the only one taken), the number of
 * dimensions, each of these as a big-endian u32, then the bytes, last dimension fastest. */
#ifndef MG_IDX_H
#define MG_IDX_H

#include "error.h"
#include <stddef.h>
#include <stdint.h>

enum { MG_IDX_MAX_DIMS = 4 };

typedef struct mg_idx {
    int ndim;
    uint32_t dims[MG_IDX_MAX_DIMS]; /* of which ndim are in use, each >= 1 */
    size_t size;                    /* their product */
    uint8_t *bytes;                 /* [size], malloc'd: the caller frees them */
} mg_idx;

/* Reads a whole file, raw or gzip, with min_dims .. max_dims dimensions (1 .. MG_IDX_MAX_DIMS).
 * Memory grows with the bytes that arrive: a header that lies about its sizes costs none.
 * MG_ERR_NOT_FOUND, MG_ERR_IO, MG_ERR_MEMORY; MG_ERR_FORMAT: anything but exactly the header and
 * the bytes that it announces. */
mg_status mg__idx_read(mg_idx *out, const char *path, int min_dims, int max_dims);

/* Replaces the file by rename. MG_ERR_IO, MG_ERR_MEMORY. */
mg_status mg__idx_write(const char *path, const mg_idx *idx);

#endif
