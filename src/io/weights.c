#include "mnist_gpu/weights.h"
#include "io/file.h"
#include "io/safetensors.h"
#include "model/spec.h"
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The file's view of a model's tensor; data lies in `params`, which may be NULL. */
static mg_st_tensor file_tensor(const mg_tensor *tensor, const float *params)
{
    mg_st_tensor out = {.name = tensor->name,
                        .dtype = "F32",
                        .rank = tensor->rank,
                        .data = params ? params + tensor->offset : NULL,
                        .size = tensor->count * sizeof(float)};
    for (int i = 0; i < tensor->rank; i++) out.dim[i] = (uint64_t)tensor->dim[i];
    return out;
}

mg_status mg_weights_save(const char *path, const mg_model *model, const float *params,
                          const char *const *metadata, int count)
{
    mg_status st;
    const int tensor_count = mg__model_tensor_count(model);
    const char *const own[] = {
        "format", "pt", "model", mg_model_text(model), "model_name", mg_model_name(model)};
    mg_st_tensor *tensors = calloc((size_t)tensor_count + 1, sizeof *tensors);
    const char **pairs = calloc(MG_COUNT_OF(own) + 2 * (size_t)count, sizeof *pairs);
    if (!tensors || !pairs) MG_FAIL(MG_ERR_MEMORY, "%s: out of memory", path);

    for (int i = 0; i < tensor_count; i++)
        tensors[i] = file_tensor(mg__model_tensor(model, i), params);
    memcpy(pairs, own, sizeof own);
    if (count > 0) memcpy(pairs + MG_COUNT_OF(own), metadata, 2 * (size_t)count * sizeof *pairs);
    MG_TRY(mg__safetensors_write(path, tensors, tensor_count, pairs, MG_COUNT_OF(own) / 2 + count));
out:
    free(pairs);
    free(tensors);
    return st;
}

/* A name from a file is taken only if it can be printed. */
static bool is_printable(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f) return false;
    return true;
}

static mg_status parse_model(mg_model **out, const mg_safetensors *file, const char *path)
{
    const char *text = mg__safetensors_metadata(file, "model");
    const char *name = mg__safetensors_metadata(file, "model_name");
    if (!text)
        return mg__fail(MG_ERR_MISMATCH,
                        "%s: no model text in its metadata: say which model it is for", path);
    const mg_status st = mg_model_parse(out, text, name && is_printable(name) ? name : path);
    return st == MG_OK ? MG_OK : mg__fail_in(st, "%s: its model text", path);
}

/* Is `found`, NULL where there is none, the tensor that the model has? */
static mg_status check_tensor(const mg_safetensors *file, const mg_st_tensor *found,
                              const mg_tensor *tensor)
{
    const mg_st_tensor expected = file_tensor(tensor, NULL);
    char shown[MG_SHOWN_SIZE], shape[MG_ST_SHAPE_SIZE], other[MG_ST_SHAPE_SIZE];
    mg__shape_text(shape, expected.rank, expected.dim);
    if (!found)
        return mg__fail(MG_ERR_MISMATCH,
                        "no tensor \"%s\" of shape %s; the file has %d tensors, the first is "
                        "\"%s\"",
                        expected.name, shape, file->count,
                        file->count ? mg__shown(shown, file->tensors[0].name) : "");
    if (strcmp(found->dtype, expected.dtype) != 0)
        return mg__fail(MG_ERR_MISMATCH, "tensor \"%s\": numbers of type %s, expected %s",
                        expected.name, found->dtype, expected.dtype);
    if (found->rank != expected.rank ||
        memcmp(found->dim, expected.dim, sizeof found->dim[0] * (size_t)found->rank) != 0)
        return mg__fail(MG_ERR_MISMATCH, "tensor \"%s\": shape %s, expected %s", expected.name,
                        mg__shape_text(other, found->rank, found->dim), shape);
    return MG_OK;
}

/* A tensor that PyTorch keeps for a layer, and nobody else: "batchnorm1.num_batches_tracked". */
static bool is_foreign(const mg_model *model, const char *name)
{
    for (int i = 0; i < model->layer_count; i++) {
        const mg_layer *l = &model->layers[i];
        const char *suffix = mg_layer_types[l->kind]->foreign;
        const size_t length = strlen(l->name);
        if (suffix && !strncmp(name, l->name, length) && name[length] == '.' &&
            !strcmp(name + length + 1, suffix))
            return true;
    }
    return false;
}

static mg_status check_no_extras(const mg_safetensors *file, const mg_model *model)
{
    const int expected = mg__model_tensor_count(model);
    char shown[MG_SHOWN_SIZE];
    for (int i = 0; i < file->count; i++) {
        int at = 0;
        while (at < expected && strcmp(mg__model_tensor(model, at)->name, file->tensors[i].name))
            at++;
        if (at == expected && !is_foreign(model, file->tensors[i].name))
            return mg__fail(MG_ERR_MISMATCH, "tensor \"%s\" does not belong to the model %s",
                            mg__shown(shown, file->tensors[i].name), mg_model_name(model));
    }
    return MG_OK;
}

/* Copies the tensors to their places. All have been checked, so the arena is no larger than the
 * file and its padding. */
static mg_status fill_arena(float **out, const mg_safetensors *file, const mg_model *model)
{
    mg_status st;
    float *params = calloc(model->arena_length + 1, sizeof *params);
    if (!params) MG_FAIL(MG_ERR_MEMORY, "out of memory");
    for (int i = 0; i < mg__model_tensor_count(model); i++) {
        const mg_tensor *tensor = mg__model_tensor(model, i);
        const mg_st_tensor *found = mg__safetensors_find(file, tensor->name);
        memcpy(params + tensor->offset, found->data, found->size);
    }
    MG_TRY(mg__model_check_finite(model, params));
    *out = params;
    params = NULL;
out:
    free(params);
    return st;
}

static mg_status read_params(float **out, const mg_safetensors *file, const mg_model *model)
{
    mg_status st;
    for (int i = 0; i < mg__model_tensor_count(model); i++) {
        const mg_tensor *tensor = mg__model_tensor(model, i);
        MG_TRY(check_tensor(file, mg__safetensors_find(file, tensor->name), tensor));
    }
    MG_TRY(check_no_extras(file, model));
    MG_TRY(fill_arena(out, file, model));
out:
    return st;
}

mg_status mg_weights_load(mg_model **out_model, float **out_params, const char *path,
                          const mg_model *model)
{
    mg_status st;
    mg_safetensors *file = NULL;
    mg_model *own = NULL;
    if (!model && !out_model)
        MG_FAIL(MG_ERR_INVALID, "mg_weights_load: neither a model nor a place for one");
    MG_TRY(mg__safetensors_read(&file, path));
    if (!model) MG_TRY(parse_model(&own, file, path));
    if ((st = read_params(out_params, file, model ? model : own)) != MG_OK) {
        mg__fail_in(st, "%s", path);
        goto out;
    }
    if (own) {
        *out_model = own;
        own = NULL;
    }
out:
    mg_model_free(own);
    mg__safetensors_free(file);
    return st;
}
