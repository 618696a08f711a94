/* softmax_xent: softmax and cross-entropy with integer labels, the loss of the mean over the batch.
 *
 *     y[n][k]  = exp(x[n][k] - max) / sum_j exp(x[n][j] - max)
 *     loss[n]  = log(sum_j exp(x[n][j] - max)) - (x[n][label] - max)
 *     dx[n][k] = (y[n][k] - [k = label]) / rows        for the valid rows, else 0
 *
 * Goodfellow, Bengio & Courville 2016, eq. 6.29 and section 6.2.2.3; subtracting the maximum keeps
 * exp from overflowing. Also writes the step's statistics and, if asked, predictions. */
#include "layers/layer.h"
#include <math.h>

static mg_status infer(mg_layer *l)
{
    if (l->in.h != 1 || l->in.w != 1)
        return mg__fail(MG_ERR_FORMAT, "expects a vector, found %dx%dx%d: put a dense layer before",
                        l->in.c, l->in.h, l->in.w);
    l->out = l->in;
    return MG_OK;
}

const mg_layer_type mg_type_softmax_xent = {
    .name = "softmax_xent", .is_loss = true, .infer = infer};

/* Writes one row's probabilities; returns the largest output's index, and log(sum) + max in *norm.
 */
static int softmax(float *y, const float *x, int classes, double *norm)
{
    int best = 0;
    for (int k = 1; k < classes; k++)
        if (x[k] > x[best]) best = k;
    double sum = 0;
    for (int k = 0; k < classes; k++) sum += exp((double)x[k] - x[best]);
    for (int k = 0; k < classes; k++) y[k] = (float)(exp((double)x[k] - x[best]) / sum);
    *norm = log(sum) + x[best];
    return best;
}

static mg_status forward(mg_op *op)
{
    const mg_feed *f = op->feed;
    const int classes = op->layer->out.c;
    const uint32_t rows = mg_step_rows(f->state);
    double loss = 0;
    uint32_t correct = 0;
    for (uint32_t n = 0; n < (uint32_t)op->batch; n++) {
        const float *x = op->x + (size_t)n * (size_t)classes;
        double norm;
        const int best = softmax(op->y + (size_t)n * (size_t)classes, x, classes, &norm);
        if (n >= rows) continue;
        loss += norm - x[f->batch_labels[n]];
        correct += best == f->batch_labels[n];
        if (f->predictions) f->predictions[f->state->cursor + n] = (uint8_t)best;
    }
    f->stats[f->state->slot] = (mg_step_stat){(float)loss, correct};
    return MG_OK;
}

static mg_status backward(mg_op *op)
{
    const mg_feed *f = op->feed;
    const int classes = op->layer->out.c;
    const uint32_t rows = mg_step_rows(f->state);
    for (uint32_t n = 0; n < (uint32_t)op->batch; n++)
        for (int k = 0; k < classes; k++) {
            const size_t i = (size_t)n * (size_t)classes + (size_t)k;
            op->dx[i] = n < rows ? (op->y[i] - (k == f->batch_labels[n])) / (float)rows : 0;
        }
    return MG_OK;
}

const mg_layer_ops mg_ref_softmax_xent = {.forward = forward, .backward = backward};
