/* input: gather, augment, normalise. op->impl is the augmenter of a pass that has one. */
#include "cpu/augment.h"
#include "cpu/cpu.h"
#include <string.h>

static void gather_row(const mg_op *op, int thread, uint32_t row, uint32_t rows)
{
    const struct mg_input_args *a = &op->layer->args.input;
    const mg_feed *f = op->feed;
    const size_t size = mg_shape_size(op->layer->out);
    const float scale = (float)(1 / (255 * a->std)), shift = (float)(-a->mean / a->std);
    float *y = op->y + row * size;
    if (row >= rows) {
        memset(y, 0, size * sizeof *y);
        f->batch_labels[row] = 0;
        return;
    }
    const uint32_t at = f->state->cursor + row;
    const size_t image = f->order ? f->order[at] : at;
    const uint8_t *pixels = f->pixels + image * size;
    if (op->impl) pixels = mg__cpu_augment(op->impl, thread, &f->augment, f->state, row, pixels);
    mg__cpu_of(op)->isa->element->normalise(y, pixels, size, scale, shift);
    f->batch_labels[row] = f->labels[image];
}

static void gather_rows(void *ctx, int thread, long first, long end)
{
    const mg_op *op = ctx;
    const uint32_t rows = mg_step_rows(op->feed->state);
    for (long row = first; row < end; row++) gather_row(op, thread, (uint32_t)row, rows);
}

static mg_status prepare(mg_op *op)
{
    mg_cpu_augmenter *augmenter = NULL;
    if (!mg__op_augments(op)) return MG_OK;
    const mg_status st =
        mg__cpu_augmenter_create(&augmenter, op->layer->out, mg__cpu_of(op)->threads);
    op->impl = augmenter;
    return st;
}

static void release(mg_op *op)
{
    mg__cpu_augmenter_free(op->impl);
    op->impl = NULL;
}

static mg_status forward(mg_op *op)
{
    mg__team_for(mg__cpu_of(op)->team, op->batch, gather_rows, op);
    return MG_OK;
}

const mg_layer_ops mg_cpu_input = {.prepare = prepare, .forward = forward, .release = release};
