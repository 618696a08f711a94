/* Dropout on a backend: which numbers are dropped, how many, when others are, and when none.
 * Usage: test_dropout cuda|cpu|ref */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "philox.h"
#include "rig.h"

/* 7 images of 3 x 13 x 11 = 3003 numbers: no multiple of 4, neither an image nor all of them. */
enum { BATCH = 7, COUNT = BATCH * 3 * 13 * 11 };
#define SEED 0x123456789abcdef0u
#define STEP 41

typedef struct layer_run {
    const char *rate;
    uint64_t seed;
    uint32_t step;
    int place; /* of the dropout layer in the model */
    bool evaluates;
} layer_run;

static const layer_run usual = {"0.25", SEED, STEP, 1, false};

/* A model whose layer `place` is the dropout layer, behind ReLUs. */
static mg_model *make_model(const layer_run *r)
{
    char text[200] = "input 3x13x11\n";
    for (int i = 1; i < r->place; i++) strcat(text, "relu\n");
    snprintf(text + strlen(text), 80, "dropout rate=%s\ndense out=2\nsoftmax_xent\n", r->rate);
    return parse_model(text);
}

/* What the layer makes of in, forward or backward; malloc'd. */
static float *run_layer(const layer_run *r, const float *in, bool backward)
{
    mg_model *model = make_model(r);
    const mg_step_state state = {
        .seed = r->seed, .step = r->step, .count = BATCH, .batch = BATCH, .slot = 3};
    mg_feed feed = {.state = to_device(&state, sizeof state)};
    float *device_in = to_device(in, COUNT * sizeof *in),
          *out = to_device(NULL, COUNT * sizeof *in);
    mg_op op = {.layer = &model->layers[r->place],
                .backend = backend,
                .feed = &feed,
                .batch = BATCH,
                .training = !r->evaluates,
                .x = device_in,
                .y = out,
                .dy = device_in,
                .dx = out};
    const mg_layer_ops *ops = backend->ops->layers[MG_LAYER_DROPOUT];
    if (ops->prepare) assert_ok(ops->prepare(&op));
    assert_ok((backward ? ops->backward : ops->forward)(&op));
    float *found = to_host(out, COUNT * sizeof *found);
    if (ops->release) ops->release(&op);
    backend->ops->release(backend, feed.state);
    backend->ops->release(backend, device_in);
    backend->ops->release(backend, out);
    mg_model_free(model);
    return found;
}

/* The factors: what ones become. */
static float *run_ones(const layer_run *r, bool backward)
{
    float ones[COUNT];
    for (int i = 0; i < COUNT; i++) ones[i] = 1;
    return run_layer(r, ones, backward);
}

/* ---- the tests ---- */

static void masks_are_philox_words(void **unused)
{
    (void)unused;
    float *y = run_ones(&usual, false);
    for (uint32_t i = 0; i < COUNT; i++) {
        const uint32_t tag = 0x64726f70u; /* "drop" */
        const mg_philox words = mg__philox(SEED, i / 4, STEP, 1u << 16, tag);
        const float expected = words.v[i % 4] < 0x40000000u ? 0 : 1 / 0.75f;
        if (y[i] != expected) fail_msg("y[%u] = %.9g, expected %.9g", i, y[i], expected);
    }
    free(y);
}

static void the_rate_is_dropped_and_the_rest_scaled(void **unused)
{
    (void)unused;
    static const char *const rates[] = {"0", "0.1", "0.25", "0.5", "0.9", "0.999"};
    for (int i = 0; i < MG_COUNT_OF(rates); i++) {
        const layer_run r = {rates[i], SEED, STEP, 1, false};
        const double rate = strtod(rates[i], NULL), kept = 1 / (1 - rate);
        float *y = run_ones(&r, false);
        int dropped = 0;
        for (int k = 0; k < COUNT; k++) {
            dropped += y[k] == 0;
            assert_true(y[k] == 0 || y[k] == (float)kept);
        }
        /* The share's standard deviation, four times. */
        const double share = (double)dropped / COUNT, allowed = 4 * sqrt(rate * (1 - rate) / COUNT);
        if (!(fabs(share - rate) <= allowed))
            fail_msg("rate=%s: %g of the numbers were dropped", rates[i], share);
        free(y);
    }
}

static void backward_draws_the_same_mask(void **unused)
{
    (void)unused;
    float *y = run_ones(&usual, false), *dx = run_ones(&usual, true);
    assert_memory_equal(dx, y, COUNT * sizeof *y);
    free(y);
    free(dx);
}

/* Two masks that have nothing to do with each other agree in rate^2 + (1 - rate)^2 of the numbers.
 */
static void assert_unrelated(const char *what, const float *l, const float *r)
{
    const double rate = 0.25, expected = rate * rate + (1 - rate) * (1 - rate);
    int agree = 0;
    for (int i = 0; i < COUNT; i++) agree += (l[i] == 0) == (r[i] == 0);
    const double share = (double)agree / COUNT;
    if (!(fabs(share - expected) <= 4 * sqrt(expected * (1 - expected) / COUNT)))
        fail_msg("%s: masks agree in %g of the numbers, expected %g", what, share, expected);
}

static void steps_layers_and_seeds_have_masks_of_their_own(void **unused)
{
    (void)unused;
    static const struct {
        const char *what;
        layer_run run;
    } others[] = {
        {"the next step", {"0.25", SEED, STEP + 1, 1, false}},
        {"another layer", {"0.25", SEED, STEP, 2, false}},
        {"the third layer in the next step", {"0.25", SEED, STEP + 1, 3, false}},
        {"another seed", {"0.25", SEED + 1, STEP, 1, false}},
        {"another seed's upper half", {"0.25", SEED + ((uint64_t)1 << 32), STEP, 1, false}},
    };
    float *y = run_ones(&usual, false), *again = run_ones(&usual, false);
    assert_memory_equal(again, y, COUNT * sizeof *y);
    for (int i = 0; i < MG_COUNT_OF(others); i++) {
        float *other = run_ones(&others[i].run, false);
        assert_unrelated(others[i].what, other, y);
        free(other);
    }
    free(y);
    free(again);
}

static void nothing_is_dropped_in_evaluation(void **unused)
{
    (void)unused;
    layer_run r = usual;
    float x[COUNT];
    r.evaluates = true;
    for (uint32_t i = 0; i < COUNT; i++) x[i] = (float)mixed(1, i) * 0x1p-31f - 1;
    x[5] = NAN;
    float *y = run_layer(&r, x, false);
    assert_memory_equal(y, x, sizeof x);
    free(y);
}

/* Dropped or not: the loss is to show it. */
static void nans_stay(void **unused)
{
    (void)unused;
    float nans[COUNT];
    for (int i = 0; i < COUNT; i++) nans[i] = NAN;
    float *y = run_layer(&usual, nans, false);
    for (int i = 0; i < COUNT; i++) assert_true(isnan(y[i]));
    free(y);
}

int main(int argc, char **argv)
{
    int status;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks_are_philox_words),
        cmocka_unit_test(the_rate_is_dropped_and_the_rest_scaled),
        cmocka_unit_test(backward_draws_the_same_mask),
        cmocka_unit_test(steps_layers_and_seeds_have_masks_of_their_own),
        cmocka_unit_test(nothing_is_dropped_in_evaluation),
        cmocka_unit_test(nans_stay),
    };
    if (!open_backend(argc, argv, 2, &status)) return status;
    status = cmocka_run_group_tests(tests, NULL, NULL);
    mg_backend_close(backend);
    return status;
}
