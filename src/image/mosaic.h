/* Many small pictures as one. */
#ifndef MG_MOSAIC_H
#define MG_MOSAIC_H

#include "error.h"
#include "mnist_gpu/image.h"

/* `count` pictures of one size in rows of `columns`: cells [count][height][width][channels], 1 or 3
 * channels. */
typedef struct mg_mosaic {
    const uint8_t *cells;
    uint32_t count, columns, width, height, channels;
    uint32_t scale;  /* pixels of the result for a pixel of a cell */
    uint32_t gap;    /* pixels between cells and around them */
    uint32_t ground; /* their colour, 0xRRGGBB */
} mg_mosaic;

/* Makes the picture, in RGB. *out: owned by the caller, mg_image_free. MG_ERR_FORMAT: too large
 * (MG_IMAGE_MAX_SIDE), MG_ERR_MEMORY. `name` begins messages. */
mg_status mg__mosaic_make(mg_image **out, const mg_mosaic *mosaic, const char *name);

#endif
