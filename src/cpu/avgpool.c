#include "cpu/cpu.h"
#include <string.h>

/* `size` is a constant where these are inlined for the usual 2x2, and the window is unrolled. */
static inline void forward_plane(const mg_layer *l, int size, float *y, const float *x)
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

static inline void backward_plane(const mg_layer *l, int size, float *dx, const float *dy)
{
    const int stride = l->args.pool.stride, width = l->in.w;
    memset(dx, 0, (size_t)(l->in.h * width) * sizeof *dx);
    for (int p = 0; p < l->out.h; p++)
        for (int q = 0; q < l->out.w; q++) {
            float *window = dx + (long)(p * stride) * width + q * stride;
            const float share = *dy++ / (float)(size * size);
            for (int r = 0; r < size; r++)
                for (int s = 0; s < size; s++) window[r * width + s] += share;
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
            backward_plane(l, 2, op->dx + i * in, op->dy + i * out);
        else
            backward_plane(l, size, op->dx + i * in, op->dy + i * out);
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

const mg_layer_ops mg_cpu_avgpool = {.forward = forward, .backward = backward};
