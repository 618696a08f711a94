/* Augmentation: training images are distorted at random, anew in every step. */
#ifndef MNIST_GPU_AUGMENT_H
#define MNIST_GPU_AUGMENT_H

#include "mnist_gpu/dataset.h"
#include "mnist_gpu/device.h"
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MG_AUGMENTATION_MAX 3.0

/* Strengths, 0 .. MG_AUGMENTATION_MAX: 0 leaves the image as it is, 1 is about what handwriting
 * varies by, and the ranges below, those of strength 1, grow in proportion. Lengths are given for
 * images of 28x28 and scale with the image. */
typedef struct mg_augmentation {
    double affine;  /* turned +-12 degrees, 10 % larger or smaller, 8 % wider or narrower than
                       high, sheared +-0.15, moved +-2 pixels */
    double elastic; /* smooth displacements, 1 pixel rms (Simard, Steinkraus & Platt 2003) */
    double stroke;  /* thinner or thicker by up to 0.4 of a pixel on every side; at most 1 */
    double noise;   /* normal, with a standard deviation of 8 of 255 grey levels */
} mg_augmentation;

/* Reads "affine:0.5,elastic": kinds with commas between, each with its strength or 1; "all" is all
 * four, and what stands later counts: "all,noise:0". Kinds that are not named get 0.
 * MG_ERR_INVALID: an unknown kind, a strength that is no number or out of range, nothing at all. */
mg_status mg_augmentation_parse(mg_augmentation *out, const char *text);

/* The kinds of strengths other than 0, as mg_augmentation_parse reads them; "" if there are none.
 * 128 bytes hold any. */
void mg_augmentation_text(char *out, size_t size, const mg_augmentation *augmentation);

/* Images as a training pass sees them: out [count][c][h][w] u8, the caller's; row i is image
 * indices[i] of the set (NULL: image i), augmented as row i of the batch in the step that follows
 * `step` others. The same pixels on every backend. Waits.
 * MG_ERR_INVALID: count not 1 .. 65536, an index past the set's end, a strength out of range. */
mg_status mg_augment_images(uint8_t *out, mg_backend *backend, const mg_dataset *set,
                            const uint32_t *indices, uint32_t count,
                            const mg_augmentation *augmentation, uint64_t seed, uint32_t step);

#ifdef __cplusplus
}
#endif
#endif
