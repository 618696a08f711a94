/* config.json: what a run was started with. */
#define _POSIX_C_SOURCE 200809L /* strdup */
#include "io/file.h"
#include "io/json.h"
#include "io/run.h"
#include "io/run_files.h"
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CONFIG ((size_t)16 << 20) /* bytes */
enum { FORMAT = 1 };                  /* another one where older programs would misread a file */

/* One row per key: the writer and the reader go by this table. */
typedef enum field_kind { TEXT, WORD, BOOLEAN, INT, U32, U64, REAL } field_kind;
typedef struct field {
    const char *key;
    field_kind kind; /* TEXT: char *, WORD: char[size]; U64 is written as text, for JSON's numbers
                        end at 2^53 in many programs */
    size_t offset, size;
    double min, max; /* of numbers, both included */
    unsigned flags;
} field;
enum {
    DECIDES = 1, /* a training's numbers depend on it: a state of another value is refused */
    LATER = 2    /* older files lack it: its default is what the program did then */
};

#define FIELD(kind, key, member, min, max, flags)                                                  \
    {                                                                                              \
        key, kind, offsetof(mg_run_config, member), sizeof(((mg_run_config *)0)->member), min,     \
            max, flags                                                                             \
    }
#define OPTION(kind, name, min, max) FIELD(kind, #name, options.name, min, max, DECIDES | LATER)
#define BELOW_ONE                    (1 - DBL_EPSILON / 2)

static const field fields[] = {
    FIELD(TEXT, "model_name", model_name, 0, 0, 0),
    FIELD(TEXT, "data", data, 0, 0, 0),
    FIELD(TEXT, "device", device, 0, 0, 0),
    FIELD(WORD, "kernels", kernels, 0, 0, LATER),
    FIELD(REAL, "epochs", options.epochs, DBL_MIN, INT_MAX, 0),
    FIELD(INT, "batch", options.batch, 1, 65536, DECIDES),
    FIELD(REAL, "lr", options.lr, 0, 1e30, DECIDES),
    FIELD(WORD, "optimizer", options.optimizer, 0, 0, DECIDES),
    FIELD(REAL, "momentum", options.momentum, 0, BELOW_ONE, DECIDES),
    OPTION(BOOLEAN, nesterov, 0, 0),
    OPTION(REAL, beta1, 0, BELOW_ONE),
    OPTION(REAL, beta2, 0, BELOW_ONE),
    OPTION(REAL, rho, 0, BELOW_ONE),
    OPTION(REAL, eps, 0, 1e30),
    OPTION(REAL, weight_decay, 0, 1e30),
    OPTION(REAL, clip_value, 0, 1e30),
    OPTION(REAL, clip_norm, 0, 1e30),
    OPTION(WORD, schedule, 0, 0),
    OPTION(REAL, lr_gamma, 0, 1),
    OPTION(INT, lr_step, 1, INT_MAX),
    OPTION(REAL, lr_min, 0, 1e30),
    OPTION(INT, lr_patience, 0, INT_MAX),
    OPTION(U64, warmup, 0, 0),
    OPTION(WORD, monitor, 0, 0),
    OPTION(INT, patience, 0, INT_MAX),
    OPTION(REAL, min_delta, 0, 1e30),
    FIELD(U64, "seed", options.seed, 0, 0, DECIDES),
    FIELD(BOOLEAN, "shuffle", options.shuffle, 0, 0, DECIDES),
    FIELD(U64, "max_steps", options.max_steps, 0, 0, 0),
    FIELD(REAL, "augment_affine", options.augment.affine, 0, MG_AUGMENTATION_MAX, DECIDES | LATER),
    FIELD(REAL, "augment_elastic", options.augment.elastic, 0, MG_AUGMENTATION_MAX,
          DECIDES | LATER),
    FIELD(REAL, "augment_stroke", options.augment.stroke, 0, MG_AUGMENTATION_MAX, DECIDES | LATER),
    FIELD(REAL, "augment_noise", options.augment.noise, 0, MG_AUGMENTATION_MAX, DECIDES | LATER),
    FIELD(REAL, "val_split", val_split, 0, BELOW_ONE, DECIDES),
    FIELD(U32, "limit", limit, 0, UINT32_MAX, DECIDES),
    FIELD(U32, "train_count", train_count, 0, UINT32_MAX, DECIDES),
    FIELD(U32, "val_count", val_count, 0, UINT32_MAX, DECIDES),
    FIELD(U32, "data_crc32", data_crc32, 0, UINT32_MAX, DECIDES | LATER),
    FIELD(BOOLEAN, "save_best", outputs.best, 0, 0, LATER),
    FIELD(BOOLEAN, "save_last", outputs.last, 0, 0, LATER),
    FIELD(BOOLEAN, "save_epoch", outputs.epoch, 0, 0, LATER),
    FIELD(INT, "keep", outputs.keep, 0, INT_MAX, LATER),
    FIELD(BOOLEAN, "tensorboard", outputs.tensorboard, 0, 0, LATER),
    FIELD(REAL, "started", outputs.started, 0, 1e12, LATER),
    FIELD(TEXT, "model", model_text, 0, 0, 0),
};

void mg__run_config_free(mg_run_config *config)
{
    free(config->model_name);
    free(config->model_text);
    free(config->data);
    free(config->device);
    free(config->later);
    config->model_name = config->model_text = config->data = NULL;
    config->device = config->later = NULL;
}

/* ---- writing ---- */

/* NULL where jansson refuses the value: text that is not UTF-8, a number that is not finite. */
static json_t *field_json(const field *f, const mg_run_config *config)
{
    const void *at = (const char *)config + f->offset;
    switch (f->kind) {
    case TEXT:
        return json_string(*(char *const *)at);
    case WORD:
        return json_string(at);
    case BOOLEAN:
        return json_boolean(*(const bool *)at);
    case INT:
        return json_integer(*(const int *)at);
    case U32:
        return json_integer(*(const uint32_t *)at);
    case U64:
        return json_sprintf("%" PRIu64, *(const uint64_t *)at);
    case REAL:
        return json_real(*(const double *)at);
    }
    return NULL;
}

/* Numbers with 15 digits, so that 0.1 reads "0.1", unless one of them needs 17 to come back as the
 * same double. */
static char *readable_text(const json_t *root)
{
    char *text = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    json_t *back = text ? json_loads(text, 0, NULL) : NULL;
    if (text && !json_equal(root, back)) {
        free(text);
        text = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    }
    json_decref(back);
    return text;
}

mg_status mg__run_save_config(const char *dir, const mg_run_config *config)
{
    mg_status st;
    char *path = NULL, *text = NULL;
    const unsigned lacks = mg__json_lacks();
    json_t *root = NULL;
    MG_TRY(mg__run_file(&path, dir, MG_RUN_CONFIG));
    root = json_pack("{s:s, s:s, s:i}", "program", "mnist_gpu", "version", MG_VERSION_STRING,
                     "format", FORMAT);
    for (int i = 0; i < MG_COUNT_OF(fields); i++) {
        json_t *value = field_json(&fields[i], config);
        if (!value)
            MG_FAIL(MG_ERR_INVALID, "%s: \"%s\" cannot be written: not UTF-8 or not finite", path,
                    fields[i].key);
        if (json_object_set_new(root, fields[i].key, value))
            MG_FAIL(MG_ERR_MEMORY, "%s: out of memory", path);
    }
    text = readable_text(root);
    MG_TRY(mg__json_status(MG_OK, lacks, path));
    if (!text) MG_FAIL(MG_ERR_MEMORY, "%s: out of memory", path);
    const mg_slice slices[] = {{text, strlen(text)}, {"\n", 1}};
    MG_TRY(mg__file_replace(path, slices, MG_COUNT_OF(slices)));
out:
    if (st == MG_ERR_INVALID) st = mg__json_status(st, lacks, path);
    json_decref(root);
    free(text);
    free(path);
    return st;
}

/* ---- reading ---- */

static bool read_u64(uint64_t *out, const json_t *value)
{
    const char *text = json_string_value(value);
    if (!text || !*text || text[strspn(text, "0123456789")]) return false;
    errno = 0;
    *out = strtoull(text, NULL, 10);
    return errno == 0;
}

/* False if the value is not of the field's type and range (or out of memory). */
static bool read_field(const field *f, mg_run_config *config, const json_t *value)
{
    void *at = (char *)config + f->offset;
    const double number = json_number_value(value); /* 0 if it is none */
    const bool in_range = number >= f->min && number <= f->max;
    switch (f->kind) {
    case TEXT:
        return json_is_string(value) && (*(char **)at = strdup(json_string_value(value)));
    case WORD:
        if (!json_is_string(value) || json_string_length(value) >= f->size) return false;
        memcpy(at, json_string_value(value), json_string_length(value) + 1);
        return true;
    case BOOLEAN:
        *(bool *)at = json_is_true(value);
        return json_is_boolean(value);
    case INT:
        if (!json_is_integer(value) || !in_range) return false;
        *(int *)at = (int)number;
        return true;
    case U32:
        if (!json_is_integer(value) || !in_range) return false;
        *(uint32_t *)at = (uint32_t)number;
        return true;
    case U64:
        return read_u64(at, value);
    case REAL:
        *(double *)at = number;
        return json_is_number(value) && in_range;
    }
    return false;
}

static mg_status fail_field(const field *f, const json_t *value)
{
    static const char *const kinds[] = {
        [TEXT] = "text",          [WORD] = "a short word",  [BOOLEAN] = "true or false",
        [INT] = "a whole number", [U32] = "a whole number", [U64] = "a whole number in quotes",
        [REAL] = "a number",
    };
    char range[64] = "", shown[MG_SHOWN_SIZE];
    if (!value) return mg__fail(MG_ERR_FORMAT, "\"%s\" is missing", f->key);
    if (f->kind == TEXT && json_is_string(value)) /* all of them fit */
        return mg__fail(MG_ERR_MEMORY, "out of memory");
    if (f->max > 0) snprintf(range, sizeof range, " from %.12g to %.12g", f->min, f->max);
    char *found = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    const mg_status st = mg__fail(MG_ERR_FORMAT, "\"%s\": expected %s%s, found %s", f->key,
                                  kinds[f->kind], range, mg__shown(shown, found ? found : "?"));
    free(found);
    return st;
}

/* The format is one that this program reads, and it knows all of the keys. */
static mg_status check_keys(json_t *root)
{
    static const char *const others[] = {"program", "version", "format"};
    const json_t *format = json_object_get(root, "format"); /* the first files have none */
    const char *key;
    json_t *value;
    char shown[MG_SHOWN_SIZE];
    if (format && json_integer_value(format) != FORMAT) {
        char *found = json_dumps(format, JSON_ENCODE_ANY | JSON_COMPACT);
        const mg_status st = mg__fail(MG_ERR_UNSUPPORTED, "\"format\" is %s, this program reads %d",
                                      mg__shown(shown, found ? found : "?"), FORMAT);
        free(found);
        return st;
    }
    json_object_foreach(root, key, value)
    {
        bool known = false;
        for (int i = 0; i < MG_COUNT_OF(others); i++) known = known || !strcmp(key, others[i]);
        for (int i = 0; i < MG_COUNT_OF(fields); i++) known = known || !strcmp(key, fields[i].key);
        if (!known)
            return mg__fail(MG_ERR_FORMAT, "unknown key \"%s\": of a later version?",
                            mg__shown(shown, key));
    }
    return MG_OK;
}

/* Notes in config->later that the file lacks the field. */
static mg_status take_default(mg_run_config *config, const field *f)
{
    char *longer =
        mg__format("%s%s%s", config->later ? config->later : "", config->later ? ", " : "", f->key);
    if (!longer) return mg__fail(MG_ERR_MEMORY, "out of memory");
    free(config->later);
    config->later = longer;
    return MG_OK;
}

static mg_status read_fields(mg_run_config *config, const json_t *root)
{
    mg_status st = MG_OK;
    for (int i = 0; i < MG_COUNT_OF(fields); i++) {
        const field *f = &fields[i];
        const json_t *value = json_object_get(root, f->key);
        if (!value && f->flags & LATER)
            MG_TRY(take_default(config, f));
        else if (!read_field(f, config, value))
            return fail_field(f, value);
    }
out:
    return st;
}

mg_status mg__run_load_config(mg_run_config *out, const char *dir)
{
    mg_status st;
    mg_run_config config = {.options = mg_train_options_default(),
                            .outputs = {.best = true, .last = true},
                            .kernels = "auto"};
    char *path = NULL, shown[MG_SHOWN_SIZE];
    uint8_t *text = NULL;
    size_t size;
    const unsigned lacks = mg__json_lacks();
    json_t *root = NULL;
    json_error_t error;
    MG_TRY(mg__run_file(&path, dir, MG_RUN_CONFIG));
    MG_TRY(mg__file_read(&text, &size, path, MAX_CONFIG));
    root = json_loadb((const char *)text, size, JSON_REJECT_DUPLICATES, &error);
    MG_TRY(mg__json_status(MG_OK, lacks, path));
    if (!root) MG_FAIL(MG_ERR_FORMAT, "%s:%d: %s", path, error.line, mg__shown(shown, error.text));
    if (!json_is_object(root)) MG_FAIL(MG_ERR_FORMAT, "%s: no JSON object", path);
    st = check_keys(root);
    if (!st) st = read_fields(&config, root);
    if (st) {
        mg__fail_in(st, "%s", path);
        goto out;
    }
    *out = config;
    config = (mg_run_config){0};
out:
    mg__run_config_free(&config);
    json_decref(root);
    free(text);
    free(path);
    return st;
}

/* ---- the part that state.safetensors repeats ---- */

mg_status mg__run_settings(char **out, const mg_run_config *config)
{
    mg_status st = MG_OK;
    char *text = NULL;
    json_t *root = json_object();
    for (int i = 0; i < MG_COUNT_OF(fields); i++)
        if (fields[i].flags & DECIDES &&
            json_object_set_new(root, fields[i].key, field_json(&fields[i], config)))
            MG_FAIL(MG_ERR_MEMORY, "out of memory for the settings");
    text = json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(17));
    if (!text) MG_FAIL(MG_ERR_MEMORY, "out of memory for the settings");
    *out = text;
out:
    json_decref(root);
    return st;
}

static mg_status fail_setting(const char *key, const json_t *found, const json_t *expected)
{
    char *left = json_dumps(found, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(15));
    char *right = json_dumps(expected, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(15));
    char shown[MG_SHOWN_SIZE];
    const mg_status st =
        mg__fail(MG_ERR_MISMATCH, "it is of a training with \"%s\" %s, " MG_RUN_CONFIG " has %s",
                 key, mg__shown(shown, left ? left : "?"), right ? right : "?");
    free(left);
    free(right);
    return st;
}

mg_status mg__run_check_settings(const char *found, const char *expected)
{
    mg_status st = MG_OK;
    json_t *theirs = json_loads(found, JSON_REJECT_DUPLICATES, NULL);
    json_t *ours = json_loads(expected, 0, NULL);
    const char *key;
    json_t *value;
    if (!json_is_object(theirs)) MG_FAIL(MG_ERR_FORMAT, "metadata \"settings\": no JSON object");
    json_object_foreach(ours, key, value)
    {
        const json_t *their = json_object_get(theirs, key); /* NULL: written before there was it */
        if (!their || json_equal(their, value)) continue;
        st = fail_setting(key, their, value);
        goto out;
    }
out:
    json_decref(theirs);
    json_decref(ours);
    return st;
}
