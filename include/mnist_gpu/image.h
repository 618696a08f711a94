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

/* Decodes PNG, JPEG, BMP or PNM (P1 to P6) by content, not by name; 16 bits become 8. path "-"
 * reads standard input. `name` of messages is the path. *out: owned by the caller, mg_image_free.
 * MG_ERR_NOT_FOUND, MG_ERR_IO, MG_ERR_FORMAT (not a picture, truncated, too large). */
mg_status mg_image_load(mg_image **out, const char *path);
mg_status mg_image_decode(mg_image **out, const uint8_t *bytes, size_t size, const char *name);
void mg_image_free(mg_image *image); /* NULL is fine */

/* Writes an 8-bit PNG, whatever the name, replacing the file whole or not at all. MG_ERR_FORMAT: a
 * size that could not be read again; MG_ERR_IO, MG_ERR_MEMORY. */
mg_status mg_image_save(const mg_image *image, const char *path);

/* Brings a picture to a network's input: bright ink on black, [channels][height][width] u8.
 * For 1x28x28 the MNIST recipe: transparency composited, luminance, polarity from the border, ink
 * cut out, longer side scaled to 20 by area averaging, centre of mass shifted to (14, 14) by whole
 * pixels. A 28x28 picture that already is so (bright on black, the ink's longer side 19 or 20, its
 * centre of mass in the middle: every image of MNIST) passes unchanged. Where a picture has alpha
 * and what can be seen is of one colour, alpha is the ink, else it is laid over white.
 * For other sizes: luminance over white (red, green and blue for 3 channels) and a resize to the
 * whole input, whatever is on it.
 * out: [channels * height * width], the caller's.
 * MG_ERR_FORMAT: a blank or all-ink picture, or strokes that vanish at 20 pixels (1x28x28 only);
 * MG_ERR_INVALID: channels other than 1 and 3; MG_ERR_MEMORY. */
mg_status mg_image_to_input(uint8_t *out, uint32_t channels, uint32_t height, uint32_t width,
                            const mg_image *image);

#ifdef __cplusplus
}
#endif
#endif
