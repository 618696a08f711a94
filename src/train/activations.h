/* What the layers of a trained network make of an image. */
#ifndef MG_ACTIVATIONS_H
#define MG_ACTIVATIONS_H

#include "mnist_gpu/train.h"

/* Runs one image forward, layer by layer without fusion, so that every layer's output is there.
 * h_y: [layers of the model]; where h_y[i] is not NULL it is filled with layer i's output,
 * [c][h][w]. params: [mg_model_arena_length()]; pixels: [c][h][w] u8. Waits. */
mg_status mg__activations(float *const *h_y, mg_backend *backend, const mg_model *model,
                          const float *params, const uint8_t *pixels);

#endif
