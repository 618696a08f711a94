/* The safetensors format (https://huggingface.co/docs/safetensors): a strict reader and a writer.
 *
 *     u64 little-endian   N, the length of the header
 *     N bytes             JSON: {"__metadata__": {"key": "text", ...},
 *                                "conv1.weight": {"dtype": "F32", "shape": [6, 1, 5, 5],
 *                                                 "data_offsets": [0, 600]}, ...} and spaces
 *     the rest            the tensors' bytes, row-major, little-endian; offsets count from here
 *
 * The reader takes nothing on trust: the tensors must cover the rest of the file exactly, without
 * holes or overlaps, and nothing in the header may be unknown, doubled or missing. */
#ifndef MG_SAFETENSORS_H
#define MG_SAFETENSORS_H

#include "error.h"
#include <stddef.h>
#include <stdint.h>

struct json_t;

enum { MG_ST_MAX_RANK = 8 };
#define MG_ST_MAX_HEADER 100000000u         /* bytes; the limit that other readers have too */
#define MG_ST_MAX_FILE   ((size_t)32 << 30) /* bytes; the state of the largest model fits */

typedef struct mg_st_tensor {
    const char *name;
    const char *dtype; /* "F32", "BF16", ... */
    int rank;
    uint64_t dim[MG_ST_MAX_RANK];
    const void *data; /* row-major; perhaps not aligned: memcpy it */
    size_t size;      /* bytes */
} mg_st_tensor;

/* A file in memory. Names and data borrow from it. */
typedef struct mg_safetensors {
    uint8_t *bytes;
    struct json_t *header;
    int count;
    mg_st_tensor *tensors; /* [count], in order of their data */
} mg_safetensors;

/* Reads and checks a whole file. *out: owned by the caller, mg__safetensors_free.
 * MG_ERR_NOT_FOUND, MG_ERR_IO, MG_ERR_MEMORY, MG_ERR_FORMAT (names the file, and the tensor where
 * it is about one). */
mg_status mg__safetensors_read(mg_safetensors **out, const char *path);
void mg__safetensors_free(mg_safetensors *file); /* NULL is fine */

/* The tensor of that name, or NULL. */
const mg_st_tensor *mg__safetensors_find(const mg_safetensors *file, const char *name);

/* The text of a metadata key, or NULL. */
const char *mg__safetensors_metadata(const mg_safetensors *file, const char *key);

/* Writes the tensors in the order given, and `pairs` metadata pairs (key, value, key, value, ...);
 * a later pair replaces an earlier one of the same key. The bytes are a function of the arguments
 * alone. The file is replaced as a whole (mg__file_replace). MG_ERR_IO; MG_ERR_INVALID: a text that
 * is not UTF-8; MG_ERR_UNSUPPORTED: larger than MG_ST_MAX_HEADER or MG_ST_MAX_FILE. */
mg_status mg__safetensors_write(const char *path, const mg_st_tensor *tensors, int count,
                                const char *const *metadata, int pairs);

/* "[6, 1, 5, 5]", for messages. */
enum { MG_ST_SHAPE_SIZE = MG_ST_MAX_RANK * 22 + 3 };
const char *mg__shape_text(char out[MG_ST_SHAPE_SIZE], int rank, const uint64_t dim[]);

#endif
