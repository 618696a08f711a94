/* leaky_relu slope=0.01: y = x where x > 0, else slope x; dx = dy where y > 0, else slope dy. The
 * slope is rounded to f32. (Maas, Hannun & Ng 2013.) */
#include "layers/layer.h"

static const mg_arg args[] = {
    {.key = "slope",
     .kind = MG_ARG_FLOAT,
     .offset = offsetof(mg_layer_args, leaky_relu.slope),
     .value = 0.01,
     .min = 0,
     .max = 1},
};

const mg_layer_type mg_type_leaky_relu = {.name = "leaky_relu",
                                          .args = args,
                                          .arg_count = MG_COUNT_OF(args),
                                          .infer = mg__infer_elementwise};

static mg_status forward(mg_op *op)
{
    const float slope = (float)op->layer->args.leaky_relu.slope;
    const size_t count = mg_shape_size(op->layer->out) * (size_t)op->batch;
    for (size_t i = 0; i < count; i++) op->y[i] = op->x[i] > 0 ? op->x[i] : slope * op->x[i];
    return MG_OK;
}

static mg_status backward(mg_op *op)
{
    const float slope = (float)op->layer->args.leaky_relu.slope;
    const size_t count = mg_shape_size(op->layer->out) * (size_t)op->batch;
    if (!op->dx) return MG_OK;
    for (size_t i = 0; i < count; i++) op->dx[i] = op->y[i] > 0 ? op->dy[i] : slope * op->dy[i];
    return MG_OK;
}

const mg_layer_ops mg_ref_leaky_relu = {.forward = forward, .backward = backward};
