/* dropout: an own kernel. */
#include "cuda/cuda_backend.h"

static size_t count_of(const mg_op *op)
{
    return (size_t)op->batch * mg_shape_size(op->layer->out);
}

static mg_status forward(mg_op *op)
{
    mg_status st = MG_OK;
    const cudaStream_t stream = mg__cuda(op->backend)->stream;
    if (op->training)
        MG_CUDA(mg__launch_dropout(op->layer, op->y, op->x, op->feed->state, count_of(op), stream));
    else
        MG_CUDA(cudaMemcpyAsync(op->y, op->x, count_of(op) * sizeof *op->y,
                                cudaMemcpyDeviceToDevice, stream));
out:
    return st;
}

static mg_status backward(mg_op *op)
{
    mg_status st = MG_OK;
    if (!op->dx) return MG_OK;
    MG_CUDA(mg__launch_dropout(op->layer, op->dx, op->dy, op->feed->state, count_of(op),
                               mg__cuda(op->backend)->stream));
out:
    return st;
}

const mg_layer_ops mg_cuda_dropout = {.forward = forward, .backward = backward};
