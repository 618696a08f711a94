/* The losses of the first steps of LeNet-5 at batch 32, on a device and on the CPU (the CPU's on
 * the reference): on MNIST where MNIST_GPU_DATA says where it is, else on made images. 100 steps,
 * or as many as take two seconds. Usage: test_losses ref|cpu|cuda */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "clock.h"
#include "rig.h"

enum { STEPS = 100, CHUNK = 5, BATCH = 32 };
#define LIMIT   1e-4 /* relative */
#define SECONDS 2
#define LR      0.001f

static void load_images(mg_dataset **set, mg_dataset *part)
{
    const char *dir = getenv("MNIST_GPU_DATA");
    if (dir) {
        assert_ok(mg_dataset_load(set, dir, MG_SPLIT_TRAIN));
        *part = mg_dataset_slice(*set, 0, STEPS * BATCH);
    } else {
        *part = make_images(STEPS * BATCH, (mg_shape){1, 28, 28}, 10);
    }
}

static void losses_agree(void **state)
{
    (void)state;
    const bool is_cpu = !strcmp(mg_backend_name(backend), "cpu");
    mg_backend *device = backend, *other = NULL;
    mg_dataset *set = NULL, images;
    mg_model *model = NULL;
    assert_ok(mg_backend_open(&other, is_cpu ? "ref" : "cpu", 0));
    assert_ok(mg_model_load(&model, "lenet5"));
    load_images(&set, &images);
    rig found = make_rig(model, &images, BATCH, NULL, &adam, true);
    backend = other;
    rig expected = make_rig(model, &images, BATCH, NULL, &adam, true);
    assert_ok(mg__pass_seek(found.pass, 1, 0, 0, images.count, LR));
    assert_ok(mg__pass_seek(expected.pass, 1, 0, 0, images.count, LR));
    int done = 0;
    const double begin = mg__seconds();
    while (done < STEPS && (done == 0 || mg__seconds() - begin < SECONDS)) {
        assert_ok(mg__pass_run(found.pass, CHUNK));
        assert_ok(mg__pass_run(expected.pass, CHUNK));
        done += CHUNK;
    }
    mg_step_stat *theirs = rig_stats(&expected);
    free_rig(&expected);
    backend = device;
    mg_step_stat *ours = rig_stats(&found);
    free_rig(&found);
    double worst = 0;
    for (int i = 0; i < done; i++) {
        const double error = fabs(ours[i].loss / theirs[i].loss - 1.0);
        if (!(error <= LIMIT))
            fail_msg("step %d: loss %.9g, expected %.9g", i + 1, ours[i].loss, theirs[i].loss);
        if (error > worst) worst = error;
    }
    print_message("%d steps, the largest relative difference is %.2g; the last loss %g\n", done,
                  worst, ours[done - 1].loss / BATCH);
    free(ours);
    free(theirs);
    if (set)
        mg_dataset_free(set);
    else
        free_images(&images);
    mg_model_free(model);
    mg_backend_close(other);
}

int main(int argc, char **argv)
{
    int status;
    if (!open_backend(argc, argv, 0, &status)) return status;
    const struct CMUnitTest tests[] = {cmocka_unit_test(losses_agree)};
    const int failures = cmocka_run_group_tests_name(argv[1], tests, NULL, NULL);
    mg_backend_close(backend);
    return failures ? 1 : 0;
}
