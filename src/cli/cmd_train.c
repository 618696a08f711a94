/* mnist_gpu train: options and data in, a run directory and a test result out. */
#define _POSIX_C_SOURCE 200809L /* strdup */
#include "cli.h"
#include "data/checksum.h"
#include "device.h"
#include "draw/curves.h"
#include "mnist_gpu/weights.h"
#include "options.h"
#include "recipes.h"
#include "train_report.h"
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct train_args {
    mg_train_options options;
    const char *model, *data, *device, *kernels, *out, *resume, *init, *shuffle;
    const char *recipe, *loss, *normalize, *augment;
    char *recipe_words; /* what the options of a recipe point into */
    double val_split;
    uint64_t limit;
    int threads;
    int verbose;
    bool quiet, tensorboard, curves;
    const char *save;       /* a list of names */
    mg_run_outputs outputs; /* what it says, and the rest of them */
    bool model_given, epochs_given, steps_given, device_given, kernels_given;
} train_args;

/* ---- the command line ---- */

/* What a run was begun with stays: only how far and where it goes on may be changed. */
static mg_status check_resume(const cli_syntax *s)
{
    static const char *const allowed[] = {"resume",  "epochs",      "max-steps", "device",
                                          "threads", "kernels",     "data",      "quiet",
                                          "verbose", "tensorboard", "curves"};
    for (int i = 0; i < s->option_count; i++) {
        bool fits = !s->options[i].given;
        for (int j = 0; j < MG_COUNT_OF(allowed); j++)
            fits = fits || !strcmp(s->options[i].name, allowed[j]);
        if (!fits)
            return mg__fail(MG_ERR_INVALID,
                            "train: --%s cannot be changed with --resume; see mnist_gpu train "
                            "--help",
                            s->options[i].name);
    }
    return MG_OK;
}

/* "best,last" -> which weights are kept; `outputs` has none yet. */
static mg_status read_save(mg_run_outputs *outputs, const char *list)
{
    const struct {
        const char *name;
        bool *kept;
    } names[] = {{"best", &outputs->best}, {"last", &outputs->last}, {"epoch", &outputs->epoch}};
    for (const char *word = list;; word++) {
        const size_t length = strcspn(word, ",");
        int i = 0;
        while (i < MG_COUNT_OF(names) &&
               (strlen(names[i].name) != length || memcmp(word, names[i].name, length) != 0))
            i++;
        if (i == MG_COUNT_OF(names) || *names[i].kept)
            return mg__fail(MG_ERR_INVALID,
                            "train: --save: expected a list of best, last and epoch, each once, "
                            "found \"%s\"; see mnist_gpu train --help",
                            list);
        *names[i].kept = true;
        word += length;
        if (!*word) return MG_OK;
    }
}

/* What the reader sees and the run keeps. */
static mg_status read_outputs(train_args *a, const cli_syntax *s)
{
    mg_status st;
    MG_TRY(read_save(&a->outputs, a->save));
    if (cli_given(s, "keep") && !a->outputs.epoch)
        MG_FAIL(MG_ERR_INVALID, "train: --keep needs --save epoch; see mnist_gpu train --help");
    if (a->quiet && cli_given(s, "verbose"))
        MG_FAIL(MG_ERR_INVALID, "train: give either --quiet or --verbose, not both");
    if (a->quiet) a->verbose = 0;
    a->outputs.tensorboard = a->tensorboard;
    a->outputs.started = (double)time(NULL);
out:
    return st;
}

static mg_status parse(train_args *a, int argc, char **argv)
{
    static const char *const shuffles[] = {"epoch", "none", NULL};
    mg_train_options *o = &a->options;
    char **all = NULL;
    const mg_train_options d = *o; /* the defaults */
    const char *optimizer = d.optimizer, *schedule = d.schedule, *monitor = d.monitor;
    cli_option options[] = {
        CLI_OPT_TEXT("model", "PRESET|FILE", &a->model,
                     "lenet5, lenet-valid, lenet-61k, mlp-tanh, mlp-512, cnn-dropout, or a file of "
                     "model text"),
        CLI_OPT_TEXT("recipe", "NAME", &a->recipe,
                     "the training of another system, see mnist_gpu recipes; other options "
                     "override it"),
        CLI_OPT_DOUBLE("epochs", "N", &o->epochs, 0, INT_MAX, CLI_ABOVE_MIN,
                       "passes over the training images; may be 1.5"),
        CLI_OPT_INT("batch", "N", &o->batch, 1, 65536, "images in a step"),
        CLI_OPT_DOUBLE("lr", "X", &o->lr, 0, 1e30, CLI_ABOVE_MIN, "learning rate"),
        CLI_OPT_U64("seed", "N", &o->seed, UINT64_MAX, "of initial weights and order of images"),
        CLI_OPT_DEVICE(&a->device, ""),
        CLI_OPT_THREADS(&a->threads, ""),
        CLI_OPT_KERNELS(&a->kernels, ""),
        CLI_OPT_TEXT("out", "DIR", &a->out, "run directory [runs/<time>-<model>]"),
        CLI_OPT_TEXT("resume", "DIR", &a->resume,
                     "go on with the run in DIR; only --epochs, --max-steps, --device, "
                     "--threads, --kernels, --data, --tensorboard, --curves, --verbose and --quiet "
                     "go with it"),
        CLI_OPT_U64("max-steps", "N", &o->max_steps, UINT64_MAX,
                    "end after so many steps in all; 0 = no limit"),
        CLI_OPT_INT("verbose", "N", &a->verbose, 0, 2,
                    "1 = a bar and a line per epoch, 2 = no bar, 0 = the test result only"),
        CLI_OPT_FLAG("quiet", &a->quiet, "the same as --verbose 0"),

        CLI_OPT_HEADING("The network"),
        CLI_OPT_TEXT("init", "RUN|WEIGHTS", &a->init,
                     "start from these weights, and from their model unless --model is given"),
        CLI_OPT_TEXT("loss", "LINE", &a->loss,
                     "the model's last line: softmax_xent, mse, or with arguments, as "
                     "\"softmax_xent smoothing=0.1\""),
        CLI_OPT_TEXT("normalize", "HOW", &a->normalize,
                     "pixels become 0 to 255 (raw), 0 to 1 (unit), MNIST's mean 0 and deviation 1 "
                     "(standard), or (pixel / 255 - MEAN) / STD (MEAN,STD) [as the model says]"),

        CLI_OPT_HEADING("The images"),
        CLI_OPT_TEXT("data", "DIR|mnist|synth", &a->data,
                     "IDX files, raw or .gz; mnist: searched for, else fetched; synth: built-in "
                     "digits [mnist, else synth]"),
        CLI_OPT_DOUBLE("val-split", "X", &a->val_split, 0, 1, CLI_BELOW_MAX,
                       "the last part of the training images is kept for validation; 0 = none"),
        CLI_OPT_U64("limit", "N", &a->limit, UINT32_MAX,
                    "use only the first N training images; 0 = all"),
        CLI_OPT_CHOICE("shuffle", shuffles, &a->shuffle,
                       "a new order of images every epoch, or "
                       "the order of the file"),
        CLI_OPT_TEXT("augment", "KINDS", &a->augment,
                     "distort training images at random, anew in every step: affine, elastic, "
                     "stroke, noise or all, with commas between, each with :STRENGTH, 0 to 3 [1]; "
                     "see data preview"),

        CLI_OPT_HEADING("What is kept"),
        CLI_OPT_TEXT("save", "LIST", &a->save,
                     "weights to keep, of best, last and epoch (each one's own file)"),
        CLI_OPT_INT("keep", "N", &a->outputs.keep, 0, INT_MAX,
                    "with --save epoch: only those of the latest N epochs; 0 = all"),
        CLI_OPT_FLAG("tensorboard", &a->tensorboard, "write event files for TensorBoard"),
        CLI_OPT_FLAG("curves", &a->curves,
                     "draw the curves into the run directory, see mnist_gpu plot"),

        CLI_OPT_HEADING("How weights follow gradients"),
        CLI_OPT_CHOICE("optimizer", mg_optimizer_names, &optimizer, "each as PyTorch's"),
        CLI_OPT_DOUBLE("momentum", "X", &o->momentum, 0, 1, CLI_BELOW_MAX, "of sgd"),
        CLI_OPT_FLAG("nesterov", &o->nesterov, "of sgd: Nesterov's momentum"),
        CLI_OPT_DOUBLE("beta1", "X", &o->beta1, 0, 1, CLI_BELOW_MAX, "of adam and adamw"),
        CLI_OPT_DOUBLE("beta2", "X", &o->beta2, 0, 1, CLI_BELOW_MAX, "of adam and adamw"),
        CLI_OPT_DOUBLE("rho", "X", &o->rho, 0, 1, CLI_BELOW_MAX, "of rmsprop"),
        CLI_OPT_DOUBLE("eps", "X", &o->eps, 0, 1e30, CLI_CLOSED,
                       "of all but sgd; 0 = 1e-8, for rmsprop 1e-7"),
        CLI_OPT_DOUBLE("weight-decay", "X", &o->weight_decay, 0, 1e30, CLI_CLOSED,
                       "L2 in the gradient; of adamw apart from it"),
        CLI_OPT_DOUBLE("clip-norm", "X", &o->clip_norm, 0, 1e30, CLI_CLOSED,
                       "most L2 norm of a step's gradients together; 0 = no limit"),
        CLI_OPT_DOUBLE("clip-value", "X", &o->clip_value, 0, 1e30, CLI_CLOSED,
                       "most size of each gradient; 0 = no limit"),

        CLI_OPT_HEADING("How the learning rate changes"),
        CLI_OPT_CHOICE(
            "schedule", mg_schedule_names, &schedule,
            "step, exponential and plateau multiply it by --lr-gamma: every --lr-step "
            "epochs, every epoch, when --monitor gets no better; cosine and linear let it fall to "
            "--lr-min over the whole training, one-cycle rise from a 25th of it and "
            "fall to almost 0"),
        CLI_OPT_DOUBLE("lr-gamma", "X", &o->lr_gamma, 0, 1, CLI_CLOSED,
                       "0 = 0.1, for exponential 0.95"),
        CLI_OPT_INT("lr-step", "N", &o->lr_step, 1, INT_MAX, "of step: epochs"),
        CLI_OPT_DOUBLE("lr-min", "X", &o->lr_min, 0, 1e30, CLI_CLOSED,
                       "of cosine, linear and plateau"),
        CLI_OPT_INT("lr-patience", "N", &o->lr_patience, 0, INT_MAX,
                    "of plateau: epochs that need not be better"),
        CLI_OPT_U64("warmup", "N", &o->warmup, UINT64_MAX, "steps of a linear rise before"),

        CLI_OPT_HEADING("Which epoch is best, and when to stop early"),
        CLI_OPT_CHOICE("monitor", mg_monitor_names, &monitor, "compares epochs"),
        CLI_OPT_INT("patience", "N", &o->patience, 0, INT_MAX,
                    "stop after so many epochs in a row that are no better; 0 = never"),
        CLI_OPT_DOUBLE("min-delta", "X", &o->min_delta, 0, 1e30, CLI_CLOSED,
                       "for --patience: better by more than that"),
    };
    const cli_syntax syntax = {
        .command = "train",
        .arguments = "",
        .about =
            "Trains a network and keeps it in a run directory: config.json, metrics.csv and "
            ".jsonl, log.txt, best.safetensors (the best epoch, see --monitor), last.safetensors "
            "and the state for --resume. Ctrl-C finishes the step and saves; a second one kills.",
        .options = options,
        .option_count = MG_COUNT_OF(options),
    };
    for (int i = 0; i < MG_COUNT_OF(options); i++)
        if (!strcmp(options[i].name, "batch")) options[i].alias = "batch-size";
    mg_status st = cli_recipe_expand(&all, &argc, &a->recipe_words, argc, argv);
    if (!st) st = cli_parse(&syntax, argc, all, NULL);
    if (!st && a->resume) st = check_resume(&syntax);
    if (!st) st = read_outputs(a, &syntax);
    if (!st && a->augment) st = mg_augmentation_parse(&o->augment, a->augment);
    free(all);
    snprintf(o->optimizer, sizeof o->optimizer, "%s", optimizer);
    snprintf(o->schedule, sizeof o->schedule, "%s", schedule);
    snprintf(o->monitor, sizeof o->monitor, "%s", monitor);
    o->shuffle = !strcmp(a->shuffle, "epoch");
    a->model_given = cli_given(&syntax, "model");
    a->epochs_given = cli_given(&syntax, "epochs");
    a->steps_given = cli_given(&syntax, "max-steps");
    a->device_given = cli_given(&syntax, "device");
    a->kernels_given = cli_given(&syntax, "kernels");
    return st;
}

/* ---- what to train, and on what ---- */

/* raw, unit, standard or MEAN,STD. */
static mg_status read_normalization(const char *how, double *mean, double *std)
{
    static const struct {
        const char *name;
        double mean, std;
    } known[] = {{"raw", 0, 1 / 255.0}, {"unit", 0, 1}, {"standard", 0.1307, 0.3081}};
    char rest;
    for (int i = 0; i < MG_COUNT_OF(known); i++) {
        if (strcmp(how, known[i].name)) continue;
        *mean = known[i].mean;
        *std = known[i].std;
        return MG_OK;
    }
    if (sscanf(how, "%lf,%lf%c", mean, std, &rest) == 2 && isfinite(*mean) && *std > 0)
        return MG_OK;
    return mg__fail(
        MG_ERR_INVALID,
        "train: --normalize: expected raw, unit, standard or MEAN,STD with STD above 0, "
        "found \"%s\"",
        how);
}

/* Puts `changed` in the place of *model if it could be made. */
static mg_status replace(mg_model **model, mg_model *changed, mg_status st)
{
    if (st) return st;
    mg_model_free(*model);
    *model = changed;
    return MG_OK;
}

/* What --normalize and --loss make of a model. */
static mg_status edit_model(mg_model **model, const train_args *a)
{
    mg_status st = MG_OK;
    mg_model *changed = NULL;
    double mean, std;
    if (a->normalize) {
        MG_TRY(read_normalization(a->normalize, &mean, &std));
        st = mg_model_with_normalization(&changed, *model, mean, std);
        MG_TRY(replace(model, changed, st));
    }
    if (a->loss) {
        st = mg_model_with_loss(&changed, *model, a->loss);
        MG_TRY(replace(model, changed, st));
    }
out:
    return st;
}

/* The config and model of a new run. *params: initial weights, malloc'd, if --init gave some. */
static mg_status begin_new(train_run *run, float **params, const train_args *a)
{
    mg_status st = MG_OK;
    char *path = NULL, *dir = NULL;
    run->config.options = a->options;
    run->config.val_split = a->val_split;
    run->config.limit = (uint32_t)a->limit;
    run->config.outputs = a->outputs;
    if (a->init) MG_TRY(mg__run_weights_path(&path, &dir, a->init));
    if (!a->init || a->model_given) MG_TRY(mg_model_load(&run->model, a->model));
    if (a->init) MG_TRY(mg_weights_load(&run->model, params, path, run->model));
    MG_TRY(edit_model(&run->model, a));
    run->config.model_name = strdup(mg_model_name(run->model));
    run->config.model_text = strdup(mg_model_text(run->model));
    if (!run->config.model_name || !run->config.model_text) MG_FAIL(MG_ERR_MEMORY, "out of memory");
out:
    free(path);
    free(dir);
    return st;
}

/* The config and model of an old run, with what may be changed. */
static mg_status begin_again(train_run *run, const train_args *a)
{
    mg_status st;
    MG_TRY(mg__run_lock(&run->lock, a->resume));
    MG_TRY(mg__run_load_config(&run->config, a->resume));
    run->dir = strdup(a->resume);
    if (!run->dir) MG_FAIL(MG_ERR_MEMORY, "out of memory");
    if (run->config.later)
        MG_TRY(train_log_say(&run->log, run->verbose > 0,
                             "config.json is of an older version: by default are %s\n",
                             run->config.later));
    MG_TRY(mg_model_parse(&run->model, run->config.model_text, run->config.model_name));
    if (a->epochs_given) run->config.options.epochs = a->options.epochs;
    if (a->steps_given) run->config.options.max_steps = a->options.max_steps;
    if (a->tensorboard) run->config.outputs.tensorboard = true;
out:
    return st;
}

/* Divides the images as Keras does: the last part is for validation, rounded up. */
static mg_status divide(train_data *data, train_run *run)
{
    mg_run_config *c = &run->config;
    const uint32_t all = data->all->count, used = c->limit && c->limit < all ? c->limit : all;
    const uint32_t train = (uint32_t)floor(used * (1 - c->val_split)), val = used - train;
    if (!train)
        return mg__fail(MG_ERR_MISMATCH,
                        "%s: no training images left of %u with a validation split of %g",
                        data->all->source, used, c->val_split);
    if (run->resumed && (train != c->train_count || val != c->val_count))
        return mg__fail(MG_ERR_MISMATCH,
                        "%s: divides into %u training and %u validation images, but the run began "
                        "with %u and %u",
                        data->all->source, train, val, c->train_count, c->val_count);
    c->train_count = train;
    c->val_count = val;
    const mg_dataset seen = mg_dataset_slice(data->all, 0, used);
    const uint32_t crc32 = mg__dataset_crc32(&seen);
    if (c->data_crc32 && crc32 != c->data_crc32)
        return mg__fail(MG_ERR_MISMATCH,
                        "%s: other images or labels than the run began with (CRC-32 %08x, expected "
                        "%08x)",
                        data->all->source, crc32, c->data_crc32);
    c->data_crc32 = crc32;
    data->train = mg_dataset_slice(data->all, 0, train);
    data->val = mg_dataset_slice(data->all, train, val);
    return MG_OK;
}

static mg_status load_data(train_data *data, train_run *run, const char *named)
{
    mg_status st;
    char *dir = NULL;
    MG_TRY(cli_find_training_data(&dir, named ? named : run->config.data));
    free(run->config.data);
    run->config.data = dir;
    /* The path of a folder would say nothing elsewhere, and equal trainings would differ in it. */
    run->config.outputs.data = !strcmp(dir, MG_SYNTHETIC) ? MG_SYNTHETIC : NULL;
    MG_TRY(mg_dataset_load(&data->all, dir, MG_SPLIT_TRAIN));
    st = mg_dataset_load(&data->test, dir, MG_SPLIT_TEST);
    if (st != MG_ERR_NOT_FOUND) MG_TRY(st);
    MG_TRY(divide(data, run));
    MG_TRY(mg__run_settings(&run->settings, &run->config));
    run->config.outputs.settings = run->settings;
out:
    return st;
}

/* Device and kernels as asked for; else the run's own, so that it goes on bit for bit. */
static mg_status open_device(train_run *run, const train_args *a)
{
    const char *own = run->config.device, *name = own && !a->device_given ? own : a->device;
    char *kernels = run->config.kernels;
    if (!run->resumed || a->kernels_given)
        snprintf(kernels, sizeof run->config.kernels, "%s", a->kernels);
    const mg_status st = cli_open_device(&run->backend, name, a->threads, kernels);
    if (st) return st;
    free(run->config.device);
    run->config.device = strdup(mg_backend_name(run->backend));
    return run->config.device ? MG_OK : mg__fail(MG_ERR_MEMORY, "out of memory");
}

static mg_status draw_curves(train_run *run)
{
    if (run->saved->best_epoch) return mg__curves_save_run(run->dir);
    return train_log_say(&run->log, true, "no curves before the end of the first epoch\n");
}

/* ---- the command ---- */

static mg_status train(train_run *run, const train_args *a, const float *init)
{
    mg_status st;
    if (init) MG_TRY(mg_trainer_set_params(run->trainer, init));
    if (run->resumed)
        MG_TRY(train_run_resume(run));
    else
        MG_TRY(train_run_create(run, a->out));
    MG_TRY(train_log_say(&run->log, run->verbose > 0, "Run:    %s\n\n", run->dir));
    const mg_train_end end = mg_trainer_end(run->trainer);
    if (end == MG_TRAIN_PATIENCE)
        MG_TRY(train_log_say(&run->log, true, "This run is finished already: it stopped early.\n"));
    else if (end)
        MG_TRY(train_log_say(&run->log, true,
                             "This run is finished already; --epochs or --max-steps can take it "
                             "further.\n"));
    MG_TRY(cli_flush());
    if (!end) MG_TRY(train_run_go(run));
out:
    return st;
}

mg_status cmd_train(int argc, char **argv)
{
    mg_status st;
    train_args a = {.options = mg_train_options_default(),
                    .model = "lenet5",
                    .device = "auto",
                    .kernels = "auto",
                    .shuffle = "epoch",
                    .save = "best,last",
                    .verbose = 1,
                    .val_split = 0.1};
    train_run run = {.lock = -1};
    train_data data = {0};
    float *init = NULL;
    MG_TRY(parse(&a, argc, argv));
    MG_TRY(train_log_begin(&run.log, argc, argv));
    run.verbose = a.verbose;
    run.resumed = a.resume != NULL;
    MG_TRY(run.resumed ? begin_again(&run, &a) : begin_new(&run, &init, &a));
    MG_TRY(open_device(&run, &a));
    MG_TRY(load_data(&data, &run, a.data));
    MG_TRY(train_report_header(&run, &data));
    MG_TRY(mg_trainer_create(&run.trainer, run.backend, run.model, &data.train,
                             data.val.count ? &data.val : NULL, &run.config.options));
    MG_TRY(train(&run, &a, init));
    MG_TRY(train_report_result(&run, &data));
    if (a.curves) MG_TRY(draw_curves(&run));
out:
    st = train_run_end(&run, st);
    train_run_free(&run);
    mg_dataset_free(data.all);
    mg_dataset_free(data.test);
    free(init);
    free(a.recipe_words);
    return st;
}
