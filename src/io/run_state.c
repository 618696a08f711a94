/* The files that training writes as it goes: the state, and what is derived from it (weights for
 * others to read, metrics). */
#define _POSIX_C_SOURCE 200809L /* open_memstream */
#include "io/file.h"
#include "io/run.h"
#include "io/run_files.h"
#include "io/safetensors.h"
#include "mnist_gpu/weights.h"
#include "model/spec.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATE_VERSION "1"

/* ---- numbers as JSON, exact: 17 digits, NaN as null, infinity as text ---- */

enum { EXACT_DIGITS = 17, CSV_DIGITS = 9, NUMBER_SIZE = 40 };

static json_t *number_json(double value)
{
    if (isnan(value)) return json_null();
    if (isinf(value)) return json_string(value > 0 ? "inf" : "-inf");
    return json_real(value);
}

static bool read_number(double *out, const json_t *value)
{
    const char *text = json_string_value(value);
    if (json_is_number(value))
        *out = json_number_value(value);
    else if (json_is_null(value))
        *out = NAN;
    else if (text && (strcmp(text, "inf") == 0 || strcmp(text, "-inf") == 0))
        *out = *text == '-' ? -INFINITY : INFINITY;
    else
        return false;
    return true;
}

/* printf would follow the locale; jansson does not. */
static void number_text(char out[NUMBER_SIZE], double value, size_t digits)
{
    json_t *number = number_json(value);
    const size_t length =
        json_dumpb(number, out, NUMBER_SIZE - 1, JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits));
    out[length] = 0;
    json_decref(number);
}

/* ---- history ---- */

/* An epoch's figures in the order of metrics.csv, behind the epoch's number. */
static const struct {
    const char *name;
    size_t offset;
} columns[] = {
    {"loss", offsetof(mg_epoch, loss)},
    {"accuracy", offsetof(mg_epoch, accuracy)},
    {"val_loss", offsetof(mg_epoch, val_loss)},
    {"val_accuracy", offsetof(mg_epoch, val_accuracy)},
    {"lr", offsetof(mg_epoch, lr)},
    {"seconds", offsetof(mg_epoch, seconds)},
    {"images_per_sec", offsetof(mg_epoch, images_per_sec)},
};

static double *column(mg_epoch *epoch, int index)
{
    return (double *)((char *)epoch + columns[index].offset);
}

/* [{"epoch": 1, "loss": ..., ...}, ...]; malloc'd, NULL when out of memory. */
static char *history_text(const mg_train_state *state)
{
    json_t *list = json_array();
    for (int i = 0; i < state->history_count; i++) {
        mg_epoch epoch = state->history[i];
        json_t *entry = json_pack("{s:i}", "epoch", epoch.epoch);
        for (int c = 0; c < MG_COUNT_OF(columns); c++)
            json_object_set_new(entry, columns[c].name, number_json(*column(&epoch, c)));
        json_array_append_new(list, entry);
    }
    char *text = json_dumps(list, JSON_COMPACT | JSON_REAL_PRECISION(EXACT_DIGITS));
    json_decref(list);
    return text;
}

static bool read_epoch(mg_epoch *out, const json_t *entry, int number)
{
    const json_t *epoch = json_object_get(entry, "epoch");
    if (!json_is_integer(epoch) || json_integer_value(epoch) != number) return false;
    out->epoch = number;
    for (int c = 0; c < MG_COUNT_OF(columns); c++)
        if (!read_number(column(out, c), json_object_get(entry, columns[c].name))) return false;
    return true;
}

/* Epochs 1, 2, ... up to the last one finished. */
static mg_status read_history(mg_train_state *state, const char *text)
{
    mg_status st = MG_OK;
    json_t *list = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    const size_t count = json_array_size(list);
    if (!json_is_array(list) || count != state->epoch || count > INT_MAX)
        MG_FAIL(MG_ERR_FORMAT, "metadata \"history\": expected a list of %" PRIu32 " epochs",
                state->epoch);
    state->history = calloc(count + 1, sizeof *state->history);
    if (!state->history) MG_FAIL(MG_ERR_MEMORY, "out of memory");
    for (state->history_count = 0; state->history_count < (int)count; state->history_count++) {
        const int i = state->history_count;
        if (!read_epoch(&state->history[i], json_array_get(list, (size_t)i), i + 1))
            MG_FAIL(MG_ERR_FORMAT, "metadata \"history\": entry %d is malformed", i);
    }
out:
    json_decref(list);
    return st;
}

static mg_status write_metrics(const char *path, const mg_train_state *state)
{
    mg_status st;
    char *text = NULL, number[NUMBER_SIZE];
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (!stream) MG_FAIL(MG_ERR_MEMORY, "%s: out of memory", path);
    fputs("epoch", stream);
    for (int c = 0; c < MG_COUNT_OF(columns); c++) fprintf(stream, ",%s", columns[c].name);
    for (int i = 0; i < state->history_count; i++) {
        mg_epoch epoch = state->history[i];
        fprintf(stream, "\n%d", epoch.epoch);
        for (int c = 0; c < MG_COUNT_OF(columns); c++) {
            number_text(number, *column(&epoch, c), CSV_DIGITS);
            fprintf(stream, ",%s", isnan(*column(&epoch, c)) ? "" : number);
        }
    }
    fputc('\n', stream);
    if (fclose(stream)) MG_FAIL(MG_ERR_MEMORY, "%s: out of memory", path);
    MG_TRY(mg__file_replace(path, &(mg_slice){text, size}, 1));
out:
    free(text);
    return st;
}

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

static void scalar_text(char out[NUMBER_SIZE], const struct scalar *s, const mg_train_state *state)
{
    const void *at = (const char *)state + s->offset;
    switch (s->kind) {
    case U64:
        snprintf(out, NUMBER_SIZE, "%" PRIu64, *(const uint64_t *)at);
        break;
    case U32:
        snprintf(out, NUMBER_SIZE, "%" PRIu32, *(const uint32_t *)at);
        break;
    case INT:
        snprintf(out, NUMBER_SIZE, "%d", *(const int *)at);
        break;
    case REAL:
        number_text(out, *(const double *)at, EXACT_DIGITS);
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
        const bool read = read_number(at, number);
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

static mg_status write_state(const char *path, const mg_model *model, const mg_train_state *state)
{
    enum { FIXED = 3, PAIRS = FIXED + MG_COUNT_OF(scalars) };
    mg_status st;
    char texts[MG_COUNT_OF(scalars)][NUMBER_SIZE];
    char *history = history_text(state);
    const char *metadata[2 * PAIRS] = {"state_version",      STATE_VERSION, "model",
                                       mg_model_text(model), "history",     history};
    if (!history) MG_FAIL(MG_ERR_MEMORY, "%s: out of memory", path);
    for (int i = 0; i < MG_COUNT_OF(scalars); i++) {
        scalar_text(texts[i], &scalars[i], state);
        metadata[2 * (FIXED + i)] = scalars[i].key;
        metadata[2 * (FIXED + i) + 1] = texts[i];
    }
    mg_st_tensor tensors[3] = {arena_tensor("params", state->params, state->length)};
    int count = 1;
    for (int i = 0; i < MG_COUNT_OF(slot_names); i++)
        if (state->slots[i])
            tensors[count++] = arena_tensor(slot_names[i], state->slots[i], state->length);
    MG_TRY(mg__safetensors_write(path, tensors, count, metadata, PAIRS));
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
                            size_t length)
{
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
    return MG_OK;
}

static mg_status read_arenas(mg_train_state *state, const mg_safetensors *file,
                             const mg_model *model)
{
    mg_status st;
    state->length = model->arena_length;
    MG_TRY(read_arena(&state->params, file, "params", state->length));
    if (!state->params) MG_FAIL(MG_ERR_FORMAT, "tensor \"params\" is missing");
    for (int i = 0; i < MG_COUNT_OF(slot_names); i++)
        MG_TRY(read_arena(&state->slots[i], file, slot_names[i], state->length));
    if (file->count != 1 + !!state->slots[0] + !!state->slots[1] ||
        (state->slots[1] && !state->slots[0]))
        MG_FAIL(MG_ERR_FORMAT, "tensors other than params, slot0, slot1, or slot1 without slot0");
out:
    return st;
}

static mg_status parse_state(mg_train_state *state, const mg_safetensors *file,
                             const mg_model *model)
{
    mg_status st;
    char shown[MG_SHOWN_SIZE];
    const char *version = mg__safetensors_metadata(file, "state_version");
    if (!version) MG_FAIL(MG_ERR_FORMAT, "no state of a training (no \"state_version\")");
    if (strcmp(version, STATE_VERSION) != 0)
        MG_FAIL(MG_ERR_UNSUPPORTED, "state_version %s, this program reads " STATE_VERSION,
                mg__shown(shown, version));
    MG_TRY(check_model(mg__safetensors_metadata(file, "model"), model));
    MG_TRY(read_scalars(state, file));
    MG_TRY(read_history(state, mg__safetensors_metadata(file, "history")));
    MG_TRY(read_arenas(state, file, model));
out:
    return st;
}

static mg_status read_state(mg_train_state **out, const char *path, const mg_model *model)
{
    mg_status st;
    mg_safetensors *file = NULL;
    mg_train_state *state = calloc(1, sizeof *state);
    if (!state) MG_FAIL(MG_ERR_MEMORY, "%s: out of memory", path);
    st = mg__safetensors_read(&file, path);
    if (st == MG_ERR_NOT_FOUND)
        MG_FAIL(st, "%s: not there: no training was saved in this directory", path);
    MG_TRY(st);
    if ((st = parse_state(state, file, model)) != MG_OK) {
        mg__fail_in(st, "%s", path);
        goto out;
    }
    *out = state;
    state = NULL;
out:
    mg_train_state_free(state);
    mg__safetensors_free(file);
    return st;
}

/* ---- the run directory ---- */

/* All that is written from the state alone: equal states give equal files (metrics.csv holds times,
 * but the state's). */
static mg_status write_derived(const char *dir, const mg_model *model, const mg_train_state *state)
{
    mg_status st;
    char *last = NULL, *best = NULL, *metrics = NULL;
    const bool is_best =
        state->epoch > 0 && state->cursor == 0 && state->epoch == (uint32_t)state->best_epoch;
    MG_TRY(mg__run_file(&last, dir, MG_RUN_LAST));
    MG_TRY(mg__run_file(&best, dir, MG_RUN_BEST));
    MG_TRY(mg__run_file(&metrics, dir, MG_RUN_METRICS));
    MG_TRY(mg_weights_save(last, model, state->params, NULL, 0));
    if (is_best) MG_TRY(mg_weights_save(best, model, state->params, NULL, 0));
    MG_TRY(write_metrics(metrics, state));
out:
    free(last);
    free(best);
    free(metrics);
    return st;
}

mg_status mg__run_save(const char *dir, const mg_model *model, const mg_train_state *state)
{
    mg_status st;
    char *path = NULL;
    MG_TRY(mg__run_file(&path, dir, MG_RUN_STATE));
    MG_TRY(write_state(path, model, state));
    MG_TRY(write_derived(dir, model, state));
out:
    free(path);
    return st;
}

/* "best.safetensors.tmp.123": what mg__file_replace leaves behind if it is killed. */
static bool is_leftover(const char *name)
{
    static const char *const ours[] = {MG_RUN_CONFIG, MG_RUN_STATE, MG_RUN_LAST, MG_RUN_BEST,
                                       MG_RUN_METRICS};
    for (int i = 0; i < MG_COUNT_OF(ours); i++) {
        const size_t length = strlen(ours[i]);
        if (strncmp(name, ours[i], length) == 0 && strncmp(name + length, ".tmp.", 5) == 0)
            return true;
    }
    return false;
}

/* They do no harm but take room: where one cannot be removed, it stays. */
void mg__run_remove_leftovers(const char *dir)
{
    char *path;
    DIR *entries = opendir(dir);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        if (!is_leftover(entry->d_name) || mg__run_file(&path, dir, entry->d_name)) continue;
        unlink(path);
        free(path);
    }
    if (entries) closedir(entries);
}

mg_status mg__run_load(mg_train_state **out, const char *dir, const mg_model *model)
{
    mg_status st;
    char *path = NULL;
    mg_train_state *state = NULL;
    MG_TRY(mg__run_file(&path, dir, MG_RUN_STATE));
    MG_TRY(read_state(&state, path, model));
    mg__run_remove_leftovers(dir);
    MG_TRY(write_derived(dir, model, state));
    *out = state;
    state = NULL;
out:
    mg_train_state_free(state);
    free(path);
    return st;
}
