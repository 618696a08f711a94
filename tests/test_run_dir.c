/* Run directories: config.json, making them, finding them. */
#define _XOPEN_SOURCE 700 /* mkdtemp, nftw */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "io/file.h"
#include "io/run.h"
#include "scratch.h"
#include <fcntl.h>
#include <jansson.h>

#define MODEL "input 1x3x3\ndense out=3\nsoftmax_xent\n"

/* ---- config.json ---- */

static mg_run_config make_config(void)
{
    mg_run_config config = {.options = mg_train_options_default(),
                            .model_name = strdup("tiny"),
                            .model_text = strdup(MODEL),
                            .data = strdup("/data/\xc3\xa9t\xc3\xa9"),
                            .device = strdup("cpu"),
                            .outputs = {.best = true, .epoch = true, .keep = 7, .started = 1.5e9},
                            .val_split = 0.1,
                            .limit = 0,
                            .train_count = 54000,
                            .val_count = 6000,
                            .data_crc32 = UINT32_MAX};
    assert_true(config.model_name && config.model_text && config.data && config.device);
    config.options.seed = UINT64_MAX;
    return config;
}

/* Those that config.json did not have at first: none of them is at its default, or like another. */
static void set_later_options(mg_train_options *o)
{
    o->nesterov = true;
    o->warmup = UINT64_MAX - 1;
    o->beta1 = 0.5;
    o->beta2 = 0.25;
    o->rho = 0.75;
    o->eps = 1e-5;
    o->weight_decay = 0.01;
    o->clip_value = 2;
    o->clip_norm = 3;
    o->min_delta = 0.125;
    o->lr_gamma = 0.3;
    o->lr_min = 1e-6;
    o->lr_step = 7;
    o->lr_patience = 8;
    o->patience = 9;
    snprintf(o->schedule, sizeof o->schedule, "one-cycle");
    snprintf(o->monitor, sizeof o->monitor, "val_loss");
}

static void config_round_trip(void **unused)
{
    (void)unused;
    const double rates[] = {0.001, 1.0 / 3}; /* 15 digits are enough, and are not */
    assert_int_equal(mg__make_dirs("r"), MG_OK);
    for (int i = 0; i < 2; i++) {
        mg_run_config config = make_config(), back = {0};
        config.options.lr = rates[i];
        set_later_options(&config.options);
        assert_int_equal(mg__run_save_config("r", &config), MG_OK);
        if (mg__run_load_config(&back, "r") != MG_OK) fail_msg("%s", mg_last_error());
        assert_string_equal(back.model_name, config.model_name);
        assert_string_equal(back.model_text, config.model_text);
        assert_string_equal(back.data, config.data);
        assert_string_equal(back.device, config.device);
        assert_string_equal(back.options.optimizer, config.options.optimizer);
        assert_int_equal(back.options.epochs, config.options.epochs);
        assert_int_equal(back.options.batch, config.options.batch);
        assert_int_equal(back.options.shuffle, config.options.shuffle);
        assert_true(back.options.seed == UINT64_MAX);
        assert_true(back.options.max_steps == config.options.max_steps);
        assert_true(back.options.lr == rates[i]);
        assert_true(back.options.momentum == config.options.momentum);
        assert_true(back.options.nesterov && back.options.warmup == UINT64_MAX - 1);
        assert_true(back.options.beta1 == 0.5 && back.options.beta2 == 0.25);
        assert_true(back.options.rho == 0.75 && back.options.eps == 1e-5);
        assert_true(back.options.weight_decay == 0.01 && back.options.clip_value == 2);
        assert_true(back.options.clip_norm == 3 && back.options.min_delta == 0.125);
        assert_true(back.options.lr_gamma == 0.3 && back.options.lr_min == 1e-6);
        assert_int_equal(back.options.lr_step, 7);
        assert_int_equal(back.options.lr_patience, 8);
        assert_int_equal(back.options.patience, 9);
        assert_string_equal(back.options.schedule, "one-cycle");
        assert_string_equal(back.options.monitor, "val_loss");
        assert_true(back.val_split == 0.1);
        assert_true(back.outputs.best && !back.outputs.last && back.outputs.epoch);
        assert_int_equal(back.outputs.keep, 7);
        assert_false(back.outputs.tensorboard);
        assert_true(back.outputs.started == 1.5e9);
        assert_int_equal(back.limit, 0);
        assert_int_equal(back.train_count, 54000);
        assert_int_equal(back.val_count, 6000);
        assert_true(back.data_crc32 == UINT32_MAX);
        assert_null(back.later);
        mg__run_config_free(&back);
        mg__run_config_free(&config);
        size_t size;
        char *text = scratch_read("r/config.json", &size);
        assert_int_equal(!strstr(text, "\n  \"val_split\": 0.1,\n"), i);
        assert_non_null(strstr(text, "\"version\": \""));
        free(text);
    }
    mg_run_config bad = make_config();
    strcpy(bad.model_name, "t\xe9");
    assert_int_equal(mg__run_save_config("r", &bad), MG_ERR_INVALID);
    assert_message("r/config.json: \"model_name\" cannot be written: not UTF-8");
    mg__run_config_free(&bad);
    scratch_remove("r");
}

/* Replaces the first `from` in the text by `to`; malloc'd. */
static char *replaced(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    if (!at) fail_msg("no %s in the text", from);
    return mg__format("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

static void hostile_configs(void **unused)
{
    (void)unused;
    static const struct {
        const char *from, *to, *message; /* NULL: it is fine */
    } cases[] = {
        {"\"program\"", "\"Program\"", "unknown key \"Program\": of a later version?"},
        {"\"beta1\"", "\"beta\"", "unknown key \"beta\""},
        {"\"beta1\"", "\"beta1\\u001b[31m\"", "unknown key \"beta1?[31m\""},
        {"\"format\": 1", "\"format\": 2", "\"format\" is 2, this program reads 1"},
        {"\"format\": 1", "\"format\": \"1\"", "\"format\" is \"1\", this program reads 1"},
        {"\"format\": 1", "\"version\": \"0\"", "duplicate object key"},
        {"\"schedule\": \"constant\"", "\"schedule\": 1", "\"schedule\": expected a short word"},
        {"\"lr_step\": 10", "\"lr_step\": 0", "\"lr_step\": expected a whole number from 1"},
        {"\"warmup\": \"0\"", "\"warmup\": 0", "\"warmup\": expected a whole number in quotes"},
        {"\"lr\": 0.001", "\"lr\": 1", NULL},
        {"\"epochs\"", "\"epoch\"", "unknown key \"epoch\""},
        {"\"data_crc32\": 4294967295", "\"data_crc32\": 1.5", "\"data_crc32\": expected a whole"},
        {"\"batch\": 32", "\"batch\": \"32\"",
         "\"batch\": expected a whole number from 1 to 65536, found \"32\""},
        {"\"batch\": 32", "\"batch\": 0", "from 1 to 65536, found 0"},
        {"\"batch\": 32", "\"batch\": 32.0", "\"batch\": expected a whole number"},
        {"\"limit\": 0", "\"limit\": -1", "\"limit\": expected a whole number from 0 to 42949"},
        {"\"limit\": 0", "\"limit\": 4294967296", "\"limit\": expected"},
        {"\"lr\": 0.001", "\"lr\": null", "\"lr\": expected a number from 0 to 1e+30, found null"},
        {"\"val_split\": 0.1", "\"val_split\": 1.0", "\"val_split\": expected a number"},
        {"\"shuffle\": true", "\"shuffle\": 1", "\"shuffle\": expected true or false, found 1"},
        {"\"save_epoch\": true", "\"save_epoch\": \"yes\"",
         "\"save_epoch\": expected true or false"},
        {"\"keep\": 7", "\"keep\": -1", "\"keep\": expected a whole number from 0 to 2147483647"},
        {"\"seed\": \"", "\"seed\": \"-", "\"seed\": expected a whole number in quotes"},
        {"\"seed\": \"", "\"seed\": \"9", "\"seed\": expected a whole number in quotes"},
        {"\"adam\"", "\"adamadamadamadam\"", "\"optimizer\": expected a short word"},
        {"\"cpu\"", "[1]", "\"device\": expected text, found [1]"},
        {"\"device\"", "\"data\"", "config.json:"},
        {"\n}", "\n", "config.json:"},
        {"{", "[] {", "config.json:1: end of file expected"},
    };
    mg_run_config config = make_config(), back = {0};
    size_t size;
    assert_int_equal(mg__make_dirs("r"), MG_OK);
    assert_int_equal(mg__run_save_config("r", &config), MG_OK);
    char *good = scratch_read("r/config.json", &size);
    for (int i = 0; i < MG_COUNT_OF(cases); i++) {
        char *text = replaced(good, cases[i].from, cases[i].to);
        scratch_write("r/config.json", text, strlen(text));
        const mg_status st = mg__run_load_config(&back, "r");
        if (!cases[i].message ? st != MG_OK : st != MG_ERR_FORMAT && st != MG_ERR_UNSUPPORTED)
            fail_msg("%s: %s: %s", cases[i].to, mg_status_name(st), mg_last_error());
        if (cases[i].message) assert_message(cases[i].message);
        mg__run_config_free(&back);
        free(text);
    }
    for (size_t length = 0; length + 2 < size; length++) { /* without the last brace */
        scratch_write("r/config.json", good, length);
        assert_int_equal(mg__run_load_config(&back, "r"), MG_ERR_FORMAT);
    }
    assert_int_equal(mg__run_load_config(&back, "none"), MG_ERR_NOT_FOUND);
    free(good);
    mg__run_config_free(&config);
    scratch_remove("r");
}

/* What the first version of the program wrote: none of its options did anything else than their
 * defaults do now. */
static void config_of_the_first_version(void **unused)
{
    (void)unused;
    static const char text[] =
        "{\"program\": \"mnist_gpu\", \"version\": \"0.1.0\", \"model_name\": \"tiny\", \"data\": "
        "\"/d\", \"device\": \"cpu\", \"epochs\": 3, \"batch\": 7, \"lr\": 0.5, \"optimizer\": "
        "\"sgd\", \"momentum\": 0.9, \"seed\": \"2\", \"shuffle\": false, \"max_steps\": \"0\", "
        "\"val_split\": 0.25, \"limit\": 0, \"train_count\": 30, \"val_count\": 10, \"model\": "
        "\"input 1x3x3\\ndense out=3\\nsoftmax_xent\\n\"}";
    mg_run_config config;
    assert_int_equal(mg__make_dirs("r"), MG_OK);
    scratch_write("r/config.json", text, strlen(text));
    if (mg__run_load_config(&config, "r") != MG_OK) fail_msg("%s", mg_last_error());
    mg_train_options expected = mg_train_options_default();
    expected.epochs = 3;
    expected.batch = 7;
    expected.lr = 0.5;
    expected.momentum = 0.9;
    expected.seed = 2;
    expected.shuffle = false;
    snprintf(expected.optimizer, sizeof expected.optimizer, "sgd");
    assert_memory_equal(&config.options, &expected, sizeof expected);
    assert_true(config.outputs.best && config.outputs.last && !config.outputs.epoch);
    assert_true(!config.outputs.keep && !config.outputs.tensorboard && !config.data_crc32);
    assert_string_equal(
        config.later,
        "kernels, nesterov, beta1, beta2, rho, eps, weight_decay, clip_value, clip_norm, "
        "schedule, lr_gamma, lr_step, lr_min, lr_patience, warmup, monitor, "
        "patience, min_delta, augment_affine, augment_elastic, augment_stroke, "
        "augment_noise, data_crc32, save_best, save_last, save_epoch, keep, "
        "tensorboard, started");
    mg__run_config_free(&config);
    scratch_remove("r");
}

/* Every key of the first version is needed, every later one has a default and is listed. */
static void every_key_may_be_missing_or_not(void **unused)
{
    (void)unused;
    static const char first[] =
        " model_name data device epochs batch lr optimizer momentum seed shuffle max_steps "
        "val_split limit train_count val_count model ";
    mg_run_config config = make_config(), back;
    char word[64], message[80];
    const char *key;
    json_t *value;
    assert_int_equal(mg__make_dirs("r"), MG_OK);
    assert_int_equal(mg__run_save_config("r", &config), MG_OK);
    json_t *all = json_load_file("r/config.json", 0, NULL);
    assert_int_equal(json_object_size(all), 16 + 29 + 3);
    json_object_foreach(all, key, value)
    {
        json_t *rest = json_copy(all);
        json_object_del(rest, key);
        assert_int_equal(json_dump_file(rest, "r/config.json", 0), 0);
        const mg_status st = mg__run_load_config(&back, "r");
        snprintf(word, sizeof word, " %s ", key);
        snprintf(message, sizeof message, "r/config.json: \"%s\" is missing", key);
        if (strstr(first, word)) {
            assert_int_equal(st, MG_ERR_FORMAT);
            assert_message(message);
        } else {
            assert_int_equal(st, MG_OK);
            if (!strstr(" program version format ", word)) assert_string_equal(back.later, key);
            mg__run_config_free(&back);
        }
        json_decref(rest);
    }
    json_decref(all);
    mg__run_config_free(&config);
    scratch_remove("r");
}

/* ---- settings ---- */

static const struct {
    const char *from, *to, *message; /* NULL: it does not matter */
} settings_cases[] = {
    {"\"seed\": \"18446744073709551615\"", "\"seed\": \"1\"",
     "it is of a training with \"seed\" \"18446744073709551615\", config.json has \"1\""},
    {"\"batch\": 32", "\"batch\": 64", "with \"batch\" 32, config.json has 64"},
    {"\"lr\": 0.001", "\"lr\": 0.01", "with \"lr\" 0.001, config.json has 0.01"},
    {"\"optimizer\": \"adam\"", "\"optimizer\": \"adamw\"",
     "with \"optimizer\" \"adam\", config.json has \"adamw\""},
    {"\"momentum\": 0.0", "\"momentum\": 0.5", "with \"momentum\" 0.0,"},
    {"\"nesterov\": false", "\"nesterov\": true", "with \"nesterov\" false,"},
    {"\"beta1\": 0.9", "\"beta1\": 0.8", "with \"beta1\" 0.9, config.json has 0.8"},
    {"\"beta2\": 0.999", "\"beta2\": 0.9", "with \"beta2\" 0.999,"},
    {"\"rho\": 0.9", "\"rho\": 0.99", "with \"rho\" 0.9,"},
    {"\"eps\": 0.0", "\"eps\": 1e-7", "with \"eps\" 0.0,"},
    {"\"weight_decay\": 0.0", "\"weight_decay\": 0.1", "with \"weight_decay\" 0.0,"},
    {"\"clip_value\": 0.0", "\"clip_value\": 0.1", "with \"clip_value\" 0.0,"},
    {"\"clip_norm\": 0.0", "\"clip_norm\": 0.1", "with \"clip_norm\" 0.0,"},
    {"\"schedule\": \"constant\"", "\"schedule\": \"step\"", "with \"schedule\" \"constant\","},
    {"\"lr_gamma\": 0.0", "\"lr_gamma\": 0.5", "with \"lr_gamma\" 0.0,"},
    {"\"lr_step\": 10", "\"lr_step\": 1", "with \"lr_step\" 10,"},
    {"\"lr_min\": 0.0", "\"lr_min\": 0.0001", "with \"lr_min\" 0.0,"},
    {"\"lr_patience\": 10", "\"lr_patience\": 2", "with \"lr_patience\" 10,"},
    {"\"warmup\": \"0\"", "\"warmup\": \"3\"", "with \"warmup\" \"0\","},
    {"\"monitor\": \"val_accuracy\"", "\"monitor\": \"loss\"", "with \"monitor\" \"val_acc"},
    {"\"patience\": 0", "\"patience\": 4", "with \"patience\" 0, config.json has 4"},
    {"\"min_delta\": 0.0", "\"min_delta\": 0.5", "with \"min_delta\" 0.0,"},
    {"\"shuffle\": true", "\"shuffle\": false", "with \"shuffle\" true, config.json has false"},
    {"\"augment_affine\": 0.0", "\"augment_affine\": 1", "with \"augment_affine\" 0.0,"},
    {"\"augment_elastic\": 0.0", "\"augment_elastic\": 1", "with \"augment_elastic\" 0.0,"},
    {"\"augment_stroke\": 0.0", "\"augment_stroke\": 1", "with \"augment_stroke\" 0.0,"},
    {"\"augment_noise\": 0.0", "\"augment_noise\": 1", "with \"augment_noise\" 0.0,"},
    {"\"val_split\": 0.1", "\"val_split\": 0.2", "with \"val_split\" 0.1,"},
    {"\"limit\": 0", "\"limit\": 9", "with \"limit\" 0, config.json has 9"},
    {"\"train_count\": 54000", "\"train_count\": 9", "with \"train_count\" 54000,"},
    {"\"val_count\": 6000", "\"val_count\": 9", "with \"val_count\" 6000,"},
    {"\"data_crc32\": 4294967295", "\"data_crc32\": 9", "with \"data_crc32\" 4294967295,"},
    {"\"model_name\": \"tiny\"", "\"model_name\": \"other\"", NULL},
    {"\"data\": \"/data", "\"data\": \"/elsewhere", NULL},
    {"\"device\": \"cpu\"", "\"device\": \"cuda\"", NULL},
    {"\"epochs\": 30", "\"epochs\": 40", NULL},
    {"\"max_steps\": \"0\"", "\"max_steps\": \"9\"", NULL},
    {"\"save_best\": true", "\"save_best\": false", NULL},
    {"\"save_last\": false", "\"save_last\": true", NULL},
    {"\"save_epoch\": true", "\"save_epoch\": false", NULL},
    {"\"keep\": 7", "\"keep\": 8", NULL},
    {"\"tensorboard\": false", "\"tensorboard\": true", NULL},
    {"\"started\": 1500000000.0", "\"started\": 1", NULL},
    {"input 1x3x3", "input 1x3x4", NULL}, /* it is compared line by line */
};

/* All that a training's numbers depend on is in them, and nothing else. */
static void settings_differ_by_name(void **unused)
{
    (void)unused;
    mg_run_config config = make_config(), other;
    char *settings = NULL, *others = NULL;
    size_t size;
    assert_int_equal(MG_COUNT_OF(settings_cases), 16 + 28);
    assert_int_equal(mg__make_dirs("r"), MG_OK);
    assert_int_equal(mg__run_save_config("r", &config), MG_OK);
    assert_int_equal(mg__run_settings(&settings, &config), MG_OK);
    char *good = scratch_read("r/config.json", &size);
    for (int i = 0; i < MG_COUNT_OF(settings_cases); i++) {
        char *text = replaced(good, settings_cases[i].from, settings_cases[i].to);
        scratch_write("r/config.json", text, strlen(text));
        if (mg__run_load_config(&other, "r") != MG_OK) fail_msg("%s", mg_last_error());
        assert_int_equal(mg__run_settings(&others, &other), MG_OK);
        const mg_status st = mg__run_check_settings(settings, others);
        if (st != (settings_cases[i].message ? MG_ERR_MISMATCH : MG_OK))
            fail_msg("%s: %s", settings_cases[i].to, mg_status_name(st));
        if (settings_cases[i].message) assert_message(settings_cases[i].message);
        mg__run_config_free(&other);
        free(others);
        free(text);
    }
    assert_int_equal(mg__run_check_settings("[]", settings), MG_ERR_FORMAT);
    assert_int_equal(mg__run_check_settings("{", settings), MG_ERR_FORMAT);
    assert_int_equal(mg__run_check_settings("{}", settings), MG_OK); /* written by an older one */
    free(good);
    free(settings);
    mg__run_config_free(&config);
    scratch_remove("r");
}

/* ---- directories ---- */

static void new_dirs_are_new(void **unused)
{
    (void)unused;
    char *first = NULL, *second = NULL;
    assert_int_equal(mg__run_new_dir(&first, "../nets/my net.txt"), MG_OK);
    assert_int_equal(mg__run_new_dir(&second, "../nets/my net.txt"), MG_OK);
    assert_string_not_equal(first, second);
    assert_int_equal(strncmp(first, "runs/20", 7), 0);
    assert_non_null(strstr(first, "-my_net.txt"));
    assert_true(scratch_exists(first) && scratch_exists(second));
    assert_int_equal(mg__run_make_dir(first), MG_OK);
    char *config = mg__format("%s/config.json", first);
    scratch_write(config, "{}", 2);
    assert_int_equal(mg__run_make_dir(first), MG_ERR_INVALID);
    assert_message("holds a run already (config.json)");
    free(config);
    free(first);
    free(second);
    scratch_remove("runs");
}

/* A run that was killed before its first state was saved may begin again; nothing else may. */
static void run_without_a_state_begins_again(void **unused)
{
    (void)unused;
    mg_run_config config = make_config();
    assert_int_equal(mg__run_make_dir("r"), MG_OK);
    assert_int_equal(mg__run_save_config("r", &config), MG_OK);
    scratch_write("r/state.safetensors.tmp.123", "half", 4);
    assert_int_equal(mg__run_make_dir("r"), MG_OK);
    assert_false(scratch_exists("r/state.safetensors.tmp.123"));
    scratch_write("r/state.safetensors", "", 0);
    assert_int_equal(mg__run_make_dir("r"), MG_ERR_INVALID);
    assert_message("r: holds a run already (state.safetensors)");
    mg__run_config_free(&config);
    scratch_remove("r");
    static const char *const others[] = {"last.safetensors",
                                         "best.safetensors",
                                         "metrics.csv",
                                         "metrics.jsonl",
                                         "log.txt",
                                         "epoch-0003.safetensors",
                                         "train/events.out.tfevents"};
    for (int i = 0; i < MG_COUNT_OF(others); i++) {
        assert_int_equal(mg__make_dirs("r/train"), MG_OK);
        assert_int_equal(mg__run_make_dir("r"), MG_OK);
        char *path = mg__format("r/%s", others[i]);
        scratch_write(path, "", 0);
        assert_int_equal(mg__run_make_dir("r"), MG_ERR_INVALID);
        assert_message(others[i]);
        free(path);
        scratch_remove("r");
    }
}

/* A run that has the files named, its state as old as `age` seconds. */
static void make_run(const char *dir, const char *const *names, int age)
{
    char path[64];
    const struct timespec times[2] = {{.tv_sec = 1000000 - age}, {.tv_sec = 1000000 - age}};
    assert_int_equal(mg__make_dirs(dir), MG_OK);
    for (; *names; names++) {
        snprintf(path, sizeof path, "%s/%s", dir, *names);
        scratch_write(path, "", 0);
        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    }
}

static void expect_weights(const char *run_or_file, const char *path, const char *dir)
{
    char *found = NULL, *found_dir = NULL;
    if (mg__run_weights_path(&found, &found_dir, run_or_file) != MG_OK)
        fail_msg("%s", mg_last_error());
    assert_string_equal(found, path);
    if (dir)
        assert_string_equal(found_dir, dir);
    else
        assert_null(found_dir);
    free(found);
    free(found_dir);
}

static void latest_run_and_its_weights(void **unused)
{
    (void)unused;
    char *path = NULL, *dir = NULL;
    assert_int_equal(mg__run_latest(&path), MG_ERR_NOT_FOUND);
    assert_message("no run with weights under ./runs: train one first");
    make_run("runs/a", (const char *[]){"state.safetensors", "last.safetensors", NULL}, 20);
    expect_weights(NULL, "runs/a/last.safetensors", "runs/a");
    make_run("runs/b",
             (const char *[]){"state.safetensors", "last.safetensors", "best.safetensors", NULL},
             10);
    make_run("runs/c", (const char *[]){"state.safetensors", NULL}, 0); /* no weights yet */
    make_run("runs/d", (const char *[]){"config.json", NULL}, 0);
    expect_weights(NULL, "runs/b/best.safetensors", "runs/b");
    expect_weights("runs/a", "runs/a/last.safetensors", "runs/a");
    expect_weights("runs/b/last.safetensors", "runs/b/last.safetensors", NULL);
    make_run("runs/e",
             (const char *[]){"state.safetensors", "epoch-0009.safetensors",
                              "epoch-12345.safetensors", "epoch-0010.safetensors.tmp.1",
                              "epoch-00020.safetensors", "epoch-20.safetensors", NULL},
             5);
    expect_weights(NULL, "runs/e/epoch-12345.safetensors", "runs/e");
    assert_int_equal(mg__run_make_dir("runs/e"), MG_ERR_INVALID);
    assert_int_equal(mg__run_weights_path(&path, &dir, "runs/c"), MG_ERR_NOT_FOUND);
    assert_message("runs/c: no weights in this directory");
    assert_int_equal(mg__run_weights_path(&path, &dir, "none"), MG_ERR_NOT_FOUND);
    assert_message("none: neither a run directory nor a weights file");
    assert_null(path);
    assert_null(dir);
    scratch_remove("runs");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(config_round_trip),
        cmocka_unit_test(hostile_configs),
        cmocka_unit_test(config_of_the_first_version),
        cmocka_unit_test(every_key_may_be_missing_or_not),
        cmocka_unit_test(settings_differ_by_name),
        cmocka_unit_test(new_dirs_are_new),
        cmocka_unit_test(run_without_a_state_begins_again),
        cmocka_unit_test(latest_run_and_its_weights),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
