/* mnist_gpu speedrun: how accurate and how fast one recipe is, over many seeds. */
#include "train/speedrun.h"
#include "cli.h"
#include "device.h"
#include "clock.h"
#include "options.h"
#include "recipes.h"
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GOAL 0.99 /* test accuracy */

enum { MAX_SEEDS = 10000 };

typedef struct speedrun_args {
    mg_train_options options; /* the seed: of the first run */
    const char *model, *data, *device, *kernels;
    char *recipe_words; /* what the options of the recipe point into */
    int seeds, threads;
    double val_split;
    bool json;
} speedrun_args;

typedef struct speedrun {
    mg_model *model;
    mg_backend *backend;
    char *source; /* of the images */
    mg_dataset *all, *test;
    mg_dataset train; /* a view of `all` */
    double data_seconds;
    int count;
    mg_speedrun *runs; /* [count] */
} speedrun;

static mg_status parse(speedrun_args *a, int argc, char **argv)
{
    mg_train_options *o = &a->options;
    char **recipe = NULL;
    int count = 0;
    const mg_train_options d = *o; /* the defaults */
    const char *optimizer = d.optimizer, *schedule = d.schedule;
    cli_option options[] = {
        CLI_OPT_INT("seeds", "N", &a->seeds, 1, MAX_SEEDS, "trainings, each with the next seed"),
        CLI_OPT_U64("seed", "N", &o->seed, INT_MAX, "of the first"),
        CLI_OPT_DEVICE(&a->device, ""),
        CLI_OPT_THREADS(&a->threads, ""),
        CLI_OPT_KERNELS(&a->kernels, ""),
        CLI_OPT_TEXT("data", "DIR|mnist|synth", &a->data, "as of train [mnist, else synth]"),
        CLI_OPT_FLAG("json", &a->json, "print JSON"),

        CLI_OPT_HEADING("In place of what the recipe says; all as of train"),
        CLI_OPT_TEXT("model", "PRESET|FILE", &a->model, "a preset or a file of model text"),
        CLI_OPT_DOUBLE("epochs", "N", &o->epochs, 0, INT_MAX, CLI_ABOVE_MIN,
                       "passes over the training images; may be 1.5"),
        CLI_OPT_INT("batch", "N", &o->batch, 1, 65536, "images in a step"),
        CLI_OPT_DOUBLE("val-split", "X", &a->val_split, 0, 1, CLI_BELOW_MAX,
                       "the last part of the training images is left out"),
        CLI_OPT_CHOICE("optimizer", mg_optimizer_names, &optimizer, "each as PyTorch's"),
        CLI_OPT_DOUBLE("beta1", "X", &o->beta1, 0, 1, CLI_BELOW_MAX, "of adam and adamw"),
        CLI_OPT_DOUBLE("beta2", "X", &o->beta2, 0, 1, CLI_BELOW_MAX, "of adam and adamw"),
        CLI_OPT_DOUBLE("lr", "X", &o->lr, 0, 1e30, CLI_ABOVE_MIN, "learning rate"),
        CLI_OPT_CHOICE("schedule", mg_schedule_names, &schedule, "how it changes"),
        CLI_OPT_U64("warmup", "N", &o->warmup, UINT64_MAX, "steps of a linear rise before"),
    };
    const cli_syntax syntax = {
        .command = "speedrun",
        .arguments = "",
        .about =
            "Trains by the recipe speedrun (see mnist_gpu recipes) with one seed after the other, "
            "in one process and with the images read once, and tests each network. The time of a "
            "training loop is all from the first step to the end of the last: orders of images, "
            "learning rates, steps, the reading of their losses, and on a GPU the recording of the "
            "steps as graphs, in the first loop also the loading of kernels and libraries. Not in "
            "it: what is done before (reading images and putting them on the device, memory, plan, "
            "initial weights) and the test. There is no validation.",
        .options = options,
        .option_count = MG_COUNT_OF(options),
    };
    /* The recipe first: its values are the defaults that the help shows. */
    mg_status st = cli_recipe_prepend(&recipe, &count, &a->recipe_words, "speedrun", 0, argv);
    if (!st) st = cli_parse(&syntax, count, recipe, NULL);
    if (!st) st = cli_parse(&syntax, argc, argv, NULL);
    free(recipe);
    snprintf(o->optimizer, sizeof o->optimizer, "%s", optimizer);
    snprintf(o->schedule, sizeof o->schedule, "%s", schedule);
    return st;
}

static mg_status load_data(speedrun *s, const speedrun_args *a)
{
    mg_status st;
    const double start = mg__seconds();
    MG_TRY(cli_find_training_data(&s->source, a->data));
    MG_TRY(mg_dataset_load(&s->all, s->source, MG_SPLIT_TRAIN));
    MG_TRY(mg_dataset_load(&s->test, s->source, MG_SPLIT_TEST));
    const uint32_t used = (uint32_t)floor(s->all->count * (1 - a->val_split));
    if (!used)
        MG_FAIL(MG_ERR_MISMATCH, "%s: no training images left of %u with a validation split of %g",
                s->source, s->all->count, a->val_split);
    s->train = mg_dataset_slice(s->all, 0, used);
    s->data_seconds = mg__seconds() - start;
out:
    return st;
}

/* ---- figures over the seeds ---- */

typedef struct figures {
    double mean, std, median, min, max; /* std: of a sample; NaN of a single one */
} figures;

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of [count] values, which are sorted. */
static figures figures_of(double *values, int count)
{
    double sum = 0, squares = 0;
    qsort(values, (size_t)count, sizeof *values, by_size);
    for (int i = 0; i < count; i++) sum += values[i];
    const double mean = sum / count;
    for (int i = 0; i < count; i++) squares += (values[i] - mean) * (values[i] - mean);
    return (figures){.mean = mean,
                     .std = count > 1 ? sqrt(squares / (count - 1)) : NAN,
                     .median = (values[(count - 1) / 2] + values[count / 2]) / 2,
                     .min = values[0],
                     .max = values[count - 1]};
}

typedef struct summary {
    figures accuracy, loop;
    int reached; /* runs at the goal or above */
} summary;

static mg_status summarize(summary *out, const speedrun *s)
{
    double *values = malloc((size_t)s->count * sizeof *values);
    if (!values) return mg__fail(MG_ERR_MEMORY, "out of memory for the figures");
    for (int i = 0; i < s->count; i++) {
        values[i] = s->runs[i].accuracy;
        if (values[i] >= GOAL) out->reached++;
    }
    out->accuracy = figures_of(values, s->count);
    for (int i = 0; i < s->count; i++) values[i] = s->runs[i].loop_seconds;
    out->loop = figures_of(values, s->count);
    free(values);
    return MG_OK;
}

/* ---- for people ---- */

static void print_head(const speedrun *s, const speedrun_args *a)
{
    const mg_train_options *o = &a->options;
    const char *reason = mg_backend_fallback_reason(s->backend);
    printf("Model:  %s, %s, %g epochs in batches of %d\n", mg_model_name(s->model), o->optimizer,
           o->epochs, o->batch);
    printf("Device: %s\n", mg_backend_description(s->backend));
    if (*reason) printf("No GPU: %s\n", reason);
    printf("Data:   %s: %u training, %u test images, read in %.3f s\n\n", s->source, s->train.count,
           s->test->count, s->data_seconds);
    printf("%6s%12s%18s%12s%12s\n", "seed", "accuracy", "training loop s", "setup s", "test s");
}

static void print_run(const mg_speedrun *r)
{
    printf("%6llu%10.2f %%%18.4f%12.4f%12.4f\n", (unsigned long long)r->seed, 100 * r->accuracy,
           r->loop_seconds, r->setup_seconds, r->test_seconds);
}

static void print_summary(const speedrun *s, const summary *sum)
{
    const figures *a = &sum->accuracy, *l = &sum->loop;
    char std[32] = "";
    if (s->count > 1) snprintf(std, sizeof std, ", std %.3f", 100 * a->std);
    printf("\naccuracy:      mean %.3f %%%s, min %.2f, max %.2f; %d of %d at %g %% or above\n",
           100 * a->mean, std, 100 * a->min, 100 * a->max, sum->reached, s->count, 100 * GOAL);
    printf("training loop: mean %.4f s, median %.4f, min %.4f, max %.4f; %llu steps\n", l->mean,
           l->median, l->min, l->max, (unsigned long long)s->runs[0].steps);
    printf("process:       %.3f s from its start to here\n", mg__process_seconds());
}

/* ---- for programs ---- */

static json_t *figures_json(const figures *f)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "mean", cli_json_number(f->mean), "std",
                     cli_json_number(f->std), "median", cli_json_number(f->median), "min",
                     cli_json_number(f->min), "max", cli_json_number(f->max));
}

static json_t *run_json(const mg_speedrun *r)
{
    return json_pack("{s:I, s:o, s:i, s:o, s:o, s:o, s:o}", "seed", (json_int_t)r->seed, "accuracy",
                     cli_json_number(r->accuracy), "correct", (int)r->correct, "loss",
                     cli_json_number(r->loss), "loop_seconds", cli_json_number(r->loop_seconds),
                     "setup_seconds", cli_json_number(r->setup_seconds), "test_seconds",
                     cli_json_number(r->test_seconds));
}

static json_t *options_json(const mg_train_options *o)
{
    return json_pack("{s:f, s:i, s:s, s:f, s:f, s:f, s:s, s:I}", "epochs", o->epochs, "batch",
                     o->batch, "optimizer", o->optimizer, "lr", o->lr, "beta1", o->beta1, "beta2",
                     o->beta2, "schedule", o->schedule, "warmup", (json_int_t)o->warmup);
}

static mg_status print_json(const speedrun *s, const speedrun_args *a, const summary *sum)
{
    json_t *cuda, *runs;
    const mg_status st = cli_cuda_json(&cuda, s->backend);
    if (st) return st;
    runs = json_array();
    for (int i = 0; i < s->count; i++) json_array_append_new(runs, run_json(&s->runs[i]));
    return cli_print_json(json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:o?, s:o, s:o, s:o, s:i, s:i, s:I, s:o, s:o, s:f, s:i, s:o, "
        "s:f, s:f}",
        "version", MG_VERSION_STRING, "compiler", __VERSION__, "device",
        mg_backend_name(s->backend), "description", mg_backend_description(s->backend), "kernels",
        a->kernels, "cuda", cuda, "model", cli_json_text(mg_model_name(s->model)), "options",
        options_json(&a->options), "data", cli_json_text(s->source), "train_count",
        (int)s->train.count, "test_count", (int)s->test->count, "steps",
        (json_int_t)s->runs[0].steps, "runs", runs, "accuracy", figures_json(&sum->accuracy),
        "goal", GOAL, "reached", sum->reached, "loop_seconds", figures_json(&sum->loop),
        "data_seconds", s->data_seconds, "process_seconds", mg__process_seconds()));
}

/* ---- the command ---- */

static mg_status run_seeds(speedrun *s, const speedrun_args *a)
{
    mg_status st = MG_OK;
    mg_train_options options = a->options;
    s->runs = calloc((size_t)a->seeds, sizeof *s->runs);
    if (!s->runs) return mg__fail(MG_ERR_MEMORY, "out of memory for the runs");
    for (; s->count < a->seeds; s->count++, options.seed++) {
        mg_speedrun *r = &s->runs[s->count];
        if ((st = mg__speedrun(r, s->backend, s->model, &s->train, s->test, &options)) != MG_OK)
            return mg__fail_in(st, "seed %llu", (unsigned long long)options.seed);
        if (a->json) continue;
        print_run(r);
        if ((st = cli_flush()) != MG_OK) return st;
    }
    return st;
}

mg_status cmd_speedrun(int argc, char **argv)
{
    mg_status st;
    speedrun_args a = {
        .options = mg_train_options_default(), .device = "auto", .kernels = "auto", .seeds = 20};
    speedrun s = {0};
    summary sum = {0};
    MG_TRY(parse(&a, argc, argv));
    MG_TRY(mg_model_load(&s.model, a.model));
    MG_TRY(cli_open_device(&s.backend, a.device, a.threads, a.kernels));
    MG_TRY(load_data(&s, &a));
    if (!a.json) print_head(&s, &a);
    MG_TRY(run_seeds(&s, &a));
    MG_TRY(summarize(&sum, &s));
    if (a.json)
        MG_TRY(print_json(&s, &a, &sum));
    else
        print_summary(&s, &sum);
out:
    mg_backend_close(s.backend);
    mg_model_free(s.model);
    mg_dataset_free(s.all);
    mg_dataset_free(s.test);
    free(s.source);
    free(s.runs);
    free(a.recipe_words);
    return st;
}
