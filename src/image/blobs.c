/* Two passes with a union-find forest over preliminary labels (A. Rosenfeld, J. Pfaltz, Sequential
 * Operations in Digital Picture Processing, 1966). */
#include "image/blobs.h"
#include <stdlib.h>

static uint32_t root_of(uint32_t *parents, uint32_t label)
{
    while (parents[label] != label) label = parents[label] = parents[parents[label]];
    return label;
}

/* The older of two roots stays one, so that a label's parent is never above it. */
static uint32_t join(uint32_t *parents, uint32_t a, uint32_t b)
{
    a = root_of(parents, a);
    b = root_of(parents, b);
    if (a > b) return parents[a] = b;
    return parents[b] = a;
}

/* Gives every pixel of ink a label, and joins those that touch. Returns 1 + the largest label. */
static uint32_t label_pixels(mg__blobs *b, uint32_t *parents, const mg__plane *plane, int threshold)
{
    const uint32_t w = b->width;
    uint32_t next = 1;
    for (uint32_t y = 0; y < b->height; y++)
        for (uint32_t x = 0; x < w; x++) {
            const size_t at = (size_t)y * w + x;
            uint32_t label = 0;
            if (plane->v[at] <= threshold) continue;
            const uint32_t before[] = {
                x ? b->labels[at - 1] : 0, x && y ? b->labels[at - w - 1] : 0,
                y ? b->labels[at - w] : 0, y && x + 1 < w ? b->labels[at - w + 1] : 0};
            for (int k = 0; k < MG_COUNT_OF(before); k++)
                if (before[k]) label = label ? join(parents, label, before[k]) : before[k];
            if (!label) {
                label = next++;
                parents[label] = label;
            }
            b->labels[at] = label;
        }
    return next;
}

static void add_pixel(mg__blob *b, uint32_t x, uint32_t y, bool on_border)
{
    b->area++;
    b->contact += on_border;
    if (x < b->box.x0) b->box.x0 = x;
    if (x >= b->box.x1) b->box.x1 = x + 1;
    if (y < b->box.y0) b->box.y0 = y;
    if (y >= b->box.y1) b->box.y1 = y + 1;
}

static void measure(mg__blobs *b)
{
    for (int i = 0; i < b->count; i++)
        b->blobs[i] = (mg__blob){.box = {b->width, b->height, 0, 0}, .group = -1};
    const uint32_t *label = b->labels;
    for (uint32_t y = 0; y < b->height; y++)
        for (uint32_t x = 0; x < b->width; x++, label++)
            if (*label)
                add_pixel(&b->blobs[*label - 1], x, y,
                          x == 0 || y == 0 || x + 1 == b->width || y + 1 == b->height);
}

mg_status mg__blobs_find(mg__blobs *out, const mg__plane *plane, int threshold)
{
    mg_status st;
    const size_t size = (size_t)plane->width * plane->height;
    mg__blobs b = {.width = plane->width, .height = plane->height};
    /* Every new label is alone among its 2 x 2: rounded up, a quarter of the pixels can have one.
     */
    const size_t most = ((size_t)plane->width + 1) / 2 * (((size_t)plane->height + 1) / 2) + 1;
    uint32_t *parents = malloc(most * sizeof *parents);
    b.labels = calloc(size, sizeof *b.labels);
    if (!parents || !b.labels) MG_FAIL(MG_ERR_MEMORY, "out of memory for a picture");

    const uint32_t end = label_pixels(&b, parents, plane, threshold);
    parents[0] = 0;
    for (uint32_t label = 1; label < end; label++) /* roots get numbers in order, others theirs */
        parents[label] = parents[label] == label ? (uint32_t)++b.count : parents[parents[label]];
    for (size_t i = 0; i < size; i++) b.labels[i] = parents[b.labels[i]];
    b.blobs = calloc((size_t)b.count + 1, sizeof *b.blobs);
    if (!b.blobs) MG_FAIL(MG_ERR_MEMORY, "out of memory for a picture");
    measure(&b);
    *out = b;
    b = (mg__blobs){0};
    st = MG_OK;
out:
    free(parents);
    mg__blobs_free(&b);
    return st;
}

void mg__blobs_free(mg__blobs *b)
{
    free(b->labels);
    free(b->blobs);
    *b = (mg__blobs){0};
}
