/* Scales: the sum of the absolute values of the terms of every sum that a layer computes. For
 * layers that are sums of products these come from the reference's own loops, run over absolute
 * values: sum |w||x| is what conv makes of |w| and |x|. Losses and batchnorm have formulas of their
 * own here: what an error in each intermediate number, such as a mean, does to the result.
 *
 * An error of a relative size e in each term, and of each partial sum's rounding, is at most e (or
 * n e for a chain of n additions; sqrt(n) e is what chance makes of it) times that scale, whatever
 * cancels. So a tolerance of k eps times the scale is proportional to the sum's length where terms
 * are alike, and far below the worst case for long sums. */
#include "check/case.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool mg__check_exact(mg_layer_kind kind)
{
    return kind == MG_LAYER_RELU || kind == MG_LAYER_LEAKY_RELU || kind == MG_LAYER_MAXPOOL ||
           kind == MG_LAYER_DROPOUT;
}

bool mg__check_stays_whole(mg_layer_kind kind)
{
    return kind == MG_LAYER_CONV || kind == MG_LAYER_DENSE || kind == MG_LAYER_RELU ||
           kind == MG_LAYER_MAXPOOL;
}

/* *out = |values|, malloc'd; NULL for NULL. */
static mg_status absolute(float **out, const float *values, size_t count)
{
    *out = NULL;
    if (!values) return MG_OK;
    float *copy = malloc((count ? count : 1) * sizeof *copy);
    if (!copy) return mg__fail(MG_ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < count; i++) copy[i] = fabsf(values[i]);
    *out = copy;
    return MG_OK;
}

/* The op over absolute values of x, w and b; the caller frees these three. */
static mg_status absolute_op(mg_op *out, float *owned[3], const mg_op *op)
{
    mg_status st;
    const mg_layer *l = op->layer;
    *out = *op;
    MG_TRY(absolute(&owned[0], op->x, mg_shape_size(l->in) * (size_t)op->batch));
    MG_TRY(absolute(&owned[1], op->w, l->tensors[0].count));
    MG_TRY(absolute(&owned[2], op->b, l->tensors[1].count));
    out->x = owned[0];
    out->w = owned[1];
    out->b = owned[2];
out:
    return st;
}

/* ---- the losses ---- */

/* Of softmax's y = exp(d) / sum, d = x - max: the rounding of d comes out as a relative error
 * |d| eps. mse's y are sums of positive numbers. */
static void probability_scale(const mg_op *op, float *y)
{
    const int classes = op->layer->out.c;
    const bool softmax = op->layer->kind == MG_LAYER_SOFTMAX_XENT;
    for (int n = 0; n < op->batch; n++) {
        const float *x = op->x + (size_t)n * (size_t)classes;
        float max = x[0];
        for (int k = 1; k < classes; k++)
            if (x[k] > max) max = x[k];
        for (int k = 0; k < classes; k++) {
            const size_t i = (size_t)n * (size_t)classes + (size_t)k;
            y[i] = op->y[i] * (softmax ? 1 + fabsf(x[k] - max) : 1);
        }
    }
}

/* softmax_xent: dx = (y - t) / rows, where t is at most 1 on the label and s / K elsewhere.
 * mse: dx = 2 (x - [k = label]) / (K rows) */
static void loss_gradient_scale(const mg_op *op, float *dx)
{
    const uint32_t rows = mg_step_rows(op->feed->state);
    const size_t classes = (size_t)op->layer->out.c;
    const bool softmax = op->layer->kind == MG_LAYER_SOFTMAX_XENT;
    const float spread = softmax ? (float)op->layer->args.softmax_xent.smoothing : 0;
    const float factor = softmax ? 1 : 2 / (float)classes;
    if (softmax) probability_scale(op, dx);
    for (size_t n = 0; n < (size_t)op->batch; n++)
        for (size_t k = 0; k < classes; k++) {
            const size_t i = n * classes + k;
            const float label = k == op->feed->batch_labels[n] ? 1 : 0;
            const float terms =
                (softmax ? dx[i] + spread / (float)classes : fabsf(op->x[i])) + label;
            dx[i] = n < rows ? factor * terms / (float)rows : 0;
        }
}

/* softmax_xent: loss[n] = log(sum exp(d)) - sum_k t_k d_k: these terms, and a 1 for the relative
 * error of the sum, of which the logarithm makes an absolute one. */
static double xent_scale(const mg_op *op, const float *x, size_t label)
{
    const size_t classes = (size_t)op->layer->out.c;
    const double s = op->layer->args.softmax_xent.smoothing;
    double max = x[0], sum = 0, all = 0;
    assert(classes > 0); /* and so sum >= 1, or NaN */
    for (size_t k = 1; k < classes; k++) max = fmax(max, x[k]);
    for (size_t k = 0; k < classes; k++) sum += exp(x[k] - max);
    for (size_t k = 0; k < classes; k++) all += max - x[k];
    return 1 + log(sum) + (1 - s) * (max - x[label]) + s / (double)classes * all;
}

/* mse: loss[n] = 1/K sum (x - [k = label])^2 */
static double squares_scale(const mg_op *op, const float *x, size_t label)
{
    const size_t classes = (size_t)op->layer->out.c;
    double sum = 0;
    for (size_t k = 0; k < classes; k++) sum += pow(x[k] - (double)(k == label), 2);
    return sum / (double)classes;
}

float mg__check_loss_scale(const mg_op *op)
{
    const size_t classes = (size_t)op->layer->out.c;
    const uint32_t rows = mg_step_rows(op->feed->state);
    double scale = 0;
    for (uint32_t n = 0; n < rows; n++)
        scale += (op->layer->kind == MG_LAYER_SOFTMAX_XENT ? xent_scale : squares_scale)(
            op, op->x + n * classes, op->feed->batch_labels[n]);
    return (float)scale;
}

/* ---- batchnorm ---- */

/* A channel's statistics, and the scales of their errors. */
typedef struct moments {
    double count, mean, inv;          /* inv: 1 / sqrt(var + eps) */
    double mean_scale, var_scale;     /* E|x|; of E d^2, d = x - mean: 2 |d| times d's scale more */
    double inv_scale;                 /* relative: that of var + eps, halved, and a rounding */
    size_t first, step, size, images; /* the channel's values: first + n step + i, i < size */
} moments;

static void measure(const mg_op *op, moments *m)
{
    double var = 0;
    for (size_t n = 0; n < m->images; n++)
        for (size_t i = 0; i < m->size; i++) {
            const double x = op->x[m->first + n * m->step + i];
            m->mean += x / m->count;
            m->mean_scale += fabs(x) / m->count;
        }
    for (size_t n = 0; n < m->images; n++)
        for (size_t i = 0; i < m->size; i++) {
            const double x = op->x[m->first + n * m->step + i], d = x - m->mean;
            var += d * d / m->count;
            m->var_scale += (d * d + 2 * fabs(d) * (fabs(x) + m->mean_scale)) / m->count;
        }
    m->inv = 1 / sqrt(var + op->layer->args.batchnorm.eps);
}

static moments moments_of(const mg_op *op, size_t c)
{
    const mg_shape s = op->layer->in;
    moments m = {.step = mg_shape_size(s),
                 .size = (size_t)(s.h * s.w),
                 .images = mg_step_rows(op->feed->state)};
    m.first = c * m.size;
    m.count = (double)(m.images * m.size);
    if (op->training) {
        measure(op, &m);
    } else {
        m.mean = op->running_mean[c];
        m.mean_scale = fabs(m.mean);
        m.var_scale = op->running_var[c];
        m.inv = 1 / sqrt(m.var_scale + op->layer->args.batchnorm.eps);
    }
    m.inv_scale = 1 + m.var_scale * m.inv * m.inv / 2;
    return m;
}

/* Of xhat = (x - mean) inv. */
static double normal_scale(const moments *m, double x)
{
    return (fabs(x) + m->mean_scale + fabs(x - m->mean) * m->inv_scale) * m->inv;
}

/* y = w xhat + b */
static void batchnorm_scale(const mg_op *op, float *y)
{
    for (size_t c = 0; c < (size_t)op->layer->in.c; c++) {
        const moments m = moments_of(op, c);
        for (size_t n = 0; n < (size_t)op->batch; n++)
            for (size_t i = m.first + n * m.step; i < m.first + n * m.step + m.size; i++)
                y[i] = (float)(fabs((double)op->w[c]) * normal_scale(&m, op->x[i]) +
                               fabs((double)op->b[c]));
    }
}

/* dw = sum dy xhat, db = sum dy, dx = w inv (dy - db / N - xhat dw / N) */
static void batchnorm_gradient_scale(const mg_op *op, const float *dy, float *dx, float *dw,
                                     float *db)
{
    for (size_t c = 0; c < (size_t)op->layer->in.c; c++) {
        const moments m = moments_of(op, c);
        double sum = 0, sum_x = 0;
        for (size_t n = 0; n < m.images; n++)
            for (size_t i = m.first + n * m.step; i < m.first + n * m.step + m.size; i++) {
                sum += dy[i];
                sum_x += dy[i] * normal_scale(&m, op->x[i]);
            }
        dw[c] = (float)sum_x;
        db[c] = (float)sum;
        const double factor = fabs((double)op->w[c]) * m.inv * m.inv_scale;
        for (size_t n = 0; dx && n < (size_t)op->batch; n++)
            for (size_t i = m.first + n * m.step; i < m.first + n * m.step + m.size; i++) {
                const double xhat = normal_scale(&m, op->x[i]);
                dx[i] =
                    n < m.images ? (float)(factor * (dy[i] + (sum + xhat * sum_x) / m.count)) : 0;
            }
    }
}

/* running = (1 - momentum) running + momentum new; what it was before is at most what it is and
 * the new one's part. */
void mg__check_running_scale(const mg_op *op, float *mean, float *var)
{
    const double momentum = op->layer->args.batchnorm.momentum;
    for (size_t c = 0; c < (size_t)op->layer->in.c; c++) {
        const moments m = moments_of(op, c);
        const double unbiased = m.count > 1 ? m.count / (m.count - 1) * m.var_scale : 0;
        mean[c] = (float)(fabs((double)op->running_mean[c]) + 2 * momentum * m.mean_scale);
        var[c] = (float)(op->running_var[c] + 2 * momentum * unbiased);
    }
}

/* ---- any layer ---- */

/* dx = dy (1 - y^2) for tanh, dy (y - y^2) for sigmoid */
static void activation_gradient_scale(const mg_op *op, const float *dy, float *dx)
{
    const bool is_tanh = op->layer->kind == MG_LAYER_TANH;
    const size_t count = mg_shape_size(op->layer->out) * (size_t)op->batch;
    for (size_t i = 0; i < count; i++)
        dx[i] = dy[i] * ((is_tanh ? 1 : op->y[i]) + op->y[i] * op->y[i]);
}

/* y = (pixel / 255 - mean) / std */
static void input_scale(const mg_op *op, float *y)
{
    const struct mg_input_args *a = &op->layer->args.input;
    const size_t count = mg_shape_size(op->layer->out) * (size_t)op->batch;
    for (size_t i = 0; i < count; i++)
        y[i] = (float)(fabs((double)op->y[i]) + 2 * fabs(a->mean) / a->std);
}

mg_status mg__check_forward_scale(const mg_check *c, const mg_op *op, float *y)
{
    mg_status st = MG_OK;
    mg_op abs_op;
    float *owned[3] = {NULL, NULL, NULL};
    const size_t count = mg_shape_size(op->layer->out) * (size_t)op->batch;
    switch (op->layer->kind) {
    case MG_LAYER_INPUT:
        input_scale(op, y);
        break;
    case MG_LAYER_SOFTMAX_XENT:
    case MG_LAYER_MSE:
        probability_scale(op, y);
        break;
    case MG_LAYER_BATCHNORM:
        batchnorm_scale(op, y);
        break;
    case MG_LAYER_CONV:
    case MG_LAYER_DENSE:
    case MG_LAYER_AVGPOOL:
        MG_TRY(absolute_op(&abs_op, owned, op));
        abs_op.y = y;
        MG_TRY(c->loops->ops->layers[op->layer->kind]->forward(&abs_op));
        break;
    default: /* a function of single numbers */
        for (size_t i = 0; i < count; i++) y[i] = fabsf(op->y[i]);
    }
out:
    for (int i = 0; i < MG_COUNT_OF(owned); i++) free(owned[i]);
    return st;
}

mg_status mg__check_backward_scale(const mg_check *c, const mg_op *op, const float *dy, float *dx,
                                   float *dw, float *db)
{
    mg_status st = MG_OK;
    mg_op abs_op = *op;
    float *owned[3] = {NULL, NULL, NULL};
    if (mg_layer_types[op->layer->kind]->is_loss) {
        loss_gradient_scale(op, dx);
        return MG_OK;
    }
    if (op->layer->kind == MG_LAYER_BATCHNORM) {
        batchnorm_gradient_scale(op, dy, dx, dw, db);
        return MG_OK;
    }
    if (op->layer->kind == MG_LAYER_TANH || op->layer->kind == MG_LAYER_SIGMOID) {
        if (dx) activation_gradient_scale(op, dy, dx);
        return MG_OK;
    }
    /* Where there are no parameters, x and y choose where the gradient goes: they stay as they are.
     */
    if (op->w) MG_TRY(absolute_op(&abs_op, owned, op));
    abs_op.dy = dy;
    abs_op.dx = dx;
    abs_op.dw = dw;
    abs_op.db = db;
    MG_TRY(c->loops->ops->layers[op->layer->kind]->backward(&abs_op));
out:
    for (int i = 0; i < MG_COUNT_OF(owned); i++) free(owned[i]);
    return st;
}
