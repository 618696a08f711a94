/* mnist_gpu data import and export: image sets in other forms. */
#define _POSIX_C_SOURCE 200809L /* stat */
#include "data.h"
#include "mnist_gpu/image.h"
#include "data/files.h"
#include "data/import.h"
#include "data/make.h"
#include "data/source.h"
#include "io/file.h"
#include "options.h"
#include "term.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- import ---- */

typedef struct import_args {
    const char *path, *out, *split;
    int size;
    bool digits, transpose;
} import_args;

static mg_status parse_import(import_args *a, int argc, char **argv)
{
    static const char *const splits[] = {"train", "test", NULL};
    int count;
    cli_option options[] = {
        CLI_OPT_TEXT("out", "DIR", &a->out, "where the IDX files go; needed"),
        CLI_OPT_CHOICE("split", splits, &a->split, "of folders and CSV: which part they are"),
        CLI_OPT_INT("size", "N", &a->size, 0, 4096, "of folders: resize to N x N; 0 = as they are"),
        CLI_OPT_FLAG("digits", &a->digits,
                     "of folders: prepare each picture as predict does, 28x28 in MNIST's form"),
        CLI_OPT_FLAG("transpose", &a->transpose, "swap rows and columns; EMNIST's images need it"),
    };
    const cli_syntax syntax = {
        .command = "data import",
        .arguments = "SOURCE",
        .min_args = 1,
        .max_args = 1,
        .about = "Makes IDX files of SOURCE: a folder that has a folder of pictures per class; a "
                 "CSV file with lines of label,pixel,...; numpy's mnist.npz as Keras has it; a "
                 "folder with IDX files; or the beginning of EMNIST's names, as in "
                 "gzip/emnist-letters. Names of classes go to classes.txt.",
        .options = options,
        .option_count = MG_COUNT_OF(options),
    };
    mg_status st = cli_parse(&syntax, argc, argv, &count);
    if (st) return st;
    a->path = argv[0];
    if (!a->out) return mg__fail(MG_ERR_INVALID, "data import: --out is missing");
    if (a->digits && a->size)
        return mg__fail(MG_ERR_INVALID, "data import: give either --digits or --size, not both");
    return MG_OK;
}

static mg_status import_idx(mg_import *out, const char *dir)
{
    mg_status st = mg_dataset_load(&out->train, dir, MG_SPLIT_TRAIN);
    if (!st) st = mg_dataset_load(&out->test, dir, MG_SPLIT_TEST);
    return st == MG_ERR_NOT_FOUND && out->train ? MG_OK : st;
}

static mg_status import_folder(mg_import *out, const import_args *a, mg_split split)
{
    char *images;
    const mg_folder_options options = {(uint32_t)a->size, a->digits};
    const mg_status st = mg__set_locate(&images, a->path, MG_TRAIN_IMAGES);
    const bool idx = images != NULL;
    free(images);
    if (st) return st;
    return idx ? import_idx(out, a->path) : mg__import_folders(out, a->path, split, &options);
}

/* A ZIP archive is .npz, by its first two bytes; any other file is text. */
static mg_status import_file(mg_import *out, const import_args *a, mg_split split)
{
    char start[2] = "";
    size_t size;
    mg_source *file;
    mg_status st = mg__source_open(&file, a->path, false);
    if (!st) {
        st = mg__source_read(file, start, sizeof start, &size);
        mg__source_close(file);
    }
    if (st) return st;
    return size == 2 && !memcmp(start, "PK", 2)
               ? mg__import_npz(out, a->path)
               : mg__import_csv(split == MG_SPLIT_TEST ? &out->test : &out->train, a->path);
}

static mg_status import_any(mg_import *out, const import_args *a)
{
    struct stat info;
    bool there = false;
    const mg_split split = !strcmp(a->split, "test") ? MG_SPLIT_TEST : MG_SPLIT_TRAIN;
    const mg_status st = mg__file_find(&there, &info, a->path);
    if (st) return st;
    if (!there) return mg__import_prefix(out, a->path);
    return S_ISDIR(info.st_mode) ? import_folder(out, a, split) : import_file(out, a, split);
}

/* A line per class. */
static mg_status save_names(const char *dir, const mg_import *import)
{
    mg_status st;
    char *path = mg__format("%s/classes.txt", dir);
    mg_slice *lines = calloc(2 * (size_t)import->name_count, sizeof *lines);
    if (!path || !lines) MG_FAIL(MG_ERR_MEMORY, "out of memory");
    for (int i = 0; i < import->name_count; i++) {
        lines[2 * i] = (mg_slice){import->names[i], strlen(import->names[i])};
        lines[2 * i + 1] = (mg_slice){"\n", 1};
    }
    st = mg__file_replace(path, lines, 2 * import->name_count);
out:
    free(lines);
    free(path);
    return st;
}

static mg_status save_split(mg_dataset *set, const import_args *a, mg_split split)
{
    mg_status st = set && a->transpose ? mg__dataset_transpose(set) : MG_OK;
    if (!set || st) return st;
    st = mg_dataset_save(set, a->out, split);
    if (!st)
        term_print("%s: %u %s images of %u x %u x %u, %u classes\n", a->out, set->count,
                   split == MG_SPLIT_TEST ? "test" : "training", set->channels, set->height,
                   set->width, set->classes);
    return st;
}

mg_status data_import(int argc, char **argv)
{
    mg_status st;
    import_args a = {.split = "train"};
    mg_import import = {0};
    MG_TRY(parse_import(&a, argc, argv));
    MG_TRY(import_any(&import, &a));
    MG_TRY(save_split(import.train, &a, MG_SPLIT_TRAIN));
    MG_TRY(save_split(import.test, &a, MG_SPLIT_TEST));
    if (import.name_count) MG_TRY(save_names(a.out, &import));
out:
    mg__import_free(&import);
    return st;
}

/* ---- export ---- */

static mg_status export_image(const mg_dataset *set, uint32_t index, const char *dir,
                              const char *format, uint8_t *pixels)
{
    const size_t plane = (size_t)set->height * set->width, channels = set->channels;
    const uint8_t *from = set->pixels + index * channels * plane;
    const mg_image image = {set->width, set->height, set->channels, pixels};
    char *path = mg__format("%s/%u/%06u.%s", dir, set->labels[index], index, format);
    if (!path) return mg__fail(MG_ERR_MEMORY, "out of memory");
    for (size_t c = 0; c < channels; c++)
        for (size_t p = 0; p < plane; p++) pixels[p * channels + c] = from[c * plane + p];
    const mg_status st = mg_image_save(&image, path);
    free(path);
    return st;
}

static mg_status export_split(const mg_dataset *set, const char *dir, const char *format)
{
    mg_status st = MG_OK;
    bool made[256] = {false};
    char *folder = NULL;
    uint8_t *pixels = malloc((size_t)set->channels * set->height * set->width);
    if (!pixels) MG_FAIL(MG_ERR_MEMORY, "out of memory");
    for (uint32_t i = 0; i < set->count; i++) {
        const uint8_t label = set->labels[i];
        if (!made[label]) {
            free(folder);
            folder = mg__format("%s/%u", dir, label);
            if (!folder) MG_FAIL(MG_ERR_MEMORY, "out of memory");
            MG_TRY(mg__make_dirs(folder));
            made[label] = true;
        }
        MG_TRY(export_image(set, i, dir, format, pixels));
    }
    term_print("%u pictures are in %s\n", set->count, dir);
out:
    free(folder);
    free(pixels);
    return st;
}

mg_status data_export(int argc, char **argv)
{
    mg_status st;
    static const char *const formats[] = {"png", "pgm", "ppm", NULL};
    static const char *const splits[] = {"train", "test", NULL};
    const char *out = NULL, *format = "png", *split = "train";
    uint64_t limit = 0;
    int count;
    char *dir = NULL;
    mg_dataset *set = NULL, part;
    cli_option options[] = {
        CLI_OPT_TEXT("out", "DIR", &out, "where the folders go; needed"),
        CLI_OPT_CHOICE("split", splits, &split, "which images"),
        CLI_OPT_CHOICE("format", formats, &format, "of the pictures; ppm for three channels"),
        CLI_OPT_U64("limit", "N", &limit, UINT32_MAX, "only the first N; 0 = all"),
    };
    const cli_syntax syntax = {
        .command = "data export",
        .arguments = "[DIR]",
        .max_args = 1,
        .about = "Makes a folder of pictures per class of the IDX files in DIR, each named by its "
                 "place in the file: OUT/7/000042.png. Without DIR the data that train would "
                 "take; synth are the built-in digits.",
        .options = options,
        .option_count = MG_COUNT_OF(options),
    };
    MG_TRY(cli_parse(&syntax, argc, argv, &count));
    if (!out) MG_FAIL(MG_ERR_INVALID, "data export: --out is missing");
    MG_TRY(cli_find_data(&dir, count ? argv[0] : NULL));
    MG_TRY(mg_dataset_load(&set, dir, !strcmp(split, "test") ? MG_SPLIT_TEST : MG_SPLIT_TRAIN));
    if (set->channels != 1 && set->channels != 3)
        MG_FAIL(MG_ERR_UNSUPPORTED, "%s: images of %u channels, but a picture has 1 or 3",
                set->source, set->channels);
    part = mg_dataset_slice(set, 0, limit && limit < set->count ? (uint32_t)limit : set->count);
    MG_TRY(export_split(&part, out, format));
out:
    mg_dataset_free(set);
    free(dir);
    return st;
}
