/* sigmoid: y = 1 / (1 + exp(-x)); dx = dy y (1 - y). */
#include "layers/layer.h"
#include <math.h>

const mg_layer_type mg_type_sigmoid = {.name = "sigmoid", .infer = mg__infer_elementwise};

static mg_status forward(mg_op *op)
{
    const size_t count = mg_shape_size(op->layer->out) * (size_t)op->batch;
    for (size_t i = 0; i < count; i++) op->y[i] = (float)(1 / (1 + exp(-(double)op->x[i])));
    return MG_OK;
}

static mg_status backward(mg_op *op)
{
    const size_t count = mg_shape_size(op->layer->out) * (size_t)op->batch;
    if (!op->dx) return MG_OK;
    for (size_t i = 0; i < count; i++) {
        const double y = op->y[i];
        op->dx[i] = (float)(op->dy[i] * y * (1 - y));
    }
    return MG_OK;
}

const mg_layer_ops mg_ref_sigmoid = {.forward = forward, .backward = backward};
