/* The state of a training as a file: what comes back, and what is refused. */
#define _XOPEN_SOURCE 700 /* mkdtemp, nftw */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "run_state.h"
#include "io/safetensors.h"

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
        {"cursor", "4294967296", "metadata \"cursor\""},
        {"epoch_correct", "18446744073709551616", "metadata \"epoch_correct\""},
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
        cmocka_unit_test(state_round_trip),        cmocka_unit_test(state_of_another_model),
        cmocka_unit_test(state_of_other_settings), cmocka_unit_test(hostile_state_metadata),
        cmocka_unit_test(hostile_state_tensors),   cmocka_unit_test(state_that_is_not_finite),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
