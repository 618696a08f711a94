/* Optimizers, step by step: before every step the device is given the reference's state, so that
 * each comparison is of one step's rounding. */
#include "check/case.h"
#include "train/pass.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 4, TENSORS = 4 }; /* w, dw, slots */
static const char *const names[TENSORS] = {"w", "dw", "slots[0]", "slots[1]"};
enum { W, DW, SLOT0, SLOT1 };

#define ADAM    MG_OPTIMIZER_ADAM, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f
#define ADAMW   MG_OPTIMIZER_ADAMW, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f
#define RMSPROP MG_OPTIMIZER_RMSPROP, .rho = 0.9f, .eps = 1e-7f

static const struct optimizer {
    const char *name; /* its first word is the op */
    mg_optimizer_spec spec;
} optimizers[] = {
    {"adam", {ADAM}},
    {"adam beta1=0.7 beta2=0.9 eps=1e-6",
     {MG_OPTIMIZER_ADAM, .beta1 = 0.7f, .beta2 = 0.9f, .eps = 1e-6f}},
    {"adam weight_decay=0.1 clip_value=0.2", {ADAM, .weight_decay = 0.1f, .clip_value = 0.2f}},
    {"adamw weight_decay=0.1", {ADAMW, .weight_decay = 0.1f}},
    {"adamw weight_decay=0.1 clip_norm=0.5", {ADAMW, .weight_decay = 0.1f, .clip_norm = 0.5f}},
    {"sgd", {.kind = MG_OPTIMIZER_SGD}},
    {"sgd momentum=0.9", {MG_OPTIMIZER_SGD, .momentum = 0.9f}},
    {"sgd momentum=0.9 nesterov weight_decay=0.1 clip_norm=1e9",
     {MG_OPTIMIZER_SGD, .momentum = 0.9f, .nesterov = true, .weight_decay = 0.1f,
      .clip_norm = 1e9f}},
    {"sgd clip_value=0.2", {MG_OPTIMIZER_SGD, .clip_value = 0.2f}},
    {"rmsprop", {RMSPROP}},
    {"rmsprop rho=0.99 weight_decay=0.1 clip_norm=0.5",
     {MG_OPTIMIZER_RMSPROP, .rho = 0.99f, .eps = 1e-8f, .weight_decay = 0.1f, .clip_norm = 0.5f}},
};

/* The learning rates of an epoch; the steps begin in the middle of it. */
static const float rates[] = {1, 1, 0.003f, 0.001f, 0.002f, 0.003f};
enum { FIRST_SLOT = MG_COUNT_OF(rates) - STEPS };

/* What there is between a step's beginning and end, on one backend. */
typedef struct arena {
    mg_guarded tensors[TENSORS], state, lr, clip;
    mg_update update;
} arena;

static int tensors_of(const mg_optimizer_spec *spec)
{
    return SLOT0 + mg__optimizer_slots(spec->kind);
}

/* values: [TENSORS][length] */
static mg_status create(arena *a, mg_backend *be, const mg_optimizer_spec *spec, float **values,
                        const mg_step_state *state, size_t length)
{
    mg_status st;
    for (int t = 0; t < tensors_of(spec); t++)
        MG_TRY(mg__guarded_create(&a->tensors[t], be, values[t], length * sizeof(float)));
    MG_TRY(mg__guarded_create(&a->state, be, state, sizeof *state));
    MG_TRY(mg__guarded_create(&a->lr, be, rates, sizeof rates));
    if (spec->clip_norm > 0)
        MG_TRY(mg__guarded_create(&a->clip, be, NULL, (1 + MG_CLIP_PARTS) * sizeof(float)));
    a->update = (mg_update){
        .spec = *spec,
        .length = length,
        .w = mg__guarded_device(&a->tensors[W]),
        .dw = mg__guarded_device(&a->tensors[DW]),
        .slots = {mg__guarded_device(&a->tensors[SLOT0]), mg__guarded_device(&a->tensors[SLOT1])},
        .lr = mg__guarded_device(&a->lr),
        .clip = mg__guarded_device(&a->clip),
        .state = mg__guarded_device(&a->state)};
out:
    return st;
}

static void destroy(arena *a)
{
    for (int t = 0; t < TENSORS; t++) mg__guarded_free(&a->tensors[t]);
    mg__guarded_free(&a->state);
    mg__guarded_free(&a->lr);
    mg__guarded_free(&a->clip);
}

static mg_status step(arena *a, mg_backend *be, float **values)
{
    mg_status st;
    if (a->update.clip) MG_TRY(be->ops->clip_norm(be, &a->update));
    MG_TRY(be->ops->optimizer_step(be, &a->update));
    MG_TRY(be->ops->advance(be, mg__guarded_device(&a->state), true));
    for (int t = 0; t < tensors_of(&a->update.spec); t++)
        MG_TRY(mg__guarded_get(&a->tensors[t], names[t], t == DW ? values[DW] : NULL));
    MG_TRY(mg__guarded_get(&a->state, "state", NULL));
    MG_TRY(mg__guarded_get(&a->lr, "lr", rates));
    if (a->update.clip) MG_TRY(mg__guarded_get(&a->clip, "clip", NULL));
out:
    return st;
}

/* The terms of what the step adds up; a gradient's are itself and the weight's decay, a moving
 * average's are the old one and the gradient, an update's error is the average's error times what
 * the average is multiplied by. */
static void scales(float *scale[TENSORS], const mg_optimizer_spec *s, const mg_step_state *state,
                   float *const before[TENSORS], const arena *after, size_t length)
{
    const double t = state->step + 1.0, lr = rates[state->slot];
    const double rate = lr / (1 - pow(s->beta1, t)), root = sqrt(1 - pow(s->beta2, t));
    const bool two = tensors_of(s) > SLOT1;
    const float *factor = mg__guarded_host(&after->clip);
    const float *v = mg__guarded_host(&after->tensors[two ? SLOT1 : SLOT0]);
    for (size_t i = 0; i < length; i++) {
        const double w = fabs((double)before[W][i]), old = fabs((double)before[SLOT0][i]);
        double g = fabs((double)before[DW][i]) * (factor ? *factor : 1);
        if (s->clip_value > 0) g = fmin(g, s->clip_value);
        if (s->kind != MG_OPTIMIZER_ADAMW) g += s->weight_decay * w;
        if (two) {
            scale[SLOT0][i] = (float)(old + g);
            scale[SLOT1][i] = (float)(s->beta2 * before[SLOT1][i] + (1 - s->beta2) * g * g);
            scale[W][i] = (float)(w + rate * (old + g) / (sqrt((double)v[i]) / root + s->eps));
        } else if (s->kind == MG_OPTIMIZER_SGD) {
            scale[SLOT0][i] = (float)(s->momentum * old + g);
            scale[W][i] = (float)(w + lr * (s->momentum * old + 2 * g));
        } else {
            scale[SLOT0][i] = (float)(s->rho * old + (1 - s->rho) * g * g);
            scale[W][i] = (float)(w + lr * g / (sqrt((double)v[i]) + s->eps));
        }
    }
}

/* Gradients of every size, some of them zero. */
static void draw_gradients(const mg_check *c, float *dw, size_t length, uint32_t step)
{
    for (size_t i = 0; i < length; i++) {
        const int exponent = mg__check_integer(c, 2 * step, i, -20, 2);
        const float g = mg__check_real(c, 2 * step + 1, i, -1, 1);
        dw[i] = exponent == -20 ? 0 : ldexpf(g, 2 * exponent);
    }
}

static mg_status one_step(mg_check *c, const mg_optimizer_spec *spec, float **values, float **scale,
                          mg_step_state *state, size_t length)
{
    mg_status st;
    arena found = {0}, expected = {0};
    MG_TRY(create(&found, c->device, spec, values, state, length));
    MG_TRY(create(&expected, c->reference, spec, values, state, length));
    MG_TRY(step(&found, c->device, values));
    MG_TRY(step(&expected, c->reference, values));
    scales(scale, spec, state, values, &expected, length);
    if (found.update.clip) {
        const float *factor = mg__guarded_host(&expected.clip);
        mg__check_compare(c, "clip", mg__guarded_host(&found.clip), factor, 1, FORWARD_TOLERANCE,
                          factor);
    }
    for (int t = 0; t < tensors_of(spec); t++) {
        if (t == DW) continue;
        mg__check_compare(c, names[t], mg__guarded_host(&found.tensors[t]),
                          mg__guarded_host(&expected.tensors[t]), length, FORWARD_TOLERANCE,
                          scale[t]);
        memcpy(values[t], mg__guarded_host(&expected.tensors[t]), length * sizeof(float));
    }
    mg__check_compare_bytes(c, "state", mg__guarded_host(&found.state),
                            mg__guarded_host(&expected.state), sizeof *state);
    *state = *(mg_step_state *)mg__guarded_host(&expected.state);
out:
    destroy(&found);
    destroy(&expected);
    return st;
}

static mg_status run(mg_check *c, const mg_optimizer_spec *spec, size_t length, uint32_t first)
{
    mg_status st;
    float *values[TENSORS] = {NULL}, *scale[TENSORS] = {NULL};
    mg_step_state state = {.step = first, .count = 1000, .batch = 32, .slot = FIRST_SLOT};
    for (int t = 0; t < TENSORS; t++) {
        values[t] = calloc(length, sizeof(float));
        scale[t] = calloc(length, sizeof(float));
        if (!values[t] || !scale[t]) MG_FAIL(MG_ERR_MEMORY, "out of memory");
    }
    for (size_t i = 0; i < length; i++) {
        values[W][i] = mg__check_real(c, 1000, i, -1, 1);
        if (!first) continue; /* in the middle of a training: the state of one */
        const bool squares = spec->kind == MG_OPTIMIZER_RMSPROP;
        values[SLOT0][i] = mg__check_real(c, 1001, i, squares ? 0 : -0.1f, 0.1f);
        values[SLOT1][i] = mg__check_real(c, 1002, i, 0, 0.01f);
    }
    for (uint32_t i = 0; i < STEPS; i++) {
        draw_gradients(c, values[DW], length, i);
        MG_TRY(one_step(c, spec, values, scale, &state, length));
    }
out:
    for (int t = 0; t < TENSORS; t++) {
        free(values[t]);
        free(scale[t]);
    }
    return st;
}

mg_status mg__check_optimizers(mg_check *c)
{
    static const size_t lengths[] = {64, 192, 4096 + 64, 331264};
    static const uint32_t first_steps[] = {0, 1000, 20000000}; /* beyond what a float can count */
    for (int i = 0; i < MG_COUNT_OF(optimizers); i++)
        for (int l = 0; l < MG_COUNT_OF(lengths); l++)
            for (int f = 0; f < MG_COUNT_OF(first_steps); f++) {
                const struct optimizer *o = &optimizers[i];
                if (l == MG_COUNT_OF(lengths) - 1 && (f || c->options->brief)) continue; /* long */
                char op[16];
                snprintf(op, sizeof op, "%.*s", (int)strcspn(o->name, " "), o->name);
                if (mg__check_begin(c, op, "%s over %zu from step %u", o->name, lengths[l],
                                    first_steps[f]))
                    mg__check_end(c, run(c, &o->spec, lengths[l], first_steps[f]));
            }
    return MG_OK;
}
