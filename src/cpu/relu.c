#include "cpu/cpu.h"

static mg_status forward(mg_op *op)
{
    const mg_cpu *cpu = mg__cpu_of(op);
    const size_t size = mg_shape_size(op->layer->out);
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (int n = 0; n < op->batch; n++) {
        const size_t at = (size_t)n * size;
        cpu->kernels->relu_forward(op->y + at, op->x + at, size);
    }
    return MG_OK;
}

static mg_status backward(mg_op *op)
{
    const mg_cpu *cpu = mg__cpu_of(op);
    const size_t size = mg_shape_size(op->layer->out);
    if (!op->dx) return MG_OK;
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (int n = 0; n < op->batch; n++) {
        const size_t at = (size_t)n * size;
        cpu->kernels->relu_backward(op->dx + at, op->dy + at, op->y + at, size);
    }
    return MG_OK;
}

const mg_layer_ops mg_cpu_relu = {.forward = forward, .backward = backward};
