/* Augmentation on the CPU: layers/augment.h in integers, an image at a time. */
#ifndef MG_CPU_AUGMENT_H
#define MG_CPU_AUGMENT_H

#include "layers/layer.h"

/* What depends on the shape alone, and a thread's working memory. */
typedef struct mg_cpu_augmenter mg_cpu_augmenter;

mg_status mg__cpu_augmenter_create(mg_cpu_augmenter **out, mg_shape shape, int threads);
void mg__cpu_augmenter_free(mg_cpu_augmenter *a); /* NULL is fine */

/* The augmented image of the batch's row, [c][h][w]: the thread's, until its next call. */
const uint8_t *mg__cpu_augment(const mg_cpu_augmenter *a, int thread, const mg_augment *ranges,
                               const mg_step_state *state, uint32_t row, const uint8_t *image);

#endif
