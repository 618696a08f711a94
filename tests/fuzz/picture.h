/* A picture file through decoding and the whole preparation. */
#ifndef MG_FUZZ_PICTURE_H
#define MG_FUZZ_PICTURE_H

#include "fuzz.h"
#include "mnist_gpu/image.h"

/* The preparation takes milliseconds: it is done for pictures of at most so many pixels, and then
 * of one file in PREPARED, by its size. */
enum { FUZZ_PIXELS = 1 << 10, PREPARED = 64 };

static inline void fuzz_prepare(const mg_image *image, mg_invert invert)
{
    uint8_t input[28 * 28], colour[3 * 8 * 9];
    const mg_image_options options = {.invert = invert}, raw = {.invert = invert, .raw = true};
    mg_digit *digits = NULL;
    int count = 0;
    mg_status st = mg_image_to_input(input, 1, 28, 28, image, &options);
    if (st) fuzz_check_refusal(st);
    if (!st) fuzz_touch(input, sizeof input);
    FUZZ_CHECK(mg_image_to_input(colour, 3, 8, 9, image, &raw) == MG_OK);
    fuzz_touch(colour, sizeof colour);
    st = mg_image_to_digits(&digits, &count, image, invert);
    if (st) fuzz_check_refusal(st);
    for (int i = 0; i < count; i++) {
        const mg_digit *d = &digits[i];
        FUZZ_CHECK(d->x <= image->width && d->width <= image->width - d->x);
        FUZZ_CHECK(d->y <= image->height && d->height <= image->height - d->y);
        fuzz_touch(d->pixels, sizeof d->pixels);
    }
    free(digits);
}

static inline void fuzz_picture(const uint8_t *data, size_t size)
{
    mg_image *image = NULL;
    const mg_status st = mg_image_decode(&image, data, size, "picture");
    if (st) {
        fuzz_check_refusal(st);
        return;
    }
    const size_t pixels = (size_t)image->width * image->height;
    FUZZ_CHECK(pixels >= 1 && pixels <= MG_IMAGE_MAX_PIXELS);
    FUZZ_CHECK(image->channels >= 1 && image->channels <= 4);
    fuzz_touch(image->pixels, pixels * image->channels);
    if (pixels <= FUZZ_PIXELS && size % PREPARED == 0) fuzz_prepare(image, (mg_invert)(size % 3));
    mg_image_free(image);
}

#endif
