#include "data/make.h"
#include "error.h"
#include "io/file.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

mg_status mg__dataset_new(mg_dataset **out, uint64_t count, uint64_t channels, uint64_t height,
                          uint64_t width, const char *source)
{
    enum { MAX_SIDE = 1 << 16 };
    if (!count || !channels || !height || !width || count > UINT32_MAX || channels > MAX_SIDE ||
        height > MAX_SIDE || width > MAX_SIDE || height * width > SIZE_MAX / channels / count)
        return mg__fail(MG_ERR_FORMAT,
                        "%s: found %" PRIu64 " images of %" PRIu64 " x %" PRIu64 " x %" PRIu64
                        ", expected at least one, and sides of 1 to %d",
                        source, count, channels, height, width, MAX_SIDE);
    mg_dataset *set = calloc(1, sizeof *set);
    if (!set) return mg__fail(MG_ERR_MEMORY, "%s: out of memory", source);
    set->count = (uint32_t)count;
    set->channels = (uint32_t)channels;
    set->height = (uint32_t)height;
    set->width = (uint32_t)width;
    set->pixels = malloc(count * channels * height * width);
    set->labels = malloc(count);
    set->source = mg__format("%s", source);
    if (!set->pixels || !set->labels || !set->source) {
        mg_dataset_free(set);
        return mg__fail(MG_ERR_MEMORY, "%s: out of memory for %" PRIu64 " images", source, count);
    }
    *out = set;
    return MG_OK;
}

mg_status mg__dataset_take(mg_dataset **out, mg_idx *images, mg_idx *labels, const char *source)
{
    mg_dataset *set = calloc(1, sizeof *set);
    if (!set || !(set->source = mg__format("%s", source))) {
        free(set);
        return mg__fail(MG_ERR_MEMORY, "%s: out of memory", source);
    }
    set->count = images->dims[0];
    set->channels = images->ndim == 4 ? images->dims[1] : 1;
    set->height = images->dims[images->ndim - 2];
    set->width = images->dims[images->ndim - 1];
    set->classes = mg__count_classes(labels->bytes, labels->size);
    set->pixels = images->bytes;
    set->labels = labels->bytes;
    images->bytes = labels->bytes = NULL;
    *out = set;
    return MG_OK;
}

uint32_t mg__count_classes(const uint8_t *labels, size_t count)
{
    uint8_t largest = 0;
    for (size_t i = 0; i < count; i++)
        if (labels[i] > largest) largest = labels[i];
    return largest + 1u;
}

mg_status mg__dataset_transpose(mg_dataset *set)
{
    const size_t h = set->height, w = set->width, planes = (size_t)set->count * set->channels;
    uint8_t *turned = malloc(h * w);
    if (!turned) return mg__fail(MG_ERR_MEMORY, "%s: out of memory", set->source);
    for (size_t p = 0; p < planes; p++) {
        uint8_t *plane = set->pixels + p * h * w;
        for (size_t y = 0; y < h; y++)
            for (size_t x = 0; x < w; x++) turned[x * h + y] = plane[y * w + x];
        memcpy(plane, turned, h * w);
    }
    set->height = (uint32_t)w;
    set->width = (uint32_t)h;
    free(turned);
    return MG_OK;
}
