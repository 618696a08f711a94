/* The training step on a backend: repetition, short batches, evaluation, optimizers, the step state
 * and the gathering of images. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "rig.h"

#define MODEL                                                                                      \
    "input 2x9x8 mean=0.3 std=0.4\n"                                                               \
    "conv out=4 kernel=3 pad=1\n"                                                                  \
    "relu\n"                                                                                       \
    "maxpool size=2\n"                                                                             \
    "dense out=7\n"                                                                                \
    "relu\n"                                                                                       \
    "dense out=3\n"                                                                                \
    "softmax_xent\n"
enum { IMAGES = 45, BATCH = 10, STEPS = 5 }; /* the last batch is short */

static mg_model *model;
static mg_dataset images;
static uint32_t shuffled[IMAGES];

static rig training_rig(const mg_optimizer_spec *optimizer)
{
    return make_rig(model, &images, BATCH, shuffled, optimizer, true);
}

static void assert_close(double found, double expected, double tolerance, const char *what)
{
    if (!(fabs(found - expected) <= tolerance))
        fail_msg("%s: found %.9g, expected %.9g", what, found, expected);
}

/* ---- repetition ---- */

static void assert_same_memory(const void *left, const void *right, size_t bytes)
{
    void *l = to_host(left, bytes), *r = to_host(right, bytes);
    assert_memory_equal(l, r, bytes);
    free(l);
    free(r);
}

/* All that steps leave behind is the same, bit for bit. */
static void assert_same_rigs(const rig *l, const rig *r)
{
    const size_t bytes = model->arena_length * sizeof(float);
    assert_same_memory(l->net->params, r->net->params, bytes);
    for (int i = 0; i < MG_COUNT_OF(l->pass->update.slots); i++)
        if (l->pass->update.slots[i])
            assert_same_memory(l->pass->update.slots[i], r->pass->update.slots[i], bytes);
    assert_same_memory(l->feed.stats, r->feed.stats, STEPS * sizeof(mg_step_stat));
    assert_same_memory(l->feed.predictions, r->feed.predictions, IMAGES);
    assert_same_memory(l->feed.state, r->feed.state, sizeof(mg_step_state));
    assert_same_memory(mg__pass_probabilities(l->pass), mg__pass_probabilities(r->pass),
                       BATCH * (size_t)model->classes * sizeof(float));
}

static void repeat_is_one_step_after_another(void **unused)
{
    (void)unused;
    mg_optimizer_spec clipped = adam;
    clipped.clip_norm = 0.1f;
    const mg_optimizer_spec *const optimizers[] = {&adam, NULL, &momentum_sgd, &clipped};
#ifdef __SANITIZE_THREAD__ /* takes 30 times as long */
    enum { TRIED = 2 };
#else
    enum { TRIED = MG_COUNT_OF(optimizers) };
#endif
    static const int parts[] = {0, 1, 2, 0, 1, 1};
    for (int i = 0; i < TRIED; i++) {
        rig whole = training_rig(optimizers[i]), eager = training_rig(optimizers[i]),
            in_parts = training_rig(optimizers[i]);
        assert_ok(mg__pass_run(whole.pass, STEPS));
        for (int step = 0; step < STEPS; step++) assert_ok(mg__step_enqueue(eager.pass));
        for (int part = 0; part < MG_COUNT_OF(parts); part++)
            assert_ok(mg__pass_run(in_parts.pass, parts[part]));
        assert_same_rigs(&whole, &eager);
        assert_same_rigs(&whole, &in_parts);
        free_rig(&whole);
        free_rig(&eager);
        free_rig(&in_parts);
    }
}

/* So many steps that a backend may record several at once. */
static void long_repeat_is_one_step_after_another(void **unused)
{
    (void)unused;
    enum { LONG = 131 };
    mg_model *small = parse_model("input 1x3x3\ndense out=3\nsoftmax_xent\n");
    mg_dataset set = make_images(LONG, (mg_shape){1, 3, 3}, 3);
    rig whole = make_rig(small, &set, 1, NULL, &adam, true),
        eager = make_rig(small, &set, 1, NULL, &adam, true);
    assert_ok(mg__pass_run(whole.pass, LONG));
    for (int step = 0; step < LONG; step++) assert_ok(mg__step_enqueue(eager.pass));
    assert_same_memory(whole.net->params, eager.net->params, small->arena_length * sizeof(float));
    assert_same_memory(whole.feed.stats, eager.feed.stats, LONG * sizeof(mg_step_stat));
    assert_same_memory(whole.feed.state, eager.feed.state, sizeof(mg_step_state));
    free_rig(&whole);
    free_rig(&eager);
    free_images(&set);
    mg_model_free(small);
}

/* ---- short batches, evaluation ---- */

static void compare_floats(const float *found, const float *expected, size_t count,
                           const char *what)
{
    float *f = to_host(found, count * sizeof *f), *e = to_host(expected, count * sizeof *e);
    for (size_t i = 0; i < count; i++) assert_close(f[i], e[i], 1e-6, what);
    free(f);
    free(e);
}

static void compare_stats(const rig *found, const rig *expected)
{
    mg_step_stat *f = rig_stats(found), *e = rig_stats(expected);
    for (uint32_t i = 0; i < expected->slots; i++) {
        assert_close(f[i].loss, e[i].loss, 1e-6 * e[i].loss, "loss");
        assert_int_equal(f[i].correct, e[i].correct);
    }
    free(f);
    free(e);
}

static void check_short_batch(const mg_model *of)
{
    const mg_dataset five = mg_dataset_slice(&images, 0, 5);
    rig small = make_rig(of, &five, 5, NULL, &momentum_sgd, true);
    rig large = make_rig(of, &images, 8, NULL, &momentum_sgd, true);
    assert_ok(mg__pass_seek(large.pass, 1, 0, 0, IMAGES, 0)); /* a full batch, learning nothing */
    assert_ok(mg__pass_run(large.pass, 1));
    assert_ok(mg__pass_seek(large.pass, 1, 0, 0, 5, 0.01f));
    assert_ok(mg__pass_run(large.pass, 1));
    assert_ok(mg__pass_run(small.pass, 1));
    compare_stats(&large, &small);
    compare_floats(large.pass->grads, small.pass->grads, of->arena_length, "gradient");
    compare_floats(mg__pass_probabilities(large.pass), mg__pass_probabilities(small.pass),
                   5 * (size_t)of->classes, "probability");
    free_rig(&small);
    free_rig(&large);
}

/* Five images of a batch of eight give what a batch of five gives, whatever the rest held before.
 */
static void short_batch_is_a_smaller_batch(void **unused)
{
    (void)unused;
    mg_model *normed = parse_model("input 2x9x8 mean=0.3 std=0.4\nconv out=4 kernel=3\nrelu\n"
                                   "batchnorm\ndense out=3\nmse\n");
    check_short_batch(model);
    check_short_batch(normed);
    mg_model_free(normed);
}

/* They lie behind the parameters, and training changes them by batchnorm's rule alone: with
 * momentum 0, not at all. */
static void running_statistics_are_no_parameters(void **unused)
{
    (void)unused;
    mg_model *normed = parse_model("input 2x9x8 mean=0.3 std=0.4\nbatchnorm momentum=0\n"
                                   "dense out=3\nsoftmax_xent\n");
    const mg_layer *layer = &normed->layers[1];
    rig r = make_rig(normed, &images, BATCH, NULL, &adam, true);
    float *before = rig_params(&r);
    assert_ok(mg__pass_run(r.pass, STEPS));
    float *after = rig_params(&r);
    assert_int_equal(mg_model_param_count(normed), 2 + 2 + 3 * 144 + 3);
    assert_int_equal(r.pass->update.length, normed->trainable_length);
    for (int i = 0; i < layer->tensor_count; i++) {
        const mg_tensor *t = &layer->tensors[i];
        const float *b = before + t->offset, *a = after + t->offset;
        assert_true(t->trainable == (i < 2));
        assert_true(t->trainable == (t->offset < normed->trainable_length));
        assert_true(t->trainable == (memcmp(a, b, t->count * sizeof *a) != 0));
    }
    free(before);
    free(after);
    free_rig(&r);
    mg_model_free(normed);
}

/* A training that learns nothing sees what an evaluation sees. */
static void evaluation_is_the_forward_half(void **unused)
{
    (void)unused;
    rig training = training_rig(&momentum_sgd), evaluation = training_rig(NULL);
    float *before = rig_params(&training);
    assert_ok(mg__pass_seek(training.pass, 1, 0, 0, IMAGES, 0));
    assert_ok(mg__pass_run(training.pass, STEPS));
    assert_ok(mg__pass_run(evaluation.pass, STEPS));
    compare_stats(&training, &evaluation);
    compare_floats(mg__pass_probabilities(training.pass), mg__pass_probabilities(evaluation.pass),
                   BATCH * (size_t)model->classes, "probability");
    assert_same_memory(training.feed.predictions, evaluation.feed.predictions, IMAGES);
    float *after = rig_params(&training);
    assert_memory_equal(before, after, model->arena_length * sizeof *before);
    free(before);
    free(after);
    free_rig(&training);
    free_rig(&evaluation);
}

/* A loss that is not finite is seen in the step's statistics, and only there. */
static void bad_weights_make_a_bad_loss(void **unused)
{
    (void)unused;
    static const struct {
        const char *tensor;
        float value;
    } cases[] = {
        {"conv1.weight", NAN}, {"conv1.bias", INFINITY}, {"dense1.weight", NAN},
        {"dense1.bias", NAN},  {"dense2.weight", NAN},   {"dense2.bias", INFINITY},
    };
    for (int i = 0; i < MG_COUNT_OF(cases); i++) {
        rig r = training_rig(NULL);
        assert_ok(mg__pass_run(r.pass, 1));
        float *params = rig_params(&r);
        for (int t = 0; t < mg__model_tensor_count(model); t++)
            if (strcmp(mg__model_tensor(model, t)->name, cases[i].tensor) == 0)
                params[mg__model_tensor(model, t)->offset] = cases[i].value;
        assert_ok(backend->ops->upload(backend, r.net->params, params,
                                       model->arena_length * sizeof *params));
        assert_ok(mg__pass_run(r.pass, 1));
        mg_step_stat *stats = rig_stats(&r);
        assert_true(isfinite(stats[0].loss));
        if (isfinite(stats[1].loss)) fail_msg("%s: the loss is finite", cases[i].tensor);
        free(stats);
        free(params);
        free_rig(&r);
    }
}

/* ---- optimizers ---- */

enum { LENGTH = 4096 + 64, RATES = 4 }; /* floats */

static const float gradients[] = {1, -2, 0.5f, -1e-3f, 1e3f, 0};

/* Every weight is 1 and has one of the gradients, whatever the step. */
static mg_update make_update(const mg_optimizer_spec *optimizer, uint32_t step, float lr)
{
    const mg_step_state state = {.step = step, .batch = 1};
    const float rates[RATES] = {lr, lr, lr, lr};
    float *w = malloc(LENGTH * sizeof *w), *dw = malloc(LENGTH * sizeof *dw);
    assert_true(w && dw);
    for (int i = 0; i < LENGTH; i++) {
        w[i] = 1;
        dw[i] = gradients[i % MG_COUNT_OF(gradients)];
    }
    const mg_update u = {
        .spec = *optimizer,
        .length = LENGTH,
        .w = to_device(w, LENGTH * sizeof *w),
        .dw = to_device(dw, LENGTH * sizeof *dw),
        .slots = {to_device(NULL, LENGTH * sizeof *w), mg__optimizer_slots(optimizer->kind) == 2
                                                           ? to_device(NULL, LENGTH * sizeof *w)
                                                           : NULL},
        .lr = to_device(rates, sizeof rates),
        .clip =
            optimizer->clip_norm > 0 ? to_device(NULL, (1 + MG_CLIP_PARTS) * sizeof(float)) : NULL,
        .state = to_device(&state, sizeof state)};
    free(w);
    free(dw);
    return u;
}

static void free_update(mg_update *u)
{
    void *const all[] = {u->w,          (void *)u->dw, u->slots[0],     u->slots[1],
                         (void *)u->lr, u->clip,       (void *)u->state};
    for (int i = 0; i < MG_COUNT_OF(all); i++) backend->ops->release(backend, all[i]);
}

/* Takes a step; the weight with gradient g is then 1 - sum * moved(g). */
static void check_update(const mg_update *u, double (*moved)(double g), double sum,
                         double tolerance)
{
    if (u->clip) assert_ok(backend->ops->clip_norm(backend, u));
    assert_ok(backend->ops->optimizer_step(backend, u));
    assert_ok(backend->ops->advance(backend, (mg_step_state *)u->state, true));
    float *w = to_host(u->w, LENGTH * sizeof *w);
    for (int i = 0; i < LENGTH; i++) {
        const double g = gradients[i % MG_COUNT_OF(gradients)];
        assert_close(w[i], 1 - sum * moved(g), tolerance * fabs(1 - sum * moved(g)), "weight");
    }
    free(w);
}

/* Of the steps from `slot` on. */
static void set_lr(const mg_update *u, uint32_t slot, float lr)
{
    for (; slot < RATES; slot++)
        assert_ok(backend->ops->upload(backend, (float *)u->lr + slot, &lr, sizeof lr));
}

static double gradient_itself(double g) { return g; }
static double gradient_sign(double g) { return g / (fabs(g) + 1e-8); }

/* buf is g, 1.5 g, 1.75 g, ... with momentum 1/2: powers of two, so nearly all of it is exact. */
static void sgd_by_hand(void **unused)
{
    (void)unused;
    const mg_optimizer_spec plain = {.kind = MG_OPTIMIZER_SGD},
                            half = {.kind = MG_OPTIMIZER_SGD, .momentum = 0.5f};
    mg_update u = make_update(&plain, 0, 0.25f);
    check_update(&u, gradient_itself, 0.25, 1e-7);
    check_update(&u, gradient_itself, 0.5, 1e-7);
    free_update(&u);

    u = make_update(&half, 0, 0.25f);
    check_update(&u, gradient_itself, 0.25, 1e-7);
    check_update(&u, gradient_itself, 0.25 * 2.5, 1e-7);
    set_lr(&u, 2, 1);
    check_update(&u, gradient_itself, 0.25 * 2.5 + 1.75, 1e-7);
    free_update(&u);
}

/* With the same gradient at every step the corrected moments are g and g g at each of them. */
static void adam_by_hand(void **unused)
{
    (void)unused;
    mg_update u = make_update(&adam, 0, 0.01f);
    check_update(&u, gradient_sign, 0.01, 1e-6);
    check_update(&u, gradient_sign, 0.02, 1e-6);
    set_lr(&u, 2, 0.1f);
    check_update(&u, gradient_sign, 0.12, 1e-6);
    free_update(&u);

    /* Moments that are 0 at the eighth step: m = (1 - beta1) g, v = (1 - beta2) g g. */
    u = make_update(&adam, 7, 0.01f);
    const double m = 0.1 / (1 - pow(0.9, 8)), v = 0.001 / (1 - pow(0.999, 8));
    check_update(&u, gradient_sign, 0.01 * m / sqrt(v), 1e-6);
    free_update(&u);
}

static double gradient_clipped(double g) { return fmin(fmax(g, -0.5), 0.5); }
static double gradient_decayed(double g) { return g + 0.5; }

/* buf is g, 1.5 g: the steps are g + g / 2 and g + 0.75 g. */
static void options_by_hand(void **unused)
{
    (void)unused;
    const mg_optimizer_spec nesterov = {.kind = MG_OPTIMIZER_SGD,
                                        .momentum = 0.5f,
                                        .nesterov = true},
                            clipped = {.kind = MG_OPTIMIZER_SGD, .clip_value = 0.5f},
                            decayed = {.kind = MG_OPTIMIZER_SGD, .weight_decay = 0.5f};
    mg_update u = make_update(&nesterov, 0, 0.25f);
    check_update(&u, gradient_itself, 0.25 * 1.5, 1e-7);
    check_update(&u, gradient_itself, 0.25 * (1.5 + 1.75), 1e-7);
    free_update(&u);
    u = make_update(&clipped, 0, 0.25f);
    check_update(&u, gradient_clipped, 0.25, 1e-7);
    free_update(&u);
    u = make_update(&decayed, 0, 0.25f); /* of weights that are 1 */
    check_update(&u, gradient_decayed, 0.25, 1e-7);
    free_update(&u);
}

/* AdamW's decay is no part of the gradient: the weight is first multiplied by 1 - lr / 2. */
static void adamw_by_hand(void **unused)
{
    (void)unused;
    mg_optimizer_spec spec = adam;
    spec.kind = MG_OPTIMIZER_ADAMW;
    spec.weight_decay = 0.5f;
    mg_update u = make_update(&spec, 0, 0.25f);
    assert_ok(backend->ops->optimizer_step(backend, &u));
    float *w = to_host(u.w, LENGTH * sizeof *w);
    for (int i = 0; i < LENGTH; i++) {
        const double g = gradients[i % MG_COUNT_OF(gradients)];
        assert_close(w[i], 0.875 - 0.25 * gradient_sign(g), 1e-6, "weight");
    }
    free(w);
    free_update(&u);
}

static double gradient_root(double g) { return g / (0.5 * fabs(g) + 1e-7); }

/* v = g g / 4 after the first step, 7/16 g g after the second. */
static void rmsprop_by_hand(void **unused)
{
    (void)unused;
    const mg_optimizer_spec rmsprop = {.kind = MG_OPTIMIZER_RMSPROP, .rho = 0.75f, .eps = 1e-7f};
    mg_update u = make_update(&rmsprop, 0, 0.01f);
    check_update(&u, gradient_root, 0.01, 1e-6);
    check_update(&u, gradient_root, 0.01 * (1 + 0.5 / sqrt(7.0 / 16)), 1e-4); /* eps is small */
    free_update(&u);
}

/* Of each gradient of the list there are as many, to one. */
static void norm_by_hand(void **unused)
{
    (void)unused;
    mg_optimizer_spec spec = {.kind = MG_OPTIMIZER_SGD, .clip_norm = 50};
    double squares = 0;
    for (int i = 0; i < LENGTH; i++) squares += pow(gradients[i % MG_COUNT_OF(gradients)], 2);
    mg_update u = make_update(&spec, 0, 0.25f);
    check_update(&u, gradient_itself, 0.25 * 50 / sqrt(squares), 1e-6);
    free_update(&u);
    spec.clip_norm = 1e6f; /* above the norm: nothing is clipped */
    u = make_update(&spec, 0, 0.25f);
    check_update(&u, gradient_itself, 0.25, 1e-7);
    const float nan = NAN;
    assert_ok(backend->ops->upload(backend, (float *)u.dw + 17, &nan, sizeof nan));
    assert_ok(backend->ops->clip_norm(backend, &u));
    float *factor = to_host(u.clip, sizeof *factor);
    assert_true(isnan(*factor));
    free(factor);
    free_update(&u);
}

/* ---- the step state, the gathering ---- */

static void state_moves_on(void **unused)
{
    (void)unused;
    static const mg_step_stat nothing[2];
    for (int training = 0; training <= 1; training++) {
        rig r = training_rig(training ? &adam : NULL);
        assert_ok(mg__pass_seek(r.pass, UINT64_MAX - 1, 12, 2 * BATCH, IMAGES, 0.5f));
        assert_ok(mg__pass_run(r.pass, 3));
        const mg_step_state s = rig_state(&r);
        assert_true(s.seed == UINT64_MAX - 1);
        assert_int_equal(s.step, training ? 15 : 12);
        assert_int_equal(s.cursor, STEPS * BATCH);
        assert_int_equal(s.slot, STEPS);
        assert_int_equal(s.count, IMAGES);
        assert_int_equal(s.batch, BATCH);
        mg_step_stat *stats = rig_stats(&r);
        assert_memory_equal(stats, nothing, sizeof nothing);
        for (int i = 2; i < STEPS; i++) assert_true(stats[i].loss > 0);
        free(stats);
        free_rig(&r);
    }
}

static void check_gathered(const rig *r, const uint32_t *order, uint32_t cursor)
{
    const struct mg_input_args *a = mg__model_input(model);
    const size_t size = mg_shape_size(a->shape);
    float *y = to_host(r->pass->ops[0].y, BATCH * size * sizeof *y);
    uint8_t *labels = to_host(r->pass->feed.batch_labels, BATCH);
    for (uint32_t i = 0; i < BATCH; i++) {
        const bool valid = cursor + i < IMAGES;
        const uint32_t image = !valid ? 0 : order ? order[cursor + i] : cursor + i;
        assert_int_equal(labels[i], valid ? images.labels[image] : 0);
        for (size_t p = 0; p < size; p++)
            assert_close(y[i * size + p],
                         valid ? (images.pixels[image * size + p] / 255.0 - a->mean) / a->std : 0,
                         1e-6, "pixel");
    }
    free(y);
    free(labels);
}

static void images_are_gathered_in_order(void **unused)
{
    (void)unused;
    const uint32_t *const orders[] = {NULL, shuffled};
    for (int i = 0; i < MG_COUNT_OF(orders); i++) {
        rig r = make_rig(model, &images, BATCH, orders[i], NULL, false);
        for (uint32_t cursor = 0; cursor < IMAGES; cursor += BATCH) {
            assert_ok(mg__pass_run(r.pass, 1));
            check_gathered(&r, orders[i], cursor);
        }
        free_rig(&r);
    }
}

/* Fused stages gather too: the order of images is as good as images in that order. */
static void order_is_as_good_as_ordered_images(void **unused)
{
    (void)unused;
    mg_dataset ordered = make_images(IMAGES, model->layers[0].out, model->classes);
    const size_t size = mg_shape_size(model->layers[0].out);
    for (uint32_t i = 0; i < IMAGES; i++) {
        memcpy(ordered.pixels + i * size, images.pixels + shuffled[i] * size, size);
        ordered.labels[i] = images.labels[shuffled[i]];
    }
    rig by_order = training_rig(&adam),
        as_they_lie = make_rig(model, &ordered, BATCH, NULL, &adam, true);
    assert_ok(mg__pass_run(by_order.pass, STEPS));
    assert_ok(mg__pass_run(as_they_lie.pass, STEPS));
    assert_same_rigs(&by_order, &as_they_lie);
    free_rig(&by_order);
    free_rig(&as_they_lie);
    free_images(&ordered);
}

/* ---- the plan ---- */

static void check_plan(const mg_optimizer_spec *optimizer, const char *const *names, int count)
{
    mg_model *early = parse_model("input 2x9x8\nmaxpool size=2\nconv out=2 kernel=3\nrelu\n"
                                  "dense out=3\nsoftmax_xent\n");
    rig r = make_rig(early, &images, BATCH, NULL, optimizer, false);
    assert_int_equal(r.pass->stage_count, count);
    for (int i = 0; i < count; i++) assert_string_equal(r.pass->plan[i].name, names[i]);
    assert_ok(mg__pass_run(r.pass, 1));
    free_rig(&r);
    mg_model_free(early);
}
#define PLAN(optimizer, ...)                                                                       \
    check_plan(optimizer, (const char *const[]){__VA_ARGS__},                                      \
               MG_COUNT_OF(((const char *[]){__VA_ARGS__})))
#define FORWARD                                                                                    \
    "input1 forward", "maxpool1 forward", "conv1 forward", "relu1 forward", "dense1 forward",      \
        "softmax_xent1 forward"

/* Nothing goes back past the first layer with parameters. */
static void plan_is_the_step(void **unused)
{
    (void)unused;
    PLAN(NULL, FORWARD, "advance");
    PLAN(&adam, FORWARD, "softmax_xent1 backward", "dense1 backward", "relu1 backward",
         "conv1 backward", "adam conv1..dense1", "advance");
    PLAN(&momentum_sgd, FORWARD, "softmax_xent1 backward", "dense1 backward", "relu1 backward",
         "conv1 backward", "sgd conv1..dense1", "advance");
    mg_optimizer_spec clipped = adam;
    clipped.clip_norm = 1;
    PLAN(&clipped, FORWARD, "softmax_xent1 backward", "dense1 backward", "relu1 backward",
         "conv1 backward", "clip norm", "adam conv1..dense1", "advance");
}

static int make_all(void **unused)
{
    (void)unused;
    model = parse_model(MODEL);
    images = make_images(IMAGES, model->layers[0].out, model->classes);
    mg__epoch_order(shuffled, IMAGES, 1, 0);
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
        cmocka_unit_test(repeat_is_one_step_after_another),
        cmocka_unit_test(long_repeat_is_one_step_after_another),
        cmocka_unit_test(short_batch_is_a_smaller_batch),
        cmocka_unit_test(running_statistics_are_no_parameters),
        cmocka_unit_test(evaluation_is_the_forward_half),
        cmocka_unit_test(bad_weights_make_a_bad_loss),
        cmocka_unit_test(sgd_by_hand),
        cmocka_unit_test(adam_by_hand),
        cmocka_unit_test(options_by_hand),
        cmocka_unit_test(adamw_by_hand),
        cmocka_unit_test(rmsprop_by_hand),
        cmocka_unit_test(norm_by_hand),
        cmocka_unit_test(state_moves_on),
        cmocka_unit_test(images_are_gathered_in_order),
        cmocka_unit_test(order_is_as_good_as_ordered_images),
        cmocka_unit_test(plan_is_the_step),
    };
    if (!open_backend(argc, argv, 0, &status)) return status;
    status = cmocka_run_group_tests(tests, make_all, free_all);
    mg_backend_close(backend);
    return status;
}
