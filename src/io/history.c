#include "io/history.h"
#include "io/file.h"
#include "io/json.h"
#include "io/text_stream.h"
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- numbers ---- */

enum { METRICS_DIGITS = 9 }; /* enough for the floats that figures are made of */

static json_t *number_json(double value)
{
    if (isnan(value)) return json_null();
    if (isinf(value)) return json_string(value > 0 ? "inf" : "-inf");
    return json_real(value);
}

bool mg__number_read(double *out, const json_t *value)
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
void mg__number_text(char out[MG_NUMBER_SIZE], double value, size_t digits)
{
    json_t *number = number_json(value);
    const size_t length =
        json_dumpb(number, out, MG_NUMBER_SIZE - 1, JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits));
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

/* {"epoch": 1, "loss": ..., ...} */
static json_t *epoch_json(mg_epoch epoch)
{
    json_t *entry = json_pack("{s:i}", "epoch", epoch.epoch);
    for (int c = 0; c < MG_COUNT_OF(columns); c++)
        json_object_set_new(entry, columns[c].name, number_json(*column(&epoch, c)));
    return entry;
}

char *mg__history_text(const mg_train_state *state)
{
    const unsigned lacks = mg__json_lacks();
    json_t *list = json_array();
    for (int i = 0; i < state->history_count; i++)
        json_array_append_new(list, epoch_json(state->history[i]));
    char *text = json_dumps(list, JSON_COMPACT | JSON_REAL_PRECISION(MG_EXACT_DIGITS));
    json_decref(list);
    if (mg__json_lacks() == lacks) return text;
    free(text);
    return NULL;
}

static bool read_epoch(mg_epoch *out, const json_t *entry, int number)
{
    const json_t *epoch = json_object_get(entry, "epoch");
    if (!json_is_integer(epoch) || json_integer_value(epoch) != number) return false;
    out->epoch = number;
    for (int c = 0; c < MG_COUNT_OF(columns); c++)
        if (!mg__number_read(column(out, c), json_object_get(entry, columns[c].name))) return false;
    return true;
}

/* Epochs 1, 2, ... up to the last one finished. */
mg_status mg__history_read(mg_train_state *state, const char *text)
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

/* ---- metrics ---- */

static void print_csv(FILE *out, const mg_train_state *state)
{
    char number[MG_NUMBER_SIZE];
    fputs("epoch", out);
    for (int c = 0; c < MG_COUNT_OF(columns); c++) fprintf(out, ",%s", columns[c].name);
    for (int i = 0; i < state->history_count; i++) {
        mg_epoch epoch = state->history[i];
        fprintf(out, "\n%d", epoch.epoch);
        for (int c = 0; c < MG_COUNT_OF(columns); c++) {
            mg__number_text(number, *column(&epoch, c), METRICS_DIGITS);
            fprintf(out, ",%s", isnan(*column(&epoch, c)) ? "" : number);
        }
    }
    fputc('\n', out);
}

static void print_jsonl(FILE *out, const mg_train_state *state)
{
    for (int i = 0; i < state->history_count; i++) {
        json_t *entry = epoch_json(state->history[i]);
        json_dumpf(entry, out, JSON_REAL_PRECISION(METRICS_DIGITS));
        fputc('\n', out);
        json_decref(entry);
    }
}

static mg_status write_text(const char *path, void (*print)(FILE *, const mg_train_state *),
                            const mg_train_state *state)
{
    mg_status st;
    char *text = NULL;
    size_t size = 0;
    const unsigned lacks = mg__json_lacks();
    FILE *stream = mg__open_text(&text, &size);
    if (!stream) MG_FAIL(MG_ERR_MEMORY, "%s: out of memory", path);
    print(stream, state);
    if (fclose(stream)) MG_FAIL(MG_ERR_MEMORY, "%s: out of memory", path);
    MG_TRY(mg__json_status(MG_OK, lacks, path));
    MG_TRY(mg__file_replace(path, &(mg_slice){text, size}, 1));
out:
    free(text);
    return st;
}

mg_status mg__history_write_csv(const char *path, const mg_train_state *state)
{
    return write_text(path, print_csv, state);
}

mg_status mg__history_write_jsonl(const char *path, const mg_train_state *state)
{
    return write_text(path, print_jsonl, state);
}
