/* From any picture to what a network was trained on. The steps for MNIST follow how that set was
 * made (Y. LeCun, C. Cortes, C. Burges, The MNIST Database): the digit fits a box of 20 x 20 with
 * its proportions kept, and stands in 28 x 28 with its centre of mass in the middle. */
#include "image/plane.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    SIDE = 28,         /* of an MNIST picture */
    BOX = 20,          /* the longer side of its ink */
    CENTRE = SIDE / 2, /* the pixel that its centre of mass rounds to */
    MIN_CONTRAST = 16, /* grey levels between ink and paper; less is noise */
    MIN_BRIGHTEST = 8  /* of 255 after scaling: strokes of 1/32 of a pixel */
};

/* Whether the plane already is as MNIST pictures are; all 70,000 of them pass: the ink 19 or 20
 * pixels long, its centre of mass within 13.48 .. 14.5, the brightest value at least 254. */
static bool is_mnist_form(const mg__plane *plane)
{
    if (plane->width != SIDE || plane->height != SIDE) return false;

    uint32_t histogram[256];
    mg__plane_border_histogram(histogram, plane);
    if (mg__quantile(histogram, 0.5) != 0) return false;
    mg__plane_histogram(histogram, plane);
    if (mg__quantile(histogram, 1) < 192) return false;

    mg__box box = mg__plane_box(plane);
    uint32_t width = box.x1 - box.x0, height = box.y1 - box.y0;
    uint32_t longer = width > height ? width : height;
    double x, y;
    mg__plane_centre(&x, &y, plane);
    return longer + 1 >= BOX && longer <= BOX && fabs(x - CENTRE) < 0.55 && fabs(y - CENTRE) < 0.55;
}

/* Turns grey levels into ink: 255 where a stroke is, 0 on paper, whichever of the two is the
 * brighter one. */
static mg_status isolate_ink(mg__plane *plane)
{
    uint32_t histogram[256], border[256], ink[256];
    mg__plane_histogram(histogram, plane);
    mg__plane_border_histogram(border, plane);
    int threshold = mg__otsu(histogram), paper = mg__quantile(border, 0.5);
    bool dark_ink = paper > threshold;

    /* The pixels on the ink's side of the threshold, by their distance from paper. */
    double ink_count = 0, count = (double)plane->width * plane->height;
    memset(ink, 0, sizeof ink);
    for (int v = 0; v < 256; v++) {
        if ((v > threshold) == dark_ink) continue;
        ink[abs(v - paper)] += histogram[v];
        ink_count += histogram[v];
    }
    int full = mg__quantile(ink, 0.95); /* not the extreme: one pixel must not set the scale */
    if (ink_count == 0 || full < MIN_CONTRAST)
        return mg__fail(MG_ERR_FORMAT, "blank picture: no ink within %d to %d of 255 grey levels",
                        mg__quantile(histogram, 0), mg__quantile(histogram, 1));
    if (ink_count > 0.5 * count)
        return mg__fail(MG_ERR_FORMAT,
                        "all ink: %.0f %% of the picture is unlike its border (expected at most "
                        "50 %%)",
                        100 * ink_count / count);

    uint8_t map[256];
    int haze = abs(threshold - paper) / 3; /* fainter is smudge, noise or the halo of a JPEG */
    for (int v = 0; v < 256; v++) {
        int level = dark_ink ? paper - v : v - paper;
        if (level > full) level = full;
        map[v] = (uint8_t)(level > haze ? (level * 255 + full / 2) / full : 0);
    }
    for (size_t i = 0; i < (size_t)plane->width * plane->height; i++)
        plane->v[i] = map[plane->v[i]];
    return MG_OK;
}

/* Strokes thinner than a pixel come out grey when scaled; MNIST's are bright however thin. False if
 * there is too little to go by. */
static bool brighten(mg__plane *plane)
{
    uint32_t histogram[256];
    mg__plane_histogram(histogram, plane);
    int brightest = mg__quantile(histogram, 1);
    if (brightest < MIN_BRIGHTEST) return false;
    for (size_t i = 0; i < (size_t)plane->width * plane->height; i++)
        plane->v[i] = (uint8_t)((plane->v[i] * 255 + brightest / 2) / brightest);
    return true;
}

/* Where the first of `length` cells goes so that `centre`, in cells from the first one's centre,
 * comes to CENTRE, and all of them stay inside. */
static int place(double centre, int length)
{
    int first = (int)floor(CENTRE - centre + 0.5);
    if (first < 0) return 0;
    return first + length > SIDE ? SIDE - length : first;
}

/* Scales the ink's box to BOX and puts it into the middle of out, [SIDE][SIDE]. */
static mg_status fit(uint8_t *out, const mg__plane *ink)
{
    mg__box box = mg__plane_box(ink);
    double width = box.x1 - box.x0, height = box.y1 - box.y0;
    double step = fmax(width, height) / BOX;
    /* Whole cells of the same scale both ways; what the shorter side lacks lies on both ends. */
    uint8_t cells[BOX * BOX];
    mg__plane small = {(uint32_t)ceil(width / step - 1e-9), (uint32_t)ceil(height / step - 1e-9),
                       cells};
    mg__plane_resample(cells, small.width, small.height, ink,
                       box.x0 - (small.width * step - width) / 2,
                       box.y0 - (small.height * step - height) / 2, step, step);

    if (!brighten(&small))
        return mg__fail(MG_ERR_FORMAT,
                        "strokes too thin: next to nothing is left of ink that spans %.0f x %.0f "
                        "pixels when it is scaled to %d",
                        width, height, BOX);

    double x, y;
    mg__plane_centre(&x, &y, &small);
    int left = place(x, (int)small.width), top = place(y, (int)small.height);
    memset(out, 0, SIDE * SIDE);
    for (uint32_t row = 0; row < small.height; row++)
        memcpy(out + (top + (int)row) * SIDE + left, cells + row * small.width, small.width);
    return MG_OK;
}

static mg_status to_mnist(uint8_t *out, const mg_image *image)
{
    mg_status st;
    mg__plane plane = {0};
    MG_TRY(
        mg__plane_extract(&plane, image, mg__image_is_stencil(image) ? MG__ALPHA : MG__LUMINANCE));
    if (is_mnist_form(&plane)) {
        memcpy(out, plane.v, SIDE * SIDE);
    } else {
        MG_TRY(isolate_ink(&plane));
        MG_TRY(fit(out, &plane));
    }
    st = MG_OK;
out:
    free(plane.v);
    return st;
}

static mg_status resize(uint8_t *out, uint32_t channels, uint32_t height, uint32_t width,
                        const mg_image *image)
{
    for (uint32_t c = 0; c < channels; c++) {
        mg__plane plane;
        mg_status st =
            mg__plane_extract(&plane, image, channels == 1 ? MG__LUMINANCE : MG__RED + c);
        if (st != MG_OK) return st;
        mg__plane_resample(out + (size_t)c * height * width, width, height, &plane, 0, 0,
                           (double)plane.width / width, (double)plane.height / height);
        free(plane.v);
    }
    return MG_OK;
}

mg_status mg_image_to_input(uint8_t *out, uint32_t channels, uint32_t height, uint32_t width,
                            const mg_image *image)
{
    if (channels != 1 && channels != 3)
        return mg__fail(MG_ERR_INVALID,
                        "a picture cannot become an input of %u channels (expected 1 or 3)",
                        channels);
    if (channels == 1 && height == SIDE && width == SIDE) return to_mnist(out, image);
    return resize(out, channels, height, width, image);
}
