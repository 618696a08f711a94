/* mnist_gpu predict: what do these pictures show? */
#define _POSIX_C_SOURCE 200809L /* strdup */
#include "device.h"
#include "options.h"
#include "picture_paths.h"
#include "predict.h"
#include "mnist_gpu/train.h"
#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const char *const inversions[] = {
    [MG_INVERT_AUTO] = "auto", [MG_INVERT_YES] = "yes", [MG_INVERT_NO] = "no", NULL};

static mg_status parse(predict_args *a, int argc, char **argv, int *count)
{
    cli_option options[] = {
        CLI_OPT_TEXT("weights", "RUN|WEIGHTS", &a->weights, "the network [the latest run's best]"),
        CLI_OPT_TEXT("model", "PRESET|FILE", &a->model,
                     "the model, for weights without model text, as PyTorch saves them"),
        CLI_OPT_CHOICE("invert", inversions, &a->invert,
                       "is the ink darker than the paper? auto: as the picture's border says"),
        CLI_OPT_FLAG("raw", &a->raw,
                     "the picture as it is, only resized; inverted by --invert yes"),
        CLI_OPT_FLAG("multi", &a->multi, "several digits in a row: all of them, left to right"),
        CLI_OPT_DOUBLE("min-confidence", "P", &a->min_confidence, 0, 1, CLI_CLOSED,
                       "\"not sure\" below this probability"),
        CLI_OPT_INT("top", "K", &a->top, 1, 256, "only the K most probable classes [all]"),
        CLI_OPT_FLAG("show", &a->show, "print what the network sees"),
        CLI_OPT_TEXT("save-input", "FILE", &a->save_input,
                     "save what the network sees as a PNG, several side by side"),
        CLI_OPT_DEVICE(&a->device, ""),
        CLI_OPT_THREADS(&a->threads, ""),
        CLI_OPT_KERNELS(&a->kernels, ""),
        CLI_OPT_FLAG("json", &a->json, "print JSON"),
    };
    const cli_syntax syntax = {
        .command = "predict",
        .arguments = "IMG|DIR...|-",
        .min_args = 1,
        .max_args = INT_MAX,
        .about =
            "Says which class each picture shows; of a single one with a bar of each class's "
            "probability. PNG, JPEG, BMP or PNM of any size, drawn, scanned or photographed, dark "
            "on "
            "light or light on dark; a directory is all pictures in it, - is standard input. A "
            "digit is brought to the form of MNIST first: --show prints it. A picture that cannot "
            "be "
            "read is reported, and the others are done all the same.",
        .options = options,
        .option_count = MG_COUNT_OF(options),
    };
    const mg_status st = cli_parse(&syntax, argc, argv, count);
    if (!st && a->show && a->json)
        return mg__fail(MG_ERR_INVALID, "predict: give either --json or --show, not both");
    return st;
}

/* ---- reading ---- */

/* All inputs one after another, in the order of the pictures and of the digits on them. */
typedef struct batch {
    size_t image_size; /* bytes of one */
    uint32_t count, capacity;
    uint8_t *pixels; /* [capacity][image_size] */
} batch;

static mg_status reserve(batch *b, uint32_t more)
{
    if (b->count + more <= b->capacity) return MG_OK;
    const uint32_t capacity = 2 * (b->count + more);
    uint8_t *pixels = realloc(b->pixels, capacity * b->image_size);
    if (!pixels) return mg__fail(MG_ERR_MEMORY, "out of memory for %u pictures", capacity);
    b->pixels = pixels;
    b->capacity = capacity;
    return MG_OK;
}

static mg_status add_digits(predict_picture *p, batch *b, const mg_image *image, mg_invert invert)
{
    mg_status st;
    mg_digit *digits = NULL;
    int count;
    MG_TRY(mg_image_to_digits(&digits, &count, image, invert));
    MG_TRY(reserve(b, (uint32_t)count));
    p->digits = calloc((size_t)count, sizeof *p->digits);
    if (!p->digits) MG_FAIL(MG_ERR_MEMORY, "out of memory");
    p->count = count;
    for (int i = 0; i < count; i++) {
        const mg_digit *d = &digits[i];
        p->digits[i] =
            (predict_digit){.x = d->x, .y = d->y, .width = d->width, .height = d->height};
        assert(b->pixels);
        memcpy(b->pixels + b->count++ * b->image_size, d->pixels, b->image_size);
    }
out:
    free(digits);
    return st;
}

static mg_status add_whole(predict_picture *p, batch *b, const mg_image *image,
                           const predict_shape *s, const mg_image_options *options)
{
    mg_status st;
    MG_TRY(reserve(b, 1));
    p->digits = calloc(1, sizeof *p->digits);
    if (!p->digits) MG_FAIL(MG_ERR_MEMORY, "out of memory");
    MG_TRY(mg_image_to_input(b->pixels + b->count * b->image_size, s->channels, s->height, s->width,
                             image, options));
    b->count++;
    p->count = 1;
out:
    return st;
}

static mg_invert inversion(const char *name)
{
    for (int i = 0; inversions[i]; i++)
        if (!strcmp(name, inversions[i])) return (mg_invert)i;
    return MG_INVERT_AUTO;
}

/* A picture that cannot be read says so in its `error`. */
static mg_status read_pictures(predict_picture *pictures, batch *b, const picture_paths *paths,
                               const predict_shape *s, const predict_args *a)
{
    const bool written = class_names_are_characters(&s->names);
    const mg_image_options options = {.invert = inversion(a->invert), .raw = a->raw || !written};
    if (a->multi && (options.raw || b->image_size != sizeof((mg_digit *)0)->pixels))
        return mg__fail(MG_ERR_INVALID,
                        "predict: --multi is for networks of digits, 1x28x28, without --raw");
    for (int i = 0; i < paths->count; i++) {
        predict_picture *p = &pictures[i];
        mg_image *image = NULL;
        p->path = paths->paths[i];
        mg_status st = mg_image_load(&image, p->path);
        if (!st) {
            st = a->multi ? add_digits(p, b, image, options.invert)
                          : add_whole(p, b, image, s, &options);
            if (st) mg__fail_in(st, "%s", p->path);
        }
        mg_image_free(image);
        if (st && !(p->error = strdup(mg_last_error())))
            return mg__fail(MG_ERR_MEMORY, "out of memory");
    }
    return MG_OK;
}

/* ---- results ---- */

/* Insertion sort: stable, and the classes are few. */
static void rank(int *order, const float *p, int classes)
{
    for (int i = 0; i < classes; i++) {
        int at = i;
        for (; at > 0 && p[order[at - 1]] < p[i]; at--) order[at] = order[at - 1];
        order[at] = i;
    }
}

/* Gives every digit its row of the results. */
static void hand_out(predict_picture *pictures, int count, const batch *b,
                     const float *probabilities, int *orders, int classes)
{
    size_t row = 0;
    for (int i = 0; i < count; i++)
        for (int k = 0; k < pictures[i].count; k++, row++) {
            predict_digit *d = &pictures[i].digits[k];
            d->pixels = b->pixels + row * b->image_size;
            d->probabilities = probabilities + row * (size_t)classes;
            d->order = orders + row * (size_t)classes;
            rank(d->order, d->probabilities, classes);
        }
}

/* The inputs side by side. */
static mg_status save_inputs(const char *path, const batch *b, const predict_shape *s)
{
    const uint32_t width = b->count * s->width;
    const size_t area = (size_t)s->height * s->width;
    uint8_t *pixels = malloc(b->count * b->image_size);
    if (!pixels) return mg__fail(MG_ERR_MEMORY, "out of memory for %s", path);
    for (size_t i = 0; i < b->count * b->image_size; i++) {
        const size_t image = i / b->image_size, c = i % b->image_size / area, at = i % area;
        const size_t x = image * s->width + at % s->width, y = at / s->width;
        pixels[(y * width + x) * s->channels + c] = b->pixels[i];
    }
    const mg_status st = mg_image_save(&(mg_image){width, s->height, s->channels, pixels}, path);
    free(pixels);
    return st;
}

static mg_status predict(const picture_paths *paths, const predict_args *a, const cli_network *n,
                         mg_backend *backend)
{
    mg_status st;
    predict_shape s = {.model = n->model, .classes = mg_model_classes(n->model)};
    mg_model_input_size(n->model, &s.channels, &s.height, &s.width);
    batch b = {.image_size = (size_t)s.channels * s.height * s.width};
    float *probabilities = NULL;
    int *orders = NULL;
    const int count = paths->count;
    predict_picture *pictures = calloc((size_t)count, sizeof *pictures);
    if (!pictures) MG_FAIL(MG_ERR_MEMORY, "out of memory for %d pictures", count);
    MG_TRY(class_names_load(&s.names, n));
    MG_TRY(read_pictures(pictures, &b, paths, &s, a));
    if (b.count) {
        const size_t values = b.count * (size_t)s.classes;
        probabilities = calloc(values, sizeof *probabilities);
        orders = calloc(values, sizeof *orders);
        if (!probabilities || !orders)
            MG_FAIL(MG_ERR_MEMORY, "out of memory for %u pictures", b.count);
        MG_TRY(mg_predict(backend, n->model, n->params, b.pixels, b.count, probabilities));
        hand_out(pictures, count, &b, probabilities, orders, s.classes);
        if (a->save_input) MG_TRY(save_inputs(a->save_input, &b, &s));
    }
    MG_TRY(predict_print(pictures, count, &s, a));
out:
    for (int i = 0; pictures && i < count; i++) {
        free(pictures[i].error);
        free(pictures[i].digits);
    }
    free(pictures);
    free(b.pixels);
    free(probabilities);
    free(orders);
    class_names_free(&s.names);
    return st;
}

mg_status cmd_predict(int argc, char **argv)
{
    mg_status st;
    int words;
    predict_args a = {.device = "auto", .kernels = "auto", .invert = inversions[MG_INVERT_AUTO]};
    picture_paths paths = {0};
    cli_network network = {0};
    mg_backend *backend = NULL;
    MG_TRY(parse(&a, argc, argv, &words));
    MG_TRY(picture_paths_expand(&paths, argv, words));
    a.list = paths.count > 1 && !a.top;
    MG_TRY(cli_open_device(&backend, a.device, a.threads, a.kernels));
    MG_TRY(cli_network_load(&network, a.weights, a.model));
    MG_TRY(predict(&paths, &a, &network, backend));
out:
    picture_paths_free(&paths);
    cli_network_free(&network);
    mg_backend_close(backend);
    return st;
}
