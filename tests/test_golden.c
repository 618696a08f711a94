/* Every backend against PyTorch: layers alone, ten training steps of whole networks, an evaluation.
 * The values and the cases are those of scripts/pytorch/golden.py. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "io/safetensors.h"
#include "rig.h"

static mg_safetensors *layers, *steps;
static int layers_used, steps_used; /* tensors: all are to be */

/* ---- golden values ---- */

static mg_safetensors *open_golden(const char *path)
{
    mg_safetensors *file = NULL;
    assert_ok(mg__safetensors_read(&file, path));
    return file;
}

typedef struct golden {
    char name[128];
    int rows; /* the first size */
    size_t count;
    double *values; /* malloc'd */
} golden;

static double element(const mg_st_tensor *tensor, size_t i)
{
    const uint8_t *bytes = tensor->data;
    union {
        double f64;
        float f32;
        int32_t i32;
    } value;
    switch (tensor->dtype[0] == 'U' ? 8 : atoi(tensor->dtype + 1)) {
    case 8:
        return bytes[i];
    case 64:
        memcpy(&value, bytes + 8 * i, 8);
        return value.f64;
    default:
        memcpy(&value, bytes + 4 * i, 4);
        return tensor->dtype[0] == 'I' ? value.i32 : (double)value.f32;
    }
}

/* Tensor "case.key"; false if there is none. */
static bool find_golden(golden *out, const mg_safetensors *file, const char *name, const char *key)
{
    *out = (golden){.count = 1};
    snprintf(out->name, sizeof out->name, "%s.%s", name, key);
    const mg_st_tensor *tensor = mg__safetensors_find(file, out->name);
    if (!tensor) return false;
    ++*(file == layers ? &layers_used : &steps_used);
    for (int i = 0; i < tensor->rank; i++) out->count *= tensor->dim[i];
    out->rows = (int)tensor->dim[0];
    assert_true(out->count > 0);
    out->values = malloc(out->count * sizeof *out->values);
    assert_non_null(out->values);
    for (size_t i = 0; i < out->count; i++) out->values[i] = element(tensor, i);
    return true;
}

static golden get_golden(const mg_safetensors *file, const char *name, const char *key)
{
    golden g;
    if (!find_golden(&g, file, name, key)) fail_msg("no golden value %s", g.name);
    return g;
}

/* Each of found[i * stride] to `relative` of the value and `absolute`. */
static void compare(const golden *g, const float *found, size_t stride, double relative,
                    double absolute)
{
    for (size_t i = 0; i < g->count; i++) {
        const double expected = g->values[i], difference = fabs(found[i * stride] - expected);
        if (!(difference <= absolute + relative * fabs(expected)))
            fail_msg("%s[%zu]: found %.9g, PyTorch has %.9g, %.2g away", g->name, i,
                     found[i * stride], expected, difference);
    }
}

static mg_model *golden_model(const mg_safetensors *file, const char *name)
{
    const char *text = mg__safetensors_metadata(file, name);
    if (!text) fail_msg("no golden case %s", name);
    return parse_model(text);
}

/* ---- layers ---- */

/* The first layer whose kind is what the case's name begins with. */
static const mg_layer *layer_of_case(const mg_model *model, const char *name)
{
    for (int i = 0; i < model->layer_count; i++) {
        const char *kind = mg_layer_types[model->layers[i].kind]->name;
        if (strncmp(name, kind, strlen(kind)) == 0) return &model->layers[i];
    }
    fail_msg("%s: no such layer in its model", name);
    return NULL;
}

/* The golden values on the device, as floats; NULL if there are none. */
static float *golden_to_device(const char *name, const char *key, int *rows)
{
    golden g;
    if (!find_golden(&g, layers, name, key)) return NULL;
    float *values = malloc(g.count * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < g.count; i++) values[i] = (float)g.values[i];
    float *memory = to_device(values, g.count * sizeof *values);
    if (rows) *rows = g.rows;
    free(values);
    free(g.values);
    return memory;
}

/* A sum in float32 is off by some roundings of the largest terms. */
static void check_tensor(const char *name, const char *key, const float *memory)
{
    golden g = get_golden(layers, name, key);
    double largest = 0;
    for (size_t i = 0; i < g.count; i++) largest = fmax(largest, fabs(g.values[i]));
    float *found = to_host(memory, g.count * sizeof *found);
    compare(&g, found, 1, 1e-6, 1e-6 * largest);
    free(found);
    free(g.values);
}

/* What a layer reads and writes besides: a batch whose rows are all valid; the loss, labels and
 * statistics. */
static mg_feed make_feed(const char *name, int batch, bool is_loss)
{
    const mg_step_state state = {.count = (uint32_t)batch, .batch = (uint32_t)batch};
    mg_feed feed = {.state = to_device(&state, sizeof state)};
    if (!is_loss) return feed;
    golden labels = get_golden(layers, name, "labels");
    uint8_t bytes[64];
    assert_true(labels.count <= sizeof bytes);
    for (size_t i = 0; i < labels.count; i++) bytes[i] = (uint8_t)labels.values[i];
    free(labels.values);
    feed.batch_labels = to_device(bytes, (size_t)batch);
    feed.stats = to_device(NULL, sizeof(mg_step_stat));
    return feed;
}

static void free_feed(mg_feed *feed)
{
    backend->ops->release(backend, feed->state);
    backend->ops->release(backend, feed->batch_labels);
    backend->ops->release(backend, feed->stats);
}

static void check_loss(const char *name, const mg_feed *feed)
{
    golden loss = get_golden(layers, name, "loss"), hits = get_golden(layers, name, "hits");
    mg_step_stat *stat = to_host(feed->stats, sizeof *stat);
    compare(&loss, &stat->loss, 1, 1e-6, 0);
    assert_int_equal(stat->correct, hits.values[0]);
    free(stat);
    free(loss.values);
    free(hits.values);
}

/* Every output starts as NaN: all of it has to be written. */
static float *output(size_t count)
{
    float *nans = malloc(count * sizeof *nans);
    assert_non_null(nans);
    for (size_t i = 0; i < count; i++) nans[i] = NAN;
    float *memory = to_device(nans, count * sizeof *nans);
    free(nans);
    return memory;
}

static void run_op(mg_op *op)
{
    const mg_layer_ops *ops = backend->ops->layers[op->layer->kind];
    if (ops->prepare) assert_ok(ops->prepare(op));
    assert_ok(ops->forward(op));
    if (op->training) assert_ok(ops->backward(op));
    assert_ok(backend->ops->sync(backend));
    if (ops->release) ops->release(op);
}

/* A case without gradients is one of evaluation. */
static void check_layer(const char *name)
{
    mg_model *model = golden_model(layers, name);
    const mg_layer *l = layer_of_case(model, name);
    const bool is_loss = mg_layer_types[l->kind]->is_loss;
    int batch;
    float *x = golden_to_device(name, "x", &batch), *w = golden_to_device(name, "w", NULL),
          *b = golden_to_device(name, "b", NULL), *dy = golden_to_device(name, "dy", NULL);
    assert_non_null(x);
    mg_feed feed = make_feed(name, batch, is_loss);
    mg_op op = {.layer = l, .backend = backend, .feed = &feed, .batch = batch, .x = x, .dy = dy};
    op.w = w, op.b = b;
    op.training = is_loss || dy;
    op.running_mean = golden_to_device(name, "running_mean", NULL);
    op.running_var = golden_to_device(name, "running_var", NULL);
    op.y = output((size_t)batch * mg_shape_size(l->out));
    if (op.training) op.dx = output((size_t)batch * mg_shape_size(l->in));
    if (w && op.training) op.dw = output(l->tensors[0].count);
    if (b && op.training) op.db = output(l->tensors[1].count);

    run_op(&op);
    check_tensor(name, "y", op.y);
    if (op.dx) check_tensor(name, "dx", op.dx);
    if (op.dw) check_tensor(name, "dw", op.dw);
    if (op.db) check_tensor(name, "db", op.db);
    if (op.running_mean && op.training) check_tensor(name, "new_running_mean", op.running_mean);
    if (op.running_var && op.training) check_tensor(name, "new_running_var", op.running_var);
    if (is_loss) check_loss(name, &feed);
    float *const all[] = {x, w, b, dy, op.running_mean, op.running_var, op.y, op.dx, op.dw, op.db};
    for (int i = 0; i < MG_COUNT_OF(all); i++) backend->ops->release(backend, all[i]);
    free_feed(&feed);
    mg_model_free(model);
}

static void layers_as_pytorch(void **unused)
{
    (void)unused;
    static const char *const names[] = {
        "conv-valid",
        "conv-same",
        "conv-stride",
        "conv-even",
        "conv-1x1",
        "conv-lenet",
        "maxpool-2",
        "maxpool-rest",
        "relu",
        "maxpool-overlap",
        "maxpool-ties",
        "dense-image",
        "dense-wide",
        "softmax_xent",
        "softmax_xent-steep",
        "batchnorm",
        "batchnorm-vector",
        "batchnorm-running",
        "softmax_xent-smooth",
        "mse",
        "mse-below-0",
        "leaky_relu-default",
        "leaky_relu-slope",
        "tanh",
        "sigmoid",
        "avgpool-2",
        "avgpool-rest",
        "avgpool-overlap",
    };
    for (int i = 0; i < MG_COUNT_OF(names); i++) check_layer(names[i]);
    assert_int_equal(layers_used, layers->count);
}

/* ---- an evaluation: no number is dropped ---- */

static void evaluation_as_pytorch(void **unused)
{
    (void)unused;
    mg_model *model = golden_model(steps, "dropout");
    golden probabilities = get_golden(steps, "dropout", "probabilities");
    const uint32_t count = (uint32_t)probabilities.rows;
    mg_dataset images = make_images(count, model->layers[0].out, model->classes);
    float *params = make_weights(model), *found = malloc(probabilities.count * sizeof *found);
    assert_non_null(found);
    assert_ok(mg_predict(backend, model, params, images.pixels, count, found));
    compare(&probabilities, found, 1, 1e-6, 1e-6);
    free(found);
    free(params);
    free(probabilities.values);
    free_images(&images);
    mg_model_free(model);
}

/* ---- ten steps ---- */

typedef struct steps_case {
    const char *name, *preset; /* the preset that the case's model is, or NULL */
    const mg_optimizer_spec *optimizer;
    float lr;
    int batch;
    uint32_t images; /* so that the last batch is short */
} steps_case;

static const steps_case steps_cases[] = {
    {"small-adam", NULL, &adam, 0.001f, 7, 66},
    {"small-sgd", NULL, &momentum_sgd, 0.01f, 7, 66},
    {"normed-sgd", NULL, &momentum_sgd, 0.01f, 16, 154},
    {"small-mse", NULL, &momentum_sgd, 0.01f, 7, 66},
    {"smooth-adam", NULL, &adam, 0.001f, 7, 66},
    {"smooth-sgd", NULL, &momentum_sgd, 0.01f, 7, 66},
    {"lenet-valid-adam", "lenet-valid", &adam, 0.001f, 32, 308},
    {"lenet-valid-sgd", "lenet-valid", &momentum_sgd, 0.01f, 32, 308},
    {"lenet5-adam", "lenet5", &adam, 0.001f, 8, 77},
};
enum { STEPS = 10 };

static void check_preset(const char *preset, const mg_model *model)
{
    mg_model *own = NULL;
    assert_ok(mg_model_load(&own, preset));
    assert_string_equal(mg_model_text(own), mg_model_text(model));
    mg_model_free(own);
}

/* stats->loss is a sum, PyTorch's a mean. */
static void check_losses(const steps_case *c, const mg_step_stat *stats)
{
    golden losses = get_golden(steps, c->name, "losses"), hits = get_golden(steps, c->name, "hits");
    assert_int_equal(losses.count, STEPS);
    float found[STEPS];
    for (uint32_t i = 0; i < STEPS; i++) {
        const uint32_t left = c->images - i * (uint32_t)c->batch;
        const uint32_t rows = left < (uint32_t)c->batch ? left : (uint32_t)c->batch;
        found[i] = stats[i].loss / (float)rows;
        assert_int_equal(stats[i].correct, hits.values[i]);
    }
    compare(&losses, found, 1, 1e-5, 0);
    free(losses.values);
    free(hits.values);
}

/* At most 256 elements of each tensor are there, and how far all of it has moved. */
static void check_weights(const steps_case *c, const mg_model *model, const float *params)
{
    float *start = make_weights(model);
    for (int i = 0; i < mg__model_tensor_count(model); i++) {
        const mg_tensor *t = mg__model_tensor(model, i);
        char key[64];
        snprintf(key, sizeof key, "%s.moved", t->name);
        golden sample = get_golden(steps, c->name, t->name),
               moved = get_golden(steps, c->name, key);
        compare(&sample, params + t->offset, (t->count + 255) / 256, 0, 1e-4);
        double sum = 0;
        for (size_t j = t->offset; j < t->offset + t->count; j++)
            sum += ((double)params[j] - start[j]) * ((double)params[j] - start[j]);
        const float distance = (float)sqrt(sum);
        compare(&moved, &distance, 1, 1e-4, 0);
        free(sample.values);
        free(moved.values);
    }
    free(start);
}

static void check_steps(const steps_case *c, bool fuse)
{
    mg_model *model = golden_model(steps, c->name);
    if (c->preset) check_preset(c->preset, model);
    mg_dataset images = make_images(c->images, model->layers[0].out, model->classes);
    rig r = make_rig(model, &images, c->batch, NULL, c->optimizer, fuse);
    assert_ok(mg__pass_seek(r.pass, 1, 0, 0, c->images, c->lr));
    assert_ok(mg__pass_run(r.pass, STEPS));
    mg_step_stat *stats = rig_stats(&r);
    float *params = rig_params(&r);
    check_losses(c, stats);
    check_weights(c, model, params);
    free(params);
    free(stats);
    free_rig(&r);
    free_images(&images);
    mg_model_free(model);
}

static void ten_steps_as_pytorch(void **unused)
{
    (void)unused;
    for (int i = 0; i < MG_COUNT_OF(steps_cases); i++) check_steps(&steps_cases[i], true);
    assert_int_equal(steps_used, steps->count);
    for (int i = 0; i < MG_COUNT_OF(steps_cases) && backend->ops->fused; i++)
        check_steps(&steps_cases[i], false);
}

static int open_files(void **unused)
{
    (void)unused;
    layers = open_golden(MG_SOURCE_DIR "/tests/golden/layers.safetensors");
    steps = open_golden(MG_SOURCE_DIR "/tests/golden/steps.safetensors");
    return 0;
}

static int close_files(void **unused)
{
    (void)unused;
    mg__safetensors_free(layers);
    mg__safetensors_free(steps);
    return 0;
}

int main(int argc, char **argv)
{
    int status;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_as_pytorch),
        cmocka_unit_test(evaluation_as_pytorch),
        cmocka_unit_test(ten_steps_as_pytorch),
    };
    if (!open_backend(argc, argv, 0, &status)) return status;
    status = cmocka_run_group_tests(tests, open_files, close_files);
    mg_backend_close(backend);
    return status;
}
