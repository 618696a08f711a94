/* PNG, written: what the program draws. */
#ifndef MG_PNG_H
#define MG_PNG_H

#include "error.h"
#include "mnist_gpu/image.h"

/* The bytes of a PNG file, malloc'd. MG_ERR_FORMAT: too large (MG_IMAGE_MAX_SIDE); MG_ERR_MEMORY.
 */
mg_status mg__png_encode(uint8_t **out, size_t *size, const mg_image *image);

#endif
