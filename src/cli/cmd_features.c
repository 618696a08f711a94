/* mnist_gpu features: what the convolutions make of a picture, and what they have learned. */
#include "cli.h"
#include "device.h"
#include "draw/canvas.h"
#include "image/mosaic.h"
#include "io/file.h"
#include "mnist_gpu/image.h"
#include "model/spec.h"
#include "options.h"
#include "term_picture.h"
#include "train/activations.h"
#include "term.h"
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct features_args {
    const char *picture, *weights, *model, *out, *device;
    int threads;
    bool filters, show;
} features_args;

static mg_status parse(features_args *a, int argc, char **argv)
{
    cli_option options[] = {
        CLI_OPT_TEXT("weights", "RUN|WEIGHTS", &a->weights, "the network [the latest run's best]"),
        CLI_OPT_TEXT("out", "DIR", &a->out, "where the pictures go [., or nowhere with --show]"),
        CLI_OPT_FLAG("filters", &a->filters,
                     "also draw the filters of every conv layer, conv1-filters.png ...: blue is "
                     "negative, white 0, red positive, full at the layer's largest weight"),
        CLI_OPT_FLAG("show", &a->show, "print the pictures in characters"),
        CLI_OPT_TEXT("model", "PRESET|FILE", &a->model,
                     "the model, for weights without model text, as PyTorch saves them"),
        CLI_OPT_DEVICE(&a->device, ""),
        CLI_OPT_THREADS(&a->threads, ""),
    };
    const cli_syntax syntax = {
        .command = "features",
        .arguments = "IMG|-",
        .min_args = 1,
        .max_args = 1,
        .about = "Draws what every conv layer makes of a picture: conv1.png, conv2.png ..., with "
                 "a map for each output channel, after the activation where one follows. Each "
                 "map is drawn over its own range, its least value black and its largest white; "
                 "one without a range is black.",
        .options = options,
        .option_count = MG_COUNT_OF(options),
    };
    const mg_status st = cli_parse(&syntax, argc, argv, NULL);
    a->picture = st ? NULL : argv[0];
    return st;
}

/* ---- pixels ---- */

/* Over the map's own range. */
static void draw_map(uint8_t *out, const float *map, size_t size)
{
    float lo = INFINITY, hi = -INFINITY;
    for (size_t i = 0; i < size; i++) {
        lo = fminf(lo, map[i]);
        hi = fmaxf(hi, map[i]);
    }
    for (size_t i = 0; i < size; i++) {
        const float share = (map[i] - lo) / (hi - lo);
        out[i] = share >= 0 && share <= 1 ? (uint8_t)(255 * share + 0.5f) : 0;
    }
}

/* Around 0, in colour. */
static void draw_weights(uint8_t *out, const float *weights, size_t count)
{
    float largest = 0;
    for (size_t i = 0; i < count; i++) largest = fmaxf(largest, fabsf(weights[i]));
    for (size_t i = 0; i < count; i++) {
        const float share = weights[i] / largest;
        const mg_color color = share > 0   ? mg__color_between(MG_WHITE, MG_VERMILLION, share)
                               : share < 0 ? mg__color_between(MG_WHITE, MG_BLUE, -share)
                                           : MG_WHITE;
        for (size_t k = 0; k < 3; k++) out[3 * i + k] = (uint8_t)(color >> (16 - 8 * k));
    }
}

/* Pixels for one value, such that the picture is about 600 wide. */
static uint32_t scale_for(uint32_t columns, uint32_t width)
{
    const uint32_t scale = 600 / (columns * width);
    return scale < 1 ? 1 : scale;
}

/* Writes <out>/<name>, shows it, or both; says what it is. */
static mg_status present(const features_args *a, const mg_mosaic *m, const char *name,
                         const char *what)
{
    mg_status st;
    mg_image *image = NULL, *small = NULL;
    mg_mosaic shown = *m;
    char *path = NULL;
    if (!(path = mg__format("%s/%s", a->out ? a->out : ".", name)))
        MG_FAIL(MG_ERR_MEMORY, "out of memory for a picture");
    MG_TRY(mg__mosaic_make(&image, m, path));
    if (a->out) MG_TRY(mg_image_save(image, path));
    term_print("%s: %s\n", a->out ? path : name, what);
    if (!a->show) goto out;
    shown.scale = 1;
    shown.gap = 1;
    MG_TRY(mg__mosaic_make(&small, &shown, path));
    term_picture(small);
out:
    mg_image_free(image);
    mg_image_free(small);
    free(path);
    return st;
}

/* ---- layers ---- */

/* The last of the layers that go with conv layer i: those behind it that keep its shape, up to the
 * next layer of weights over all channels; activations and normalisations do. */
static int last_of(const mg_model *m, int i)
{
    const mg_shape shape = m->layers[i].out;
    for (; i + 1 < m->layer_count; i++) {
        const mg_layer *next = &m->layers[i + 1];
        const bool same =
            next->out.c == shape.c && next->out.h == shape.h && next->out.w == shape.w;
        if (!same || mg_layer_types[next->kind]->is_loss || next->kind == MG_LAYER_CONV ||
            next->kind == MG_LAYER_DENSE)
            break;
    }
    return i;
}

static mg_status draw_maps(const features_args *a, const mg_layer *conv, const mg_layer *last,
                           const float *y)
{
    const mg_shape s = last->out;
    const size_t size = (size_t)s.h * (size_t)s.w;
    char name[40], what[120];
    uint8_t *cells = malloc(mg_shape_size(s));
    if (!cells) return mg__fail(MG_ERR_MEMORY, "out of memory for %d maps", s.c);
    for (int c = 0; c < s.c; c++) draw_map(cells + (size_t)c * size, y + (size_t)c * size, size);
    mg_mosaic m = {.cells = cells,
                   .count = (uint32_t)s.c,
                   .columns = (uint32_t)ceil(sqrt(s.c)),
                   .width = (uint32_t)s.w,
                   .height = (uint32_t)s.h,
                   .channels = 1,
                   .gap = 4,
                   .ground = MG_WHITE};
    m.scale = scale_for(m.columns, m.width);
    snprintf(name, sizeof name, "%s.png", conv->name);
    snprintf(what, sizeof what, "%d maps of %dx%d, output of %s", s.c, s.h, s.w, last->name);
    const mg_status st = present(a, &m, name, what);
    free(cells);
    return st;
}

/* A column for each output channel and a row for each input channel; the filters of a grey picture,
 * of which there is but one row, in several. */
static mg_status draw_filters(const features_args *a, const mg_layer *conv, const float *params)
{
    const mg_tensor *w = &conv->tensors[0];
    const int out = w->dim[0], in = w->dim[1];
    const size_t size = (size_t)w->dim[2] * (size_t)w->dim[3] * 3;
    char name[40], what[120];
    uint8_t *colors = malloc(w->count * 3), *cells = malloc(w->count * 3);
    mg_status st;
    if (!colors || !cells) MG_FAIL(MG_ERR_MEMORY, "out of memory for the filters");
    draw_weights(colors, params + w->offset, w->count);
    for (int o = 0; o < out; o++) /* [out][in] to [in][out] */
        for (int i = 0; i < in; i++)
            memcpy(cells + (size_t)(i * out + o) * size, colors + (size_t)(o * in + i) * size,
                   size);
    mg_mosaic m = {.cells = cells,
                   .count = (uint32_t)(out * in),
                   .columns = (uint32_t)(in == 1 ? (int)ceil(sqrt(out)) : out),
                   .width = (uint32_t)w->dim[3],
                   .height = (uint32_t)w->dim[2],
                   .channels = 3,
                   .ground = 0xb0b0b0};
    m.scale = scale_for(m.columns, m.width);
    m.gap = m.scale < 4 ? 1 : 4;
    snprintf(name, sizeof name, "%s-filters.png", conv->name);
    snprintf(what, sizeof what, "%d filters of %dx%d over %d channel%s", out, w->dim[2], w->dim[3],
             in, in == 1 ? "" : "s: a column each");
    st = present(a, &m, name, what);
out:
    free(colors);
    free(cells);
    return st;
}

/* ---- the command ---- */

/* y: [layers], room for their outputs, each malloc'd. */
static mg_status alloc_outputs(float **y, const mg_model *m)
{
    for (int i = 0; i < m->layer_count; i++)
        if (!(y[i] = malloc(mg_shape_size(m->layers[i].out) * sizeof *y[i])))
            return mg__fail(MG_ERR_MEMORY, "out of memory for the outputs of %s",
                            m->layers[i].name);
    return MG_OK;
}

static mg_status draw_features(const features_args *a, const cli_network *n, mg_backend *backend)
{
    mg_status st;
    const mg_model *m = n->model;
    float *y[MG_MAX_LAYERS] = {0};
    int convs = 0;
    uint8_t *pixels = malloc(mg_shape_size(mg__model_input(m)->shape));
    if (!pixels) MG_FAIL(MG_ERR_MEMORY, "out of memory for a picture");
    MG_TRY(alloc_outputs(y, m));
    MG_TRY(cli_read_picture(pixels, m, a->picture));
    MG_TRY(mg__activations(y, backend, m, n->params, pixels));
    if (a->out) MG_TRY(mg__make_dirs(a->out));
    for (int i = 0; i < m->layer_count; i++) {
        if (m->layers[i].kind != MG_LAYER_CONV) continue;
        const int last = last_of(m, i);
        MG_TRY(draw_maps(a, &m->layers[i], &m->layers[last], y[last]));
        if (a->filters) MG_TRY(draw_filters(a, &m->layers[i], n->params));
        convs++;
    }
    if (!convs)
        MG_FAIL(MG_ERR_NOT_FOUND, "%s: the model has no conv layer, and so no maps", n->path);
out:
    for (int i = 0; i < m->layer_count; i++) free(y[i]);
    free(pixels);
    return st;
}

mg_status cmd_features(int argc, char **argv)
{
    mg_status st;
    features_args a = {.device = "auto"};
    cli_network network = {0};
    mg_backend *backend = NULL;
    MG_TRY(parse(&a, argc, argv));
    if (!a.out && !a.show) a.out = ".";
    MG_TRY(mg_backend_open(&backend, a.device, a.threads));
    MG_TRY(cli_network_load(&network, a.weights, a.model));
    MG_TRY(draw_features(&a, &network, backend));
out:
    cli_network_free(&network);
    mg_backend_close(backend);
    return st;
}
