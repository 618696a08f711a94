#define _POSIX_C_SOURCE 200809L /* strdup */
#include "train_report.h"
#include "io/file.h"
#include "signals.h"
#include "term.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- trainer and run directory ---- */

static void keep_saved(train_run *run, mg_train_state *state)
{
    mg_train_state_free(run->saved);
    run->saved = state;
}

/* A step can spoil the weights after its loss was still finite; such weights replace no good ones.
 */
static mg_status save(train_run *run)
{
    mg_status st;
    mg_train_state *state = NULL;
    MG_TRY(mg_trainer_save(run->trainer, &state));
    MG_TRY(mg_trainer_check_state(run->trainer, state));
    MG_TRY(mg__run_save(run->dir, run->model, state, &run->config.outputs));
    keep_saved(run, state);
    state = NULL;
out:
    mg_train_state_free(state);
    return st;
}

static mg_status on_epoch(void *user, const mg_epoch *epoch)
{
    train_run *run = user;
    mg_status st = save(run);
    if (!st) st = train_report_epoch(run, epoch);
    if (st) return st;
    st = cli_flush();
    return st && signals_pipe_closed()
               ? mg__fail(MG_ERR_INTERRUPTED, "nobody reads standard output any more")
               : st;
}

static bool on_stop(void *user)
{
    (void)user;
    return signals_noted() != 0;
}

mg_status train_run_create(train_run *run, const char *dir)
{
    mg_status st;
    char *made = NULL;
    if (dir) {
        MG_TRY(mg__make_dirs(dir));
        MG_TRY(mg__run_lock(&run->lock, dir));
        MG_TRY(mg__run_make_dir(dir));
        made = strdup(dir);
        if (!made) MG_FAIL(MG_ERR_MEMORY, "out of memory");
    } else {
        MG_TRY(mg__run_new_dir(&made, mg_model_name(run->model)));
        MG_TRY(mg__run_lock(&run->lock, made));
    }
    run->dir = made;
    made = NULL;
    MG_TRY(mg__run_save_config(run->dir, &run->config));
    MG_TRY(save(run));
    MG_TRY(train_log_open(&run->log, run->dir, NULL));
out:
    free(made);
    return st;
}

/* A kill may have come between the state of the last epoch and its line in the log. */
static mg_status open_old_log(train_run *run, const mg_train_state *state)
{
    const mg_epoch *last = state->history_count ? &state->history[state->history_count - 1] : NULL;
    char *line = last ? train_report_epoch_line(run, last) : NULL;
    const mg_status st = last && !line ? mg__fail(MG_ERR_MEMORY, "out of memory")
                                       : train_log_open(&run->log, run->dir, line);
    free(line);
    return st;
}

mg_status train_run_resume(train_run *run)
{
    mg_status st;
    mg_train_state *state = NULL;
    MG_TRY(mg__run_load(&state, run->dir, run->model, &run->config.outputs));
    MG_TRY(mg_trainer_restore(run->trainer, state));
    MG_TRY(mg__run_save_config(run->dir, &run->config));
    MG_TRY(open_old_log(run, state));
    keep_saved(run, state);
    state = NULL;
out:
    mg_train_state_free(state);
    return st;
}

/* Adds to the message where the numbers went wrong: every step since the state last saved can be
 * repeated, so that nothing needs to be looked at in steps that go well. */
static mg_status explain(train_run *run)
{
    char what[400];
    snprintf(what, sizeof what, "%s", mg_last_error());
    if (mg_trainer_trace(run->trainer, run->saved) == MG_ERR_NUMERIC)
        return mg__fail(MG_ERR_NUMERIC, "%s; first in %s", what, mg_last_error());
    return mg__fail(MG_ERR_NUMERIC, "%s", what);
}

mg_status train_run_go(train_run *run)
{
    const mg_train_options *o = &run->config.options;
    const mg_train_hooks hooks = {.user = run,
                                  .progress = run->verbose == 1 ? train_report_progress : NULL,
                                  .epoch = on_epoch,
                                  .stop = on_stop};
    signals_catch();
    mg_status st = mg_trainer_run(run->trainer, &hooks);
    term_clear();
    const bool interrupted = st == MG_ERR_INTERRUPTED;
    if (st == MG_OK || interrupted) st = save(run); /* the end may lie within an epoch */
    signals_release();
    if (st == MG_ERR_NUMERIC) st = explain(run);
    if (st == MG_ERR_NUMERIC || st == MG_ERR_DEVICE) /* nothing is wrong with what is saved */
        st = mg__fail(st, "%s; %s keeps epoch %u", mg_last_error(), run->dir, run->saved->epoch);
    if (!st && mg_trainer_end(run->trainer) == MG_TRAIN_PATIENCE)
        st = train_log_say(&run->log, run->verbose > 0,
                           "stopped early: no better %s in %d epoch%s\n", o->monitor, o->patience,
                           o->patience == 1 ? "" : "s");
    if (interrupted && !st)
        st = mg__fail(MG_ERR_INTERRUPTED,
                      "interrupted, all is saved; to go on: "
                      "mnist_gpu train --resume %s",
                      run->dir);
    return st;
}

mg_status train_run_end(train_run *run, mg_status st)
{
    char how[8192];
    if (!run->log.path) return st;
    snprintf(how, sizeof how, "%s", st ? mg_last_error() : "finished");
    const mg_status logged = train_log_end(&run->log, how);
    return st ? mg__fail(st, "%s", how) : logged; /* the log's failure is not the first one */
}

void train_run_free(train_run *run)
{
    train_log_free(&run->log);
    mg_train_state_free(run->saved);
    mg_trainer_free(run->trainer);
    mg_backend_close(run->backend);
    mg_model_free(run->model);
    mg__run_config_free(&run->config);
    free(run->settings);
    free(run->dir);
    if (run->lock >= 0) close(run->lock);
}
