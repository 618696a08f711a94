#include "train_report.h"
#include "backend.h"
#include "splits.h"
#include "io/file.h"
#include "term.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

mg_status train_report_header(train_run *run, const train_data *data)
{
    mg_status st;
    char *summary = NULL, augmentation[128];
    const bool shown = run->verbose > 0;
    const char *reason = mg_backend_fallback_reason(run->backend);
    MG_TRY(mg_model_summary(&summary, run->model));
    MG_TRY(train_log_say(&run->log, shown, "%s\nDevice: %s\n", summary,
                         mg_backend_description(run->backend)));
    if (*reason) MG_TRY(train_log_say(&run->log, shown, "No GPU: %s\n", reason));
    MG_TRY(train_log_say(
        &run->log, shown, "Data:   %s: %u training, %u validation, %u test images of %ux%ux%u\n",
        run->config.data, data->train.count, data->val.count, data->test ? data->test->count : 0,
        data->train.channels, data->train.height, data->train.width));
    mg_augmentation_text(augmentation, sizeof augmentation, &run->config.options.augment);
    if (*augmentation) MG_TRY(train_log_say(&run->log, shown, "Augmentation: %s\n", augmentation));
out:
    free(summary);
    return st;
}

/* Figures that fit a terminal of 80 columns, and a bar in what is left. */
void train_report_progress(void *user, const mg_progress *p)
{
    enum { MIN_CELLS = 6, MAX_CELLS = 40 };
    char head[40], tail[160], bar[TERM_BAR_SIZE];
    (void)user;
    const int before = snprintf(head, sizeof head, "epoch %d/%d ", p->epoch, p->epochs);
    const int after =
        snprintf(tail, sizeof tail, "%u/%u ETA %.0fs loss %.4f acc %.2f%% %.0f images/s", p->step,
                 p->steps, p->eta_seconds, p->loss, 100 * p->accuracy, p->images_per_sec);
    int cells = term_width(STDERR_FILENO) - 1 - before - after - 3; /* "[", "] " */
    if (cells > MAX_CELLS) cells = MAX_CELLS;
    term_bar(bar, sizeof bar, STDERR_FILENO, (double)p->step / p->steps, cells);
    if (cells >= MIN_CELLS)
        term_draw("%s[%s] %s", head, bar, tail);
    else
        term_draw("%s%s", head, tail);
}

char *train_report_epoch_line(const train_run *run, const mg_epoch *e)
{
    char validation[80] = "";
    if (run->config.val_count)
        snprintf(validation, sizeof validation, "  val_loss %.4f  val_accuracy %.2f %%",
                 e->val_loss, 100 * e->val_accuracy);
    return mg__format("epoch %d/%d  loss %.4f  accuracy %.2f %%%s  %.1f s  %.0f images/s\n",
                      e->epoch, mg_train_epochs(&run->config.options, run->config.train_count),
                      e->loss, 100 * e->accuracy, validation, e->seconds, e->images_per_sec);
}

mg_status train_report_epoch(train_run *run, const mg_epoch *epoch)
{
    char *line = train_report_epoch_line(run, epoch);
    const mg_status st = line ? train_log_say(&run->log, run->verbose > 0, "%s", line)
                              : mg__fail(MG_ERR_MEMORY, "out of memory");
    free(line);
    return st;
}

/* The weights that were tested, and how far they had come. */
static mg_status say_saved(train_run *run, const char *path)
{
    char when[48];
    const mg_train_state *saved = run->saved;
    if (run->config.outputs.best && saved->best_epoch)
        snprintf(when, sizeof when, "epoch %d", saved->best_epoch);
    else if (saved->epoch == 0)
        snprintf(when, sizeof when, "before the end of the first epoch");
    else if (run->config.outputs.last && saved->cursor)
        snprintf(when, sizeof when, "within epoch %u", saved->epoch + 1);
    else
        snprintf(when, sizeof when, "epoch %u", saved->epoch);
    return train_log_say(&run->log, true, "saved: %s (%s)\n", path, when);
}

/* Evaluates on all the data, or on the test images alone, and says the result. */
static mg_status say_splits(train_run *run, const train_data *data, const cli_network *network,
                            bool all)
{
    mg_status st = MG_OK;
    char *table = NULL;
    cli_splits s = {0};
    if (all) MG_TRY(cli_splits_add(&s, "train", run->backend, network, &data->train));
    if (all && data->val.count)
        MG_TRY(cli_splits_add(&s, "val", run->backend, network, &data->val));
    if (data->test) MG_TRY(cli_splits_add(&s, "test", run->backend, network, data->test));
    if (all) {
        table = cli_splits_text(&s);
        if (!table) MG_FAIL(MG_ERR_MEMORY, "out of memory");
        MG_TRY(train_log_say(&run->log, true, "\n%s\n", table));
    }
    if (data->test) {
        const cli_split *t = &s.split[s.count - 1];
        MG_TRY(train_log_say(&run->log, true, "test: %.2f %% (%u of %u), loss %.4f\n",
                             100 * t->accuracy, t->correct, t->count, t->loss));
    }
out:
    free(table);
    return st;
}

/* Where the device counts it. */
static mg_status say_memory(train_run *run)
{
    const mg_backend *be = run->backend;
    if (!be->ops->memory) return MG_OK;
    return train_log_say(&run->log, run->verbose > 0, "memory: %.1f MB of the device at most\n",
                         1e-6 * (double)be->ops->memory(be));
}

mg_status train_report_result(train_run *run, const train_data *data)
{
    mg_status st;
    cli_network best = {0};
    if (run->saved->epoch == 0 && !run->config.outputs.last)
        return train_log_say(&run->log, true, "saved: %s (no weights: no epoch has ended)\n",
                             run->dir);
    MG_TRY(cli_network_load(&best, run->dir, NULL));
    MG_TRY(say_splits(run, data, &best, run->verbose > 0));
    MG_TRY(say_memory(run));
    MG_TRY(say_saved(run, best.path));
out:
    cli_network_free(&best);
    return st;
}
