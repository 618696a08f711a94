/* Scales: the sum of the absolute values of the terms of every sum that a layer computes. For
 * layers that are sums of products these come from the reference's own loops, run over absolute
 * values: sum |w||x| is what conv makes of |w| and |x|.
 *
 * An error of a relative size e in each term, and of each partial sum's rounding, is at most e (or
 * n e for a chain of n additions; sqrt(n) e is what chance makes of it) times that scale, whatever
 * cancels. So a tolerance of k eps times the scale is proportional to the sum's length where terms
 * are alike, and far below the worst case for long sums. */
#include "check/case.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool mg__check_moves(mg_layer_kind kind)
{
    return kind == MG_LAYER_RELU || kind == MG_LAYER_MAXPOOL;
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
            const float label = k == op->feed->batch_labels[n];
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

/* ---- any layer ---- */

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
    case MG_LAYER_CONV:
    case MG_LAYER_DENSE:
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
