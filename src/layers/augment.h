/* Augmentation, as the input layer of a training pass does it: every image is distorted at random,
 * anew in every step. `ref`, `cpu` and `cuda` make the same pixels, bit for bit: random numbers
 * come from Philox, and whatever is not a whole number is rounded where it says so below, so that
 * it can be computed in whole numbers. (layers/augment.c has the formulas, in double; the twins
 * compute in integers.)
 *
 *   stroke   Grey dilation and erosion: a > 0 adds the share a of what is missing to the maximum
 *            of a pixel and its four neighbours, a < 0 takes away the share -a of what it has more
 *            than their minimum; rounded.
 *   affine   The pixel at (x, y) comes from centre + M ((x, y) - centre) + shift, where
 *                M = | cos -sin |   | 1 + zoom + stretch         shear         |
 *                    | sin  cos | * |         0           1 + zoom - stretch   |
 *            cos = (1 - t^2) / (1 + t^2), sin = 2t / (1 + t^2), t = tan(angle / 2) is what is
 *            drawn. cos and sin are cut (towards 0), the entries of M rounded down, to 1/65536.
 *   elastic  ... + d(x, y), a uniform cubic B-spline over control points that are displaced at
 *            random: a free-form deformation. The image has 4x4 cells, so 7x7 control points. The
 *            spline's kernel has a standard deviation of cell / sqrt(3), 4 pixels of 28: what
 *            Simard, Steinkraus & Platt (2003) smooth with. The place (x + 1/2) * 4 / width in the
 *            cells is rounded down to 1/256, the spline's weights to 1/1024 (but for the third,
 *            which completes 1); sums over y, then those over x are rounded to 1/256 pixel.
 *   warp     The place is rounded to 1/256 pixel; the value there is interpolated between the four
 *            pixels around it (those past the edge are the edge's) and rounded.
 *   noise    + g * noise rounded, cut to 0 .. 255; g, the sum of four random bytes less its mean
 *            510, is nearly normal with a standard deviation of 147.8.
 *
 * "Rounded" is floor(v + 1/2). All channels of an image are moved alike; noise is each pixel's own.
 *
 * A draw is a whole number from -range to range: floor(word * (2 range + 1) / 2^32) - range. Words
 * come from Philox with the run's seed and the counter (call, row of the batch, step, tag): */
#ifndef MG_LAYERS_AUGMENT_H
#define MG_LAYERS_AUGMENT_H

#include <stdbool.h>
#include <stdint.h>

enum {
    MG_AUGMENT_TAG = 0x6175676d,       /* "augm" */
    MG_AUGMENT_NOISE_TAG = 0x6e6f6973, /* "nois": word p % 4 of call p / 4 is for [c][h][w] p */
    /* calls with MG_AUGMENT_TAG, and what their words are for */
    MG_AUGMENT_MATRIX = 0,  /* t, zoom, stretch, shear */
    MG_AUGMENT_SHIFT = 1,   /* shift x, shift y, stroke */
    MG_AUGMENT_CONTROL = 2, /* + 7 row + column: a control point's displacement x, y */

    MG_AUGMENT_CELLS = 4,
    MG_AUGMENT_POINTS = MG_AUGMENT_CELLS + 3 /* along a side */
};

/* The ranges. All 0: nothing is augmented. */
typedef struct mg_augment {
    int32_t rotation, zoom, stretch, shear; /* in 1/65536 */
    int32_t shift_x, shift_y;               /* in 1/256 pixel */
    int32_t elastic_x, elastic_y;           /* in 1/256 pixel */
    int32_t stroke;                         /* in 1/256, at most 256 */
    int32_t noise; /* not a range: what a unit of g adds, in 1/65536 of a grey level */
} mg_augment;

static inline bool mg__augment_any(const mg_augment *a)
{
    return a->rotation | a->zoom | a->stretch | a->shear | a->shift_x | a->shift_y | a->elastic_x |
           a->elastic_y | a->stroke | a->noise;
}

#endif
