/* Run directories: the files derived from the state, kills between them. */
#define _XOPEN_SOURCE 700 /* mkdtemp, nftw */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "run_state.h"
#include <limits.h>

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
        assert_same_state(back, before && !written ? before : after);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_as_written),
        cmocka_unit_test(best_is_written_when_it_has_just_ended),
        cmocka_unit_test(only_what_is_wanted_is_written),
        cmocka_unit_test(kill_before_an_epoch_is_removed),
        cmocka_unit_test(weights_are_bytes_of_the_weights),
        cmocka_unit_test(files_are_written_in_order),
        cmocka_unit_test(kill_between_files_is_mended),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
