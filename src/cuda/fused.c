/* The groups of layers that own kernels run whole: the patterns, and which kernels they are. A net
 * all of whose layers belong to one needs neither cuDNN nor cuBLAS. */
#include "cuda/cuda_backend.h"

/* ---- [input +] conv + relu [+ maxpool]; fused_impl: the scratch memory ---- */

/* ops: the group's, the first of which may be an input layer. */
static mg_conv_group conv_group(const mg_op *ops, bool input, bool pool)
{
    const mg_op *conv = ops + input;
    return (mg_conv_group){.conv = conv,
                           .relu = conv + 1,
                           .pool = pool ? conv + 2 : NULL,
                           .table = input ? ops->impl : NULL,
                           .scratch = ops->fused_impl};
}

static bool conv_fits(const mg_op *ops, bool input, bool pool)
{
    if (input && (mg__op_augments(ops) || ops->layer->out.c != 1)) return false;
    return mg__conv_group_fits(ops[input].layer, pool ? ops[input + 2].layer : NULL);
}

static mg_status conv_prepare(mg_op *ops, bool input, bool pool)
{
    mg_status st = MG_OK;
    const mg_layer *conv = ops[input].layer, *after = pool ? ops[input + 2].layer : NULL;
    if (input && !ops->impl) MG_TRY(mg_cuda_input.prepare(ops));
    if (ops[input].training)
        MG_TRY(mg__cuda_alloc(ops->backend, &ops->fused_impl, mg__conv_group_scratch(conv, after)));
out:
    return st;
}

static mg_status conv_forward(mg_op *ops, bool input, bool pool)
{
    mg_status st = MG_OK;
    const mg_conv_group group = conv_group(ops, input, pool);
    MG_CUDA(mg__launch_conv_group(&group, mg__cuda(ops->backend)->stream));
out:
    return st;
}

static mg_status conv_backward(mg_op *ops, bool input, bool pool)
{
    mg_status st = MG_OK;
    const mg_conv_group group = conv_group(ops, input, pool);
    MG_CUDA(mg__launch_conv_group_backward(&group, mg__cuda(ops->backend)->stream));
out:
    return st;
}

static void conv_release(mg_op *ops) { mg__cuda_release(ops->backend, ops->fused_impl); }

#define CONV_GROUP(id, text, length, input, pool, ...)                                             \
    static bool id##_fits(const mg_op *ops) { return conv_fits(ops, input, pool); }                \
    static mg_status id##_prepare(mg_op *ops) { return conv_prepare(ops, input, pool); }           \
    static mg_status id##_forward(mg_op *ops) { return conv_forward(ops, input, pool); }           \
    static mg_status id##_backward(mg_op *ops) { return conv_backward(ops, input, pool); }         \
    static const mg_fused id = {.name = text,                                                      \
                                .count = length,                                                   \
                                .kinds = {__VA_ARGS__},                                            \
                                .supports = id##_fits,                                             \
                                .prepare = id##_prepare,                                           \
                                .forward = id##_forward,                                           \
                                .backward = id##_backward,                                         \
                                .release = conv_release};

CONV_GROUP(input_conv_relu_maxpool, "input+conv+relu+maxpool", 4, true, true, MG_LAYER_INPUT,
           MG_LAYER_CONV, MG_LAYER_RELU, MG_LAYER_MAXPOOL)
CONV_GROUP(conv_relu_maxpool, "conv+relu+maxpool", 3, false, true, MG_LAYER_CONV, MG_LAYER_RELU,
           MG_LAYER_MAXPOOL)
CONV_GROUP(conv_relu, "conv+relu", 2, false, false, MG_LAYER_CONV, MG_LAYER_RELU)

/* ---- dense + relu ---- */

static bool dense_fits(const mg_op *ops) { return mg__dense_fits(ops->layer); }

static mg_status dense_forward(mg_op *ops)
{
    mg_status st = MG_OK;
    MG_CUDA(mg__launch_dense_relu(ops, mg__cuda(ops->backend)->stream));
out:
    return st;
}

static mg_status dense_backward(mg_op *ops)
{
    mg_status st = MG_OK;
    MG_CUDA(mg__launch_dense_relu_backward(ops, mg__cuda(ops->backend)->stream));
out:
    return st;
}

static const mg_fused dense_relu = {.name = "dense+relu",
                                    .count = 2,
                                    .kinds = {MG_LAYER_DENSE, MG_LAYER_RELU},
                                    .supports = dense_fits,
                                    .forward = dense_forward,
                                    .backward = dense_backward,
                                    .updates = true};

/* ---- dense + relu + dense + softmax_xent ---- */

static bool tail_fits(const mg_op *ops)
{
    return mg__dense_fits(ops->layer) && mg__head_fits(ops[2].layer);
}

/* The rows' statistics, at the place of the logits, which nobody needs. */
static mg_step_stat *rows_of(const mg_op *ops) { return (mg_step_stat *)(void *)ops[2].y; }

static mg_status tail_forward(mg_op *ops)
{
    mg_status st = MG_OK;
    const cudaStream_t stream = mg__cuda(ops->backend)->stream;
    MG_CUDA(mg__launch_dense_relu(ops, stream));
    MG_CUDA(mg__launch_head(ops + 2, rows_of(ops), stream));
    if (!ops->training) MG_CUDA(mg__launch_sum_rows(rows_of(ops), ops->feed, ops->batch, stream));
out:
    return st;
}

static mg_status tail_backward(mg_op *ops)
{
    mg_status st = MG_OK;
    MG_CUDA(mg__launch_tail_backward(ops, rows_of(ops), mg__cuda(ops->backend)->stream));
out:
    return st;
}

static const mg_fused tail = {
    .name = "dense+relu+dense+softmax_xent",
    .count = 4,
    .kinds = {MG_LAYER_DENSE, MG_LAYER_RELU, MG_LAYER_DENSE, MG_LAYER_SOFTMAX_XENT},
    .supports = tail_fits,
    .forward = tail_forward,
    .backward = tail_backward,
    .updates = true};

const mg_fused *const mg_cuda_fused[] = {
    &input_conv_relu_maxpool, &conv_relu_maxpool, &conv_relu, &tail, &dense_relu, NULL};
