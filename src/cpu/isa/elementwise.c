/* One number after another: the compiler makes these vectors. */
#include "cpu/kernels.h"
#include "cpu/isa/vector.h"
#include <math.h>

/* The gradient that the optimizer sees: clipped, and with L2 decay. A NaN stays one. */
static inline float gradient(mg_cpu_updater u, float dw, float w)
{
    const float g = dw * u.factor;
    return (g > u.limit ? u.limit : g < -u.limit ? -u.limit : g) + u.l2 * w;
}

/* AdamW too, where keep is not 1. */
static void adam(const mg_cpu_updater *updater, size_t first, size_t count,
                 const float *restrict dw)
{
    const mg_cpu_updater u = *updater;
    float *restrict w = u.update->w + first, *restrict m = u.update->slots[0] + first;
    float *restrict v = u.update->slots[1] + first;
    const float b1 = u.update->spec.beta1, b2 = u.update->spec.beta2, eps = u.update->spec.eps;
    for (size_t i = 0; i < count; i++) {
        const float g = gradient(u, dw[i], w[i]);
        m[i] += (1 - b1) * (g - m[i]);
        v[i] = b2 * v[i] + (1 - b2) * g * g;
        w[i] = u.keep * w[i] - u.rate * m[i] / (sqrtf(v[i]) * u.scale + eps);
    }
}

static void sgd(const mg_cpu_updater *updater, size_t first, size_t count, const float *restrict dw)
{
    const mg_cpu_updater u = *updater;
    float *restrict w = u.update->w + first, *restrict buf = u.update->slots[0] + first;
    const float momentum = u.update->spec.momentum;
    const bool nesterov = u.update->spec.nesterov;
    for (size_t i = 0; i < count; i++) {
        const float g = gradient(u, dw[i], w[i]);
        buf[i] = momentum * buf[i] + g; /* buf starts at 0 */
        w[i] -= u.lr * (nesterov ? g + momentum * buf[i] : buf[i]);
    }
}

static void rmsprop(const mg_cpu_updater *updater, size_t first, size_t count,
                    const float *restrict dw)
{
    const mg_cpu_updater u = *updater;
    float *restrict w = u.update->w + first, *restrict v = u.update->slots[0] + first;
    const float rho = u.update->spec.rho, eps = u.update->spec.eps;
    for (size_t i = 0; i < count; i++) {
        const float g = gradient(u, dw[i], w[i]);
        v[i] = rho * v[i] + (1 - rho) * g * g;
        w[i] -= u.lr * g / (sqrtf(v[i]) + eps);
    }
}

/* Sums side by side, so that they fit vectors. */
static double sum_squares(const float *restrict x, size_t count)
{
    enum { SIDE = 16 };
    double sums[SIDE] = {0}, sum = 0;
    for (size_t i = 0; i < count; i += SIDE)
        for (size_t k = 0; k < SIDE; k++) sums[k] += (double)x[i + k] * x[i + k];
    for (size_t k = 0; k < SIDE; k++) sum += sums[k];
    return sum;
}

/* Forward and backward of an activation. value: y, of v = x. gradient: dx, of v = y and g = dy. */
#define ACTIVATION(name, value, gradient)                                                          \
    static void name##_forward(float *restrict y, const float *restrict x, size_t count,           \
                               const mg_layer_args *args)                                          \
    {                                                                                              \
        (void)args;                                                                                \
        for (size_t i = 0; i < count; i++) {                                                       \
            const float v = x[i];                                                                  \
            y[i] = (value);                                                                        \
        }                                                                                          \
    }                                                                                              \
    static void name##_backward(float *restrict dx, const float *restrict dy,                      \
                                const float *restrict y, size_t count, const mg_layer_args *args)  \
    {                                                                                              \
        (void)args;                                                                                \
        for (size_t i = 0; i < count; i++) {                                                       \
            const float v = y[i], g = dy[i];                                                       \
            dx[i] = (gradient);                                                                    \
        }                                                                                          \
    }

ACTIVATION(relu, v <= 0 ? 0 : v, v > 0 ? g : 0)
ACTIVATION(leaky_relu, v > 0 ? v : (float)args->leaky_relu.slope * v,
           v > 0 ? g : (float)args->leaky_relu.slope * g)
ACTIVATION(tanh, tanhf(v), g *(1 - v * v))
ACTIVATION(sigmoid, 1 / (1 + expf(-v)), g *v *(1 - v))

static void normalise(float *restrict y, const uint8_t *restrict pixels, size_t count, float scale,
                      float shift)
{
    for (size_t i = 0; i < count; i++) y[i] = (float)pixels[i] * scale + shift;
}

const mg_cpu_element_kernels KERNEL(element) = {
    .adam = adam,
    .sgd = sgd,
    .rmsprop = rmsprop,
    .sum_squares = sum_squares,
    .relu = {relu_forward, relu_backward},
    .leaky_relu = {leaky_relu_forward, leaky_relu_backward},
    .tanh = {tanh_forward, tanh_backward},
    .sigmoid = {sigmoid_forward, sigmoid_backward},
    .normalise = normalise,
};
