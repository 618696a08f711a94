/* Dense layers: three matrix products, each split so that every thread writes its own part. */
#include "cpu/cpu.h"

/* Outputs, or inputs, that a thread takes at a time. */
enum { OUT_BLOCK = 12, IN_BLOCK = 128 };

static int least(int a, int b) { return a < b ? a : b; }

static mg_status forward(mg_op *op)
{
    const mg_cpu *cpu = mg__cpu_of(op);
    const int in = (int)mg_shape_size(op->layer->in), out = op->layer->out.c;
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (int k = 0; k < out; k += OUT_BLOCK)
        cpu->kernels->gemm_nt(op->batch, least(OUT_BLOCK, out - k), in, op->x, in,
                              op->w + (long)k * in, in, op->y + k, out, op->b + k, false);
    return MG_OK;
}

static mg_status backward(mg_op *op)
{
    const mg_cpu *cpu = mg__cpu_of(op);
    const int in = (int)mg_shape_size(op->layer->in), out = op->layer->out.c;
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (int k = 0; k < out; k += OUT_BLOCK) { /* dw = dy^T x, db = column sums of dy */
        const int rows = least(OUT_BLOCK, out - k);
        cpu->kernels->gemm_nn(rows, in, op->batch, op->dy + k, 1, out, op->x, in,
                              op->dw + (long)k * in, in, NULL);
        for (int j = k; j < k + rows; j++) {
            float sum = 0;
            for (int n = 0; n < op->batch; n++) sum += op->dy[(long)n * out + j];
            op->db[j] = sum;
        }
    }
    if (!op->dx) return MG_OK;
#pragma omp parallel for num_threads(cpu->threads) schedule(static)
    for (int i = 0; i < in; i += IN_BLOCK) /* dx = dy w */
        cpu->kernels->gemm_nn(op->batch, least(IN_BLOCK, in - i), out, op->dy, out, 1, op->w + i,
                              in, op->dx + i, in, NULL);
    return MG_OK;
}

const mg_layer_ops mg_cpu_dense = {.forward = forward, .backward = backward};
