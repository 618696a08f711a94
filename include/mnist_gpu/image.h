/* Pictures: decoding and bringing them to the form that a network was trained on. */
#ifndef MNIST_GPU_IMAGE_H
#define MNIST_GPU_IMAGE_H

#include "mnist_gpu/status.h"
#include <stdbool.h>
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

/* Decodes PNG, JPEG, BMP or PNM (P1 to P6) by content, not by name; 16 bits become 8,
 * and a JPEG is turned as its EXIF orientation says. path "-"
 * reads standard input. `name` of messages is the path. *out: owned by the caller, mg_image_free.
 * MG_ERR_NOT_FOUND, MG_ERR_IO, MG_ERR_FORMAT (not a picture, truncated, too large). */
mg_status mg_image_load(mg_image **out, const char *path);
mg_status mg_image_decode(mg_image **out, const uint8_t *bytes, size_t size, const char *name);
void mg_image_free(mg_image *image); /* NULL is fine */

/* Writes 8 bits a channel, replacing the file whole or not at all, as the name's ending says: .png;
 * .pgm for 1 channel; .ppm for 3. MG_ERR_INVALID: another ending, or not for so many channels;
 * MG_ERR_FORMAT: a size that could not be read again; MG_ERR_IO, MG_ERR_MEMORY. */
mg_status mg_image_save(const mg_image *image, const char *path);

/* Whether ink is darker than paper, so that the picture must be inverted. AUTO: as its border says.
 */
typedef enum mg_invert { MG_INVERT_AUTO, MG_INVERT_YES, MG_INVERT_NO } mg_invert;

typedef struct mg_image_options {
    mg_invert invert;
    bool raw; /* the picture as it is, resized if need be; inverted only by MG_INVERT_YES */
} mg_image_options;

/* Brings a picture to a network's input: bright ink on black, [channels][height][width] u8.
 *
 * For 1x28x28 the MNIST recipe, step by step:
 *   1. luminance over white; alpha alone where what can be seen is of one colour
 *   2. light that grows across the picture levelled; polarity from the border, or where that is
 *      partly dark, as by the edge of the paper, from the strokes
 *   3. the paper taken away, uneven light with it (grey closing, background.h)
 *   4. Otsu's threshold; specks dropped, and beside a digit what touches the border: ruled lines,
 *      edges of paper, shadows
 *   5. edges made steep: nothing below 0.4 of the median ink, all from 0.6 on
 *   6. strokes thinner than 2 pixels of the 20-pixel box widened
 *   7. the longer side scaled to 20 by area averaging, the centre of mass moved to (14, 14) by
 *      whole pixels
 *
 * A 28x28 picture that already is so (bright on black, the ink's longer side 19 or 20, its centre
 * of mass in the middle: every image of MNIST) passes unchanged.
 *
 * For other sizes, and for all with options->raw: luminance over white (red, green and blue for 3
 * channels) and a resize to the whole input, whatever is on it.
 *
 * out: [channels * height * width], the caller's. options: NULL is all automatic.
 *
 * MG_ERR_FORMAT: a blank or all-ink picture (1x28x28 only); MG_ERR_INVALID: channels other than 1
 * and 3; MG_ERR_MEMORY. */
mg_status mg_image_to_input(uint8_t *out, uint32_t channels, uint32_t height, uint32_t width,
                            const mg_image *image, const mg_image_options *options);

/* A digit of a picture: where it is there, in pixels, and as an input of 1x28x28. */
typedef struct mg_digit {
    uint32_t x, y, width, height;
    uint8_t pixels[28 * 28];
} mg_digit;

/* The digits of a row, from left to right, each by the recipe above. Pieces above one another are
 * one digit, small pieces join a near neighbour, and what is much wider than tall is cut where its
 * ink is thinnest. *digits: [*count], malloc'd, the caller frees it. Errors as above;
 * MG_ERR_FORMAT also for more than 256 pieces. */
mg_status mg_image_to_digits(mg_digit **digits, int *count, const mg_image *image,
                             mg_invert invert);

#ifdef __cplusplus
}
#endif
#endif
