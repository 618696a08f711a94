/* mnist_gpu bench: how long a training step takes, and where the time goes. */
#include "bench_startup.h"
#include "device.h"
#include "options.h"
#include "train/bench.h"
#include "term.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BATCHES = 16 };

typedef struct bench_args {
    const char *model, *device, *kernels, *optimizer, *batch_list, *augment, *data;
    int batches[MAX_BATCHES], batch_count, threads;
    double seconds;
    mg_augmentation augmentation;
    bool json, startup;
} bench_args;

/* "32,128" */
static mg_status read_batches(bench_args *a)
{
    const char *text = a->batch_list;
    for (a->batch_count = 0; a->batch_count < MAX_BATCHES; text++) {
        char *end;
        const bool digit = *text >= '0' && *text <= '9';
        const long batch = digit ? strtol(text, &end, 10) : 0;
        if (batch < 1 || batch > 65536) break;
        a->batches[a->batch_count++] = (int)batch;
        text = end;
        if (!*text) return MG_OK;
        if (*text != ',') break;
    }
    return mg__fail(MG_ERR_INVALID,
                    "bench: --batch: expected up to %d whole numbers from 1 to 65536 with commas "
                    "between them, found \"%s\"",
                    MAX_BATCHES, a->batch_list);
}

static mg_status parse(bench_args *a, int argc, char **argv)
{
    cli_option options[] = {
        CLI_OPT_TEXT("model", "PRESET|FILE", &a->model, "a preset or a file of model text"),
        CLI_OPT_TEXT("batch", "N[,N...]", &a->batch_list, "images in a step; each N is measured"),
        CLI_OPT_DEVICE(&a->device, ""),
        CLI_OPT_THREADS(&a->threads, ""),
        CLI_OPT_KERNELS(&a->kernels, ""),
        CLI_OPT_CHOICE("optimizer", mg_optimizer_names, &a->optimizer,
                       "how weights follow gradients"),
        CLI_OPT_TEXT("augment", "KINDS", &a->augment, "as of train [none]"),
        CLI_OPT_DOUBLE("seconds", "S", &a->seconds, 0, 3600, CLI_CLOSED,
                       "how long to measure steps, and as long again stages"),
        CLI_OPT_FLAG("startup", &a->startup,
                     "not that, but the way from the start of this process to the first steps of a "
                     "training on real images, and what it is made of"),
        CLI_OPT_TEXT("data", "DIR|mnist|synth", &a->data, "of --startup, as of train"),
        CLI_OPT_FLAG("json", &a->json, "print JSON"),
    };
    const cli_syntax syntax = {
        .command = "bench",
        .arguments = "",
        .about = "Times the training step of a model on images that are made up and lie on the "
                 "device: steps as training runs them (on a GPU as CUDA graphs of many steps, and "
                 "for comparison as a graph for each and without graphs), then each stage alone. "
                 "Every time is the median of many.",
        .options = options,
        .option_count = MG_COUNT_OF(options),
    };
    mg_status st = cli_parse(&syntax, argc, argv, NULL);
    if (!st && a->augment) st = mg_augmentation_parse(&a->augmentation, a->augment);
    if (!st) st = read_batches(a);
    if (!st && a->data && !a->startup)
        st = mg__fail(MG_ERR_INVALID, "bench: --data needs --startup; see mnist_gpu bench --help");
    if (!st && a->startup && (a->batch_count > 1 || cli_given(&syntax, "seconds")))
        st = mg__fail(MG_ERR_INVALID,
                      "bench: --startup happens once: with one --batch and no --seconds");
    return st;
}

/* FLOP/s that the device can reach; NaN if it does not say. */
static mg_status find_peak(double *out, mg_backend *backend)
{
    *out = NAN;
    return backend->ops->peak ? backend->ops->peak(backend, out) : MG_OK;
}

/* ---- for people ---- */

/* GFLOP/s and the part of the peak; "-" for work that is not products. */
static void print_rate(uint64_t flops, double seconds, double peak)
{
    const double rate = (double)flops / seconds;
    if (!flops)
        printf("%11s%9s", "-", "-");
    else if (isnan(peak))
        printf("%11.1f%9s", 1e-9 * rate, "-");
    else
        printf("%11.1f%7.1f %%", 1e-9 * rate, 100 * rate / peak);
}

static void print_stages(const mg_bench *b, double peak)
{
    int width = 5;
    double all = 0;
    for (int i = 0; i < b->stage_count; i++) {
        const int length = (int)strlen(b->stages[i].name);
        if (length > width) width = length;
        all += b->stages[i].time.median;
    }
    printf("%-*s%12s%10s%8s%11s%9s\n", width, "stage", "median us", "p90 us", "share", "GFLOP/s",
           "of peak");
    for (int i = 0; i < b->stage_count; i++) {
        const mg_bench_stage *s = &b->stages[i];
        printf("%-*s%12.1f%10.1f%6.1f %%", width, s->name, 1e6 * s->time.median, 1e6 * s->time.p90,
               100 * s->time.median / all);
        print_rate(s->flops, s->time.median, peak);
        printf("\n");
    }
    printf("%-*s%12.1f\n", width, "sum", 1e6 * all);
    const struct {
        const char *name;
        const mg_bench_time *time;
    } ways[] = {
        {"step", &b->step}, {"step, a graph each", &b->single}, {"step, no graph", &b->eager}};
    for (int i = 0; i < MG_COUNT_OF(ways); i++) {
        const mg_bench_time *t = ways[i].time;
        if (!t->samples) continue;
        printf("%-*s%12.1f%10.1f%8s", width, ways[i].name, 1e6 * t->median, 1e6 * t->p90, "");
        print_rate(b->flops, t->median, peak);
        printf("\n");
    }
}

static void print_bench(const mg_bench *b, double peak)
{
    const double rate = b->batch / b->step.median;
    printf("\nBatch %d, %.1f MFLOP a step", b->batch, 1e-6 * (double)b->flops);
    if (b->launches) printf(", %d kernels", b->launches);
    printf("\n");
    print_stages(b, peak);
    printf("%.0f images/s, %.3f s for 60000 (median of %d samples of %d steps; best %.3f s)\n",
           rate, 60000 / rate, b->step.samples, b->step.repeats, 60000 * b->step.min / b->batch);
}

static void print_head(const bench_args *a, const mg_model *model, const mg_backend *backend,
                       double peak)
{
    const char *augment = a->augment ? a->augment : "";
    term_print("Model:  %s, %s%s%s\n", mg_model_name(model), a->optimizer,
               *augment ? ", augmented: " : "", augment);
    printf("Device: %s\n", mg_backend_description(backend));
    if (!isnan(peak)) printf("Peak:   %.1f GFLOP/s, f32 multiply-adds\n", 1e-9 * peak);
}

/* ---- for programs ---- */

/* null if nothing was measured */
static json_t *time_json(const mg_bench_time *t)
{
    if (!t->samples) return json_null();
    return json_pack("{s:o, s:o, s:o, s:i, s:i}", "median", cli_json_number(t->median), "min",
                     cli_json_number(t->min), "p90", cli_json_number(t->p90), "samples", t->samples,
                     "repeats", t->repeats);
}

static json_t *bench_json(const mg_bench *b, double peak)
{
    const double seconds = b->step.median, rate = (double)b->flops / seconds;
    json_t *stages = json_array();
    for (int i = 0; i < b->stage_count; i++) {
        const mg_bench_stage *s = &b->stages[i];
        json_array_append_new(stages,
                              json_pack("{s:s, s:I, s:o}", "name", s->name, "flops",
                                        (json_int_t)s->flops, "seconds", time_json(&s->time)));
    }
    return json_pack("{s:i, s:I, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "batch", b->batch,
                     "flops", (json_int_t)b->flops, "launches", b->launches, "images_per_sec",
                     cli_json_number(b->batch / seconds), "seconds_per_60000",
                     cli_json_number(60000 * seconds / b->batch), "flops_per_sec",
                     cli_json_number(rate), "of_peak", cli_json_number(rate / peak), "seconds",
                     time_json(&b->step), "single_graph_seconds", time_json(&b->single),
                     "eager_seconds", time_json(&b->eager), "stages", stages);
}

/* Bytes of device memory at most, or null where the device does not count them. */
static json_t *memory_json(const mg_backend *backend)
{
    return backend->ops->memory ? json_integer((json_int_t)backend->ops->memory(backend))
                                : json_null();
}

static mg_status print_json(const bench_args *a, const mg_model *model, const mg_backend *backend,
                            double peak, json_t *results)
{
    json_t *cuda;
    const mg_status st = cli_cuda_json(&cuda, backend);
    if (st) return st;
    return cli_print_json(
        json_pack("{s:s, s:s, s:s, s:s, s:o?, s:o, s:I, s:s, s:s?, s:s, s:o, s:o, s:O}", "version",
                  MG_VERSION_STRING, "compiler", __VERSION__, "device", mg_backend_name(backend),
                  "description", mg_backend_description(backend), "cuda", cuda, "model",
                  cli_json_text(mg_model_name(model)), "parameters",
                  (json_int_t)mg_model_param_count(model), "optimizer", a->optimizer, "augment",
                  a->augment, "kernels", a->kernels, "peak_flops_per_sec", cli_json_number(peak),
                  "device_memory", memory_json(backend), "results", results));
}

static mg_train_options train_options(const bench_args *a, int batch)
{
    mg_train_options options = mg_train_options_default();
    options.batch = batch;
    snprintf(options.optimizer, sizeof options.optimizer, "%s", a->optimizer);
    options.augment = a->augmentation;
    return options;
}

/* One batch size: printed at once for people, added to `results` for programs. */
static mg_status run_batch(const bench_args *a, const mg_model *model, mg_backend *backend,
                           double peak, int batch, json_t *results)
{
    mg_bench *bench = NULL;
    const mg_train_options options = train_options(a, batch);
    const mg_status st = mg__bench_run(&bench, backend, model, &options, a->seconds);
    if (st) return mg__fail_in(st, "batch %d", batch);
    if (a->json)
        json_array_append_new(results, bench_json(bench, peak));
    else
        print_bench(bench, peak);
    mg__bench_free(bench);
    return a->json ? MG_OK : cli_flush();
}

mg_status cmd_bench(int argc, char **argv)
{
    mg_status st;
    bench_args a = {.model = "lenet5",
                    .device = "auto",
                    .kernels = "auto",
                    .optimizer = "adam",
                    .batch_list = "32",
                    .seconds = 2};
    mg_model *model = NULL;
    mg_backend *backend = NULL;
    json_t *results = json_array();
    double peak;
    MG_TRY(parse(&a, argc, argv));
    MG_TRY(mg_model_load(&model, a.model));
    if (a.startup) {
        const mg_train_options options = train_options(&a, a.batches[0]);
        st = bench_startup(model, &options,
                           &(bench_startup_args){.device = a.device,
                                                 .data = a.data,
                                                 .threads = a.threads,
                                                 .kernels = a.kernels,
                                                 .json = a.json});
        goto out;
    }
    MG_TRY(cli_open_device(&backend, a.device, a.threads, a.kernels));
    MG_TRY(find_peak(&peak, backend));
    if (!a.json) print_head(&a, model, backend, peak);
    for (int i = 0; i < a.batch_count; i++)
        MG_TRY(run_batch(&a, model, backend, peak, a.batches[i], results));
    if (a.json) MG_TRY(print_json(&a, model, backend, peak, results));
    if (!a.json && backend->ops->memory)
        printf("\nMemory of the device: %.1f MB at most, images included\n",
               1e-6 * (double)backend->ops->memory(backend));
out:
    json_decref(results);
    mg_backend_close(backend);
    mg_model_free(model);
    return st;
}
