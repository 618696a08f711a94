/* The options of a training: names, defaults, ranges. */
#include "train/pass.h"
#include "train/schedule.h"
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

const char *const mg_optimizer_names[] = {[MG_OPTIMIZER_ADAM] = "adam",
                                          [MG_OPTIMIZER_SGD] = "sgd",
                                          [MG_OPTIMIZER_ADAMW] = "adamw",
                                          [MG_OPTIMIZER_RMSPROP] = "rmsprop",
                                          [MG_OPTIMIZER_COUNT] = NULL};
const char *const mg_schedule_names[] = {"constant", "step",      "exponential", "cosine",
                                         "linear",   "one-cycle", "plateau",     NULL};
const char *const mg_monitor_names[] = {"val_accuracy", "val_loss", "accuracy", "loss", NULL};

mg_train_options mg_train_options_default(void)
{
    return (mg_train_options){.epochs = 30,
                              .batch = 32,
                              .lr = 0.001,
                              .optimizer = "adam",
                              .beta1 = 0.9,
                              .beta2 = 0.999,
                              .rho = 0.9,
                              .schedule = "constant",
                              .lr_step = 10,
                              .lr_patience = 10,
                              .monitor = "val_accuracy",
                              .seed = 1,
                              .shuffle = true};
}

/* The word's place in the list. */
static mg_status find_word(int *out, const char *what, const char *const *words, const char *word)
{
    char known[120] = "";
    for (int i = 0; words[i]; i++) {
        if (!strcmp(words[i], word)) {
            *out = i;
            return MG_OK;
        }
        const size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", words[i]);
    }
    return mg__fail(MG_ERR_INVALID, "no %s \"%s\" (known: %s)", what, word, known);
}

mg_status mg__optimizer_read(mg_optimizer_spec *out, const mg_train_options *o)
{
    int kind;
    const mg_status st = find_word(&kind, "optimizer", mg_optimizer_names, o->optimizer);
    if (st) return st;
    const double eps = kind == MG_OPTIMIZER_RMSPROP ? 1e-7 : 1e-8;
    *out = (mg_optimizer_spec){.kind = (mg_optimizer_kind)kind,
                               .beta1 = (float)o->beta1,
                               .beta2 = (float)o->beta2,
                               .eps = (float)(o->eps > 0 ? o->eps : eps),
                               .rho = (float)o->rho,
                               .momentum = (float)o->momentum,
                               .nesterov = o->nesterov,
                               .weight_decay = (float)o->weight_decay,
                               .clip_value = (float)o->clip_value,
                               .clip_norm = (float)o->clip_norm};
    return MG_OK;
}

static bool below_one(double x) { return x >= 0 && (float)x < 1; }
static bool at_least_zero(double x) { return x >= 0 && isfinite((float)x); }

static mg_status check_numbers(const mg_train_options *o)
{
    static const char below[] = "0 up to 1", from_zero[] = "0 or more";
    const struct {
        const char *name, *expected;
        double found;
        bool fits;
    } rows[] = {
        {"epochs", "a number above 0, up to 2147483647", o->epochs,
         o->epochs > 0 && o->epochs <= INT_MAX},
        {"batch", "1 to 65536", o->batch, o->batch >= 1 && o->batch <= 65536},
        {"lr", "a number above 0", o->lr, o->lr > 0 && isfinite((float)o->lr)},
        {"momentum", below, o->momentum, below_one(o->momentum)},
        {"beta1", below, o->beta1, below_one(o->beta1)},
        {"beta2", below, o->beta2, below_one(o->beta2)},
        {"rho", below, o->rho, below_one(o->rho)},
        {"eps", from_zero, o->eps, at_least_zero(o->eps)},
        {"weight_decay", from_zero, o->weight_decay, at_least_zero(o->weight_decay)},
        {"clip_value", from_zero, o->clip_value, at_least_zero(o->clip_value)},
        {"clip_norm", from_zero, o->clip_norm, at_least_zero(o->clip_norm)},
        {"lr_gamma", "0 to 1", o->lr_gamma, o->lr_gamma >= 0 && o->lr_gamma <= 1},
        {"lr_min", "0 to lr", o->lr_min, o->lr_min >= 0 && o->lr_min <= o->lr},
        {"lr_step", "1 or more", o->lr_step, o->lr_step >= 1},
        {"lr_patience", from_zero, o->lr_patience, o->lr_patience >= 0},
        {"patience", from_zero, o->patience, o->patience >= 0},
        {"min_delta", from_zero, o->min_delta, at_least_zero(o->min_delta)},
    };
    for (int i = 0; i < MG_COUNT_OF(rows); i++)
        if (!rows[i].fits)
            return mg__fail(MG_ERR_INVALID, "%s: expected %s, found %.10g", rows[i].name,
                            rows[i].expected, rows[i].found);
    return MG_OK;
}

mg_status mg__check_options(const mg_train_options *o)
{
    mg_status st;
    int unused;
    mg_optimizer_spec spec;
    MG_TRY(check_numbers(o));
    MG_TRY(mg__optimizer_read(&spec, o));
    MG_TRY(find_word(&unused, "schedule", mg_schedule_names, o->schedule));
    MG_TRY(find_word(&unused, "monitor", mg_monitor_names, o->monitor));
    if (o->nesterov && (spec.kind != MG_OPTIMIZER_SGD || spec.momentum <= 0))
        MG_FAIL(MG_ERR_INVALID, "nesterov: it needs the optimizer sgd with a momentum above 0");
    if (o->clip_value > 0 && o->clip_norm > 0)
        MG_FAIL(MG_ERR_INVALID, "clip_value and clip_norm: expected at most one of them");
out:
    return st;
}
