/* mnist_gpu data: download, and where the other actions are; and finding the data for the other
 * commands. */
#define _XOPEN_SOURCE 700 /* realpath, strdup */
#include "cli.h"
#include "clock.h"
#include "options.h"
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

static mg_status download(const char *dir, const char *mirror)
{
    const mg_status st = mg_dataset_download(dir, mirror, show_download, NULL);
    term_clear();
    return st;
}

/* Nothing was found: `reason` is the message. MNIST is fetched, unless this program cannot. */
static mg_status find_by_download(char **dir, const char *reason)
{
    char *cache = NULL, *searched = strdup(reason);
    mg_status st = searched ? MG_OK : mg__fail(MG_ERR_MEMORY, "out of memory");
    if (!st) st = mg_dataset_cache_dir(&cache);
    if (!st) {
        fprintf(stderr, "no data found: downloading MNIST to %s\n", cache);
        st = download(cache, NULL);
    }
    if (st == MG_ERR_NETWORK)
        mg__fail(st, "%s; --data names a directory that has the files", mg_last_error());
    if (st == MG_ERR_UNSUPPORTED || st == MG_ERR_NOT_FOUND) mg__fail(st, "%s", searched);
    if (st) free(cache);
    free(searched);
    if (!st) *dir = cache;
    return st;
}

mg_status cli_find_data(char **out, const char *dir)
{
    const char *env = getenv("MNIST_GPU_DATA");
    const bool named = dir || (env && *env);
    char *found = NULL;
    mg_status st = mg_dataset_find(&found, dir);
    if (st == MG_ERR_NOT_FOUND && !named) st = find_by_download(&found, mg_last_error());
    if (st) return st;
    *out = realpath(found, NULL);
    if (!*out) st = mg__fail(MG_ERR_IO, "%s: %s", found, strerror(errno));
    free(found);
    return st;
}

mg_status cmd_data(int argc, char **argv)
{
    mg_status st;
    static const char *const actions[] = {"download", "preview", NULL};
    if (argc > 0 && !strcmp(argv[0], "preview")) return cmd_preview(argc - 1, argv + 1);
    const char *mirror = NULL, *out = NULL;
    char *dir = NULL;
    cli_option options[] = {
        CLI_OPT_TEXT("mirror", "URL", &mirror, "a base URL to try first"),
        CLI_OPT_TEXT("out", "DIR", &out, "where to [the cache directory that train searches]"),
    };
    const cli_syntax syntax = {
        .command = "data",
        .arguments = "download",
        .min_args = 1,
        .max_args = 1,
        .about = "Downloads the four MNIST files and checks their content. Files that are there "
                 "and right are kept, and a part of a file is completed. data preview draws "
                 "augmented images: see data preview --help.",
        .options = options,
        .option_count = MG_COUNT_OF(options),
    };
    MG_TRY(cli_parse(&syntax, argc, argv, NULL));
    if (strcmp(argv[0], actions[0]) != 0)
        MG_FAIL(MG_ERR_INVALID, "data: unknown action \"%s\" (nearest: %s)", argv[0],
                cli_nearest(argv[0], actions));
    if (!out) {
        MG_TRY(mg_dataset_cache_dir(&dir));
        out = dir;
    }
    MG_TRY(download(out, mirror));
    printf("MNIST is in %s\n", out);
out:
    free(dir);
    return st;
}
