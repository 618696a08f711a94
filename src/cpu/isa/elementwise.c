/* One number after another: the compiler makes these vectors. */
#include "cpu/kernels.h"
#include "cpu/isa/vector.h"
#include <math.h>

static void adam(const mg_update *u, size_t first, size_t count, const float *restrict g,
                 float rate, float scale)
{
    float *restrict w = u->w + first, *restrict m = u->slots[0] + first;
    float *restrict v = u->slots[1] + first;
    const float b1 = u->beta1, b2 = u->beta2, eps = u->eps;
    for (size_t i = 0; i < count; i++) {
        m[i] += (1 - b1) * (g[i] - m[i]);
        v[i] = b2 * v[i] + (1 - b2) * g[i] * g[i];
        w[i] -= rate * m[i] / (sqrtf(v[i]) * scale + eps);
    }
}

static void sgd(const mg_update *u, size_t first, size_t count, const float *restrict g, float rate,
                float scale)
{
    float *restrict w = u->w + first, *restrict buf = u->slots[0] + first;
    const float momentum = u->momentum, lr = u->state->lr;
    (void)rate;
    (void)scale;
    for (size_t i = 0; i < count; i++) {
        buf[i] = momentum * buf[i] + g[i]; /* buf starts at 0 */
        w[i] -= lr * buf[i];
    }
}

static void relu_forward(float *restrict y, const float *restrict x, size_t count)
{
    for (size_t i = 0; i < count; i++) y[i] = x[i] <= 0 ? 0 : x[i];
}

static void relu_backward(float *restrict dx, const float *restrict dy, const float *restrict y,
                          size_t count)
{
    for (size_t i = 0; i < count; i++) dx[i] = y[i] > 0 ? dy[i] : 0;
}

static void normalise(float *restrict y, const uint8_t *restrict pixels, size_t count, float scale,
                      float shift)
{
    for (size_t i = 0; i < count; i++) y[i] = (float)pixels[i] * scale + shift;
}

const mg_cpu_element_kernels KERNEL(element) = {
    .adam = adam,
    .sgd = sgd,
    .relu_forward = relu_forward,
    .relu_backward = relu_backward,
    .normalise = normalise,
};
