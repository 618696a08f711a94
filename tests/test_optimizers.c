/* Every backend's optimizers against PyTorch's, step by step, with a learning rate, an epoch's
 * table of them, that changes. The cases are those of scripts/pytorch/golden_optimizers.py. Usage:
 * test_optimizers ref|cpu|cuda */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "golden_options.h"
#include "rig.h"

enum { STEPS = 6, LENGTH = 128 };

static mg_safetensors *file;

/* The tensor on the device, as floats. */
static void *golden_to_device(const char *name, size_t expected_count)
{
    size_t count;
    double *values = golden_doubles(file, name, NULL, &count);
    float *narrow = malloc(count * sizeof *narrow);
    assert_non_null(narrow);
    assert_int_equal(count, expected_count);
    for (size_t i = 0; i < count; i++) narrow[i] = (float)values[i];
    void *memory = to_device(narrow, count * sizeof *narrow);
    free(narrow);
    free(values);
    return memory;
}

static void compare_weights(const char *name, const mg_update *u, const double *expected, int step)
{
    float *w = to_host(u->w, LENGTH * sizeof *w);
    for (int i = 0; i < LENGTH; i++)
        if (!(fabs(w[i] - expected[i]) <= 1e-6))
            fail_msg("%s: w[%d] after step %d: found %.9g, PyTorch has %.9g", name, i, step + 1,
                     w[i], expected[i]);
    free(w);
}

static void check_optimizer(const char *name)
{
    size_t count;
    const mg_train_options options = golden_options(file, name);
    const mg_step_state start = {.batch = 1, .count = STEPS};
    double *expected = golden_doubles(file, name, "w", &count);
    float *gradients = golden_to_device("gradients", STEPS * LENGTH);
    mg_update u = {
        .length = LENGTH,
        .w = golden_to_device("start", LENGTH),
        .slots = {to_device(NULL, LENGTH * sizeof(float)), to_device(NULL, LENGTH * sizeof(float))},
        .lr = golden_to_device("rates", STEPS),
        .state = to_device(&start, sizeof start)};
    assert_int_equal(count, STEPS * LENGTH);
    assert_ok(mg__optimizer_read(&u.spec, &options));
    if (options.clip_norm > 0) u.clip = to_device(NULL, (1 + MG_CLIP_PARTS) * sizeof(float));
    for (int step = 0; step < STEPS; step++) {
        u.dw = gradients + step * LENGTH;
        if (u.clip) assert_ok(backend->ops->clip_norm(backend, &u));
        assert_ok(backend->ops->optimizer_step(backend, &u));
        assert_ok(backend->ops->advance(backend, (mg_step_state *)u.state, true));
        compare_weights(name, &u, expected + step * LENGTH, step);
    }
    void *const all[] = {gradients,    u.w,    u.slots[0],     u.slots[1],
                         (void *)u.lr, u.clip, (void *)u.state};
    for (int i = 0; i < MG_COUNT_OF(all); i++) backend->ops->release(backend, all[i]);
    free(expected);
}

static void optimizers_as_pytorch(void **unused)
{
    (void)unused;
    static const char *const names[] = {
        "adam",       "adam-decay", "adam-norm",         "adam-value",    "adamw",
        "adamw-norm", "sgd",        "sgd-decay",         "sgd-momentum",  "sgd-nesterov",
        "sgd-value",  "rmsprop",    "sgd-nesterov-norm", "rmsprop-decay", "rmsprop-norm",
    };
    int cases = 0;
    for (int i = 0; i < MG_COUNT_OF(names); i++) check_optimizer(names[i]);
    for (int i = 0; i < file->count; i++) {
        const char *end = strrchr(file->tensors[i].name, '.');
        cases += end && strcmp(end, ".w") == 0;
    }
    assert_int_equal(cases, MG_COUNT_OF(names));
}

int main(int argc, char **argv)
{
    int status;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(optimizers_as_pytorch),
    };
    if (!open_backend(argc, argv, 0, &status)) return status;
    file = open_golden_options();
    status = cmocka_run_group_tests(tests, NULL, NULL);
    mg__safetensors_free(file);
    mg_backend_close(backend);
    return status;
}
