/* The cases of scripts/pytorch/golden_optimizers.py: options, and PyTorch's numbers for them.
 * Include after cmocka.h. */
#ifndef MG_TEST_GOLDEN_OPTIONS_H
#define MG_TEST_GOLDEN_OPTIONS_H

#include "io/safetensors.h"
#include "mnist_gpu/train.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline mg_safetensors *open_golden_options(void)
{
    mg_safetensors *file = NULL;
    if (mg__safetensors_read(&file, MG_SOURCE_DIR "/tests/golden/optimizers.safetensors"))
        fail_msg("%s", mg_last_error());
    return file;
}

/* Tensor "name", or "name.key" if there is a key, as doubles; malloc'd. */
static inline double *golden_doubles(const mg_safetensors *file, const char *name, const char *key,
                                     size_t *count)
{
    char full[80];
    snprintf(full, sizeof full, "%s%s%s", name, key ? "." : "", key ? key : "");
    const mg_st_tensor *tensor = mg__safetensors_find(file, full);
    if (!tensor) fail_msg("no golden tensor %s", full);
    const bool wide = strcmp(tensor->dtype, "F64") == 0;
    *count = tensor->size / (wide ? sizeof(double) : sizeof(float));
    double *values = malloc(*count * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < *count; i++) {
        float narrow;
        memcpy(&narrow, (const char *)tensor->data + i * sizeof narrow, sizeof narrow);
        if (wide)
            memcpy(&values[i], (const char *)tensor->data + i * sizeof *values, sizeof *values);
        else
            values[i] = narrow;
    }
    return values;
}

/* What the case's text, "key=value key=value", makes of the defaults. */
static inline mg_train_options golden_options(const mg_safetensors *file, const char *name)
{
    mg_train_options o = mg_train_options_default();
    const struct {
        const char *key;
        double *real;
        int *whole;
        char *word;
    } keys[] = {
        {"optimizer", NULL, NULL, o.optimizer},
        {"schedule", NULL, NULL, o.schedule},
        {"monitor", NULL, NULL, o.monitor},
        {"epochs", &o.epochs, NULL, NULL},
        {"lr_step", NULL, &o.lr_step, NULL},
        {"lr_patience", NULL, &o.lr_patience, NULL},
        {"lr", &o.lr, NULL, NULL},
        {"lr_gamma", &o.lr_gamma, NULL, NULL},
        {"lr_min", &o.lr_min, NULL, NULL},
        {"momentum", &o.momentum, NULL, NULL},
        {"beta1", &o.beta1, NULL, NULL},
        {"beta2", &o.beta2, NULL, NULL},
        {"rho", &o.rho, NULL, NULL},
        {"eps", &o.eps, NULL, NULL},
        {"clip_norm", &o.clip_norm, NULL, NULL},
        {"clip_value", &o.clip_value, NULL, NULL},
        {"weight_decay", &o.weight_decay, NULL, NULL},
    };
    char word[40], value[16];
    int used = 0;
    const char *text = mg__safetensors_metadata(file, name);
    if (!text) fail_msg("no golden case %s", name);
    for (; sscanf(text, " %39[^=]=%15s%n", word, value, &used) == 2; text += used) {
        int found = 0;
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
            if (strcmp(keys[i].key, word)) continue;
            found++;
            if (keys[i].real) *keys[i].real = atof(value);
            if (keys[i].whole) *keys[i].whole = atoi(value);
            if (keys[i].word) snprintf(keys[i].word, sizeof o.optimizer, "%s", value);
        }
        if (!strcmp(word, "warmup")) o.warmup = (uint64_t)atoi(value), found++;
        if (!strcmp(word, "nesterov")) o.nesterov = atoi(value) != 0, found++;
        if (found != 1) fail_msg("%s: no option %s", name, word);
    }
    return o;
}

#endif
