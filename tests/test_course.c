/* A training's course on a backend: learning rates, the early end, the options. Usage: test_course
 * ref|cpu|cuda */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "train/schedule.h"
#include "trainer.h"

/* A min_delta that no epoch surpasses: the first is the best, and two more are waited for. */
static void patience_ends_a_training(void **unused)
{
    (void)unused;
    mg_train_options options = few_epochs("adam");
    options.epochs = 9;
    options.patience = 2;
    options.min_delta = 1;
    snprintf(options.monitor, sizeof options.monitor, "accuracy");
    mg_train_state *whole = train_through(&options);
    assert_int_equal(whole->epoch, 3);
    check_going_on(&options, STEPS + 2, whole);

    mg_trainer *trainer = make_trainer(&options, NULL);
    assert_int_equal(mg_trainer_end(trainer), MG_TRAIN_GOES_ON);
    assert_ok(mg_trainer_restore(trainer, whole));
    assert_int_equal(mg_trainer_end(trainer), MG_TRAIN_PATIENCE);
    assert_ok(mg_trainer_run(trainer, NULL));
    mg_train_state *after = save(trainer);
    assert_same_state(after, whole);
    mg_train_state_free(after);
    mg_train_state_free(whole);
    mg_trainer_free(trainer);

    options.epochs = 3; /* no earlier than the last */
    options.max_steps = 12;
    trainer = make_trainer(&options, NULL);
    assert_ok(mg_trainer_run(trainer, NULL));
    assert_int_equal(mg_trainer_end(trainer), MG_TRAIN_MAX_STEPS);
    mg_trainer_free(trainer);
    options.max_steps = 0;
    trainer = make_trainer(&options, NULL);
    assert_ok(mg_trainer_run(trainer, NULL));
    assert_int_equal(mg_trainer_end(trainer), MG_TRAIN_EPOCHS);
    mg_trainer_free(trainer);
}

/* 1.6 epochs of 5 steps end after 8, with a second epoch of 3 whole batches. */
static void last_epoch_may_be_shorter(void **unused)
{
    (void)unused;
    mg_train_options options = few_epochs("adam"), longer = options;
    options.epochs = 1.6;
    assert_int_equal(mg_train_epochs(&options, TRAIN), 2);
    mg_train_state *whole = train_through(&options), *part;
    assert_int_equal(whole->step, 8);
    assert_int_equal(whole->epoch, 2);
    assert_int_equal(whole->cursor, 0);
    assert_false(isnan(whole->history[1].val_loss));
    longer.max_steps = 8; /* the same steps */
    part = train_through(&longer);
    assert_true(same_params(part, whole));
    assert_true(whole->history[1].loss == part->epoch_loss / (3 * BATCH));
    check_going_on(&options, 3, whole);
    check_going_on(&options, 7, whole);

    mg_trainer *trainer = make_trainer(&longer, &val);
    assert_ok(mg_trainer_restore(trainer, part));
    longer.epochs = 3;
    mg_trainer_free(trainer);
    trainer = make_trainer(&longer, &val);
    assert_failure(mg_trainer_restore(trainer, whole), MG_ERR_MISMATCH,
                   "its last epoch was a shorter one");
    mg_trainer_free(trainer);

    snprintf(options.schedule, sizeof options.schedule, "linear");
    mg_train_state_free(whole);
    whole = train_through(&options);
    assert_true(whole->history[1].lr == options.lr - options.lr * 7 / 8);
    mg_train_state_free(part);
    mg_train_state_free(whole);
    options.epochs = 1e-3; /* a step at least */
    whole = train_through(&options);
    assert_int_equal(whole->step, 1);
    mg_train_state_free(whole);
}

/* The weights tell which rates the steps had: of SGD, a sum of gradients times rates. */
static void steps_have_the_schedules_rates(void **unused)
{
    (void)unused;
    mg_train_options options = few_epochs("sgd");
    options.warmup = 7;
    snprintf(options.schedule, sizeof options.schedule, "cosine");
    mg_train_state *state = train_through(&options);
    rig r = make_rig(model, &train, BATCH, (uint32_t[TRAIN]){0}, &momentum_sgd, true);
    float *params = malloc(state->length * sizeof *params);
    mg__model_init(model, params, options.seed);
    assert_ok(backend->ops->upload(backend, r.net->params, params, state->length * sizeof *params));
    free(params);
    for (uint32_t step = 0; step < 2 * STEPS; step++) {
        uint32_t order[TRAIN];
        const float lr = (float)mg__schedule_lr(&options, options.lr, step, STEPS);
        mg__epoch_order(order, TRAIN, options.seed, step / STEPS);
        assert_ok(backend->ops->upload(backend, (void *)r.feed.order, order, sizeof order));
        assert_ok(mg__pass_seek(r.pass, 1, step, step % STEPS * BATCH, TRAIN, lr));
        assert_ok(mg__pass_run(r.pass, 1));
    }
    params = rig_params(&r);
    assert_memory_equal(params, state->params, state->length * sizeof *params);
    for (int e = 0; e < 2; e++)
        assert_true(state->history[e].lr ==
                    mg__schedule_lr(&options, options.lr, (uint64_t)(STEPS * (e + 1) - 1), STEPS));
    free(params);
    free_rig(&r);
    mg_train_state_free(state);
}

static void refuses_bad_options(void **unused)
{
    (void)unused;
    const mg_train_options good = few_epochs("adam");
    mg_train_options bad;
    mg_trainer *trainer = NULL;
#define BAD(field, value, message)                                                                 \
    (bad = good, bad.field = (value),                                                              \
     assert_failure(mg_trainer_create(&trainer, backend, model, &train, NULL, &bad),               \
                    MG_ERR_INVALID, message))
    BAD(beta1, 1, "beta1: expected 0 up to 1");
    BAD(beta2, NAN, "beta2: expected 0 up to 1");
    BAD(rho, 1.5, "rho: expected 0 up to 1, found 1.5");
    BAD(eps, -1, "eps: expected 0 or more");
    BAD(weight_decay, -0.1, "weight_decay: expected 0 or more");
    BAD(clip_value, 1e39, "clip_value: expected 0 or more");
    BAD(clip_norm, NAN, "clip_norm: expected 0 or more, found nan");
    BAD(lr_gamma, 1.5, "lr_gamma: expected 0 to 1");
    BAD(lr_min, 0.002, "lr_min: expected 0 to lr, found 0.002");
    BAD(lr_step, 0, "lr_step: expected 1 or more, found 0");
    BAD(lr_patience, -1, "lr_patience: expected 0 or more");
    BAD(patience, -1, "patience: expected 0 or more");
    BAD(min_delta, -1, "min_delta: expected 0 or more");
    BAD(warmup, 2 * STEPS, "warmup: expected less than the training's 10 steps, found 10");
    BAD(patience, 1, "monitor: val_accuracy needs validation images, and there are none");
    BAD(nesterov, true, "nesterov: it needs the optimizer sgd with a momentum above 0");
    BAD(schedule[0], 'k', "no schedule \"konstant\" (known: constant, step, exponential, cosine");
    BAD(monitor[0], 'w', "no monitor \"wal_accuracy\" (known: val_accuracy, val_loss, accuracy");
    bad = good;
    bad.clip_value = bad.clip_norm = 1;
    assert_failure(mg_trainer_create(&trainer, backend, model, &train, NULL, &bad), MG_ERR_INVALID,
                   "clip_value and clip_norm: expected at most one of them");
    assert_null(trainer);
}

int main(int argc, char **argv)
{
    int status;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patience_ends_a_training),
        cmocka_unit_test(last_epoch_may_be_shorter),
        cmocka_unit_test(steps_have_the_schedules_rates),
        cmocka_unit_test(refuses_bad_options),
    };
    /* steps this small only get slower with more threads */
    if (!open_backend(argc, argv, 1, &status)) return status;
    status = cmocka_run_group_tests(tests, make_all, free_all);
    mg_backend_close(backend);
    return status;
}
