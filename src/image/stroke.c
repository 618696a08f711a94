#include "image/stroke.h"
#include <math.h>
#include <stdlib.h>

enum { UNIT = MG_DISTANCE_UNIT, FAR = UINT16_MAX };
static const double MIN_WIDTH = 2; /* pixels of the 20-pixel box */

/* ---- distances ---- */

typedef struct step {
    int x, y, length;
} step;

/* One pass over the pixels, each as near as its neighbours behind it (of `sign` times the steps)
 * allow. */
static void sweep(uint16_t *d, int width, int height, int sign)
{
    static const step steps[] = {{-1, 0, 5},   {-1, -1, 7},  {0, -1, 5},  {1, -1, 7},
                                 {-2, -1, 11}, {-1, -2, 11}, {1, -2, 11}, {2, -1, 11}};
    const int64_t count = (int64_t)width * height;
    for (int64_t k = 0; k < count; k++) {
        const int64_t at = sign > 0 ? k : count - 1 - k;
        const int x = (int)(at % width), y = (int)(at / width);
        int nearest = d[at];
        for (int i = 0; i < MG_COUNT_OF(steps); i++) {
            const int from_x = x + sign * steps[i].x, from_y = y + sign * steps[i].y;
            if (from_x < 0 || from_x >= width || from_y < 0 || from_y >= height) continue;
            const int through = d[(int64_t)from_y * width + from_x] + steps[i].length;
            if (through < nearest) nearest = through;
        }
        d[at] = (uint16_t)nearest;
    }
}

void mg__distance_to(uint16_t *distance, const uint8_t *mask, uint32_t width, uint32_t height)
{
    for (size_t i = 0; i < (size_t)width * height; i++) distance[i] = mask[i] ? 0 : FAR;
    sweep(distance, (int)width, (int)height, 1);
    sweep(distance, (int)width, (int)height, -1);
}

/* ---- strokes ---- */

double mg__stroke_width(const mg__plane *mask)
{
    double area = 0, sides = 0;
    const uint8_t *v = mask->v;
    for (uint32_t y = 0; y < mask->height; y++)
        for (uint32_t x = 0; x < mask->width; x++, v++) {
            area += *v != 0;
            sides += (x ? v[-1] != 0 : 0) != (*v != 0);
            sides += (y ? *(v - mask->width) != 0 : 0) != (*v != 0);
        }
    return sides > 0 ? 2 * area / (sides * 3.14159265358979 / 4) : 0;
}

/* The same along `count` pixels `stride` apart; `line` is room for them. */
static void dilate_line(uint8_t *v, uint32_t count, size_t stride, uint32_t side, uint8_t *line)
{
    for (uint32_t i = 0; i < count; i++) line[i] = v[i * stride];
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t first = i < side / 2 ? 0 : i - side / 2;
        uint8_t largest = 0;
        for (uint32_t k = first; k < count && k < i + side - side / 2; k++)
            if (line[k] > largest) largest = line[k];
        v[i * stride] = largest;
    }
}

mg_status mg__plane_dilate(mg__plane *p, uint32_t side)
{
    uint8_t *line = malloc(p->width > p->height ? p->width : p->height);
    if (!line) return mg__fail(MG_ERR_MEMORY, "out of memory for a digit");
    for (uint32_t y = 0; y < p->height; y++)
        dilate_line(p->v + (size_t)y * p->width, p->width, 1, side, line);
    for (uint32_t x = 0; x < p->width; x++) dilate_line(p->v + x, p->height, p->width, side, line);
    free(line);
    return MG_OK;
}

/* Four times the mean distance of the ink from its edge, which half a pixel parts from the nearest
 * pixel outside: that of a bar from end to end runs from 0 to half its width. */
static double mean_width(const uint16_t *to_paper, const uint8_t *is_ink, size_t count)
{
    double sum = 0, n = 0;
    for (size_t i = 0; i < count; i++)
        if (is_ink[i]) sum += (double)to_paper[i] / UNIT - 0.5, n++;
    return n ? 4 * sum / n : 0;
}

mg_status mg__stroke_widen(mg__plane *plane, double scale)
{
    mg_status st;
    const size_t count = (size_t)plane->width * plane->height;
    uint8_t *mask = calloc(count, 1), *paper = calloc(count, 1);
    uint16_t *distance = malloc(count * sizeof *distance);
    if (!mask || !paper || !distance) MG_FAIL(MG_ERR_MEMORY, "out of memory for a digit");
    for (size_t i = 0; i < count; i++) {
        mask[i] = plane->v[i] > 127;
        paper[i] = !mask[i];
    }
    mg__distance_to(distance, paper, plane->width, plane->height);
    const double width = mean_width(distance, mask, count);
    const double reach = (MIN_WIDTH * scale - width) / 2;
    st = MG_OK;
    if (!(width > 0 && reach > 0)) goto out;

    mg__distance_to(distance, mask, plane->width, plane->height);
    for (size_t i = 0; i < count; i++) { /* the new edge runs through pixels, which it makes grey */
        const double inside = reach + 1 - (double)distance[i] / UNIT;
        const double v = 255 * fmin(fmax(inside, 0), 1);
        if (v > plane->v[i]) plane->v[i] = (uint8_t)(v + 0.5);
    }
out:
    free(mask);
    free(paper);
    free(distance);
    return st;
}
