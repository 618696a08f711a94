/* maxpool size=S stride=S: the maximum of each SxS window, without padding.
 *
 *     y[n][c][p][q] = max_{r,s} x[n][c][p*stride + r][q*stride + s]
 *     dx            = dy at each window's maximum, the first of equals in row order; windows that
 * overlap add
 * (pool.c has the number of windows). */
#include "layers/layer.h"
#include <string.h>

const mg_layer_type mg_type_maxpool = {
    .name = "maxpool", .args = mg__pool_args, .arg_count = MG_POOL_ARGS, .infer = mg__pool_infer};

/* Offset in x's plane of the maximum of window (p, q). A NaN is a maximum, so that it is seen. */
static size_t argmax(const mg_op *op, const float *x, int p, int q)
{
    const struct mg_pool_args *a = &op->layer->args.pool;
    const size_t w = (size_t)op->layer->in.w;
    size_t best = (size_t)(p * a->stride) * w + (size_t)(q * a->stride);
    for (int r = 0; r < a->size; r++)
        for (int s = 0; s < a->size; s++) {
            const size_t i = (size_t)(p * a->stride + r) * w + (size_t)(q * a->stride + s);
            if (x[i] > x[best] || x[i] != x[i]) best = i;
        }
    return best;
}

static mg_status forward(mg_op *op)
{
    const mg_shape in = op->layer->in, out = op->layer->out;
    float *y = op->y;
    for (int plane = 0; plane < op->batch * in.c; plane++) {
        const float *x = op->x + (size_t)plane * (size_t)(in.h * in.w);
        for (int p = 0; p < out.h; p++)
            for (int q = 0; q < out.w; q++) *y++ = x[argmax(op, x, p, q)];
    }
    return MG_OK;
}

static mg_status backward(mg_op *op)
{
    const mg_shape in = op->layer->in, out = op->layer->out;
    const float *dy = op->dy;
    if (!op->dx) return MG_OK;
    memset(op->dx, 0, mg_shape_size(in) * (size_t)op->batch * sizeof *op->dx);
    for (int plane = 0; plane < op->batch * in.c; plane++) {
        const size_t base = (size_t)plane * (size_t)(in.h * in.w);
        for (int p = 0; p < out.h; p++)
            for (int q = 0; q < out.w; q++) op->dx[base + argmax(op, op->x + base, p, q)] += *dy++;
    }
    return MG_OK;
}

const mg_layer_ops mg_ref_maxpool = {.forward = forward, .backward = backward};
