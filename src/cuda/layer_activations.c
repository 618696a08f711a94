/* relu, leaky_relu, tanh, sigmoid: own kernels. */
#include "cuda/cuda_backend.h"

static size_t count_of(const mg_op *op)
{
    return (size_t)op->batch * mg_shape_size(op->layer->out);
}

static mg_status forward(mg_op *op)
{
    mg_status st = MG_OK;
    MG_CUDA(mg__launch_activation(op->layer, op->y, op->x, count_of(op),
                                  mg__cuda(op->backend)->stream));
out:
    return st;
}

static mg_status backward(mg_op *op)
{
    mg_status st = MG_OK;
    if (!op->dx) return MG_OK;
    MG_CUDA(mg__launch_activation_backward(op->layer, op->dx, op->dy, op->y, count_of(op),
                                           mg__cuda(op->backend)->stream));
out:
    return st;
}

const mg_layer_ops mg_cuda_relu = {.forward = forward, .backward = backward};
const mg_layer_ops mg_cuda_leaky_relu = {.forward = forward, .backward = backward};
const mg_layer_ops mg_cuda_tanh = {.forward = forward, .backward = backward};
const mg_layer_ops mg_cuda_sigmoid = {.forward = forward, .backward = backward};
