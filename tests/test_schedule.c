/* Schedules against PyTorch's (scripts/pytorch/golden_optimizers.py); which epoch is the best, and
 * when a training ends early. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "error.h"
#include "golden_options.h"
#include "train/schedule.h"
#include <math.h>

enum { STEPS_PER_EPOCH = 5 };

static mg_safetensors *file;

static void assert_rate(const char *name, size_t at, double found, double expected)
{
    if (!(fabs(found - expected) <= 1e-13 + 1e-12 * expected))
        fail_msg("%s: learning rate %zu: found %.17g, PyTorch has %.17g", name, at, found,
                 expected);
}

static void rates_as_pytorch(void **unused)
{
    (void)unused;
    static const char *const names[] = {
        "constant",         "constant-warmup",    "step",      "step-warmup",
        "exponential",      "exponential-warmup", "cosine",    "cosine-warmup",
        "linear",           "linear-warmup",      "one-cycle", "one-cycle-short",
        "one-cycle-warmup",
    };
    size_t count;
    for (int i = 0; i < MG_COUNT_OF(names); i++) {
        const mg_train_options o = golden_options(file, names[i]);
        double *expected = golden_doubles(file, names[i], "lr", &count);
        assert_int_equal(count, o.epochs * STEPS_PER_EPOCH);
        for (size_t step = 0; step < count; step++)
            assert_rate(names[i], step, mg__schedule_lr(&o, o.lr, step, STEPS_PER_EPOCH),
                        expected[step]);
        free(expected);
    }
}

static void plateaus_as_pytorch(void **unused)
{
    (void)unused;
    static const char *const names[] = {"plateau", "plateau-accuracy"};
    mg_epoch history[20];
    size_t count, epochs;
    for (int i = 0; i < MG_COUNT_OF(names); i++) {
        const mg_train_options o = golden_options(file, names[i]);
        double *figures = golden_doubles(file, names[i], "figures", &epochs);
        double *expected = golden_doubles(file, names[i], "lr", &count);
        assert_true(count == epochs && epochs < MG_COUNT_OF(history));
        assert_rate(names[i], 0, mg__base_lr(&o, history, 0), o.lr);
        for (size_t e = 0; e < epochs; e++) {
            history[e] = (mg_epoch){.accuracy = figures[e], .val_loss = figures[e]};
            const double base = mg__base_lr(&o, history, (int)e + 1);
            assert_rate(names[i], e + 1, base, expected[e]);
            assert_true(mg__schedule_lr(&o, base, e * STEPS_PER_EPOCH, STEPS_PER_EPOCH) == base);
        }
        free(figures);
        free(expected);
    }
}

/* ---- the monitored figure ---- */

static const mg_epoch figures[] = {
    {.loss = 3, .accuracy = .1, .val_loss = 2, .val_accuracy = .3},
    {.loss = 2, .accuracy = .4, .val_loss = 1.5, .val_accuracy = .6},
    {.loss = 2, .accuracy = .4, .val_loss = 1.25, .val_accuracy = .6},
    {.loss = 1, .accuracy = .3, .val_loss = NAN, .val_accuracy = .5},
    {.loss = 1.5, .accuracy = .5, .val_loss = 1.5, .val_accuracy = .5},
};

static void best_epoch_is_the_first_of_equals(void **unused)
{
    (void)unused;
    static const struct {
        const char *monitor;
        int best[6]; /* of the first 0, 1, ... epochs */
    } cases[] = {{"val_accuracy", {0, 1, 2, 2, 2, 2}},
                 {"val_loss", {0, 1, 2, 3, 3, 3}},
                 {"accuracy", {0, 1, 2, 2, 2, 5}},
                 {"loss", {0, 1, 2, 2, 4, 4}}};
    mg_train_options o = mg_train_options_default();
    assert_string_equal(o.monitor, "val_accuracy");
    for (int i = 0; i < MG_COUNT_OF(cases); i++) {
        snprintf(o.monitor, sizeof o.monitor, "%s", cases[i].monitor);
        for (int count = 0; count <= MG_COUNT_OF(figures); count++)
            assert_int_equal(mg__best_epoch(&o, figures, count), cases[i].best[count]);
    }
}

/* Without validation images the latest epoch is the best, unless it is compared by what there is.
 */
static void best_epoch_without_validation(void **unused)
{
    (void)unused;
    mg_epoch history[MG_COUNT_OF(figures)];
    mg_train_options o = mg_train_options_default();
    for (int i = 0; i < MG_COUNT_OF(figures); i++) {
        history[i] = figures[i];
        history[i].val_loss = history[i].val_accuracy = NAN;
        assert_int_equal(mg__best_epoch(&o, history, i + 1), i + 1);
    }
    snprintf(o.monitor, sizeof o.monitor, "loss");
    assert_int_equal(mg__best_epoch(&o, history, MG_COUNT_OF(figures)), 4);
}

static void waits_for_better_epochs(void **unused)
{
    (void)unused;
    static const struct {
        const char *monitor;
        double min_delta;
        int waited[6];
    } cases[] = {{"val_accuracy", 0, {0, 0, 0, 1, 2, 3}},
                 {"val_accuracy", 0.5, {0, 0, 1, 2, 3, 4}},
                 {"val_loss", 0, {0, 0, 0, 0, 1, 2}},
                 {"val_loss", 0.5, {0, 0, 1, 0, 1, 2}}, /* by 0.5 is not by more than that */
                 {"loss", 1, {0, 0, 1, 2, 0, 1}}};
    mg_train_options o = mg_train_options_default();
    for (int i = 0; i < MG_COUNT_OF(cases); i++) {
        snprintf(o.monitor, sizeof o.monitor, "%s", cases[i].monitor);
        o.min_delta = cases[i].min_delta;
        for (int count = 0; count <= MG_COUNT_OF(figures); count++)
            assert_int_equal(mg__epochs_waited(&o, figures, count), cases[i].waited[count]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_as_pytorch),
        cmocka_unit_test(plateaus_as_pytorch),
        cmocka_unit_test(best_epoch_is_the_first_of_equals),
        cmocka_unit_test(best_epoch_without_validation),
        cmocka_unit_test(waits_for_better_epochs),
    };
    file = open_golden_options();
    const int status = cmocka_run_group_tests(tests, NULL, NULL);
    mg__safetensors_free(file);
    return status;
}
