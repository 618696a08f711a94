#include "cpu/cpu.h"
#include "layers/dropout.h"
#include <string.h>

/* One pass over the batch; blocks of the mask do not stop at the ends of images. */
typedef struct job {
    const mg_op *op;
    float *out;
    const float *in;
    size_t count;
} job;

static void drop_blocks(void *ctx, int thread, long first, long end)
{
    const job *j = ctx;
    const mg_layer *l = j->op->layer;
    const mg_step_state *state = j->op->feed->state;
    const double rate = l->args.dropout.rate;
    const uint32_t threshold = mg__dropout_threshold(rate);
    const float scale = mg__dropout_scale(rate);
    (void)thread;
    for (size_t block = (size_t)first; block < (size_t)end; block++) {
        const mg_philox words =
            mg__dropout_words(state->seed, state->step, (uint32_t)l->index, block);
        const size_t at = 4 * block, left = j->count - at < 4 ? j->count - at : 4;
        for (size_t i = 0; i < left; i++)
            j->out[at + i] = j->in[at + i] * (words.v[i] < threshold ? 0 : scale);
    }
}

static void drop(const mg_op *op, float *out, const float *in)
{
    job j = {op, out, in, mg_shape_size(op->layer->out) * (size_t)op->batch};
    mg__team_for(mg__cpu_of(op)->team, (long)((j.count + 3) / 4), drop_blocks, &j);
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

const mg_layer_ops mg_cpu_dropout = {.forward = forward, .backward = backward};
