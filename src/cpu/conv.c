/* Convolution, alone or with the ReLU and the 2x2 max-pool that follow it as one stage.
 *
 * Work goes block by block: as many images as a vector has lanes, brought into a layout where a
 * vector holds one pixel of each ("lanes", cpu/kernels.h), so that every shape runs at full width.
 * Bringing a block there and back costs a few percent of the arithmetic.
 *
 *   forward    items (block, some output channels); pooled and rectified before they are stored
 *   dx         the same kernel over dy, with the weights' taps in reverse: items (block, some
 *              input channels)
 *   dw, db     items (some output channels, some input channels); each thread walks over all
 *              blocks for its own, so that no sum depends on the number of threads
 *
 * Behind a ReLU or a pool, where most gradients are zero, backward is another: conv_sparse.c. */
#include "cpu/conv.h"
#include <stdlib.h>
#include <string.h>

/* One thread's scratch. */
typedef struct scratch {
    float *x, *dy, *y;
} scratch;

static scratch scratch_of(const mg_conv *v, int thread)
{
    scratch l;
    l.x = v->memory + (size_t)thread * (v->x_size + v->dy_size + v->y_size);
    l.dy = l.x + v->x_size;
    l.y = l.dy + v->dy_size;
    return l;
}

/* `count` things in groups of at most `most`, as equal as can be: how many groups, and where group
 * i begins. */
static int groups(int count, int most) { return (count + most - 1) / most; }
static int group_first(int count, int most, long i)
{
    return (int)((long)count * i / groups(count, most));
}

static int rows_of(const mg_conv *v, int block)
{
    const int left = v->batch - block * v->k->lanes;
    return left < v->k->lanes ? left : v->k->lanes;
}

/* ---- geometry ---- */

static void set_geometry(mg_conv *v, const mg_layer *l)
{
    const int size = l->args.conv.kernel, stride = l->args.conv.stride, pad = mg__conv_pad(l);
    const int area = size * size, around = size - 1 - pad;
    v->out = (mg_cpu_correlation){.channels = l->in.c,
                                  .size = size,
                                  .stride = stride,
                                  .x_height = l->in.h + 2 * pad,
                                  .x_width = l->in.w + 2 * pad,
                                  .rows = {pad, pad + l->in.h},
                                  .columns = {pad, pad + l->in.w},
                                  .height = l->out.h,
                                  .width = l->out.w,
                                  .w_out = (long)l->in.c * area,
                                  .w_channel = area,
                                  .w_tap = 1,
                                  .dy_height = l->in.h + size - 1,
                                  .dy_width = l->in.w + size - 1,
                                  .dy_stride = stride};
    /* dy lies spread out by the stride, with zeros between and around. */
    v->in = (mg_cpu_correlation){.channels = l->out.c,
                                 .size = size,
                                 .stride = 1,
                                 .x_height = v->out.dy_height,
                                 .x_width = v->out.dy_width,
                                 .rows = {around, around + (l->out.h - 1) * stride + 1},
                                 .columns = {around, around + (l->out.w - 1) * stride + 1},
                                 .height = l->in.h,
                                 .width = l->in.w,
                                 .w_out = area,
                                 .w_channel = (long)l->in.c * area,
                                 .w_tap = -1};
}

/* Where dy of output (0, 0) lies, in floats. */
static long dy_origin(const mg_conv *v)
{
    return ((long)v->in.rows.first * v->in.x_width + v->in.columns.first) * v->k->lanes;
}

/* place[(c, i, j)] of an image of that shape: (i, j) lies at (first + i * step, first + j * step)
 * of a height x width plane. */
static int32_t *make_places(mg_shape s, int row, int column, int step, int height, int width,
                            int lanes)
{
    int32_t *place = malloc(mg_shape_size(s) * sizeof *place), *at = place;
    for (int c = 0; place && c < s.c; c++)
        for (int i = 0; i < s.h; i++)
            for (int j = 0; j < s.w; j++)
                *at++ = ((c * height + row + i * step) * width + column + j * step) * lanes;
    return place;
}

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

static void set_sizes(mg_conv *v, bool lanes_backward)
{
    const size_t lanes = (size_t)v->k->lanes, area = (size_t)v->out.height * (size_t)v->out.width;
    const size_t in = (size_t)v->in.height * (size_t)v->in.width;
    v->x_size = lanes * (size_t)v->out.x_height * (size_t)v->out.x_width * (size_t)v->x_shape.c;
    v->y_size = lanes * (size_t)v->k->outs * larger(area, in);
    if (lanes_backward)
        v->dy_size = lanes * (size_t)v->in.x_height * (size_t)v->in.x_width * (size_t)v->outs;
}

static mg_status alloc(mg_conv *v, const mg_cpu *cpu, bool lanes_backward)
{
    const mg_cpu_correlation *o = &v->out, *i = &v->in;
    const size_t lanes = (size_t)v->k->lanes, taps = (size_t)o->w_out;
    const size_t each = v->x_size + v->dy_size + v->y_size;
    if (v->x_size > INT32_MAX || v->dy_size > INT32_MAX) /* places are int32_t */
        return mg__fail(MG_ERR_UNSUPPORTED, "images too large for the CPU's convolution");
    v->x_place = make_places(v->x_shape, o->rows.first, o->columns.first, 1, o->x_height,
                             o->x_width, v->k->lanes);
    v->memory = calloc((size_t)cpu->threads * each, sizeof *v->memory);
    if (!v->x_place || !v->memory) goto failed;
    if (!lanes_backward) return MG_OK;
    v->dy_place = make_places(v->y_shape, i->rows.first, i->columns.first, o->dy_stride,
                              i->x_height, i->x_width, v->k->lanes);
    v->sums = malloc((size_t)v->outs * (taps + 1) * lanes * sizeof *v->sums);
    if (!v->dy_place || !v->sums) goto failed;
    v->bias_sums = v->sums + (size_t)v->outs * taps * lanes;
    return MG_OK;
failed:
    return mg__fail(MG_ERR_MEMORY, "out of memory for convolution (%d threads of %zu bytes)",
                    cpu->threads, each * sizeof(float));
}

/* ---- the group: a conv, and what follows it ---- */

static void release_conv(mg_conv *v)
{
    if (!v) return;
    mg__conv_sparse_release(v->sparse);
    free(v->x_place);
    free(v->dy_place);
    free(v->memory);
    free(v->sums);
    free(v);
}

static mg_status prepare_group(void **out, const mg_op *ops, int count)
{
    mg_status st;
    const mg_cpu *cpu = mg__cpu_of(ops);
    const mg_layer *l = ops->layer;
    mg_conv *v = calloc(1, sizeof *v);
    if (!v) return mg__fail(MG_ERR_MEMORY, "out of memory for convolution");
    *v = (mg_conv){.count = count,
                   .k = cpu->isa->conv,
                   .x_shape = l->in,
                   .y_shape = ops[count - 1].layer->out,
                   .batch = ops->batch,
                   .blocks = groups(ops->batch, cpu->isa->conv->lanes),
                   .outs = l->out.c};
    set_geometry(v, l);
    for (int i = 1; i < count; i++) {
        if (ops[i].layer->kind == MG_LAYER_RELU) v->out.relu = true;
        if (ops[i].layer->kind == MG_LAYER_MAXPOOL) v->out.pool = true;
    }
    const bool sparse = ops->training && (v->out.relu || v->out.pool);
    const bool lanes_backward = ops->training && !sparse;
    set_sizes(v, lanes_backward);
    MG_TRY(alloc(v, cpu, lanes_backward));
    if (sparse) MG_TRY(mg__conv_sparse_prepare(&v->sparse, v, ops));
    *out = v;
    return MG_OK;
out:
    release_conv(v);
    return st;
}

/* ---- what the threads do ---- */

typedef struct job {
    const mg_conv *v;
    const mg_op *ops;
} job;

static void load_x(const job *j, float *x, int block)
{
    const size_t size = mg_shape_size(j->v->x_shape);
    j->v->k->to_lanes(x, j->v->x_place, j->ops->x + (size_t)(block * j->v->k->lanes) * size,
                      (long)size, rows_of(j->v, block), (long)size);
}

/* Channels first .. first+count-1. Only a conv alone comes here. */
static void load_dy(const job *j, float *dy, int block, int first, int count)
{
    const mg_conv *v = j->v;
    const size_t size = mg_shape_size(v->y_shape), plane = size / (size_t)v->outs;
    const size_t at = (size_t)first * plane;
    const size_t here = (size_t)(block * v->k->lanes) * size + at;
    v->k->to_lanes(dy, v->dy_place + at, j->ops->dy + here, (long)size, rows_of(v, block),
                   (long)((size_t)count * plane));
}

static void forward_items(void *ctx, int thread, long first, long end)
{
    const job *j = ctx;
    const mg_conv *v = j->v;
    const mg_op *last = &j->ops[v->count - 1];
    const scratch l = scratch_of(v, thread);
    const size_t size = mg_shape_size(v->y_shape), plane = size / (size_t)v->outs;
    const long tiles = groups(v->outs, v->k->outs);
    for (long i = first, loaded = -1; i < end; i++) {
        const int block = (int)(i / tiles);
        const int out = group_first(v->outs, v->k->outs, i % tiles);
        const int outs = group_first(v->outs, v->k->outs, i % tiles + 1) - out;
        if (block != loaded) load_x(j, l.x, block);
        loaded = block;
        const size_t at = (size_t)block * (size_t)v->k->lanes * size + (size_t)out * plane;
        v->k->correlate(&v->out, outs, l.x, j->ops->w + out * v->out.w_out, j->ops->b + out, l.y,
                        mg__conv_sparse_winners(v, block, out));
        v->k->from_lanes(last->y + at, (long)size, rows_of(v, block), l.y,
                         (long)((size_t)outs * plane));
    }
}

static void data_items(void *ctx, int thread, long first, long end)
{
    const job *j = ctx;
    const mg_conv *v = j->v;
    const scratch l = scratch_of(v, thread);
    const size_t size = mg_shape_size(v->x_shape), plane = size / (size_t)v->x_shape.c;
    const long tiles = groups(v->x_shape.c, v->k->outs);
    const float *w = j->ops->w + (v->out.w_channel - 1); /* the last tap */
    for (long i = first, loaded = -1; i < end; i++) {
        const int block = (int)(i / tiles);
        const int in = group_first(v->x_shape.c, v->k->outs, i % tiles);
        const int ins = group_first(v->x_shape.c, v->k->outs, i % tiles + 1) - in;
        if (block != loaded) load_dy(j, l.dy, block, 0, v->outs);
        loaded = block;
        v->k->correlate(&v->in, ins, l.dy, w + in * v->in.w_out, NULL, l.y, NULL);
        v->k->from_lanes(j->ops->dx + (size_t)block * (size_t)v->k->lanes * size +
                             (size_t)in * plane,
                         (long)size, rows_of(v, block), l.y, (long)((size_t)ins * plane));
    }
}

/* The channels of item i of the weights' gradient. */
typedef struct weights_item {
    int out, outs, in, ins;
} weights_item;

static long in_tiles(const mg_conv *v) { return groups(v->x_shape.c, v->k->gradient_channels); }

static weights_item weights_item_of(const mg_conv *v, long i)
{
    const int most = v->k->gradient_outs, most_in = v->k->gradient_channels;
    const long out = i / in_tiles(v), in = i % in_tiles(v);
    weights_item w = {.out = group_first(v->outs, most, out),
                      .in = group_first(v->x_shape.c, most_in, in)};
    w.outs = group_first(v->outs, most, out + 1) - w.out;
    w.ins = group_first(v->x_shape.c, most_in, in + 1) - w.in;
    return w;
}

/* Where dw of an item's first output and input channel is summed. */
static float *sums_of(const mg_conv *v, weights_item w)
{
    const size_t at =
        (size_t)w.out * (size_t)v->out.w_out + (size_t)w.in * (size_t)v->out.w_channel;
    return v->sums + at * (size_t)v->k->lanes;
}

static void clear_sums(const mg_conv *v, weights_item w)
{
    const size_t lanes = (size_t)v->k->lanes, next = (size_t)v->out.w_out * lanes;
    const size_t bytes = (size_t)w.ins * (size_t)v->out.w_channel * lanes * sizeof(float);
    for (int k = 0; k < w.outs; k++) memset(sums_of(v, w) + (size_t)k * next, 0, bytes);
    if (w.in == 0)
        memset(v->bias_sums + (size_t)w.out * lanes, 0, (size_t)w.outs * lanes * sizeof(float));
}

static void add_block(const mg_conv *v, weights_item w, const scratch *l)
{
    const long lanes = v->k->lanes, dy_pixels = (long)v->out.dy_height * v->out.dy_width;
    const float *x = l->x + (long)w.in * v->out.x_height * v->out.x_width * lanes;
    const float *dy = l->dy + w.out * dy_pixels * lanes;
    v->k->gradient(&v->out, w.outs, w.ins, x, dy + dy_origin(v), sums_of(v, w));
    for (int k = 0; w.in == 0 && k < w.outs; k++)
        v->k->add_lanes(v->bias_sums + (w.out + k) * lanes, dy + k * dy_pixels * lanes, dy_pixels);
}

static void fold_sums(const mg_conv *v, weights_item w, float *dw, float *db)
{
    const long lanes = v->k->lanes, next = v->out.w_out;
    dw += w.out * next + w.in * v->out.w_channel;
    for (int k = 0; k < w.outs; k++)
        v->k->fold_lanes(dw + k * next, sums_of(v, w) + k * next * lanes, w.ins * v->out.w_channel);
    if (w.in == 0) v->k->fold_lanes(db + w.out, v->bias_sums + w.out * lanes, w.outs);
}

static void weights_items(void *ctx, int thread, long first, long end)
{
    const job *j = ctx;
    const mg_conv *v = j->v;
    const scratch l = scratch_of(v, thread);
    const weights_item from = weights_item_of(v, first), to = weights_item_of(v, end - 1);
    for (long i = first; i < end; i++) clear_sums(v, weights_item_of(v, i));
    for (int block = 0; block < v->blocks; block++) {
        load_x(j, l.x, block);
        load_dy(j, l.dy, block, from.out, to.out + to.outs - from.out);
        for (long i = first; i < end; i++) add_block(v, weights_item_of(v, i), &l);
    }
    for (long i = first; i < end; i++) fold_sums(v, weights_item_of(v, i), j->ops->dw, j->ops->db);
}

/* ---- the stages ---- */

static mg_status forward_group(const mg_conv *v, const mg_op *ops)
{
    job j = {v, ops};
    mg__team_for(mg__cpu_of(ops)->team, (long)v->blocks * groups(v->outs, v->k->outs),
                 forward_items, &j);
    return MG_OK;
}

static mg_status backward_group(const mg_conv *v, const mg_op *ops)
{
    if (v->sparse) return mg__conv_sparse_backward(v, ops);
    mg_team *team = mg__cpu_of(ops)->team;
    job j = {v, ops};
    if (ops->dx)
        mg__team_for(team, (long)v->blocks * groups(v->x_shape.c, v->k->outs), data_items, &j);
    mg__team_for(team, groups(v->outs, v->k->gradient_outs) * in_tiles(v), weights_items, &j);
    return MG_OK;
}

/* ---- alone ---- */

static mg_status prepare(mg_op *op) { return prepare_group(&op->impl, op, 1); }
static mg_status forward(mg_op *op) { return forward_group(op->impl, op); }
static mg_status backward(mg_op *op) { return backward_group(op->impl, op); }
static void release(mg_op *op) { release_conv(op->impl); }

const mg_layer_ops mg_cpu_conv = {
    .prepare = prepare, .forward = forward, .backward = backward, .release = release};

/* ---- with what follows ---- */

static mg_status prepare_2(mg_op *ops) { return prepare_group(&ops->fused_impl, ops, 2); }
static mg_status prepare_3(mg_op *ops) { return prepare_group(&ops->fused_impl, ops, 3); }
static mg_status fused_forward(mg_op *ops) { return forward_group(ops->fused_impl, ops); }
static mg_status fused_backward(mg_op *ops) { return backward_group(ops->fused_impl, ops); }
static void fused_release(mg_op *ops) { release_conv(ops->fused_impl); }

/* The kernels pool by 2x2 alone. */
static bool supports_pool(const mg_op *ops)
{
    const int at = ops[1].layer->kind == MG_LAYER_MAXPOOL ? 1 : 2;
    const struct mg_pool_args *a = &ops[at].layer->args.pool;
    return a->size == 2 && a->stride == 2;
}

#define GROUP(id, text, n, pooled, ...)                                                            \
    const mg_fused mg_cpu_##id = {.name = text,                                                    \
                                  .count = n,                                                      \
                                  .kinds = {MG_LAYER_CONV, __VA_ARGS__},                           \
                                  .supports = (pooled) ? supports_pool : NULL,                     \
                                  .prepare = prepare_##n,                                          \
                                  .forward = fused_forward,                                        \
                                  .backward = fused_backward,                                      \
                                  .release = fused_release};
GROUP(conv_relu_maxpool, "conv+relu+maxpool", 3, true, MG_LAYER_RELU, MG_LAYER_MAXPOOL)
GROUP(conv_maxpool_relu, "conv+maxpool+relu", 3, true, MG_LAYER_MAXPOOL, MG_LAYER_RELU)
GROUP(conv_maxpool, "conv+maxpool", 2, true, MG_LAYER_MAXPOOL)
GROUP(conv_relu, "conv+relu", 2, false, MG_LAYER_RELU)
