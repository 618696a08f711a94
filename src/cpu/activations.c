/* relu, leaky_relu, tanh, sigmoid: functions of single numbers. */
#include "cpu/cpu.h"

static const mg_cpu_activation *kernels_of(const mg_op *op)
{
    const mg_cpu_element_kernels *k = mg__cpu_of(op)->isa->element;
    switch (op->layer->kind) {
    case MG_LAYER_LEAKY_RELU:
        return &k->leaky_relu;
    case MG_LAYER_TANH:
        return &k->tanh;
    case MG_LAYER_SIGMOID:
        return &k->sigmoid;
    default:
        return &k->relu;
    }
}

static void forward_images(void *ctx, int thread, long first, long end)
{
    const mg_op *op = ctx;
    const size_t size = mg_shape_size(op->layer->out), at = (size_t)first * size;
    (void)thread;
    kernels_of(op)->forward(op->y + at, op->x + at, (size_t)(end - first) * size, &op->layer->args);
}

static void backward_images(void *ctx, int thread, long first, long end)
{
    const mg_op *op = ctx;
    const size_t size = mg_shape_size(op->layer->out), at = (size_t)first * size;
    (void)thread;
    kernels_of(op)->backward(op->dx + at, op->dy + at, op->y + at, (size_t)(end - first) * size,
                             &op->layer->args);
}

static mg_status forward(mg_op *op)
{
    mg__team_for(mg__cpu_of(op)->team, op->batch, forward_images, op);
    return MG_OK;
}

static mg_status backward(mg_op *op)
{
    if (op->dx) mg__team_for(mg__cpu_of(op)->team, op->batch, backward_images, op);
    return MG_OK;
}

const mg_layer_ops mg_cpu_relu = {.forward = forward, .backward = backward};
const mg_layer_ops mg_cpu_leaky_relu = {.forward = forward, .backward = backward};
const mg_layer_ops mg_cpu_tanh = {.forward = forward, .backward = backward};
const mg_layer_ops mg_cpu_sigmoid = {.forward = forward, .backward = backward};
