/* The state of a training as a file: the only truth of a run directory. */
#include "io/file.h"
#include "io/history.h"
#include "io/json.h"
#include "io/run.h"
#include "io/run_files.h"
#include "io/safetensors.h"
#include "model/spec.h"
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATE_VERSION "1"

/* ---- scalars ---- */

static const struct scalar {
    const char *key;
    enum { U64, U32, INT, REAL } kind;
    size_t offset;
} scalars[] = {
    {"step", U64, offsetof(mg_train_state, step)},
    {"epoch", U32, offsetof(mg_train_state, epoch)},
    {"cursor", U32, offsetof(mg_train_state, cursor)},
    {"epoch_loss", REAL, offsetof(mg_train_state, epoch_loss)},
    {"epoch_correct", U64, offsetof(mg_train_state, epoch_correct)},
    {"epoch_seconds", REAL, offsetof(mg_train_state, epoch_seconds)},
    {"best_epoch", INT, offsetof(mg_train_state, best_epoch)},
};

static void scalar_text(char out[MG_NUMBER_SIZE], const struct scalar *s,
                        const mg_train_state *state)
{
    const void *at = (const char *)state + s->offset;
    switch (s->kind) {
    case U64:
        snprintf(out, MG_NUMBER_SIZE, "%" PRIu64, *(const uint64_t *)at);
        break;
    case U32:
        snprintf(out, MG_NUMBER_SIZE, "%" PRIu32, *(const uint32_t *)at);
        break;
    case INT:
        snprintf(out, MG_NUMBER_SIZE, "%d", *(const int *)at);
        break;
    case REAL:
        mg__number_text(out, *(const double *)at, MG_EXACT_DIGITS);
        break;
    }
}

/* Decimal digits alone, at most `max`. */
static bool read_whole(uint64_t *out, const char *text, uint64_t max)
{
    if (!isdigit((unsigned char)*text) || text[strspn(text, "0123456789")]) return false;
    errno = 0;
    *out = strtoull(text, NULL, 10);
    return errno == 0 && *out <= max;
}

static bool read_scalar(const struct scalar *s, mg_train_state *state, const char *text)
{
    void *at = (char *)state + s->offset;
    uint64_t whole = 0;
    switch (s->kind) {
    case U64:
        return read_whole(at, text, UINT64_MAX);
    case U32:
        if (!read_whole(&whole, text, UINT32_MAX)) return false;
        *(uint32_t *)at = (uint32_t)whole;
        return true;
    case INT:
        if (!read_whole(&whole, text, INT_MAX)) return false;
        *(int *)at = (int)whole;
        return true;
    case REAL: {
        json_t *number = json_loads(text, JSON_DECODE_ANY, NULL);
        const bool read = mg__number_read(at, number);
        json_decref(number);
        return read;
    }
    }
    return false;
}

/* ---- the state ---- */

static const char *const slot_names[] = {"slot0", "slot1"};

static mg_st_tensor arena_tensor(const char *name, const float *values, size_t length)
{
    return (mg_st_tensor){.name = name,
                          .dtype = "F32",
                          .rank = 1,
                          .dim = {length},
                          .data = values,
                          .size = length * sizeof(float)};
}

mg_status mg__state_write(const char *path, const mg_model *model, const mg_train_state *state,
                          const char *settings)
{
    enum { FIXED = 3, PAIRS = FIXED + MG_COUNT_OF(scalars) + 1 };
    mg_status st;
    char texts[MG_COUNT_OF(scalars)][MG_NUMBER_SIZE];
    const unsigned lacks = mg__json_lacks();
    char *history = mg__history_text(state);
    const char *metadata[2 * PAIRS] = {"state_version",      STATE_VERSION, "model",
                                       mg_model_text(model), "history",     history};
    if (!history) MG_FAIL(MG_ERR_MEMORY, "%s: out of memory", path);
    for (int i = 0; i < MG_COUNT_OF(scalars); i++) {
        scalar_text(texts[i], &scalars[i], state);
        metadata[2 * (FIXED + i)] = scalars[i].key;
        metadata[2 * (FIXED + i) + 1] = texts[i];
    }
    metadata[2 * (PAIRS - 1)] = "settings";
    metadata[2 * (PAIRS - 1) + 1] = settings;
    MG_TRY(mg__json_status(MG_OK, lacks, path));
    mg_st_tensor tensors[3] = {arena_tensor("params", state->params, state->length)};
    int count = 1;
    for (int i = 0; i < MG_COUNT_OF(slot_names); i++)
        if (state->slots[i])
            tensors[count++] = arena_tensor(slot_names[i], state->slots[i], state->length);
    MG_TRY(mg__safetensors_write(path, tensors, count, metadata, settings ? PAIRS : PAIRS - 1));
out:
    free(history);
    return st;
}

static void copy_line(char out[MG_SHOWN_SIZE], const char *line)
{
    char copy[MG_SHOWN_SIZE + 1]; /* one more than is shown: a longer line is seen to be cut */
    snprintf(copy, sizeof copy, "%.*s", (int)strcspn(line, "\n"), line);
    mg__shown(out, copy);
}

/* The state is of this very model; if not, the first line that differs is named. */
static mg_status check_model(const char *found, const mg_model *model)
{
    const char *expected = mg_model_text(model);
    char found_line[MG_SHOWN_SIZE], expected_line[MG_SHOWN_SIZE];
    int line = 1;
    if (!found) return mg__fail(MG_ERR_FORMAT, "metadata \"model\" is missing");
    if (strcmp(found, expected) == 0) return MG_OK;
    for (;;) {
        const size_t length = strcspn(found, "\n");
        if (length != strcspn(expected, "\n") || memcmp(found, expected, length) != 0) break;
        if (!found[length] || !expected[length]) break;
        found += length + 1;
        expected += length + 1;
        line++;
    }
    copy_line(found_line, found);
    copy_line(expected_line, expected);
    return mg__fail(MG_ERR_MISMATCH, "line %d of its model is \"%s\", expected \"%s\"", line,
                    found_line, expected_line);
}

static mg_status read_scalars(mg_train_state *state, const mg_safetensors *file)
{
    for (int i = 0; i < MG_COUNT_OF(scalars); i++) {
        char shown[MG_SHOWN_SIZE];
        const char *text = mg__safetensors_metadata(file, scalars[i].key);
        if (!text || !read_scalar(&scalars[i], state, text))
            return mg__fail(MG_ERR_FORMAT, "metadata \"%s\": expected a number, found %s",
                            scalars[i].key, text ? mg__shown(shown, text) : "none");
    }
    if ((uint32_t)state->best_epoch > state->epoch)
        return mg__fail(MG_ERR_FORMAT,
                        "metadata \"best_epoch\": %d, with %" PRIu32 " epochs finished",
                        state->best_epoch, state->epoch);
    return MG_OK;
}

/* *out is NULL if the file has no such tensor. */
static mg_status read_arena(float **out, const mg_safetensors *file, const char *name,
                            const mg_model *model)
{
    const size_t length = model->arena_length;
    char shape[MG_ST_SHAPE_SIZE];
    const mg_st_tensor *found = mg__safetensors_find(file, name);
    *out = NULL;
    if (!found) return MG_OK;
    if (strcmp(found->dtype, "F32") != 0 || found->rank != 1 || found->dim[0] != length)
        return mg__fail(MG_ERR_MISMATCH, "tensor \"%s\": %s of shape %s, expected F32 of [%zu]",
                        name, found->dtype, mg__shape_text(shape, found->rank, found->dim), length);
    *out = malloc(found->size + 1);
    if (!*out) return mg__fail(MG_ERR_MEMORY, "out of memory");
    memcpy(*out, found->data, found->size);
    const mg_status st = mg__model_check_finite(model, *out);
    return st ? mg__fail_in(st, "%s", name) : MG_OK;
}

static mg_status read_arenas(mg_train_state *state, const mg_safetensors *file,
                             const mg_model *model)
{
    mg_status st;
    state->length = model->arena_length;
    MG_TRY(read_arena(&state->params, file, "params", model));
    if (!state->params) MG_FAIL(MG_ERR_FORMAT, "tensor \"params\" is missing");
    for (int i = 0; i < MG_COUNT_OF(slot_names); i++)
        MG_TRY(read_arena(&state->slots[i], file, slot_names[i], model));
    if (file->count != 1 + !!state->slots[0] + !!state->slots[1] ||
        (state->slots[1] && !state->slots[0]))
        MG_FAIL(MG_ERR_FORMAT, "tensors other than params, slot0, slot1, or slot1 without slot0");
out:
    return st;
}

static mg_status parse_state(mg_train_state *state, const mg_safetensors *file,
                             const mg_model *model, const char *settings)
{
    mg_status st;
    const char *own = mg__safetensors_metadata(file, "settings");
    char shown[MG_SHOWN_SIZE];
    const char *version = mg__safetensors_metadata(file, "state_version");
    if (!version) MG_FAIL(MG_ERR_FORMAT, "no state of a training (no \"state_version\")");
    if (strcmp(version, STATE_VERSION) != 0)
        MG_FAIL(MG_ERR_UNSUPPORTED, "state_version %s, this program reads " STATE_VERSION,
                mg__shown(shown, version));
    MG_TRY(check_model(mg__safetensors_metadata(file, "model"), model));
    if (own && settings) MG_TRY(mg__run_check_settings(own, settings));
    MG_TRY(read_scalars(state, file));
    MG_TRY(mg__history_read(state, mg__safetensors_metadata(file, "history")));
    MG_TRY(read_arenas(state, file, model));
out:
    return st;
}

mg_status mg__state_read(mg_train_state **out, const char *path, const mg_model *model,
                         const char *settings)
{
    mg_status st;
    const unsigned lacks = mg__json_lacks();
    mg_safetensors *file = NULL;
    mg_train_state *state = calloc(1, sizeof *state);
    if (!state) MG_FAIL(MG_ERR_MEMORY, "%s: out of memory", path);
    st = mg__safetensors_read(&file, path);
    if (st == MG_ERR_NOT_FOUND)
        MG_FAIL(st, "%s: not there: no training was saved in this directory", path);
    MG_TRY(st);
    if ((st = parse_state(state, file, model, settings)) != MG_OK) mg__fail_in(st, "%s", path);
    MG_TRY(mg__json_status(st, lacks, path));
    *out = state;
    state = NULL;
out:
    mg_train_state_free(state);
    mg__safetensors_free(file);
    return st;
}
