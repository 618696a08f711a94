/* Distances from ink, and the width of its strokes. */
#ifndef MG_STROKE_H
#define MG_STROKE_H

#include "image/plane.h"

/* Distances are in parts of a pixel. */
enum { MG_DISTANCE_UNIT = 5 };

/* distance[y][x]: how far the centre of each pixel is from that of the nearest one with mask != 0,
 * in MG_DISTANCE_UNIT; UINT16_MAX if there is none, or further than that. Steps of 5, 7 and 11
 * along the sides, diagonals and knight's moves (G. Borgefors, Distance Transformations in Digital
 * Images, 1986): within 2 % of the Euclidean distance. */
void mg__distance_to(uint16_t *distance, const uint8_t *mask, uint32_t width, uint32_t height);

/* About how wide the strokes of a mask are: twice the area over the perimeter, which is pi / 4 of
 * the pixels' sides that face outwards. */
double mg__stroke_width(const mg__plane *mask);

/* Each pixel becomes the largest of the square of `side` pixels around it. MG_ERR_MEMORY. */
mg_status mg__plane_dilate(mg__plane *plane, uint32_t side);

/* Makes strokes thinner than MNIST's typical ones as wide as those. `scale`: pixels of `plane` to
 * one of the 20-pixel box. MG_ERR_MEMORY. */
mg_status mg__stroke_widen(mg__plane *plane, double scale);

#endif
