/* The steps follow how MNIST was made (Y. LeCun, C. Cortes, C. Burges, The MNIST Database): the
 * digit fits a box of 20 x 20 with its proportions kept, and stands in 28 x 28 with its centre of
 * mass in the middle. Before that, it is looked at in a sheet FINE times as fine. */
#include "image/digit.h"
#include "image/stroke.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    SIDE = MG_DIGIT_SIDE,
    BOX = 20,          /* the longer side of the ink */
    CENTRE = SIDE / 2, /* the pixel that its centre of mass rounds to */
    FINE = 4,          /* pixels of the sheet to a pixel of the box */
    MARGIN = 2,        /* pixels of the box on each side of it in the sheet */
    SHEET = (BOX + 2 * MARGIN) * FINE
};

bool mg__is_mnist_form(const mg__plane *plane)
{
    if (plane->width != SIDE || plane->height != SIDE) return false;

    uint32_t histogram[256];
    mg__plane_border_histogram(histogram, plane);
    if (mg__quantile(histogram, 0.5) != 0) return false;
    mg__plane_histogram(histogram, plane);
    if (mg__quantile(histogram, 1) < 192) return false;

    const mg__box box = mg__plane_box(plane);
    const uint32_t width = box.x1 - box.x0, height = box.y1 - box.y0;
    const uint32_t longer = width > height ? width : height;
    double x, y;
    mg__plane_centre(&x, &y, plane);
    return longer + 1 >= BOX && longer <= BOX && fabs(x - CENTRE) < 0.55 && fabs(y - CENTRE) < 0.55;
}

/* The sheet around the group's box: its ink in `fine`, and where its blobs are in `own`, 255 all of
 * a pixel. What is another group's is left out. */
static mg_status cut_out(uint8_t *fine, uint8_t *own, const mg__ink *ink, int group)
{
    mg_status st;
    const mg__box box = mg__group_box(&ink->blobs, group);
    const uint32_t width = box.x1 - box.x0, height = box.y1 - box.y0;
    const uint32_t longer = width > height ? width : height, margin = longer * MARGIN / BOX + 1;
    mg__plane cut = {width + 2 * margin, height + 2 * margin, NULL}, mask = cut;
    cut.v = calloc(cut.width, cut.height);
    mask.v = calloc(cut.width, cut.height);
    if (!cut.v || !mask.v) MG_FAIL(MG_ERR_MEMORY, "out of memory for a digit");
    for (uint32_t y = 0; y < cut.height; y++)
        for (uint32_t x = 0; x < cut.width; x++) {
            const int64_t from_x = (int64_t)box.x0 + x - margin;
            const int64_t from_y = (int64_t)box.y0 + y - margin;
            if (from_x < 0 || from_y < 0 || from_x >= ink->plane.width ||
                from_y >= ink->plane.height)
                continue;
            const size_t from = (size_t)from_y * ink->plane.width + (size_t)from_x;
            const size_t to = (size_t)y * cut.width + x;
            const uint32_t label = ink->blobs.labels[from];
            const bool is_own = label && ink->blobs.blobs[label - 1].group == group;
            mask.v[to] = is_own ? 255 : 0;
            cut.v[to] = label && !is_own ? 0 : ink->plane.v[from];
        }
    const double step = (double)longer / (BOX * FINE);
    if (step > 1 && mg__stroke_width(&mask) < 2 * step) { /* means would be faint */
        MG_TRY(mg__plane_dilate(&cut, (uint32_t)step));
        MG_TRY(mg__plane_dilate(&mask, (uint32_t)step));
    }
    const double x0 = cut.width / 2.0 - step * SHEET / 2, y0 = cut.height / 2.0 - step * SHEET / 2;
    mg__plane_resample(fine, SHEET, SHEET, &cut, x0, y0, step, step);
    mg__plane_resample(own, SHEET, SHEET, &mask, x0, y0, step, step);
    st = MG_OK;
out:
    free(cut.v);
    free(mask.v);
    return st;
}

/* Makes the edges of strokes as steep as MNIST's, which were black and white before they were
 * scaled: ink grows from none to all of 255 within `ramp` grey levels, in the middle between paper
 * and ink. What is fainter (smudge, noise, the halo of a JPEG, blur) goes, and so does what is
 * further than a pixel of the box from the digit's blobs. */
static void saturate(uint8_t sheet[SHEET * SHEET], const uint16_t *distance, int ramp)
{
    enum { MIDDLE = 125, HAZE = 42 };
    const int none = MIDDLE - ramp / 2 > HAZE ? MIDDLE - ramp / 2 : HAZE, all = MIDDLE + ramp / 2;
    for (int i = 0; i < SHEET * SHEET; i++) {
        const int v = sheet[i] < all ? sheet[i] - none : all - none;
        const bool near = distance[i] <= FINE * MG_DISTANCE_UNIT;
        sheet[i] = (uint8_t)(near && v > 0 ? v * 255 / (all - none) : 0);
    }
}

/* Where the first of `length` cells goes so that `centre`, in cells from the first one's centre,
 * comes to CENTRE, and all of them stay inside. */
static int place(double centre, int length)
{
    const int first = (int)floor(CENTRE - centre + 0.5);
    if (first < 0) return 0;
    return first + length > SIDE ? SIDE - length : first;
}

/* Scales the sheet's box to BOX and puts it into the middle of out. */
static void to_box(uint8_t *out, const mg__plane *sheet)
{
    const mg__box box = mg__plane_box(sheet);
    const double width = box.x1 - box.x0, height = box.y1 - box.y0;
    const double step = fmax(width, height) / BOX;
    /* Whole cells of the same scale both ways; what the shorter side lacks lies on both ends. */
    uint8_t cells[BOX * BOX];
    mg__plane small = {(uint32_t)ceil(width / step - 1e-9), (uint32_t)ceil(height / step - 1e-9),
                       cells};
    mg__plane_resample(cells, small.width, small.height, sheet,
                       box.x0 - (small.width * step - width) / 2,
                       box.y0 - (small.height * step - height) / 2, step, step);
    double x, y;
    mg__plane_centre(&x, &y, &small);
    const int left = place(x, (int)small.width), top = place(y, (int)small.height);
    memset(out, 0, SIDE * SIDE);
    for (uint32_t row = 0; row < small.height; row++)
        memcpy(out + (top + (int)row) * SIDE + left, cells + row * small.width, small.width);
}

mg_status mg__digit_fit(uint8_t *out, const mg__ink *ink, int group)
{
    uint8_t fine[SHEET * SHEET], own[SHEET * SHEET];
    uint16_t distance[SHEET * SHEET];
    mg__plane sheet = {SHEET, SHEET, fine};
    /* The edges of a small picture are as grey as those of MNIST's 20-pixel boxes are. */
    const mg__box box = mg__group_box(&ink->blobs, group);
    const int width = (int)(box.x1 - box.x0), height = (int)(box.y1 - box.y0);
    const int longer = width > height ? width : height;
    const int ramp = longer <= BOX ? 250 : 50 + 200 * BOX * BOX / (longer * longer);
    mg_status st = cut_out(fine, own, ink, group);
    if (st) return st;
    mg__distance_to(distance, own, SHEET, SHEET);
    saturate(fine, distance, ramp);
    if ((st = mg__stroke_widen(&sheet, FINE)) != MG_OK) return st;
    to_box(out, &sheet);
    return MG_OK;
}
