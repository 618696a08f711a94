/* Run directories: the state, the files derived from it, kills between them. */
#define _XOPEN_SOURCE 700 /* mkdtemp, nftw */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "io/file.h"
#include "io/run.h"
#include "io/safetensors.h"
#include "mnist_gpu/weights.h"
#include "model/spec.h"
#include "scratch.h"
#include <limits.h>
#include <math.h>

#define MODEL                                                                                      \
    "input 1x3x3\n"                                                                                \
    "dense out=4\n"                                                                                \
    "relu\n"                                                                                       \
    "dense out=3\n"                                                                                \
    "softmax_xent\n"

/* All that there is. */
static const mg_run_outputs outputs = {
    .best = true, .last = true, .epoch = true, .tensorboard = true, .started = 1.7e9};

static mg_model *parse(const char *text)
{
    mg_model *model = NULL;
    if (mg_model_parse(&model, text, "tiny") != MG_OK) fail_msg("%s", mg_last_error());
    return model;
}

static float *filled(const mg_model *model, float value)
{
    float *arena = calloc(model->arena_length, sizeof *arena);
    assert_non_null(arena);
    for (int i = 0; i < mg__model_tensor_count(model); i++) {
        const mg_tensor *t = mg__model_tensor(model, i);
        for (size_t j = 0; j < t->count; j++) arena[t->offset + j] = value + (float)j / 3;
    }
    return arena;
}

/* The state after `epochs` whole epochs, with odd numbers everywhere. */
static mg_train_state *make_state(const mg_model *model, int epochs, int best_epoch)
{
    mg_train_state *state = calloc(1, sizeof *state);
    assert_non_null(state);
    state->step = UINT64_MAX - 7;
    state->epoch = (uint32_t)epochs;
    state->epoch_loss = 0.1 + 0.2;
    state->epoch_correct = ((uint64_t)1 << 53) + 1;
    state->epoch_seconds = 1e-310; /* subnormal */
    state->length = model->arena_length;
    state->params = filled(model, (float)epochs + 0.1f);
    state->slots[0] = filled(model, 0.01f);
    state->slots[1] = filled(model, 1e-40f);
    state->history_count = epochs;
    state->history = calloc((size_t)epochs + 1, sizeof *state->history);
    for (int i = 0; i < epochs; i++)
        state->history[i] = (mg_epoch){.epoch = i + 1,
                                       .loss = 1.0 / (i + 3),
                                       .accuracy = 0.5,
                                       .val_loss = i == 1 ? INFINITY : 2.0 / (i + 3),
                                       .val_accuracy = i == 0 ? NAN : 1,
                                       .lr = 0.001,
                                       .seconds = 12.25,
                                       .images_per_sec = 123456.789012345};
    state->best_epoch = best_epoch;
    return state;
}

static void assert_same_double(double left, double right)
{
    if (isnan(left) && isnan(right)) return;
    assert_memory_equal(&left, &right, sizeof left);
}

static void assert_same_state(const mg_train_state *l, const mg_train_state *r)
{
    const size_t bytes = l->length * sizeof(float);
    assert_true(l->step == r->step && l->epoch == r->epoch && l->cursor == r->cursor);
    assert_true(l->epoch_correct == r->epoch_correct && l->best_epoch == r->best_epoch);
    assert_same_double(l->epoch_loss, r->epoch_loss);
    assert_same_double(l->epoch_seconds, r->epoch_seconds);
    assert_int_equal(l->length, r->length);
    assert_memory_equal(l->params, r->params, bytes);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(!l->slots[i], !r->slots[i]);
        if (l->slots[i]) assert_memory_equal(l->slots[i], r->slots[i], bytes);
    }
    assert_int_equal(l->history_count, r->history_count);
    for (int i = 0; i < l->history_count; i++) {
        const mg_epoch *a = &l->history[i], *b = &r->history[i];
        assert_int_equal(a->epoch, b->epoch);
        assert_same_double(a->loss, b->loss);
        assert_same_double(a->accuracy, b->accuracy);
        assert_same_double(a->val_loss, b->val_loss);
        assert_same_double(a->val_accuracy, b->val_accuracy);
        assert_same_double(a->lr, b->lr);
        assert_same_double(a->seconds, b->seconds);
        assert_same_double(a->images_per_sec, b->images_per_sec);
    }
}

static void save(const char *dir, const mg_model *model, const mg_train_state *state)
{
    assert_int_equal(mg__make_dirs(dir), MG_OK);
    if (mg__run_save(dir, model, state, &outputs) != MG_OK) fail_msg("%s", mg_last_error());
}

/* ---- state ---- */

static void state_round_trip(void **unused)
{
    (void)unused;
    mg_model *model = parse(MODEL);
    for (int slots = 0; slots <= 2; slots++) {
        mg_train_state *state = make_state(model, 3, 2), *back = NULL;
        state->cursor = 96;
        for (int i = slots; i < 2; i++) {
            free(state->slots[i]);
            state->slots[i] = NULL;
        }
        save("r", model, state);
        scratch_copy("r/state.safetensors", "first");
        if (mg__run_load(&back, "r", model, &outputs) != MG_OK) fail_msg("%s", mg_last_error());
        assert_same_state(state, back);
        save("r", model, back);
        assert_same_file("r/state.safetensors", "first");
        mg_train_state_free(state);
        mg_train_state_free(back);
    }
    mg_model_free(model);
    scratch_remove("r");
    remove("first");
}

static void metrics_as_written(void **unused)
{
    (void)unused;
    mg_model *model = parse(MODEL);
    mg_train_state *state = make_state(model, 2, 2);
    save("r", model, state);
    size_t size;
    char *text = scratch_read("r/metrics.csv", &size);
    assert_string_equal(text,
                        "epoch,loss,accuracy,val_loss,val_accuracy,lr,seconds,images_per_sec\n"
                        "1,0.333333333,0.5,0.666666667,,0.001,12.25,123456.789\n"
                        "2,0.25,0.5,\"inf\",1.0,0.001,12.25,123456.789\n");
    free(text);
    text = scratch_read("r/metrics.jsonl", &size);
    assert_string_equal(
        text, "{\"epoch\": 1, \"loss\": 0.333333333, \"accuracy\": 0.5, \"val_loss\": 0.666666667, "
              "\"val_accuracy\": null, \"lr\": 0.001, \"seconds\": 12.25, \"images_per_sec\": "
              "123456.789}\n"
              "{\"epoch\": 2, \"loss\": 0.25, \"accuracy\": 0.5, \"val_loss\": \"inf\", "
              "\"val_accuracy\": 1.0, \"lr\": 0.001, \"seconds\": 12.25, \"images_per_sec\": "
              "123456.789}\n");
    free(text);
    mg_train_state_free(state);
    mg_model_free(model);
    scratch_remove("r");
}

static void best_is_written_when_it_has_just_ended(void **unused)
{
    (void)unused;
    mg_model *model = parse(MODEL);
    static const struct {
        int epochs, best;
        uint32_t cursor;
        bool written;
    } cases[] = {{0, 0, 0, false}, {0, 0, 32, false}, {1, 1, 0, true},
                 {3, 2, 0, false}, {2, 2, 32, false}, {2, 2, 0, true}};
    for (int i = 0; i < MG_COUNT_OF(cases); i++) {
        mg_train_state *state = make_state(model, cases[i].epochs, cases[i].best);
        state->cursor = cases[i].cursor;
        save("r", model, state);
        assert_int_equal(scratch_exists("r/best.safetensors"), cases[i].written);
        if (cases[i].written) assert_same_file("r/best.safetensors", "r/last.safetensors");
        mg_train_state_free(state);
        scratch_remove("r");
    }
    mg_model_free(model);
}

/* The epochs whose files are there, as bits. */
static unsigned kept_epochs(const char *dir)
{
    unsigned kept = 0;
    for (int epoch = 1; epoch < 32; epoch++) {
        char path[64];
        snprintf(path, sizeof path, "%s/epoch-%04d.safetensors", dir, epoch);
        if (scratch_exists(path)) kept |= 1u << epoch;
    }
    return kept;
}

static void only_what_is_wanted_is_written(void **unused)
{
    (void)unused;
    mg_model *model = parse(MODEL);
    static const struct {
        mg_run_outputs outputs;
        unsigned epochs; /* kept after five, as bits */
    } cases[] = {
        {{.best = true}, 0},
        {{.last = true}, 0},
        {{.epoch = true}, 0x3e},
        {{.epoch = true, .keep = 1}, 0x20},
        {{.epoch = true, .keep = 3, .last = true}, 0x38},
        {{.epoch = true, .keep = INT_MAX, .tensorboard = true}, 0x3e},
    };
    for (int i = 0; i < MG_COUNT_OF(cases); i++) {
        const mg_run_outputs *o = &cases[i].outputs;
        assert_int_equal(mg__make_dirs("r"), MG_OK);
        for (int epoch = 0; epoch <= 5; epoch++) {
            mg_train_state *state = make_state(model, epoch, epoch);
            assert_int_equal(mg__run_save("r", model, state, o), MG_OK);
            if (epoch == 5) { /* a second save of the same, in the middle of the next */
                state->cursor = 32;
                assert_int_equal(mg__run_save("r", model, state, o), MG_OK);
            }
            mg_train_state_free(state);
        }
        assert_int_equal(scratch_exists("r/best.safetensors"), o->best);
        assert_int_equal(scratch_exists("r/last.safetensors"), o->last);
        assert_int_equal(scratch_exists("r/train/events.out.tfevents"), o->tensorboard);
        assert_int_equal(kept_epochs("r"), cases[i].epochs);
        scratch_remove("r");
    }
    mg_model_free(model);
}

/* A kill between the new epoch's file and the removal of the old one. */
static void kill_before_an_epoch_is_removed(void **unused)
{
    (void)unused;
    mg_model *model = parse(MODEL);
    const mg_run_outputs all = {.epoch = true}, two = {.epoch = true, .keep = 2};
    mg_train_state *back = NULL;
    assert_int_equal(mg__make_dirs("r"), MG_OK);
    for (int epoch = 1; epoch <= 4; epoch++) {
        mg_train_state *state = make_state(model, epoch, epoch);
        assert_int_equal(mg__run_save("r", model, state, epoch < 4 ? &two : &all), MG_OK);
        mg_train_state_free(state);
    }
    assert_int_equal(kept_epochs("r"), 0x1c);
    assert_int_equal(mg__run_load(&back, "r", model, &two), MG_OK);
    assert_int_equal(kept_epochs("r"), 0x18);
    mg_train_state_free(back);
    mg_model_free(model);
    scratch_remove("r");
}

/* Weights depend on nothing but the weights: not on the clock, not on how the run went. */
static void weights_are_bytes_of_the_weights(void **unused)
{
    (void)unused;
    mg_model *model = parse(MODEL);
    mg_train_state *a = make_state(model, 2, 2), *b = make_state(model, 2, 2);
    b->step = 5;
    b->history[1].seconds = 99;
    save("a", model, a);
    save("b", model, b);
    assert_same_file("a/last.safetensors", "b/last.safetensors");
    assert_same_file("a/best.safetensors", "b/best.safetensors");
    mg_train_state_free(a);
    mg_train_state_free(b);
    mg_model_free(model);
    scratch_remove("a");
    scratch_remove("b");
}

static const char *const order[] = {"state.safetensors",
                                    "last.safetensors",
                                    "best.safetensors",
                                    "epoch-0002.safetensors",
                                    "metrics.csv",
                                    "metrics.jsonl",
                                    "train/events.out.tfevents",
                                    "validation/events.out.tfevents"};

/* The kills below cut a save after files in that order; here it is seen that they are written in
 * it: a directory in a file's place stops the save there. */
static void files_are_written_in_order(void **unused)
{
    (void)unused;
    char path[64], copy[64];
    mg_model *model = parse(MODEL);
    mg_train_state *one = make_state(model, 1, 1), *two = make_state(model, 2, 2);
    save("new", model, two);
    for (int stop = 0; stop < MG_COUNT_OF(order); stop++) {
        save("old", model, one);
        save("r", model, one);
        snprintf(path, sizeof path, "r/%s", order[stop]);
        remove(path);
        assert_int_equal(mkdir(path, 0777), 0);
        assert_int_equal(mg__run_save("r", model, two, &outputs), MG_ERR_IO);
        assert_message(path);
        for (int i = 0; i < MG_COUNT_OF(order); i++) {
            if (i == stop) continue;
            snprintf(path, sizeof path, "r/%s", order[i]);
            snprintf(copy, sizeof copy, "%s/%s", i < stop ? "new" : "old", order[i]);
            assert_int_equal(scratch_exists(path), scratch_exists(copy));
            if (scratch_exists(copy)) assert_same_file(path, copy);
        }
        scratch_remove("r");
    }
    mg_train_state_free(one);
    mg_train_state_free(two);
    mg_model_free(model);
    scratch_remove("old");
    scratch_remove("new");
}

static const char *const leftovers[] = {
    "cut/last.safetensors.tmp.12345", "cut/epoch-0123.safetensors.tmp.1",
    "cut/metrics.jsonl.tmp.99", "cut/train/events.out.tfevents.tmp.7"};

/* cut/ becomes the directory of a run killed after `written` files of the save that turned old/
 * into new/. */
static void make_killed(int written)
{
    char from[64], to[64];
    scratch_remove("cut");
    assert_int_equal(mg__make_dirs("cut/train"), MG_OK);
    assert_int_equal(mg__make_dirs("cut/validation"), MG_OK);
    for (int i = 0; i < MG_COUNT_OF(order); i++) {
        snprintf(from, sizeof from, "%s/%s", i < written ? "new" : "old", order[i]);
        snprintf(to, sizeof to, "cut/%s", order[i]);
        if (scratch_exists(from)) scratch_copy(from, to);
    }
    for (int i = 0; i < MG_COUNT_OF(leftovers); i++) scratch_write(leftovers[i], "half", 4);
    scratch_write("cut/notes.tmp.1", "the user's", 10);
}

static void check_mended(const char *whole_dir)
{
    char mended[64], whole[64];
    for (int i = 0; i < MG_COUNT_OF(order); i++) {
        snprintf(mended, sizeof mended, "cut/%s", order[i]);
        snprintf(whole, sizeof whole, "%s/%s", whole_dir, order[i]);
        assert_int_equal(scratch_exists(mended), scratch_exists(whole));
        if (scratch_exists(whole)) assert_same_file(mended, whole);
    }
    for (int i = 0; i < MG_COUNT_OF(leftovers); i++) assert_false(scratch_exists(leftovers[i]));
    assert_true(scratch_exists("cut/notes.tmp.1"));
}

/* Kills the save of `after`, which follows that of `before` (NULL: it is the first), at each
 * place. */
static void check_kills(const mg_model *model, const mg_train_state *before,
                        const mg_train_state *after)
{
    mg_train_state *back = NULL;
    assert_int_equal(mg__make_dirs("old"), MG_OK);
    if (before) {
        save("old", model, before);
        save("new", model, before);
    }
    save("new", model, after);
    for (int written = before ? 0 : 1; written <= MG_COUNT_OF(order); written++) {
        make_killed(written);
        if (mg__run_load(&back, "cut", model, &outputs) != MG_OK) fail_msg("%s", mg_last_error());
        assert_same_state(back, written ? after : before);
        check_mended(written ? "new" : "old");
        mg_train_state_free(back);
    }
    scratch_remove("old");
    scratch_remove("new");
    scratch_remove("cut");
}

static void kill_between_files_is_mended(void **unused)
{
    (void)unused;
    mg_model *model = parse(MODEL);
    mg_train_state *one = make_state(model, 1, 1), *two = make_state(model, 2, 1),
                   *best = make_state(model, 2, 2), *interrupted = make_state(model, 2, 2);
    interrupted->cursor = 64;
    check_kills(model, NULL, one);
    check_kills(model, NULL, interrupted);
    check_kills(model, one, two);
    check_kills(model, one, best);
    check_kills(model, best, interrupted);
    mg_train_state_free(one);
    mg_train_state_free(two);
    mg_train_state_free(best);
    mg_train_state_free(interrupted);
    mg_model_free(model);
}

static void state_of_another_model(void **unused)
{
    (void)unused;
    mg_model *model = parse(MODEL), *other = parse("input 1x3x3\ndense out=3\nsoftmax_xent\n");
    mg_train_state *state = make_state(model, 1, 1), *back = NULL;
    save("r", model, state);
    scratch_copy("r/last.safetensors", "before");
    assert_int_equal(mg__run_load(&back, "r", other, &outputs), MG_ERR_MISMATCH);
    assert_message("r/state.safetensors: line 2 of its model is \"dense out=4");
    assert_message("expected \"dense out=3");
    assert_same_file("r/last.safetensors", "before");
    assert_int_equal(mg__run_load(&back, "none", model, &outputs), MG_ERR_NOT_FOUND);
    assert_message("none/state.safetensors: not there");
    assert_null(back);
    mg_train_state_free(state);
    mg_model_free(model);
    mg_model_free(other);
    scratch_remove("r");
    remove("before");
}

/* Of a run with other settings; where one of the two says nothing of them, it is taken. */
static void state_of_other_settings(void **unused)
{
    (void)unused;
    static const struct {
        const char *found, *expected, *message; /* NULL: fits */
    } cases[] = {
        {"{\"seed\": \"1\", \"batch\": 7}", "{\"seed\": \"1\", \"batch\": 7}", NULL},
        {"{\"seed\": \"1\", \"batch\": 7}", "{\"seed\": \"1\", \"batch\": 8}",
         "r/state.safetensors: it is of a training with \"batch\" 7, config.json has 8"},
        {"[1]", "{\"seed\": \"1\"}", "r/state.safetensors: metadata \"settings\": no JSON object"},
        {NULL, "{\"seed\": \"1\"}", NULL},
        {"{\"seed\": \"1\"}", NULL, NULL},
    };
    mg_model *model = parse(MODEL);
    mg_train_state *state = make_state(model, 1, 1);
    for (int i = 0; i < MG_COUNT_OF(cases); i++) {
        mg_run_outputs written = outputs, read = outputs;
        mg_train_state *back = NULL;
        written.settings = cases[i].found;
        read.settings = cases[i].expected;
        assert_int_equal(mg__make_dirs("r"), MG_OK);
        assert_int_equal(mg__run_save("r", model, state, &written), MG_OK);
        const mg_status st = mg__run_load(&back, "r", model, &read);
        assert_int_equal(st != MG_OK, cases[i].message != NULL);
        if (cases[i].message) assert_message(cases[i].message);
        mg_train_state_free(back);
    }
    mg_train_state_free(state);
    mg_model_free(model);
    scratch_remove("r");
}

/* Writes r/state.safetensors with the metadata of `good`, but for `key` (which may be NULL): its
 * text is `value` or, where that is NULL, not there. */
static void rewrite_state(const mg_safetensors *good, const mg_st_tensor *tensors, int count,
                          const char *key, const char *value)
{
    static const char *const keys[] = {"state_version", "model",     "history",    "step",
                                       "epoch",         "cursor",    "epoch_loss", "epoch_correct",
                                       "epoch_seconds", "best_epoch"};
    const char *pairs[2 * MG_COUNT_OF(keys)];
    int pair_count = 0;
    for (int i = 0; i < MG_COUNT_OF(keys); i++) {
        const bool replaced = key && strcmp(keys[i], key) == 0;
        const char *text = replaced ? value : mg__safetensors_metadata(good, keys[i]);
        if (!text) continue;
        pairs[2 * pair_count] = keys[i];
        pairs[2 * pair_count++ + 1] = text;
    }
    if (mg__safetensors_write("r/state.safetensors", tensors, count, pairs, pair_count) != MG_OK)
        fail_msg("%s", mg_last_error());
}

static void hostile_state_metadata(void **unused)
{
    (void)unused;
    static const struct {
        const char *key, *value;
        const char *message;
    } cases[] = {
        {"state_version", NULL, "no state of a training"},
        {"state_version", "2", "state_version 2, this program reads 1"},
        {"model", NULL, "metadata \"model\" is missing"},
        {"model", "", "line 1 of its model is \"\", expected \"input"},
        {"step", NULL, "metadata \"step\": expected a number, found none"},
        {"step", "18446744073709551616", "metadata \"step\""},
        {"step", "-1", "metadata \"step\": expected a number, found -1"},
        {"step", " 1", "metadata \"step\""},
        {"step", "", "metadata \"step\""},
        {"epoch", "4294967296", "metadata \"epoch\""},
        {"epoch", "2", "\"history\": expected a list of 2 epochs"},
        {"cursor", "0x10", "metadata \"cursor\""},
        {"epoch_loss", "one\x1b", "\"epoch_loss\": expected a number, found one?"},
        {"epoch_loss", "[1]", "metadata \"epoch_loss\""},
        {"best_epoch", "2", "\"best_epoch\": 2, with 1 epochs finished"},
        {"best_epoch", "2147483648", "metadata \"best_epoch\""},
        {"history", NULL, "\"history\": expected a list of 1 epochs"},
        {"history", "{}", "\"history\": expected a list"},
        {"history", "[{\"epoch\":2}]", "\"history\": entry 0 is malformed"},
        {"history", "[{\"epoch\":1}]", "\"history\": entry 0 is malformed"},
        {"history", "[7]", "\"history\": entry 0 is malformed"},
    };
    mg_model *model = parse(MODEL);
    mg_train_state *state = make_state(model, 1, 1), *back = NULL;
    mg_safetensors *good = NULL;
    save("r", model, state);
    assert_int_equal(mg__safetensors_read(&good, "r/state.safetensors"), MG_OK);
    for (int i = 0; i < MG_COUNT_OF(cases); i++) {
        rewrite_state(good, good->tensors, good->count, cases[i].key, cases[i].value);
        if (mg__run_load(&back, "r", model, &outputs) == MG_OK)
            fail_msg("%s = %s is accepted", cases[i].key, cases[i].value);
        assert_message(cases[i].message);
        assert_message("r/state.safetensors: ");
        assert_null(back);
    }
    mg__safetensors_free(good);
    mg_train_state_free(state);
    mg_model_free(model);
    scratch_remove("r");
}

static void hostile_state_tensors(void **unused)
{
    (void)unused;
    static const struct {
        int keep;                 /* of params, slot0, slot1, as bits */
        const char *name, *dtype; /* of the last one kept, if not NULL */
        const char *message;
    } cases[] = {
        {6, NULL, NULL, "tensor \"params\" is missing"},
        {5, NULL, NULL, "slot1 without slot0"},
        {7, "slot2", NULL, "tensors other than params, slot0, slot1"},
        {7, NULL, "I32", "tensor \"slot1\": I32 of shape ["},
    };
    mg_model *model = parse(MODEL);
    mg_train_state *state = make_state(model, 1, 1), *back = NULL;
    mg_safetensors *good = NULL;
    save("r", model, state);
    assert_int_equal(mg__safetensors_read(&good, "r/state.safetensors"), MG_OK);
    for (int i = 0; i < MG_COUNT_OF(cases); i++) {
        mg_st_tensor tensors[3];
        int count = 0;
        for (int t = 0; t < good->count; t++)
            if (cases[i].keep >> t & 1) tensors[count++] = good->tensors[t];
        if (cases[i].name) tensors[count - 1].name = cases[i].name;
        if (cases[i].dtype) tensors[count - 1].dtype = cases[i].dtype;
        rewrite_state(good, tensors, count, NULL, NULL);
        assert_true(mg__run_load(&back, "r", model, &outputs) != MG_OK);
        assert_message(cases[i].message);
        assert_null(back);
    }
    mg__safetensors_free(good);
    mg_train_state_free(state);
    mg_model_free(model);
    scratch_remove("r");
}

/* Numbers that are none are not gone on with. */
static void state_that_is_not_finite(void **unused)
{
    (void)unused;
    mg_model *model = parse(MODEL);
    mg_train_state *state = make_state(model, 1, 1), *back = NULL;
    float *const arenas[] = {state->params, state->slots[0], state->slots[1]};
    static const char *const names[] = {"params", "slot0", "slot1"};
    char message[120];
    for (int i = 0; i < MG_COUNT_OF(arenas); i++) {
        float *const value = &arenas[i][mg__model_tensor(model, 2)->offset + 5], good = *value;
        *value = i ? INFINITY : NAN;
        save("r", model, state);
        *value = good;
        assert_int_equal(mg__run_load(&back, "r", model, &outputs), MG_ERR_NUMERIC);
        snprintf(message, sizeof message,
                 "r/state.safetensors: %s: tensor \"dense2.weight\": value 5 is not finite (%s)",
                 names[i], i ? "inf" : "nan");
        assert_message(message);
    }
    mg_train_state_free(state);
    mg_model_free(model);
    scratch_remove("r");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(state_round_trip),
        cmocka_unit_test(metrics_as_written),
        cmocka_unit_test(best_is_written_when_it_has_just_ended),
        cmocka_unit_test(only_what_is_wanted_is_written),
        cmocka_unit_test(kill_before_an_epoch_is_removed),
        cmocka_unit_test(weights_are_bytes_of_the_weights),
        cmocka_unit_test(files_are_written_in_order),
        cmocka_unit_test(kill_between_files_is_mended),
        cmocka_unit_test(state_of_another_model),
        cmocka_unit_test(state_of_other_settings),
        cmocka_unit_test(hostile_state_metadata),
        cmocka_unit_test(hostile_state_tensors),
        cmocka_unit_test(state_that_is_not_finite),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
