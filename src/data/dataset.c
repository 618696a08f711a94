#include "mnist_gpu/dataset.h"
#include "data/files.h"
#include "data/idx.h"
#include "data/make.h"
#include "io/file.h"
#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { SYNTHETIC_TRAIN = 60000, SYNTHETIC_TEST = 10000, SYNTHETIC_SEED = 1 };

#define DOWNLOAD_HINT "get MNIST with `mnist_gpu data download`"

/* The variable's value, or NULL if it is unset or empty. */
static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

mg_status mg_dataset_cache_dir(char **out, const char *set)
{
    const char *cache = environment("XDG_CACHE_HOME"), *home = environment("HOME");
    char *dir;
    if (cache && *cache == '/') /* a relative one is to be ignored (XDG base directories, 0.8) */
        dir = mg__format("%s/mnist_gpu/%s", cache, set);
    else if (home)
        dir = mg__format("%s/.cache/mnist_gpu/%s", home, set);
    else
        return mg__fail(MG_ERR_NOT_FOUND, "no cache directory: neither XDG_CACHE_HOME (an absolute "
                                          "path) nor HOME is set");
    if (!dir) return mg__fail(MG_ERR_MEMORY, "out of memory");
    *out = dir;
    return MG_OK;
}

static mg_status holds_images(bool *out, const char *dir)
{
    mg_status st = MG_OK;
    char *path = NULL;
    MG_TRY(mg__set_locate(&path, dir, MG_TRAIN_IMAGES));
    if (!path) MG_TRY(mg__set_locate(&path, dir, MG_TEST_IMAGES));
    *out = path != NULL;
out:
    free(path);
    return st;
}

/* The first of `dirs` that holds images. */
static mg_status first_with_images(char **out, const char *const *dirs, int count)
{
    mg_status st = MG_OK;
    char *tried = NULL;
    for (int i = 0; i < count; i++) {
        bool found = false;
        MG_TRY(holds_images(&found, dirs[i]));
        char *text = found ? mg__format("%s", dirs[i])
                           : mg__format("%s%s%s", i ? tried : "", i ? ", " : "", dirs[i]);
        if (!text) MG_FAIL(MG_ERR_MEMORY, "out of memory");
        if (found) {
            *out = text;
            goto out;
        }
        free(tried);
        tried = text;
    }
    /* Cut, so that the hint has room in the message. */
    st = mg__fail(MG_ERR_NOT_FOUND,
                  "no image set (train-images or t10k-images, -idx3-ubyte or .idx3-ubyte, idx3 or "
                  "idx4, raw or .gz) in %.700s; " DOWNLOAD_HINT,
                  tried);
out:
    free(tried);
    return st;
}

mg_status mg_dataset_find(char **out, const char *dir)
{
    mg_status st = MG_OK;
    char *cache = NULL;
    const char *alone = dir ? dir : environment("MNIST_GPU_DATA");

    if (alone) return first_with_images(out, &alone, 1);
    const mg_status cached = mg_dataset_cache_dir(&cache, "mnist");
    if (cached != MG_OK && cached != MG_ERR_NOT_FOUND) return cached;
    const char *dirs[] = {"./data/mnist", "./MNIST/raw", "./data/MNIST/raw", cache};
    MG_TRY(first_with_images(out, dirs, MG_COUNT_OF(dirs) - (cache ? 0 : 1)));
out:
    free(cache);
    return st;
}

static mg_status load_file(mg_idx *out, char **path, const char *dir, mg_set_file file,
                           int min_dims, int max_dims)
{
    mg_status st = MG_OK;
    char *names = NULL;
    MG_TRY(mg__set_locate(path, dir, file));
    if (!*path) {
        names = mg__set_names(file);
        MG_FAIL(MG_ERR_NOT_FOUND, "%.300s: none of %s is there; " DOWNLOAD_HINT, dir,
                names ? names : "the files looked for");
    }
    MG_TRY(mg__idx_read(out, *path, min_dims, max_dims));
out:
    free(names);
    return st;
}

/* A few test labels may miss the last classes, so the training labels, where there are any, count
 * for both splits. */
static mg_status count_training_classes(uint32_t *classes, const char *dir)
{
    mg_status st = MG_OK;
    mg_idx labels = {0};
    char *path = NULL;
    MG_TRY(mg__set_locate(&path, dir, MG_TRAIN_LABELS));
    if (path) {
        MG_TRY(mg__idx_read(&labels, path, 1, 1));
        const uint32_t here = mg__count_classes(labels.bytes, labels.size);
        if (here > *classes) *classes = here;
    }
out:
    free(path);
    free(labels.bytes);
    return st;
}

mg_status mg_dataset_load(mg_dataset **out, const char *dir, mg_split split)
{
    mg_status st = MG_OK;
    const bool test = split == MG_SPLIT_TEST;
    char *image_path = NULL, *label_path = NULL;
    mg_idx images = {0}, labels = {0};
    mg_dataset *set = NULL;

    if (!strcmp(dir, MG_SYNTHETIC))
        return mg_dataset_synthesize(out, test ? SYNTHETIC_TEST : SYNTHETIC_TRAIN, SYNTHETIC_SEED,
                                     split);
    MG_TRY(load_file(&images, &image_path, dir, test ? MG_TEST_IMAGES : MG_TRAIN_IMAGES, 3, 4));
    MG_TRY(load_file(&labels, &label_path, dir, test ? MG_TEST_LABELS : MG_TRAIN_LABELS, 1, 1));
    if (images.dims[0] != labels.dims[0])
        MG_FAIL(MG_ERR_FORMAT, "%.300s has %u images, but %.300s has %u labels: expected as many",
                image_path, images.dims[0], label_path, labels.dims[0]);
    MG_TRY(mg__dataset_take(&set, &images, &labels, dir));
    if (test) MG_TRY(count_training_classes(&set->classes, dir));
    *out = set;
    set = NULL;
out:
    mg_dataset_free(set);
    free(images.bytes);
    free(labels.bytes);
    free(image_path);
    free(label_path);
    return st;
}

mg_status mg_dataset_save(const mg_dataset *set, const char *dir, mg_split split)
{
    mg_status st = MG_OK;
    const bool test = split == MG_SPLIT_TEST;
    const bool planes = set->channels > 1;
    char *images = NULL, *labels = NULL;
    const mg_idx pixels = {.ndim = planes ? 4 : 3,
                           .dims = {set->count, planes ? set->channels : set->height,
                                    planes ? set->height : set->width, planes ? set->width : 0},
                           .size = (size_t)set->count * set->channels * set->height * set->width,
                           .bytes = set->pixels};
    const mg_idx classes = {
        .ndim = 1, .dims = {set->count}, .size = set->count, .bytes = set->labels};

    MG_TRY(mg__make_dirs(dir));
    images = mg__set_path(dir, test ? MG_TEST_IMAGES : MG_TRAIN_IMAGES, pixels.ndim);
    labels = mg__set_path(dir, test ? MG_TEST_LABELS : MG_TRAIN_LABELS, 1);
    if (!images || !labels) MG_FAIL(MG_ERR_MEMORY, "%s: out of memory", dir);
    MG_TRY(mg__idx_write(images, &pixels));
    MG_TRY(mg__idx_write(labels, &classes));
out:
    free(images);
    free(labels);
    return st;
}

void mg_dataset_free(mg_dataset *set)
{
    if (!set) return;
    free(set->pixels);
    free(set->labels);
    free(set->source);
    free(set);
}

mg_dataset mg_dataset_slice(const mg_dataset *set, uint32_t first, uint32_t count)
{
    assert(first <= set->count && count <= set->count - first);
    mg_dataset view = *set;
    view.count = count;
    view.pixels += (size_t)first * set->channels * set->height * set->width;
    view.labels += first;
    return view;
}
