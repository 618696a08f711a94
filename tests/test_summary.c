/* What a model costs, against what a training pass really allocates and does. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "model/cost.h"
#include "train/pass.h"
#include <stdlib.h>
#include <string.h>

static mg_model *load(const char *preset)
{
    mg_model *model = NULL;
    if (mg_model_load(&model, preset) != MG_OK) fail_msg("%s", mg_last_error());
    return model;
}

/* Counted by hand: 2 filters of 3x3 over 5x5, then 3 outputs from 18 inputs. */
static void costs_of_a_small_net(void **unused)
{
    (void)unused;
    mg_model *model = NULL;
    assert_int_equal(mg_model_parse(&model,
                                    "input 1x5x5\nconv out=2 kernel=3\nrelu\ndense out=3\n"
                                    "softmax_xent\n",
                                    "small"),
                     MG_OK);
    static const mg_cost expected[] = {
        {0, 0, 0, 0, 0, 0, 512, 512},              /* 25 x 4 floats: room for 128 */
        {20, 324, 2592, 512, 512, 1024, 512, 512}, /* 9 taps at 18 places; dw but no dx */
        {0, 0, 0, 0, 0, 0, 512, 512},
        {57, 108, 1296, 512, 512, 1024, 256, 256},
        {0, 0, 0, 0, 0, 0, 256, 256},
    };
    mg_cost sum = {0};
    for (int i = 0; i < MG_COUNT_OF(expected); i++) {
        const mg_cost c = mg__layer_cost(model, i, 4, 2);
        assert_memory_equal(&c, &expected[i], sizeof c);
        sum.params += c.params;
        sum.step_flops += c.step_flops;
    }
    assert_int_equal(mg__model_cost(model, 4, 2).params, sum.params);
    assert_int_equal(mg__model_cost(model, 4, 2).step_flops, sum.step_flops);
    mg_model_free(model);
}

/* ---- against a pass ---- */

static mg_status (*backend_alloc)(mg_backend *be, void **out, size_t bytes);
static uint64_t allocated;

static mg_status counting_alloc(mg_backend *be, void **out, size_t bytes)
{
    allocated += bytes;
    return backend_alloc(be, out, bytes);
}

static void check_pass(const mg_model *model, int batch, mg_optimizer_kind kind)
{
    const mg_optimizer_spec optimizer = {.kind = kind};
    const mg_feed no_data = {0};
    mg_backend *backend = NULL;
    mg_net *net = NULL;
    mg_pass *pass = NULL;
    uint64_t flops = 0;
    assert_int_equal(mg__ref_open(&backend), MG_OK);
    mg_backend_ops counting = *backend->ops;
    backend_alloc = counting.alloc;
    counting.alloc = counting_alloc;
    backend->ops = &counting;
    allocated = 0;
    assert_int_equal(mg__net_create(&net, backend, model), MG_OK);
    assert_int_equal(mg__pass_create(&pass, net, batch, &no_data, &optimizer, false), MG_OK);
    const mg_cost c = mg__model_cost(model, batch, mg__optimizer_slots(kind));
    assert_int_equal(mg__cost_bytes(&c) + (uint64_t)batch, allocated); /* and the batch's labels */
    for (int i = 0; i < pass->stage_count; i++) flops += mg__stage_flops(pass, &pass->plan[i]);
    assert_int_equal(c.step_flops, flops);
    assert_int_equal(c.params, mg_model_param_count(model));
    mg__pass_free(pass);
    mg__net_free(net);
    mg_backend_close(backend);
}

static void costs_of_the_presets(void **unused)
{
    (void)unused;
    static const int batches[] = {1, 7, 32};
    for (int i = 0; mg_model_preset(i); i++) {
        mg_model *model = load(mg_model_preset(i)->name);
        for (int b = 0; b < MG_COUNT_OF(batches); b++)
            for (int kind = 0; kind < MG_OPTIMIZER_COUNT; kind++)
                check_pass(model, batches[b], (mg_optimizer_kind)kind);
        mg_model_free(model);
    }
}

static void tables(void **unused)
{
    (void)unused;
    char *text = NULL;
    mg_model *model = load("lenet5");
    assert_int_equal(mg__cost_table(&text, model, 32, "adam", 2), MG_OK);
    assert_non_null(strstr(text, "Training with adam, batches of 32\n"));
    assert_non_null(strstr(
        text, "conv1                   15,052,800    1.02 kB    1.02 kB    2.05 kB     1.20 MB\n"));
    assert_non_null(strstr(
        text, "relu4                            0          0          0          0     51.2 kB\n"));
    assert_non_null(strstr(text, "\nMemory: 10.9 MB, "));
    free(text);
    mg_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(costs_of_a_small_net),
        cmocka_unit_test(costs_of_the_presets),
        cmocka_unit_test(tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
