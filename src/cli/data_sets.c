/* mnist_gpu data download, synth and verify: sets in IDX files. */
#include "data.h"
#include "data/files.h"
#include "options.h"
#include "term.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

mg_status data_download(int argc, char **argv)
{
    mg_status st;
    static const char *const sets[] = {"mnist", "fashion", "kmnist", NULL};
    const char *set = sets[0], *mirror = NULL, *out = NULL;
    char *dir = NULL;
    cli_option options[] = {
        CLI_OPT_CHOICE("set", sets, &set, "MNIST, Fashion-MNIST or Kuzushiji-MNIST"),
        CLI_OPT_TEXT("mirror", "URL", &mirror, "a base URL to try first"),
        CLI_OPT_TEXT("out", "DIR", &out, "where to [the cache directory; MNIST is found there]"),
    };
    const cli_syntax syntax = {
        .command = "data download",
        .arguments = "",
        .about = "Downloads the four files of a set and checks their SHA-256. Files that are there "
                 "and right are kept, and a part of a file is completed.",
        .options = options,
        .option_count = MG_COUNT_OF(options),
    };
    MG_TRY(cli_parse(&syntax, argc, argv, NULL));
    if (!out) {
        MG_TRY(mg_dataset_cache_dir(&dir, set));
        out = dir;
    }
    MG_TRY(cli_download(out, set, mirror));
    term_print("%s is in %s\n", set, out);
out:
    free(dir);
    return st;
}

mg_status data_synth(int argc, char **argv)
{
    mg_status st;
    const char *out = NULL;
    uint64_t seed = 1;
    int counts[] = {[MG_SPLIT_TRAIN] = 60000, [MG_SPLIT_TEST] = 10000};
    mg_dataset *set = NULL;
    cli_option options[] = {
        CLI_OPT_TEXT("out", "DIR", &out, "where the files go; needed"),
        CLI_OPT_INT("count", "N", &counts[MG_SPLIT_TRAIN], 1, 10000000, "training images"),
        CLI_OPT_INT("test-count", "N", &counts[MG_SPLIT_TEST], 1, 10000000, "test images"),
        CLI_OPT_U64("seed", "N", &seed, UINT64_MAX, "of all that is random in them"),
    };
    const cli_syntax syntax = {
        .command = "data synth",
        .arguments = "",
        .about = "Draws digits by rule, in several styles of writing and in MNIST's form, and "
                 "writes them as IDX files. The same seed gives the same bytes on every machine. "
                 "train --data synth takes those of seed 1 without files.",
        .options = options,
        .option_count = MG_COUNT_OF(options),
    };
    MG_TRY(cli_parse(&syntax, argc, argv, NULL));
    if (!out) MG_FAIL(MG_ERR_INVALID, "data synth: --out is missing");
    for (int split = MG_SPLIT_TRAIN; split <= MG_SPLIT_TEST; split++) {
        mg_dataset_free(set);
        set = NULL;
        MG_TRY(mg_dataset_synthesize(&set, (uint32_t)counts[split], seed, (mg_split)split));
        MG_TRY(mg_dataset_save(set, out, (mg_split)split));
    }
    term_print("%d training and %d test images of " MG_SYNTHETIC " are in %s\n",
               counts[MG_SPLIT_TRAIN], counts[MG_SPLIT_TEST], out);
out:
    mg_dataset_free(set);
    return st;
}

/* ---- verify ---- */

/* The well-known set whose file it is; NULL if it is none. */
static mg_status identify(const mg_known_set **out, const char *path, mg_set_file file)
{
    *out = NULL;
    for (const mg_known_set *set = mg__known_sets; set->name; set++) {
        const mg_status st = mg__known_check(set, path, file);
        if (st == MG_OK) {
            *out = set;
            return MG_OK;
        }
        if (st != MG_ERR_MISMATCH) return st;
    }
    return MG_OK;
}

/* Loads the split if there is any of it. */
static mg_status verify_split(const char *dir, mg_split split, bool *found)
{
    mg_status st;
    const bool test = split == MG_SPLIT_TEST;
    char *images = NULL, *labels = NULL;
    mg_dataset *set = NULL;
    uint32_t counts[256] = {0}, empty = 0;
    MG_TRY(mg__set_locate(&images, dir, test ? MG_TEST_IMAGES : MG_TRAIN_IMAGES));
    MG_TRY(mg__set_locate(&labels, dir, test ? MG_TEST_LABELS : MG_TRAIN_LABELS));
    if (!images && !labels) goto out;
    *found = true;
    MG_TRY(mg_dataset_load(&set, dir, split));
    for (uint32_t i = 0; i < set->count; i++) counts[set->labels[i]]++;
    for (uint32_t c = 0; c < set->classes; c++) empty += !counts[c];
    printf("%s: %u images of %u x %u x %u, labels 0 to %u", test ? "test" : "train", set->count,
           set->channels, set->height, set->width, set->classes - 1);
    if (empty) printf(" (%u of them without images)", empty);
    printf("\n");
out:
    free(images);
    free(labels);
    mg_dataset_free(set);
    return st;
}

/* Says what each file is; all four must be of the set `wanted`, if it is not NULL. */
static mg_status verify_checksums(const char *dir, const char *wanted)
{
    mg_status st = MG_OK;
    char *path = NULL;
    for (int file = 0; file < MG_SET_FILE_COUNT; file++) {
        const mg_known_set *set = NULL;
        free(path);
        path = NULL;
        MG_TRY(mg__set_locate(&path, dir, (mg_set_file)file));
        if (!path) {
            if (wanted)
                MG_TRY(mg__fail(MG_ERR_NOT_FOUND, "%s: no %s", dir,
                                mg__known_sets[0].files[file].name));
            continue;
        }
        MG_TRY(identify(&set, path, (mg_set_file)file));
        term_print("%s: %s\n", path, set ? set->title : "of no known checksum");
        if (wanted && (!set || strcmp(set->name, wanted) != 0))
            MG_FAIL(MG_ERR_MISMATCH, "%s: not a file of %s", path, wanted);
    }
out:
    free(path);
    return st;
}

mg_status data_verify(int argc, char **argv)
{
    mg_status st;
    static const char *const sets[] = {"mnist", "fashion", "kmnist", NULL};
    const char *wanted = NULL;
    bool found = false;
    int count;
    cli_option options[] = {
        CLI_OPT_CHOICE("set", sets, &wanted, "fail unless the files are this set's"),
    };
    const cli_syntax syntax = {
        .command = "data verify",
        .arguments = "DIR",
        .min_args = 1,
        .max_args = 1,
        .about = "Reads the IDX files in DIR to their ends, compares the counts of images and "
                 "labels, and says which are MNIST's, Fashion-MNIST's or KMNIST's by their "
                 "SHA-256 (the latter two only as the .gz that were published).",
        .options = options,
        .option_count = MG_COUNT_OF(options),
    };
    MG_TRY(cli_parse(&syntax, argc, argv, &count));
    MG_TRY(verify_split(argv[0], MG_SPLIT_TRAIN, &found));
    MG_TRY(verify_split(argv[0], MG_SPLIT_TEST, &found));
    if (!found) MG_TRY(mg_dataset_load(&(mg_dataset *){NULL}, argv[0], MG_SPLIT_TRAIN));
    MG_TRY(verify_checksums(argv[0], wanted));
out:
    return st;
}
