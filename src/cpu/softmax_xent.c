#include "layers/loss.h"
#include <assert.h>
#include <math.h>

/* A batch is a few thousand exponentials: not worth waking threads for. */
static double row(const mg_layer *l, float *y, const float *x, int label, int best)
{
    const int classes = l->out.c;
    const double s = l->args.softmax_xent.smoothing;
    const float max = x[best];
    double sum = 0, all = 0;
    assert(classes > 0); /* and so sum >= 1, or NaN */
    for (int k = 0; k < classes; k++) {
        sum += y[k] = expf(x[k] - max);
        all += (double)x[k] - max;
    }
    for (int k = 0; k < classes; k++) y[k] = (float)(y[k] / sum);
    return (float)(log(sum) - ((1 - s) * ((double)x[label] - max) + s / classes * all));
}

static void gradient(const mg_layer *l, float *dx, const float *x, const float *y, int label)
{
    const int classes = l->out.c;
    const double s = l->args.softmax_xent.smoothing;
    const float spread = (float)(s / classes), on_label = (float)(1 - s + s / classes);
    (void)x;
    for (int k = 0; k < classes; k++) dx[k] = y[k] - (k == label ? on_label : spread);
}

static mg_status forward(mg_op *op) { return mg__loss_forward(op, row); }
static mg_status backward(mg_op *op) { return mg__loss_backward(op, gradient); }

const mg_layer_ops mg_cpu_softmax_xent = {.forward = forward, .backward = backward};
