/* relu: y = max(x, 0); dx = dy where y > 0, else 0. A NaN stays one, so that the loss shows it.
 * (Nair & Hinton 2010.) */
#include "layers/layer.h"

const mg_layer_type mg_type_relu = {.name = "relu", .infer = mg__infer_elementwise};

static mg_status forward(mg_op *op)
{
    const size_t count = mg_shape_size(op->layer->out) * (size_t)op->batch;
    for (size_t i = 0; i < count; i++) op->y[i] = op->x[i] <= 0 ? 0 : op->x[i];
    return MG_OK;
}

static mg_status backward(mg_op *op)
{
    const size_t count = mg_shape_size(op->layer->out) * (size_t)op->batch;
    if (!op->dx) return MG_OK;
    for (size_t i = 0; i < count; i++) op->dx[i] = op->y[i] > 0 ? op->dy[i] : 0;
    return MG_OK;
}

const mg_layer_ops mg_ref_relu = {.forward = forward, .backward = backward};
