/* One digit's ink, brought to the form of an MNIST picture. */
#ifndef MG_DIGIT_H
#define MG_DIGIT_H

#include "image/ink.h"

enum { MG_DIGIT_SIDE = 28 };

/* Whether the plane already is as MNIST pictures are; all 70,000 of them pass: the ink 19 or 20
 * pixels long, its centre of mass within 13.48 .. 14.5, the brightest value at least 254. */
bool mg__is_mnist_form(const mg__plane *plane);

/* out: [28][28]. Edges made steep, strokes brought to MNIST's width, the longer
 * side scaled to 20, the centre of mass at (14, 14). MG_ERR_MEMORY. */
mg_status mg__digit_fit(uint8_t *out, const mg__ink *ink, int group);

#endif
