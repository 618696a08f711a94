/* mnist_gpu eval: a trained network on a part of the data. */
#include "cli.h"
#include "device.h"
#include "draw/matrix.h"
#include "options.h"
#include "splits.h"
#include "term.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct eval_args {
    const char *run_or_file, *split, *data, *device, *kernels, *model, *confusion;
    int threads;
    bool json;
    char *dir; /* the data found, malloc'd */
} eval_args;

static mg_status parse(eval_args *a, int argc, char **argv)
{
    static const char *const splits[] = {"test", "val", "train", "all", NULL};
    cli_option options[] = {
        CLI_OPT_CHOICE("split", splits, &a->split,
                       "which images; val needs a run; all: one table of all three"),
        CLI_OPT_TEXT("data", "DIR|mnist|synth", &a->data, "as in train [the run's, else mnist]"),
        CLI_OPT_DEVICE(&a->device, ""),
        CLI_OPT_THREADS(&a->threads, ""),
        CLI_OPT_KERNELS(&a->kernels, ""),
        CLI_OPT_TEXT("model", "PRESET|FILE", &a->model,
                     "the model, for weights without model text, as PyTorch saves them"),
        CLI_OPT_TEXT("confusion", "FILE", &a->confusion,
                     "also draw the confusion matrix, .svg or .png"),
        CLI_OPT_FLAG("json", &a->json, "print JSON"),
    };
    const cli_syntax syntax = {
        .command = "eval",
        .arguments = "[RUN|WEIGHTS]",
        .max_args = 1,
        .about = "Evaluates trained weights: loss, accuracy, precision, recall and F1 of each "
                 "class, and the confusion matrix. Without RUN or WEIGHTS the latest run's best "
                 "weights are taken.",
        .options = options,
        .option_count = MG_COUNT_OF(options),
    };
    int count;
    const mg_status st = cli_parse(&syntax, argc, argv, &count);
    a->run_or_file = st == MG_OK && count ? argv[0] : NULL;
    return st;
}

/* ---- data ---- */

/* The part of the training images that `split` names, as the run divided them; all of them where
 * there is no run. */
static mg_status cut_training(mg_dataset *part, const mg_dataset *set, const cli_network *n,
                              const char *split)
{
    const mg_run_config *c = &n->config;
    const bool val = !strcmp(split, "val");
    const uint64_t divided = (uint64_t)c->train_count + c->val_count;
    *part = *set;
    if (!c->data && val)
        return mg__fail(MG_ERR_INVALID,
                        "eval: --split val: %s is no run, and only a run tells "
                        "which images it kept for validation",
                        n->path);
    if (!c->data) return MG_OK;
    if (divided > set->count)
        return mg__fail(MG_ERR_MISMATCH, "%s: %u training images, but the run %s used %llu",
                        set->source, set->count, n->run, (unsigned long long)divided);
    if (val && !c->val_count)
        return mg__fail(MG_ERR_NOT_FOUND, "%s: trained without validation images", n->run);
    *part = val ? mg_dataset_slice(set, c->train_count, c->val_count)
                : mg_dataset_slice(set, 0, c->train_count);
    return MG_OK;
}

static mg_status evaluate(mg_evaluation **out, eval_args *a, const cli_network *n,
                          mg_backend *backend)
{
    mg_status st;
    mg_dataset *set = NULL, part;
    const bool test = !strcmp(a->split, "test");
    MG_TRY(cli_find_data(&a->dir, a->data ? a->data : n->config.data));
    MG_TRY(mg_dataset_load(&set, a->dir, test ? MG_SPLIT_TEST : MG_SPLIT_TRAIN));
    part = *set;
    if (!test) MG_TRY(cut_training(&part, set, n, a->split));
    MG_TRY(mg_evaluate(out, backend, n->model, n->params, &part));
out:
    mg_dataset_free(set);
    return st;
}

/* ---- figures of a class ---- */

/* NaN where the denominator is 0: a class that was never predicted, or has no images. */
typedef struct class_figures {
    uint32_t images;
    double precision, recall, f1;
} class_figures;

static class_figures figures(const mg_evaluation *e, uint32_t class)
{
    uint32_t images = 0, predicted = 0;
    const uint32_t hits = e->confusion[class * e->classes + class];
    for (uint32_t i = 0; i < e->classes; i++) {
        images += e->confusion[class * e->classes + i];
        predicted += e->confusion[i * e->classes + class];
    }
    return (class_figures){.images = images,
                           .precision = predicted ? (double)hits / predicted : NAN,
                           .recall = images ? (double)hits / images : NAN,
                           .f1 = images + predicted ? 2.0 * hits / (images + predicted) : NAN};
}

/* ---- for people ---- */

static void print_percent(double value)
{
    if (isnan(value))
        printf("%11s", "-");
    else
        printf("%9.2f %%", 100 * value);
}

static void print_tables(const mg_evaluation *e)
{
    printf("\nClass  Precision     Recall         F1  Images\n");
    for (uint32_t i = 0; i < e->classes; i++) {
        const class_figures f = figures(e, i);
        printf("%5u", i);
        print_percent(f.precision);
        print_percent(f.recall);
        print_percent(f.f1);
        printf("%8u\n", f.images);
    }
    printf("\nConfusion matrix (row: true class, column: predicted)\n      ");
    for (uint32_t i = 0; i < e->classes; i++) printf("%6u", i);
    for (uint32_t i = 0; i < e->classes; i++) {
        printf("\n%5u ", i);
        for (uint32_t j = 0; j < e->classes; j++) printf("%6u", e->confusion[i * e->classes + j]);
    }
    printf("\n");
}

static void print_evaluation(const eval_args *a, const cli_network *n, const mg_evaluation *e)
{
    term_print("Weights: %s (%s)\nData:    %s\n", n->path, mg_model_name(n->model), a->dir);
    printf("%s: %.2f %% (%u of %u), loss %.4f\n", a->split, 100 * e->accuracy, e->correct, e->count,
           e->loss);
    print_tables(e);
}

/* ---- for programs ---- */

static json_t *class_json(const mg_evaluation *e, uint32_t class)
{
    const class_figures f = figures(e, class);
    return json_pack("{s:i, s:o, s:o, s:o, s:i}", "class", (int)class, "precision",
                     cli_json_number(f.precision), "recall", cli_json_number(f.recall), "f1",
                     cli_json_number(f.f1), "images", (int)f.images);
}

static mg_status print_json(const eval_args *a, const cli_network *n, const mg_backend *backend,
                            const mg_evaluation *e)
{
    json_t *classes = json_array(), *confusion = json_array();
    for (uint32_t i = 0; i < e->classes; i++) {
        json_t *row = json_array();
        for (uint32_t j = 0; j < e->classes; j++)
            json_array_append_new(row, json_integer(e->confusion[i * e->classes + j]));
        json_array_append_new(confusion, row);
        json_array_append_new(classes, class_json(e, i));
    }
    return cli_print_json(
        json_pack("{s:o, s:o, s:o, s:s, s:s, s:i, s:i, s:o, s:o, s:o, s:o}", "weights",
                  cli_json_text(n->path), "data", cli_json_text(a->dir), "model",
                  cli_json_text(mg_model_name(n->model)), "device", mg_backend_name(backend),
                  "split", a->split, "count", (int)e->count, "correct", (int)e->correct, "accuracy",
                  cli_json_number(e->accuracy), "loss", cli_json_number(e->loss), "classes",
                  classes, "confusion", confusion));
}

/* ---- the picture ---- */

static mg_status draw_confusion(const eval_args *a, const cli_network *n, const mg_evaluation *e)
{
    char title[128];
    snprintf(title, sizeof title, "%s: %.2f %% of %u %s images", mg_model_name(n->model),
             100 * e->accuracy, e->count,
             !strcmp(a->split, "test")  ? "test"
             : !strcmp(a->split, "val") ? "validation"
                                        : "training");
    return mg__matrix_save(e, title, a->confusion);
}

/* ---- all parts ---- */

static mg_status evaluate_all(cli_splits *out, eval_args *a, const cli_network *n,
                              mg_backend *backend)
{
    mg_status st;
    mg_dataset *training = NULL, *test = NULL, part;
    MG_TRY(cli_find_data(&a->dir, a->data ? a->data : n->config.data));
    MG_TRY(mg_dataset_load(&training, a->dir, MG_SPLIT_TRAIN));
    MG_TRY(mg_dataset_load(&test, a->dir, MG_SPLIT_TEST));
    MG_TRY(cut_training(&part, training, n, "train"));
    MG_TRY(cli_splits_add(out, "train", backend, n, &part));
    if (n->config.val_count) {
        MG_TRY(cut_training(&part, training, n, "val"));
        MG_TRY(cli_splits_add(out, "val", backend, n, &part));
    }
    MG_TRY(cli_splits_add(out, "test", backend, n, test));
out:
    mg_dataset_free(training);
    mg_dataset_free(test);
    return st;
}

static mg_status print_all_json(const eval_args *a, const cli_network *n, const mg_backend *backend,
                                const cli_splits *splits)
{
    json_t *root = json_pack("{s:o, s:o, s:o, s:s}", "weights", cli_json_text(n->path), "data",
                             cli_json_text(a->dir), "model", cli_json_text(mg_model_name(n->model)),
                             "device", mg_backend_name(backend));
    if (json_object_update_new(root, cli_splits_json(splits)) != 0) {
        json_decref(root);
        root = NULL;
    }
    return cli_print_json(root);
}

static mg_status print_all(const eval_args *a, const cli_network *n, const cli_splits *splits)
{
    char *table = cli_splits_text(splits);
    if (!table) return mg__fail(MG_ERR_MEMORY, "out of memory");
    term_print("Weights: %s (%s)\nData:    %s\n\n%s", n->path, mg_model_name(n->model), a->dir,
               table);
    free(table);
    return MG_OK;
}

/* ---- the command ---- */

static mg_status eval_all(eval_args *a, const cli_network *n, mg_backend *backend)
{
    cli_splits splits = {0};
    const mg_status st = evaluate_all(&splits, a, n, backend);
    if (st) return st;
    return a->json ? print_all_json(a, n, backend, &splits) : print_all(a, n, &splits);
}

static mg_status eval_one(eval_args *a, const cli_network *n, mg_backend *backend)
{
    mg_status st;
    mg_evaluation *evaluation = NULL;
    MG_TRY(evaluate(&evaluation, a, n, backend));
    if (a->confusion) MG_TRY(draw_confusion(a, n, evaluation));
    if (a->json)
        MG_TRY(print_json(a, n, backend, evaluation));
    else
        print_evaluation(a, n, evaluation);
out:
    mg_evaluation_free(evaluation);
    return st;
}

mg_status cmd_eval(int argc, char **argv)
{
    mg_status st;
    eval_args a = {.split = "test", .device = "auto", .kernels = "auto"};
    cli_network network = {0};
    mg_backend *backend = NULL;
    MG_TRY(parse(&a, argc, argv));
    if (a.confusion && !strcmp(a.split, "all"))
        MG_FAIL(MG_ERR_INVALID, "eval: --confusion goes with one split, not with --split all");
    if (a.confusion) MG_TRY(mg__canvas_check_path(a.confusion, MG_CONTENT_DRAWING));
    MG_TRY(cli_open_device(&backend, a.device, a.threads, a.kernels));
    MG_TRY(cli_network_load(&network, a.run_or_file, a.model));
    MG_TRY(!strcmp(a.split, "all") ? eval_all(&a, &network, backend)
                                   : eval_one(&a, &network, backend));
out:
    free(a.dir);
    cli_network_free(&network);
    mg_backend_close(backend);
    return st;
}
