/* Numbers at the ends of float's range, and beyond: what the losses, batchnorm and the optimizers
 * make of them; and where a training that meets a NaN or an infinity says that it began. Usage:
 * test_numbers ref|cpu|cuda */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "trainer.h"
#include "train/trace.h"
#include <float.h>

/* ---- losses ---- */

enum { CLASSES = 5 };
#define HUGE_LOGIT 3e38f

static const float logits[][CLASSES] = {
    {0, 0, 0, 0, 0},
    {88, -88, 0, 0, 0},
    {104, -104, 1, 2, 3}, /* exp(104) is infinite, exp(-104) is 0 */
    {1e-45f, -1e-45f, 0, 1e-38f, 0},
    {1e18f, -1e18f, 1e18f, 0, 1},
    {1e38f, -1e38f, 0, 0, 0},
    {HUGE_LOGIT, -HUGE_LOGIT, 0, 0, 0}, /* their difference is infinite */
    {-HUGE_LOGIT, -HUGE_LOGIT, -HUGE_LOGIT, -HUGE_LOGIT, -HUGE_LOGIT},
};

typedef struct outcome {
    double loss, y[CLASSES], dx[CLASSES];
} outcome;

/* The formulas of the losses' files, in double. */
static outcome expected_outcome(const mg_layer *l, const float *x, int label)
{
    outcome o = {0};
    const bool xent = l->kind == MG_LAYER_SOFTMAX_XENT;
    const double s = xent ? l->args.softmax_xent.smoothing : 0;
    double largest = x[0], sum = 0;
    for (int k = 0; k < CLASSES; k++) largest = fmax(largest, x[k]);
    for (int k = 0; k < CLASSES; k++) sum += xent ? exp(x[k] - largest) : fmax(x[k], 0);
    if (xent) o.loss = log(sum);
    for (int k = 0; k < CLASSES; k++) {
        const double target = (1 - s) * (k == label) + s / CLASSES;
        o.y[k] = xent ? exp(x[k] - largest) / sum : sum == 0 ? 1.0 / CLASSES : fmax(x[k], 0) / sum;
        o.loss += xent ? target * (largest - x[k]) : pow(x[k] - target, 2) / CLASSES;
        o.dx[k] = xent ? o.y[k] - target : 2 * (x[k] - target) / CLASSES;
    }
    return o;
}

/* One row through the loss, as the only one of a batch. */
static outcome run_loss(const mg_layer *l, const float *x, int label)
{
    const mg_layer_ops *ops = backend->ops->layers[l->kind];
    const mg_step_state state = {.batch = 1, .count = 1};
    const uint8_t label_byte = (uint8_t)label;
    const mg_feed feed = {.state = to_device(&state, sizeof state),
                          .batch_labels = to_device(&label_byte, 1),
                          .stats = to_device(NULL, sizeof(mg_step_stat))};
    const size_t bytes = CLASSES * sizeof(float);
    mg_op op = {.layer = l,
                .backend = backend,
                .feed = &feed,
                .batch = 1,
                .training = true,
                .x = to_device(x, bytes),
                .y = to_device(NULL, bytes),
                .dx = to_device(NULL, bytes)};
    if (ops->prepare) assert_ok(ops->prepare(&op));
    assert_ok(ops->forward(&op));
    assert_ok(ops->backward(&op));
    float *y = to_host(op.y, bytes), *dx = to_host(op.dx, bytes);
    mg_step_stat *stat = to_host(feed.stats, sizeof *stat);
    outcome o = {.loss = stat->loss};
    for (int k = 0; k < CLASSES; k++) {
        o.y[k] = y[k];
        o.dx[k] = dx[k];
    }
    if (ops->release) ops->release(&op);
    void *const all[] = {
        (void *)feed.state, feed.batch_labels, feed.stats, (void *)op.x, op.y, op.dx};
    for (int i = 0; i < MG_COUNT_OF(all); i++) backend->ops->release(backend, all[i]);
    free(y);
    free(dx);
    free(stat);
    return o;
}

static void assert_near(const char *what, const char *loss, int row, double found, double expected)
{
    if (!(fabs(found - expected) <= 1e-6 + 1e-5 * fabs(expected)))
        fail_msg("%s, row %d: %s is %g, expected %g", loss, row, what, found, expected);
}

/* A loss beyond float's range is infinite, and so is one of squares that are; all else is finite
 * and right. */
static void losses_of_extreme_outputs(void **unused)
{
    (void)unused;
    static const char *const lines[] = {"softmax_xent", "softmax_xent smoothing=0.1", "mse"};
    char text[80];
    for (int i = 0; i < MG_COUNT_OF(lines); i++) {
        snprintf(text, sizeof text, "input 1x1x1\ndense out=5\n%s\n", lines[i]);
        mg_model *m = parse_model(text);
        const mg_layer *l = &m->layers[2];
        for (int row = 0; row < MG_COUNT_OF(logits); row++)
            for (int label = 0; label < 2; label++) {
                const outcome found = run_loss(l, logits[row], label);
                const outcome expected = expected_outcome(l, logits[row], label);
                const double limit = l->kind == MG_LAYER_MSE ? FLT_MAX / CLASSES : FLT_MAX;
                if (expected.loss > limit)
                    assert_true(isinf(found.loss) && found.loss > 0);
                else
                    assert_near("the loss", lines[i], row, found.loss, expected.loss);
                for (int k = 0; k < CLASSES; k++) {
                    assert_near("y", lines[i], row, found.y[k], expected.y[k]);
                    assert_near("dx", lines[i], row, found.dx[k], expected.dx[k]);
                }
            }
        mg_model_free(m);
    }
}

/* What is not a number already stays visible: no loss is made up for it. */
static void losses_of_no_numbers(void **unused)
{
    (void)unused;
    static const float rows[][CLASSES] = {{NAN, 0, 0, 0, 0},
                                          {0, NAN, 0, 0, 0},
                                          {0, 0, 0, 0, NAN},
                                          {INFINITY, 0, 0, 0, 0},
                                          {NAN, NAN, NAN, NAN, NAN}};
    static const char *const texts[] = {"input 1x1x1\ndense out=5\nsoftmax_xent\n",
                                        "input 1x1x1\ndense out=5\nmse\n"};
    for (int i = 0; i < MG_COUNT_OF(texts); i++) {
        mg_model *m = parse_model(texts[i]);
        for (int row = 0; row < MG_COUNT_OF(rows); row++)
            for (int label = 0; label < 2; label++)
                if (isfinite(run_loss(&m->layers[2], rows[row], label).loss))
                    fail_msg("loss %d, row %d: the loss is finite", i, row);
        mg_model_free(m);
    }
}

/* ---- batchnorm ---- */

/* Images of one tone have no variance: y is the bias, and nothing of the step is infinite. */
static void batchnorm_without_variance(void **unused)
{
    (void)unused;
    static const int tones[] = {0, 1, 255}, batches[] = {1, 4};
    static const char *const texts[] = {
        "input 1x3x3\nbatchnorm\ndense out=5\nsoftmax_xent\n",
        "input 1x1x1\nbatchnorm\ndense out=5\nsoftmax_xent\n" /* a batch of one: a single value */};
    for (int i = 0; i < MG_COUNT_OF(texts) * MG_COUNT_OF(tones) * MG_COUNT_OF(batches); i++) {
        const int batch = batches[i % 2], tone = tones[i / 2 % 3];
        mg_model *m = parse_model(texts[i / 6]);
        mg_dataset set = make_images((uint32_t)batch, m->layers[0].out, CLASSES);
        const size_t size = mg_shape_size(m->layers[0].out) * (size_t)batch;
        memset(set.pixels, tone, size);
        rig r = make_rig(m, &set, batch, NULL, &adam, true);
        const mg_tensor *bias = &m->layers[1].tensors[1], *var = &m->layers[1].tensors[3];
        float *before = rig_params(&r);
        assert_ok(mg__pass_run(r.pass, 1));
        assert_ok(mg__trace_step(r.pass));
        float *y = to_host(r.pass->ops[1].y, size * sizeof *y), *after = rig_params(&r);
        for (size_t k = 0; k < size; k++) assert_true(fabsf(y[k] - before[bias->offset]) <= 1e-4f);
        assert_true(fabsf(after[var->offset] - (size > 1 ? 0.9f : 1)) <= 1e-6f);
        free(y);
        free(before);
        free(after);
        free_rig(&r);
        free_images(&set);
        mg_model_free(m);
    }
}

/* ---- optimizers ---- */

enum { LENGTH = 64, UPDATES = 3 };
#define RATE 0.01f

static const mg_optimizer_spec specs[] = {
    {MG_OPTIMIZER_ADAM, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f},
    {MG_OPTIMIZER_ADAMW, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f, .weight_decay = 0.1f},
    {MG_OPTIMIZER_RMSPROP, .rho = 0.9f, .eps = 1e-7f},
    {.kind = MG_OPTIMIZER_SGD},
};

/* Updates weights of 0 with the same gradients again and again; malloc'd. */
static float *update(const mg_optimizer_spec *spec, const float *gradients)
{
    static const float rates[UPDATES] = {RATE, RATE, RATE};
    const mg_step_state start = {.batch = 1, .count = UPDATES};
    mg_update u = {
        .spec = *spec,
        .length = LENGTH,
        .w = to_device(NULL, LENGTH * sizeof(float)),
        .dw = to_device(gradients, LENGTH * sizeof(float)),
        .slots = {to_device(NULL, LENGTH * sizeof(float)), to_device(NULL, LENGTH * sizeof(float))},
        .lr = to_device(rates, sizeof rates),
        .clip = spec->clip_norm > 0 ? to_device(NULL, (1 + MG_CLIP_PARTS) * sizeof(float)) : NULL,
        .state = to_device(&start, sizeof start)};
    for (int i = 0; i < UPDATES; i++) {
        if (u.clip) assert_ok(backend->ops->clip_norm(backend, &u));
        assert_ok(backend->ops->optimizer_step(backend, &u));
        assert_ok(backend->ops->advance(backend, (mg_step_state *)u.state, true));
    }
    float *w = to_host(u.w, LENGTH * sizeof *w);
    void *const all[] = {u.w,          (void *)u.dw, u.slots[0],     u.slots[1],
                         (void *)u.lr, u.clip,       (void *)u.state};
    for (int i = 0; i < MG_COUNT_OF(all); i++) backend->ops->release(backend, all[i]);
    return w;
}

static void updates_by_extreme_gradients(void **unused)
{
    (void)unused;
    static const float gradients[LENGTH] = {0,    -0.0f,  1e-45f, -1e-38f, 1e-30f, 1e-3f, -1,
                                            1e9f, -1e18f, 1e21f,  -1e30f,  3e38f,  -3e38f};
    for (int s = 0; s < MG_COUNT_OF(specs); s++) {
        const bool adaptive = specs[s].kind != MG_OPTIMIZER_SGD;
        float *w = update(&specs[s], gradients);
        for (int i = 0; i < LENGTH; i++) {
            const float g = gradients[i], size = fabsf(g);
            bool right = isfinite(w[i]);
            if (g == 0 || (adaptive && size > 1e20f)) /* whose squares are infinite */
                right = w[i] == 0;
            else if (adaptive && size < 1e-20f) /* whose squares are 0 */
                right = right && fabsf(w[i]) <= 1e-12f;
            else if (adaptive) /* each step about the rate, or a little more in RMSprop's first */
                right = w[i] * g < 0 && fabsf(w[i]) >= 2.9f * RATE && fabsf(w[i]) <= 8 * RATE;
            else
                right = fabs(w[i] + UPDATES * RATE * (double)g) <= 1e-5 * size + FLT_MIN;
            if (!right)
                fail_msg("%s, gradient %g: weight %g", mg_optimizer_names[specs[s].kind], (double)g,
                         (double)w[i]);
        }
        free(w);
    }
}

/* Gradients whose squares are beyond float's range, or below it, are clipped by their norm too. */
static void clips_extreme_gradients(void **unused)
{
    (void)unused;
    static const struct {
        float gradient, step; /* of two weights; what one step then does to each */
    } cases[] = {{3e37f, 0.70710678f}, {-1e25f, -0.70710678f}, {1e-30f, 1e-30f}, {0, 0}};
    const mg_optimizer_spec spec = {.kind = MG_OPTIMIZER_SGD, .clip_norm = 1};
    for (int i = 0; i < MG_COUNT_OF(cases); i++) {
        const float gradients[LENGTH] = {cases[i].gradient, [LENGTH - 1] = cases[i].gradient};
        const double expected = -UPDATES * (double)RATE * cases[i].step;
        float *w = update(&spec, gradients);
        for (int k = 0; k < LENGTH; k += LENGTH - 1)
            if (!(fabs(w[k] - expected) <= 1e-5 * fabs(expected)))
                fail_msg("gradient %g: weight %g, expected %g", (double)cases[i].gradient,
                         (double)w[k], expected);
        free(w);
    }
}

/* ---- where numbers went wrong ---- */

static void fill(float *arena, const char *tensor, float value)
{
    for (int i = 0; i < mg__model_tensor_count(model); i++) {
        const mg_tensor *t = mg__model_tensor(model, i);
        if (strcmp(t->name, tensor)) continue;
        for (size_t k = 0; k < t->count; k++) arena[t->offset + k] = value;
        return;
    }
    fail_msg("no tensor %s", tensor);
}

#define CONV  "input 1x9x8\nconv out=3 kernel=3\nrelu\n"
#define DENSE "dense out=5\nsoftmax_xent\n"

static void first_number_is_named(void **unused)
{
    (void)unused;
    static const struct {
        const char *text, *optimizer;
        double lr;
        const char *tensor;
        float w, slot; /* what it is filled with; the slot if not 0 */
        const char *other;
        float other_w;
        const char *place, *message;
    } cases[] = {
        {CONV DENSE, "sgd", 0.01, "conv1.weight", 3e38f, 0, NULL, 0, "the output of ",
         "the largest weight before it is 3e+38"},
        {CONV DENSE, "sgd", 0.01, "dense1.bias", 3e38f, 0, "dense1.weight", 3e38f,
         "the output of dense1, value 0 of image 0 of the batch, is inf", "step 1: "},
        {CONV DENSE, "sgd", 10, "conv1.bias", 0, 3.2e38f, NULL, 0,
         "the weights: tensor \"conv1.bias\": value 0 is not finite (inf)", "step 1: "},
        {CONV DENSE, "sgd", 1e-5, "conv1.bias", 0, -3.4e38f, "dense1.weight", 1e-4f,
         "the output of ", "step 3: "},
        {CONV "dense out=5\nmse\n", "rmsprop", 0.01, "conv1.weight", 1e23f, 0, "dense1.weight",
         1e-8f,
         "tensor \"dense1.weight\": value 0 is not finite (inf)" /* its gradient, unless fused */,
         "step 1: "},
        {CONV "dense out=5\nmse\n", "rmsprop", 0.01, "conv1.weight", 1e15f, 0, "dense1.weight",
         1e-8f, "the optimizer's state: tensor \"dense1.weight\": value 0 is not finite (inf)",
         "step 1: "},
    };
    mg_model *const usual = model;
    for (int i = 0; i < MG_COUNT_OF(cases); i++) {
        mg_train_options o = few_epochs(cases[i].optimizer);
        model = parse_model(cases[i].text);
        o.lr = cases[i].lr;
        o.epochs = 1;
        mg_trainer *trainer = make_trainer(&o, NULL);
        mg_train_state *state = save(trainer), *end = NULL;
        fill(state->params, cases[i].tensor, cases[i].w);
        if (cases[i].slot != 0) fill(state->slots[0], cases[i].tensor, cases[i].slot);
        if (cases[i].other) fill(state->params, cases[i].other, cases[i].other_w);
        assert_ok(mg_trainer_check_state(trainer, state));
        assert_ok(mg_trainer_restore(trainer, state));
        mg_status st = mg_trainer_run(trainer, NULL); /* or it is seen in what would be saved */
        if (st == MG_OK) {
            end = save(trainer);
            st = mg_trainer_check_state(trainer, end);
        }
        assert_int_equal(st, MG_ERR_NUMERIC);
        st = mg_trainer_trace(trainer, state);
        print_message("%s\n", mg_last_error());
        assert_failure(st, MG_ERR_NUMERIC, cases[i].place);
        assert_failure(st, MG_ERR_NUMERIC, cases[i].message);
        mg_train_state_free(state);
        mg_train_state_free(end);
        mg_trainer_free(trainer);
        mg_model_free(model);
    }
    model = usual;
}

/* A training that nothing is wrong with is repeated to where it was. */
static void nothing_is_found_in_a_good_training(void **unused)
{
    (void)unused;
    mg_train_options options = few_epochs("adam");
    options.max_steps = STEPS + 3;
    mg_trainer *trainer = make_trainer(&options, &val);
    mg_train_options first = options;
    first.max_steps = STEPS;
    mg_train_state *from = train_through(&first), *before, *after;
    assert_ok(mg_trainer_run(trainer, NULL));
    before = save(trainer);
    assert_ok(mg_trainer_trace(trainer, from));
    after = save(trainer);
    assert_same_state(after, before);
    mg_train_state_free(from);
    mg_train_state_free(before);
    mg_train_state_free(after);
    mg_trainer_free(trainer);
}

/* Statistics that training does not look at, but validation does. */
static void validation_loss_that_is_no_number(void **unused)
{
    (void)unused;
    const mg_train_options options = few_epochs("sgd");
    mg_trainer *trainer = make_trainer(&options, &val);
    mg_train_state *state = save(trainer);
    fill(state->params, "batchnorm1.running_mean", 3e38f);
    fill(state->params, "batchnorm1.running_var", 0);
    assert_ok(mg_trainer_restore(trainer, state));
    assert_failure(mg_trainer_run(trainer, NULL), MG_ERR_NUMERIC,
                   "epoch 1: the loss of the validation images is not finite");
    mg_train_state_free(state);
    mg_trainer_free(trainer);
}

/* A state with a number that is not finite is not one to save. */
static void bad_states_are_named(void **unused)
{
    (void)unused;
    const mg_train_options options = few_epochs("adam");
    mg_trainer *trainer = make_trainer(&options, NULL);
    mg_train_state *state = save(trainer);
    float *const arenas[] = {state->params, state->slots[0], state->slots[1]};
    for (int i = 0; i < MG_COUNT_OF(arenas); i++) {
        float *const value = &arenas[i][model->layers[1].tensors[0].offset + 4], good = *value;
        *value = i ? INFINITY : NAN;
        assert_failure(
            mg_trainer_check_state(trainer, state), MG_ERR_NUMERIC,
            i ? "after step 0: the optimizer's state: tensor \"conv1.weight\": value 4 is "
                "not finite (inf)"
              : "after step 0: the weights: tensor \"conv1.weight\": value 4 is not "
                "finite (nan)");
        *value = good;
    }
    assert_ok(mg_trainer_check_state(trainer, state));
    mg_train_state_free(state);
    mg_trainer_free(trainer);
}

int main(int argc, char **argv)
{
    int status;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_of_extreme_outputs),
        cmocka_unit_test(losses_of_no_numbers),
        cmocka_unit_test(batchnorm_without_variance),
        cmocka_unit_test(updates_by_extreme_gradients),
        cmocka_unit_test(clips_extreme_gradients),
        cmocka_unit_test(first_number_is_named),
        cmocka_unit_test(nothing_is_found_in_a_good_training),
        cmocka_unit_test(validation_loss_that_is_no_number),
        cmocka_unit_test(bad_states_are_named),
    };
    /* steps this small only get slower with more threads */
    if (!open_backend(argc, argv, 1, &status)) return status;
    status = cmocka_run_group_tests(tests, make_all, free_all);
    mg_backend_close(backend);
    return status;
}
