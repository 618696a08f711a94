/* Optimizers, step by step: before every step the device is given the reference's state, so that
 * each comparison is of one step's rounding. */
#include "check/case.h"
#include "train/pass.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 4, SLOTS = 2, TENSORS = 4 }; /* w, dw, slots */
static const char *const names[TENSORS] = {"w", "dw", "slots[0]", "slots[1]"};
enum { W, DW, SLOT0, SLOT1 };

static const struct optimizer {
    const char *op, *name;
    mg_optimizer_spec spec;
} optimizers[] = {
    {"adam", "adam", {MG_OPTIMIZER_ADAM, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f}},
    {"adam",
     "adam beta1=0.7 beta2=0.9 eps=1e-6",
     {MG_OPTIMIZER_ADAM, .beta1 = 0.7f, .beta2 = 0.9f, .eps = 1e-6f}},
    {"sgd", "sgd", {MG_OPTIMIZER_SGD, .momentum = 0}},
    {"sgd", "sgd momentum=0.9", {MG_OPTIMIZER_SGD, .momentum = 0.9f}},
};

/* What there is between a step's beginning and end, on one backend. */
typedef struct arena {
    mg_guarded tensors[TENSORS], state;
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
    a->update = (mg_update){
        .kind = spec->kind,
        .beta1 = spec->beta1,
        .beta2 = spec->beta2,
        .eps = spec->eps,
        .momentum = spec->momentum,
        .length = length,
        .w = mg__guarded_device(&a->tensors[W]),
        .dw = mg__guarded_device(&a->tensors[DW]),
        .slots = {mg__guarded_device(&a->tensors[SLOT0]), mg__guarded_device(&a->tensors[SLOT1])},
        .state = mg__guarded_device(&a->state)};
out:
    return st;
}

static void destroy(arena *a)
{
    for (int t = 0; t < TENSORS; t++) mg__guarded_free(&a->tensors[t]);
    mg__guarded_free(&a->state);
}

static mg_status step(arena *a, mg_backend *be, float **values)
{
    mg_status st;
    MG_TRY(be->ops->optimizer_step(be, &a->update));
    MG_TRY(be->ops->advance(be, mg__guarded_device(&a->state), true));
    for (int t = 0; t < SLOT0 + mg__optimizer_slots(a->update.kind); t++)
        MG_TRY(mg__guarded_get(&a->tensors[t], names[t], t == DW ? values[DW] : NULL));
    MG_TRY(mg__guarded_get(&a->state, "state", NULL));
out:
    return st;
}

/* The terms of what the step adds up; a moving average's are the old one and the gradient, an
 * update's error is the average's error times what the average is multiplied by. */
static void scales(float *scale[TENSORS], const mg_optimizer_spec *s, const mg_step_state *state,
                   float *const before[TENSORS], const arena *after, size_t length)
{
    const double t = state->step + 1.0, lr = state->lr;
    const double rate = lr / (1 - pow(s->beta1, t)), root = sqrt(1 - pow(s->beta2, t));
    const float *v = mg__guarded_host(&after->tensors[SLOT1]);
    for (size_t i = 0; i < length; i++) {
        const double g = fabs((double)before[DW][i]), w = fabs((double)before[W][i]);
        const double old = fabs((double)before[SLOT0][i]);
        if (s->kind == MG_OPTIMIZER_ADAM) {
            scale[SLOT0][i] = (float)(old + g);
            scale[SLOT1][i] = v[i];
            scale[W][i] = (float)(w + rate * (old + g) / (sqrt((double)v[i]) / root + s->eps));
        } else {
            scale[SLOT0][i] = (float)(s->momentum * old + g);
            scale[W][i] = (float)(w + lr * (s->momentum * old + g));
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
    mg_step_state state = {.step = first, .count = 1000, .batch = 32, .lr = 0.003f};
    for (int t = 0; t < TENSORS; t++) {
        values[t] = calloc(length, sizeof(float));
        scale[t] = calloc(length, sizeof(float));
        if (!values[t] || !scale[t]) MG_FAIL(MG_ERR_MEMORY, "out of memory");
    }
    for (size_t i = 0; i < length; i++) {
        values[W][i] = mg__check_real(c, 1000, i, -1, 1);
        if (!first) continue; /* in the middle of a training: the state of one */
        values[SLOT0][i] = mg__check_real(c, 1001, i, -0.1f, 0.1f);
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
                if (mg__check_begin(c, o->op, "%s over %zu from step %u", o->name, lengths[l],
                                    first_steps[f]))
                    mg__check_end(c, run(c, &o->spec, lengths[l], first_steps[f]));
            }
    return MG_OK;
}
