/* mnist_gpu summary: a model's layers, or the stages of its training step. */
#include "cli.h"
#include "options.h"
#include "train/pass.h"
#include <stdio.h>
#include <stdlib.h>

/* The plan that training with Adam would run. The pass is made but never run, and so needs no data.
 */
static mg_status print_plan(const mg_model *model, const char *device, int threads, int batch)
{
    mg_status st;
    mg_backend *backend = NULL;
    mg_net *net = NULL;
    mg_pass *pass = NULL;
    const mg_feed no_data = {0};
    const mg_optimizer_spec adam = {.kind = MG_OPTIMIZER_ADAM};
    MG_TRY(mg_backend_open(&backend, device, threads));
    MG_TRY(mg__net_create(&net, backend, model));
    MG_TRY(mg__pass_create(&pass, net, batch, &no_data, &adam, true));
    printf("\nTraining step on %s, batches of %d: %d stages\n", mg_backend_description(backend),
           batch, pass->stage_count);
    for (int i = 0; i < pass->stage_count; i++) printf("%4d  %s\n", i + 1, pass->plan[i].name);
out:
    mg__pass_free(pass);
    mg__net_free(net);
    mg_backend_close(backend);
    return st;
}

static mg_status print_summary(const mg_model *model)
{
    char *text = NULL;
    const mg_status st = mg_model_summary(&text, model);
    if (!st) printf("%s", text);
    free(text);
    return st;
}

mg_status cmd_summary(int argc, char **argv)
{
    mg_status st;
    cli_network network = {0};
    const char *model = NULL, *device = "auto";
    bool plan = false;
    int threads = 0, batch = 32, count;
    cli_option options[] = {
        CLI_OPT_TEXT("model", "PRESET|FILE", &model, "a preset or a file of model text [lenet5]"),
        CLI_OPT_FLAG("plan", &plan, "also list the stages of the training step"),
        CLI_OPT_TEXT("device", "DEVICE", &device, "of the plan: auto, cuda[:N], cpu or ref"),
        CLI_OPT_INT("threads", "N", &threads, 0, 4096, "of the plan: CPU threads, 0 = all"),
        CLI_OPT_INT("batch", "N", &batch, 1, 65536, "of the plan: images in a step"),
    };
    const cli_syntax syntax = {
        .command = "summary",
        .arguments = "[RUN|WEIGHTS]",
        .max_args = 1,
        .about = "Shows the layers of a model with their output shapes, parameters and work: of "
                 "a preset, of a file of model text, or of trained weights.",
        .options = options,
        .option_count = MG_COUNT_OF(options),
    };
    MG_TRY(cli_parse(&syntax, argc, argv, &count));
    if (count && model)
        MG_FAIL(MG_ERR_INVALID, "summary: give either --model or weights, not both");
    if (count)
        MG_TRY(cli_network_load(&network, argv[0], NULL));
    else
        MG_TRY(mg_model_load(&network.model, model ? model : "lenet5"));
    MG_TRY(print_summary(network.model));
    if (plan) MG_TRY(print_plan(network.model, device, threads, batch));
out:
    cli_network_free(&network);
    return st;
}
