/* The reference: the formulas of layers/augment.h in double, whose 53 bits hold every number here
 * exactly, so that what is rounded is what the formulas round. */
#include "layers/distort.h"
#include "philox.h"
#include <math.h>

static double round_down(double v, double unit) { return floor(v / unit) * unit; }
static double round_to(double v, double unit) { return floor(v / unit + 0.5) * unit; }
static double cut(double v, double unit) { return trunc(v / unit) * unit; }

static double draw(uint32_t word, int32_t range, double unit)
{
    return (floor(word * (2.0 * range + 1) * 0x1p-32) - range) * unit;
}

void mg__distortion_draw(mg_distortion *d, const mg_augment *a, uint64_t seed, uint32_t step,
                         uint32_t row)
{
    const double unit = 1.0 / 65536, pixel = 1.0 / 256;
    const mg_philox m = mg__philox(seed, MG_AUGMENT_MATRIX, row, step, MG_AUGMENT_TAG);
    const double t = draw(m.v[0], a->rotation, unit), zoom = draw(m.v[1], a->zoom, unit);
    const double stretch = draw(m.v[2], a->stretch, unit), shear = draw(m.v[3], a->shear, unit);
    const double c = cut((1 - t * t) / (1 + t * t), unit), s = cut(2 * t / (1 + t * t), unit);
    const double wide = 1 + zoom + stretch, high = 1 + zoom - stretch;
    d->m[0][0] = round_down(c * wide, unit);
    d->m[0][1] = round_down(c * shear - s * high, unit);
    d->m[1][0] = round_down(s * wide, unit);
    d->m[1][1] = round_down(s * shear + c * high, unit);
    const mg_philox p = mg__philox(seed, MG_AUGMENT_SHIFT, row, step, MG_AUGMENT_TAG);
    d->shift[0] = draw(p.v[0], a->shift_x, pixel);
    d->shift[1] = draw(p.v[1], a->shift_y, pixel);
    d->stroke = draw(p.v[2], a->stroke, 1.0 / 256);
    d->noise = a->noise * unit;
    for (uint32_t i = 0; i < MG_AUGMENT_POINTS * MG_AUGMENT_POINTS; i++) {
        const mg_philox e = mg__philox(seed, MG_AUGMENT_CONTROL + i, row, step, MG_AUGMENT_TAG);
        d->control[i / MG_AUGMENT_POINTS][i % MG_AUGMENT_POINTS][0] =
            draw(e.v[0], a->elastic_x, pixel);
        d->control[i / MG_AUGMENT_POINTS][i % MG_AUGMENT_POINTS][1] =
            draw(e.v[1], a->elastic_y, pixel);
    }
    d->seed = seed;
    d->step = step;
    d->row = row;
}

/* ---- stroke ---- */

static int clamp(int v, int low, int high) { return v < low ? low : v > high ? high : v; }

/* A pixel of the channel; outside, the nearest one. */
static double at(const uint8_t *channel, mg_shape s, int x, int y)
{
    return channel[(size_t)clamp(y, 0, s.h - 1) * (size_t)s.w + (size_t)clamp(x, 0, s.w - 1)];
}

static double stroked(const mg_distortion *d, const uint8_t *channel, mg_shape s, int x, int y)
{
    const double p = at(channel, s, x, y);
    double most = p, least = p;
    for (int i = 0; i < 4; i++) {
        static const int step[4][2] = {{-1, 0}, {1, 0}, {0, -1}, {0, 1}};
        /* The place is one inside the image, so that its neighbours are its own. */
        const int nx = clamp(x, 0, s.w - 1) + step[i][0], ny = clamp(y, 0, s.h - 1) + step[i][1];
        most = fmax(most, at(channel, s, nx, ny));
        least = fmin(least, at(channel, s, nx, ny));
    }
    return d->stroke > 0 ? p + round_to(d->stroke * (most - p), 1)
                         : p - round_to(-d->stroke * (p - least), 1);
}

/* ---- warp ---- */

/* The uniform cubic B-spline's weights of the four control points around a place u of its cell. */
static void spline(double w[4], double u)
{
    const double grain = 1.0 / 1024, v = 1 - u;
    w[0] = round_down(v * v * v / grain / 6, 1) * grain;
    w[1] = round_down((3 * u * u * u - 6 * u * u + 4) / grain / 6, 1) * grain;
    w[3] = round_down(u * u * u / grain / 6, 1) * grain;
    w[2] = 1 - w[0] - w[1] - w[3];
}

/* d(x, y), in direction k. */
static double displacement(const mg_distortion *d, mg_shape s, int x, int y, int k)
{
    const double pixel = 1.0 / 256;
    const double u = round_down((2 * x + 1) * MG_AUGMENT_CELLS * 128.0 / s.w, 1) / 256;
    const double v = round_down((2 * y + 1) * MG_AUGMENT_CELLS * 128.0 / s.h, 1) / 256;
    const int column = (int)u, line = (int)v;
    double wx[4], wy[4], sum = 0;
    spline(wx, u - column);
    spline(wy, v - line);
    for (int i = 0; i < 4; i++) {
        double down = 0;
        for (int j = 0; j < 4; j++) down += wy[j] * d->control[line + j][column + i][k];
        sum += wx[i] * round_to(down, pixel);
    }
    return round_to(sum, pixel);
}

static double noise(const mg_distortion *d, size_t p)
{
    const uint32_t word =
        mg__philox(d->seed, (uint32_t)(p / 4), d->row, d->step, MG_AUGMENT_NOISE_TAG).v[p % 4];
    const double sum = (word & 255) + (word >> 8 & 255) + (word >> 16 & 255) + (word >> 24);
    return round_to((sum - 510) * d->noise, 1);
}

uint8_t mg__distorted_pixel(const mg_distortion *d, const uint8_t *image, mg_shape s, int c, int x,
                            int y)
{
    const size_t plane = (size_t)s.h * (size_t)s.w;
    const uint8_t *channel = image + (size_t)c * plane;
    const double cx = (s.w - 1) / 2.0, cy = (s.h - 1) / 2.0, dx = x - cx, dy = y - cy;
    const double from_x = cx + d->m[0][0] * dx + d->m[0][1] * dy + d->shift[0];
    const double from_y = cy + d->m[1][0] * dx + d->m[1][1] * dy + d->shift[1];
    const double px = round_to(from_x + displacement(d, s, x, y, 0), 1.0 / 256);
    const double py = round_to(from_y + displacement(d, s, x, y, 1), 1.0 / 256);
    const int x0 = (int)floor(px), y0 = (int)floor(py);
    const double fx = px - x0, fy = py - y0;
    const double upper =
        (1 - fx) * stroked(d, channel, s, x0, y0) + fx * stroked(d, channel, s, x0 + 1, y0);
    const double lower =
        (1 - fx) * stroked(d, channel, s, x0, y0 + 1) + fx * stroked(d, channel, s, x0 + 1, y0 + 1);
    const double value = round_to((1 - fy) * upper + fy * lower, 1);
    const size_t p = (size_t)c * plane + (size_t)y * (size_t)s.w + (size_t)x;
    return (uint8_t)fmin(fmax(value + noise(d, p), 0), 255);
}
