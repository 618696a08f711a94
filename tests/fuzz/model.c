/* Model text. */
#include "fuzz.h"
#include "model/cost.h"

enum { SMALL = 4096 };

static mg_model *parse(const char *text)
{
    mg_model *model = NULL;
    const mg_status st = mg_model_parse(&model, text, "text");
    if (st) fuzz_check_refusal(st);
    FUZZ_CHECK(!st == !!model);
    return model;
}

/* Tensors lie in the arena, one after another, as many floats as their shape says. */
static void check_tensors(const mg_model *model)
{
    size_t sum = 0;
    for (int i = 0; i < mg__model_tensor_count(model); i++) {
        const mg_tensor *t = mg__model_tensor(model, i);
        size_t count = 1;
        for (int d = 0; d < t->rank; d++) count *= (size_t)t->dim[d];
        FUZZ_CHECK(count == t->count && t->offset % 64 == 0);
        FUZZ_CHECK(t->offset <= model->arena_length && count <= model->arena_length - t->offset);
        sum += t->trainable ? count : 0;
    }
    FUZZ_CHECK(sum == model->param_count);
}

static void check_start(const mg_model *model)
{
    float *params = malloc(model->arena_length * sizeof *params);
    FUZZ_CHECK(params);
    mg__model_init(model, params, 1);
    fuzz_touch(params, model->arena_length * sizeof *params);
    free(params);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = strndup((const char *)data, size), *table = NULL;
    FUZZ_CHECK(text);
    mg_model *model = parse(text), *again = NULL;
    if (model) {
        again = parse(mg_model_text(model)); /* the canonical text is its own */
        FUZZ_CHECK(again && strcmp(mg_model_text(again), mg_model_text(model)) == 0);
        mg_model_free(again);
        again = NULL;
        check_tensors(model);
        if (model->arena_length < SMALL) check_start(model);
        FUZZ_CHECK(mg__cost_table(&table, model, 32, "adam", 2) == MG_OK);
        FUZZ_CHECK(mg_model_with_normalization(&again, model, 0.5, 0.25) == MG_OK);
        mg_model_free(again);
        again = NULL;
        const mg_status st = mg_model_with_loss(&again, model, text + strcspn(text, "\n"));
        if (st) fuzz_check_refusal(st);
    }
    mg_model_free(again);
    mg_model_free(model);
    free(table);
    free(text);
    return 0;
}
