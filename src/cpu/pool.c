/* maxpool and avgpool: both walk over planes, a channel of an image each, and differ in what they
 * do with a window. */
#include "cpu/cpu.h"
#include <string.h>

/* A plane with windows of `size`, which is a constant where these are inlined for the usual 2x2, so
 * that the window is unrolled. */
typedef void forward_fn(const mg_layer *l, int size, float *y, const float *x);
typedef void backward_fn(const mg_layer *l, int size, float *dx, const float *x, const float *dy);

#define INLINE static inline __attribute__((always_inline))

/* ---- maxpool ---- */

/* Offset in a plane, from the window's corner, of the window's maximum: the first of equals; NaN
 * wins. */
INLINE int argmax(const float *x, int size, int width)
{
    int best = 0;
    for (int r = 0; r < size; r++)
        for (int s = 0; s < size; s++) {
            const int i = r * width + s;
            if (x[i] > x[best] || x[i] != x[i]) best = i;
        }
    return best;
}

INLINE void max_forward(const mg_layer *l, int size, float *y, const float *x)
{
    const int stride = l->args.pool.stride;
    for (int p = 0; p < l->out.h; p++)
        for (int q = 0; q < l->out.w; q++) {
            const float *window = x + (long)(p * stride) * l->in.w + q * stride;
            *y++ = window[argmax(window, size, l->in.w)];
        }
}

INLINE void max_backward(const mg_layer *l, int size, float *dx, const float *x, const float *dy)
{
    const int stride = l->args.pool.stride;
    for (int p = 0; p < l->out.h; p++)
        for (int q = 0; q < l->out.w; q++) {
            const long corner = (long)(p * stride) * l->in.w + q * stride;
            dx[corner + argmax(x + corner, size, l->in.w)] += *dy++;
        }
}

/* ---- avgpool ---- */

INLINE void avg_forward(const mg_layer *l, int size, float *y, const float *x)
{
    const int stride = l->args.pool.stride, width = l->in.w;
    for (int p = 0; p < l->out.h; p++)
        for (int q = 0; q < l->out.w; q++) {
            const float *window = x + (long)(p * stride) * width + q * stride;
            float sum = 0;
            for (int r = 0; r < size; r++)
                for (int s = 0; s < size; s++) sum += window[r * width + s];
            *y++ = sum / (float)(size * size);
        }
}

INLINE void avg_backward(const mg_layer *l, int size, float *dx, const float *x, const float *dy)
{
    const int stride = l->args.pool.stride, width = l->in.w;
    (void)x;
    for (int p = 0; p < l->out.h; p++)
        for (int q = 0; q < l->out.w; q++) {
            float *window = dx + (long)(p * stride) * width + q * stride;
            const float share = *dy++ / (float)(size * size);
            for (int r = 0; r < size; r++)
                for (int s = 0; s < size; s++) window[r * width + s] += share;
        }
}

/* ---- planes ---- */

INLINE void forward_planes(const mg_op *op, long first, long end, forward_fn *plane)
{
    const mg_layer *l = op->layer;
    const int size = l->args.pool.size;
    const long in = (long)l->in.h * l->in.w, out = (long)l->out.h * l->out.w;
    for (long i = first; i < end; i++) {
        if (size == 2)
            plane(l, 2, op->y + i * out, op->x + i * in);
        else
            plane(l, size, op->y + i * out, op->x + i * in);
    }
}

INLINE void backward_planes(const mg_op *op, long first, long end, backward_fn *plane)
{
    const mg_layer *l = op->layer;
    const int size = l->args.pool.size;
    const long in = (long)l->in.h * l->in.w, out = (long)l->out.h * l->out.w;
    for (long i = first; i < end; i++) {
        float *dx = op->dx + i * in;
        memset(dx, 0, (size_t)in * sizeof *dx);
        if (size == 2)
            plane(l, 2, dx, op->x + i * in, op->dy + i * out);
        else
            plane(l, size, dx, op->x + i * in, op->dy + i * out);
    }
}

/* ---- the layers ---- */

#define POOL(name)                                                                                 \
    static void name##_forward_share(void *op, int thread, long first, long end)                   \
    {                                                                                              \
        (void)thread;                                                                              \
        forward_planes(op, first, end, name##_forward);                                            \
    }                                                                                              \
    static void name##_backward_share(void *op, int thread, long first, long end)                  \
    {                                                                                              \
        (void)thread;                                                                              \
        backward_planes(op, first, end, name##_backward);                                          \
    }                                                                                              \
    static mg_status forward_##name(mg_op *op)                                                     \
    {                                                                                              \
        mg__team_for(mg__cpu_of(op)->team, (long)op->batch * op->layer->in.c,                      \
                     name##_forward_share, op);                                                    \
        return MG_OK;                                                                              \
    }                                                                                              \
    static mg_status backward_##name(mg_op *op)                                                    \
    {                                                                                              \
        if (op->dx)                                                                                \
            mg__team_for(mg__cpu_of(op)->team, (long)op->batch * op->layer->in.c,                  \
                         name##_backward_share, op);                                               \
        return MG_OK;                                                                              \
    }                                                                                              \
    const mg_layer_ops mg_cpu_##name##pool = {.forward = forward_##name,                           \
                                              .backward = backward_##name};
POOL(max)
POOL(avg)
