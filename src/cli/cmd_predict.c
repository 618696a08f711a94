/* mnist_gpu predict: what do these pictures show? */
#define _POSIX_C_SOURCE 200809L /* strdup */
#include "cli.h"
#include "options.h"
#include "term.h"
#include "term_picture.h"
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct predict_args {
    const char *weights, *model, *device;
    int threads, top; /* top 0: all classes, in their order */
    bool json, show;
    int count;
    char **paths; /* [count] */
} predict_args;

/* A picture on its way: its place in the batch, or why it has none. */
typedef struct picture {
    const char *path;
    char *error;                /* malloc'd; NULL if it was read */
    const uint8_t *pixels;      /* as the network's input */
    const float *probabilities; /* [classes] */
    int *order;                 /* [classes] from the most probable class down, equals in order */
} picture;

static mg_status parse(predict_args *a, int argc, char **argv)
{
    cli_option options[] = {
        CLI_OPT_TEXT("weights", "RUN|WEIGHTS", &a->weights, "the network [the latest run's best]"),
        CLI_OPT_TEXT("model", "PRESET|FILE", &a->model,
                     "the model, for weights without model text, as PyTorch saves them"),
        CLI_OPT_INT("top", "K", &a->top, 1, 256, "only the K most probable classes [all]"),
        CLI_OPT_TEXT("device", "DEVICE", &a->device, "auto, cuda[:N], cpu or ref"),
        CLI_OPT_INT("threads", "N", &a->threads, 0, 4096, "CPU threads, 0 = all"),
        CLI_OPT_FLAG("show", &a->show, "also print each picture as the network sees it"),
        CLI_OPT_FLAG("json", &a->json, "print JSON"),
    };
    const cli_syntax syntax = {
        .command = "predict",
        .arguments = "IMG...|-",
        .min_args = 1,
        .max_args = INT_MAX,
        .about = "Says which class each picture shows, with a bar of each class's probability. "
                 "PNG, JPEG, BMP or PNM of any size; - is standard input. A picture that cannot "
                 "be read is reported, and the others are done all the same.",
        .options = options,
        .option_count = MG_COUNT_OF(options),
    };
    a->paths = argv;
    return cli_parse(&syntax, argc, argv, &a->count);
}

/* ---- reading ---- */

/* Fills `batch` with the pictures that can be read; *readable is their number. */
static mg_status read_pictures(picture *pictures, uint32_t *readable, uint8_t *batch,
                               size_t image_size, const predict_args *a, const mg_model *model)
{
    *readable = 0;
    for (int i = 0; i < a->count; i++) {
        pictures[i].path = a->paths[i];
        if (cli_read_picture(batch + *readable * image_size, model, a->paths[i]) == MG_OK) {
            ++*readable;
            continue;
        }
        pictures[i].error = strdup(mg_last_error());
        if (!pictures[i].error) return mg__fail(MG_ERR_MEMORY, "out of memory");
    }
    return MG_OK;
}

/* Insertion sort: stable, and the classes are few. */
static void rank(int *order, const float *p, int classes)
{
    for (int i = 0; i < classes; i++) {
        int at = i;
        for (; at > 0 && p[order[at - 1]] < p[i]; at--) order[at] = order[at - 1];
        order[at] = i;
    }
}

/* ---- results ---- */

static void print_class(const picture *p, int class)
{
    enum { CELLS = 40 };
    char bar[TERM_BAR_SIZE], on[16], off[16];
    const double probability = p->probabilities[class];
    const bool best = class == p->order[0];
    term_bar(bar, sizeof bar, 1, probability, CELLS);
    printf("%s%4d  %s  %6.2f %%%s\n", best ? term_style(on, 1, "1;32") : "", class, bar,
           100 * probability, best ? term_style(off, 1, "0") : "");
}

static void print_picture(const picture *p, int classes, int top)
{
    for (int i = 0; i < classes && (!top || i < top); i++) print_class(p, top ? p->order[i] : i);
    printf("%s: %d (%.2f %%)\n", p->path, p->order[0], 100 * (double)p->probabilities[p->order[0]]);
}

static json_t *picture_json(const picture *p, int classes, int top)
{
    if (p->error)
        return json_pack("{s:o, s:o}", "image", cli_json_text(p->path), "error",
                         cli_json_text(p->error));
    json_t *list = json_array(), *ranked = top ? json_array() : NULL;
    for (int i = 0; i < classes; i++)
        json_array_append_new(list, cli_json_number(p->probabilities[i]));
    for (int i = 0; i < top && i < classes; i++) {
        const int class = p->order[i];
        json_array_append_new(ranked, json_pack("{s:i, s:o}", "class", class, "probability",
                                                cli_json_number(p->probabilities[class])));
    }
    return json_pack("{s:o, s:i, s:o, s:o, s:o*}", "image", cli_json_text(p->path), "class",
                     p->order[0], "probability", cli_json_number(p->probabilities[p->order[0]]),
                     "probabilities", list, "top", ranked);
}

static mg_status show_input(const picture *p, const mg_model *model)
{
    mg_image image;
    mg_model_input_size(model, &image.channels, &image.height, &image.width);
    image.pixels = malloc((size_t)image.channels * image.height * image.width);
    if (!image.pixels) return mg__fail(MG_ERR_MEMORY, "out of memory for a picture");
    cli_ink_on_paper(image.pixels, model, p->pixels);
    term_picture(&image);
    free(image.pixels);
    return MG_OK;
}

/* Prints all; the status is that of the last picture that could not be read. */
static mg_status print_pictures(const picture *pictures, const predict_args *a,
                                const mg_model *model)
{
    mg_status st = MG_OK;
    const int classes = mg_model_classes(model);
    json_t *list = a->json ? json_array() : NULL;
    int unread = 0;
    for (int i = 0; i < a->count; i++) {
        const picture *p = &pictures[i];
        unread += p->error != NULL;
        if (a->show && !p->error && (st = show_input(p, model)) != MG_OK) return st;
        if (a->json)
            json_array_append_new(list, picture_json(p, classes, a->top));
        else if (!p->error)
            print_picture(p, classes, a->top);
        if (p->error && a->count > 1) cli_report(p->error);
    }
    if (a->json) st = cli_print_json(list);
    if (st || !unread) return st;
    return a->count == 1
               ? mg__fail(MG_ERR_FORMAT, "%s", pictures[0].error)
               : mg__fail(MG_ERR_FORMAT, "%d of %d pictures could not be read", unread, a->count);
}

static mg_status predict(const predict_args *a, const cli_network *n, mg_backend *backend)
{
    mg_status st;
    uint32_t c, h, w, readable;
    mg_model_input_size(n->model, &c, &h, &w);
    const int classes = mg_model_classes(n->model);
    const size_t image_size = (size_t)c * h * w, count = (size_t)a->count;
    picture *pictures = calloc(count, sizeof *pictures);
    uint8_t *batch = calloc(count, image_size);
    float *probabilities = calloc(count * (size_t)classes, sizeof *probabilities);
    int *orders = calloc(count * (size_t)classes, sizeof *orders);
    if (!pictures || !batch || !probabilities || !orders)
        MG_FAIL(MG_ERR_MEMORY, "out of memory for %d pictures", a->count);
    MG_TRY(read_pictures(pictures, &readable, batch, image_size, a, n->model));
    if (readable) MG_TRY(mg_predict(backend, n->model, n->params, batch, readable, probabilities));
    for (int i = 0, row = 0; i < a->count; i++) {
        if (pictures[i].error) continue;
        pictures[i].probabilities = probabilities + row * classes;
        pictures[i].pixels = batch + (size_t)row * image_size;
        pictures[i].order = orders + row * classes;
        rank(pictures[i].order, pictures[i].probabilities, classes);
        row++;
    }
    MG_TRY(print_pictures(pictures, a, n->model));
out:
    for (size_t i = 0; pictures && i < count; i++) free(pictures[i].error);
    free(pictures);
    free(batch);
    free(probabilities);
    free(orders);
    return st;
}

mg_status cmd_predict(int argc, char **argv)
{
    mg_status st;
    predict_args a = {.device = "auto"};
    cli_network network = {0};
    mg_backend *backend = NULL;
    MG_TRY(parse(&a, argc, argv));
    if (a.show && a.json)
        MG_FAIL(MG_ERR_INVALID, "predict: give either --json or --show, not both");
    MG_TRY(mg_backend_open(&backend, a.device, a.threads));
    MG_TRY(cli_network_load(&network, a.weights, a.model));
    MG_TRY(predict(&a, &network, backend));
out:
    cli_network_free(&network);
    mg_backend_close(backend);
    return st;
}
