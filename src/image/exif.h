/* Which way up a JPEG is. */
#ifndef MG_EXIF_H
#define MG_EXIF_H

#include "error.h"
#include "mnist_gpu/image.h"

/* The orientation (tag 0x0112) in the EXIF data of a JPEG: 1 as it is, 2 mirrored, 3 turned by 180
 * degrees, 4 both, 5 to 8 the same with rows and columns exchanged first (CIPA DC-008, section
 * 4.6.5). 1 where there is none, or nonsense, or another kind of file. */
int mg__exif_orientation(const uint8_t *bytes, size_t size);

/* Turns a picture of that orientation the right way up. MG_ERR_MEMORY. */
mg_status mg__image_orient(mg_image *image, int orientation);

#endif
