/* For tests of the trainer: a small network and images for it, and trainings that are compared.
 * Include after cmocka.h. */
#ifndef MG_TEST_TRAINER_H
#define MG_TEST_TRAINER_H

#include "rig.h"

#define MODEL(more)                                                                                \
    "input 1x9x8 mean=0.3 std=0.4\n"                                                               \
    "conv out=3 kernel=3\n"                                                                        \
    "relu\n" more "maxpool size=2\n"                                                               \
    "dense out=5\n"                                                                                \
    "softmax_xent\n"
enum { IMAGES = 144, TRAIN = 44, BATCH = 10, STEPS = 5 }; /* an epoch ends with a short batch */

static mg_model *model;
static mg_dataset images, train, val;

static inline mg_train_options few_epochs(const char *optimizer)
{
    mg_train_options o = mg_train_options_default();
    snprintf(o.optimizer, sizeof o.optimizer, "%s", optimizer);
    o.momentum = strcmp(optimizer, "sgd") == 0 ? 0.9 : 0;
    o.epochs = 2;
    o.batch = BATCH;
    return o;
}

static inline mg_trainer *make_trainer(const mg_train_options *options,
                                       const mg_dataset *validation)
{
    mg_trainer *trainer = NULL;
    assert_ok(mg_trainer_create(&trainer, backend, model, &train, validation, options));
    return trainer;
}

static inline mg_train_state *save(mg_trainer *trainer)
{
    mg_train_state *state = NULL;
    assert_ok(mg_trainer_save(trainer, &state));
    return state;
}

/* Trains from the beginning to the end. */
static inline mg_train_state *train_through(const mg_train_options *options)
{
    mg_trainer *trainer = make_trainer(options, &val);
    assert_ok(mg_trainer_run(trainer, NULL));
    mg_train_state *state = save(trainer);
    mg_trainer_free(trainer);
    return state;
}

static inline bool same_params(const mg_train_state *l, const mg_train_state *r)
{
    return memcmp(l->params, r->params, l->length * sizeof *l->params) == 0;
}

static inline void assert_same_epoch(const mg_epoch *l, const mg_epoch *r)
{
    assert_int_equal(l->epoch, r->epoch);
    assert_true(l->loss == r->loss && l->accuracy == r->accuracy && l->lr == r->lr);
    assert_true(l->val_loss == r->val_loss && l->val_accuracy == r->val_accuracy);
}

/* The same but for the times. */
static inline void assert_same_state(const mg_train_state *l, const mg_train_state *r)
{
    assert_int_equal(l->step, r->step);
    assert_int_equal(l->epoch, r->epoch);
    assert_int_equal(l->cursor, r->cursor);
    assert_true(l->epoch_loss == r->epoch_loss && l->epoch_correct == r->epoch_correct);
    assert_int_equal(l->length, r->length);
    assert_true(same_params(l, r));
    for (int i = 0; i < MG_COUNT_OF(l->slots); i++) {
        assert_int_equal(!l->slots[i], !r->slots[i]);
        if (l->slots[i])
            assert_memory_equal(l->slots[i], r->slots[i], l->length * sizeof *l->slots[i]);
    }
    assert_int_equal(l->history_count, r->history_count);
    for (int i = 0; i < l->history_count; i++) assert_same_epoch(&l->history[i], &r->history[i]);
    assert_int_equal(l->best_epoch, r->best_epoch);
}

static inline void assert_failure(mg_status found, mg_status expected, const char *message)
{
    if (found != expected || !strstr(mg_last_error(), message))
        fail_msg("expected %s with \"%s\", found %s: %s", mg_status_name(expected), message,
                 mg_status_name(found), mg_last_error());
}

/* A training that ends after `steps`, and another that goes on from its state. */
static inline void check_going_on(const mg_train_options *options, uint64_t steps,
                                  const mg_train_state *whole)
{
    mg_train_options part = *options;
    part.max_steps = steps;
    mg_trainer *first = make_trainer(&part, &val), *second = make_trainer(options, &val);
    if (steps) assert_ok(mg_trainer_run(first, NULL));
    mg_train_state *saved = save(first), *restored, *end;
    assert_int_equal(saved->step, steps);
    assert_int_equal(saved->epoch, steps / STEPS);
    assert_int_equal(saved->cursor, steps % STEPS * BATCH);
    mg_trainer_free(first);

    assert_ok(mg_trainer_restore(second, saved));
    restored = save(second);
    assert_same_state(restored, saved);
    assert_ok(mg_trainer_run(second, NULL));
    end = save(second);
    assert_same_state(end, whole);
    mg_trainer_free(second);
    mg_train_state_free(saved);
    mg_train_state_free(restored);
    mg_train_state_free(end);
}

static inline int make_all(void **unused)
{
    (void)unused;
    model = parse_model(MODEL("batchnorm\n"));
    images = make_images(IMAGES, model->layers[0].out, model->classes);
    train = mg_dataset_slice(&images, 0, TRAIN);
    val = mg_dataset_slice(&images, TRAIN, IMAGES - TRAIN);
    return 0;
}

static inline int free_all(void **unused)
{
    (void)unused;
    free_images(&images);
    mg_model_free(model);
    return 0;
}

#endif
