/* input CxHxW mean=0 std=1: reads the batch's images and normalises them.
 *
 *     y[i][p] = (pixels[order[cursor + i]][p] / 255 - mean) / std      for the valid rows, else 0
 *     batch_labels[i] = labels[order[cursor + i]]                      for the valid rows, else 0
 *
 * In a training pass the images may be augmented before (layers/augment.h).
 */
#include "layers/distort.h"
#include <string.h>

static const mg_arg args[] = {
    {.kind = MG_ARG_SHAPE,
     .offset = offsetof(mg_layer_args, input.shape),
     .required = true,
     .min = 1,
     .max = 4096},
    {.key = "mean",
     .kind = MG_ARG_FLOAT,
     .offset = offsetof(mg_layer_args, input.mean),
     .value = 0,
     .min = -1e6,
     .max = 1e6},
    {.key = "std",
     .kind = MG_ARG_FLOAT,
     .offset = offsetof(mg_layer_args, input.std),
     .value = 1,
     .min = 1e-6,
     .max = 1e6},
};

static mg_status infer(mg_layer *l)
{
    l->in = l->out = l->args.input.shape;
    return MG_OK;
}

const mg_layer_type mg_type_input = {
    .name = "input", .args = args, .arg_count = MG_COUNT_OF(args), .infer = infer};

/* y: the row's image, distorted, as pixels of 0 to 255: normalisation comes after it. */
static void augment(float *y, const mg_op *op, const uint8_t *pixels, uint32_t row)
{
    const mg_shape s = op->layer->out;
    const mg_step_state *state = op->feed->state;
    mg_distortion d;
    mg__distortion_draw(&d, &op->feed->augment, state->seed, state->step, row);
    for (int c = 0; c < s.c; c++)
        for (int i = 0; i < s.h; i++)
            for (int j = 0; j < s.w; j++) *y++ = mg__distorted_pixel(&d, pixels, s, c, j, i);
}

static mg_status forward(mg_op *op)
{
    const struct mg_input_args *a = &op->layer->args.input;
    const mg_feed *f = op->feed;
    const size_t size = mg_shape_size(op->layer->out);
    const uint32_t rows = mg_step_rows(f->state), cursor = f->state->cursor;
    for (uint32_t i = 0; i < (uint32_t)op->batch; i++) {
        float *y = op->y + i * size;
        f->batch_labels[i] = 0;
        memset(y, 0, size * sizeof *y);
        if (i >= rows) continue;
        const size_t image = f->order ? f->order[cursor + i] : cursor + i;
        f->batch_labels[i] = f->labels[image];
        const uint8_t *pixels = f->pixels + image * size;
        if (mg__op_augments(op))
            augment(y, op, pixels, i);
        else
            for (size_t p = 0; p < size; p++) y[p] = pixels[p];
        for (size_t p = 0; p < size; p++) y[p] = (float)((y[p] / 255.0 - a->mean) / a->std);
    }
    return MG_OK;
}

const mg_layer_ops mg_ref_input = {.forward = forward};
