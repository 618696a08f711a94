/* mnist_gpu data preview: what augmentation makes of the images, as a picture. */
#include "data.h"
#include "device.h"
#include "mnist_gpu/augment.h"
#include "options.h"
#include "term.h"
#include <stdio.h>
#include <stdlib.h>

enum { COLUMNS = 10 };

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
        CLI_OPT_DEVICE(&a->device, ""),
        CLI_OPT_THREADS(&a->threads, ""),
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

static mg_status preview(const preview_args *a, const mg_augmentation *augmentation,
                         mg_backend *backend, const mg_dataset *set)
{
    mg_status st;
    const uint32_t count = (uint32_t)a->count;
    const size_t size = (size_t)set->channels * set->height * set->width;
    uint32_t *indices = malloc(count * sizeof *indices);
    uint8_t *images = malloc(count * size);
    const uint8_t **shown = malloc(count * sizeof *shown);
    if (!indices || !images || !shown) MG_FAIL(MG_ERR_MEMORY, "out of memory for %u images", count);
    for (uint32_t i = 0; i < count; i++) indices[i] = i / COLUMNS % set->count;
    MG_TRY(mg_augment_images(images, backend, set, indices, count, augmentation, a->seed, 0));
    for (uint32_t i = 0; i < count; i++) /* every tenth as it was */
        shown[i] = i % COLUMNS ? images + i * size : set->pixels + indices[i] * size;
    MG_TRY(data_save_sheet(a->out, set, shown, count, COLUMNS));
    term_print("saved: %s\n", a->out);
out:
    free(indices);
    free(images);
    free(shown);
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
