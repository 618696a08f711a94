/* The trainer on a backend: seeds, threads, going on after any step, epochs and their figures,
 * losses that are not finite. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "trainer.h"

/* ---- the same bytes, other bytes ---- */

static void orders_are_permutations(void **unused)
{
    (void)unused;
    static const uint32_t counts[] = {1, 2, 7, 1000};
    uint32_t order[1000], other[1000];
    for (int i = 0; i < MG_COUNT_OF(counts); i++) {
        bool seen[1000] = {false};
        mg__epoch_order(order, counts[i], 5, 3);
        for (uint32_t k = 0; k < counts[i]; k++) {
            assert_true(order[k] < counts[i] && !seen[order[k]]);
            seen[order[k]] = true;
        }
    }
    static const struct {
        uint64_t seed;
        uint32_t epoch;
    } others[] = {{5, 4}, {6, 3}, {5 + ((uint64_t)1 << 32), 3}};
    mg__epoch_order(other, 1000, 5, 3);
    assert_memory_equal(other, order, sizeof order);
    for (int i = 0; i < MG_COUNT_OF(others); i++) {
        mg__epoch_order(other, 1000, others[i].seed, others[i].epoch);
        assert_memory_not_equal(other, order, sizeof order);
    }
}

static void seed_decides_the_bytes(void **unused)
{
    (void)unused;
    const mg_train_options first = few_epochs("adam");
    mg_train_options other_seed = first, in_order = first;
    other_seed.seed++;
    in_order.shuffle = false;
    mg_train_state *one = train_through(&first), *same = train_through(&first),
                   *other = train_through(&other_seed), *ordered = train_through(&in_order);
    assert_same_state(one, same);
    assert_false(same_params(one, other));
    assert_false(same_params(one, ordered));
    mg_train_state_free(one);
    mg_train_state_free(same);
    mg_train_state_free(other);
    mg_train_state_free(ordered);
}

/* On a net whose layers are large enough to be shared among threads. */
static void threads_do_not_matter(void **unused)
{
    (void)unused;
    if (strcmp(mg_backend_name(backend), "cpu") != 0) skip();
    mg_model *lenet = NULL;
    mg_train_options options = few_epochs("adam");
    options.epochs = 1;
    options.batch = 16;
    assert_ok(mg_model_load(&lenet, "lenet5"));
    mg_dataset digits = make_images(100, lenet->layers[0].out, lenet->classes);
    mg_train_state *states[4];
    for (int i = 0; i < MG_COUNT_OF(states); i++) {
        mg_backend *cpu = NULL;
        mg_trainer *trainer = NULL;
        assert_ok(mg_backend_open(&cpu, "cpu", i + 1));
        assert_ok(mg_trainer_create(&trainer, cpu, lenet, &digits, &digits, &options));
        assert_ok(mg_trainer_run(trainer, NULL));
        states[i] = save(trainer);
        mg_trainer_free(trainer);
        mg_backend_close(cpu);
    }
    for (int i = 0; i < MG_COUNT_OF(states); i++) {
        assert_same_state(states[i], states[0]);
        if (i) mg_train_state_free(states[i]);
    }
    mg_train_state_free(states[0]);
    free_images(&digits);
    mg_model_free(lenet);
}

/* ---- going on ---- */

static void goes_on_after_any_step(void **unused)
{
    (void)unused;
    static const char *const optimizers[] = {"adam", "sgd"};
    for (int i = 0; i < MG_COUNT_OF(optimizers); i++) {
        const mg_train_options options = few_epochs(optimizers[i]);
        mg_train_state *whole = train_through(&options);
        assert_int_equal(whole->step, 2 * STEPS);
        for (uint64_t steps = 0; steps <= 2 * STEPS; steps++)
            check_going_on(&options, steps, whole);
        mg_train_state_free(whole);
    }
}

static bool stop_at_zero(void *user) { return (*(int *)user)-- == 0; }

/* stop() is asked before every chunk of steps; at the second time one step is done. */
static void stops_when_asked_and_goes_on(void **unused)
{
    (void)unused;
    int chunks = 1;
    const mg_train_hooks hooks = {.user = &chunks, .stop = stop_at_zero};
    const mg_train_options options = few_epochs("adam");
    mg_train_state *whole = train_through(&options), *stopped, *end;
    mg_trainer *trainer = make_trainer(&options, &val);
    assert_failure(mg_trainer_run(trainer, &hooks), MG_ERR_INTERRUPTED, "interrupted in epoch 1");
    stopped = save(trainer);
    assert_int_equal(stopped->step, 1);
    assert_int_equal(stopped->cursor, BATCH);
    chunks = 0;
    assert_failure(mg_trainer_run(trainer, &hooks), MG_ERR_INTERRUPTED, "interrupted in epoch 1");
    assert_ok(mg_trainer_run(trainer, NULL));
    end = save(trainer);
    assert_same_state(end, whole);
    mg_trainer_free(trainer);
    mg_train_state_free(whole);
    mg_train_state_free(stopped);
    mg_train_state_free(end);
}

static void refuses_states_of_other_trainings(void **unused)
{
    (void)unused;
    const mg_train_options options = few_epochs("adam"), sgd = few_epochs("sgd");
    mg_train_state *state = train_through(&options), *other = train_through(&sgd), *after;
    mg_trainer *trainer = make_trainer(&options, &val);
    mg_train_state *before = save(trainer), bad;
    assert_failure(mg_trainer_restore(trainer, other), MG_ERR_MISMATCH, "another optimizer's");
#define REFUSED(field, value, message)                                                             \
    (bad = *state, bad.field = (value),                                                            \
     assert_failure(mg_trainer_restore(trainer, &bad), MG_ERR_MISMATCH, message))
    REFUSED(length, state->length - 64, "parameters");
    REFUSED(cursor, BATCH + 1, "stands at image 11");
    REFUSED(cursor, TRAIN, "stands at image 44");
    REFUSED(history_count, 1, "history does not fit its 2 epochs");
    REFUSED(best_epoch, 3, "history does not fit");
    REFUSED(best_epoch, -1, "history does not fit");
    after = save(trainer);
    assert_same_state(after, before);
    mg_trainer_free(trainer);
    mg_train_state_free(state);
    mg_train_state_free(other);
    mg_train_state_free(before);
    mg_train_state_free(after);
}

/* ---- epochs and their figures ---- */

typedef struct watch {
    mg_trainer *trainer;
    const mg_dataset *set; /* validation */
    int epochs;
    mg_progress last;
} watch;

/* What the epoch says of the validation images is what an evaluation finds. */
static mg_status check_epoch(void *user, const mg_epoch *epoch)
{
    watch *w = user;
    float *params = malloc(model->arena_length * sizeof *params);
    mg_evaluation *ev = NULL;
    assert_int_equal(epoch->epoch, ++w->epochs);
    assert_int_equal(w->last.step, STEPS);
    assert_true(epoch->loss == w->last.loss && epoch->accuracy == w->last.accuracy);
    assert_true(epoch->seconds > 0 && epoch->images_per_sec > 0);
    assert_ok(mg_trainer_get_params(w->trainer, params));
    assert_ok(mg_evaluate(&ev, backend, model, params, w->set));
    assert_true(epoch->val_loss == ev->loss && epoch->val_accuracy == ev->accuracy);
    mg_evaluation_free(ev);
    free(params);
    return MG_OK;
}

static void check_progress(void *user, const mg_progress *p)
{
    watch *w = user;
    assert_int_equal(p->epoch, w->epochs + 1);
    assert_int_equal(p->steps, STEPS);
    assert_true(p->step > w->last.step % STEPS && p->step <= STEPS);
    assert_true(p->loss > 0 && p->accuracy >= 0 && p->accuracy <= 1 && p->images_per_sec > 0);
    w->last = *p;
}

static void epochs_are_reported(void **unused)
{
    (void)unused;
    const mg_train_options options = few_epochs("adam");
    watch w = {.trainer = make_trainer(&options, &val), .set = &val};
    assert_ok(mg_trainer_run(
        w.trainer,
        &(mg_train_hooks){.user = &w, .progress = check_progress, .epoch = check_epoch}));
    assert_int_equal(w.epochs, options.epochs);
    mg_trainer_free(w.trainer);
}

/* One epoch of steps, at the end of which the statistics are those of `expected`. */
static void check_steps(const rig *r, const mg_train_options *o, const mg_epoch *expected)
{
    uint32_t order[TRAIN], epoch = (uint32_t)expected->epoch - 1, correct = 0;
    double loss = 0;
    mg__epoch_order(order, TRAIN, o->seed, epoch);
    assert_ok(backend->ops->upload(backend, (void *)r->feed.order, order, sizeof order));
    assert_ok(mg__pass_seek(r->pass, o->seed, epoch * STEPS, 0, TRAIN, (float)o->lr));
    assert_ok(mg__pass_run(r->pass, STEPS));
    mg_step_stat *stats = rig_stats(r);
    for (int i = 0; i < STEPS; i++) {
        loss += stats[i].loss;
        correct += stats[i].correct;
    }
    assert_true(expected->loss == loss / TRAIN);
    assert_true(expected->accuracy == (double)correct / TRAIN);
    free(stats);
}

/* A training is the initial weights and then steps, each epoch's images in its order. */
static void training_is_steps_in_order(void **unused)
{
    (void)unused;
    const mg_train_options options = few_epochs("adam");
    mg_train_state *state = train_through(&options);
    rig r = make_rig(model, &train, BATCH, (uint32_t[TRAIN]){0}, &adam, true);
    float *params = malloc(state->length * sizeof *params);
    mg__model_init(model, params, options.seed);
    assert_ok(backend->ops->upload(backend, r.net->params, params, state->length * sizeof *params));
    for (int i = 0; i < options.epochs; i++) check_steps(&r, &options, &state->history[i]);
    free(params);
    params = rig_params(&r);
    assert_memory_equal(params, state->params, state->length * sizeof *params);
    free(params);
    free_rig(&r);
    mg_train_state_free(state);
}

/* A step that sees all images reports what an evaluation finds before it; in a net that computes
 * the same in both. */
static void epoch_loss_is_the_mean_over_its_images(void **unused)
{
    (void)unused;
    mg_model *const normed = model;
    model = parse_model(MODEL(""));
    mg_train_options options = few_epochs("sgd");
    options.batch = TRAIN;
    options.epochs = 1;
    mg_trainer *trainer = make_trainer(&options, NULL);
    float *params = malloc(model->arena_length * sizeof *params);
    mg_evaluation *ev = NULL;
    assert_ok(mg_trainer_get_params(trainer, params));
    assert_ok(mg_evaluate(&ev, backend, model, params, &train));
    assert_ok(mg_trainer_run(trainer, NULL));
    mg_train_state *state = save(trainer);
    const mg_epoch *epoch = &state->history[0];
    assert_true(fabs(epoch->loss - ev->loss) <= 1e-6 * ev->loss);
    assert_true(epoch->accuracy == ev->accuracy);
    assert_true(isnan(epoch->val_loss) && isnan(epoch->val_accuracy));
    assert_true(epoch->lr == options.lr);
    mg_train_state_free(state);
    mg_evaluation_free(ev);
    free(params);
    mg_trainer_free(trainer);
    mg_model_free(model);
    model = normed;
}

/* Learns the stripes; once no image is wrong the first such epoch stays the best. */
static void learns_and_keeps_the_first_best(void **unused)
{
    (void)unused;
    mg_train_options options = few_epochs("adam");
    options.epochs = 30;
    options.lr = 0.01;
    mg_trainer *trainer = make_trainer(&options, &val);
    assert_ok(mg_trainer_run(trainer, NULL));
    mg_train_state *state = save(trainer);
    int best = 1;
    for (int i = 1; i <= options.epochs; i++)
        if (state->history[i - 1].val_accuracy > state->history[best - 1].val_accuracy) best = i;
    assert_true(state->history[best - 1].val_accuracy >= 0.99);
    assert_true(state->history[(int)options.epochs - 1].val_accuracy ==
                state->history[best - 1].val_accuracy); /* or nothing is tested */
    assert_true(best < options.epochs);
    assert_int_equal(state->best_epoch, best);
    assert_true(state->history[(int)options.epochs - 1].loss < 0.1 * state->history[0].loss);
    mg_train_state_free(state);
    mg_trainer_free(trainer);

    trainer = make_trainer(&options, NULL);
    assert_ok(mg_trainer_run(trainer, NULL));
    state = save(trainer);
    assert_int_equal(state->best_epoch, options.epochs); /* the latest, without validation */
    mg_train_state_free(state);
    mg_trainer_free(trainer);
}

/* ---- what cannot be ---- */

static mg_status no_more(void *user, const mg_epoch *epoch)
{
    (void)user;
    return epoch->epoch == 1 ? MG_ERR_IO : MG_OK;
}

static void failure_of_a_hook_ends_the_run(void **unused)
{
    (void)unused;
    const mg_train_options options = few_epochs("adam");
    mg_trainer *trainer = make_trainer(&options, &val);
    assert_int_equal(mg_trainer_run(trainer, &(mg_train_hooks){.epoch = no_more}), MG_ERR_IO);
    mg_train_state *state = save(trainer);
    assert_int_equal(state->epoch, 1);
    mg_train_state_free(state);
    mg_trainer_free(trainer);
}

/* What was saved before is good, in the same trainer too. */
static void bad_loss_ends_the_run(void **unused)
{
    (void)unused;
    const mg_train_options options = few_epochs("sgd");
    mg_train_options half = options, wild = options;
    half.max_steps = 7;
    wild.lr = 1e30;
    mg_train_state *whole = train_through(&options), *saved = train_through(&half), *end;
    mg_trainer *bad = make_trainer(&wild, &val), *good = make_trainer(&options, &val);
    assert_ok(mg_trainer_restore(bad, saved));
    assert_failure(mg_trainer_run(bad, NULL), MG_ERR_NUMERIC, ": the loss is not finite (");
    assert_ok(mg_trainer_restore(bad, saved));
    end = save(bad);
    assert_same_state(end, saved);
    mg_train_state_free(end);
    assert_ok(mg_trainer_restore(good, saved));
    assert_ok(mg_trainer_run(good, NULL));
    end = save(good);
    assert_same_state(end, whole);
    mg_trainer_free(bad);
    mg_trainer_free(good);
    mg_train_state_free(end);
    mg_train_state_free(saved);
    mg_train_state_free(whole);
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
    BAD(epochs, 0, "epochs: expected a number above 0, up to 2147483647, found 0");
    BAD(epochs, NAN, "epochs: expected a number above 0");
    BAD(batch, 0, "batch: expected 1 to 65536, found 0");
    BAD(batch, 65537, "batch: expected 1 to 65536");
    BAD(lr, 0, "lr: expected a number above 0");
    BAD(lr, NAN, "lr: expected a number above 0");
    BAD(lr, 1e39, "lr: expected a number above 0");
    BAD(momentum, 1, "momentum: expected 0 up to 1");
    BAD(momentum, -0.1, "momentum: expected 0 up to 1");
    BAD(momentum, NAN, "momentum: expected 0 up to 1");
    BAD(optimizer[3], 'n', "no optimizer \"adan\" (known: adam, sgd, adamw, rmsprop)");
    assert_null(trainer);
}

static void refuses_data_of_another_kind(void **unused)
{
    (void)unused;
    const mg_train_options options = few_epochs("adam");
    mg_trainer *trainer = NULL;
    mg_dataset wide = train, many = train;
    wide.width++;
    many.classes++;
    assert_failure(mg_trainer_create(&trainer, backend, model, &wide, NULL, &options),
                   MG_ERR_MISMATCH, "images of 1x9x9, but model test expects 1x9x8");
    assert_failure(mg_trainer_create(&trainer, backend, model, &train, &many, &options),
                   MG_ERR_MISMATCH, "labels up to 5, but model test has 5 classes");
    assert_null(trainer);
}

int main(int argc, char **argv)
{
    int status;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orders_are_permutations),
        cmocka_unit_test(seed_decides_the_bytes),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(goes_on_after_any_step),
        cmocka_unit_test(stops_when_asked_and_goes_on),
        cmocka_unit_test(refuses_states_of_other_trainings),
        cmocka_unit_test(epochs_are_reported),
        cmocka_unit_test(training_is_steps_in_order),
        cmocka_unit_test(epoch_loss_is_the_mean_over_its_images),
        cmocka_unit_test(learns_and_keeps_the_first_best),
        cmocka_unit_test(failure_of_a_hook_ends_the_run),
        cmocka_unit_test(bad_loss_ends_the_run),
        cmocka_unit_test(refuses_bad_options),
        cmocka_unit_test(refuses_data_of_another_kind),
    };
    /* steps this small only get slower with more threads */
    if (!open_backend(argc, argv, 1, &status)) return status;
    status = cmocka_run_group_tests(tests, make_all, free_all);
    mg_backend_close(backend);
    return status;
}
