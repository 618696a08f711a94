/* Evaluation and prediction on a backend. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "rig.h"
#include "train/activations.h"

#define MODEL                                                                                      \
    "input 1x9x8 mean=0.3 std=0.4\n"                                                               \
    "conv out=3 kernel=3\n"                                                                        \
    "relu\n"                                                                                       \
    "batchnorm\n"                                                                                  \
    "maxpool size=2\n"                                                                             \
    "dense out=5\n"                                                                                \
    "softmax_xent\n"
enum { IMAGES = 600 };

static mg_model *model;
static mg_dataset images;

static void check_evaluation(const float *params, uint32_t count)
{
    const mg_dataset set = mg_dataset_slice(&images, 0, count);
    const uint32_t classes = (uint32_t)model->classes;
    float *probabilities = malloc(count * classes * sizeof *probabilities);
    mg_evaluation *ev = NULL;
    double loss = 0;
    uint32_t correct = 0, *confusion = calloc(classes * classes, sizeof *confusion);
    assert_true(probabilities && confusion);
    assert_ok(mg_evaluate(&ev, backend, model, params, &set));
    assert_ok(mg_predict(backend, model, params, set.pixels, count, probabilities));
    for (uint32_t i = 0; i < count; i++) {
        const float *p = probabilities + i * classes;
        uint32_t best = 0;
        double sum = 0;
        for (uint32_t k = 0; k < classes; k++) {
            if (p[k] > p[best]) best = k;
            sum += p[k];
        }
        assert_true(fabs(sum - 1) <= 1e-6);
        assert_int_equal(ev->predictions[i], best);
        loss -= log(p[set.labels[i]]);
        correct += best == set.labels[i];
        confusion[set.labels[i] * classes + best]++;
    }
    assert_int_equal(ev->count, count);
    assert_int_equal(ev->classes, classes);
    assert_int_equal(ev->correct, correct);
    assert_true(ev->accuracy == (double)correct / count);
    assert_true(fabs(ev->loss - loss / count) <= 1e-5 * ev->loss);
    assert_memory_equal(ev->confusion, confusion, classes * classes * sizeof *confusion);
    mg_evaluation_free(ev);
    free(confusion);
    free(probabilities);
}

/* One by one, from the probabilities, as from the evaluation: in one batch, in two, in one and a
 * bit. */
static void evaluation_is_made_of_predictions(void **unused)
{
    (void)unused;
    static const uint32_t counts[] = {1, 7, 256, 257, IMAGES};
    float *params = make_weights(model);
    for (int i = 0; i < MG_COUNT_OF(counts); i++) check_evaluation(params, counts[i]);
    free(params);
}

static void refuses_images_of_another_size(void **unused)
{
    (void)unused;
    mg_evaluation *ev = NULL;
    mg_dataset wide = images;
    float *params = make_weights(model);
    wide.width++;
    wide.height--;
    assert_int_equal(mg_evaluate(&ev, backend, model, params, &wide), MG_ERR_MISMATCH);
    assert_non_null(strstr(mg_last_error(), "images of 1x8x9, but model test expects 1x9x8"));
    assert_null(ev);
    free(params);
}

/* Layer by layer: the input and the conv layer by their formulas, the ReLU from what the conv layer
 * gave, the last layer as the prediction. */
static void activations_are_those_of_the_layers(void **unused)
{
    (void)unused;
    float *params = make_weights(model), *y[MG_MAX_LAYERS] = {0}, p[5];
    const uint8_t *pixels = images.pixels + 72; /* the second image */
    for (int i = 0; i < model->layer_count; i++) {
        if (i == 3) continue; /* one that is not wanted */
        y[i] = malloc(mg_shape_size(model->layers[i].out) * sizeof *y[i]);
        assert_non_null(y[i]);
    }
    assert_ok(mg__activations(y, backend, model, params, pixels));
    assert_null(y[3]);
    for (int i = 0; i < 72; i++)
        assert_true(fabs(y[0][i] - (pixels[i] / 255.0 - 0.3) / 0.4) <= 1e-6);
    const float *w = params + model->layers[1].tensors[0].offset;
    for (int i = 0; i < 3 * 7 * 6; i++) {
        const int k = i / 42, row = i % 42 / 6, column = i % 6;
        double sum = (double)params[model->layers[1].tensors[1].offset + (size_t)k];
        for (int r = 0; r < 9; r++)
            sum += (double)w[9 * k + r] * (double)y[0][(row + r / 3) * 8 + column + r % 3];
        assert_true(fabs(y[1][i] - sum) <= 1e-5);
        assert_true(y[2][i] == (y[1][i] > 0 ? y[1][i] : 0));
    }
    assert_ok(mg_predict(backend, model, params, pixels, 1, p));
    for (int i = 0; i < 5; i++) assert_true(fabsf(y[model->layer_count - 1][i] - p[i]) <= 1e-6f);
    for (int i = 0; i < model->layer_count; i++) free(y[i]);
    free(params);
}

/* The most at one time, to the byte: what was released does not count again. */
static void memory_is_counted(void **unused)
{
    (void)unused;
    if (!backend->ops->memory) skip();
    const size_t before = backend->ops->memory(backend), more = before + 1000;
    void *a = to_device(NULL, more);
    const size_t most = backend->ops->memory(backend);
    assert_in_range(most, more, more + before);
    backend->ops->release(backend, a);
    a = to_device(NULL, more);
    assert_int_equal(backend->ops->memory(backend), most);
    void *b = to_device(NULL, 77);
    assert_int_equal(backend->ops->memory(backend), most + 77);
    backend->ops->release(backend, a);
    backend->ops->release(backend, b);
    assert_int_equal(backend->ops->memory(backend), most + 77);
}

/* As `train` has it when it ends: the trainer, and an evaluation of all training images. What a
 * library's workspaces add differs from GPU to GPU; the stand-in's are its own idea of them. */
static void lenet5_on_mnist_takes_256_mb(void **unused)
{
    (void)unused;
    enum { TRAIN = 54000, VAL = 6000, BYTES = 28 * 28 };
    if (!backend->ops->memory) skip();
    const mg_train_options options = mg_train_options_default();
    mg_model *lenet = NULL;
    mg_trainer *trainer = NULL;
    mg_net *net = NULL;
    mg_evaluator *evaluator = NULL;
    const mg_dataset train = {.count = TRAIN,
                              .channels = 1,
                              .height = 28,
                              .width = 28,
                              .classes = 10,
                              .pixels = calloc(TRAIN, BYTES),
                              .labels = calloc(TRAIN, 1)};
    assert_true(train.pixels && train.labels);
    const mg_dataset val = mg_dataset_slice(&train, 0, VAL);
    assert_ok(mg_model_load(&lenet, "lenet5"));
    assert_ok(mg_trainer_create(&trainer, backend, lenet, &train, &val, &options));
    assert_ok(mg__net_create(&net, backend, lenet));
    assert_ok(mg__evaluator_create(&evaluator, net, &train));
    const size_t loaded = (size_t)(2 * TRAIN + VAL) * (BYTES + 1);
    printf("%zu bytes, %zu of them images\n", backend->ops->memory(backend), loaded);
    assert_in_range(backend->ops->memory(backend), loaded, 256000000);
    mg__evaluator_free(evaluator);
    mg__net_free(net);
    mg_trainer_free(trainer);
    mg_model_free(lenet);
    free(train.pixels);
    free(train.labels);
}

static int make_all(void **unused)
{
    (void)unused;
    model = parse_model(MODEL);
    images = make_images(IMAGES, model->layers[0].out, model->classes);
    return 0;
}

static int free_all(void **unused)
{
    (void)unused;
    free_images(&images);
    mg_model_free(model);
    return 0;
}

int main(int argc, char **argv)
{
    int status;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evaluation_is_made_of_predictions),
        cmocka_unit_test(refuses_images_of_another_size),
        cmocka_unit_test(activations_are_those_of_the_layers),
        cmocka_unit_test(memory_is_counted),
        cmocka_unit_test(lenet5_on_mnist_takes_256_mb),
    };
    if (!open_backend(argc, argv, 0, &status)) return status;
    status = cmocka_run_group_tests(tests, make_all, free_all);
    mg_backend_close(backend);
    return status;
}
