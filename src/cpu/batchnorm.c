/* Batch normalisation, a channel at a time. What forward has measured of the batch is kept for
 * backward. */
#include "cpu/cpu.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct measured {
    float mean, inv; /* 1 / sqrt(var + eps) */
} measured;

static mg_status prepare(mg_op *op)
{
    op->impl = calloc((size_t)op->layer->in.c, sizeof(measured));
    return op->impl ? MG_OK : mg__fail(MG_ERR_MEMORY, "out of memory");
}

static void release(mg_op *op)
{
    free(op->impl);
    op->impl = NULL;
}

/* A channel of the first `images` rows. */
static mg_cpu_channel channel_of(const mg_op *op, int images)
{
    const mg_shape s = op->layer->in;
    return (mg_cpu_channel){
        .images = images, .step = (long)mg_shape_size(s), .size = (long)s.h * s.w};
}

static measured measure(const mg_op *op, long c)
{
    const mg_cpu_norm_kernels *kernels = mg__cpu_of(op)->isa->norm;
    const struct mg_batchnorm_args *a = &op->layer->args.batchnorm;
    const mg_cpu_channel v = channel_of(op, (int)mg_step_rows(op->feed->state));
    const float *x = op->x + c * v.size;
    const double count = (double)v.images * (double)v.size;
    if (count == 0) return (measured){.inv = (float)(1 / sqrt(a->eps))}; /* past the epoch's end */
    const float mean = (float)(kernels->sum(&v, x) / count);
    const double var = kernels->squares(&v, x, mean) / count;
    float *running_mean = &op->running_mean[c], *running_var = &op->running_var[c];
    *running_mean += (float)a->momentum * (mean - *running_mean);
    if (count > 1)
        *running_var += (float)(a->momentum * (count / (count - 1) * var - *running_var));
    return (measured){mean, (float)(1 / sqrt(var + a->eps))};
}

static void forward_channels(void *ctx, int thread, long first, long end)
{
    const mg_op *op = ctx;
    const mg_cpu_norm_kernels *kernels = mg__cpu_of(op)->isa->norm;
    const mg_cpu_channel v = channel_of(op, op->batch);
    const double eps = op->layer->args.batchnorm.eps;
    (void)thread;
    for (long c = first; c < end; c++) {
        measured m;
        if (op->training)
            m = ((measured *)op->impl)[c] = measure(op, c);
        else
            m = (measured){op->running_mean[c], (float)(1 / sqrt(op->running_var[c] + eps))};
        kernels->normalise(&v, op->y + c * v.size, op->x + c * v.size, m.mean, op->w[c] * m.inv,
                           op->b[c]);
    }
}

static void backward_channels(void *ctx, int thread, long first, long end)
{
    const mg_op *op = ctx;
    const mg_cpu_norm_kernels *kernels = mg__cpu_of(op)->isa->norm;
    const mg_cpu_channel v = channel_of(op, (int)mg_step_rows(op->feed->state));
    const double count = (double)v.images * (double)v.size;
    (void)thread;
    for (long c = first; c < end; c++) {
        const measured m = ((const measured *)op->impl)[c];
        const float *x = op->x + c * v.size, *dy = op->dy + c * v.size;
        double sum_dy, sum_dy_x;
        kernels->products(&v, dy, x, m.mean, &sum_dy, &sum_dy_x);
        op->dw[c] = (float)(sum_dy_x * m.inv);
        op->db[c] = (float)sum_dy;
        if (!op->dx) continue;
        float *dx = op->dx + c * v.size;
        kernels->gradient(&v, dx, dy, x, m.mean, op->w[c] * m.inv,
                          (float)(sum_dy_x * m.inv * m.inv / count), (float)(sum_dy / count));
        for (long n = v.images; n < op->batch; n++)
            memset(dx + n * v.step, 0, (size_t)v.size * sizeof *dx);
    }
}

static mg_status forward(mg_op *op)
{
    mg__team_for(mg__cpu_of(op)->team, op->layer->in.c, forward_channels, op);
    return MG_OK;
}

static mg_status backward(mg_op *op)
{
    mg__team_for(mg__cpu_of(op)->team, op->layer->in.c, backward_channels, op);
    return MG_OK;
}

const mg_layer_ops mg_cpu_batchnorm = {
    .prepare = prepare, .forward = forward, .backward = backward, .release = release};
