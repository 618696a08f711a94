/* batchnorm: own kernels. op->impl is device memory: the batch's mean and variance of every
 * channel, which forward leaves for backward. Sums on the way to them pass through the workspace.
 */
#include "cuda/cuda_backend.h"

static void release(mg_op *op)
{
    mg__cuda_release(op->backend, op->impl);
    op->impl = NULL;
}

static mg_status prepare(mg_op *op)
{
    mg_status st;
    const size_t channels = (size_t)op->layer->in.c;
    if (!op->training) return MG_OK;
    MG_TRY(mg__cuda_workspace(mg__cuda(op->backend), mg__batchnorm_scratch(op)));
    MG_TRY(mg__cuda_alloc(op->backend, &op->impl, 2 * channels * sizeof(float)));
out:
    return st;
}

static mg_status forward(mg_op *op)
{
    mg_status st = MG_OK;
    const mg_cuda *cu = mg__cuda(op->backend);
    float *mean = op->impl, *var = mean ? mean + op->layer->in.c : NULL;
    MG_CUDA(mg__launch_batchnorm(op, mean, var, cu->workspace, cu->stream));
out:
    return st;
}

static mg_status backward(mg_op *op)
{
    mg_status st = MG_OK;
    const mg_cuda *cu = mg__cuda(op->backend);
    const float *mean = op->impl, *var = mean + op->layer->in.c;
    MG_CUDA(mg__launch_batchnorm_backward(op, mean, var, cu->workspace, cu->stream));
out:
    return st;
}

const mg_layer_ops mg_cuda_batchnorm = {
    .prepare = prepare, .forward = forward, .backward = backward, .release = release};
