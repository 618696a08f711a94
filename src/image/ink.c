#include "image/ink.h"
#include "image/background.h"
#include <stdlib.h>
#include <string.h>

enum {
    MIN_CONTRAST = 16, /* grey levels between ink and paper; less is noise */
    SPECK = 40,        /* a piece smaller than the largest by so many times is a speck */
    MIN_INK = 6        /* pixels; a digit of fewer cannot be made out */
};

/* The share of the counted pixels above a level. */
static double share_above(const uint32_t histogram[256], int level)
{
    double above = 0, all = 0;
    for (int v = 0; v < 256; v++) {
        all += histogram[v];
        if (v > level) above += histogram[v];
    }
    return above / all;
}

/* Whether ink is darker than paper: the border is paper, and Otsu's level parts the two. Where
 * light or the edge of the paper runs through the border, or most of the picture is unlike it, what
 * strokes stand out. Refuses pictures of one tone. */
static mg_status find_polarity(bool *dark_ink, const mg__plane *plane, mg_invert invert)
{
    const double mixed = 0.15; /* of the border on either side of the level */
    uint32_t histogram[256], border[256];
    mg__plane_histogram(histogram, plane);
    mg__plane_border_histogram(border, plane);
    const int darkest = mg__quantile(histogram, 1e-9), brightest = mg__quantile(histogram, 1);
    if (brightest - darkest < MIN_CONTRAST)
        return mg__fail(MG_ERR_FORMAT, "blank picture: no ink within %d to %d of 255 grey levels",
                        darkest, brightest);
    const int level = mg__otsu(histogram);
    const double bright_border = share_above(border, level);
    *dark_ink = invert == MG_INVERT_YES;
    if (invert != MG_INVERT_AUTO) return MG_OK;
    *dark_ink = bright_border > 0.5;
    const double bright = share_above(histogram, level), ink = *dark_ink ? 1 - bright : bright;
    if ((bright_border > mixed && bright_border < 1 - mixed) || ink > 0.5)
        *dark_ink = mg__background_is_bright(plane);
    return MG_OK;
}

/* Otsu's level, but not within the paper's noise. Moves paper to 0. */
static int find_threshold(mg__plane *plane)
{
    uint32_t histogram[256], paper[256] = {0};
    mg__plane_histogram(histogram, plane);
    memcpy(paper, histogram, sizeof paper);
    for (int v = mg__otsu(histogram) + 1; v < 256; v++) paper[v] = 0;
    const int level = mg__quantile(paper, 0.5), noise = mg__quantile(paper, 0.84) - level;
    for (size_t i = 0; level && i < (size_t)plane->width * plane->height; i++)
        plane->v[i] = plane->v[i] > level ? plane->v[i] - (uint8_t)level : 0;
    mg__plane_histogram(histogram, plane);
    const int otsu = mg__otsu(histogram), least = 3 * noise;
    return otsu > least ? otsu : least;
}

static uint32_t largest_area(const mg__blobs *b, bool clear_of_border)
{
    uint32_t area = 0;
    for (int i = 0; i < b->count; i++)
        if (!(clear_of_border && b->blobs[i].contact) && b->blobs[i].area > area)
            area = b->blobs[i].area;
    return area;
}

static uint32_t longer_side(mg__box box)
{
    const uint32_t w = box.x1 - box.x0, h = box.y1 - box.y0;
    return w > h ? w : h;
}

/* What touches the border beside a digit that does not: a ruled line, the edge of the paper, a
 * shadow, a part of a neighbour. They are thin, lie along the border, or go from one side of the
 * picture to the other. */
static bool is_margin(const mg__blobs *all, const mg__blob *b, uint32_t digit_area)
{
    const mg__box box = b->box;
    return b->contact && (b->area <= digit_area || 2 * b->contact >= longer_side(box) ||
                          box.x1 - box.x0 == all->width || box.y1 - box.y0 == all->height);
}

/* Marks the blobs that are drawn as group 0 and leaves dirt out. */
static void drop_dirt(mg__blobs *b)
{
    enum { A_DIGIT = 16 }; /* what is clear of the border is one if it is not so much smaller */
    uint32_t clear = largest_area(b, true), largest = largest_area(b, false);
    const bool has_margin = clear >= MIN_INK && clear >= largest / A_DIGIT;
    uint32_t drawn = 0;
    for (int i = 0; i < b->count; i++) {
        if (has_margin && is_margin(b, &b->blobs[i], clear)) continue;
        b->blobs[i].group = 0;
        if (b->blobs[i].area > drawn) drawn = b->blobs[i].area;
    }
    for (int i = 0; i < b->count; i++)
        if (b->blobs[i].area < drawn / SPECK) b->blobs[i].group = -1;
}

/* Refuses what is drawn along most of the border. */
static mg_status check_border(const mg__blobs *b)
{
    double ink = 0;
    for (int i = 0; i < b->count; i++)
        if (b->blobs[i].group >= 0) ink += b->blobs[i].contact;
    const double share = ink / (2 * ((double)b->width + b->height) - 4);
    if (!(share > 0.5)) return MG_OK;
    return mg__fail(MG_ERR_FORMAT, "all ink: %.0f %% of the border is ink (expected at most 50 %%)",
                    100 * share);
}

/* Makes the median of what is drawn 255. False if that is no more than noise. */
static bool normalise(mg__ink *ink)
{
    const size_t count = (size_t)ink->plane.width * ink->plane.height;
    uint32_t histogram[256] = {0};
    for (size_t i = 0; i < count; i++) {
        const uint32_t label = ink->blobs.labels[i];
        if (label && ink->blobs.blobs[label - 1].group >= 0) histogram[ink->plane.v[i]]++;
    }
    const int full = mg__quantile(histogram, 0.5);
    if (full < MIN_CONTRAST) return false;
    uint8_t map[256];
    for (int v = 0; v < 256; v++) map[v] = (uint8_t)(v < full ? (v * 255 + full / 2) / full : 255);
    for (size_t i = 0; i < count; i++) ink->plane.v[i] = map[ink->plane.v[i]];
    ink->threshold = map[ink->threshold];
    return true;
}

mg__box mg__group_box(const mg__blobs *blobs, int group)
{
    mg__box all = {blobs->width, blobs->height, 0, 0};
    for (int i = 0; i < blobs->count; i++) {
        const mg__box box = blobs->blobs[i].box;
        if (blobs->blobs[i].group != group) continue;
        if (box.x0 < all.x0) all.x0 = box.x0;
        if (box.y0 < all.y0) all.y0 = box.y0;
        if (box.x1 > all.x1) all.x1 = box.x1;
        if (box.y1 > all.y1) all.y1 = box.y1;
    }
    return all;
}

mg_status mg__ink_find(mg__ink *out, mg__plane *plane, mg_invert invert, bool several)
{
    mg_status st;
    bool dark_ink;
    mg__ink ink = {.plane = *plane, .groups = 1};
    *plane = (mg__plane){0};
    mg__background_level(&ink.plane);
    MG_TRY(find_polarity(&dark_ink, &ink.plane, invert));
    MG_TRY(mg__background_remove(&ink.plane, dark_ink));
    ink.threshold = find_threshold(&ink.plane);
    MG_TRY(mg__blobs_find(&ink.blobs, &ink.plane, ink.threshold));
    drop_dirt(&ink.blobs);
    MG_TRY(check_border(&ink.blobs));
    if (!normalise(&ink) || largest_area(&ink.blobs, false) < MIN_INK)
        MG_FAIL(MG_ERR_FORMAT, "blank picture: nothing on it but noise or specks");
    if (several) MG_TRY(mg__segment(&ink.groups, &ink));
    *out = ink;
    ink = (mg__ink){0};
out:
    mg__ink_free(&ink);
    return st;
}

void mg__ink_free(mg__ink *ink)
{
    free(ink->plane.v);
    mg__blobs_free(&ink->blobs);
}
