/* avgpool size=S stride=S: the mean of each SxS window, without padding.
 *
 *     y[n][c][p][q]  = 1 / S^2 sum_{r,s} x[n][c][p*stride + r][q*stride + s]
 *     dx[n][c][i][j] = 1 / S^2 sum of dy over the windows that (i, j) is in
 *
 * As many windows as maxpool has (pool.c). */
#include "layers/layer.h"

const mg_layer_type mg_type_avgpool = {
    .name = "avgpool", .args = mg__pool_args, .arg_count = MG_POOL_ARGS, .infer = mg__pool_infer};

static double mean(const mg_op *op, const float *x, int p, int q)
{
    const struct mg_pool_args *a = &op->layer->args.pool;
    double sum = 0;
    for (int r = 0; r < a->size; r++)
        for (int s = 0; s < a->size; s++)
            sum += x[(long)(p * a->stride + r) * op->layer->in.w + q * a->stride + s];
    return sum / (a->size * a->size);
}

static mg_status forward(mg_op *op)
{
    const mg_shape in = op->layer->in, out = op->layer->out;
    float *y = op->y;
    for (int plane = 0; plane < op->batch * in.c; plane++) {
        const float *x = op->x + (size_t)plane * (size_t)(in.h * in.w);
        for (int p = 0; p < out.h; p++)
            for (int q = 0; q < out.w; q++) *y++ = (float)mean(op, x, p, q);
    }
    return MG_OK;
}

/* The windows of size `size` and number `count` that place i is in: first to last. */
static void windows_of(int i, int size, int stride, int count, int *first, int *last)
{
    *first = i < size ? 0 : (i - size) / stride + 1;
    *last = i / stride < count ? i / stride : count - 1;
}

static double data_gradient(const mg_op *op, const float *dy, int i, int j)
{
    const struct mg_pool_args *a = &op->layer->args.pool;
    const mg_shape out = op->layer->out;
    int top, bottom, left, right;
    double sum = 0;
    windows_of(i, a->size, a->stride, out.h, &top, &bottom);
    windows_of(j, a->size, a->stride, out.w, &left, &right);
    for (int p = top; p <= bottom; p++)
        for (int q = left; q <= right; q++) sum += dy[(long)p * out.w + q];
    return sum / (a->size * a->size);
}

static mg_status backward(mg_op *op)
{
    const mg_shape in = op->layer->in, out = op->layer->out;
    float *dx = op->dx;
    if (!dx) return MG_OK;
    for (int plane = 0; plane < op->batch * in.c; plane++) {
        const float *dy = op->dy + (size_t)plane * (size_t)(out.h * out.w);
        for (int i = 0; i < in.h; i++)
            for (int j = 0; j < in.w; j++) *dx++ = (float)data_gradient(op, dy, i, j);
    }
    return MG_OK;
}

const mg_layer_ops mg_ref_avgpool = {.forward = forward, .backward = backward};
