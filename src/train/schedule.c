#include "train/schedule.h"
#include <math.h>
#include <string.h>

static const double pi = 3.14159265358979323846;

static bool is(const char *word, const char *name) { return strcmp(word, name) == 0; }

/* ---- learning rates ---- */

static double gamma_of(const mg_train_options *o)
{
    return o->lr_gamma > 0 ? o->lr_gamma : is(o->schedule, "exponential") ? 0.95 : 0.1;
}

/* From `from` at part 0 to `to` at part 1, along half a cosine. */
static double half_cosine(double from, double to, double part)
{
    return to + (from - to) / 2 * (1 + cos(pi * part));
}

static double one_cycle(double top, double t, double steps)
{
    const double first = top / 25, last = first / 1e4;
    const double peak = 0.3 * steps - 1, end = steps - 1; /* the phases' last steps */
    if (t <= peak) return half_cosine(first, top, t / peak);
    return half_cosine(top, last, (t - peak) / (end - peak));
}

uint64_t mg__train_steps(const mg_train_options *o, uint32_t steps_per_epoch)
{
    return (uint64_t)fmax(1, round(o->epochs * steps_per_epoch));
}

double mg__schedule_lr(const mg_train_options *o, double base, uint64_t step,
                       uint32_t steps_per_epoch)
{
    const double epoch = (double)(step / steps_per_epoch), warmup = (double)o->warmup;
    const double steps = (double)mg__train_steps(o, steps_per_epoch) - warmup;
    const double t = step < o->warmup ? 0 : (double)(step - o->warmup);
    double lr = base;
    if (is(o->schedule, "step"))
        lr = base * pow(gamma_of(o), floor(epoch / o->lr_step));
    else if (is(o->schedule, "exponential"))
        lr = base * pow(gamma_of(o), epoch);
    else if (is(o->schedule, "cosine"))
        lr = half_cosine(base, o->lr_min, t / steps);
    else if (is(o->schedule, "linear"))
        lr = base + (o->lr_min - base) * t / steps;
    else if (is(o->schedule, "one-cycle"))
        lr = one_cycle(base, t, steps);
    return step < o->warmup ? lr * ((double)step + 1) / (warmup + 1) : lr;
}

/* ---- the monitored figure ---- */

bool mg__monitors_validation(const mg_train_options *o)
{
    return strncmp(o->monitor, "val_", 4) == 0;
}

/* The larger, the better: losses are negated. */
static double figure(const mg_train_options *o, const mg_epoch *e)
{
    if (is(o->monitor, "loss")) return -e->loss;
    if (is(o->monitor, "val_loss")) return -e->val_loss;
    return is(o->monitor, "accuracy") ? e->accuracy : e->val_accuracy;
}

/* Is the figure above `bar`, or is there none yet? */
static bool surpasses(double value, double bar) { return isnan(bar) || value > bar; }

int mg__best_epoch(const mg_train_options *o, const mg_epoch *history, int count)
{
    int best = 0;
    for (int i = 0; i < count; i++) {
        const bool none = mg__monitors_validation(o) && isnan(history[i].val_accuracy);
        if (none || !best || surpasses(figure(o, &history[i]), figure(o, &history[best - 1])))
            best = i + 1;
    }
    return best;
}

int mg__epochs_waited(const mg_train_options *o, const mg_epoch *history, int count)
{
    int waited = 0;
    double best = NAN;
    for (int i = 0; i < count; i++) {
        const double now = figure(o, &history[i]);
        waited++;
        if (!surpasses(now, best + o->min_delta)) continue;
        best = now;
        waited = 0;
    }
    return waited;
}

/* PyTorch's ReduceLROnPlateau with its defaults: better is better by a part of 1e-4, changes below
 * 1e-8 are left out. (Keras reduces one epoch earlier, after lr_patience epochs, not lr_patience
 * + 1.)
 */
double mg__base_lr(const mg_train_options *o, const mg_epoch *history, int count)
{
    const double threshold = 1e-4, least_change = 1e-8;
    double lr = o->lr, best = NAN;
    int bad = 0;
    for (int i = 0; i < count && is(o->schedule, "plateau"); i++) {
        const double now = figure(o, &history[i]);
        bad++;
        if (surpasses(now, best * (best < 0 ? 1 - threshold : 1 + threshold))) {
            best = now;
            bad = 0;
        }
        if (bad <= o->lr_patience) continue;
        const double lower = fmax(lr * gamma_of(o), o->lr_min);
        if (lr - lower > least_change) lr = lower;
        bad = 0;
    }
    return lr;
}
