#include "bench_startup.h"
#include "device.h"
#include "train/bench.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The parts of mg_backend_open where a GPU may be meant. Their failure is its own to report. */
static void load_cuda(mg_laps *laps, const char *device)
{
    const mg_cuda_module_api *api = NULL;
    char reason[200];
    if (strcmp(device, "auto") != 0 && strncmp(device, "cuda", 4) != 0) return;
    const bool loaded = mg__cuda_module(&api) == MG_OK;
    mg__lap(laps, loaded ? "CUDA module and libraries loaded" : "no CUDA module");
    if (!loaded) return;
    api->device_count(reason, sizeof reason);
    mg__lap(laps, "driver initialised");
}

static mg_status load_data(mg_dataset **train, const char *named)
{
    mg_status st;
    char *dir = NULL;
    mg_dataset *test = NULL;
    MG_TRY(cli_find_training_data(&dir, named));
    MG_TRY(mg_dataset_load(train, dir, MG_SPLIT_TRAIN));
    st = mg_dataset_load(&test, dir, MG_SPLIT_TEST); /* as training does, for its end */
    if (st == MG_ERR_NOT_FOUND) st = MG_OK;
out:
    mg_dataset_free(test);
    free(dir);
    return st;
}

/* The time from the process's start to the end of the first step. */
static double first_step(const mg_laps *laps)
{
    double sum = 0;
    for (int i = 0; i < laps->count; i++) {
        sum += laps->laps[i].seconds;
        if (!strcmp(laps->laps[i].name, MG_LAP_FIRST_STEP)) break;
    }
    return sum;
}

static void print_laps(const mg_laps *laps, const mg_model *model, const mg_backend *backend,
                       int batch)
{
    double sum = 0;
    printf("Model:  %s, batches of %d\nDevice: %s\n\n", mg_model_name(model), batch,
           mg_backend_description(backend));
    printf("%-48s%10s%12s\n", "", "ms", "until then");
    for (int i = 0; i < laps->count; i++) {
        sum += laps->laps[i].seconds;
        printf("%-48s%10.3f%12.3f\n", laps->laps[i].name, 1e3 * laps->laps[i].seconds, 1e3 * sum);
    }
    printf("\nfirst step done %.3f s after the process's start\n", first_step(laps));
}

static mg_status print_json(const mg_laps *laps, const mg_model *model, const mg_backend *backend,
                            int batch)
{
    json_t *cuda, *list;
    const mg_status st = cli_cuda_json(&cuda, backend);
    if (st) return st;
    list = json_array();
    for (int i = 0; i < laps->count; i++)
        json_array_append_new(list, json_pack("{s:s, s:f}", "name", laps->laps[i].name, "seconds",
                                              laps->laps[i].seconds));
    return cli_print_json(json_pack(
        "{s:s, s:s, s:s, s:s, s:o?, s:o, s:i, s:o, s:f}", "version", MG_VERSION_STRING, "compiler",
        __VERSION__, "device", mg_backend_name(backend), "description",
        mg_backend_description(backend), "cuda", cuda, "model", cli_json_text(mg_model_name(model)),
        "batch", batch, "startup", list, "first_step_seconds", first_step(laps)));
}

mg_status bench_startup(const mg_model *model, const mg_train_options *options,
                        const bench_startup_args *a)
{
    mg_status st;
    mg_laps laps = {0};
    mg_backend *backend = NULL;
    mg_dataset *train = NULL;
    mg__lap(&laps, "program loaded, options and model read");
    load_cuda(&laps, a->device);
    MG_TRY(cli_open_device(&backend, a->device, a->threads, a->kernels));
    mg__lap(&laps, "device opened (GPU: context, first kernel)");
    MG_TRY(load_data(&train, a->data));
    mg__lap(&laps, "images read");
    MG_TRY(mg__bench_startup(&laps, backend, model, train, options));
    if (a->json)
        MG_TRY(print_json(&laps, model, backend, options->batch));
    else
        print_laps(&laps, model, backend, options->batch);
out:
    mg_dataset_free(train);
    mg_backend_close(backend);
    return st;
}
