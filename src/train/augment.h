/* The ranges of an augmentation. */
#ifndef MG_TRAIN_AUGMENT_H
#define MG_TRAIN_AUGMENT_H

#include "layers/layer.h"
#include "mnist_gpu/augment.h"

/* What the strengths are for images of that shape. MG_ERR_INVALID: a strength out of range. */
mg_status mg__augment_ranges(mg_augment *out, const mg_augmentation *augmentation, mg_shape shape);

/* mg_augment_images with the ranges themselves. */
mg_status mg__augment_images(uint8_t *out, mg_backend *backend, const mg_dataset *set,
                             const uint32_t *indices, uint32_t count, const mg_augment *ranges,
                             uint64_t seed, uint32_t step);

#endif
