/* mnist_gpu grid: test images with what a network takes them for. */
#include "cli.h"
#include "device.h"
#include "draw/grid.h"
#include "image/mosaic.h"
#include "options.h"
#include "term.h"
#include "term_picture.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct grid_args {
    const char *run_or_file, *out, *data, *device, *kernels, *model;
    int count, columns, threads;
    bool wrong, show;
} grid_args;

/* A test image as the network sees it. */
typedef struct reading {
    uint32_t index;
    int class, label;
    double probability; /* of `class` */
} reading;

static mg_status parse(grid_args *a, int argc, char **argv)
{
    cli_option options[] = {
        CLI_OPT_INT("count", "N", &a->count, 1, 400, "images, at most"),
        CLI_OPT_FLAG("wrong", &a->wrong, "only those read wrong, the most confident first"),
        CLI_OPT_INT("columns", "N", &a->columns, 1, 20, "images in a row [as many as rows]"),
        CLI_OPT_TEXT("out", "FILE", &a->out,
                     "the picture, .png or .svg [grid.png, or none with "
                     "--show]"),
        CLI_OPT_FLAG("show", &a->show, "print the images in characters"),
        CLI_OPT_TEXT("data", "DIR|mnist|synth", &a->data, "as in train [the run's, else mnist]"),
        CLI_OPT_DEVICE(&a->device, ""),
        CLI_OPT_THREADS(&a->threads, ""),
        CLI_OPT_KERNELS(&a->kernels, ""),
        CLI_OPT_TEXT("model", "PRESET|FILE", &a->model,
                     "the model, for weights without model text, as PyTorch saves them"),
    };
    const cli_syntax syntax = {
        .command = "grid",
        .arguments = "[RUN|WEIGHTS]",
        .max_args = 1,
        .about = "Draws the first test images, each with the class that the network takes it for "
                 "and that class's probability: green where it is right, else red, with the true "
                 "class in brackets. Without RUN or WEIGHTS the latest run's best weights are "
                 "taken.",
        .options = options,
        .option_count = MG_COUNT_OF(options),
    };
    int count;
    const mg_status st = cli_parse(&syntax, argc, argv, &count);
    a->run_or_file = st == MG_OK && count ? argv[0] : NULL;
    return st;
}

/* ---- which images ---- */

static int by_confidence(const void *a, const void *b)
{
    const reading *x = a, *y = b;
    if (x->probability != y->probability) return x->probability < y->probability ? 1 : -1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static reading read_one(const float *p, int classes, uint32_t index, int label)
{
    int best = 0;
    for (int i = 1; i < classes; i++)
        if (p[i] > p[best]) best = i;
    return (reading){index, best, label, (double)p[best]};
}

/* readings: [set->count], of which the first *count are to be shown. *wrong: of all looked at. */
static mg_status choose(reading *readings, uint32_t *count, const grid_args *a,
                        const cli_network *n, mg_backend *backend, const mg_dataset *set)
{
    const int classes = mg_model_classes(n->model);
    const uint32_t most = (uint32_t)a->count;
    const uint32_t looked_at = a->wrong || set->count < most ? set->count : most;
    float *p = malloc((size_t)looked_at * (size_t)classes * sizeof *p);
    if (!p) return mg__fail(MG_ERR_MEMORY, "out of memory for %u images", looked_at);
    const mg_status st = mg_predict(backend, n->model, n->params, set->pixels, looked_at, p);
    *count = 0;
    for (uint32_t i = 0; i < looked_at && !st; i++) {
        const reading r = read_one(p + (size_t)i * (size_t)classes, classes, i, set->labels[i]);
        if (!a->wrong || r.class != r.label) readings[(*count)++] = r;
    }
    free(p);
    if (a->wrong) qsort(readings, *count, sizeof *readings, by_confidence);
    if (*count > most) *count = most;
    return st;
}

/* ---- how they are shown ---- */

static mg_tile make_tile(const reading *r, const mg_dataset *set, uint8_t *pixels)
{
    mg_tile t = {.image = {set->width, set->height, set->channels, pixels},
                 .color = r->class == r->label ? MG_GREEN : MG_VERMILLION};
    if (r->class == r->label)
        snprintf(t.caption, sizeof t.caption, "%d %.1f%%", r->class, 100 * r->probability);
    else
        snprintf(t.caption, sizeof t.caption, "%d (%d) %.1f%%", r->class, r->label,
                 100 * r->probability);
    return t;
}

/* Row by row: the images beside each other, shrunk if they must be, and their captions below. */
static mg_status show(const mg_tile *tiles, int count, int columns)
{
    enum { GAP = 1 };
    const mg_image *first = &tiles[0].image;
    const int fit = (int)term_images_across(first->width);
    if (columns > fit) columns = fit;
    for (int i = 0; i < count; i += columns) {
        const int now = count - i < columns ? count - i : columns;
        const mg_mosaic row = {.cells = first->pixels +
                                        (size_t)i * first->width * first->height * first->channels,
                               .count = (uint32_t)now,
                               .columns = (uint32_t)columns,
                               .width = first->width,
                               .height = first->height,
                               .channels = first->channels,
                               .scale = 1,
                               .gap = GAP,
                               .ground = MG_WHITE};
        mg_image *image = NULL;
        const mg_status st = mg__mosaic_make(&image, &row, "grid");
        if (st) return st;
        term_picture(image);
        const int shown = term_width(STDOUT_FILENO) < (int)image->width ? term_width(STDOUT_FILENO)
                                                                        : (int)image->width;
        mg_image_free(image);
        for (int j = 0; j < now; j++) {
            char on[16], off[16];
            const char *code = tiles[i + j].color == MG_GREEN ? "32" : "31";
            printf("%s%-*s%s", term_style(on, STDOUT_FILENO, code), shown / columns,
                   tiles[i + j].caption, term_style(off, STDOUT_FILENO, "0"));
        }
        printf("\n");
    }
    return MG_OK;
}

static mg_status present(const grid_args *a, const mg_model *model, const reading *readings,
                         int count, const mg_dataset *set)
{
    mg_status st = MG_OK;
    const size_t size = (size_t)set->channels * set->height * set->width;
    mg_tile *tiles = calloc((size_t)count, sizeof *tiles);
    uint8_t *pixels = malloc((size_t)count * size);
    int columns = a->columns ? a->columns : (int)ceil(sqrt(count));
    if (columns > count) columns = count;
    if (!tiles || !pixels) MG_FAIL(MG_ERR_MEMORY, "out of memory for %d images", count);
    for (int i = 0; i < count; i++) {
        cli_ink_on_paper(pixels + (size_t)i * size, model, set->pixels + readings[i].index * size);
        tiles[i] = make_tile(&readings[i], set, pixels + (size_t)i * size);
    }
    if (a->show) MG_TRY(show(tiles, count, columns));
    if (a->out) MG_TRY(mg__grid_save(tiles, count, columns, a->out));
    if (a->out) term_print("saved: %s (%d test images)\n", a->out, count);
out:
    free(tiles);
    free(pixels);
    return st;
}

static mg_status check_size(const mg_model *model, const mg_dataset *set)
{
    uint32_t c, h, w;
    mg_model_input_size(model, &c, &h, &w);
    if (set->channels == c && set->height == h && set->width == w) return MG_OK;
    return mg__fail(MG_ERR_MISMATCH, "%s: images of %ux%ux%u, but model %s expects %ux%ux%u",
                    set->source, set->channels, set->height, set->width, mg_model_name(model), c, h,
                    w);
}

static mg_status draw_grid(const grid_args *a, const cli_network *n, mg_backend *backend)
{
    mg_status st;
    char *dir = NULL;
    mg_dataset *set = NULL;
    reading *readings = NULL;
    uint32_t count = 0;
    MG_TRY(cli_find_data(&dir, a->data ? a->data : n->config.data));
    MG_TRY(mg_dataset_load(&set, dir, MG_SPLIT_TEST));
    MG_TRY(check_size(n->model, set));
    readings = calloc(set->count, sizeof *readings);
    if (!readings) MG_FAIL(MG_ERR_MEMORY, "out of memory for %u images", set->count);
    MG_TRY(choose(readings, &count, a, n, backend, set));
    if (!count)
        MG_FAIL(MG_ERR_NOT_FOUND, "%s: reads all %u test images right", n->path, set->count);
    MG_TRY(present(a, n->model, readings, (int)count, set));
out:
    mg_dataset_free(set);
    free(readings);
    free(dir);
    return st;
}

mg_status cmd_grid(int argc, char **argv)
{
    mg_status st;
    grid_args a = {.device = "auto", .kernels = "auto", .count = 25};
    cli_network network = {0};
    mg_backend *backend = NULL;
    MG_TRY(parse(&a, argc, argv));
    if (!a.out && !a.show) a.out = "grid.png";
    if (a.out) MG_TRY(mg__canvas_check_path(a.out, MG_CONTENT_TILES));
    MG_TRY(cli_open_device(&backend, a.device, a.threads, a.kernels));
    MG_TRY(cli_network_load(&network, a.run_or_file, a.model));
    MG_TRY(draw_grid(&a, &network, backend));
out:
    cli_network_free(&network);
    mg_backend_close(backend);
    return st;
}
