#include "layers/loss.h"

static double row(const mg_layer *l, float *y, const float *x, int label, int best)
{
    const int classes = l->out.c;
    float squares = 0, sum = 0;
    (void)best;
    for (int k = 0; k < classes; k++) {
        const float error = x[k] - (k == label ? 1.0f : 0.0f);
        squares += error * error;
        y[k] = x[k] <= 0 ? 0 : x[k]; /* a NaN stays one */
        sum += y[k];
    }
    for (int k = 0; k < classes; k++) y[k] = sum == 0 ? 1.0f / (float)classes : y[k] / sum;
    return squares / (float)classes;
}

static void gradient(const mg_layer *l, float *dx, const float *x, const float *y, int label)
{
    const int classes = l->out.c;
    const float factor = 2.0f / (float)classes;
    (void)y;
    for (int k = 0; k < classes; k++) dx[k] = factor * (x[k] - (k == label ? 1.0f : 0.0f));
}

static mg_status forward(mg_op *op) { return mg__loss_forward(op, row); }
static mg_status backward(mg_op *op) { return mg__loss_backward(op, gradient); }

const mg_layer_ops mg_cpu_mse = {.forward = forward, .backward = backward};
