/* Makes the seeds of what this program writes, or what is text: fuzz_seeds FOLDER fills
 * FOLDER/<target>/. The others, in seeds/, are made by make_seeds.py. */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "fuzz.h"
#include "idx_files.h"
#include "io/file.h"
#include "io/history.h"
#include "io/run.h"
#include "io/run_files.h"
#include "io/safetensors.h"
#include "mnist_gpu/device.h"
#include "mnist_gpu/weights.h"
#include "pictures.h"
#include "train/pass.h"

#define NETWORK "input 1x2x2\nconv out=2 kernel=1\nbatchnorm\ndense out=2\nsoftmax_xent\n"

static void add(const char *target, const char *name, const void *bytes, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", target, name);
    mkdir(target, 0777);
    scratch_write(path, bytes, size);
}

static void add_text(const char *target, const char *name, const char *text)
{
    add(target, name, text, strlen(text));
}

static void add_blob(const char *target, const char *name, blob b)
{
    add(target, name, b.bytes, b.size);
    free(b.bytes);
}

/* A file that was written: becomes a seed, alone or as one of two. */
static void add_file(const char *target, const char *name, const char *path)
{
    size_t size;
    char *bytes = scratch_read(path, &size);
    add(target, name, bytes, size);
    free(bytes);
}

static void add_pair(const char *target, const char *name, const char *first, const char *second)
{
    size_t sizes[2];
    char *bytes[2] = {scratch_read(first, &sizes[0]), scratch_read(second, &sizes[1])};
    blob b = {0};
    put(&b, (uint8_t[]){(uint8_t)sizes[0], (uint8_t)(sizes[0] >> 8)}, 2);
    for (int i = 0; i < 2; i++) put(&b, bytes[i], sizes[i]);
    add_blob(target, name, b);
    free(bytes[0]);
    free(bytes[1]);
}

/* ---- sets ---- */

static void add_sets(void)
{
    write_idx("labels.idx", DIMS(5), 0, 1);
    write_idx("images.idx", DIMS(5, 3, 2), 0, 7);
    write_idx("colour.idx", DIMS(5, 3, 2, 2), 0, 7);
    write_idx("labels.gz", DIMS(5), 0, 1);
    write_idx("images.gz", DIMS(5, 3, 2), 0, 7);
    add_file("idx", "labels", "labels.idx");
    add_file("idx", "images", "images.idx");
    add_file("idx", "colour", "colour.idx");
    add_file("gzip", "labels", "labels.gz");
    add_file("gzip", "images", "images.gz");
    add_pair("dataset", "raw", "images.idx", "labels.idx");
    add_pair("dataset", "colour", "colour.idx", "labels.idx");
    add_pair("dataset", "packed", "images.gz", "labels.gz");
    add_text("csv", "plain", "3,0,1,2,255\n9,4,5,6,7\n");
    add_text("csv", "heading", "label,a,b,c,d\r\n3,0,1,2,255\r\n\r\n9,4,5,6,7");
    add_text("classes", "names", "cat\ndog\nbird\n");
    add_text("classes", "letters", "a\r\n\xc3\xa9\r\nc");
}

/* ---- pictures ---- */

static void add_pictures(void)
{
    static uint8_t grey[28 * 28];
    for (int y = 0; y < 28; y++) /* a ring, dark on light */
        for (int x = 0; x < 28; x++) {
            const int d = (x - 14) * (x - 14) + (y - 13) * (y - 13);
            grey[28 * y + x] = d > 30 && d < 80 ? 20 : 240;
        }
    add_blob("png", "ring", make_png(28, 28, 1, 8, grey));
    add_blob("bmp", "ring", make_bmp(28, 28, grey));
    add_blob("bmp", "from-the-top", make_bmp(28, -28, grey));
    add_blob("jpeg", "flat", make_jpeg(3, 2, grey));
    add_blob("pnm", "p5", make_pnm("P5 28 28 255\n", grey, sizeof grey));
    add_blob("pnm", "p5-16-bit", make_pnm("P5 14 28 # wide\n65535\n", grey, sizeof grey));
    add_blob("pnm", "p4", make_pnm("P4 28 28\n", grey, 4 * 28));
    add_blob("pnm", "p6", make_pnm("P6 14 14 255\n", grey, 3 * 14 * 14));
    add_text("pnm", "p1", "P1\n4 3\n0 1 1 0\n0110\n1 0 0 1\n");
    add_text("pnm", "p2", "P2 3 2 15\n0 1 2\n3 4 15\n");
    add_text("pnm", "p3", "P3 2 1 255\n255 0 0 0 255 7\n");
    add("exif", "big-endian", "MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0", 26);
    add("exif", "little-endian", "II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\3\0\0\0\0\0\0\0", 26);
    for (int channels = 1; channels <= 4; channels++) {
        blob b = {0};
        const char name[] = {(char)('0' + channels), 0};
        put(&b, (uint8_t[]){27, 27, (uint8_t)(channels - 1), 0}, 4);
        put(&b, grey, sizeof grey);
        add_blob("pixels", name, b);
    }
}

/* ---- models and runs ---- */

static void add_models(void)
{
    for (int i = 0; mg_model_preset(i); i++) {
        mg_model *preset = NULL;
        assert_ok(mg_model_load(&preset, mg_model_preset(i)->name));
        add_text("model", mg_model_preset(i)->name, mg_model_text(preset));
        mg_model_free(preset);
    }
    add_text(
        "model", "all",
        "input 3x20x21 mean=0.25 std=0.3081 # all layers\n"
        "conv out=6 kernel=4 stride=2 pad=1 init=normal:0.0625 bias=-0.5\n"
        "relu\nconv out=2 kernel=3 pad=same init=he\navgpool size=2\nbatchnorm eps=0.001\n"
        "leaky_relu slope=0.125\nmaxpool size=3 stride=1\ntanh\ndropout rate=0.125\n"
        "dense out=4 init=torch bias=torch\nsigmoid\ndense out=3 init=glorot_normal bias=1e-05\n"
        "softmax_xent smoothing=0.125\n");
    add_text("model", "small", NETWORK);
}

static void add_run(const mg_model *model, const char *optimizer, const char *schedule)
{
    uint8_t pixels[24 * 4], labels[24];
    mg_dataset set = {.count = 24, .channels = 1, .height = 2, .width = 2, .classes = 2};
    mg_run_config config = {.options = mg_train_options_default(),
                            .model_name = "small",
                            .model_text = (char *)(uintptr_t)mg_model_text(model),
                            .data = "synth",
                            .device = "ref",
                            .val_split = 0.25,
                            .train_count = 24,
                            .val_count = 4};
    mg_backend *backend = NULL;
    mg_trainer *trainer = NULL;
    mg_train_state *state = NULL;
    char *settings = NULL;
    for (int i = 0; i < 24; i++) labels[i] = (uint8_t)(i % 2);
    for (int i = 0; i < 24 * 4; i++) pixels[i] = (uint8_t)(37 * i);
    set.pixels = pixels;
    set.labels = labels;
    config.options.epochs = 3;
    config.options.batch = 8;
    config.options.max_steps = 7; /* in the third epoch */
    snprintf(config.options.optimizer, sizeof config.options.optimizer, "%s", optimizer);
    snprintf(config.options.schedule, sizeof config.options.schedule, "%s", schedule);
    const mg_dataset val = mg_dataset_slice(&set, 0, 4);
    assert_ok(mg_backend_open(&backend, "ref", 1));
    assert_ok(mg_trainer_create(&trainer, backend, model, &set, &val, &config.options));
    assert_ok(mg_trainer_run(trainer, NULL));
    assert_ok(mg_trainer_save(trainer, &state));
    state->epoch_seconds = 0.25; /* the same seeds on every machine */
    for (int i = 0; i < state->history_count; i++)
        state->history[i].seconds = state->history[i].images_per_sec = i + 0.5;
    config.options.max_steps = 0;
    assert_ok(mg__run_save_config(".", &config));
    assert_ok(mg__run_settings(&settings, &config));
    assert_ok(mg__state_write(MG_RUN_STATE, model, state, settings));
    assert_ok(mg__history_write_csv(MG_RUN_CSV, state));
    add_pair("resume", optimizer, MG_RUN_CONFIG, MG_RUN_STATE);
    add_pair("plot", optimizer, MG_RUN_CONFIG, MG_RUN_CSV);
    add_file("config", optimizer, MG_RUN_CONFIG);
    add_file("safetensors", optimizer, MG_RUN_STATE);

    char *text = mg__history_text(state), *counted = mg__format("\2%s", text);
    add_text("history", optimizer, counted);
    free(text);
    free(counted);
    free(settings);
    mg_train_state_free(state);
    mg_trainer_free(trainer);
    mg_backend_close(backend);
}

static void add_weights(const mg_model *model)
{
    static const float numbers[4] = {1, 2, 3, 4};
    static const int64_t batches = 7;
    mg_st_tensor tensors[16];
    int count = 0;
    float *params = calloc(mg_model_arena_length(model), sizeof *params);
    assert_ok(mg_weights_save("own.safetensors", model, params, NULL, 0));
    add_file("weights", "own", "own.safetensors");
    assert_true(mg__model_tensor_count(model) < MG_COUNT_OF(tensors));
    for (; count < mg__model_tensor_count(model); count++) {
        const mg_tensor *t = mg__model_tensor(model, count);
        tensors[count] = (mg_st_tensor){.name = t->name,
                                        .dtype = "F32",
                                        .rank = t->rank,
                                        .data = params,
                                        .size = t->count * sizeof(float)};
        for (int i = 0; i < t->rank; i++) tensors[count].dim[i] = (uint64_t)t->dim[i];
    }
    tensors[count++] = (mg_st_tensor){.name = "batchnorm1.num_batches_tracked",
                                      .dtype = "I64",
                                      .data = &batches,
                                      .size = sizeof batches};
    assert_ok(mg__safetensors_write("pytorch.safetensors", tensors, count, NULL, 0));
    add_file("weights", "pytorch", "pytorch.safetensors");
    const mg_st_tensor few[] = {
        {.name = "a", .dtype = "F32", .rank = 2, .dim = {2, 2}, .data = numbers, .size = 16},
        {.name = "none", .dtype = "U8", .rank = 1, .dim = {0}, .data = numbers}};
    assert_ok(
        mg__safetensors_write("few.safetensors", few, 2, (const char *[]){"key", "value"}, 1));
    add_file("safetensors", "few", "few.safetensors");
    free(params);
}

static void add_words(void)
{
    add_text("words", "options",
             "--quiet\n--epochs=3\n--seed\n18446744073709551615\n--lr\n1e-3\n--val-split=0.1\n-\n"
             "--colour\ngreen\n--data\nmnist\n--\n-x");
    add_text("words", "recipe", "--recipe\ngo-lenet\n--epochs\n2");
    add_text("words", "augmentation", "affine:0.5,elastic\nall,noise:0\nepoch-0001.safetensors");
    add_text("words", "help", "--help");
}

int main(int argc, char **argv)
{
    mg_model *model = NULL;
    if (argc != 2 || mg__make_dirs(argv[1]) || chdir(argv[1]))
        return fprintf(stderr, "usage: fuzz_seeds FOLDER\n"), 2;
    assert_ok(mg_model_parse(&model, NETWORK, "small"));
    add_sets();
    add_pictures();
    add_models();
    add_run(model, "adam", "plateau");
    add_run(model, "sgd", "cosine");
    add_weights(model);
    add_words();
    mg_model_free(model);
    return 0;
}
