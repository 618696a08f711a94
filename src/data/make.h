/* Sets that are made rather than loaded. */
#ifndef MG_DATA_MAKE_H
#define MG_DATA_MAKE_H

#include "data/idx.h"
#include "mnist_gpu/dataset.h"

/* A set with room for `count` images; pixels, labels and classes are the caller's to fill in. Freed
 * with mg_dataset_free. MG_ERR_FORMAT: a size is 0, or too large; MG_ERR_MEMORY. */
mg_status mg__dataset_new(mg_dataset **out, uint64_t count, uint64_t channels, uint64_t height,
                          uint64_t width, const char *source);

/* A set of images, with 3 or 4 dimensions, and as many labels; takes their bytes. MG_ERR_MEMORY. */
mg_status mg__dataset_take(mg_dataset **out, mg_idx *images, mg_idx *labels, const char *source);

/* 1 + the largest of the labels. */
uint32_t mg__count_classes(const uint8_t *labels, size_t count);

/* Makes every image its mirror at the main diagonal: EMNIST's are stored so. */
mg_status mg__dataset_transpose(mg_dataset *set);

#endif
