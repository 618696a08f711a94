/* One 8-bit value per pixel of a picture, and what the preparation of a picture measures on it. */
#ifndef MG_PLANE_H
#define MG_PLANE_H

#include "error.h"
#include "mnist_gpu/image.h"
#include <stdbool.h>

typedef struct mg__plane {
    uint32_t width, height;
    uint8_t *v; /* [height][width], malloc'd; the owner frees it */
} mg__plane;

/* What is taken from each pixel. Colours are those over white paper where there is alpha.
 * LUMINANCE: 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601). ALPHA only of 2 or 4 channels. */
typedef enum mg__component { MG__RED, MG__GREEN, MG__BLUE, MG__LUMINANCE, MG__ALPHA } mg__component;

/* MG_ERR_MEMORY. */
mg_status mg__plane_extract(mg__plane *out, const mg_image *image, mg__component component);

/* True where only alpha draws: it varies, and the colour of what can be seen does not. */
bool mg__image_is_stencil(const mg_image *image);

/* Pixels of each value. */
void mg__plane_histogram(uint32_t histogram[256], const mg__plane *plane);

/* The same over the frame of the picture: the outermost 1/32 of its smaller side, at least one
 * pixel. */
void mg__plane_border_histogram(uint32_t histogram[256], const mg__plane *plane);

/* The smallest value v such that at least `share` (0 .. 1) of the counted pixels are <= v. */
int mg__quantile(const uint32_t histogram[256], double share);

/* The level t that parts the values <= t from those > t with the largest variance between the two
 * classes (N. Otsu, A Threshold Selection Method from Gray-Level Histograms, 1979), in the middle
 * of equals. */
int mg__otsu(const uint32_t histogram[256]);

/* The smallest box around the pixels that are not 0; x1, y1 are past its end. All 0 if there are
 * none. */
typedef struct mg__box {
    uint32_t x0, y0, x1, y1;
} mg__box;
mg__box mg__plane_box(const mg__plane *plane);

/* The centre of mass, in pixels from the centre of the first one. Some pixel must not be 0. */
void mg__plane_centre(double *x, double *y, const mg__plane *plane);

/* Resamples by area: out[j][i] (height x width) is the mean over the rectangle of the plane that
 * begins at (x0 + i * step_x, y0 + j * step_y) and is step_x by step_y pixels; 0 outside the plane.
 */
void mg__plane_resample(uint8_t *out, uint32_t width, uint32_t height, const mg__plane *plane,
                        double x0, double y0, double step_x, double step_y);

#endif
