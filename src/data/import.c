#include "data/import.h"
#include "data/idx.h"
#include "data/make.h"
#include "error.h"
#include "io/file.h"
#include <stdlib.h>

void mg__import_free(mg_import *import)
{
    mg_dataset_free(import->train);
    mg_dataset_free(import->test);
    for (int i = 0; i < import->name_count; i++) free(import->names[i]);
    free(import->names);
    *import = (mg_import){0};
}

/* "<prefix>-<split>-<kind>-ubyte", or with .gz. */
static mg_status read_emnist_file(mg_idx *out, const char *prefix, const char *split,
                                  const char *kind, int ndim)
{
    mg_status st;
    char *path = mg__format("%s-%s-%s-ubyte.gz", prefix, split, kind);
    char *raw = mg__format("%s-%s-%s-ubyte", prefix, split, kind);
    if (!path || !raw) MG_FAIL(MG_ERR_MEMORY, "%s: out of memory", prefix);
    st = mg__idx_read(out, raw, ndim, ndim);
    if (st == MG_ERR_NOT_FOUND) st = mg__idx_read(out, path, ndim, ndim);
out:
    free(path);
    free(raw);
    return st;
}

static mg_status read_emnist_split(mg_dataset **out, const char *prefix, const char *split)
{
    mg_status st;
    mg_idx images = {0}, labels = {0};
    MG_TRY(read_emnist_file(&images, prefix, split, "images-idx3", 3));
    MG_TRY(read_emnist_file(&labels, prefix, split, "labels-idx1", 1));
    if (images.dims[0] != labels.dims[0])
        MG_FAIL(MG_ERR_FORMAT, "%s: %u %s images, but %u labels: expected as many", prefix,
                images.dims[0], split, labels.dims[0]);
    MG_TRY(mg__dataset_take(out, &images, &labels, prefix));
out:
    free(images.bytes);
    free(labels.bytes);
    return st;
}

mg_status mg__import_prefix(mg_import *out, const char *prefix)
{
    *out = (mg_import){0};
    mg_status st = read_emnist_split(&out->train, prefix, "train");
    if (!st) st = read_emnist_split(&out->test, prefix, "test");
    if (st) mg__import_free(out);
    return st;
}
