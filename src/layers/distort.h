/* The reference's augmentation (layers/augment.c): what was drawn for one row of a batch, and a
 * pixel of the image so distorted. */
#ifndef MG_LAYERS_DISTORT_H
#define MG_LAYERS_DISTORT_H

#include "layers/layer.h"

typedef struct mg_distortion {
    double m[2][2], shift[2];                                /* the affine map; pixels */
    double control[MG_AUGMENT_POINTS][MG_AUGMENT_POINTS][2]; /* [row][column][x, y]; pixels */
    double stroke, noise;                                    /* a; grey levels for a unit of g */
    uint64_t seed;
    uint32_t step, row;
} mg_distortion;

void mg__distortion_draw(mg_distortion *out, const mg_augment *ranges, uint64_t seed, uint32_t step,
                         uint32_t row);

/* image: [c][h][w], of shape s. */
uint8_t mg__distorted_pixel(const mg_distortion *d, const uint8_t *image, mg_shape s, int c, int x,
                            int y);

#endif
