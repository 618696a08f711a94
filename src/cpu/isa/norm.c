/* Batch normalisation's sums and maps over one channel: lanes within a plane, doubles across
 * planes, always in the same order. */
#include "cpu/kernels.h"
#include "cpu/isa/vector.h"

static double sum(const mg_cpu_channel *v, const float *x)
{
    double total = 0;
    for (long n = 0; n < v->images; n++, x += v->step) {
        vec lanes = {0};
        float rest = 0;
        long i = 0;
        for (; i + WIDTH <= v->size; i += WIDTH) lanes += load(x + i);
        for (; i < v->size; i++) rest += x[i];
        total += sum_lanes(lanes) + rest;
    }
    return total;
}

static double squares(const mg_cpu_channel *v, const float *x, float mean)
{
    double total = 0;
    for (long n = 0; n < v->images; n++, x += v->step) {
        vec lanes = {0};
        float rest = 0;
        long i = 0;
        for (; i + WIDTH <= v->size; i += WIDTH) {
            const vec d = load(x + i) - mean;
            lanes += d * d;
        }
        for (; i < v->size; i++) rest += (x[i] - mean) * (x[i] - mean);
        total += sum_lanes(lanes) + rest;
    }
    return total;
}

static void products(const mg_cpu_channel *v, const float *dy, const float *x, float mean,
                     double *sum_dy, double *sum_dy_x)
{
    *sum_dy = *sum_dy_x = 0;
    for (long n = 0; n < v->images; n++, dy += v->step, x += v->step) {
        vec lanes = {0}, lanes_x = {0};
        float rest = 0, rest_x = 0;
        long i = 0;
        for (; i + WIDTH <= v->size; i += WIDTH) {
            const vec g = load(dy + i);
            lanes += g;
            lanes_x += g * (load(x + i) - mean);
        }
        for (; i < v->size; i++) {
            rest += dy[i];
            rest_x += dy[i] * (x[i] - mean);
        }
        *sum_dy += sum_lanes(lanes) + rest;
        *sum_dy_x += sum_lanes(lanes_x) + rest_x;
    }
}

static void normalise(const mg_cpu_channel *v, float *restrict y, const float *restrict x,
                      float mean, float scale, float shift)
{
    for (long n = 0; n < v->images; n++, y += v->step, x += v->step)
        for (long i = 0; i < v->size; i++) y[i] = (x[i] - mean) * scale + shift;
}

static void gradient(const mg_cpu_channel *v, float *restrict dx, const float *restrict dy,
                     const float *restrict x, float mean, float scale, float per_x, float shift)
{
    for (long n = 0; n < v->images; n++, dx += v->step, dy += v->step, x += v->step)
        for (long i = 0; i < v->size; i++) dx[i] = scale * (dy[i] - shift - (x[i] - mean) * per_x);
}

const mg_cpu_norm_kernels KERNEL(norm) = {.sum = sum,
                                          .squares = squares,
                                          .products = products,
                                          .normalise = normalise,
                                          .gradient = gradient};
