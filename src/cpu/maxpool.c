#include "cpu/cpu.h"
#include <string.h>

/* Offset in a plane, from the window's corner, of the window's maximum: the first of equals; NaN
 * wins. */
static inline int argmax(const float *x, int size, int width)
{
    int best = 0;
    for (int r = 0; r < size; r++)
        for (int s = 0; s < size; s++) {
            const int i = r * width + s;
            if (x[i] > x[best] || x[i] != x[i]) best = i;
        }
    return best;
}

/* `size` is a constant where these are inlined for the usual 2x2, and the window is unrolled. */
static inline void forward_plane(const mg_layer *l, int size, float *y, const float *x)
{
    const int stride = l->args.pool.stride;
    for (int p = 0; p < l->out.h; p++)
        for (int q = 0; q < l->out.w; q++) {
            const float *window = x + (long)(p * stride) * l->in.w + q * stride;
            *y++ = window[argmax(window, size, l->in.w)];
        }
}

static inline void backward_plane(const mg_layer *l, int size, float *dx, const float *x,
                                  const float *dy)
{
    const int stride = l->args.pool.stride;
    memset(dx, 0, (size_t)(l->in.h * l->in.w) * sizeof *dx);
    for (int p = 0; p < l->out.h; p++)
        for (int q = 0; q < l->out.w; q++) {
            const long corner = (long)(p * stride) * l->in.w + q * stride;
            dx[corner + argmax(x + corner, size, l->in.w)] += *dy++;
        }
}

static void forward_planes(void *ctx, int thread, long first, long end)
{
    const mg_op *op = ctx;
    const mg_layer *l = op->layer;
    const int size = l->args.pool.size;
    const long in = (long)l->in.h * l->in.w, out = (long)l->out.h * l->out.w;
    (void)thread;
    for (long i = first; i < end; i++) {
        if (size == 2)
            forward_plane(l, 2, op->y + i * out, op->x + i * in);
        else
            forward_plane(l, size, op->y + i * out, op->x + i * in);
    }
}

static void backward_planes(void *ctx, int thread, long first, long end)
{
    const mg_op *op = ctx;
    const mg_layer *l = op->layer;
    const int size = l->args.pool.size;
    const long in = (long)l->in.h * l->in.w, out = (long)l->out.h * l->out.w;
    (void)thread;
    for (long i = first; i < end; i++) {
        if (size == 2)
            backward_plane(l, 2, op->dx + i * in, op->x + i * in, op->dy + i * out);
        else
            backward_plane(l, size, op->dx + i * in, op->x + i * in, op->dy + i * out);
    }
}

static mg_status forward(mg_op *op)
{
    mg__team_for(mg__cpu_of(op)->team, (long)op->batch * op->layer->in.c, forward_planes, op);
    return MG_OK;
}

static mg_status backward(mg_op *op)
{
    if (op->dx)
        mg__team_for(mg__cpu_of(op)->team, (long)op->batch * op->layer->in.c, backward_planes, op);
    return MG_OK;
}

const mg_layer_ops mg_cpu_maxpool = {.forward = forward, .backward = backward};
