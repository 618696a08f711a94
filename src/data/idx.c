#include "data/idx.h"
#include "data/source.h"
#include "io/file.h"
#include <stdio.h>
#include <stdlib.h>

enum { TYPE_U8 = 0x08, DIMS_TEXT_SIZE = MG_IDX_MAX_DIMS * 13 };

static const char *type_name(uint8_t type)
{
    switch (type) {
    case TYPE_U8:
        return "unsigned byte";
    case 0x09:
        return "signed byte";
    case 0x0b:
        return "short";
    case 0x0c:
        return "int";
    case 0x0d:
        return "float";
    case 0x0e:
        return "double";
    default:
        return "unknown";
    }
}

/* "60000 x 28 x 28" */
static const char *dims_text(char text[DIMS_TEXT_SIZE], const mg_idx *idx)
{
    size_t used = 0;
    for (int i = 0; i < idx->ndim; i++)
        used += (size_t)snprintf(text + used, DIMS_TEXT_SIZE - used, "%s%u", i ? " x " : "",
                                 idx->dims[i]);
    return text;
}

static mg_status read_header_bytes(mg_source *source, const char *path, uint8_t *bytes, size_t size)
{
    size_t got;
    const mg_status st = mg__source_read(source, bytes, size, &got);
    if (st == MG_OK && got < size)
        return mg__fail(MG_ERR_FORMAT, "%s: cut short: found %zu of %zu header bytes", path, got,
                        size);
    return st;
}

static mg_status read_magic(mg_idx *idx, mg_source *source, const char *path, int min_dims,
                            int max_dims)
{
    mg_status st = MG_OK;
    uint8_t m[4];
    char range[16];

    if (min_dims == max_dims)
        snprintf(range, sizeof range, "%d", min_dims);
    else
        snprintf(range, sizeof range, "%d to %d", min_dims, max_dims);
    MG_TRY(read_header_bytes(source, path, m, sizeof m));
    if (m[0] || m[1])
        MG_FAIL(MG_ERR_FORMAT,
                "%s: not an IDX file: found %02x %02x %02x %02x at the start, expected 00 00 08 "
                "and the number of dimensions",
                path, m[0], m[1], m[2], m[3]);
    if (m[2] != TYPE_U8)
        MG_FAIL(MG_ERR_FORMAT, "%s: found IDX type 0x%02x (%s), expected 0x08 (unsigned byte)",
                path, m[2], type_name(m[2]));
    if (m[3] < min_dims || m[3] > max_dims)
        MG_FAIL(MG_ERR_FORMAT, "%s: found %d dimensions, expected %s", path, m[3], range);
    idx->ndim = m[3];
out:
    return st;
}

static mg_status read_dims(mg_idx *idx, mg_source *source, const char *path)
{
    mg_status st = MG_OK;
    uint8_t b[4 * MG_IDX_MAX_DIMS];
    char text[DIMS_TEXT_SIZE];

    MG_TRY(read_header_bytes(source, path, b, 4 * (size_t)idx->ndim));
    for (int i = 0; i < idx->ndim; i++)
        idx->dims[i] = (uint32_t)b[4 * i] << 24 | (uint32_t)b[4 * i + 1] << 16 |
                       (uint32_t)b[4 * i + 2] << 8 | b[4 * i + 3];
    idx->size = 1;
    for (int i = 0; i < idx->ndim; i++) {
        if (idx->dims[i] == 0)
            MG_FAIL(MG_ERR_FORMAT, "%s: found size %s, expected each dimension to be 1 or more",
                    path, dims_text(text, idx));
        if (idx->size > PTRDIFF_MAX / idx->dims[i])
            MG_FAIL(MG_ERR_FORMAT, "%s: found size %s, expected a product below 2^%d", path,
                    dims_text(text, idx), 8 * (int)sizeof(ptrdiff_t) - 1);
        idx->size *= idx->dims[i];
    }
out:
    return st;
}

/* Reads idx->size bytes and sees that the content ends there. */
static mg_status read_bytes(mg_idx *idx, mg_source *source, const char *path)
{
    mg_status st = MG_OK;
    uint8_t *bytes = NULL, extra;
    size_t length = 0, capacity = 1 << 20, got = 0;
    char text[DIMS_TEXT_SIZE];

    do {
        if (length > 0) capacity = 2 * length;
        if (capacity > idx->size) capacity = idx->size;
        uint8_t *larger = realloc(bytes, capacity);
        if (!larger) MG_FAIL(MG_ERR_MEMORY, "%s: no memory for %zu bytes", path, capacity);
        bytes = larger;
        MG_TRY(mg__source_read(source, bytes + length, capacity - length, &got));
        length += got;
        if (length < capacity)
            MG_FAIL(MG_ERR_FORMAT, "%s: cut short: found %zu bytes after the header, expected %s",
                    path, length, dims_text(text, idx));
    } while (length < idx->size);
    MG_TRY(mg__source_read(source, &extra, 1, &got));
    if (got > 0)
        MG_FAIL(MG_ERR_FORMAT, "%s: found bytes after the last one, expected %s after the header",
                path, dims_text(text, idx));
    idx->bytes = bytes;
    bytes = NULL;
out:
    free(bytes);
    return st;
}

mg_status mg__idx_read(mg_idx *out, const char *path, int min_dims, int max_dims)
{
    mg_status st = MG_OK;
    mg_source *source = NULL;
    mg_idx idx = {0};

    MG_TRY(mg__source_open(&source, path, true));
    MG_TRY(read_magic(&idx, source, path, min_dims, max_dims));
    MG_TRY(read_dims(&idx, source, path));
    MG_TRY(read_bytes(&idx, source, path));
    *out = idx;
out:
    mg__source_close(source);
    return st;
}

mg_status mg__idx_write(const char *path, const mg_idx *idx)
{
    uint8_t header[4 + 4 * MG_IDX_MAX_DIMS] = {0, 0, TYPE_U8, (uint8_t)idx->ndim};
    for (int i = 0; i < 4 * idx->ndim; i++)
        header[4 + i] = (uint8_t)(idx->dims[i / 4] >> (24 - 8 * (i % 4)));
    const mg_slice slices[] = {{header, 4 + 4 * (size_t)idx->ndim}, {idx->bytes, idx->size}};
    return mg__file_replace(path, slices, MG_COUNT_OF(slices));
}
