/* mnist_gpu data preview: what augmentation makes of the images, as a picture. */
#include "data.h"
#include "mnist_gpu/augment.h"
#include "mnist_gpu/image.h"
#include "options.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 10, GAP = 1 };

typedef struct preview_args {
    const char *augment, *data, *device, *out;
    uint64_t seed;
    int count, threads;
} preview_args;

static mg_status parse(preview_args *a, int argc, char **argv)
{
    cli_option options[] = {
        CLI_OPT_TEXT("augment", "KINDS", &a->augment,
                     "affine, elastic, stroke, noise or all, with commas between, each with "
                     ":STRENGTH, 0 to 3"),
        CLI_OPT_INT("count", "N", &a->count, 1, 10000, "images of the sheet"),
        CLI_OPT_U64("seed", "N", &a->seed, UINT64_MAX, "of the distortions"),
        CLI_OPT_TEXT("out", "FILE", &a->out, "the picture: .png, .pgm or .ppm"),
        CLI_OPT_TEXT("data", "DIR|mnist|synth", &a->data, "as in train [mnist]"),
        CLI_OPT_TEXT("device", "DEVICE", &a->device, "auto, cuda[:N], cpu or ref"),
        CLI_OPT_INT("threads", "N", &a->threads, 0, 4096, "CPU threads, 0 = all"),
    };
    const cli_syntax syntax = {
        .command = "data preview",
        .arguments = "",
        .about = "Draws training images and what train --augment makes of them: ten in a row, an "
                 "image and nine of its distortions.",
        .options = options,
        .option_count = MG_COUNT_OF(options),
    };
    return cli_parse(&syntax, argc, argv, NULL);
}

/* Copies an image, [c][h][w], to its place among the sheet's, [h][w][c]. */
static void place(uint8_t *sheet, const mg_dataset *set, const uint8_t *image, uint32_t index)
{
    const size_t width = COLUMNS * (set->width + GAP) + GAP, channels = set->channels;
    const size_t top = index / COLUMNS * (set->height + GAP) + GAP;
    const size_t left = index % COLUMNS * (set->width + GAP) + GAP;
    for (size_t c = 0; c < channels; c++)
        for (size_t y = 0; y < set->height; y++)
            for (size_t x = 0; x < set->width; x++)
                sheet[((top + y) * width + left + x) * channels + c] =
                    image[(c * set->height + y) * set->width + x];
}

/* images: [count][c][h][w], augmented; every tenth is drawn as it was, indices[i] of the set. */
static mg_status save(const char *path, const mg_dataset *set, const uint8_t *images,
                      const uint32_t *indices, uint32_t count)
{
    const size_t width = COLUMNS * (set->width + GAP) + GAP, channels = set->channels;
    const size_t height = (count + COLUMNS - 1) / COLUMNS * (set->height + GAP) + GAP;
    const size_t size = channels * set->height * set->width, bytes = width * height * channels;
    uint8_t *sheet = malloc(bytes);
    if (!sheet) return mg__fail(MG_ERR_MEMORY, "out of memory for the sheet");
    memset(sheet, 128, bytes);
    for (uint32_t i = 0; i < count; i++)
        place(sheet, set, i % COLUMNS ? images + i * size : set->pixels + indices[i] * size, i);
    const mg_image picture = {(uint32_t)width, (uint32_t)height, (uint32_t)channels, sheet};
    const mg_status st = mg_image_save(&picture, path);
    free(sheet);
    return st;
}

static mg_status preview(const preview_args *a, const mg_augmentation *augmentation,
                         mg_backend *backend, const mg_dataset *set)
{
    mg_status st;
    const uint32_t count = (uint32_t)a->count;
    const size_t size = (size_t)set->channels * set->height * set->width;
    uint32_t *indices = malloc(count * sizeof *indices);
    uint8_t *images = malloc(count * size);
    if (!indices || !images) MG_FAIL(MG_ERR_MEMORY, "out of memory for %u images", count);
    if (set->channels != 1 && set->channels != 3)
        MG_FAIL(MG_ERR_UNSUPPORTED, "%s: images of %u channels, but a picture has 1 or 3",
                set->source, set->channels);
    for (uint32_t i = 0; i < count; i++) indices[i] = i / COLUMNS % set->count;
    MG_TRY(mg_augment_images(images, backend, set, indices, count, augmentation, a->seed, 0));
    MG_TRY(save(a->out, set, images, indices, count));
    printf("saved: %s\n", a->out);
out:
    free(indices);
    free(images);
    return st;
}

mg_status data_preview(int argc, char **argv)
{
    mg_status st;
    preview_args a = {
        .augment = "all", .device = "auto", .out = "augmented.png", .seed = 1, .count = 100};
    mg_augmentation augmentation;
    char *dir = NULL;
    mg_dataset *set = NULL;
    mg_backend *backend = NULL;
    MG_TRY(parse(&a, argc, argv));
    MG_TRY(mg_augmentation_parse(&augmentation, a.augment));
    MG_TRY(mg_backend_open(&backend, a.device, a.threads));
    MG_TRY(cli_find_data(&dir, a.data));
    MG_TRY(mg_dataset_load(&set, dir, MG_SPLIT_TRAIN));
    MG_TRY(preview(&a, &augmentation, backend, set));
out:
    mg_dataset_free(set);
    mg_backend_close(backend);
    free(dir);
    return st;
}
