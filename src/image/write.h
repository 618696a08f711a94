/* Pictures into files. */
#ifndef MG_IMAGE_WRITE_H
#define MG_IMAGE_WRITE_H

#include "error.h"
#include "mnist_gpu/image.h"

/* Replaces `path` by rename. Its ending says the format: .png; .pgm of 1 channel; .ppm of 3.
 * MG_ERR_INVALID: another ending, or not for so many channels. MG_ERR_IO, MG_ERR_MEMORY. */
mg_status mg__image_write(const char *path, const mg_image *image);

#endif
