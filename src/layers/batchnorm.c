/* batchnorm eps=1e-5 momentum=0.1: every channel brought to mean 0 and variance 1, then scaled by a
 * weight and shifted by a bias that are learned.
 *
 *     mean[c]    = 1/N sum x            over the N = rows h w values of the channel in the batch's
 *     var[c]     = 1/N sum (x - mean)^2  valid rows
 *     xhat       = (x - mean) / sqrt(var + eps)
 *     y          = w[c] xhat + b[c]
 *     dw[c]      = sum dy xhat
 *     db[c]      = sum dy
 *     dx         = w[c] / sqrt(var + eps) (dy - db[c] / N - xhat dw[c] / N)   for the valid rows,
 *                                                                             else 0
 *     running_mean += momentum (mean - running_mean)
 *     running_var  += momentum (N / (N - 1) var - running_var)
 *
 * Ioffe & Szegedy 2015, algorithm 1 and section 3; PyTorch's conventions, such as the unbiased
 * variance in the running one. In evaluation the running statistics take the place of the batch's.
 * Of a single value nothing can be said about the variance: where N = 1 the running one stays. */
#include "layers/layer.h"
#include <math.h>

static const mg_arg args[] = {
    {.key = "eps",
     .kind = MG_ARG_FLOAT,
     .offset = offsetof(mg_layer_args, batchnorm.eps),
     .value = 1e-5,
     .min = 1e-12,
     .max = 1},
    {.key = "momentum",
     .kind = MG_ARG_FLOAT,
     .offset = offsetof(mg_layer_args, batchnorm.momentum),
     .value = 0.1,
     .min = 0,
     .max = 1},
};

static mg_status infer(mg_layer *l)
{
    static const char *const suffixes[] = {"weight", "bias", "running_mean", "running_var"};
    for (int i = 0; i < MG_COUNT_OF(suffixes); i++)
        mg__layer_tensor(l, i, suffixes[i], 1, (int[]){l->in.c}, 0, 0);
    l->tensors[0].init.value = l->tensors[3].init.value = 1;
    l->tensors[2].trainable = l->tensors[3].trainable = false;
    l->out = l->in;
    return MG_OK;
}

const mg_layer_type mg_type_batchnorm = {.name = "batchnorm",
                                         .args = args,
                                         .arg_count = MG_COUNT_OF(args),
                                         .infer = infer,
                                         .foreign = "num_batches_tracked"};

/* One channel: its values are x[n * step + i], i < size. */
typedef struct channel {
    size_t at, step, size, rows; /* at: of the first value; rows: valid ones */
    double mean, var;
} channel;

static channel channel_of(const mg_op *op, size_t c)
{
    const mg_shape s = op->layer->in;
    const size_t size = (size_t)s.h * (size_t)s.w;
    return (channel){.at = c * size,
                     .step = mg_shape_size(s),
                     .size = size,
                     .rows = mg_step_rows(op->feed->state)};
}

static void measure(channel *k, const float *x)
{
    const double count = (double)(k->rows * k->size);
    if (!k->rows) return; /* past the epoch's end: all 0 */
    for (size_t n = 0; n < k->rows; n++)
        for (size_t i = 0; i < k->size; i++) k->mean += x[k->at + n * k->step + i];
    k->mean /= count;
    for (size_t n = 0; n < k->rows; n++)
        for (size_t i = 0; i < k->size; i++) k->var += pow(x[k->at + n * k->step + i] - k->mean, 2);
    k->var /= count;
}

static void update_running(const mg_op *op, size_t c, const channel *k)
{
    const double momentum = op->layer->args.batchnorm.momentum;
    const double count = (double)(k->rows * k->size);
    float *mean = &op->running_mean[c], *var = &op->running_var[c];
    if (count > 0) *mean = (float)(*mean + momentum * (k->mean - *mean));
    if (count > 1) *var = (float)(*var + momentum * (count / (count - 1) * k->var - *var));
}

static mg_status forward(mg_op *op)
{
    for (size_t c = 0; c < (size_t)op->layer->in.c; c++) {
        channel k = channel_of(op, c);
        if (op->training) {
            measure(&k, op->x);
            update_running(op, c, &k);
        } else {
            k.mean = op->running_mean[c];
            k.var = op->running_var[c];
        }
        const double scale = op->w[c] / sqrt(k.var + op->layer->args.batchnorm.eps);
        for (size_t n = 0; n < (size_t)op->batch; n++)
            for (size_t i = k.at + n * k.step; i < k.at + n * k.step + k.size; i++)
                op->y[i] = (float)(scale * (op->x[i] - k.mean) + op->b[c]);
    }
    return MG_OK;
}

static mg_status backward(mg_op *op)
{
    for (size_t c = 0; c < (size_t)op->layer->in.c; c++) {
        channel k = channel_of(op, c);
        measure(&k, op->x);
        const double count = (double)(k.rows * k.size);
        const double inv = 1 / sqrt(k.var + op->layer->args.batchnorm.eps);
        double dw = 0, db = 0;
        for (size_t n = 0; n < k.rows; n++)
            for (size_t i = k.at + n * k.step; i < k.at + n * k.step + k.size; i++) {
                dw += op->dy[i] * (op->x[i] - k.mean) * inv;
                db += op->dy[i];
            }
        op->dw[c] = (float)dw;
        op->db[c] = (float)db;
        for (size_t n = 0; op->dx && n < (size_t)op->batch; n++)
            for (size_t i = k.at + n * k.step; i < k.at + n * k.step + k.size; i++) {
                const double xhat = (op->x[i] - k.mean) * inv;
                op->dx[i] =
                    n < k.rows
                        ? (float)(op->w[c] * inv * (op->dy[i] - db / count - xhat * dw / count))
                        : 0;
            }
    }
    return MG_OK;
}

const mg_layer_ops mg_ref_batchnorm = {.forward = forward, .backward = backward};
