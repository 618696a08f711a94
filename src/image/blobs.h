/* Connected pieces of ink. */
#ifndef MG_BLOBS_H
#define MG_BLOBS_H

#include "image/plane.h"

typedef struct mg__blob {
    uint32_t area;    /* pixels */
    uint32_t contact; /* of them on the border of the picture */
    mg__box box;
    int group; /* the digit that it is a part of, -1: none */
} mg__blob;

typedef struct mg__blobs {
    uint32_t width, height;
    uint32_t *labels; /* [height][width]: 0 or 1 + the index of the pixel's blob, malloc'd */
    int count;
    mg__blob *blobs; /* [count], malloc'd; in no group at first */
} mg__blobs;

/* The pieces of the pixels above `threshold`; neighbours touch, at corners too. MG_ERR_MEMORY. */
mg_status mg__blobs_find(mg__blobs *out, const mg__plane *plane, int threshold);
void mg__blobs_free(mg__blobs *blobs); /* frees the members */

#endif
