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
    char *source;     /* the directory it came from, or MG_SYNTHETIC */
} mg_dataset;

typedef enum mg_split { MG_SPLIT_TRAIN, MG_SPLIT_TEST } mg_split;

/* Finds the directory that holds an IDX set. Tried in order: `dir` alone if it is not NULL; else
 * $MNIST_GPU_DATA (alone if set), ./data/mnist, ./MNIST/raw and ./data/MNIST/raw (torchvision),
 * $XDG_CACHE_HOME/mnist_gpu/mnist (or ~/.cache/...). A directory counts if it holds the training
 * or test images under any accepted name (see mg_dataset_load).
 * *out: the directory, malloc'd, the caller frees it.
 * MG_ERR_NOT_FOUND: the message lists every path that was tried. */
mg_status mg_dataset_find(char **out, const char *dir);

/* In place of a directory: the built-in digits, see mg_dataset_synthesize. */
#define MG_SYNTHETIC "synthetic digits"

/* Reads one split of the set in `dir`: {train,t10k}-images-idx3-ubyte and -labels-idx1-ubyte, also
 * spelt train-images.idx3-ubyte, each raw or .gz; 4-dimensional images (idx4) are
 * [count][channels][height][width]. Images and labels must have the same count.
 * dir MG_SYNTHETIC: draws 60,000 training or 10,000 test digits, always the same.
 * *out: owned by the caller, mg_dataset_free.
 * MG_ERR_NOT_FOUND (lists the names tried), MG_ERR_FORMAT (truncated, trailing bytes, wrong magic,
 * sizes that do not fit), MG_ERR_IO, MG_ERR_MEMORY. */
mg_status mg_dataset_load(mg_dataset **out, const char *dir, mg_split split);

/* Draws `count` digits by rule, 28x28 in MNIST's form: styles of writing that are bent, stretched,
 * slanted and traced by a pen of varying width and pressure; each digit equally likely. No image of
 * MNIST had a part in it. The bytes depend on the arguments alone, and are the same on every
 * machine whose float is IEEE 754's; a longer set begins with the shorter one, and the two splits
 * share no image.
 * *out: owned by the caller, mg_dataset_free. MG_ERR_INVALID: count is 0; MG_ERR_MEMORY. */
mg_status mg_dataset_synthesize(mg_dataset **out, uint32_t count, uint64_t seed, mg_split split);

/* Writes a split into `dir` (created if need be): <train|t10k>-images-idx3-ubyte, -idx4- where
 * there are several channels, and -labels-idx1-ubyte. Each file is replaced by rename.
 * MG_ERR_IO, MG_ERR_MEMORY. */
mg_status mg_dataset_save(const mg_dataset *set, const char *dir, mg_split split);

/* Frees a dataset made by one of the functions here; NULL is fine. */
void mg_dataset_free(mg_dataset *set);

/* A view of images first .. first+count-1; it borrows `set`'s memory and must not be freed.
 * first + count <= set->count. */
mg_dataset mg_dataset_slice(const mg_dataset *set, uint32_t first, uint32_t count);

/* Fetches the four files of a set, "mnist", "fashion" or "kmnist", into `dir` (created if need be)
 * and checks their SHA-256; files that are there and right are kept. Each is written to a temporary
 * name, resumed if a part of it is there, and renamed when it is whole and right. mirror: a base
 * URL tried first, or NULL. progress: called now and then, or NULL; `total` is 0 while it is
 * unknown. MG_ERR_NETWORK (the message names each URL and its reason), MG_ERR_UNSUPPORTED (built
 * without libcurl), MG_ERR_INVALID (no such set), MG_ERR_MISMATCH (a file of another set is there;
 * it is left as it is), MG_ERR_IO. */
typedef void mg_download_progress(void *user, const char *file, uint64_t done, uint64_t total);
mg_status mg_dataset_download(const char *dir, const char *set, const char *mirror,
                              mg_download_progress *progress, void *user);

/* Where a downloaded set is kept by default: $XDG_CACHE_HOME/mnist_gpu/<set> or
 * ~/.cache/mnist_gpu/<set>; *out is malloc'd. MG_ERR_NOT_FOUND: neither variable is set. */
mg_status mg_dataset_cache_dir(char **out, const char *set);

#ifdef __cplusplus
}
#endif
#endif
