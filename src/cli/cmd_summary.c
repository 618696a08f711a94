/* mnist_gpu summary: a model's layers, what they cost, and the stages of its training step. */
#include "cli.h"
#include "device.h"
#include "model/cost.h"
#include "options.h"
#include "train/pass.h"
#include "term.h"
#include <stdio.h>
#include <stdlib.h>

typedef struct summary_args {
    const char *model, *weights, *device, *kernels, *optimizer;
    double clip_norm;
    int threads, batch;
    bool plan, json;
} summary_args;

static mg_status parse(summary_args *a, int argc, char **argv)
{
    int count;
    cli_option options[] = {
        CLI_OPT_TEXT("model", "PRESET|FILE", &a->model,
                     "a preset or a file of model text [lenet5]"),
        CLI_OPT_INT("batch", "N", &a->batch, 1, 65536, "images in a training step"),
        CLI_OPT_CHOICE("optimizer", mg_optimizer_names, &a->optimizer, "its state takes memory"),
        CLI_OPT_DOUBLE("clip-norm", "X", &a->clip_norm, 0, 1e30, CLI_CLOSED,
                       "of the plan: as in train, a stage of its own; 0 = none"),
        CLI_OPT_FLAG("plan", &a->plan, "also list the stages of the training step"),
        CLI_OPT_DEVICE(&a->device, "of the plan: "),
        CLI_OPT_THREADS(&a->threads, "of the plan: "),
        CLI_OPT_KERNELS(&a->kernels, "of the plan: "),
        CLI_OPT_FLAG("json", &a->json, "print JSON, sizes in bytes"),
    };
    const cli_syntax syntax = {
        .command = "summary",
        .arguments = "[RUN|WEIGHTS]",
        .max_args = 1,
        .about = "Shows the layers of a model with their output shapes, parameters, work and "
                 "memory: of a preset, of a file of model text, or of trained weights.",
        .options = options,
        .option_count = MG_COUNT_OF(options),
    };
    const mg_status st = cli_parse(&syntax, argc, argv, &count);
    if (st) return st;
    if (count && a->model)
        return mg__fail(MG_ERR_INVALID, "summary: give either --model or weights, not both");
    a->weights = count ? argv[0] : NULL;
    return MG_OK;
}

/* ---- the plan ---- */

/* The pass that training would run: made but never run, and so in no need of data. */
typedef struct planned {
    mg_backend *backend;
    mg_net *net;
    mg_pass *pass;
} planned;

static mg_status make_plan(planned *p, const mg_model *model, const summary_args *a,
                           const mg_optimizer_spec *optimizer)
{
    mg_status st;
    const mg_feed no_data = {0};
    MG_TRY(cli_open_device(&p->backend, a->device, a->threads, a->kernels));
    MG_TRY(mg__net_create(&p->net, p->backend, model));
    MG_TRY(mg__pass_create(&p->pass, p->net, a->batch, &no_data, optimizer, true));
out:
    return st;
}

static void free_plan(planned *p)
{
    mg__pass_free(p->pass);
    mg__net_free(p->net);
    mg_backend_close(p->backend);
}

static void print_plan(const planned *p)
{
    printf("\nTraining step on %s, batches of %d: %d stages\n", mg_backend_description(p->backend),
           p->pass->batch, p->pass->stage_count);
    for (int i = 0; i < p->pass->stage_count; i++)
        printf("%4d  %s\n", i + 1, p->pass->plan[i].name);
}

static json_t *plan_json(const planned *p)
{
    json_t *stages = json_array();
    for (int i = 0; i < p->pass->stage_count; i++)
        json_array_append_new(stages, json_string(p->pass->plan[i].name));
    return json_pack("{s:s, s:o}", "device", mg_backend_description(p->backend), "stages", stages);
}

/* ---- layers ---- */

static mg_status print_tables(const mg_model *model, const summary_args *a, int slots)
{
    char *layers = NULL, *costs = NULL;
    mg_status st;
    MG_TRY(mg_model_summary(&layers, model));
    MG_TRY(mg__cost_table(&costs, model, a->batch, a->optimizer, slots));
    term_write(layers);
    printf("\n%s", costs);
out:
    free(layers);
    free(costs);
    return st;
}

static json_t *cost_json(const mg_cost *c)
{
    return json_pack("{s:I, s:I, s:I, s:{s:I, s:I, s:I, s:I, s:I, s:I}}", "parameters",
                     (json_int_t)c->params, "forward_flops", (json_int_t)c->forward_flops,
                     "step_flops", (json_int_t)c->step_flops, "memory", "parameters",
                     (json_int_t)c->param_bytes, "gradients", (json_int_t)c->gradient_bytes,
                     "optimizer", (json_int_t)c->optimizer_bytes, "activations",
                     (json_int_t)c->output_bytes, "activation_gradients",
                     (json_int_t)c->delta_bytes, "total", (json_int_t)mg__cost_bytes(c));
}

static json_t *layer_json(const mg_model *model, int i, int batch, int slots)
{
    const mg_layer *l = &model->layers[i];
    const mg_cost c = mg__layer_cost(model, i, batch, slots);
    json_t *layer =
        json_pack("{s:s, s:s, s:[i,i,i]}", "name", l->name, "kind", mg_layer_types[l->kind]->name,
                  "output", l->out.c, l->out.h, l->out.w);
    json_t *costs = cost_json(&c);
    json_object_update(layer, costs);
    json_decref(costs);
    return layer;
}

/* plan: NULL where it was not asked for. */
static mg_status print_json(const mg_model *model, const summary_args *a, int slots,
                            const planned *plan)
{
    const mg_cost sum = mg__model_cost(model, a->batch, slots);
    json_t *layers = json_array();
    for (int i = 0; i < model->layer_count; i++)
        json_array_append_new(layers, layer_json(model, i, a->batch, slots));
    return cli_print_json(json_pack("{s:o, s:i, s:s, s:o, s:o, s:o*}", "model",
                                    cli_json_text(mg_model_name(model)), "batch", a->batch,
                                    "optimizer", a->optimizer, "layers", layers, "total",
                                    cost_json(&sum), "plan", plan ? plan_json(plan) : NULL));
}

/* ---- the command ---- */

static mg_status show(const mg_model *model, const summary_args *a)
{
    mg_status st;
    planned plan = {0};
    mg_optimizer_spec optimizer;
    mg_train_options options = mg_train_options_default();
    snprintf(options.optimizer, sizeof options.optimizer, "%s", a->optimizer);
    options.clip_norm = a->clip_norm;
    MG_TRY(mg__optimizer_read(&optimizer, &options));
    const int slots = mg__optimizer_slots(optimizer.kind);
    if (a->plan) MG_TRY(make_plan(&plan, model, a, &optimizer));
    if (a->json) {
        MG_TRY(print_json(model, a, slots, a->plan ? &plan : NULL));
    } else {
        MG_TRY(print_tables(model, a, slots));
        if (a->plan) print_plan(&plan);
    }
out:
    free_plan(&plan);
    return st;
}

mg_status cmd_summary(int argc, char **argv)
{
    mg_status st;
    cli_network network = {0};
    summary_args a = {.device = "auto", .kernels = "auto", .optimizer = "adam", .batch = 32};
    MG_TRY(parse(&a, argc, argv));
    if (a.weights)
        MG_TRY(cli_network_load(&network, a.weights, NULL));
    else
        MG_TRY(mg_model_load(&network.model, a.model ? a.model : "lenet5"));
    MG_TRY(show(network.model, &a));
    if (network.config.data && !a.json) term_print("\nTrained on: %s\n", network.config.data);
out:
    cli_network_free(&network);
    return st;
}
