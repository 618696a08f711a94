/* The ranges of an augmentation. */
#ifndef MG_TRAIN_AUGMENT_H
#define MG_TRAIN_AUGMENT_H

#include "layers/layer.h"
#include "mnist_gpu/augment.h"

/* What the strengths are for images of that shape. MG_ERR_INVALID: a strength out of range. */
mg_status mg__augment_ranges(mg_augment *out, const mg_augmentation *augmentation, mg_shape shape);

#endif
