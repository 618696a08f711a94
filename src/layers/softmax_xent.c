/* softmax_xent smoothing=0: softmax and cross-entropy with integer labels, the loss of the mean
 * over the batch. t is the target: all of it on the label, but for a part s, the smoothing, that is
 * spread over the K classes.
 *
 *     t[n][k]  = (1 - s) [k = label] + s / K
 *     y[n][k]  = exp(x[n][k] - max) / sum_j exp(x[n][j] - max)
 *     loss[n]  = log(sum_j exp(x[n][j] - max)) - sum_k t[n][k] (x[n][k] - max)
 *     dx[n][k] = (y[n][k] - t[n][k]) / rows            for the valid rows, else 0
 *
 * Goodfellow, Bengio & Courville 2016, eq. 6.29 and section 6.2.2.3; subtracting the maximum keeps
 * exp from overflowing; where two outputs differ by more than a float can hold, so may the loss.
 * Smoothing: Szegedy et al. 2016, section 7, as PyTorch's label_smoothing. */
#include "layers/loss.h"
#include <assert.h>
#include <math.h>

static const mg_arg args[] = {
    {.key = "smoothing",
     .kind = MG_ARG_FLOAT,
     .offset = offsetof(mg_layer_args, softmax_xent.smoothing),
     .value = 0,
     .min = 0,
     .max = 1},
};

const mg_layer_type mg_type_softmax_xent = {.name = "softmax_xent",
                                            .args = args,
                                            .arg_count = MG_COUNT_OF(args),
                                            .is_loss = true,
                                            .infer = mg__loss_infer};

static double row(const mg_layer *l, float *y, const float *x, int label, int best)
{
    const int classes = l->out.c;
    const double s = l->args.softmax_xent.smoothing;
    const double max = x[best];
    double sum = 0, all = 0;
    assert(classes > 0); /* and so sum >= 1, or NaN */
    for (int k = 0; k < classes; k++) sum += exp(x[k] - max);
    for (int k = 0; k < classes; k++) y[k] = (float)(exp(x[k] - max) / sum);
    for (int k = 0; k < classes; k++) all += x[k] - max;
    return log(sum) - ((1 - s) * (x[label] - max) + s / classes * all);
}

static void gradient(const mg_layer *l, float *dx, const float *x, const float *y, int label)
{
    const int classes = l->out.c;
    const double s = l->args.softmax_xent.smoothing;
    (void)x;
    for (int k = 0; k < classes; k++) dx[k] = y[k] - (float)((1 - s) * (k == label) + s / classes);
}

static mg_status forward(mg_op *op) { return mg__loss_forward(op, row); }
static mg_status backward(mg_op *op) { return mg__loss_backward(op, gradient); }

const mg_layer_ops mg_ref_softmax_xent = {.forward = forward, .backward = backward};
