#include "cpu/cpu.h"

static void forward_images(void *ctx, int thread, long first, long end)
{
    const mg_op *op = ctx;
    const size_t size = mg_shape_size(op->layer->out), at = (size_t)first * size;
    (void)thread;
    mg__cpu_of(op)->isa->element->relu_forward(op->y + at, op->x + at,
                                               (size_t)(end - first) * size);
}

static void backward_images(void *ctx, int thread, long first, long end)
{
    const mg_op *op = ctx;
    const size_t size = mg_shape_size(op->layer->out), at = (size_t)first * size;
    (void)thread;
    mg__cpu_of(op)->isa->element->relu_backward(op->dx + at, op->dy + at, op->y + at,
                                                (size_t)(end - first) * size);
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
