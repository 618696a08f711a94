/* What training writes as it goes: the state, and what is derived from it for others to read. */
#define _POSIX_C_SOURCE 200809L /* unlink */
#include "io/file.h"
#include "io/history.h"
#include "io/run.h"
#include "io/run_files.h"
#include "io/tensorboard.h"
#include "mnist_gpu/weights.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static mg_status write_weights(const char *dir, const char *name, const mg_model *model,
                               const mg_train_state *state, const mg_run_outputs *o)
{
    char *path = NULL;
    const char *const metadata[] = {"data", o->data};
    mg_status st = mg__run_file(&path, dir, name);
    if (!st) st = mg_weights_save(path, model, state->params, metadata, o->data ? 1 : 0);
    free(path);
    return st;
}

static mg_status write_metrics(const char *dir, const mg_train_state *state)
{
    mg_status st;
    char *csv = NULL, *jsonl = NULL;
    MG_TRY(mg__run_file(&csv, dir, MG_RUN_CSV));
    MG_TRY(mg__run_file(&jsonl, dir, MG_RUN_JSONL));
    MG_TRY(mg__history_write_csv(csv, state));
    MG_TRY(mg__history_write_jsonl(jsonl, state));
out:
    free(csv);
    free(jsonl);
    return st;
}

/* *found: whether it was there. */
static mg_status remove_epoch(const char *dir, int epoch, bool *found)
{
    char *path = NULL, name[MG_RUN_EPOCH_SIZE];
    snprintf(name, sizeof name, MG_RUN_EPOCH, epoch);
    mg_status st = mg__run_file(&path, dir, name);
    if (st) return st;
    *found = unlink(path) == 0;
    if (!*found && errno != ENOENT)
        st = mg__fail(MG_ERR_IO, "%s: cannot remove: %s", path, strerror(errno));
    free(path);
    return st;
}

/* From the latest down to the first that is gone: those before it went with earlier epochs. */
static mg_status remove_epochs_to(const char *dir, int latest)
{
    mg_status st = MG_OK;
    bool found = true;
    for (int epoch = latest; epoch > 0 && found && !st; epoch--)
        st = remove_epoch(dir, epoch, &found);
    return st;
}

static mg_status write_epoch(const char *dir, const mg_model *model, const mg_train_state *state,
                             const mg_run_outputs *o)
{
    char name[MG_RUN_EPOCH_SIZE];
    const int epoch = (int)state->epoch;
    snprintf(name, sizeof name, MG_RUN_EPOCH, epoch);
    const mg_status st = write_weights(dir, name, model, state, o);
    return st || !o->keep ? st : remove_epochs_to(dir, epoch - o->keep);
}

/* All of it follows from the state alone: equal states give equal files (the metrics hold times,
 * but the state's). */
static mg_status write_derived(const char *dir, const mg_model *model, const mg_train_state *state,
                               const mg_run_outputs *o)
{
    mg_status st = MG_OK;
    const bool epoch_ended = state->epoch > 0 && state->cursor == 0;
    const bool is_best = epoch_ended && state->epoch == (uint32_t)state->best_epoch;
    if (o->last) MG_TRY(write_weights(dir, MG_RUN_LAST, model, state, o));
    if (o->best && is_best) MG_TRY(write_weights(dir, MG_RUN_BEST, model, state, o));
    if (o->epoch && epoch_ended) MG_TRY(write_epoch(dir, model, state, o));
    MG_TRY(write_metrics(dir, state));
    if (o->tensorboard) MG_TRY(mg__tensorboard_write(dir, o->started, state));
out:
    return st;
}

mg_status mg__run_save(const char *dir, const mg_model *model, const mg_train_state *state,
                       const mg_run_outputs *outputs)
{
    mg_status st;
    char *path = NULL;
    MG_TRY(mg__run_file(&path, dir, MG_RUN_STATE));
    MG_TRY(mg__state_write(path, model, state, outputs->settings));
    MG_TRY(write_derived(dir, model, state, outputs));
out:
    free(path);
    return st;
}

/* ---- after a kill ---- */

/* "best.safetensors.tmp.123": what mg__file_replace leaves behind if it is killed. */
static bool is_leftover(const char *name)
{
    static const char *const ours[] = {MG_RUN_CONFIG, MG_RUN_STATE, MG_RUN_LAST,  MG_RUN_BEST,
                                       MG_RUN_CSV,    MG_RUN_JSONL, MG_RUN_EVENTS};
    const char *suffix = strstr(name, ".tmp.");
    const size_t length = suffix ? (size_t)(suffix - name) : 0;
    char file[64];
    if (!suffix || length >= sizeof file) return false;
    memcpy(file, name, length);
    file[length] = 0;
    for (int i = 0; i < MG_COUNT_OF(ours); i++)
        if (strcmp(file, ours[i]) == 0) return true;
    return mg__run_epoch_of(file) > 0;
}

static void remove_leftovers(const char *dir)
{
    char *path;
    DIR *entries = opendir(dir);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        if (!is_leftover(entry->d_name) || mg__run_file(&path, dir, entry->d_name)) continue;
        unlink(path);
        free(path);
    }
    if (entries) closedir(entries);
}

/* They do no harm but take room: where one cannot be removed, it stays. */
void mg__run_remove_leftovers(const char *dir)
{
    static const char *const places[] = {".", MG_RUN_TRAIN, MG_RUN_VALIDATION};
    char *path;
    for (int i = 0; i < MG_COUNT_OF(places); i++) {
        if (mg__run_file(&path, dir, places[i])) continue;
        remove_leftovers(path);
        free(path);
    }
}

mg_status mg__run_load(mg_train_state **out, const char *dir, const mg_model *model,
                       const mg_run_outputs *outputs)
{
    mg_status st;
    char *path = NULL;
    mg_train_state *state = NULL;
    MG_TRY(mg__run_file(&path, dir, MG_RUN_STATE));
    MG_TRY(mg__state_read(&state, path, model, outputs->settings));
    mg__run_remove_leftovers(dir);
    MG_TRY(write_derived(dir, model, state, outputs));
    *out = state;
    state = NULL;
out:
    mg_train_state_free(state);
    free(path);
    return st;
}
