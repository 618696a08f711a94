/* numpy's .npz: a ZIP archive whose members are arrays in the .npy format (NEP 1). */
#include "data/import.h"
#include "data/make.h"
#include "data/zip.h"
#include "io/file.h"
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES ((size_t)1 << 30)
enum { MAX_DIMS = 4, HEADER_SIZE = 512 };

typedef struct array {
    char name[16]; /* "x_train.npy" */
    const char *file;
    uint8_t *bytes; /* the member, malloc'd; NULL: it is not there */
    char type[8];   /* "|u1": byte order, kind, bytes per item */
    int ndim;
    uint64_t dims[MAX_DIMS], count; /* count: their product */
    const uint8_t *items;           /* [count], in C order */
    size_t item_size;
} array;

/* ---- .npy ---- */

static mg_status bad(const array *a, const char *what)
{
    return mg__fail(MG_ERR_FORMAT, "%s: %s: %s", a->file, a->name, what);
}

/* What follows "'key': " in the header, a Python dictionary; NULL if the key is not there. */
static const char *value_of(const char *header, const char *key)
{
    char quoted[32];
    snprintf(quoted, sizeof quoted, "'%s':", key);
    const char *at = strstr(header, quoted);
    if (!at) return NULL;
    at += strlen(quoted);
    return at + strspn(at, " ");
}

static mg_status read_shape(array *a, const char *at)
{
    if (*at++ != '(') return bad(a, "its shape is no tuple");
    a->count = 1;
    for (a->ndim = 0; *at != ')'; a->ndim++) {
        char *end;
        if (a->ndim == MAX_DIMS) return bad(a, "more than 4 dimensions");
        errno = 0;
        const uint64_t dim = *at >= '0' && *at <= '9' ? strtoull(at, &end, 10) : 0;
        if (!dim || errno || dim > MAX_BYTES || a->count > MAX_BYTES / dim)
            return bad(a, "expected a shape of whole numbers from 1 up, of at most 2^30 items");
        a->dims[a->ndim] = dim;
        a->count *= dim;
        at = end + strspn(end, ", ");
    }
    return MG_OK;
}

static mg_status read_type(array *a, const char *at)
{
    const char *end = *at == '\'' ? strchr(at + 1, '\'') : NULL;
    if (!end || end - at != 4) return bad(a, "its type is none of numpy's plain ones");
    memcpy(a->type, at + 1, 3);
    a->type[3] = 0;
    a->item_size = (size_t)(a->type[2] - '0');
    return MG_OK;
}

/* Magic, version, the header's length (2 bytes, from version 2 on 4) and the header. */
static mg_status parse(array *a, size_t size)
{
    char header[HEADER_SIZE];
    const uint8_t *b = a->bytes;
    if (size < 12 || memcmp(b, "\x93NUMPY", 6) != 0) return bad(a, "no array in the .npy format");
    const size_t fixed = b[6] == 1 ? 10 : 12;
    size_t length = b[8] | (size_t)b[9] << 8;
    if (fixed == 12) length |= (size_t)b[10] << 16 | (size_t)b[11] << 24;
    if (length >= sizeof header || length > size - fixed) return bad(a, "its header is too long");
    memcpy(header, b + fixed, length);
    header[length] = 0;
    const char *type = value_of(header, "descr"), *shape = value_of(header, "shape");
    const char *fortran = value_of(header, "fortran_order");
    if (!type || !shape || !fortran) return bad(a, "its header lacks descr, shape or the order");
    if (strncmp(fortran, "False", 5) != 0) return bad(a, "in Fortran's order, expected C's");
    mg_status st = read_type(a, type);
    if (!st) st = read_shape(a, shape);
    if (st) return st;
    a->items = b + fixed + length;
    if (a->count * a->item_size != size - fixed - length)
        return bad(a, "its size is not that of its shape");
    return MG_OK;
}

static mg_status read_array(array *a, const mg_zip *zip, const char *kind, const char *split)
{
    size_t size;
    a->file = zip->name;
    snprintf(a->name, sizeof a->name, "%s_%s.npy", kind, split);
    const mg_status st = mg__zip_read(&a->bytes, &size, zip, a->name, MAX_BYTES);
    return st || !a->bytes ? st : parse(a, size);
}

/* ---- images and labels ---- */

/* A whole number of 1, 2, 4 or 8 bytes, little-endian; false where it is not from 0 to 255. */
static bool read_label(uint8_t *out, const uint8_t *item, size_t size)
{
    bool fits = true;
    for (size_t i = 1; i < size; i++) fits = fits && item[i] == 0;
    *out = item[0];
    return fits;
}

static mg_status check_types(const array *x, const array *y)
{
    const bool whole = strchr("iu", y->type[1]) && strchr("1248", y->type[2]);
    if (strcmp(x->type, "|u1") != 0) return bad(x, "expected images of type |u1 (bytes)");
    if (!whole || y->type[0] == '>') return bad(y, "expected labels of a whole number type");
    if (x->ndim < 3 || (x->ndim == 4 && x->dims[3] != 1 && x->dims[3] != 3))
        return bad(x, "expected the shape (n, height, width), with 1 or 3 channels at the end");
    if (y->count != x->dims[0] || y->ndim > 2) return bad(y, "expected as many labels as images");
    return MG_OK;
}

static mg_status make_set(mg_dataset **out, const array *x, const array *y)
{
    mg_dataset *set = NULL;
    mg_status st = check_types(x, y);
    const uint64_t channels = x->ndim == 4 ? x->dims[3] : 1;
    if (!st) st = mg__dataset_new(&set, x->dims[0], channels, x->dims[1], x->dims[2], x->file);
    if (st) return st;
    const size_t plane = (size_t)set->height * set->width;
    const uint8_t *item = x->items;
    for (uint8_t *image = set->pixels; item < x->items + x->count; image += channels * plane)
        for (size_t p = 0; p < plane; p++) /* [h][w][c] to [c][h][w] */
            for (size_t c = 0; c < channels; c++) image[c * plane + p] = *item++;
    for (uint32_t i = 0; i < set->count && !st; i++)
        if (!read_label(&set->labels[i], y->items + i * y->item_size, y->item_size) ||
            (y->type[1] == 'i' && y->item_size == 1 && set->labels[i] > 127))
            st = mg__fail(MG_ERR_FORMAT, "%s: %s: label %u is not from 0 to 255", y->file, y->name,
                          i + 1);
    set->classes = mg__count_classes(set->labels, set->count);
    if (st)
        mg_dataset_free(set);
    else
        *out = set;
    return st;
}

static mg_status read_split(mg_dataset **out, const mg_zip *zip, const char *split)
{
    mg_status st;
    array x = {0}, y = {0};
    MG_TRY(read_array(&x, zip, "x", split));
    MG_TRY(read_array(&y, zip, "y", split));
    if (!x.bytes != !y.bytes)
        MG_FAIL(MG_ERR_FORMAT, "%s: %s without %s", zip->name, x.bytes ? x.name : y.name,
                x.bytes ? y.name : x.name);
    if (x.bytes) MG_TRY(make_set(out, &x, &y));
out:
    free(x.bytes);
    free(y.bytes);
    return st;
}

mg_status mg__import_npz(mg_import *out, const char *path)
{
    mg_status st;
    uint8_t *bytes = NULL;
    size_t size;
    mg_zip zip;
    mg_import import = {0};
    MG_TRY(mg__file_read(&bytes, &size, path, MAX_BYTES));
    MG_TRY(mg__zip_open(&zip, bytes, size, path));
    MG_TRY(read_split(&import.train, &zip, "train"));
    MG_TRY(read_split(&import.test, &zip, "test"));
    if (!import.train && !import.test)
        MG_FAIL(MG_ERR_FORMAT, "%s: neither x_train.npy nor x_test.npy is in it", path);
    *out = import;
    import = (mg_import){0};
out:
    mg__import_free(&import);
    free(bytes);
    return st;
}
