/* mse: own kernels. */
#include "cuda/cuda_backend.h"

static mg_status forward(mg_op *op)
{
    mg_status st = MG_OK;
    const mg_cuda *cu = mg__cuda(op->backend);
    MG_CUDA(mg__launch_mse(op->y, cu->workspace, op->x, op->feed, op->batch, op->layer->out.c,
                           cu->stream));
out:
    return st;
}

static mg_status backward(mg_op *op)
{
    mg_status st = MG_OK;
    if (!op->dx) return MG_OK;
    MG_CUDA(mg__launch_mse_backward(op->dx, op->x, op->y, op->feed, op->batch, op->layer->out.c,
                                    mg__cuda(op->backend)->stream));
out:
    return st;
}

const mg_layer_ops mg_cuda_mse = {
    .prepare = mg__cuda_loss_prepare, .forward = forward, .backward = backward};
