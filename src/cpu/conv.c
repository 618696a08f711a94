/* Convolution as matrix products over "columns": for one image, columns[(c,r,s)][(p,q)] is the
 * pixel that tap (c,r,s) reads for output (p,q), and then
 *
 *     y = w columns + b        dw = dy columns^T        dcolumns = w^T dy, added back to dx
 *
 * Threads take images. The weight gradient is summed per shard of the batch, a fixed eighth of it,
 * and the shards are added in order: the same sums for any number of threads. (Chellapilla et al.
 * 2006.) */
#include "cpu/cpu.h"
#include <stdlib.h>
#include <string.h>

enum { SHARDS = 8 };

typedef struct conv {
    mg_cpu_windows windows;
    int pad, k, taps, area; /* taps = c*r*r, area = p*q */
    size_t padded_size;     /* floats of one padded image */
    size_t columns_size;    /* floats of one image's columns */
    float *scratch;         /* [threads]: a padded image and columns, slack after each */
    int shard_count;
    size_t shard_size; /* floats of dw and db */
    float *shards;     /* [shard_count][shard_size]; only when training */
} conv;

/* This thread's padded image; its columns follow. */
static float *padded_image(const conv *v)
{
    const size_t each = v->padded_size + v->columns_size + 2 * MG_CPU_SLACK;
    return v->scratch + (size_t)mg__cpu_thread() * each;
}

static float *image_columns(const conv *v)
{
    return padded_image(v) + v->padded_size + MG_CPU_SLACK;
}

/* Copies the image between its own buffer and the middle of the padded one. */
static void copy_rows(const conv *v, float *to, long to_w, const float *from, long from_w)
{
    const size_t bytes = (size_t)(v->windows.w - 2 * v->pad) * sizeof *to;
    const long to_gap = to_w > from_w ? 2 * v->pad * to_w : 0;
    const long from_gap = from_w > to_w ? 2 * v->pad * from_w : 0;
    for (int c = 0; c < v->windows.c; c++, to += to_gap, from += from_gap)
        for (int i = 0; i < v->windows.h - 2 * v->pad; i++, to += to_w, from += from_w)
            memcpy(to, from, bytes);
}

static void make_columns(const mg_op *op, const conv *v, int n)
{
    const float *x = op->x + (size_t)n * mg_shape_size(op->layer->in);
    float *padded = padded_image(v);
    memset(padded, 0, v->padded_size * sizeof *padded);
    copy_rows(v, padded + (long)v->pad * (v->windows.w + 1), v->windows.w, x, op->layer->in.w);
    mg__cpu_of(op)->kernels->to_columns(&v->windows, image_columns(v), padded);
}

static void add_columns(const mg_op *op, const conv *v, int n)
{
    float *dx = op->dx + (size_t)n * mg_shape_size(op->layer->in), *sums = padded_image(v);
    mg__cpu_of(op)->kernels->from_columns(&v->windows, sums, image_columns(v));
    copy_rows(v, dx, op->layer->in.w, sums + (long)v->pad * (v->windows.w + 1), v->windows.w);
}

/* ---- the layer ---- */

static mg_status prepare(mg_op *op)
{
    const mg_layer *l = op->layer;
    const int threads = mg__cpu_of(op)->threads;
    conv *v = calloc(1, sizeof *v);
    if (!v) return mg__fail(MG_ERR_MEMORY, "out of memory");
    v->pad = mg__conv_pad(l);
    v->windows = (mg_cpu_windows){.c = l->in.c,
                                  .h = l->in.h + 2 * v->pad,
                                  .w = l->in.w + 2 * v->pad,
                                  .r = l->args.conv.kernel,
                                  .p = l->out.h,
                                  .q = l->out.w,
                                  .stride = l->args.conv.stride};
    v->k = l->out.c;
    v->taps = l->in.c * l->args.conv.kernel * l->args.conv.kernel;
    v->area = l->out.h * l->out.w;
    v->padded_size = (size_t)v->windows.c * (size_t)v->windows.h * (size_t)v->windows.w;
    v->columns_size = (size_t)v->taps * (size_t)v->area;
    v->shard_size = (size_t)v->k * (size_t)v->taps + (size_t)v->k;
    v->shard_count = op->batch < SHARDS ? op->batch : SHARDS;
    const size_t scratch = (size_t)threads * (v->padded_size + v->columns_size + 2 * MG_CPU_SLACK);
    v->scratch = malloc(scratch * sizeof(float));
    if (op->training) v->shards = malloc((size_t)v->shard_count * v->shard_size * sizeof(float));
    op->impl = v;
    if (!v->scratch || (op->training && !v->shards))
        return mg__fail(MG_ERR_MEMORY, "out of memory: %zu bytes needed for convolution",
                        scratch * sizeof(float));
    return MG_OK;
}

static void release(mg_op *op)
{
    conv *v = op->impl;
    free(v->scratch);
    free(v->shards);
    free(v);
}

static mg_status forward(mg_op *op)
{
    const mg_cpu *cpu = mg__cpu_of(op);
    const conv *v = op->impl;
    const size_t out = mg_shape_size(op->layer->out);
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (int n = 0; n < op->batch; n++) {
        make_columns(op, v, n);
        cpu->kernels->gemm_nn(v->k, v->area, v->taps, op->w, v->taps, 1, image_columns(v), v->area,
                              op->y + (size_t)n * out, v->area, op->b);
    }
    return MG_OK;
}

/* One image: its part of dw and db is added to the shard, its dx is written. */
static void backward_image(const mg_op *op, const conv *v, int n, float *shard, bool first)
{
    const mg_cpu *cpu = mg__cpu_of(op);
    const float *dy = op->dy + (size_t)n * mg_shape_size(op->layer->out);
    float *columns = image_columns(v);
    float *db = shard + (size_t)v->k * (size_t)v->taps;
    make_columns(op, v, n);
    cpu->kernels->gemm_nt(v->k, v->taps, v->area, dy, v->area, columns, v->area, shard, v->taps,
                          NULL, !first);
    for (int k = 0; k < v->k; k++)
        db[k] = (first ? 0 : db[k]) +
                cpu->kernels->sum(dy + (size_t)k * (size_t)v->area, (size_t)v->area);
    if (!op->dx) return;
    cpu->kernels->gemm_nn(v->taps, v->area, v->k, op->w, 1, v->taps, dy, v->area, columns, v->area,
                          NULL);
    add_columns(op, v, n);
}

static mg_status backward(mg_op *op)
{
    const mg_cpu *cpu = mg__cpu_of(op);
    const conv *v = op->impl;
    const long weights = (long)v->k * v->taps, all = (long)v->shard_size;
#pragma omp parallel num_threads(cpu->threads)
    {
#pragma omp for schedule(static)
        for (int s = 0; s < v->shard_count; s++) {
            const int first = (int)((long)s * op->batch / v->shard_count);
            const int end = (int)((long)(s + 1) * op->batch / v->shard_count);
            float *shard = v->shards + (size_t)s * v->shard_size;
            for (int n = first; n < end; n++) backward_image(op, v, n, shard, n == first);
        }
#pragma omp for schedule(static)
        for (long i = 0; i < all; i++) {
            float sum = 0;
            for (int s = 0; s < v->shard_count; s++) sum += v->shards[s * all + i];
            if (i < weights)
                op->dw[i] = sum;
            else
                op->db[i - weights] = sum;
        }
    }
    return MG_OK;
}

const mg_layer_ops mg_cpu_conv = {
    .prepare = prepare, .forward = forward, .backward = backward, .release = release};
