/* Images and weights that are made, the same here and in scripts/pytorch/golden.py. Include after
 * cmocka.h. */
#ifndef MG_TEST_SYNTHETIC_H
#define MG_TEST_SYNTHETIC_H

#include "mnist_gpu/dataset.h"
#include "model/spec.h"
#include <math.h>
#include <stdlib.h>

/* The index-th number of a stream, 32 bits. */
static inline uint32_t mixed(uint32_t stream, uint32_t index)
{
    uint32_t x = stream * 0x9E3779B1u + index;
    x = (x ^ x >> 16) * 0x7FEB352Du;
    x = (x ^ x >> 15) * 0x846CA68Bu;
    return x ^ x >> 16;
}

/* Stripes that depend on the label, and noise. Freed with free_images. */
static inline mg_dataset make_images(uint32_t count, mg_shape shape, int classes)
{
    const uint32_t size = (uint32_t)mg_shape_size(shape);
    mg_dataset set = {.count = count,
                      .channels = (uint32_t)shape.c,
                      .height = (uint32_t)shape.h,
                      .width = (uint32_t)shape.w,
                      .classes = (uint32_t)classes,
                      .pixels = malloc((size_t)count * size),
                      .labels = malloc(count)};
    assert_true(set.pixels && set.labels);
    for (uint32_t i = 0; i < count; i++) {
        set.labels[i] = (uint8_t)(mixed(100, i) % set.classes);
        for (uint32_t p = 0; p < size; p++)
            set.pixels[i * size + p] =
                (uint8_t)(((p / 7 + 3u * set.labels[i]) % 10 < 4) * 160 + mixed(101 + i, p) % 96);
    }
    return set;
}

static inline void free_images(mg_dataset *set)
{
    free(set->pixels);
    free(set->labels);
}

/* A whole arena, malloc'd. Running statistics are as they start. The weights are multiples of a
 * power of two, so exact, up to about 1 / sqrt(a neuron's inputs). */
static inline float *make_weights(const mg_model *model)
{
    float *params = calloc(model->arena_length, sizeof *params);
    assert_non_null(params);
    for (int index = 0, stream = 0; index < mg__model_tensor_count(model); index++) {
        const mg_tensor *t = mg__model_tensor(model, index);
        if (!t->trainable) {
            for (size_t i = 0; i < t->count; i++) params[t->offset + i] = (float)t->init.value;
            continue;
        }
        const size_t inputs = t->count / (size_t)t->dim[0];
        int shift = 0;
        while ((size_t)4 << 2 * shift < inputs) shift++;
        for (uint32_t i = 0; i < t->count; i++)
            params[t->offset + i] =
                (float)ldexp((int)(mixed((uint32_t)stream, i) % 1025) - 512, -9 - shift);
        stream++;
    }
    return params;
}

#endif
