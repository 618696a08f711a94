/* What is drawn on a picture, parted from what it is drawn on, and which of its pieces make a
 * digit.
 */
#ifndef MG_INK_H
#define MG_INK_H

#include "image/blobs.h"

typedef struct mg__ink {
    mg__plane plane; /* 0 = paper, 255 = the median of the ink and more; malloc'd */
    int threshold;   /* above it is ink (Otsu) */
    mg__blobs blobs; /* pieces above the threshold; those of group -1 are dirt */
    int groups;      /* digits, >= 1 */
} mg__ink;

/* Finds the ink of one digit (several: as many as there are, from left to right). Takes grey levels
 * in `plane`, and the plane itself, on failure too.
 * MG_ERR_FORMAT: blank, all ink, or next to no ink; MG_ERR_MEMORY. */
mg_status mg__ink_find(mg__ink *out, mg__plane *plane, mg_invert invert, bool several);
void mg__ink_free(mg__ink *ink); /* frees the members */

/* The box around the blobs of a group. */
mg__box mg__group_box(const mg__blobs *blobs, int group);

/* Puts every blob into its digit, from left to right; returns the number of digits. Blobs of group
 * -1 are left out. (segment.c) */
mg_status mg__segment(int *groups, mg__ink *ink);

#endif
