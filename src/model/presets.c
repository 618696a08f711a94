#include "model/spec.h"
#include "io/file.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Mean and standard deviation of MNIST's training pixels, scaled to 0..1. */
#define MNIST_INPUT "input   1x28x28 mean=0.1307 std=0.3081\n"

static const mg_preset presets[] = {
    {"lenet5", "LeNet-5 with three same-padded convolutions (331,214 parameters)",
     MNIST_INPUT "conv    out=6 kernel=5 pad=same\n"
                 "relu\n"
                 "maxpool size=2\n"
                 "conv    out=16 kernel=5 pad=same\n"
                 "relu\n"
                 "maxpool size=2\n"
                 "conv    out=32 kernel=5 pad=same\n"
                 "relu\n"
                 "dense   out=200\n"
                 "relu\n"
                 "dense   out=10\n"
                 "softmax_xent\n"},
    {"lenet-valid", "LeNet with valid convolutions (44,426 parameters)",
     MNIST_INPUT "conv    out=6 kernel=5\n"
                 "relu\n"
                 "maxpool size=2\n"
                 "conv    out=16 kernel=5\n"
                 "relu\n"
                 "maxpool size=2\n"
                 "dense   out=120\n"
                 "relu\n"
                 "dense   out=84\n"
                 "relu\n"
                 "dense   out=10\n"
                 "softmax_xent\n"},
    {"lenet-61k", "LeNet on 28x28 images padded to 32x32 (61,706 parameters)",
     MNIST_INPUT "conv    out=6 kernel=5 pad=2\n"
                 "relu\n"
                 "maxpool size=2\n"
                 "conv    out=16 kernel=5\n"
                 "relu\n"
                 "maxpool size=2\n"
                 "dense   out=120\n"
                 "relu\n"
                 "dense   out=84\n"
                 "relu\n"
                 "dense   out=10\n"
                 "softmax_xent\n"},
    {"mlp-tanh", "Two hidden layers of 200 and 100, tanh (178,110 parameters)",
     MNIST_INPUT "dense   out=200 bias=1\n"
                 "tanh\n"
                 "dense   out=100 bias=1\n"
                 "tanh\n"
                 "dense   out=10 bias=1\n"
                 "softmax_xent\n"},
    {"mlp-512", "One hidden layer of 512 (407,050 parameters)",
     MNIST_INPUT "dense   out=512\n"
                 "relu\n"
                 "dense   out=10\n"
                 "softmax_xent\n"},
    {"cnn-dropout", "Four wide convolutions, with dropout (484,714 parameters)",
     MNIST_INPUT "conv    out=32 kernel=5 pad=same\n"
                 "relu\n"
                 "conv    out=32 kernel=5 pad=same\n"
                 "relu\n"
                 "maxpool size=2\n"
                 "dropout rate=0.25\n"
                 "conv    out=64 kernel=3 pad=same\n"
                 "relu\n"
                 "conv    out=64 kernel=3 pad=same\n"
                 "relu\n"
                 "maxpool size=2\n"
                 "dropout rate=0.25\n"
                 "dense   out=128\n"
                 "relu\n"
                 "dropout rate=0.5\n"
                 "dense   out=10\n"
                 "softmax_xent\n"},
};

const mg_preset *mg_model_preset(int index)
{
    return index >= 0 && index < MG_COUNT_OF(presets) ? &presets[index] : NULL;
}

mg_status mg_model_load(mg_model **out, const char *preset_or_path)
{
    enum { MAX_TEXT = 1 << 20 };
    for (int i = 0; i < MG_COUNT_OF(presets); i++)
        if (!strcmp(preset_or_path, presets[i].name))
            return mg_model_parse(out, presets[i].text, presets[i].name);

    uint8_t *text = NULL;
    size_t size;
    mg_status st = mg__file_read(&text, &size, preset_or_path, MAX_TEXT);
    if (st == MG_ERR_NOT_FOUND) {
        char names[256] = "";
        for (int i = 0; i < MG_COUNT_OF(presets); i++) {
            const size_t used = strlen(names);
            snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", presets[i].name);
        }
        MG_FAIL(MG_ERR_NOT_FOUND, "model \"%s\": neither a preset (%s) nor a file", preset_or_path,
                names);
    }
    if (st) goto out;
    if (memchr(text, 0, size))
        MG_FAIL(MG_ERR_FORMAT, "%s: not model text: it contains a zero byte", preset_or_path);
    MG_TRY(mg_model_parse(out, (const char *)text, preset_or_path));
out:
    free(text);
    return st;
}
