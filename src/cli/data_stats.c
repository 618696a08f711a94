/* mnist_gpu data stats: figures of a set, and a sheet of its images. */
#include "data.h"
#include "options.h"
#include "term.h"
#include "term_picture.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_CLASSES = 256 };

/* ---- figures ---- */

typedef struct figures {
    uint32_t counts[MAX_CLASSES];
    double mean, deviation; /* of all pixels, 0..1 */
    double ink;             /* the share of pixels that are not 0 */
} figures;

static figures measure(const mg_dataset *set)
{
    const size_t size = (size_t)set->count * set->channels * set->height * set->width;
    uint64_t histogram[256] = {0};
    figures f = {.counts = {0}};
    double sum = 0, squares = 0;
    for (size_t i = 0; i < size; i++) histogram[set->pixels[i]]++;
    for (int v = 0; v < 256; v++) {
        sum += (double)histogram[v] * v / 255;
        squares += (double)histogram[v] * v / 255 * v / 255;
    }
    f.mean = sum / (double)size;
    f.deviation = sqrt(fmax(squares / (double)size - f.mean * f.mean, 0));
    f.ink = 1 - (double)histogram[0] / (double)size;
    for (uint32_t i = 0; i < set->count; i++) f.counts[set->labels[i]]++;
    return f;
}

static void print_figures(const char *name, const mg_dataset *set, const figures *f)
{
    printf("%s: %u images of %u x %u x %u, mean %.4f, std %.4f, %.1f %% of the pixels not 0\n",
           name, set->count, set->channels, set->height, set->width, f->mean, f->deviation,
           100 * f->ink);
    for (uint32_t c = 0; c < set->classes; c++)
        printf("  class %3u  %7u  %5.1f %%\n", c, f->counts[c], 100.0 * f->counts[c] / set->count);
}

static json_t *figures_json(const mg_dataset *set, const figures *f)
{
    json_t *counts = json_array();
    for (uint32_t c = 0; c < set->classes; c++)
        json_array_append_new(counts, json_integer(f->counts[c]));
    return json_pack("{s:i, s:[i,i,i], s:f, s:f, s:o}", "count", (int)set->count, "shape",
                     (int)set->channels, (int)set->height, (int)set->width, "mean", f->mean, "std",
                     f->deviation, "classes", counts);
}

/* ---- the sheet ---- */

/* The first images of each class, [set->classes][columns], NULL where it has no more; malloc'd. */
static mg_status first_images(const uint8_t ***out, const mg_dataset *set, uint32_t columns)
{
    const size_t size = (size_t)set->channels * set->height * set->width;
    uint32_t used[MAX_CLASSES] = {0};
    const uint8_t **images = calloc((size_t)set->classes * columns, sizeof *images);
    if (!images) return mg__fail(MG_ERR_MEMORY, "out of memory for the sheet");
    for (uint32_t i = 0; i < set->count; i++) {
        const uint8_t label = set->labels[i];
        if (used[label] < columns) images[label * columns + used[label]++] = set->pixels + i * size;
    }
    *out = images;
    return MG_OK;
}

/* A row per class: into the file `path`, or if it is NULL, onto the terminal. */
static mg_status draw_sheet(const char *path, const mg_dataset *set, uint32_t columns)
{
    const uint8_t **images;
    mg_status st = first_images(&images, set, columns);
    if (st) return st;
    const uint32_t count = set->classes * columns;
    st = path ? data_save_sheet(path, set, images, count, columns)
              : data_show_sheet(set, images, count, columns);
    free(images);
    return st;
}

/* ---- the command ---- */

typedef struct stats_args {
    const char *sheet; /* the file of the grid, or NULL */
    int columns;
    bool show, json;
} stats_args;

/* The figures of one split; *out: its JSON, or NULL if the set has no such split. */
static mg_status stats(json_t **out, const char *dir, mg_split split, const stats_args *a)
{
    mg_dataset *set = NULL;
    const bool test = split == MG_SPLIT_TEST;
    mg_status st = mg_dataset_load(&set, dir, split);
    if (test && st == MG_ERR_NOT_FOUND) return MG_OK;
    if (st) return st;
    const uint32_t columns = (uint32_t)a->columns, fit = term_images_across(set->width);
    const figures f = measure(set);
    if (a->json)
        *out = figures_json(set, &f);
    else
        print_figures(test ? "test" : "train", set, &f);
    if (a->show && !test) MG_TRY(draw_sheet(NULL, set, columns < fit ? columns : fit));
    if (a->sheet && !test) MG_TRY(draw_sheet(a->sheet, set, columns));
out:
    mg_dataset_free(set);
    return st;
}

mg_status data_stats(int argc, char **argv)
{
    mg_status st;
    stats_args a = {.columns = 20};
    int count;
    char *dir = NULL;
    json_t *train = NULL, *test = NULL;
    cli_option options[] = {
        CLI_OPT_TEXT("grid", "FILE", &a.sheet,
                     "draw the first training images, a row per class: .png, .pgm or .ppm"),
        CLI_OPT_INT("columns", "N", &a.columns, 1, 500, "images in a row of the grid"),
        CLI_OPT_FLAG("show", &a.show, "print that grid in characters, as wide as fits"),
        CLI_OPT_FLAG("json", &a.json, "print JSON"),
    };
    const cli_syntax syntax = {
        .command = "data stats",
        .arguments = "[DIR]",
        .max_args = 1,
        .about = "Prints how many images each class has, and mean and standard deviation of the "
                 "pixels as 0 to 1, which go on a model's input line. Without DIR the data that "
                 "train would take; synth are the built-in digits.",
        .options = options,
        .option_count = MG_COUNT_OF(options),
    };
    MG_TRY(cli_parse(&syntax, argc, argv, &count));
    if (a.show && a.json)
        MG_FAIL(MG_ERR_INVALID, "data stats: give either --json or --show, not both");
    MG_TRY(cli_find_data(&dir, count ? argv[0] : NULL));
    if (!a.json) term_print("Data: %s\n", dir);
    MG_TRY(stats(&train, dir, MG_SPLIT_TRAIN, &a));
    MG_TRY(stats(&test, dir, MG_SPLIT_TEST, &a));
    if (a.json)
        MG_TRY(cli_print_json(json_pack("{s:o, s:O, s:O*}", "data", cli_json_text(dir), "train",
                                        train, "test", test)));
out:
    json_decref(train);
    json_decref(test);
    free(dir);
    return st;
}
