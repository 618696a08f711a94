/* From any picture to what a network was trained on. */
#include "image/digit.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A digit of a larger picture is as clear in one of this size. */
enum { MAX_SIDE = 1024 };

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
    while (b) {
        const uint32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Undoes an enlargement by whole pixels: a plane of squares of equal pixels loses nothing when each
 * becomes one. */
static void reduce(mg__plane *plane)
{
    const uint32_t w = plane->width, h = plane->height;
    uint32_t side = common_divisor(w, h);
    for (uint32_t y = 0; y < h && side > 1; y++) {
        const uint8_t *row = plane->v + (size_t)y * w;
        if (y && memcmp(row, row - w, w) != 0) side = common_divisor(side, y);
        for (uint32_t x = 1; x < w && side > 1; x++)
            if (row[x] != row[x - 1]) side = common_divisor(side, x);
    }
    if (side == 1) return;
    assert(side); /* it divides the width */
    plane->width = w / side;
    plane->height = h / side;
    for (uint32_t y = 0; y < plane->height; y++)
        for (uint32_t x = 0; x < plane->width; x++)
            plane->v[(size_t)y * plane->width + x] = plane->v[((size_t)y * w + x) * side];
}

/* Shrinks the plane by area averaging until it fits MAX_SIDE. */
static mg_status shrink(mg__plane *plane)
{
    const uint32_t longer = plane->width > plane->height ? plane->width : plane->height;
    if (longer <= MAX_SIDE) return MG_OK;
    const double step = (double)longer / MAX_SIDE;
    mg__plane small = {(uint32_t)fmax(1, plane->width / step),
                       (uint32_t)fmax(1, plane->height / step), NULL};
    small.v = malloc((size_t)small.width * small.height);
    if (!small.v) return mg__fail(MG_ERR_MEMORY, "out of memory for a picture");
    mg__plane_resample(small.v, small.width, small.height, plane, 0, 0, step, step);
    free(plane->v);
    *plane = small;
    return MG_OK;
}

/* The grey levels of a picture, at most MAX_SIDE pixels wide and tall; what draws is in them. */
static mg_status grey(mg__plane *out, const mg_image *image)
{
    mg_status st =
        mg__plane_extract(out, image, mg__image_is_stencil(image) ? MG__ALPHA : MG__LUMINANCE);
    if (st) return st;
    reduce(out);
    if ((st = shrink(out)) == MG_OK) return MG_OK;
    free(out->v);
    *out = (mg__plane){0};
    return st;
}

/* One digit of the picture; all of it if it is one already. */
static mg_status single(mg_digit *out, const mg__plane *plane)
{
    *out = (mg_digit){.width = plane->width, .height = plane->height};
    memcpy(out->pixels, plane->v, sizeof out->pixels);
    return MG_OK;
}

static void invert_plane(mg__plane *plane)
{
    for (size_t i = 0; i < (size_t)plane->width * plane->height; i++)
        plane->v[i] = 255 - plane->v[i];
}

/* Whether the plane is an MNIST picture already, or one inverted, which is inverted then. */
static bool is_ready(mg__plane *plane, mg_invert invert)
{
    if (invert != MG_INVERT_YES && mg__is_mnist_form(plane)) return true;
    if (invert == MG_INVERT_NO) return false;
    invert_plane(plane);
    if (mg__is_mnist_form(plane)) return true;
    invert_plane(plane);
    return false;
}

/* Digit `group` in the picture's own pixels, `scale` of them to one of the ink's. */
static mg_status fit(mg_digit *out, const mg__ink *ink, int group, double scale)
{
    const mg__box box = mg__group_box(&ink->blobs, group);
    *out = (mg_digit){.x = (uint32_t)(box.x0 * scale),
                      .y = (uint32_t)(box.y0 * scale),
                      .width = (uint32_t)((box.x1 - box.x0) * scale),
                      .height = (uint32_t)((box.y1 - box.y0) * scale)};
    return mg__digit_fit(out->pixels, ink, group);
}

static mg_status find_digits(mg_digit **out, int *count, const mg_image *image, mg_invert invert,
                             bool several)
{
    mg_status st;
    mg__plane plane = {0};
    mg__ink ink = {0};
    mg_digit *digits = NULL;
    MG_TRY(grey(&plane, image));
    const double scale = (double)image->width / plane.width;
    const bool ready = is_ready(&plane, invert);
    if (!ready) MG_TRY(mg__ink_find(&ink, &plane, invert, several));
    const int found = ready ? 1 : ink.groups;
    digits = malloc((size_t)found * sizeof *digits);
    if (!digits) MG_FAIL(MG_ERR_MEMORY, "out of memory for %d digits", found);
    if (ready) MG_TRY(single(digits, &plane));
    for (int i = 0; !ready && i < found; i++) MG_TRY(fit(&digits[i], &ink, i, scale));
    *out = digits;
    *count = found;
    digits = NULL;
    st = MG_OK;
out:
    free(digits);
    free(plane.v);
    mg__ink_free(&ink);
    return st;
}

mg_status mg_image_to_digits(mg_digit **digits, int *count, const mg_image *image, mg_invert invert)
{
    return find_digits(digits, count, image, invert, true);
}

static mg_status resize(uint8_t *out, uint32_t channels, uint32_t height, uint32_t width,
                        const mg_image *image, bool invert)
{
    const size_t size = (size_t)height * width;
    for (uint32_t c = 0; c < channels; c++) {
        mg__plane plane;
        mg_status st =
            mg__plane_extract(&plane, image, channels == 1 ? MG__LUMINANCE : MG__RED + c);
        if (st != MG_OK) return st;
        mg__plane_resample(out + c * size, width, height, &plane, 0, 0, (double)plane.width / width,
                           (double)plane.height / height);
        free(plane.v);
    }
    for (size_t i = 0; invert && i < channels * size; i++) out[i] = 255 - out[i];
    return MG_OK;
}

mg_status mg_image_to_input(uint8_t *out, uint32_t channels, uint32_t height, uint32_t width,
                            const mg_image *image, const mg_image_options *options)
{
    static const mg_image_options automatic = {.invert = MG_INVERT_AUTO};
    const mg_image_options o = options ? *options : automatic;
    if (channels != 1 && channels != 3)
        return mg__fail(MG_ERR_INVALID,
                        "a picture cannot become an input of %u channels (expected 1 or 3)",
                        channels);
    if (o.raw || channels != 1 || height != MG_DIGIT_SIDE || width != MG_DIGIT_SIDE)
        return resize(out, channels, height, width, image, o.invert == MG_INVERT_YES);
    mg_digit *digit;
    int count;
    const mg_status st = find_digits(&digit, &count, image, o.invert, false);
    if (st) return st;
    memcpy(out, digit->pixels, sizeof digit->pixels);
    free(digit);
    return MG_OK;
}
