/* The suite of src/check on one backend, and the suite itself on backends that are wrong.
 * Usage: test_layers cuda|cpu|ref */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "check/check.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *device_name;

/* ---- the suite ---- */

typedef struct tally {
    const mg_check_options *options;
    int passed, failed;
    mg_check_record first_failure;
} tally;

static void count(void *user, const mg_check_record *r)
{
    tally *t = user;
    if (r->passed) {
        t->passed++;
        return;
    }
    if (t->failed++ == 0) t->first_failure = *r;
}

static void show_and_count(void *user, const mg_check_record *r)
{
    tally *t = user;
    char command[640];
    count(user, r);
    if (r->passed || t->failed > 20) return;
    mg__check_command(command, sizeof command, r, t->options);
    if (*r->problem)
        print_error("%s: %s\n  %s\n", r->name, r->problem, command);
    else
        print_error("%s: %s[%zu]: found %.9g, expected %.9g, tolerance %.3g\n  %s\n", r->name,
                    r->tensor, r->worst, r->found, r->expected, r->tolerance, command);
}

static tally run_suite(mg_backend *device, const mg_check_options *options,
                       mg_check_report_fn *report)
{
    mg_backend *reference = NULL;
    tally t = {.options = options};
    if (mg_backend_open(&reference, "ref", 0)) fail_msg("%s", mg_last_error());
    if (mg__check_run(device, reference, options, report, &t)) fail_msg("%s", mg_last_error());
    mg_backend_close(reference);
    return t;
}

/* On the stand-in for a GPU, where a kernel's every thread is run in turn, there is less of what
 * takes long: fewer random nets, no repetition of large trainings. Fewer nets under
 * AddressSanitizer too. MG_LONG_TESTS is for more of them everywhere. */
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED true
#else
#define SANITIZED false
#endif
static void whole_suite(void **state)
{
    mg_backend *device = *state;
    const bool standin = strstr(mg_backend_description(device), "stand-in");
    const int nets = (standin || SANITIZED ? 8 : 40) * (MG_LONG_TESTS ? 5 : 1);
    const mg_check_options options = {
        .seed = 1, .random_nets = nets, .brief = standin, .device = device_name};
    const tally t = run_suite(device, &options, show_and_count);
    print_message("%d passed, %d failed\n", t.passed, t.failed);
    assert_int_equal(t.failed, 0);
    assert_true(t.passed > 100);
}

/* ---- the suite on backends that are wrong: `ref` with a fault ---- */

static const mg_backend_ops *right;
static const struct fault {
    const char *what, *only;
    mg_layer_kind kind;
    bool backward;
    void (*spoil)(mg_op *op);     /* called after the layer's own function */
    const char *tensor, *problem; /* what the first failure has to name */
} * fault;

static size_t in_size(const mg_op *op) { return mg_shape_size(op->layer->in) * (size_t)op->batch; }
static size_t out_size(const mg_op *op)
{
    return mg_shape_size(op->layer->out) * (size_t)op->batch;
}

static float one_off(float value) { return nextafterf(value, INFINITY); }

static void last_output_off(mg_op *op)
{
    op->y[out_size(op) - 1] = one_off(op->y[out_size(op) - 1]);
}
static void one_weight_off(mg_op *op) { op->dw[0] = one_off(op->dw[0]); }
static void bias_off(mg_op *op) { op->db[op->layer->tensors[1].count - 1] += 1; }
static void nan_output(mg_op *op) { op->y[out_size(op) / 2] = NAN; }
static void write_after(mg_op *op) { op->y[out_size(op)] = 0; }
static void write_before(mg_op *op) { op->dx[-1] = 0; }
static void leave_unwritten(mg_op *op) { memset(&op->dx[in_size(op) - 1], 0xff, sizeof *op->dx); }
static void write_input(mg_op *op) { ((float *)op->x)[0] += 1; }
static void second_of_equals(mg_op *op) /* moves a gradient to the next pixel */
{
    size_t i = 0;
    while (i + 2 < in_size(op) && op->dx[i] == 0) i++;
    op->dx[i + 1] += op->dx[i];
    op->dx[i] = 0;
}
static void gradient_off(mg_op *op) { op->dx[0] += 1; }
static void hide_nan(mg_op *op)
{
    for (size_t i = 0; i < out_size(op); i++)
        if (isnan(op->y[i])) op->y[i] = 0;
}
static void drop_more(mg_op *op)
{
    size_t i = 0;
    while (op->y[i] == 0) i++;
    op->y[i] = 0;
}
static void count_invalid_rows(mg_op *op)
{
    mg_step_stat *stat = &op->feed->stats[op->feed->state->slot];
    if (mg_step_rows(op->feed->state) < (uint32_t)op->batch) stat->loss *= 1.01f;
}
static void gradient_of_invalid_rows(mg_op *op)
{
    if (mg_step_rows(op->feed->state) < (uint32_t)op->batch) op->dx[in_size(op) - 1] = 0.01f;
}
static void biased_variance(mg_op *op) /* as N in place of N - 1 makes it */
{
    op->running_var[0] *= 1 - 1.0f / (float)in_size(op);
}
static void running_in_evaluation(mg_op *op)
{
    if (!op->training) op->running_mean[0] += 1;
}
static void batch_in_evaluation(mg_op *op) /* its statistics in place of the running ones */
{
    mg_op training = *op;
    float running[2 * 16] = {0};
    if (op->training) return;
    training.training = true;
    training.running_mean = running;
    training.running_var = running + 16;
    right->layers[MG_LAYER_BATCHNORM]->forward(&training);
}
static void wrong_slot(mg_op *op) { op->feed->stats[op->feed->state->slot + 1].correct = 0; }
static void wrong_label(mg_op *op) { op->feed->batch_labels[op->batch - 1] ^= 1; }
static void less_precise(mg_op *op) /* as after a detour through 16 bits */
{
    for (size_t i = 0; i < out_size(op); i++) op->y[i] *= 1 + 0x1p-11f;
}

static const struct fault faults[] = {
    {"the last output is an ulp off", "conv out=6 kernel=3 pad=same on 3x7x5 x7, integers",
     MG_LAYER_CONV, false, last_output_off, "y", ""},
    {"one weight's gradient is an ulp off", "dense out=47 *integers", MG_LAYER_DENSE, true,
     one_weight_off, "dw", ""},
    {"a bias gradient is off", "conv out=8 *reals", MG_LAYER_CONV, true, bias_off, "db", ""},
    {"one output is NaN", "dense out=47 *reals", MG_LAYER_DENSE, false, nan_output, "y", ""},
    {"a write past the end", "relu on 3x5x7*", MG_LAYER_RELU, false, write_after, "", "after"},
    {"a write before the beginning", "relu on 3x5x7*", MG_LAYER_RELU, true, write_before, "",
     "before"},
    {"an element is not written", "dense out=3 *reals", MG_LAYER_DENSE, true, leave_unwritten, "",
     "was not written"},
    {"an input is written", "maxpool size=3 on *", MG_LAYER_MAXPOOL, false, write_input, "",
     "this input"},
    {"max-pool's gradient goes elsewhere", "maxpool size=2 on 3x7x9 *", MG_LAYER_MAXPOOL, true,
     second_of_equals, "dx", ""},
    {"an average is imprecise", "avgpool size=3 on *reals", MG_LAYER_AVGPOOL, false, less_precise,
     "y", ""},
    {"an activation is imprecise", "sigmoid on 3x5x7 *reals", MG_LAYER_SIGMOID, false, less_precise,
     "y", ""},
    {"a number too many is dropped", "dropout on 3x5x7 *reals", MG_LAYER_DROPOUT, false, drop_more,
     "y", ""},
    {"dropout in evaluation", "dropout on 3x5x7 *evaluation", MG_LAYER_DROPOUT, false, drop_more,
     "y", ""},
    {"ReLU hides a NaN", "relu on 3x5x7 *", MG_LAYER_RELU, false, hide_nan, "y", ""},
    {"invalid rows are in the loss", "softmax_xent on 10x1x1 *", MG_LAYER_SOFTMAX_XENT, false,
     count_invalid_rows, "loss", ""},
    {"invalid rows have a gradient", "softmax_xent on 10x1x1 *", MG_LAYER_SOFTMAX_XENT, true,
     gradient_of_invalid_rows, "dx", ""},
    {"another slot is written", "softmax_xent on 10x1x1 *", MG_LAYER_SOFTMAX_XENT, false,
     wrong_slot, "the other slots of stats", ""},
    {"a label is wrong", "input 3x5x9 *", MG_LAYER_INPUT, false, wrong_label, "batch_labels", ""},
    {"sums as of 16-bit products", "conv out=3 *reals", MG_LAYER_CONV, false, less_precise, "y",
     ""},
    {"invalid rows are in mse", "mse on 10x1x1 *", MG_LAYER_MSE, false, count_invalid_rows, "loss",
     ""},
    {"smoothing's gradient is off", "softmax_xent smoothing=0.1 *", MG_LAYER_SOFTMAX_XENT, true,
     gradient_off, "dx", ""},
    {"batchnorm passes gradients to invalid rows", "batchnorm on 3x5x7 *", MG_LAYER_BATCHNORM, true,
     gradient_of_invalid_rows, "dx", ""},
    {"the running variance is biased", "batchnorm on 3x5x7 *", MG_LAYER_BATCHNORM, false,
     biased_variance, "running_var", ""},
    {"evaluation moves the running mean", "batchnorm on 3x5x7 *evaluation", MG_LAYER_BATCHNORM,
     false, running_in_evaluation, "", "this input"},
    {"evaluation normalises by the batch", "batchnorm on 3x5x7 *evaluation", MG_LAYER_BATCHNORM,
     false, batch_in_evaluation, "y", ""},
    /* in whole nets */
    {"a net's weight gradient is off", "1x9x9; *exact", MG_LAYER_CONV, true, bias_off,
     "conv1.bias gradient", ""},
    {"a net hides a NaN", "1x9x9; *NaN", MG_LAYER_MAXPOOL, false, hide_nan, "loss", ""},
    {"training on wrong gradients", "small dense*10 steps", MG_LAYER_DENSE, true, bias_off,
     "losses", ""},
};

static mg_status faulty(mg_op *op, bool backward)
{
    const mg_layer_kind kind = op->layer->kind;
    const mg_layer_ops *ops = right->layers[kind];
    const mg_status st = backward ? ops->backward(op) : ops->forward(op);
    if (fault && fault->kind == kind && fault->backward == backward) fault->spoil(op);
    return st;
}

static mg_status faulty_forward(mg_op *op) { return faulty(op, false); }
static mg_status faulty_backward(mg_op *op) { return faulty(op, true); }

/* A fused group that does what its layers do. */
static mg_status group_forward(mg_op *ops)
{
    mg_status st = MG_OK;
    for (int i = 0; i < 3 && !st; i++) st = right->layers[ops[i].layer->kind]->forward(&ops[i]);
    return st;
}

static bool group_wrong; /* its gradient, where it is used */
static mg_status group_backward(mg_op *ops)
{
    mg_status st = MG_OK;
    for (int i = 2; i >= 0 && !st; i--) st = right->layers[ops[i].layer->kind]->backward(&ops[i]);
    if (group_wrong) ops[0].dw[0] += 0.001f;
    return st;
}

static const mg_fused group = {.name = "conv+relu+maxpool",
                               .count = 3,
                               .kinds = {MG_LAYER_CONV, MG_LAYER_RELU, MG_LAYER_MAXPOOL},
                               .forward = group_forward,
                               .backward = group_backward};
static const mg_fused *const groups[] = {&group, NULL};

/* ---- faults beyond layers ---- */

static mg_status no_momentum(mg_backend *be, const mg_update *u)
{
    mg_update plain = *u;
    plain.spec.momentum = 0;
    return right->optimizer_step(be, &plain);
}

static mg_status no_decay(mg_backend *be, const mg_update *u)
{
    mg_update plain = *u;
    plain.spec.weight_decay = 0;
    return right->optimizer_step(be, &plain);
}

/* Of the first half of the gradients. */
static mg_status half_a_norm(mg_backend *be, const mg_update *u)
{
    mg_update half = *u;
    half.length /= 2;
    return right->clip_norm(be, &half);
}

static mg_status lose_a_step(mg_backend *be, mg_step_state *state, bool training)
{
    (void)training;
    return right->advance(be, state, false);
}

static mg_status repeat_less(mg_backend *be, mg_recording **rec, mg_enqueue_fn *fn, void *ctx,
                             int times)
{
    return right->repeat(be, rec, fn, ctx, times > 1 ? times - 1 : times);
}

/* Like a sum in whatever order threads happen to arrive. */
static mg_status restless(mg_backend *be, const mg_update *u)
{
    static unsigned calls;
    const mg_status st = right->optimizer_step(be, u);
    u->w[0] += 1e-5f * (float)++calls;
    return st;
}

static mg_backend_ops wrong;

static void expect_failure(mg_backend *device, const char *what, const char *only,
                           const char *tensor, const char *problem)
{
    const mg_check_options options = {
        .seed = 3, .random_nets = 0, .only = only, .device = "broken"};
    const tally t = run_suite(device, &options, count);
    if (!t.failed) fail_msg("%s: was not noticed in %d comparisons", what, t.passed);
    if (strcmp(t.first_failure.tensor, tensor) || !strstr(t.first_failure.problem, problem))
        fail_msg("%s: noticed as \"%s\" \"%s\"", what, t.first_failure.tensor,
                 t.first_failure.problem);
}

static void faults_of_layers(void **state)
{
    for (fault = faults; fault < faults + MG_COUNT_OF(faults); fault++)
        expect_failure(*state, fault->what, fault->only, fault->tensor, fault->problem);
    fault = NULL;
}

static void faults_beyond_layers(void **state)
{
    mg_backend *device = *state;
    const mg_backend_ops kept = wrong;
    wrong.optimizer_step = no_momentum;
    expect_failure(device, "no momentum", "sgd momentum=0.9 over 192 *", "w", "");
    wrong.optimizer_step = no_decay;
    expect_failure(device, "no decay", "adamw weight_decay=0.1 over 192 *", "w", "");
    wrong = kept;
    wrong.clip_norm = half_a_norm;
    expect_failure(device, "half a norm", "adamw * clip_norm=0.5 over 192 *", "clip", "");
    wrong = kept;
    wrong.optimizer_step = restless;
    expect_failure(device, "other bytes every time", "small dense*two runs", "losses", "");
    wrong = kept;
    wrong.advance = lose_a_step;
    expect_failure(device, "a step is not counted", "adam over 192 from step 0", "state", "");
    wrong = kept;
    wrong.repeat = repeat_less;
    expect_failure(device, "a step less than asked for", "small dense*single steps", "losses", "");
    wrong = kept;
    group_wrong = true;
    expect_failure(device, "a fused group is wrong", "1x28x28; conv out=6 *exact",
                   "conv1.weight gradient", "");
    group_wrong = false;
}

/* Differences notice a wrong derivative of `ref`, in any layer. */
static void faults_of_the_reference(void **state)
{
    static const struct fault in_ref[] = {
        {"", "conv out=6 *", MG_LAYER_CONV, true, one_weight_off, "dw", ""},
        {"", "dense out=10 *", MG_LAYER_DENSE, true, bias_off, "db", ""},
        {"", "maxpool size=2 on 3x7x9 *", MG_LAYER_MAXPOOL, true, gradient_off, "dx", ""},
        {"", "relu on 3x5x7 *", MG_LAYER_RELU, true, gradient_off, "dx", ""},
        {"", "softmax_xent on 3x1x1 *", MG_LAYER_SOFTMAX_XENT, true, gradient_off, "dx", ""},
        {"", "mse on 3x1x1 *", MG_LAYER_MSE, true, gradient_off, "dx", ""},
        {"", "batchnorm on 3x5x7 *", MG_LAYER_BATCHNORM, true, gradient_off, "dx", ""},
        {"", "leaky_relu on 3x5x7 *", MG_LAYER_LEAKY_RELU, true, gradient_off, "dx", ""},
        {"", "tanh on 3x5x7 *", MG_LAYER_TANH, true, gradient_off, "dx", ""},
        {"", "sigmoid on 3x5x7 *", MG_LAYER_SIGMOID, true, gradient_off, "dx", ""},
        {"", "avgpool size=3 on *", MG_LAYER_AVGPOOL, true, gradient_off, "dx", ""},
        {"", "dropout on 3x5x7 *", MG_LAYER_DROPOUT, true, gradient_off, "dx", ""},
    };
    wrong.name = "ref";
    for (fault = in_ref; fault < in_ref + MG_COUNT_OF(in_ref); fault++)
        expect_failure(*state, mg_layer_types[fault->kind]->name, fault->only, fault->tensor, "");
    fault = NULL;
    wrong.name = "broken";
}

/* And nothing is noticed where there is nothing. */
static void no_fault(void **state)
{
    const mg_check_options options = {
        .seed = 3, .random_nets = 5, .brief = true, .device = "broken"};
    const tally t = run_suite(*state, &options, show_and_count);
    assert_int_equal(t.failed, 0);
    assert_true(t.passed > 1000);
}

static int open_wrong(void **state)
{
    static mg_layer_ops layer_ops[MG_LAYER_COUNT];
    static const mg_layer_ops *layers[MG_LAYER_COUNT];
    mg_backend *device;
    if (mg_backend_open(&device, "ref", 0)) return -1;
    right = device->ops;
    wrong = *right;
    for (int kind = 0; kind < MG_LAYER_COUNT; kind++) {
        layer_ops[kind] = *right->layers[kind];
        layer_ops[kind].forward = faulty_forward;
        if (layer_ops[kind].backward) layer_ops[kind].backward = faulty_backward;
        layers[kind] = &layer_ops[kind];
    }
    wrong.name = "broken";
    wrong.layers = layers;
    wrong.fused = groups;
    device->ops = &wrong;
    *state = device;
    return 0;
}

static int close_wrong(void **state)
{
    mg_backend_close(*state);
    return 0;
}

/* A failure can be repeated: the command's --only finds that case alone. */
static void command_repeats_the_case(void **state)
{
    char command[640], only[500];
    const mg_check_options options = {.seed = 3, .only = "relu on 3x5x7 *", .device = "broken"};
    fault = &faults[4];
    const tally t = run_suite(*state, &options, count);
    mg__check_command(command, sizeof command, &t.first_failure, &options);
    assert_string_equal(command, "mnist_gpu check --device broken --seed 3 "
                                 "--only 'relu on 3x5x7 x7, integers'");
    snprintf(only, sizeof only, "%s", t.first_failure.name);
    const mg_check_options again = {.seed = 3, .only = only, .device = "broken"};
    assert_int_equal(run_suite(*state, &again, count).failed, 1);
    fault = NULL;
}

static int run_faults(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_fault),
        cmocka_unit_test(faults_of_layers),
        cmocka_unit_test(faults_beyond_layers),
        cmocka_unit_test(faults_of_the_reference),
        cmocka_unit_test(command_repeats_the_case),
    };
    return cmocka_run_group_tests_name("faults", tests, open_wrong, close_wrong);
}

int main(int argc, char **argv)
{
    mg_backend *device = NULL;
    if (argc != 2) {
        fprintf(stderr, "usage: %s BACKEND\n", argv[0]);
        return 2;
    }
    device_name = argv[1];
    const mg_status st = mg_backend_open(&device, device_name, 2);
    if (st == MG_ERR_DEVICE) {
        printf("skipped: %s\n", mg_last_error());
        return 77;
    }
    if (st) {
        fprintf(stderr, "%s\n", mg_last_error());
        return 1;
    }
    const struct CMUnitTest suite[] = {cmocka_unit_test_prestate(whole_suite, device)};
    int failures = cmocka_run_group_tests_name(device_name, suite, NULL, NULL);
    mg_backend_close(device);
    if (!strcmp(device_name, "ref")) failures += run_faults();
    return failures ? 1 : 0;
}
