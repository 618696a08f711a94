/* The losses of LeNet-5's first steps on MNIST, at batch 32, on a device and on the CPU (the CPU's
 * on the reference): 100 steps of SGD, or as many as take two seconds, and 10 of Adam. Adam divides
 * small gradients by their own size, rounding errors too, and so any two ways to round part after
 * some twenty steps. Usage: test_losses ref|cpu|cuda; MNIST in MNIST_GPU_DATA */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "clock.h"
#include "rig.h"

enum { MOST_STEPS = 100, CHUNK = 5, BATCH = 32 };
#define LIMIT   1e-5 /* relative */
#define SECONDS 2

typedef struct training {
    const mg_optimizer_spec *optimizer;
    float lr;
    int steps;
} training;
static const training by_sgd = {&momentum_sgd, 0.01f, MOST_STEPS}, by_adam = {&adam, 0.001f, 10};

/* A net as `mnist_gpu train` begins with it, on `be`. */
static rig begin(mg_backend *be, const mg_model *model, const mg_dataset *images, const training *t)
{
    backend = be;
    rig r = make_rig(model, images, BATCH, NULL, t->optimizer, true);
    float *params = malloc(model->arena_length * sizeof *params);
    assert_non_null(params);
    mg__model_init(model, params, 1);
    assert_ok(be->ops->upload(be, r.net->params, params, model->arena_length * sizeof *params));
    assert_ok(mg__pass_seek(r.pass, 1, 0, 0, images->count, t->lr));
    free(params);
    return r;
}

static mg_step_stat *end(mg_backend *be, rig *r)
{
    backend = be;
    mg_step_stat *stats = rig_stats(r);
    free_rig(r);
    return stats;
}

static void compare(const mg_step_stat *found, const mg_step_stat *expected, int steps)
{
    double worst = 0;
    for (int i = 0; i < steps; i++) {
        const double error = fabs(found[i].loss / expected[i].loss - 1.0);
        if (!(error <= LIMIT))
            fail_msg("step %d: loss %.9g, expected %.9g", i + 1, found[i].loss / BATCH,
                     expected[i].loss / BATCH);
        worst = fmax(worst, error);
    }
    print_message("%d steps, largest relative difference %.2g, last loss %g\n", steps, worst,
                  found[steps - 1].loss / BATCH);
}

static void losses_agree(void **state)
{
    const training *t = *state;
    const bool is_cpu = !strcmp(mg_backend_name(backend), "cpu");
    mg_backend *device = backend, *other;
    mg_dataset *set;
    mg_model *model;
    assert_ok(mg_backend_open(&other, is_cpu ? "ref" : "cpu", 0));
    assert_ok(mg_model_load(&model, "lenet5"));
    assert_ok(mg_dataset_load(&set, getenv("MNIST_GPU_DATA"), MG_SPLIT_TRAIN));
    const mg_dataset images = mg_dataset_slice(set, 0, MOST_STEPS * BATCH);
    rig found = begin(device, model, &images, t), expected = begin(other, model, &images, t);
    const double start = mg__seconds();
    int steps = 0;
    while (steps < t->steps && (steps == 0 || mg__seconds() - start < SECONDS)) {
        assert_ok(mg__pass_run(found.pass, CHUNK));
        assert_ok(mg__pass_run(expected.pass, CHUNK));
        steps += CHUNK;
    }
    mg_step_stat *theirs = end(other, &expected), *ours = end(device, &found);
    compare(ours, theirs, steps);
    free(ours);
    free(theirs);
    mg_dataset_free(set);
    mg_model_free(model);
    mg_backend_close(other);
}

int main(int argc, char **argv)
{
    int status;
    if (!getenv("MNIST_GPU_DATA")) {
        printf("skipped: MNIST_GPU_DATA is not set\n");
        return 77;
    }
    if (!open_backend(argc, argv, 0, &status)) return status;
    const struct CMUnitTest tests[] = {
        {"losses_by_sgd", losses_agree, NULL, NULL, (void *)(uintptr_t)&by_sgd},
        {"losses_by_adam", losses_agree, NULL, NULL, (void *)(uintptr_t)&by_adam}};
    const int failures = cmocka_run_group_tests_name(argv[1], tests, NULL, NULL);
    mg_backend_close(backend);
    return failures ? 1 : 0;
}
