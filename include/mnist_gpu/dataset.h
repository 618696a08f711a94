/* Labelled image sets in the IDX format (MNIST, Fashion-MNIST, KMNIST, EMNIST and your own). */
#ifndef MNIST_GPU_DATASET_H
#define MNIST_GPU_DATASET_H

#include "mnist_gpu/status.h"
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* `count` images of one size and their labels, in memory as they are in the file. */
typedef struct mg_dataset {
    uint32_t count;                   /* images, >= 1 */
    uint32_t channels, height, width; /* of every image, each >= 1 */
    uint32_t classes; /* 1 + the largest label of the *set's* training file or of this file */
    uint8_t *pixels;  /* [count][channels][height][width], 0..255 */
    uint8_t *labels;  /* [count], each < classes */
    char *source;     /* the directory it came from */
} mg_dataset;

typedef enum mg_split { MG_SPLIT_TRAIN, MG_SPLIT_TEST } mg_split;

/* Finds the directory that holds an IDX set. Tried in order: `dir` alone if it is not NULL; else
 * $MNIST_GPU_DATA (alone if set), ./data/mnist, ./MNIST/raw and ./data/MNIST/raw (torchvision),
 * $XDG_CACHE_HOME/mnist_gpu/mnist (or ~/.cache/...). A directory counts if it holds the training
 * or test images under any accepted name (see mg_dataset_load).
 * *out: the directory, malloc'd, the caller frees it.
 * MG_ERR_NOT_FOUND: the message lists every path that was tried. */
mg_status mg_dataset_find(char **out, const char *dir);

/* Reads one split of the set in `dir`: {train,t10k}-images-idx3-ubyte and -labels-idx1-ubyte, also
 * spelt train-images.idx3-ubyte, each raw or .gz; 4-dimensional images (idx4) are
 * [count][channels][height][width]. Images and labels must have the same count.
 * *out: owned by the caller, mg_dataset_free.
 * MG_ERR_NOT_FOUND (lists the names tried), MG_ERR_FORMAT (truncated, trailing bytes, wrong magic,
 * sizes that do not fit), MG_ERR_IO, MG_ERR_MEMORY. */
mg_status mg_dataset_load(mg_dataset **out, const char *dir, mg_split split);

/* Frees a dataset made by mg_dataset_load; NULL is fine. */
void mg_dataset_free(mg_dataset *set);

/* A view of images first .. first+count-1; it borrows `set`'s memory and must not be freed.
 * first + count <= set->count. */
mg_dataset mg_dataset_slice(const mg_dataset *set, uint32_t first, uint32_t count);

/* Fetches the four MNIST files into `dir` (created if need be) and checks the SHA-256 of their
 * content; files that are there and right are kept. Each is written to a temporary name, resumed if
 * a part of it is there, and renamed when it is whole and right.
 * mirror: a base URL tried first, or NULL. progress: called now and then, or NULL; `total` is 0
 * while it is unknown. MG_ERR_NETWORK (the message names each URL and its reason),
 * MG_ERR_UNSUPPORTED (built without libcurl), MG_ERR_MISMATCH (a file of another set is there; it
 * is left as it is), MG_ERR_IO. */
typedef void mg_download_progress(void *user, const char *file, uint64_t done, uint64_t total);
mg_status mg_dataset_download(const char *dir, const char *mirror, mg_download_progress *progress,
                              void *user);

/* Where mg_dataset_download puts MNIST by default: $XDG_CACHE_HOME/mnist_gpu/mnist or
 * ~/.cache/mnist_gpu/mnist; *out is malloc'd. MG_ERR_NOT_FOUND: neither variable is set. */
mg_status mg_dataset_cache_dir(char **out);

#ifdef __cplusplus
}
#endif
#endif
