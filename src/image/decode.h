/* The decoders behind mg_image_decode. Each takes a file that starts with its format's magic and
 * makes a picture within mg__image_check_size; messages begin with `name`. */
#ifndef MG_IMAGE_DECODE_H
#define MG_IMAGE_DECODE_H

#include "error.h"
#include "mnist_gpu/image.h"

/* PNG, JPEG and BMP through stb_image. `format` names the one that it is, for messages. */
mg_status mg__decode_stb(mg_image **out, const uint8_t *bytes, size_t size, const char *name,
                         const char *format);

/* A PNG as stb_image reads it rightly. It takes colours that a palette lacks from memory that
 * nobody set: the palette goes on with black to 256 colours. It has no memory yet where the first
 * IDAT chunk is empty, and adds to NULL, which is undefined even for 0 bytes: such chunks are left
 * out. CRCs stay as they were: stb_image reads none. *out: malloc'd, *size its bytes.
 * MG_ERR_MEMORY. */
mg_status mg__png_mend(uint8_t **out, size_t *size, const uint8_t *bytes);

/* PBM, PGM and PPM, plain (P1-P3) and raw (P4-P6). */
mg_status mg__decode_pnm(mg_image **out, const uint8_t *bytes, size_t size, const char *name);

/* Refuses a size before memory is taken for it: sides 1 .. MG_IMAGE_MAX_SIDE, at most
 * MG_IMAGE_MAX_PIXELS in all. */
mg_status mg__image_check_size(int64_t width, int64_t height, const char *name);

/* Makes a picture that owns `pixels`, malloc'd, [height][width][channels]. On failure it does not
 * take them. */
mg_status mg__image_wrap(mg_image **out, uint8_t *pixels, uint32_t width, uint32_t height,
                         uint32_t channels);

#endif
