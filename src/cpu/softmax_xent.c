#include "cpu/cpu.h"
#include <math.h>

/* One row: probabilities into y; returns its loss, and the largest output's index in *best. */
static float softmax(float *y, const float *x, int classes, int label, int *best)
{
    double sum = 0;
    *best = 0;
    for (int k = 1; k < classes; k++)
        if (x[k] > x[*best]) *best = k;
    const float max = x[*best];
    for (int k = 0; k < classes; k++) sum += y[k] = expf(x[k] - max);
    for (int k = 0; k < classes; k++) y[k] = (float)(y[k] / sum);
    return (float)(log(sum) - (x[label] - max));
}

/* A few thousand exponentials: not worth waking threads for. */
static mg_status forward(mg_op *op)
{
    const mg_feed *f = op->feed;
    const int classes = op->layer->out.c;
    const uint32_t rows = mg_step_rows(f->state);
    mg_step_stat stat = {0};
    double loss = 0;
    for (uint32_t n = 0; n < (uint32_t)op->batch; n++) {
        const size_t at = (size_t)n * (size_t)classes;
        int best;
        const float l = softmax(op->y + at, op->x + at, classes, f->batch_labels[n], &best);
        if (n >= rows) continue;
        loss += l;
        stat.correct += best == f->batch_labels[n];
        if (f->predictions) f->predictions[f->state->cursor + n] = (uint8_t)best;
    }
    stat.loss = (float)loss;
    f->stats[f->state->slot] = stat;
    return MG_OK;
}

static mg_status backward(mg_op *op)
{
    const mg_feed *f = op->feed;
    const int classes = op->layer->out.c;
    const uint32_t rows = mg_step_rows(f->state);
    for (uint32_t n = 0; n < (uint32_t)op->batch; n++) {
        const size_t at = (size_t)n * (size_t)classes;
        for (int k = 0; k < classes; k++)
            op->dx[at + (size_t)k] =
                n < rows ? (op->y[at + (size_t)k] - (float)(k == f->batch_labels[n])) / (float)rows
                         : 0;
    }
    return MG_OK;
}

const mg_layer_ops mg_cpu_softmax_xent = {.forward = forward, .backward = backward};
