/* The reference itself: its backward against central differences of its forward, along random
 * directions v of one input at a time:
 *
 *     <d, v>  =  (L(t + h v) - L(t - h v)) / 2h,    L = <dy, y>, or the mean loss,
 *
 * t an input of the layer (x, w or b) and d the gradient that backward makes of it. Conv and dense
 * are linear in each, ReLU and max-pool in pieces: with whole numbers, h = 1/4 and every x another
 * whole number, not 0, no step crosses from one piece to the next, nothing is rounded, and both
 * sides must be equal. The others are curved, or round: there the differences are of the fourth
 * order, in double but for the losses or outputs themselves, which come as floats. */
#include "check/case.h"
#include "model/spec.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SMALL_H 0x1p-5 /* h for the others */

enum { X, W, B, INPUTS };
static const char *const gradient_names[INPUTS] = {"dx", "dw", "db"};

/* A layer on the reference, in buffers of the host. */
typedef struct bench {
    mg_op op;
    mg_feed feed;
    mg_step_state state;
    mg_step_stat stat;
    size_t counts[INPUTS], outputs;
    float *inputs[INPUTS], *gradients[INPUTS], *running[2], *y, *dy;
    uint8_t *labels;
} bench;

static mg_status allocate(float **out, size_t count)
{
    if (!count) return MG_OK;
    *out = calloc(count, sizeof **out);
    return *out ? MG_OK : mg__fail(MG_ERR_MEMORY, "out of memory");
}

static mg_status make(bench *b, mg_backend *be, const mg_layer *l, int batch)
{
    mg_status st;
    b->counts[X] = mg_shape_size(l->in) * (size_t)batch;
    b->outputs = mg_shape_size(l->out) * (size_t)batch;
    for (int t = 0; t < l->tensor_count; t++) {
        if (l->tensors[t].trainable)
            b->counts[W + t] = l->tensors[t].count;
        else
            MG_TRY(allocate(&b->running[t - 2], l->tensors[t].count));
    }
    for (int i = 0; i < INPUTS; i++) {
        MG_TRY(allocate(&b->inputs[i], b->counts[i]));
        MG_TRY(allocate(&b->gradients[i], b->counts[i]));
    }
    MG_TRY(allocate(&b->y, b->outputs));
    MG_TRY(allocate(&b->dy, b->outputs));
    b->labels = calloc((size_t)batch, 1);
    if (!b->labels) MG_FAIL(MG_ERR_MEMORY, "out of memory");
    /* One row of the batch is not valid, where there is more than one. */
    b->state =
        (mg_step_state){.count = (uint32_t)(batch > 1 ? batch - 1 : 1), .batch = (uint32_t)batch};
    b->feed = (mg_feed){.state = &b->state, .batch_labels = b->labels, .stats = &b->stat};
    b->op = (mg_op){.layer = l,
                    .backend = be,
                    .feed = &b->feed,
                    .batch = batch,
                    .training = true,
                    .x = b->inputs[X],
                    .w = b->inputs[W],
                    .b = b->inputs[B],
                    .running_mean = b->running[0],
                    .running_var = b->running[1],
                    .y = b->y,
                    .dy = b->dy,
                    .dx = b->gradients[X],
                    .dw = b->gradients[W],
                    .db = b->gradients[B]};
out:
    return st;
}

static void destroy(bench *b)
{
    for (int i = 0; i < INPUTS; i++) {
        free(b->inputs[i]);
        free(b->gradients[i]);
    }
    free(b->running[0]);
    free(b->running[1]);
    free(b->y);
    free(b->dy);
    free(b->labels);
}

static bool is_loss(const bench *b) { return mg_layer_types[b->op.layer->kind]->is_loss; }
static bool is_batchnorm(const bench *b) { return b->op.layer->kind == MG_LAYER_BATCHNORM; }

/* x of a layer with kinks: different whole numbers, none of them 0, in no order. 8191 is prime, and
 * so k -> 4097 k + 1 mod 8191 goes through all of them; windows are smaller than that. */
static float kink_free(size_t i, size_t offset)
{
    const long k = (long)((4097 * (i + offset) + 1) % 8191) - 4095;
    return (float)(k < 0 ? k : k + 1);
}

/* x of batchnorm: every channel has values far apart, for any two images or pixels, so that no step
 * is large beside their deviation. Rows that are not valid have no gradient. */
static void fill_batchnorm(const mg_check *c, bench *b)
{
    const size_t in = mg_shape_size(b->op.layer->in), valid = mg_step_rows(&b->state) * in;
    const size_t plane = (size_t)b->op.layer->in.h * (size_t)b->op.layer->in.w;
    for (size_t i = 0; i < b->counts[X]; i++)
        b->inputs[X][i] =
            mg__check_real(c, X, i, -8, 8) + ((i / in + i % in % plane) % 2 ? 12.0f : -12.0f);
    for (size_t i = valid; i < b->outputs; i++) b->dy[i] = 0;
}

/* Is nothing rounded where numbers are whole? */
static bool is_exact(const mg_layer *l) { return mg__check_stays_whole(l->kind); }

static float value_of(const mg_check *c, const mg_layer *l, int input, size_t i)
{
    if (l->kind == MG_LAYER_RELU || l->kind == MG_LAYER_MAXPOOL) return kink_free(i, c->key % 8191);
    if (is_exact(l)) return (float)mg__check_integer(c, (uint32_t)input, i, -3, 3);
    const float real = mg__check_real(c, (uint32_t)input, i, -2, 2);
    return real + copysignf(0.25f, real); /* away from a kink at 0 */
}

static void fill(const mg_check *c, bench *b)
{
    for (int t = 0; t < INPUTS; t++)
        for (size_t i = 0; i < b->counts[t]; i++) b->inputs[t][i] = value_of(c, b->op.layer, t, i);
    for (size_t i = 0; i < b->outputs; i++)
        b->dy[i] = (float)mg__check_integer(c, INPUTS, i, -3, 3);
    for (int n = 0; n < b->op.batch; n++)
        b->labels[n] =
            (uint8_t)mg__check_integer(c, INPUTS + 1, (size_t)n, 0, b->op.layer->out.c - 1);
    if (is_batchnorm(b)) fill_batchnorm(c, b);
}

/* L where the input is t + h v. */
static mg_status moved(double *out, bench *b, const mg_check *c, int input, const float *t,
                       const float *v, double h)
{
    const mg_layer_kind kind = b->op.layer->kind;
    for (size_t i = 0; i < b->counts[input]; i++) b->inputs[input][i] = (float)(t[i] + h * v[i]);
    const mg_status st = c->device->ops->layers[kind]->forward(&b->op);
    double sum = 0;
    for (size_t i = 0; i < b->outputs; i++) sum += (double)b->y[i] * b->dy[i];
    *out = is_loss(b) ? b->stat.loss / (double)mg_step_rows(&b->state) : sum;
    memcpy(b->inputs[input], t, b->counts[input] * sizeof *t);
    return st;
}

/* The derivative of L along v. */
static mg_status difference(double *out, bench *b, const mg_check *c, int input, const float *t,
                            const float *v)
{
    mg_status st;
    double left, right, far_left, far_right;
    const bool exact = is_exact(b->op.layer);
    const double h = exact || is_batchnorm(b) ? 0.25 : SMALL_H;
    MG_TRY(moved(&left, b, c, input, t, v, -h));
    MG_TRY(moved(&right, b, c, input, t, v, h));
    *out = (right - left) / (2 * h);
    if (exact) goto out;
    MG_TRY(moved(&far_left, b, c, input, t, v, -2 * h));
    MG_TRY(moved(&far_right, b, c, input, t, v, 2 * h));
    *out = (8 * (right - left) - (far_right - far_left)) / (12 * h);
out:
    return st;
}

/* Directions: half of them of signs everywhere, which see any single wrong element, half of one
 * element each. */
static void draw_direction(const mg_check *c, float *v, size_t count, int input, int index,
                           bool single)
{
    const uint32_t id = (uint32_t)(16 + input * 16 + index);
    memset(v, 0, count * sizeof *v);
    if (single)
        v[mg__check_word(c, id, 0) % count] = 1;
    else
        for (size_t i = 0; i < count; i++) v[i] = (float)mg__check_integer(c, id, i, 0, 1) * 2 - 1;
}

/* How far a difference may be off, for a step of 1 in one element. A loss: its rounding, half an
 * ulp of the sum, over h. batchnorm: the outputs' rounding over h, which the second pair of
 * differences makes half as much again; h is 1/40 of the deviation or less. The others: the
 * rounding of the outputs that hear of the element. h^4/30 of the fifth derivative (at most 16, of
 * tanh), is less. */
static double tolerance_of(const bench *b)
{
    const mg_layer *l = b->op.layer;
    double sum = 0, largest = 0, outputs = 1;
    if (is_exact(l)) return 0;
    if (is_loss(b)) return b->stat.loss / mg_step_rows(&b->state) * FLT_EPSILON / SMALL_H + 1e-6;
    for (size_t i = 0; i < b->outputs; i++) {
        sum += fabs((double)b->y[i] * b->dy[i]);
        largest = fmax(largest, fabs((double)b->y[i]));
    }
    if (is_batchnorm(b)) return 1.5 * sum * FLT_EPSILON / 0.25;
    if (l->kind == MG_LAYER_AVGPOOL) outputs = l->args.pool.size * l->args.pool.size;
    return 3 * outputs * (largest * FLT_EPSILON / SMALL_H + 1e-6); /* |dy| <= 3 */
}

static mg_status check_input(mg_check *c, bench *b, int input)
{
    enum { DIRECTIONS = 8 };
    mg_status st;
    const size_t count = b->counts[input];
    const double tolerance = tolerance_of(b);
    const bool whole = is_loss(b) || is_batchnorm(b); /* the tolerance is that of any step */
    float found[DIRECTIONS], expected[DIRECTIONS], scale[DIRECTIONS], *t = NULL, *v = NULL;
    assert(count > 0);
    MG_TRY(allocate(&t, count));
    MG_TRY(allocate(&v, count));
    memcpy(t, b->inputs[input], count * sizeof *t);
    for (int d = 0; d < DIRECTIONS; d++) {
        double slope, product = 0;
        draw_direction(c, v, count, input, d, d % 2);
        MG_TRY(difference(&slope, b, c, input, t, v));
        for (size_t i = 0; i < count; i++) product += (double)b->gradients[input][i] * v[i];
        found[d] = (float)product;
        expected[d] = (float)slope;
        scale[d] = d % 2 || whole ? 1 : (float)count;
    }
    mg__check_compare(c, gradient_names[input], found, expected, DIRECTIONS, tolerance, scale);
out:
    free(t);
    free(v);
    return st;
}

static mg_status run(mg_check *c, const mg_layer *layer, int batch)
{
    mg_status st;
    bench b = {0};
    const mg_layer_ops *ops = c->device->ops->layers[layer->kind];
    MG_TRY(make(&b, c->device, layer, batch));
    fill(c, &b);
    MG_TRY(ops->forward(&b.op));
    MG_TRY(ops->backward(&b.op));
    for (int input = 0; input < INPUTS; input++)
        if (b.counts[input]) MG_TRY(check_input(c, &b, input));
out:
    destroy(&b);
    return st;
}

mg_status mg__check_differences(mg_check *c)
{
    for (const mg_layer_case *of = mg_layer_cases; of->line; of++) {
        mg_model *model = NULL;
        const mg_layer *layer;
        const mg_status st = mg__check_parse_layer(&model, &layer, of);
        if (st) return st;
        const int batch = of->batch < 3 ? of->batch : 3;
        if (layer->kind != MG_LAYER_INPUT &&
            mg__check_begin(c, mg_layer_types[layer->kind]->name, "%s on %s x%d, differences",
                            of->line, of->input, batch))
            mg__check_end(c, run(c, layer, batch));
        mg_model_free(model);
    }
    return MG_OK;
}
