/* A step writes each of its buffers once, so that after it they still show the order in which the
 * numbers went wrong: activations from the first layer to the last, gradients from the last to the
 * first, then what the optimizer makes of them. */
#include "train/trace.h"
#include <math.h>
#include <stdlib.h>

/* x: [rows][size] in device memory. */
static mg_status look(const mg_pass *p, const float *x, size_t rows, size_t size, const char *what,
                      const char *of)
{
    mg_backend *be = p->net->backend;
    float *h_x = malloc(rows * size * sizeof *h_x);
    if (!h_x) return mg__fail(MG_ERR_MEMORY, "out of memory for a look at the step");
    mg_status st = be->ops->download(be, h_x, x, rows * size * sizeof *h_x);
    for (size_t i = 0; !st && i < rows * size; i++)
        if (!isfinite(h_x[i]))
            st = mg__fail(MG_ERR_NUMERIC, "%s%s, value %zu of image %zu of the batch, is %g", what,
                          of, i % size, i / size, fabs((double)h_x[i]));
    free(h_x);
    return st;
}

/* An arena with the parameters' places, or NULL. */
static mg_status look_at_tensors(const mg_pass *p, const float *arena, const char *what)
{
    const mg_model *m = p->net->model;
    mg_backend *be = p->net->backend;
    const size_t bytes = m->arena_length * sizeof *arena;
    if (!arena) return MG_OK;
    float *h_arena = malloc(bytes);
    if (!h_arena) return mg__fail(MG_ERR_MEMORY, "out of memory for a look at the step");
    mg_status st = be->ops->download(be, h_arena, arena, bytes);
    if (!st) st = mg__model_check_finite(m, h_arena);
    free(h_arena);
    return st == MG_ERR_NUMERIC ? mg__fail_in(st, "%s", what) : st;
}

mg_status mg__trace_step(mg_pass *p)
{
    mg_status st = MG_OK;
    const int layers = p->net->model->layer_count;
    const size_t batch = (size_t)p->batch;
    for (int i = 0; i < layers; i++) {
        const mg_layer *l = p->ops[i].layer;
        MG_TRY(look(p, p->ops[i].y, batch, mg_shape_size(l->out), "the output of ", l->name));
    }
    for (int i = layers - 1; i > 0; i--) {
        const mg_layer *l = p->ops[i].layer;
        if (p->ops[i].dx)
            MG_TRY(look(p, p->ops[i].dx, batch, mg_shape_size(l->in),
                        "the gradient with respect to the input of ", l->name));
    }
    MG_TRY(look_at_tensors(p, p->grads, "the gradients"));
    for (int i = 0; i < MG_COUNT_OF(p->update.slots); i++)
        MG_TRY(look_at_tensors(p, p->update.slots[i], "the optimizer's state"));
    MG_TRY(look_at_tensors(p, p->net->params, "the weights"));
out:
    return st;
}

float mg__largest_weight(const mg_model *m, const float *params)
{
    float largest = 0;
    for (size_t i = 0; i < m->trainable_length; i++)
        if (isfinite(params[i])) largest = fmaxf(largest, fabsf(params[i]));
    return largest;
}
