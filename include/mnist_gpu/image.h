/* Pictures: decoding and bringing them to the form that a network was trained on. */
#ifndef MNIST_GPU_IMAGE_H
#define MNIST_GPU_IMAGE_H

#include "mnist_gpu/status.h"
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An 8-bit picture, rows from the top. */
typedef struct mg_image {
    uint32_t width, height, channels; /* channels: 1 grey, 2 grey + alpha, 3 RGB, 4 RGBA */
    uint8_t *pixels;                  /* [height][width][channels] */
} mg_image;

/* Largest side and area of a picture that is decoded, and largest number of bytes read. */
#define MG_IMAGE_MAX_SIDE   16384
#define MG_IMAGE_MAX_PIXELS (64 << 20)
#define MG_IMAGE_MAX_BYTES  (256u << 20)

/* Decodes PNG, JPEG, BMP or PNM (by content, not by name). path "-" reads standard input.
 * `name` of messages is the path. *out: owned by the caller, mg_image_free.
 * MG_ERR_NOT_FOUND, MG_ERR_IO, MG_ERR_FORMAT (not a picture, truncated, too large). */
mg_status mg_image_load(mg_image **out, const char *path);
mg_status mg_image_decode(mg_image **out, const uint8_t *bytes, size_t size, const char *name);
void mg_image_free(mg_image *image); /* NULL is fine */

/* Brings a picture to a network's input: bright ink on black, [channels][height][width] u8.
 * For 1x28x28 the MNIST recipe: transparency composited, luminance, polarity from the border, ink
 * cut out, longer side scaled to 20 by area averaging, centre of mass shifted to (14, 14) by whole
 * pixels. A picture that already is a 28x28 grey one on black passes unchanged. For other sizes:
 * luminance (or RGB for 3 channels) and a resize.
 * out: [channels * height * width], the caller's.
 * MG_ERR_FORMAT: blank or all-ink picture. */
mg_status mg_image_to_input(uint8_t *out, uint32_t channels, uint32_t height, uint32_t width,
                            const mg_image *image);

#ifdef __cplusplus
}
#endif
#endif
