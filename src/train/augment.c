/* Augmentation: its strengths as text and as ranges, and a look at what it makes. */
#include "train/augment.h"
#include "io/file.h"
#include "model/spec.h"
#include "train/evaluate.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct kind {
    const char *name;
    size_t offset; /* in mg_augmentation */
} kinds[] = {
    {"affine", offsetof(mg_augmentation, affine)},
    {"elastic", offsetof(mg_augmentation, elastic)},
    {"stroke", offsetof(mg_augmentation, stroke)},
    {"noise", offsetof(mg_augmentation, noise)},
};
#define KNOWN "affine, elastic, stroke, noise, all"

static double *strength_of(mg_augmentation *a, const struct kind *kind)
{
    return (double *)((char *)a + kind->offset);
}

/* ---- text ---- */

/* ":0.5" or nothing, which is 1; to be followed by a comma or the end. */
static mg_status parse_strength(double *out, const char *text, int length, const char *name)
{
    char number[32], *end = number, shown[MG_SHOWN_SIZE];
    *out = 1;
    if (length == 0) return MG_OK;
    snprintf(number, sizeof number, "%.*s", length - 1, text + 1);
    if (length - 1 < (int)sizeof number && strspn(number, "0123456789.") == strlen(number))
        *out = strtod(number, &end);
    if (end == number || *end || !(*out <= MG_AUGMENTATION_MAX))
        return mg__fail(MG_ERR_INVALID,
                        "augmentation: %s: expected a strength from 0 to %g, found \"%s\"", name,
                        MG_AUGMENTATION_MAX, mg__shown(shown, number));
    return MG_OK;
}

/* One kind, `length` characters. */
static mg_status parse_kind(mg_augmentation *a, const char *text, int length)
{
    char name[32], shown[MG_SHOWN_SIZE];
    const int name_length = (int)strcspn(text, ":,");
    double strength;
    bool known = false;
    snprintf(name, sizeof name, "%.*s", name_length, text);
    const mg_status st =
        parse_strength(&strength, text + name_length, length - name_length, mg__shown(shown, name));
    for (const struct kind *k = kinds; k < kinds + MG_COUNT_OF(kinds); k++)
        if (!strcmp(name, k->name) || !strcmp(name, "all")) {
            if (!st) *strength_of(a, k) = strength;
            known = true;
        }
    if (!known)
        return mg__fail(MG_ERR_INVALID, "augmentation: unknown kind \"%s\" (known: %s)",
                        mg__shown(shown, name), KNOWN);
    return st;
}

mg_status mg_augmentation_parse(mg_augmentation *out, const char *text)
{
    mg_augmentation a = {0};
    for (;;) {
        const int length = (int)strcspn(text, ",");
        const mg_status st = parse_kind(&a, text, length);
        if (st) return st;
        if (!text[length]) break;
        text += length + 1;
    }
    *out = a;
    return MG_OK;
}

void mg_augmentation_text(char *out, size_t size, const mg_augmentation *augmentation)
{
    mg_augmentation a = *augmentation;
    size_t used = 0;
    if (size > 0) *out = '\0';
    for (const struct kind *k = kinds; k < kinds + MG_COUNT_OF(kinds) && used < size; k++) {
        const double strength = *strength_of(&a, k);
        char number[32] = "";
        if (strength == 0) continue;
        if (strength != 1) snprintf(number, sizeof number, ":%.9g", strength);
        used +=
            (size_t)snprintf(out + used, size - used, "%s%s%s", used ? "," : "", k->name, number);
    }
}

/* ---- ranges ---- */

static int32_t whole(double v) { return (int32_t)lround(v); }

mg_status mg__augment_ranges(mg_augment *out, const mg_augmentation *augmentation, mg_shape shape)
{
    mg_augmentation a = *augmentation;
    for (const struct kind *k = kinds; k < kinds + MG_COUNT_OF(kinds); k++) {
        const double strength = *strength_of(&a, k);
        if (!(strength >= 0 && strength <= MG_AUGMENTATION_MAX))
            return mg__fail(MG_ERR_INVALID, "augmentation: %s: expected 0 to %g, found %g", k->name,
                            MG_AUGMENTATION_MAX, strength);
    }
    /* 1/256 pixel of an image 28 pixels wide or high */
    const double degree = acos(-1.0) / 180, wide = 256 * shape.w / 28.0,
                 high = 256 * shape.h / 28.0;
    *out = (mg_augment){
        .rotation = whole(65536 * tan(12 * degree * a.affine / 2)),
        .zoom = whole(65536 * 0.10 * a.affine),
        .stretch = whole(65536 * 0.08 * a.affine),
        .shear = whole(65536 * 0.15 * a.affine),
        .shift_x = whole(wide * 2 * a.affine),
        .shift_y = whole(high * 2 * a.affine),
        .elastic_x = whole(wide * 3.6 * a.elastic),
        .elastic_y = whole(high * 3.6 * a.elastic),
        .stroke = whole(fmin(256, 256 * 0.4 * a.stroke)),
        .noise = whole(65536 * 8 / 147.8 * a.noise),
    };
    return MG_OK;
}

/* ---- a look ---- */

/* The input layer alone, as one row after another of a training pass's first batch. */
typedef struct look {
    mg_backend *backend;
    mg_model *model;
    mg_device_data data;
    mg_feed feed;
    mg_op op;
} look;

static mg_status look_create(look *l, const mg_dataset *set, const uint32_t *indices,
                             uint32_t count, const mg_augment *ranges)
{
    mg_status st;
    mg_backend *be = l->backend;
    char text[160];
    void *order = NULL, *state, *labels, *y;
    /* a standard deviation of 1/255: the pixels as they are */
    snprintf(text, sizeof text, "input %ux%ux%u std=%.17g\ndense out=%u\nsoftmax_xent\n",
             set->channels, set->height, set->width, 1 / 255.0, set->classes);
    MG_TRY(mg_model_parse(&l->model, text, "images"));
    MG_TRY(mg__device_data_create(&l->data, be, l->model, set));
    const size_t size = mg_shape_size(l->model->layers[0].out);
    l->feed = (mg_feed){.pixels = l->data.pixels, .labels = l->data.labels, .augment = *ranges};
    if (indices) {
        MG_TRY(be->ops->alloc(be, &order, count * sizeof *indices));
        l->feed.order = order;
        MG_TRY(be->ops->upload(be, order, indices, count * sizeof *indices));
    }
    MG_TRY(be->ops->alloc(be, &state, sizeof *l->feed.state));
    l->feed.state = state;
    MG_TRY(be->ops->alloc(be, &labels, count));
    l->feed.batch_labels = labels;
    MG_TRY(be->ops->alloc(be, &y, count * size * sizeof(float)));
    l->op = (mg_op){.layer = &l->model->layers[0],
                    .backend = be,
                    .feed = &l->feed,
                    .batch = (int)count,
                    .training = true,
                    .y = y};
out:
    return st;
}

static void look_free(look *l)
{
    mg_backend *be = l->backend;
    const mg_layer_ops *ops = be->ops->layers[MG_LAYER_INPUT];
    if (ops->release && l->op.impl) ops->release(&l->op);
    be->ops->release(be, l->op.y);
    be->ops->release(be, l->feed.batch_labels);
    be->ops->release(be, l->feed.state);
    be->ops->release(be, (void *)l->feed.order);
    mg__device_data_free(&l->data);
    mg_model_free(l->model);
}

static mg_status look_at(uint8_t *out, look *l, const mg_step_state *state)
{
    mg_status st;
    mg_backend *be = l->backend;
    const mg_layer_ops *ops = be->ops->layers[MG_LAYER_INPUT];
    const size_t count = state->count * mg_shape_size(l->op.layer->out);
    float *pixels = malloc(count * sizeof *pixels);
    if (!pixels) MG_FAIL(MG_ERR_MEMORY, "out of memory for the augmented images");
    MG_TRY(be->ops->upload(be, l->feed.state, state, sizeof *state));
    if (ops->prepare) MG_TRY(ops->prepare(&l->op));
    MG_TRY(ops->forward(&l->op));
    MG_TRY(be->ops->download(be, pixels, l->op.y, count * sizeof *pixels));
    for (size_t i = 0; i < count; i++) out[i] = (uint8_t)pixels[i];
out:
    free(pixels);
    return st;
}

mg_status mg__augment_images(uint8_t *out, mg_backend *backend, const mg_dataset *set,
                             const uint32_t *indices, uint32_t count, const mg_augment *ranges,
                             uint64_t seed, uint32_t step)
{
    mg_status st;
    look l = {.backend = backend};
    const mg_step_state state = {.seed = seed, .step = step, .count = count, .batch = count};
    if (count < 1 || count > 65536)
        return mg__fail(MG_ERR_INVALID, "images: expected 1 to 65536, found %u", count);
    for (uint32_t i = 0; i < count; i++)
        if ((indices ? indices[i] : i) >= set->count)
            return mg__fail(MG_ERR_INVALID, "image %u: the set has %u", indices ? indices[i] : i,
                            set->count);
    MG_TRY(look_create(&l, set, indices, count, ranges));
    MG_TRY(look_at(out, &l, &state));
out:
    look_free(&l);
    return st;
}

mg_status mg_augment_images(uint8_t *out, mg_backend *backend, const mg_dataset *set,
                            const uint32_t *indices, uint32_t count,
                            const mg_augmentation *augmentation, uint64_t seed, uint32_t step)
{
    mg_augment ranges;
    const mg_shape shape = {(int)set->channels, (int)set->height, (int)set->width};
    const mg_status st = mg__augment_ranges(&ranges, augmentation, shape);
    return st ? st : mg__augment_images(out, backend, set, indices, count, &ranges, seed, step);
}
