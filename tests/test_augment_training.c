/* Training with augmentation on a backend: repeated, resumed, by any number of threads; evaluation
 * without it; augmentations as text. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "rig.h"
#include "train/augment.h"

#define MODEL                                                                                      \
    "input 1x9x8 mean=0.3 std=0.4\n"                                                               \
    "conv out=3 kernel=3\n"                                                                        \
    "relu\n"                                                                                       \
    "maxpool size=2\n"                                                                             \
    "dense out=5\n"                                                                                \
    "softmax_xent\n"
enum { IMAGES = 64, TRAIN = 44, BATCH = 10, STEPS = 5 }; /* an epoch ends with a short batch */

static mg_model *model;
static mg_dataset images, train, val;

static mg_train_options augmented_epochs(const char *text)
{
    mg_train_options o = mg_train_options_default();
    o.epochs = 2;
    o.batch = BATCH;
    if (text) assert_ok(mg_augmentation_parse(&o.augment, text));
    return o;
}

static mg_trainer *make_trainer(const mg_train_options *options)
{
    mg_trainer *trainer = NULL;
    assert_ok(mg_trainer_create(&trainer, backend, model, &train, &val, options));
    return trainer;
}

/* Trains to the end, from `start` unless it is NULL. */
static mg_train_state *train_on(const mg_train_options *options, const mg_train_state *start)
{
    mg_trainer *trainer = make_trainer(options);
    mg_train_state *state = NULL;
    if (start) assert_ok(mg_trainer_restore(trainer, start));
    assert_ok(mg_trainer_run(trainer, NULL));
    assert_ok(mg_trainer_save(trainer, &state));
    mg_trainer_free(trainer);
    return state;
}

static bool same_params(const mg_train_state *l, const mg_train_state *r)
{
    return memcmp(l->params, r->params, l->length * sizeof *l->params) == 0;
}

static void resumes_bit_for_bit(void **unused)
{
    (void)unused;
    mg_train_options options = augmented_epochs("all"), plain = augmented_epochs(NULL);
    mg_train_state *whole = train_on(&options, NULL), *other = train_on(&plain, NULL);
    assert_false(same_params(whole, other));
    for (uint64_t steps = 1; steps < 2 * STEPS; steps += 2) {
        mg_train_options part = options;
        part.max_steps = steps;
        mg_train_state *saved = train_on(&part, NULL), *end = train_on(&options, saved);
        assert_int_equal(saved->step, steps);
        assert_true(same_params(end, whole));
        assert_true(end->history[1].loss == whole->history[1].loss);
        mg_train_state_free(saved);
        mg_train_state_free(end);
    }
    mg_train_state_free(whole);
    mg_train_state_free(other);
}

/* With weights that stay as they are, every epoch has the same loss, unless its images differ. */
static void epochs_differ(void **unused)
{
    (void)unused;
    for (int augmented = 0; augmented < 2; augmented++) {
        mg_train_options options = augmented_epochs(augmented ? "affine" : NULL);
        options.lr = 1e-30;
        options.shuffle = false;
        mg_train_state *state = train_on(&options, NULL);
        const bool same = state->history[0].loss == state->history[1].loss;
        assert_int_equal(same, !augmented);
        assert_true(state->history[0].val_loss == state->history[1].val_loss);
        mg_train_state_free(state);
    }
}

/* A rig whose pass augments. */
static rig augmenting_rig(const mg_optimizer_spec *optimizer)
{
    rig r = make_rig(model, &train, BATCH, NULL, optimizer, true);
    mg_augmentation all;
    mg_augment ranges;
    assert_ok(mg_augmentation_parse(&all, "all"));
    assert_ok(mg__augment_ranges(&ranges, &all, (mg_shape){1, 9, 8}));
    mg__pass_free(r.pass);
    r.feed.augment = ranges;
    assert_ok(mg__pass_create(&r.pass, r.net, BATCH, &r.feed, optimizer, true));
    assert_ok(mg__pass_seek(r.pass, 5, 7, 0, TRAIN, 0.01f));
    return r;
}

static void repeat_is_one_step_after_another(void **unused)
{
    (void)unused;
    rig whole = augmenting_rig(&adam), eager = augmenting_rig(&adam);
    assert_ok(mg__pass_run(whole.pass, STEPS));
    for (int step = 0; step < STEPS; step++) assert_ok(mg__step_enqueue(eager.pass));
    float *left = rig_params(&whole), *right = rig_params(&eager);
    assert_memory_equal(left, right, model->arena_length * sizeof *left);
    mg_step_stat *left_stats = rig_stats(&whole), *right_stats = rig_stats(&eager);
    assert_memory_equal(left_stats, right_stats, STEPS * sizeof *left_stats);
    free(left);
    free(right);
    free(left_stats);
    free(right_stats);
    free_rig(&whole);
    free_rig(&eager);
}

/* Evaluation sees the images as they are, whatever the feed says. */
static void evaluation_is_not_augmented(void **unused)
{
    (void)unused;
    rig augmenting = augmenting_rig(NULL), plain = make_rig(model, &train, BATCH, NULL, NULL, true);
    assert_ok(mg__pass_run(augmenting.pass, STEPS));
    assert_ok(mg__pass_run(plain.pass, STEPS));
    mg_step_stat *left = rig_stats(&augmenting), *right = rig_stats(&plain);
    assert_memory_equal(left, right, STEPS * sizeof *left);
    free(left);
    free(right);
    free_rig(&augmenting);
    free_rig(&plain);
}

static void threads_do_not_matter(void **unused)
{
    (void)unused;
    if (strcmp(mg_backend_name(backend), "cpu")) skip();
    const mg_train_options options = augmented_epochs("all");
    mg_train_state *expected = train_on(&options, NULL);
    mg_backend *const own = backend;
    for (int threads = 1; threads <= 4; threads++) {
        assert_ok(mg_backend_open(&backend, "cpu", threads));
        mg_train_state *found = train_on(&options, NULL);
        assert_true(same_params(found, expected));
        mg_train_state_free(found);
        mg_backend_close(backend);
    }
    backend = own;
    mg_train_state_free(expected);
}

/* ---- text, bad values ---- */

static void text_round_trip(void **unused)
{
    (void)unused;
    static const struct {
        const char *text, *canonical;
        mg_augmentation expected;
    } cases[] = {
        {"affine", "affine", {.affine = 1}},
        {"affine:0.5,elastic", "affine:0.5,elastic", {.affine = 0.5, .elastic = 1}},
        {"noise:3,stroke:.25", "stroke:0.25,noise:3", {.stroke = 0.25, .noise = 3}},
        {"all", "affine,elastic,stroke,noise", {1, 1, 1, 1}},
        {"all:2,noise:0,elastic", "affine:2,elastic,stroke:2", {2, 1, 2, 0}},
        {"all:0", "", {.affine = 0}},
    };
    for (int i = 0; i < MG_COUNT_OF(cases); i++) {
        mg_augmentation found, again = {0};
        char text[128];
        assert_ok(mg_augmentation_parse(&found, cases[i].text));
        assert_memory_equal(&found, &cases[i].expected, sizeof found);
        mg_augmentation_text(text, sizeof text, &found);
        assert_string_equal(text, cases[i].canonical);
        if (*text) assert_ok(mg_augmentation_parse(&again, text));
        assert_memory_equal(&again, &found, sizeof again);
    }
}

static void assert_refused(mg_status found, const char *message)
{
    if (found != MG_ERR_INVALID || !strstr(mg_last_error(), message))
        fail_msg("expected MG_ERR_INVALID with \"%s\", found %s: %s", message,
                 mg_status_name(found), mg_last_error());
}

static void refuses_nonsense(void **unused)
{
    (void)unused;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"foo", "unknown kind \"foo\" (known: affine, elastic, stroke, noise, all)"},
        {"", "unknown kind \"\""},
        {",", "unknown kind \"\""},
        {"affine,", "unknown kind \"\""},
        {"affine,,noise", "unknown kind \"\""},
        {"affine ", "unknown kind \"affine \""},
        {"Affine", "unknown kind"},
        {"affine:-1", "affine: expected a strength from 0 to 3, found \"-1\""},
        {"affine:x", "found \"x\""},
        {"affine:", "found \"\""},
        {"affine:.", "found \".\""},
        {"affine:1.2.3", "found \"1.2.3\""},
        {"affine:1e0", "found \"1e0\""},
        {"affine:nan", "found \"nan\""},
        {"affine:3.01", "found \"3.01\""},
        {"affine:1:2", "found \"1:2\""},
        {"affine:0000000000000000000000000000000000000000000001", "expected a strength"},
        {"affine\n\033[31m", "\"affine??[31m\""},
        {"affineaffineaffineaffineaffineaffineaffineaffine", "unknown kind"},
    };
    mg_augmentation a = {.noise = 2};
    for (int i = 0; i < MG_COUNT_OF(cases); i++)
        assert_refused(mg_augmentation_parse(&a, cases[i].text), cases[i].message);
    assert_true(a.noise == 2 && a.affine == 0);
}

static void refuses_bad_strengths(void **unused)
{
    (void)unused;
    static const double bad[] = {-0.1, 3.1, NAN, INFINITY};
    for (int i = 0; i < MG_COUNT_OF(bad); i++) {
        mg_train_options options = augmented_epochs(NULL);
        mg_trainer *trainer = NULL;
        options.augment.stroke = bad[i];
        assert_refused(mg_trainer_create(&trainer, backend, model, &train, NULL, &options),
                       "stroke: expected 0 to 3");
    }
    const mg_augmentation none = {0};
    uint8_t out[2 * 72];
    assert_refused(mg_augment_images(out, backend, &train, NULL, 0, &none, 1, 0), "1 to 65536");
    assert_refused(mg_augment_images(out, backend, &train, (uint32_t[]){0, TRAIN}, 2, &none, 1, 0),
                   "the set has 44");
}

int main(int argc, char **argv)
{
    int status;
    if (!open_backend(argc, argv, 2, &status)) return status;
    model = parse_model(MODEL);
    images = make_images(IMAGES, (mg_shape){1, 9, 8}, 5);
    train = mg_dataset_slice(&images, 0, TRAIN);
    val = mg_dataset_slice(&images, TRAIN, IMAGES - TRAIN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resumes_bit_for_bit),
        cmocka_unit_test(epochs_differ),
        cmocka_unit_test(repeat_is_one_step_after_another),
        cmocka_unit_test(evaluation_is_not_augmented),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(text_round_trip),
        cmocka_unit_test(refuses_nonsense),
        cmocka_unit_test(refuses_bad_strengths),
    };
    const int failures = cmocka_run_group_tests(tests, NULL, NULL);
    free_images(&images);
    mg_model_free(model);
    mg_backend_close(backend);
    return failures;
}
