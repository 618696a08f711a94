/* mse: mean squared error between the outputs and the label's one-hot vector, the loss of the mean
 * over the batch (Keras's `mse`, PyTorch's MSELoss).
 *
 *     loss[n]  = 1/K sum_k (x[n][k] - [k = label])^2
 *     dx[n][k] = 2/K (x[n][k] - [k = label]) / rows    for the valid rows, else 0
 *     y[n][k]  = max(x[n][k], 0) / sum_j max(x[n][j], 0);  1/K where no output is above 0
 *
 * The outputs that make this loss least are the classes' probabilities (Richard & Lippmann 1991),
 * but nothing keeps those of a net between 0 and 1: y is an estimate made of them, in the same
 * order. */
#include "layers/loss.h"

const mg_layer_type mg_type_mse = {.name = "mse", .is_loss = true, .infer = mg__loss_infer};

static double row(const mg_layer *l, float *y, const float *x, int label, int best)
{
    const int classes = l->out.c;
    double squares = 0, sum = 0;
    (void)best;
    for (int k = 0; k < classes; k++) {
        const double error = (double)x[k] - (k == label);
        squares += error * error;
        sum += x[k] <= 0 ? 0 : x[k]; /* a NaN stays one */
    }
    for (int k = 0; k < classes; k++)
        y[k] = (float)(sum == 0 ? 1.0 / classes : (x[k] <= 0 ? 0 : x[k]) / sum);
    return squares / classes;
}

static void gradient(const mg_layer *l, float *dx, const float *x, const float *y, int label)
{
    const int classes = l->out.c;
    (void)y;
    for (int k = 0; k < classes; k++)
        dx[k] = (float)(2.0 * ((double)x[k] - (k == label)) / classes);
}

static mg_status forward(mg_op *op) { return mg__loss_forward(op, row); }
static mg_status backward(mg_op *op) { return mg__loss_backward(op, gradient); }

const mg_layer_ops mg_ref_mse = {.forward = forward, .backward = backward};
