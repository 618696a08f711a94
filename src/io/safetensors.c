#include "io/safetensors.h"
#include "io/file.h"
#include "io/json.h"
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Tensors are used as they lie in the file. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a little-endian machine is needed");

#define METADATA_KEY "__metadata__"

static const struct {
    const char *name;
    size_t bytes;
} dtypes[] = {
    {"F32", 4}, {"F64", 8}, {"F16", 2},  {"BF16", 2}, {"F8_E4M3", 1}, {"F8_E5M2", 1},
    {"I8", 1},  {"I16", 2}, {"I32", 4},  {"I64", 8},  {"U8", 1},      {"U16", 2},
    {"U32", 4}, {"U64", 8}, {"BOOL", 1}, {"C64", 8},
};

const char *mg__shape_text(char out[MG_ST_SHAPE_SIZE], int rank, const uint64_t dim[])
{
    size_t at = (size_t)snprintf(out, MG_ST_SHAPE_SIZE, "[");
    for (int i = 0; i < rank; i++)
        at +=
            (size_t)snprintf(out + at, MG_ST_SHAPE_SIZE - at, "%s%" PRIu64, i ? ", " : "", dim[i]);
    snprintf(out + at, MG_ST_SHAPE_SIZE - at, "]");
    return out;
}

/* ---- reading ---- */

/* A count or an offset in the header: an integer of at least 0. */
static bool read_size(uint64_t *out, const json_t *value)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0) return false;
    *out = (uint64_t)json_integer_value(value);
    return true;
}

/* The bytes that dtype and shape ask for; false if they do not fit 64 bits. */
static bool tensor_size(uint64_t *out, const mg_st_tensor *tensor, size_t element)
{
    uint64_t size = element;
    for (int i = 0; i < tensor->rank; i++)
        if (__builtin_mul_overflow(size, tensor->dim[i], &size)) return false;
    *out = size;
    return true;
}

static mg_status read_shape(mg_st_tensor *tensor, const json_t *shape)
{
    if (!json_is_array(shape)) return mg__fail(MG_ERR_FORMAT, "no \"shape\" list");
    if (json_array_size(shape) > MG_ST_MAX_RANK)
        return mg__fail(MG_ERR_FORMAT, "%zu dimensions, at most %d are supported",
                        json_array_size(shape), MG_ST_MAX_RANK);
    tensor->rank = (int)json_array_size(shape);
    for (int i = 0; i < tensor->rank; i++)
        if (!read_size(&tensor->dim[i], json_array_get(shape, (size_t)i)))
            return mg__fail(MG_ERR_FORMAT, "\"shape\" holds what is no integer of at least 0");
    return MG_OK;
}

static mg_status read_dtype(mg_st_tensor *tensor, size_t *element, const json_t *dtype)
{
    char shown[MG_SHOWN_SIZE];
    if (!json_is_string(dtype)) return mg__fail(MG_ERR_FORMAT, "no \"dtype\" text");
    tensor->dtype = json_string_value(dtype);
    for (int i = 0; i < MG_COUNT_OF(dtypes); i++)
        if (strcmp(tensor->dtype, dtypes[i].name) == 0) {
            *element = dtypes[i].bytes;
            return MG_OK;
        }
    return mg__fail(MG_ERR_FORMAT, "unknown dtype \"%s\"", mg__shown(shown, tensor->dtype));
}

/* One entry of the header; messages do not name file and tensor, read_header puts them before. */
static mg_status read_tensor(mg_st_tensor *tensor, json_t *entry, const uint8_t *data,
                             uint64_t data_size)
{
    mg_status st;
    char shown[MG_SHOWN_SIZE], shape[MG_ST_SHAPE_SIZE];
    const char *key;
    json_t *value;
    size_t element = 0;
    uint64_t begin, end, size;

    if (!json_is_object(entry)) MG_FAIL(MG_ERR_FORMAT, "its entry is no object");
    json_object_foreach(entry, key, value)
    {
        if (strcmp(key, "dtype") && strcmp(key, "shape") && strcmp(key, "data_offsets"))
            MG_FAIL(MG_ERR_FORMAT, "unknown key \"%s\" (known: dtype, shape, data_offsets)",
                    mg__shown(shown, key));
    }
    MG_TRY(read_dtype(tensor, &element, json_object_get(entry, "dtype")));
    MG_TRY(read_shape(tensor, json_object_get(entry, "shape")));

    const json_t *offsets = json_object_get(entry, "data_offsets");
    if (!json_is_array(offsets) || json_array_size(offsets) != 2 ||
        !read_size(&begin, json_array_get(offsets, 0)) ||
        !read_size(&end, json_array_get(offsets, 1)))
        MG_FAIL(MG_ERR_FORMAT, "\"data_offsets\" must be two integers of at least 0");
    if (begin > end || end > data_size)
        MG_FAIL(MG_ERR_FORMAT,
                "data_offsets [%" PRIu64 ", %" PRIu64 "] do not lie in the %" PRIu64
                " bytes of data",
                begin, end, data_size);
    if (!tensor_size(&size, tensor, element) || size != end - begin)
        MG_FAIL(MG_ERR_FORMAT, "shape %s of %s does not fit its %" PRIu64 " bytes of data",
                mg__shape_text(shape, tensor->rank, tensor->dim), tensor->dtype, end - begin);
    tensor->data = data + begin;
    tensor->size = (size_t)size;
    st = MG_OK;
out:
    return st;
}

static mg_status check_metadata(json_t *metadata)
{
    char shown[MG_SHOWN_SIZE];
    const char *key;
    json_t *value;
    if (!json_is_object(metadata)) return mg__fail(MG_ERR_FORMAT, METADATA_KEY " is not an object");
    json_object_foreach(metadata, key, value)
    {
        if (!json_is_string(value))
            return mg__fail(MG_ERR_FORMAT, METADATA_KEY ": the value of \"%s\" is not text",
                            mg__shown(shown, key));
    }
    return MG_OK;
}

/* By place; an empty tensor before the one that starts where it lies. */
static int compare_places(const void *left, const void *right)
{
    const mg_st_tensor *l = left, *r = right;
    const uintptr_t lp = (uintptr_t)l->data, rp = (uintptr_t)r->data;
    if (lp != rp) return lp < rp ? -1 : 1;
    return l->size == r->size ? 0 : l->size < r->size ? -1 : 1;
}

/* Sorts the tensors and sees that they cover the data from end to end. */
static mg_status check_coverage(mg_safetensors *file, const uint8_t *data, size_t data_size)
{
    char shown[MG_SHOWN_SIZE];
    size_t covered = 0;
    if (file->count > 0)
        qsort(file->tensors, (size_t)file->count, sizeof *file->tensors, compare_places);
    for (int i = 0; i < file->count; i++) {
        const mg_st_tensor *tensor = &file->tensors[i];
        const size_t begin = (size_t)((const uint8_t *)tensor->data - data);
        if (begin != covered)
            return mg__fail(MG_ERR_FORMAT,
                            "tensor \"%s\": starts at byte %zu of the data, expected %zu (%s)",
                            mg__shown(shown, tensor->name), begin, covered,
                            begin < covered ? "an overlap" : "a hole");
        covered += tensor->size;
    }
    if (covered != data_size)
        return mg__fail(MG_ERR_FORMAT, "%zu bytes of data, the tensors have %zu", data_size,
                        covered);
    return MG_OK;
}

static mg_status parse_header(json_t **out, const char *text, size_t length)
{
    char shown[MG_SHOWN_SIZE];
    json_error_t error;
    while (length > 0 && text[length - 1] == ' ') length--;
    if (length < 2 || text[0] != '{' || text[length - 1] != '}')
        return mg__fail(MG_ERR_FORMAT, "the header is no JSON object (not a safetensors file?)");
    *out = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (*out) return MG_OK;
    return mg__fail(MG_ERR_FORMAT, "header, byte %d: %s", error.position,
                    mg__shown(shown, error.text));
}

static mg_status read_entries(mg_safetensors *file, const uint8_t *data, size_t data_size)
{
    mg_status st;
    char shown[MG_SHOWN_SIZE];
    const char *key;
    json_t *value;
    file->tensors = calloc(json_object_size(file->header) + 1, sizeof *file->tensors);
    if (!file->tensors) MG_FAIL(MG_ERR_MEMORY, "out of memory");
    json_object_foreach(file->header, key, value)
    {
        if (strcmp(key, METADATA_KEY) == 0) {
            MG_TRY(check_metadata(value));
            continue;
        }
        mg_st_tensor *tensor = &file->tensors[file->count++];
        tensor->name = key;
        if ((st = read_tensor(tensor, value, data, data_size)) != MG_OK) {
            mg__fail_in(st, "tensor \"%s\"", mg__shown(shown, key));
            goto out;
        }
    }
    st = MG_OK;
out:
    return st;
}

static mg_status parse_file(mg_safetensors *file, size_t size)
{
    mg_status st;
    uint64_t header_size;
    if (size < sizeof header_size)
        MG_FAIL(MG_ERR_FORMAT, "%zu bytes, too short for a safetensors file", size);
    memcpy(&header_size, file->bytes, sizeof header_size);
    if (header_size > MG_ST_MAX_HEADER)
        MG_FAIL(MG_ERR_FORMAT,
                "header of %" PRIu64 " bytes, at most %u are allowed (not a safetensors file?)",
                header_size, MG_ST_MAX_HEADER);
    if (header_size > size - sizeof header_size)
        MG_FAIL(MG_ERR_FORMAT, "truncated: a header of %" PRIu64 " bytes in a file of %zu",
                header_size, size);

    const uint8_t *data = file->bytes + sizeof header_size + header_size;
    const size_t data_size = size - sizeof header_size - (size_t)header_size;
    MG_TRY(parse_header(&file->header, (const char *)file->bytes + sizeof header_size,
                        (size_t)header_size));
    MG_TRY(read_entries(file, data, data_size));
    MG_TRY(check_coverage(file, data, data_size));
out:
    return st;
}

mg_status mg__safetensors_read(mg_safetensors **out, const char *path)
{
    mg_status st;
    size_t size;
    const unsigned lacks = mg__json_lacks();
    mg_safetensors *file = calloc(1, sizeof *file);
    if (!file) MG_FAIL(MG_ERR_MEMORY, "%s: out of memory", path);
    MG_TRY(mg__file_read(&file->bytes, &size, path, MG_ST_MAX_FILE));
    if ((st = parse_file(file, size)) != MG_OK) mg__fail_in(st, "%s", path);
    MG_TRY(mg__json_status(st, lacks, path));
    *out = file;
    file = NULL;
out:
    mg__safetensors_free(file);
    return st;
}

void mg__safetensors_free(mg_safetensors *file)
{
    if (!file) return;
    json_decref(file->header);
    free(file->tensors);
    free(file->bytes);
    free(file);
}

const mg_st_tensor *mg__safetensors_find(const mg_safetensors *file, const char *name)
{
    for (int i = 0; i < file->count; i++)
        if (strcmp(file->tensors[i].name, name) == 0) return &file->tensors[i];
    return NULL;
}

const char *mg__safetensors_metadata(const mg_safetensors *file, const char *key)
{
    return json_string_value(json_object_get(json_object_get(file->header, METADATA_KEY), key));
}

/* ---- writing ---- */

/* json_object_set_new_nocheck with our messages; takes over `value`, which is NULL where it could
 * not be made. jansson makes no text that is not UTF-8, or none for lack of memory. */
static mg_status set_entry(json_t *object, const char *key, json_t *value)
{
    char shown[MG_SHOWN_SIZE];
    if (value && json_object_set_new(object, key, value) == 0) return MG_OK;
    return mg__fail(MG_ERR_INVALID, "header: \"%s\" is not UTF-8", mg__shown(shown, key));
}

static json_t *shape_json(const mg_st_tensor *tensor)
{
    json_t *shape = json_array();
    for (int i = 0; i < tensor->rank; i++)
        if (json_array_append_new(shape, json_integer((json_int_t)tensor->dim[i]))) {
            json_decref(shape);
            return NULL;
        }
    return shape;
}

static mg_status header_json(json_t *header, const mg_st_tensor *tensors, int count,
                             const char *const *metadata, int pairs)
{
    mg_status st = MG_OK;
    size_t offset = 0;
    if (pairs > 0) {
        json_t *texts = json_object();
        MG_TRY(set_entry(header, METADATA_KEY, texts));
        for (int i = 0; i < pairs; i++)
            MG_TRY(set_entry(texts, metadata[2 * i], json_string(metadata[2 * i + 1])));
    }
    for (int i = 0; i < count; i++) {
        const mg_st_tensor *t = &tensors[i];
        MG_TRY(set_entry(header, t->name,
                         json_pack("{s:s, s:o, s:[I,I]}", "dtype", t->dtype, "shape", shape_json(t),
                                   "data_offsets", (json_int_t)offset,
                                   (json_int_t)(offset + t->size))));
        offset += t->size;
    }
    if (offset > MG_ST_MAX_FILE - MG_ST_MAX_HEADER - sizeof(uint64_t))
        MG_FAIL(MG_ERR_UNSUPPORTED, "%zu bytes of tensors are too many", offset);
out:
    return st;
}

/* The text of the header, with spaces up to the next multiple of 8: the data is aligned. */
static mg_status header_text(char **out, size_t *length, const mg_st_tensor *tensors, int count,
                             const char *const *metadata, int pairs)
{
    mg_status st;
    char *text = NULL;
    json_t *header = json_object();
    if (!header) MG_FAIL(MG_ERR_MEMORY, "out of memory");
    MG_TRY(header_json(header, tensors, count, metadata, pairs));
    const size_t bare = json_dumpb(header, NULL, 0, JSON_COMPACT), padded = (bare + 7) / 8 * 8;
    if (bare == 0) MG_FAIL(MG_ERR_MEMORY, "out of memory");
    if (padded > MG_ST_MAX_HEADER)
        MG_FAIL(MG_ERR_UNSUPPORTED, "a header of %zu bytes is too large", padded);
    text = malloc(padded);
    if (!text) MG_FAIL(MG_ERR_MEMORY, "out of memory");
    memset(text, ' ', padded);
    if (json_dumpb(header, text, bare, JSON_COMPACT) != bare)
        MG_FAIL(MG_ERR_MEMORY, "out of memory");
    *out = text;
    *length = padded;
    text = NULL;
out:
    free(text);
    json_decref(header);
    return st;
}

mg_status mg__safetensors_write(const char *path, const mg_st_tensor *tensors, int count,
                                const char *const *metadata, int pairs)
{
    mg_status st;
    char *header = NULL;
    size_t length = 0;
    const unsigned lacks = mg__json_lacks();
    mg_slice *slices = calloc((size_t)count + 2, sizeof *slices);
    if (!slices) MG_FAIL(MG_ERR_MEMORY, "%s: out of memory", path);
    if ((st = header_text(&header, &length, tensors, count, metadata, pairs)) != MG_OK)
        mg__fail_in(st, "%s", path);
    MG_TRY(mg__json_status(st, lacks, path));
    const uint64_t header_size = length;
    slices[0] = (mg_slice){&header_size, sizeof header_size};
    slices[1] = (mg_slice){header, length};
    for (int i = 0; i < count; i++) slices[i + 2] = (mg_slice){tensors[i].data, tensors[i].size};
    MG_TRY(mg__file_replace(path, slices, count + 2));
out:
    free(header);
    free(slices);
    return st;
}
