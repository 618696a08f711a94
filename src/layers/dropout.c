/* dropout rate=0.5: in training, each number is 0 with probability `rate`, else scaled up so that
 * the expected value stays; in evaluation, every number as it is.
 *
 *     y[i] = f[i] x[i],  dx[i] = f[i] dy[i],  f[i] = 0 or 1 / (1 - rate), anew in every step
 *
 * f is drawn as dropout.h says. A NaN that is dropped stays one, so that the loss shows it.
 * (Srivastava et al. 2014, "inverted": scaled in training, not in evaluation.) */
#include "layers/dropout.h"
#include "layers/layer.h"
#include <string.h>

static const mg_arg args[] = {
    {.key = "rate",
     .kind = MG_ARG_FLOAT,
     .offset = offsetof(mg_layer_args, dropout.rate),
     .value = 0.5,
     .min = 0,
     .max = 0.999},
};

const mg_layer_type mg_type_dropout = {.name = "dropout",
                                       .args = args,
                                       .arg_count = MG_COUNT_OF(args),
                                       .infer = mg__infer_elementwise};

static void drop(const mg_op *op, float *out, const float *in)
{
    const double rate = op->layer->args.dropout.rate;
    const mg_step_state *state = op->feed->state;
    const size_t count = mg_shape_size(op->layer->out) * (size_t)op->batch;
    for (size_t i = 0; i < count; i++) {
        const mg_philox words =
            mg__dropout_words(state->seed, state->step, (uint32_t)op->layer->index, i / 4);
        const bool dropped = words.v[i % 4] < mg__dropout_threshold(rate);
        out[i] = in[i] * (dropped ? 0 : mg__dropout_scale(rate));
    }
}

static mg_status forward(mg_op *op)
{
    if (op->training)
        drop(op, op->y, op->x);
    else
        memcpy(op->y, op->x, mg_shape_size(op->layer->out) * (size_t)op->batch * sizeof *op->y);
    return MG_OK;
}

static mg_status backward(mg_op *op)
{
    if (op->dx) drop(op, op->dx, op->dy);
    return MG_OK;
}

const mg_layer_ops mg_ref_dropout = {.forward = forward, .backward = backward};
