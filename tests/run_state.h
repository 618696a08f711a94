/* For tests of run directories: a model and states of its training, written and compared. Include
 * after cmocka.h. */
#ifndef MG_TEST_RUN_STATE_H
#define MG_TEST_RUN_STATE_H

#include "io/file.h"
#include "io/run.h"
#include "model/spec.h"
#include "scratch.h"
#include <math.h>

#define MODEL                                                                                      \
    "input 1x3x3\n"                                                                                \
    "dense out=4\n"                                                                                \
    "relu\n"                                                                                       \
    "dense out=3\n"                                                                                \
    "softmax_xent\n"

/* All that there is. */
static const mg_run_outputs outputs = {
    .best = true, .last = true, .epoch = true, .tensorboard = true, .started = 1.7e9};

static inline mg_model *parse(const char *text)
{
    mg_model *model = NULL;
    if (mg_model_parse(&model, text, "tiny") != MG_OK) fail_msg("%s", mg_last_error());
    return model;
}

static inline float *filled(const mg_model *model, float value)
{
    float *arena = calloc(model->arena_length, sizeof *arena);
    assert_non_null(arena);
    for (int i = 0; i < mg__model_tensor_count(model); i++) {
        const mg_tensor *t = mg__model_tensor(model, i);
        for (size_t j = 0; j < t->count; j++) arena[t->offset + j] = value + (float)j / 3;
    }
    return arena;
}

/* The state after `epochs` whole epochs, with odd numbers everywhere. */
static inline mg_train_state *make_state(const mg_model *model, int epochs, int best_epoch)
{
    mg_train_state *state = calloc(1, sizeof *state);
    assert_non_null(state);
    state->step = UINT64_MAX - 7;
    state->epoch = (uint32_t)epochs;
    state->epoch_loss = 0.1 + 0.2;
    state->epoch_correct = ((uint64_t)1 << 53) + 1;
    state->epoch_seconds = 1e-310; /* subnormal */
    state->length = model->arena_length;
    state->params = filled(model, (float)epochs + 0.1f);
    state->slots[0] = filled(model, 0.01f);
    state->slots[1] = filled(model, 1e-40f);
    state->history_count = epochs;
    state->history = calloc((size_t)epochs + 1, sizeof *state->history);
    for (int i = 0; i < epochs; i++)
        state->history[i] = (mg_epoch){.epoch = i + 1,
                                       .loss = 1.0 / (i + 3),
                                       .accuracy = 0.5,
                                       .val_loss = i == 1 ? INFINITY : 2.0 / (i + 3),
                                       .val_accuracy = i == 0 ? NAN : 1,
                                       .lr = 0.001,
                                       .seconds = 12.25,
                                       .images_per_sec = 123456.789012345};
    state->best_epoch = best_epoch;
    return state;
}

static inline void save(const char *dir, const mg_model *model, const mg_train_state *state)
{
    assert_int_equal(mg__make_dirs(dir), MG_OK);
    if (mg__run_save(dir, model, state, &outputs) != MG_OK) fail_msg("%s", mg_last_error());
}

static inline void assert_same_double(double left, double right)
{
    if (isnan(left) && isnan(right)) return;
    assert_memory_equal(&left, &right, sizeof left);
}

static inline void assert_same_state(const mg_train_state *l, const mg_train_state *r)
{
    const size_t bytes = l->length * sizeof(float);
    assert_true(l->step == r->step && l->epoch == r->epoch && l->cursor == r->cursor);
    assert_true(l->epoch_correct == r->epoch_correct && l->best_epoch == r->best_epoch);
    assert_same_double(l->epoch_loss, r->epoch_loss);
    assert_same_double(l->epoch_seconds, r->epoch_seconds);
    assert_int_equal(l->length, r->length);
    assert_memory_equal(l->params, r->params, bytes);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(!l->slots[i], !r->slots[i]);
        if (l->slots[i]) assert_memory_equal(l->slots[i], r->slots[i], bytes);
    }
    assert_int_equal(l->history_count, r->history_count);
    for (int i = 0; i < l->history_count; i++) {
        const mg_epoch *a = &l->history[i], *b = &r->history[i];
        assert_int_equal(a->epoch, b->epoch);
        assert_same_double(a->loss, b->loss);
        assert_same_double(a->accuracy, b->accuracy);
        assert_same_double(a->val_loss, b->val_loss);
        assert_same_double(a->val_accuracy, b->val_accuracy);
        assert_same_double(a->lr, b->lr);
        assert_same_double(a->seconds, b->seconds);
        assert_same_double(a->images_per_sec, b->images_per_sec);
    }
}

#endif
