/* Model text: presets, the canonical text, mistakes; and how parameters start. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "model/spec.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mg_model *parse(const char *text)
{
    mg_model *model = NULL;
    if (mg_model_parse(&model, text, "test") != MG_OK) fail_msg("%s", mg_last_error());
    return model;
}

/* ---- presets ---- */

static void presets_have_their_parameters(void **unused)
{
    (void)unused;
    static const struct {
        const char *name;
        size_t parameters;
    } presets[] = {{"lenet5", 331214},   {"lenet-valid", 44426}, {"lenet-61k", 61706},
                   {"mlp-tanh", 178110}, {"mlp-512", 407050},    {"cnn-dropout", 484714}};
    for (int i = 0; i < MG_COUNT_OF(presets); i++) {
        const mg_preset *preset = mg_model_preset(i);
        mg_model *model = NULL;
        assert_non_null(preset);
        assert_string_equal(preset->name, presets[i].name);
        assert_int_equal(mg_model_load(&model, preset->name), MG_OK);
        assert_int_equal(mg_model_param_count(model), presets[i].parameters);
        mg_model_free(model);
    }
    assert_null(mg_model_preset(MG_COUNT_OF(presets))); /* every preset is in the table */
}

/* ---- the canonical text ---- */

/* Every layer with every key, as the canonical text writes them; every key at something that is no
 * default, so that none can get lost. The losses end a text each. */
static const char *const lines[] = {
    "input 3x40x41 mean=0.25 std=0.3081",
    "conv out=6 kernel=4 stride=2 pad=1 init=normal:0.0625 bias=-0.5",
    "conv out=7 kernel=3 stride=1 pad=same init=he bias=normal:0.001",
    "relu",
    "avgpool size=3 stride=2",
    "batchnorm eps=0.001 momentum=0.25",
    "leaky_relu slope=0.125",
    "maxpool size=3 stride=1",
    "tanh",
    "dropout rate=0.125",
    "dense out=12 init=he_normal bias=torch",
    "sigmoid",
    "dense out=11 init=torch bias=1",
    "dense out=10 init=glorot_normal bias=1e-05",
    "dense out=9 init=glorot bias=0",
    "dense out=8 init=0.1 bias=0.1",
};
static const char *const losses[] = {"softmax_xent smoothing=0.125", "mse"};

static void all_layers_round_trip(void **unused)
{
    (void)unused;
    bool seen[MG_LAYER_COUNT] = {false};
    for (int loss = 0; loss < MG_COUNT_OF(losses); loss++) {
        char text[1024] = "";
        for (int i = 0; i < MG_COUNT_OF(lines); i++) strcat(strcat(text, lines[i]), "\n");
        strcat(strcat(text, losses[loss]), "\n");
        mg_model *model = parse(text), *again;
        assert_string_equal(mg_model_text(model), text);
        again = parse(mg_model_text(model));
        assert_string_equal(mg_model_text(again), text);
        for (int i = 0; i < model->layer_count; i++) {
            seen[model->layers[i].kind] = true;
            assert_int_equal(model->layers[i].index, i);
        }
        mg_model_free(model);
        mg_model_free(again);
    }
    for (int kind = 0; kind < MG_LAYER_COUNT; kind++)
        if (!seen[kind]) fail_msg("%s is in none of the lines", mg_layer_types[kind]->name);
}

static void defaults_are_written_out(void **unused)
{
    (void)unused;
    mg_model *model = parse("# a comment\n\ninput 1x9x9\n  conv  kernel=3\tout=2 # another\n"
                            "leaky_relu\navgpool size=2\ndropout\ndense out=3\nsoftmax_xent");
    assert_string_equal(mg_model_text(model),
                        "input 1x9x9 mean=0 std=1\n"
                        "conv out=2 kernel=3 stride=1 pad=valid init=glorot bias=0\n"
                        "leaky_relu slope=0.01\n"
                        "avgpool size=2 stride=2\n"
                        "dropout rate=0.5\n"
                        "dense out=3 init=glorot bias=0\n"
                        "softmax_xent smoothing=0\n");
    assert_int_equal(model->layers[1].line, 4);
    mg_model_free(model);
}

/* ---- mistakes ---- */

#define IN  "input 1x8x8\n"
#define OUT "dense out=10\nsoftmax_xent\n"

static const struct {
    const char *text, *message; /* all of it, or the beginning where it ends with "..." */
} mistakes[] = {
    /* the order of layers */
    {"", "bad.net: no layers"},
    {"# nothing but a comment\n\n", "bad.net: no layers"},
    {"relu\n", "bad.net:1: relu: the first layer, and only the first, must be input"},
    {IN IN OUT, "bad.net:2: input: the first layer, and only the first, must be input"},
    {IN "relu\n", "bad.net:2: the last layer must be a loss, such as softmax_xent, found relu"},
    {IN OUT "relu\n", "bad.net:4: relu: nothing may follow the loss"},
    {IN "softmax_xent\n", "bad.net:2: softmax_xent: expects a vector, found 1x8x8..."},
    {"input 10x1x1\nsoftmax_xent\n", "bad.net: nothing to train"},
    {IN "dense out=1\nsoftmax_xent\n", "bad.net:3: the loss expects 2 to 256 classes, found 1"},
    {IN "dense out=257\nsoftmax_xent\n", "bad.net:3: the loss expects 2 to 256 classes, found 257"},
    /* words */
    {IN "\n# two lines on\nconvolution out=3\n" OUT,
     "bad.net:4: unknown layer \"convolution\" (known: input, conv, ..."},
    {IN "Relu\n" OUT, "bad.net:2: unknown layer \"Relu\" (known: ..."},
    {IN "conv out=3 filter=5\n" OUT,
     "bad.net:2: conv: unknown key \"filter\" (known: out, kernel, stride, pad, init, bias)"},
    {IN "relu slope=0.1\n" OUT, "bad.net:2: relu: takes no keys, found \"slope\""},
    {IN "tanh 3\n" OUT, "bad.net:2: tanh: takes no keys, found \"3\""},
    {IN "conv out=3 kernel=3 out=4\n" OUT, "bad.net:2: conv: out is given twice"},
    {IN "conv out=3\n" OUT, "bad.net:2: conv: kernel is missing"},
    {IN "maxpool\n" OUT, "bad.net:2: maxpool: size is missing"},
    {IN "avgpool stride=2\n" OUT, "bad.net:2: avgpool: size is missing"},
    {IN "dense out\nsoftmax_xent\n", "bad.net:2: dense: out needs a value: out=..."},
    {IN "dense =10\nsoftmax_xent\n", "bad.net:2: dense: unknown key \"\" (known: ..."},
    {"input\n" OUT, "bad.net:1: input: the shape is missing"},
    {"input 1x8x8 1x8x8\n" OUT, "bad.net:1: input: the shape is given twice"},
    {"input 8x8\n" OUT, "bad.net:1: input: expected channels x height x width, such as 1x28x28, "
                        "found \"8x8\""},
    {"input 1x8x8x1\n" OUT, "bad.net:1: input: expected channels x height x width, such as "
                            "1x28x28, found \"1x8x8x1\""},
    {"input 1x0x8\n" OUT, "bad.net:1: input: 1x0x8: each size must be 1 to 4096"},
    /* values */
    {IN "dense out=\nsoftmax_xent\n", "bad.net:2: dense: out=: expected a whole number"},
    {IN "dense out=ten\nsoftmax_xent\n", "bad.net:2: dense: out=ten: expected a whole number"},
    {IN "dense out=1.5\nsoftmax_xent\n", "bad.net:2: dense: out=1.5: expected a whole number"},
    {IN "dense out=0x10\nsoftmax_xent\n", "bad.net:2: dense: out=0x10: expected a whole number"},
    {IN "dense out=0\nsoftmax_xent\n", "bad.net:2: dense: out=0: expected 1 to 65536"},
    {IN "dense out=-3\nsoftmax_xent\n", "bad.net:2: dense: out=-3: expected 1 to 65536"},
    {IN "dense out=99999999999999999999\nsoftmax_xent\n",
     "bad.net:2: dense: out=99999999999999999999: expected 1 to 65536"},
    {"input 1x8x8 std=0\n" OUT, "bad.net:1: input: std=0: expected 1e-06 to 1e+06"},
    {"input 1x8x8 mean=nan\n" OUT, "bad.net:1: input: mean=nan: expected a number"},
    {"input 1x8x8 mean=1e999\n" OUT, "bad.net:1: input: mean=1e999: expected a number"},
    {IN "conv out=3 kernel=3 pad=valud\n" OUT,
     "bad.net:2: conv: pad=valud: expected a whole number or a word"},
    {IN "conv out=3 kernel=3 stride=0\n" OUT, "bad.net:2: conv: stride=0: expected 1 to 255"},
    {IN "avgpool size=0\n" OUT, "bad.net:2: avgpool: size=0: expected 1 to 255"},
    {IN "leaky_relu slope=-0.1\n" OUT, "bad.net:2: leaky_relu: slope=-0.1: expected 0 to 1"},
    {IN "leaky_relu slope=1.5\n" OUT, "bad.net:2: leaky_relu: slope=1.5: expected 0 to 1"},
    {IN "dropout rate=1\n" OUT, "bad.net:2: dropout: rate=1: expected 0 to 0.999"},
    {IN "dropout rate=-0.5\n" OUT, "bad.net:2: dropout: rate=-0.5: expected 0 to 0.999"},
    {IN "dropout rate=half\n" OUT, "bad.net:2: dropout: rate=half: expected a number"},
    {IN "dropout 0.5\n" OUT, "bad.net:2: dropout: unknown key \"0.5\" (known: rate)"},
    {IN "dense out=3 init=xavier\n" OUT,
     "bad.net:2: dense: init=xavier: expected a number, normal:DEVIATION, glorot, glorot_normal, "
     "he, he_normal, torch"},
    {IN "dense out=3 bias=he\n" OUT,
     "bad.net:2: dense: bias=he: expected a number, normal:DEVIATION, torch"},
    {IN "dense out=3 init=normal\n" OUT, "bad.net:2: dense: init=normal: expected a number, ..."},
    {IN "dense out=3 init=normal:\n" OUT, "bad.net:2: dense: init=normal:: expected a number, ..."},
    {IN "dense out=3 init=normal:-1\n" OUT,
     "bad.net:2: dense: init=normal:-1: expected 0 to 1e+06"},
    {IN "dense out=3 bias=2e6\n" OUT, "bad.net:2: dense: bias=2e6: expected -1e+06 to 1e+06"},
    /* shapes */
    {IN "conv out=3 kernel=9\n" OUT,
     "bad.net:2: conv: kernel=9 is larger than its input, 8x8 padded by 0"},
    {IN "conv out=3 kernel=3 pad=3\n" OUT, "bad.net:2: conv: pad=3 must be smaller than kernel=3"},
    {IN "conv out=3 kernel=4 pad=same\n" OUT,
     "bad.net:2: conv: pad=same needs stride=1 and an odd kernel, found stride=1 kernel=4"},
    {IN "conv out=3 kernel=3 pad=same stride=2\n" OUT,
     "bad.net:2: conv: pad=same needs stride=1 and an odd kernel, found stride=2 kernel=3"},
    {IN "maxpool size=9\n" OUT, "bad.net:2: maxpool: size=9 is larger than its input, 8x8"},
    {IN "maxpool size=8\navgpool size=2\n" OUT,
     "bad.net:3: avgpool: size=2 is larger than its input, 1x1"},
    {"input 1x4096x4096\nconv out=65536 kernel=1\n" OUT,
     "bad.net:2: conv: output of 65536x4096x4096 is larger than 67108864 numbers"},
    {"input 64x1024x1024\ndense out=65536\nsoftmax_xent\n",
     "bad.net:2: dense: more than 2147483648 parameters"},
};

static void mistakes_are_found_and_placed(void **unused)
{
    (void)unused;
    for (int i = 0; i < MG_COUNT_OF(mistakes); i++) {
        mg_model *model = NULL;
        const char *expected = mistakes[i].message;
        const size_t length = strlen(expected);
        const bool begins = length > 3 && !strcmp(expected + length - 3, "...") &&
                            strcmp(expected + length - 4, "=...") != 0;
        const mg_status st = mg_model_parse(&model, mistakes[i].text, "bad.net");
        if (st != MG_ERR_FORMAT || model ||
            strncmp(mg_last_error(), expected, begins ? length - 3 : length + 1) != 0)
            fail_msg("%s\nexpected %s\nfound %s: %s", mistakes[i].text, expected,
                     mg_status_name(st), mg_last_error());
    }
}

static void too_many_layers(void **unused)
{
    (void)unused;
    char text[4096] = IN;
    mg_model *model = NULL;
    for (int i = 1; i <= MG_MAX_LAYERS; i++) strcat(text, "relu\n");
    assert_int_equal(mg_model_parse(&model, text, "bad.net"), MG_ERR_FORMAT);
    assert_string_equal(mg_last_error(), "bad.net:257: relu: more than 256 layers");
}

/* ---- how parameters start ---- */

typedef struct moments {
    double mean, deviation, largest; /* of the absolute values */
    size_t differing;                /* from the one before */
} moments;

static moments moments_of(const float *w, size_t count)
{
    moments m = {0};
    double squares = 0;
    for (size_t i = 0; i < count; i++) {
        m.mean += w[i] / (double)count;
        m.largest = fmax(m.largest, fabs((double)w[i]));
        m.differing += i && w[i] != w[i - 1];
    }
    for (size_t i = 0; i < count; i++) squares += (w[i] - m.mean) * (w[i] - m.mean);
    m.deviation = sqrt(squares / (double)count);
    return m;
}

/* deviation: of the distribution; limit: of a uniform one, 0 of a normal one. */
static void assert_distributed(const char *what, const float *w, size_t count, double deviation,
                               double limit)
{
    const moments m = moments_of(w, count);
    /* Four standard deviations of what is measured; that of a deviation is at most d / sqrt(2n). */
    const double mean_error = 4 * deviation / sqrt((double)count);
    const double deviation_error = 4 * deviation / sqrt(2 * (double)count);
    if (!(fabs(m.mean) <= mean_error && fabs(m.deviation - deviation) <= deviation_error))
        fail_msg("%s: mean %g, deviation %g; expected 0, %g", what, m.mean, m.deviation, deviation);
    if (limit ? m.largest > limit || m.largest < 0.99 * limit
              : m.largest < 3 * deviation || m.largest > 6 * deviation)
        fail_msg("%s: numbers up to %g, where the deviation is %g", what, m.largest, deviation);
    assert_true(m.differing > count * 9 / 10);
}

static float *init(const mg_model *model, uint64_t seed)
{
    float *params = malloc(model->arena_length * sizeof *params);
    assert_non_null(params);
    memset(params, 0xff, model->arena_length * sizeof *params); /* all of it is to be written */
    mg__model_init(model, params, seed);
    return params;
}

/* A convolution of 5 channels and 3x3 taps to 300, and a dense layer of 600 inputs to 400. */
static void weights_start_as_asked(void **unused)
{
    (void)unused;
    static const struct {
        const char *word;
        double scale, out; /* deviation sqrt(scale / (in + out fan_out)) */
        bool uniform;
    } inits[] = {{"glorot", 2, 1, true},
                 {"glorot_normal", 2, 1, false},
                 {"he", 2, 0, true},
                 {"he_normal", 2, 0, false},
                 {"torch", 1.0 / 3, 0, true}};
    for (int i = 0; i < MG_COUNT_OF(inits); i++) {
        char text[200];
        snprintf(text, sizeof text,
                 "input 5x4x3\nconv out=300 kernel=3 init=%s\n"
                 "dense out=400 init=%s\ndense out=2\nsoftmax_xent\n",
                 inits[i].word, inits[i].word);
        mg_model *model = parse(text);
        float *params = init(model, 7);
        for (int k = 0; k < 4; k += 2) {
            const mg_tensor *t = mg__model_tensor(model, k);
            const double in = k ? 600 : 45, out = k ? 400 : 2700;
            const double deviation = sqrt(inits[i].scale / (in + inits[i].out * out));
            assert_distributed(inits[i].word, params + t->offset, t->count, deviation,
                               inits[i].uniform ? sqrt(3) * deviation : 0);
        }
        free(params);
        mg_model_free(model);
    }
}

static void constants_biases_and_padding_start_as_asked(void **unused)
{
    (void)unused;
    mg_model *model = parse("input 100x1x1\n"
                            "dense out=4001 init=normal:0.02 bias=normal:3\n"
                            "dense out=5003 init=-0.5 bias=torch\n"
                            "dense out=2 bias=1\nsoftmax_xent\n");
    float *params = init(model, 7);
    const mg_tensor *const t[] = {mg__model_tensor(model, 0), mg__model_tensor(model, 1),
                                  mg__model_tensor(model, 2), mg__model_tensor(model, 3),
                                  mg__model_tensor(model, 4), mg__model_tensor(model, 5)};
    assert_distributed("normal:0.02", params + t[0]->offset, t[0]->count, 0.02, 0);
    assert_distributed("bias=normal:3", params + t[1]->offset, t[1]->count, 3, 0);
    for (size_t i = 0; i < t[2]->count; i++) assert_true(params[t[2]->offset + i] == -0.5f);
    assert_distributed("bias=torch", params + t[3]->offset, t[3]->count, sqrt(1 / 3.0 / 4001),
                       1 / sqrt(4001));
    for (size_t i = 0; i < t[5]->count; i++) assert_true(params[t[5]->offset + i] == 1);
    for (size_t i = t[1]->offset + t[1]->count; i < t[2]->offset; i++) assert_true(params[i] == 0);
    free(params);
    mg_model_free(model);
}

/* Pairs of normal numbers come from one pair of uniform ones: they are to be independent, and so
 * are tensors. */
static void numbers_do_not_hang_together(void **unused)
{
    (void)unused;
    mg_model *model = parse("input 100x1x1\ndense out=400 init=normal:1\n"
                            "dense out=100 init=normal:1\ndense out=2\nsoftmax_xent\n");
    float *params = init(model, 7);
    const float *first = params + mg__model_tensor(model, 0)->offset;
    const float *second = params + mg__model_tensor(model, 2)->offset;
    const int count = 40000;
    double neighbours = 0, squares = 0, tensors = 0;
    for (int i = 0; i < count; i += 2) {
        const double l = first[i], r = first[i + 1];
        neighbours += l * r;
        squares += (l * l - 1) * (r * r - 1);
    }
    for (int i = 0; i < count; i++) tensors += (double)first[i] * second[i];
    assert_true(fabs(neighbours) < 4 * sqrt(count / 2.0));
    assert_true(fabs(squares) < 4 * 2 * sqrt(count / 2.0));
    assert_true(fabs(tensors) < 4 * sqrt(count));
    free(params);
    mg_model_free(model);
}

static void seeds_decide_the_bytes(void **unused)
{
    (void)unused;
    mg_model *model = parse("input 1x8x8\nconv out=3 kernel=3\ndense out=7 init=he_normal "
                            "bias=torch\ndense out=2\nsoftmax_xent\n");
    const size_t bytes = model->arena_length * sizeof(float);
    float *params = init(model, 7), *same = init(model, 7), *other = init(model, 8),
          *upper = init(model, 7 + ((uint64_t)1 << 32));
    assert_memory_equal(params, same, bytes);
    assert_memory_not_equal(params, other, bytes);
    assert_memory_not_equal(params, upper, bytes);
    free(params);
    free(same);
    free(other);
    free(upper);
    mg_model_free(model);
}

/* What runs of earlier versions started with, for the default. */
static void the_default_stays(void **unused)
{
    (void)unused;
    mg_model *model = NULL;
    static const float first[] = {0x1.1c30ecp-3f, 0x1.da5632p-5f, 0x1.ecc2fep-4f, -0x1.bef958p-6f,
                                  -0x1.6071e4p-6f};
    static const float last[] = {0x1.8d716ap-8f, -0x1.c9e8ecp-4f};
    assert_int_equal(mg_model_load(&model, "lenet5"), MG_OK);
    float *params = init(model, 1);
    const mg_tensor *t = mg__model_tensor(model, mg__model_tensor_count(model) - 2);
    for (int i = 0; i < MG_COUNT_OF(first); i++) assert_true(params[i] == first[i]);
    for (int i = 0; i < MG_COUNT_OF(last); i++)
        assert_true(params[t->offset + t->count - MG_COUNT_OF(last) + (size_t)i] == last[i]);
    free(params);
    mg_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(presets_have_their_parameters),
        cmocka_unit_test(all_layers_round_trip),
        cmocka_unit_test(defaults_are_written_out),
        cmocka_unit_test(mistakes_are_found_and_placed),
        cmocka_unit_test(too_many_layers),
        cmocka_unit_test(weights_start_as_asked),
        cmocka_unit_test(constants_biases_and_padding_start_as_asked),
        cmocka_unit_test(numbers_do_not_hang_together),
        cmocka_unit_test(seeds_decide_the_bytes),
        cmocka_unit_test(the_default_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
