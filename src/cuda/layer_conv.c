/* conv: cuDNN's three convolutions, and the project's bias kernels.
 *
 * Which algorithms: in fp32 without TF32 (the descriptor's CUDNN_FMA_MATH forbids it),
 * deterministic by cuDNN's word, and plain sums of products: Winograd and FFT round otherwise,
 * which would cost the comparison with the CPU its tight bounds. Among those the one that cuDNN's
 * heuristics put first; they do not measure, so a machine always gets the same one. */
#include "cuda/cuda_backend.h"
#include <stdlib.h>

static const float one = 1.0f, zero = 0.0f;

typedef struct conv {
    cudnnTensorDescriptor_t x, y;
    cudnnFilterDescriptor_t w;
    cudnnConvolutionDescriptor_t how;
    cudnnConvolutionFwdAlgo_t forward;
    cudnnConvolutionBwdDataAlgo_t data;
    cudnnConvolutionBwdFilterAlgo_t filter;
    size_t forward_bytes, data_bytes, filter_bytes; /* of workspace */
} conv;

/* ---- choosing algorithms ---- */

/* For cuDNN's three result types, which differ in the type of `algo` alone. Each enum of algorithms
 * begins with the sums of products, the last of which is last_plain. */
#define USABLE(result, last_plain)                                                                 \
    ((result).status == CUDNN_STATUS_SUCCESS && (result).determinism == CUDNN_DETERMINISTIC &&     \
     ((result).mathType == CUDNN_FMA_MATH || (result).mathType == CUDNN_DEFAULT_MATH) &&           \
     (result).algo <= (last_plain))

static mg_status choose_forward(conv *c, cudnnHandle_t cudnn)
{
    mg_status st = MG_OK;
    cudnnConvolutionFwdAlgoPerf_t results[CUDNN_CONVOLUTION_FWD_ALGO_COUNT];
    int found = 0, i = 0;
    MG_CUDNN(cudnnGetConvolutionForwardAlgorithm_v7(cudnn, c->x, c->w, c->how, c->y,
                                                    MG_COUNT_OF(results), &found, results));
    while (i < found && !USABLE(results[i], CUDNN_CONVOLUTION_FWD_ALGO_DIRECT)) i++;
    c->forward = i < found ? results[i].algo : CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM;
    MG_CUDNN(cudnnGetConvolutionForwardWorkspaceSize(cudnn, c->x, c->w, c->how, c->y, c->forward,
                                                     &c->forward_bytes));
out:
    return st;
}

static mg_status choose_data(conv *c, cudnnHandle_t cudnn)
{
    mg_status st = MG_OK;
    cudnnConvolutionBwdDataAlgoPerf_t results[CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT];
    int found = 0, i = 0;
    MG_CUDNN(cudnnGetConvolutionBackwardDataAlgorithm_v7(cudnn, c->w, c->y, c->how, c->x,
                                                         MG_COUNT_OF(results), &found, results));
    while (i < found && !USABLE(results[i], CUDNN_CONVOLUTION_BWD_DATA_ALGO_1)) i++;
    c->data = i < found ? results[i].algo : CUDNN_CONVOLUTION_BWD_DATA_ALGO_1;
    MG_CUDNN(cudnnGetConvolutionBackwardDataWorkspaceSize(cudnn, c->w, c->y, c->how, c->x, c->data,
                                                          &c->data_bytes));
out:
    return st;
}

static mg_status choose_filter(conv *c, cudnnHandle_t cudnn)
{
    mg_status st = MG_OK;
    cudnnConvolutionBwdFilterAlgoPerf_t results[CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT];
    int found = 0, i = 0;
    MG_CUDNN(cudnnGetConvolutionBackwardFilterAlgorithm_v7(cudnn, c->x, c->y, c->how, c->w,
                                                           MG_COUNT_OF(results), &found, results));
    while (i < found && !USABLE(results[i], CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1)) i++;
    c->filter = i < found ? results[i].algo : CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1;
    MG_CUDNN(cudnnGetConvolutionBackwardFilterWorkspaceSize(cudnn, c->x, c->y, c->how, c->w,
                                                            c->filter, &c->filter_bytes));
out:
    return st;
}

/* ---- prepare and release ---- */

static void release(mg_op *op)
{
    conv *c = op->impl;
    if (!c) return;
    if (c->x) mg__cudnn.cudnnDestroyTensorDescriptor(c->x);
    if (c->y) mg__cudnn.cudnnDestroyTensorDescriptor(c->y);
    if (c->w) mg__cudnn.cudnnDestroyFilterDescriptor(c->w);
    if (c->how) mg__cudnn.cudnnDestroyConvolutionDescriptor(c->how);
    free(c);
    op->impl = NULL;
}

static mg_status describe(conv *c, const mg_op *op)
{
    mg_status st = MG_OK;
    const mg_layer *l = op->layer;
    const struct mg_conv_args *a = &l->args.conv;
    const int pad = a->pad == MG_PAD_SAME ? (a->kernel - 1) / 2 : a->pad;
    MG_TRY(mg__cuda_tensor(&c->x, op->batch, l->in));
    MG_TRY(mg__cuda_tensor(&c->y, op->batch, l->out));
    MG_CUDNN(cudnnCreateFilterDescriptor(&c->w));
    MG_CUDNN(cudnnSetFilter4dDescriptor(c->w, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NCHW, l->out.c,
                                        l->in.c, a->kernel, a->kernel));
    MG_CUDNN(cudnnCreateConvolutionDescriptor(&c->how));
    MG_CUDNN(cudnnSetConvolution2dDescriptor(c->how, pad, pad, a->stride, a->stride, 1, 1,
                                             CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT));
    MG_CUDNN(cudnnSetConvolutionMathType(c->how, CUDNN_FMA_MATH));
out:
    return st;
}

static size_t bias_gradient_bytes(const mg_op *op)
{
    const mg_shape s = op->layer->out;
    const int parts = mg__bias_gradient_parts(op->batch, (size_t)s.h * (size_t)s.w);
    return (size_t)parts * (size_t)s.c * sizeof(float);
}

static mg_status prepare(mg_op *op)
{
    mg_status st;
    mg_cuda *cu = mg__cuda(op->backend);
    conv *c = op->impl = calloc(1, sizeof *c);
    if (!c) MG_FAIL(MG_ERR_MEMORY, "out of memory");
    MG_TRY(mg__cuda_need_cudnn(cu));
    MG_TRY(describe(c, op));
    MG_TRY(choose_forward(c, cu->cudnn));
    MG_TRY(mg__cuda_workspace(cu, c->forward_bytes));
    if (op->training) {
        MG_TRY(choose_filter(c, cu->cudnn));
        MG_TRY(mg__cuda_workspace(cu, c->filter_bytes));
        MG_TRY(mg__cuda_workspace(cu, bias_gradient_bytes(op)));
    }
    if (op->dx) {
        MG_TRY(choose_data(c, cu->cudnn));
        MG_TRY(mg__cuda_workspace(cu, c->data_bytes));
    }
out:
    if (st) release(op);
    return st;
}

/* ---- forward and backward ---- */

static mg_status forward(mg_op *op)
{
    mg_status st = MG_OK;
    const mg_cuda *cu = mg__cuda(op->backend);
    const conv *c = op->impl;
    const mg_shape out = op->layer->out;
    MG_CUDNN(cudnnConvolutionForward(cu->cudnn, &one, c->x, op->x, c->w, op->w, c->how, c->forward,
                                     cu->workspace, c->forward_bytes, &zero, c->y, op->y));
    MG_CUDA(mg__launch_bias_add(op->y, op->b, op->batch, out.c, (size_t)out.h * (size_t)out.w,
                                cu->stream));
out:
    return st;
}

static mg_status backward(mg_op *op)
{
    mg_status st = MG_OK;
    const mg_cuda *cu = mg__cuda(op->backend);
    const conv *c = op->impl;
    const mg_shape out = op->layer->out;
    MG_CUDNN(cudnnConvolutionBackwardFilter(cu->cudnn, &one, c->x, op->x, c->y, op->dy, c->how,
                                            c->filter, cu->workspace, c->filter_bytes, &zero, c->w,
                                            op->dw));
    MG_CUDA(mg__launch_bias_gradient(op->db, op->dy, cu->workspace, op->batch, out.c,
                                     (size_t)out.h * (size_t)out.w, cu->stream));
    if (op->dx)
        MG_CUDNN(cudnnConvolutionBackwardData(cu->cudnn, &one, c->w, op->w, c->y, op->dy, c->how,
                                              c->data, cu->workspace, c->data_bytes, &zero, c->x,
                                              op->dx));
out:
    return st;
}

const mg_layer_ops mg_cuda_conv = {
    .prepare = prepare, .forward = forward, .backward = backward, .release = release};
