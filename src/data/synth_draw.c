/* From a style to an image: bend the path, write it with a pen, and bring it to MNIST's form (the
 * longer side 20 pixels, the centre of mass in the middle of 28 x 28).
 *
 * Bytes are the same on every machine with IEEE 754 arithmetic in float (FLT_EVAL_METHOD 0), which
 * is why there is nothing here but + - * /, comparisons and sqrtf, all of them correctly rounded,
 * and why CMake forbids fused multiply-adds in this file. */
#include "data/synth.h"
#include "philox.h"
#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    SIDE = MG_SYNTH_SIDE,
    BOX = 20,        /* the longer side of the ink */
    MAX_POINTS = 40, /* of a path */
    SPAN_STEPS = 7,  /* straight pieces between two points of it */
    MAX_DOTS = MAX_POINTS * SPAN_STEPS
};

/* ---- random numbers ---- */

typedef struct dice {
    uint64_t seed;
    uint32_t stream, index, block;
} dice;

static mg_philox roll(dice *d) { return mg__philox(d->seed, d->block++, d->index, d->stream, 0); }

/* 0 .. <1 */
static float uniform(dice *d) { return mg__philox_unit(roll(d).v[0]); }

static float between(dice *d, float low, float high) { return low + (high - low) * uniform(d); }

/* Mean 0, the given deviation, never beyond 3.47 of it: the sum of four uniform numbers, which
 * needs no logarithm. */
static float normal(dice *d, float deviation)
{
    const mg_philox r = roll(d);
    const float sum = mg__philox_unit(r.v[0]) + mg__philox_unit(r.v[1]) + mg__philox_unit(r.v[2]) +
                      mg__philox_unit(r.v[3]);
    return (sum - 2) * 1.7320508f * deviation;
}

static float clamp(float x, float low, float high) { return x < low ? low : x > high ? high : x; }

/* ---- the path ---- */

/* Coordinates in the digit's height, (0, 0) its middle. */
typedef struct point {
    float x, y;
    bool corner, last; /* last: the pen is lifted after it */
} point;

static int read_path(point *points, const char *path)
{
    int count = 0;
    while (*path) {
        char *end;
        assert(count < MAX_POINTS);
        point *p = &points[count++];
        p->x = (float)(strtol(path, &end, 10) - 35) / 100;
        p->y = (float)(strtol(end + 1, &end, 10) - 50) / 100;
        p->corner = *end == '!';
        if (p->corner) end++;
        p->last = !*end || !strncmp(end, " | ", 3);
        path = !*end ? end : end + (p->last ? 3 : 1);
    }
    return count;
}

static const mg_synth_style *choose_style(dice *d, uint8_t digit)
{
    const mg_synth_style *first = mg__synth_styles, *style;
    uint32_t sum = 0;
    while (first->digit != digit) first++;
    for (style = first; style->digit == digit; style++) sum += style->share;
    uint32_t at = (uint32_t)(uniform(d) * (float)sum);
    for (style = first; at >= style->share; style++) at -= style->share;
    return style;
}

/* No two digits of a hand are alike: every point strays, every stroke is put down a little aside,
 * begins and ends early or late, and some corners come out round. */
static void stray(point *points, int count, dice *d)
{
    const float jitter = between(d, 0.005f, 0.06f), overshoot = 0.12f;
    const float round_corners = uniform(d) < 0.4f ? 0.8f : 0.0f;
    float aside_x = 0, aside_y = 0;
    for (int i = 0; i < count; i++) {
        point *p = &points[i];
        p->x += aside_x + normal(d, jitter);
        p->y += aside_y + normal(d, jitter);
        if (p->corner && uniform(d) < round_corners) p->corner = false;
        const bool first = i == 0 || points[i - 1].last;
        if (first || p->last) {
            const point *inner = first ? p + 1 : p - 1; /* a stroke has two points at least */
            const float by = normal(d, overshoot);
            /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
            p->x += by * (p->x - inner->x);
            p->y += by * (p->y - inner->y);
        }
        if (p->last) {
            aside_x = normal(d, 0.03f);
            aside_y = normal(d, 0.03f);
        }
    }
}

/* Bends the plane smoothly (a polynomial of the third degree), then stretches, slants and turns it.
 */
static void bend(point *points, int count, dice *d)
{
    const float e = 0.24f;
    const float xx = normal(d, e), xy = normal(d, e), yy = normal(d, e), yyy = normal(d, 2 * e);
    const float vxx = normal(d, e), vxy = normal(d, e), vyy = normal(d, e);
    const float width = 1 + clamp(normal(d, 0.28f), -0.5f, 0.7f);
    const float slant = 0.12f + normal(d, 0.33f), turn = normal(d, 0.15f);
    const float turned = 1 / sqrtf(1 + turn * turn);
    for (int i = 0; i < count; i++) {
        const float x0 = points[i].x, y0 = points[i].y;
        float x = x0 + xx * x0 * x0 + xy * x0 * y0 + yy * y0 * y0 + yyy * y0 * y0 * y0;
        const float y = y0 + vxx * x0 * x0 + vxy * x0 * y0 + vyy * y0 * y0;
        x = x * width - slant * y;
        points[i].x = (x - turn * y) * turned;
        points[i].y = (y + turn * x) * turned;
    }
}

/* ---- the pen ---- */

typedef struct dot {
    float x, y, radius;
    bool last;
} dot;

/* The derivative of a Catmull-Rom spline at b; none is carried across a corner or an end. */
static point slope(const point *a, const point *b, const point *c)
{
    return (point){.x = (c->x - a->x) / 2, .y = (c->y - a->y) / 2, .corner = b->corner};
}

/* A cubic Hermite curve through the points. */
static int trace(dot *dots, const point *points, int count)
{
    int made = 0;
    for (int i = 0; i < count; i++) {
        const point *p = &points[i];
        if (p->last) {
            dots[made++] = (dot){.x = p->x, .y = p->y, .last = true};
            continue;
        }
        const point *q = p + 1;
        const bool starts = i == 0 || p[-1].last || p->corner;
        const bool ends = q->last || q->corner;
        const float chord_x = q->x - p->x, chord_y = q->y - p->y;
        point m = {.x = chord_x, .y = chord_y}, n = m;
        if (!starts) m = slope(p - 1, p, q);
        if (!ends) n = slope(p, q, q + 1);
        if (starts && !ends)
            m = (point){.x = 1.5f * chord_x - n.x / 2, .y = 1.5f * chord_y - n.y / 2};
        if (ends && !starts)
            n = (point){.x = 1.5f * chord_x - m.x / 2, .y = 1.5f * chord_y - m.y / 2};
        for (int k = 0; k < SPAN_STEPS; k++) {
            const float t = (float)k / SPAN_STEPS, t2 = t * t, t3 = t2 * t;
            const float a = 2 * t3 - 3 * t2 + 1, b = t3 - 2 * t2 + t, c = 1 - a, e = t3 - t2;
            dots[made++] = (dot){.x = a * p->x + b * m.x + c * q->x + e * n.x,
                                 .y = a * p->y + b * m.y + c * q->y + e * n.y};
        }
    }
    return made;
}

/* Pressure: from the stroke's start to its end, and with its own ups and downs. */
static void press(dot *dots, int count, float radius, dice *d)
{
    const float trend = normal(d, 0.25f), unrest = between(d, 0, 0.14f);
    float swell = 0;
    for (int i = 0; i < count; i++) {
        const float along = (float)i / (float)count - 0.5f;
        swell = 0.8f * swell + normal(d, unrest);
        dots[i].radius = radius * clamp(1 + trend * 2 * along + swell, 0.4f, 1.7f);
    }
}

/* Where the ink is when the dots are scaled: the radii are in pixels already. */
typedef struct box {
    float x0, y0, x1, y1;
} box;

static box ink_box(const dot *dots, int count, float scale)
{
    box b = {1e9f, 1e9f, -1e9f, -1e9f};
    for (int i = 0; i < count; i++) {
        const float x = dots[i].x * scale, y = dots[i].y * scale, r = dots[i].radius;
        b.x0 = x - r < b.x0 ? x - r : b.x0;
        b.x1 = x + r > b.x1 ? x + r : b.x1;
        b.y0 = y - r < b.y0 ? y - r : b.y0;
        b.y1 = y + r > b.y1 ? y + r : b.y1;
    }
    return b;
}

/* Scales and moves the dots so that the ink is `length` pixels long, and in the middle. The width
 * of the pen does not scale, so that the right scale is approached in steps. */
static void fit(dot *dots, int count, float length)
{
    float scale = length;
    box b = ink_box(dots, count, scale);
    for (int step = 0; step < 4; step++) {
        const float w = b.x1 - b.x0, h = b.y1 - b.y0;
        scale *= length / (w > h ? w : h);
        b = ink_box(dots, count, scale);
    }
    for (int i = 0; i < count; i++) {
        dots[i].x = dots[i].x * scale - (b.x0 + b.x1) / 2 + SIDE / 2;
        dots[i].y = dots[i].y * scale - (b.y0 + b.y1) / 2 + SIDE / 2;
    }
}

/* ---- the image ---- */

/* The ink of a stroke from a to b: 1 inside, falling to 0 over `soft` pixels at its edge. */
static void draw_piece(float ink[SIDE][SIDE], const dot *a, const dot *b, float soft)
{
    const float reach = (a->radius > b->radius ? a->radius : b->radius) + soft / 2;
    const float dx = b->x - a->x, dy = b->y - a->y, length = dx * dx + dy * dy;
    const float left = (a->x < b->x ? a->x : b->x) - reach,
                top = (a->y < b->y ? a->y : b->y) - reach;
    const float right = (a->x > b->x ? a->x : b->x) + reach;
    const float bottom = (a->y > b->y ? a->y : b->y) + reach;
    const int i0 = (int)clamp(left, 0, SIDE - 1), i1 = (int)clamp(right, 0, SIDE - 1);
    const int j0 = (int)clamp(top, 0, SIDE - 1), j1 = (int)clamp(bottom, 0, SIDE - 1);
    for (int j = j0; j <= j1; j++)
        for (int i = i0; i <= i1; i++) {
            const float x = (float)i + 0.5f - a->x, y = (float)j + 0.5f - a->y;
            const float t = length > 0 ? clamp((x * dx + y * dy) / length, 0, 1) : 0;
            const float ox = x - t * dx, oy = y - t * dy;
            const float radius = a->radius + t * (b->radius - a->radius);
            const float v = (radius - sqrtf(ox * ox + oy * oy)) / soft + 0.5f;
            if (v > ink[j][i]) ink[j][i] = v < 1 ? v : 1;
        }
}

/* How far to shift by whole pixels so that the centre of mass comes to the middle, which is pixel
 * 14 of 28; no farther than there is room beside the box. */
static int to_middle(float moment, float mass)
{
    const float shift = SIDE / 2 - moment / mass, room = (SIDE - BOX) / 2;
    return (int)(clamp(shift, -room, room) + room + 0.5f) - (int)room;
}

/* The edges of ink on paper are rough: what is neither ink nor paper strays. */
static void roughen(float ink[SIDE][SIDE], float roughness, dice *d)
{
    for (float *v = ink[0]; v < ink[0] + SIDE * SIDE; v++)
        if (*v > 0 && *v < 1) *v = clamp(*v + normal(d, roughness * 4 * *v * (1 - *v)), 0, 1);
}

static void place(uint8_t pixels[MG_SYNTH_SIZE], float ink[SIDE][SIDE])
{
    float mass = 0, mass_x = 0, mass_y = 0, brightest = 0;
    for (int j = 0; j < SIDE; j++)
        for (int i = 0; i < SIDE; i++) {
            const float v = ink[j][i];
            mass += v;
            mass_x += v * (float)i;
            mass_y += v * (float)j;
            if (v > brightest) brightest = v;
        }
    const int right = to_middle(mass_x, mass), down = to_middle(mass_y, mass);
    memset(pixels, 0, MG_SYNTH_SIZE);
    for (int j = 0; j < SIDE; j++)
        for (int i = 0; i < SIDE; i++) {
            const int x = i + right, y = j + down;
            if (x < 0 || x >= SIDE || y < 0 || y >= SIDE) continue;
            pixels[y * SIDE + x] = (uint8_t)(ink[j][i] / brightest * 255 + 0.5f);
        }
}

uint8_t mg__synth_draw(uint8_t pixels[MG_SYNTH_SIZE], uint64_t seed, uint32_t stream,
                       uint32_t index)
{
    dice d = {.seed = seed, .stream = stream, .index = index};
    point points[MAX_POINTS];
    dot dots[MAX_DOTS];
    float ink[SIDE][SIDE] = {{0}};
    const uint8_t digit = (uint8_t)(uniform(&d) * MG_SYNTH_CLASSES);
    const int point_count = read_path(points, choose_style(&d, digit)->path);
    stray(points, point_count, &d);
    bend(points, point_count, &d);

    const int dot_count = trace(dots, points, point_count);
    const float radius = clamp(1.3f + normal(&d, 0.38f), 0.5f, 2.4f);
    const float soft = between(&d, 1.0f, 1.45f);
    press(dots, dot_count, radius, &d);
    fit(dots, dot_count, BOX - (soft - 1)); /* the outermost half of a soft edge is too faint */
    for (int i = 0; i + 1 < dot_count; i++)
        if (!dots[i].last) draw_piece(ink, &dots[i], &dots[i + 1], soft);
    roughen(ink, between(&d, 0, 0.25f), &d);
    place(pixels, ink);
    return digit;
}
