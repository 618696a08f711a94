#include "cpu/augment.h"
#include "philox.h"
#include <stdlib.h>
#include <string.h>

enum { POINTS = MG_AUGMENT_POINTS };

/* A pixel's place among the control points, along one side: the first of four, and their weights
 * in 1/1024. */
typedef struct knot {
    int32_t first, w[4];
} knot;

struct mg_cpu_augmenter {
    mg_shape shape;
    knot *x, *y;    /* [w], [h] */
    int32_t *place; /* [threads][2][w]: where a row's pixels come from, in 1/256 pixel */
    uint8_t *image; /* [threads][2][c][h][w]: with other strokes; moved, and with noise */
};

/* What is drawn for a row of the batch. */
typedef struct draws {
    int32_t m[4]; /* M, by rows, in 1/65536 */
    int32_t shift[2], control[2][POINTS][POINTS];
    int32_t stroke, noise;
    uint64_t seed;
    uint32_t step, row;
} draws;

static int32_t clamp(int32_t v, int32_t low, int32_t high)
{
    return v < low ? low : v > high ? high : v;
}

/* ---- what is drawn ---- */

static int32_t draw(uint32_t word, int32_t range)
{
    return (int32_t)((uint64_t)word * (uint64_t)(2 * (int64_t)range + 1) >> 32) - range;
}

static void draw_matrix(draws *d, const mg_augment *a)
{
    const int64_t one = 65536;
    const mg_philox r = mg__philox(d->seed, MG_AUGMENT_MATRIX, d->row, d->step, MG_AUGMENT_TAG);
    const int64_t t = draw(r.v[0], a->rotation), shear = draw(r.v[3], a->shear);
    const int64_t zoom = one + draw(r.v[1], a->zoom), stretch = draw(r.v[2], a->stretch);
    const int64_t wide = zoom + stretch, high = zoom - stretch;
    const int64_t whole = one * one + t * t;
    const int64_t c = (one * one - t * t) * one / whole, s = 2 * t * one * one / whole;
    d->m[0] = (int32_t)(c * wide >> 16);
    d->m[1] = (int32_t)((c * shear - s * high) >> 16);
    d->m[2] = (int32_t)(s * wide >> 16);
    d->m[3] = (int32_t)((s * shear + c * high) >> 16);
}

static void draw_all(draws *d, const mg_augment *a)
{
    draw_matrix(d, a);
    const mg_philox r = mg__philox(d->seed, MG_AUGMENT_SHIFT, d->row, d->step, MG_AUGMENT_TAG);
    d->shift[0] = draw(r.v[0], a->shift_x);
    d->shift[1] = draw(r.v[1], a->shift_y);
    d->stroke = draw(r.v[2], a->stroke);
    d->noise = a->noise;
    for (uint32_t i = 0; i < POINTS * POINTS && (a->elastic_x || a->elastic_y); i++) {
        const mg_philox e =
            mg__philox(d->seed, MG_AUGMENT_CONTROL + i, d->row, d->step, MG_AUGMENT_TAG);
        d->control[0][i / POINTS][i % POINTS] = draw(e.v[0], a->elastic_x);
        d->control[1][i / POINTS][i % POINTS] = draw(e.v[1], a->elastic_y);
    }
}

/* ---- stroke ---- */

static uint8_t larger(uint8_t a, uint8_t b) { return a > b ? a : b; }
static uint8_t smaller(uint8_t a, uint8_t b) { return a < b ? a : b; }

static uint8_t thickened(uint8_t p, uint8_t most, int32_t share)
{
    return (uint8_t)(p + (((most - p) * share + 128) >> 8));
}

static uint8_t thinned(uint8_t p, uint8_t least, int32_t share)
{
    return (uint8_t)(p - (((p - least) * share + 128) >> 8));
}

static void thicken_row(uint8_t *restrict to, const uint8_t *up, const uint8_t *row,
                        const uint8_t *down, int w, int32_t share)
{
    for (int x = 0; x < w; x++) to[x] = larger(larger(up[x], down[x]), row[x]);
    uint8_t left = row[0];
    for (int x = 0; x < w; x++) {
        const uint8_t sides = larger(left, row[x + 1 < w ? x + 1 : x]);
        left = row[x];
        to[x] = thickened(row[x], larger(to[x], sides), share);
    }
}

static void thin_row(uint8_t *restrict to, const uint8_t *up, const uint8_t *row,
                     const uint8_t *down, int w, int32_t share)
{
    for (int x = 0; x < w; x++) to[x] = smaller(smaller(up[x], down[x]), row[x]);
    uint8_t left = row[0];
    for (int x = 0; x < w; x++) {
        const uint8_t sides = smaller(left, row[x + 1 < w ? x + 1 : x]);
        left = row[x];
        to[x] = thinned(row[x], smaller(to[x], sides), share);
    }
}

static void change_strokes(uint8_t *to, const uint8_t *from, mg_shape s, int32_t stroke)
{
    for (int i = 0; i < s.c * s.h; i++) {
        const int y = i % s.h;
        const uint8_t *row = from + (size_t)i * (size_t)s.w;
        const uint8_t *up = y > 0 ? row - s.w : row, *down = y + 1 < s.h ? row + s.w : row;
        if (stroke > 0)
            thicken_row(to + (size_t)i * (size_t)s.w, up, row, down, s.w, stroke);
        else
            thin_row(to + (size_t)i * (size_t)s.w, up, row, down, s.w, -stroke);
    }
}

/* ---- warp ---- */

/* Adds row y's elastic displacements: the spline over y for each column of control points, then
 * over x for each pixel. */
static void add_displacements(int32_t *restrict place, const mg_cpu_augmenter *a, const draws *d,
                              int k, int y)
{
    const knot *ky = &a->y[y];
    int32_t line[POINTS];
    for (int i = 0; i < POINTS; i++) {
        int32_t sum = 512;
        for (int j = 0; j < 4; j++) sum += ky->w[j] * d->control[k][ky->first + j][i];
        line[i] = sum >> 10;
    }
    for (int x = 0; x < a->shape.w; x++) {
        const knot *kx = &a->x[x];
        const int32_t *p = line + kx->first;
        place[x] +=
            (kx->w[0] * p[0] + kx->w[1] * p[1] + kx->w[2] * p[2] + kx->w[3] * p[3] + 512) >> 10;
    }
}

/* Where the pixels of row y come from, in direction k. M's entries times the doubled distance from
 * the centre are in 1/131072 pixel, 512 of which are 1/256; the elastic displacement is a whole
 * number of those, so it may be added after rounding. */
static void find_places(int32_t *restrict place, const mg_cpu_augmenter *a, const draws *d, int k,
                        int y, bool elastic)
{
    const int w = a->shape.w, h = a->shape.h;
    const int32_t mx = d->m[2 * k], my = d->m[2 * k + 1];
    const int32_t centre = ((k == 0 ? w : h) - 1) * 65536;
    const int32_t start = centre + my * (2 * y - (h - 1)) - mx * (w - 1) + d->shift[k] * 512 + 256;
    for (int x = 0; x < w; x++) place[x] = (start + 2 * mx * x) >> 9;
    if (elastic) add_displacements(place, a, d, k, y);
}

static void sample_row(uint8_t *restrict to, const uint8_t *channel, mg_shape s,
                       const int32_t *place_x, const int32_t *place_y)
{
    for (int x = 0; x < s.w; x++) {
        const int32_t fx = place_x[x] & 255, fy = place_y[x] & 255;
        const int32_t x0 = clamp(place_x[x] >> 8, 0, s.w - 1);
        const int32_t x1 = clamp((place_x[x] >> 8) + 1, 0, s.w - 1);
        const uint8_t *upper = channel + (size_t)clamp(place_y[x] >> 8, 0, s.h - 1) * (size_t)s.w;
        const uint8_t *lower =
            channel + (size_t)clamp((place_y[x] >> 8) + 1, 0, s.h - 1) * (size_t)s.w;
        const int32_t above = upper[x0] * (256 - fx) + upper[x1] * fx;
        const int32_t below = lower[x0] * (256 - fx) + lower[x1] * fx;
        to[x] = (uint8_t)((above * (256 - fy) + below * fy + 32768) >> 16);
    }
}

/* ---- noise ---- */

static void add_noise(uint8_t *pixels, size_t count, const draws *d)
{
    for (size_t p = 0; p < count; p += 4) {
        const mg_philox r =
            mg__philox(d->seed, (uint32_t)(p / 4), d->row, d->step, MG_AUGMENT_NOISE_TAG);
        for (size_t i = 0; i < 4 && p + i < count; i++) {
            const uint32_t v = r.v[i];
            const int32_t g =
                (int32_t)((v & 255) + (v >> 8 & 255) + (v >> 16 & 255) + (v >> 24)) - 510;
            pixels[p + i] = (uint8_t)clamp(pixels[p + i] + ((g * d->noise + 32768) >> 16), 0, 255);
        }
    }
}

/* ---- the whole ---- */

const uint8_t *mg__cpu_augment(const mg_cpu_augmenter *a, int thread, const mg_augment *ranges,
                               const mg_step_state *state, uint32_t row, const uint8_t *image)
{
    const mg_shape s = a->shape;
    const size_t size = mg_shape_size(s), plane = (size_t)s.h * (size_t)s.w, w = (size_t)s.w;
    uint8_t *strokes = a->image + (size_t)thread * 2 * size, *out = strokes + size;
    int32_t *place_x = a->place + (size_t)thread * 2 * w, *place_y = place_x + w;
    const bool elastic = ranges->elastic_x || ranges->elastic_y;
    draws d = {.seed = state->seed, .step = state->step, .row = row};
    draw_all(&d, ranges);
    if (d.stroke) {
        change_strokes(strokes, image, s, d.stroke);
        image = strokes;
    }
    for (int y = 0; y < s.h; y++) {
        find_places(place_x, a, &d, 0, y, elastic);
        find_places(place_y, a, &d, 1, y, elastic);
        for (size_t c = 0; c < (size_t)s.c; c++)
            sample_row(out + c * plane + (size_t)y * w, image + c * plane, s, place_x, place_y);
    }
    if (d.noise) add_noise(out, size, &d);
    return out;
}

/* The place (i + 1/2) * 4 / size in the cells, and the weights there. */
static void make_knots(knot *out, int size)
{
    for (int i = 0; i < size; i++) {
        const int32_t u = (2 * i + 1) * MG_AUGMENT_CELLS * 128 / size, f = u & 255, g = 256 - f;
        const int32_t unit = 6 << 14; /* 6 * 256^3 / 1024 */
        knot *k = &out[i];
        k->first = u >> 8;
        k->w[0] = g * g * g / unit;
        k->w[1] = (3 * f * f * f - 6 * 256 * f * f + 4 * 256 * 256 * 256) / unit;
        k->w[3] = f * f * f / unit;
        k->w[2] = 1024 - k->w[0] - k->w[1] - k->w[3];
    }
}

mg_status mg__cpu_augmenter_create(mg_cpu_augmenter **out, mg_shape shape, int threads)
{
    const size_t w = (size_t)shape.w, h = (size_t)shape.h, n = (size_t)threads;
    mg_cpu_augmenter *a = calloc(1, sizeof *a);
    if (!a) return mg__fail(MG_ERR_MEMORY, "out of memory for augmentation");
    *a = (mg_cpu_augmenter){.shape = shape,
                            .x = malloc(w * sizeof *a->x),
                            .y = malloc(h * sizeof *a->y),
                            .place = malloc(n * 2 * w * sizeof *a->place),
                            .image = malloc(n * 2 * mg_shape_size(shape))};
    if (!a->x || !a->y || !a->place || !a->image) {
        mg__cpu_augmenter_free(a);
        return mg__fail(MG_ERR_MEMORY, "out of memory for augmentation");
    }
    make_knots(a->x, shape.w);
    make_knots(a->y, shape.h);
    *out = a;
    return MG_OK;
}

void mg__cpu_augmenter_free(mg_cpu_augmenter *a)
{
    if (!a) return;
    free(a->x);
    free(a->y);
    free(a->place);
    free(a->image);
    free(a);
}
