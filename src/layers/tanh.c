/* tanh: y = tanh(x); dx = dy (1 - y^2). */
#include "layers/layer.h"
#include <math.h>

const mg_layer_type mg_type_tanh = {.name = "tanh", .infer = mg__infer_elementwise};

static mg_status forward(mg_op *op)
{
    const size_t count = mg_shape_size(op->layer->out) * (size_t)op->batch;
    for (size_t i = 0; i < count; i++) op->y[i] = (float)tanh(op->x[i]);
    return MG_OK;
}

static mg_status backward(mg_op *op)
{
    const size_t count = mg_shape_size(op->layer->out) * (size_t)op->batch;
    if (!op->dx) return MG_OK;
    for (size_t i = 0; i < count; i++) {
        const double y = op->y[i];
        op->dx[i] = (float)(op->dy[i] * (1 - y * y));
    }
    return MG_OK;
}

const mg_layer_ops mg_ref_tanh = {.forward = forward, .backward = backward};
