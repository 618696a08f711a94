/* Which images a command works on: a directory, the ones found or fetched, or the built-in ones. */
#define _XOPEN_SOURCE 700 /* realpath, strdup */
#include "clock.h"
#include "data.h"
#include "term.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Draws what has come so far, a few times a second. */
static void show_download(void *user, const char *file, uint64_t done, uint64_t total)
{
    static double last;
    (void)user;
    const double now = mg__seconds();
    if (now - last < 0.1 && done != total) return;
    last = now;
    char bar[TERM_BAR_SIZE];
    if (total) {
        term_bar(bar, sizeof bar, 2, (double)done / (double)total, 30);
        term_draw("%-28s [%s] %6.1f of %.1f MB", file, bar, (double)done / 1e6,
                  (double)total / 1e6);
    } else {
        term_draw("%-28s %6.1f MB", file, (double)done / 1e6);
    }
}

mg_status cli_download(const char *dir, const char *set, const char *mirror)
{
    const mg_status st = mg_dataset_download(dir, set, mirror, show_download, NULL);
    term_clear();
    return st;
}

/* Nothing was found: `reason` is the message. MNIST is fetched, unless this program cannot. */
static mg_status find_by_download(char **dir, const char *reason)
{
    char *cache = NULL, *searched = strdup(reason);
    mg_status st = searched ? MG_OK : mg__fail(MG_ERR_MEMORY, "out of memory");
    if (!st) st = mg_dataset_cache_dir(&cache, "mnist");
    if (!st) {
        fprintf(stderr, "no data found: downloading MNIST to %s\n", cache);
        st = cli_download(cache, "mnist", NULL);
    }
    if (st == MG_ERR_NETWORK)
        mg__fail(st,
                 "%s; --data names a directory that has the files, --data synth takes the "
                 "built-in digits",
                 mg_last_error());
    if (st == MG_ERR_UNSUPPORTED || st == MG_ERR_NOT_FOUND) mg__fail(st, "%s", searched);
    if (st) free(cache);
    free(searched);
    if (!st) *dir = cache;
    return st;
}

mg_status cli_find_data(char **out, const char *name)
{
    const char *env = getenv("MNIST_GPU_DATA");
    const char *dir = name && strcmp(name, "mnist") != 0 ? name : NULL;
    const bool named = dir || (env && *env);
    char *found = NULL;
    if (dir && (!strcmp(dir, "synth") || !strcmp(dir, MG_SYNTHETIC))) {
        *out = strdup(MG_SYNTHETIC);
        return *out ? MG_OK : mg__fail(MG_ERR_MEMORY, "out of memory");
    }
    mg_status st = mg_dataset_find(&found, dir);
    if (st == MG_ERR_NOT_FOUND && !named) st = find_by_download(&found, mg_last_error());
    if (st) return st;
    *out = realpath(found, NULL);
    if (!*out) st = mg__fail(MG_ERR_IO, "%s: %s", found, strerror(errno));
    free(found);
    return st;
}

mg_status cli_find_training_data(char **out, const char *name)
{
    const char *env = getenv("MNIST_GPU_DATA");
    const mg_status st = cli_find_data(out, name);
    const bool none = st == MG_ERR_NOT_FOUND || st == MG_ERR_NETWORK || st == MG_ERR_UNSUPPORTED;
    if (!none || name || (env && *env)) return st;
    char *reason = strdup(mg_last_error());
    if (!reason) return mg__fail(MG_ERR_MEMORY, "out of memory");
    mg__fail(st,
             "training on the built-in " MG_SYNTHETIC ", for there is no MNIST (--data mnist "
             "insists on it): %s",
             reason);
    free(reason);
    cli_report(mg_last_error());
    return cli_find_data(out, "synth");
}
