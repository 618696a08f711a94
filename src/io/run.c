/* Run directories: their names, and finding one again. */
#define _POSIX_C_SOURCE 200809L /* localtime_r, st_mtim */
#include "io/run.h"
#include "io/file.h"
#include "io/run_files.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define RUNS "runs"

mg_status mg__run_file(char **out, const char *dir, const char *name)
{
    char *path = mg__format("%s/%s", dir, name);
    if (!path) return mg__fail(MG_ERR_MEMORY, "%s/%s: out of memory", dir, name);
    *out = path;
    return MG_OK;
}

/* *found: does `dir` hold a file of that name? */
static mg_status holds(bool *found, const char *dir, const char *name)
{
    struct stat info;
    char *path = NULL;
    mg_status st = mg__run_file(&path, dir, name);
    if (!st) st = mg__file_find(found, &info, path);
    free(path);
    return st;
}

/* Opens a directory to be listed; *out is NULL where there is none. */
static mg_status open_listing(DIR **out, const char *dir)
{
    *out = opendir(dir);
    if (!*out && errno != ENOENT && errno != ENOTDIR)
        return mg__fail(errno == ENOMEM ? MG_ERR_MEMORY : MG_ERR_IO, "%s: cannot list: %s", dir,
                        strerror(errno));
    return MG_OK;
}

int mg__run_epoch_of(const char *name)
{
    char again[MG_RUN_EPOCH_SIZE];
    int epoch;
    if (sscanf(name, "epoch-%9d", &epoch) != 1 || epoch < 1) return 0;
    snprintf(again, sizeof again, MG_RUN_EPOCH, epoch);
    return strcmp(name, again) == 0 ? epoch : 0;
}

/* The name of the latest epoch's weights; "" if there are none. */
static mg_status latest_epoch(char name[MG_RUN_EPOCH_SIZE], const char *dir)
{
    int latest = 0;
    DIR *entries;
    const mg_status st = open_listing(&entries, dir);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        const int epoch = mg__run_epoch_of(entry->d_name);
        if (epoch > latest) latest = epoch;
    }
    if (entries) closedir(entries);
    *name = 0;
    if (latest) snprintf(name, MG_RUN_EPOCH_SIZE, MG_RUN_EPOCH, latest);
    return st;
}

/* The name of the weights that stand for the run; "" if there are none. */
static mg_status find_weights(char name[MG_RUN_EPOCH_SIZE], const char *dir)
{
    static const char *const names[] = {MG_RUN_BEST, MG_RUN_LAST};
    for (int i = 0; i < MG_COUNT_OF(names); i++) {
        bool found = false;
        const mg_status st = holds(&found, dir, names[i]);
        if (st) return st;
        if (!found) continue;
        snprintf(name, MG_RUN_EPOCH_SIZE, "%s", names[i]);
        return MG_OK;
    }
    return latest_epoch(name, dir);
}

/* "runs/20260801-093000-lenet5"; of a model file's path only the last part, in characters that
 * every file system and shell takes. */
static char *new_dir_name(const char *model_name)
{
    char stamp[32], model[48];
    const time_t now = time(NULL);
    struct tm local;
    localtime_r(&now, &local);
    strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &local);

    const char *slash = strrchr(model_name, '/');
    snprintf(model, sizeof model, "%s", slash ? slash + 1 : model_name);
    for (char *c = model; *c; c++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", *c))
            *c = '_';
    return mg__format(RUNS "/%s-%s", stamp, model);
}

mg_status mg__run_new_dir(char **out, const char *model_name)
{
    mg_status st;
    char *path = NULL, *base = new_dir_name(model_name);
    if (!base) MG_FAIL(MG_ERR_MEMORY, "out of memory");
    MG_TRY(mg__make_dirs(RUNS));
    for (int number = 1;; number++) {
        path = number == 1 ? mg__format("%s", base) : mg__format("%s-%d", base, number);
        if (!path) MG_FAIL(MG_ERR_MEMORY, "out of memory");
        if (mkdir(path, 0777) == 0) {
            MG_TRY(mg__sync_parent(path));
            break;
        }
        if (errno != EEXIST)
            MG_FAIL(MG_ERR_IO, "%s: cannot create directory: %s", path, strerror(errno));
        free(path);
    }
    *out = path;
    path = NULL;
out:
    free(path);
    free(base);
    return st;
}

/* Our config alone is a run that was killed before its first state was saved: there is nothing to
 * resume, and nothing is lost by beginning again. Another program's config.json is left alone. */
static mg_status has_foreign_config(bool *foreign, const char *dir)
{
    mg_run_config config = {0};
    const mg_status st = mg__run_load_config(&config, dir);
    mg__run_config_free(&config);
    *foreign = st == MG_ERR_FORMAT;
    return *foreign || st == MG_ERR_NOT_FOUND ? MG_OK : st;
}

mg_status mg__run_make_dir(const char *dir)
{
    static const char *const names[] = {MG_RUN_STATE,
                                        MG_RUN_LAST,
                                        MG_RUN_BEST,
                                        MG_RUN_CSV,
                                        MG_RUN_JSONL,
                                        MG_RUN_LOG,
                                        MG_RUN_TRAIN "/" MG_RUN_EVENTS,
                                        MG_RUN_VALIDATION "/" MG_RUN_EVENTS};
    mg_status st;
    char epoch[MG_RUN_EPOCH_SIZE];
    const char *found = NULL;
    bool is_there = false;
    MG_TRY(mg__make_dirs(dir));
    MG_TRY(has_foreign_config(&is_there, dir));
    if (is_there) found = MG_RUN_CONFIG;
    for (int i = 0; i < MG_COUNT_OF(names) && !found; i++) {
        MG_TRY(holds(&is_there, dir, names[i]));
        if (is_there) found = names[i];
    }
    MG_TRY(latest_epoch(epoch, dir));
    if (!found && *epoch) found = epoch;
    if (found)
        MG_FAIL(MG_ERR_INVALID,
                "%s: holds a run already (%s): resume it or choose another directory", dir, found);
    mg__run_remove_leftovers(dir);
out:
    return st;
}

/* When the run's state was written; *found: there are a state and weights. */
static mg_status run_time(struct timespec *out, bool *found, const char *dir)
{
    mg_status st;
    struct stat info;
    char *state = NULL, name[MG_RUN_EPOCH_SIZE] = "";
    MG_TRY(mg__run_file(&state, dir, MG_RUN_STATE));
    MG_TRY(mg__file_find(found, &info, state));
    if (*found) MG_TRY(find_weights(name, dir));
    *found = *name;
    if (*found) *out = info.st_mtim;
out:
    free(state);
    return st;
}

static bool is_later(struct timespec a, struct timespec b)
{
    return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

mg_status mg__run_latest(char **out)
{
    mg_status st;
    char *latest = NULL, *dir = NULL;
    struct timespec latest_time = {0}, time = {0};
    DIR *runs;
    MG_TRY(open_listing(&runs, RUNS));
    for (struct dirent *entry; runs && (entry = readdir(runs));) {
        if (entry->d_name[0] == '.') continue;
        bool found = false;
        free(dir);
        dir = NULL;
        MG_TRY(mg__run_file(&dir, RUNS, entry->d_name));
        MG_TRY(run_time(&time, &found, dir));
        if (!found || (latest && !is_later(time, latest_time))) continue;
        free(latest);
        latest = dir;
        dir = NULL;
        latest_time = time;
    }
    if (!latest)
        MG_FAIL(MG_ERR_NOT_FOUND, "no run with weights under ./" RUNS
                                  ": train one first (mnist_gpu train) or name one");
    *out = latest;
    latest = NULL;
out:
    if (runs) closedir(runs);
    free(dir);
    free(latest);
    return st;
}

/* *dir becomes the caller's directory, NULL for a plain file. */
static mg_status find_dir(char **dir, const char *run_or_file)
{
    struct stat info;
    if (!run_or_file) return mg__run_latest(dir);
    if (stat(run_or_file, &info) != 0)
        return mg__fail(MG_ERR_NOT_FOUND, "%s: neither a run directory nor a weights file: %s",
                        run_or_file, strerror(errno));
    *dir = S_ISDIR(info.st_mode) ? mg__format("%s", run_or_file) : NULL;
    return S_ISDIR(info.st_mode) && !*dir ? mg__fail(MG_ERR_MEMORY, "out of memory") : MG_OK;
}

mg_status mg__run_weights_path(char **out, char **out_dir, const char *run_or_file)
{
    mg_status st;
    char *dir = NULL, *path = NULL, name[MG_RUN_EPOCH_SIZE];
    MG_TRY(find_dir(&dir, run_or_file));
    if (!dir) {
        path = mg__format("%s", run_or_file);
        if (!path) MG_FAIL(MG_ERR_MEMORY, "out of memory");
    } else {
        MG_TRY(find_weights(name, dir));
        if (!*name)
            MG_FAIL(MG_ERR_NOT_FOUND,
                    "%s: no weights in this directory (" MG_RUN_BEST ", " MG_RUN_LAST
                    " or those of an epoch)",
                    dir);
        MG_TRY(mg__run_file(&path, dir, name));
    }
    *out = path;
    *out_dir = dir;
    path = dir = NULL;
out:
    free(path);
    free(dir);
    return st;
}
