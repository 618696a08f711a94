/* A folder of pictures per class. */
#define _POSIX_C_SOURCE 200809L /* scandir */
#include "data/import.h"
#include "data/make.h"
#include "error.h"
#include "image/plane.h"
#include "io/file.h"
#include "philox.h"
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_CLASSES = 256, SHUFFLE_SEED = 1, DIGIT_SIDE = 28 };

typedef struct picture {
    char *path; /* malloc'd */
    uint8_t label;
} picture;

typedef struct listing {
    char **names; /* of the classes' folders, sorted; malloc'd */
    int name_count;
    bool numbers;  /* the names are the labels */
    uint8_t label; /* of the folder that is being listed */
    picture *pictures;
    size_t count, capacity;
} listing;

static void free_listing(listing *list)
{
    for (int i = 0; i < list->name_count; i++) free(list->names[i]);
    for (size_t i = 0; i < list->count; i++) free(list->pictures[i].path);
    free(list->names);
    free(list->pictures);
}

/* ---- what is there ---- */

static int is_visible(const struct dirent *entry) { return entry->d_name[0] != '.'; }

/* By bytes: alphasort would follow the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

typedef mg_status visitor(void *user, const char *path, const char *name, bool is_folder);

static mg_status visit_entry(const char *folder, const char *name, visitor *visit, void *user)
{
    mg_status st;
    struct stat info;
    char *path = mg__format("%s/%s", folder, name);
    if (!path) return mg__fail(MG_ERR_MEMORY, "%s: out of memory", folder);
    if (stat(path, &info)) MG_FAIL(MG_ERR_IO, "%s: %s", path, strerror(errno));
    st = visit(user, path, name, S_ISDIR(info.st_mode));
out:
    free(path);
    return st;
}

/* Calls `visit` for everything in the folder but hidden files, by name. */
static mg_status for_each(const char *folder, visitor *visit, void *user)
{
    mg_status st = MG_OK;
    struct dirent **entries;
    const int count = scandir(folder, &entries, is_visible, by_name);
    if (count < 0)
        return mg__fail(errno == ENOENT ? MG_ERR_NOT_FOUND : MG_ERR_IO, "%s: cannot list: %s",
                        folder, strerror(errno));
    for (int i = 0; i < count; i++) {
        if (!st) st = visit_entry(folder, entries[i]->d_name, visit, user);
        free(entries[i]);
    }
    free(entries);
    return st;
}

/* A label as a folder's name; -1 if it is none. */
static int label_of(const char *name)
{
    if (!*name || strlen(name) > 3 || name[strspn(name, "0123456789")]) return -1;
    const int label = (int)strtol(name, NULL, 10);
    return label < MAX_CLASSES ? label : -1;
}

static mg_status add_class(void *user, const char *path, const char *name, bool is_folder)
{
    listing *list = user;
    if (!is_folder) return MG_OK;                 /* a README, a list of labels */
    if (strchr(name, '\n') || strchr(name, '\r')) /* classes.txt has a line for each */
        return mg__fail(MG_ERR_FORMAT, "%s: the name of a class holds a line break", path);
    if (list->name_count == MAX_CLASSES)
        return mg__fail(MG_ERR_FORMAT, "%s: more than %d classes", path, MAX_CLASSES);
    char *copy = mg__format("%s", name);
    char **names = realloc(list->names, ((size_t)list->name_count + 1) * sizeof *names);
    if (names) list->names = names;
    if (!copy || !names) {
        free(copy);
        return mg__fail(MG_ERR_MEMORY, "%s: out of memory", path);
    }
    list->names[list->name_count++] = copy;
    if (label_of(name) < 0) list->numbers = false;
    return MG_OK;
}

static mg_status add_picture(void *user, const char *path, const char *name, bool is_folder)
{
    listing *list = user;
    (void)name;
    if (is_folder) return mg__fail(MG_ERR_FORMAT, "%s: a folder, expected pictures", path);
    if (list->count == list->capacity) {
        const size_t capacity = list->capacity ? 2 * list->capacity : 1024;
        picture *larger = realloc(list->pictures, capacity * sizeof *larger);
        if (!larger) return mg__fail(MG_ERR_MEMORY, "%s: out of memory", path);
        list->pictures = larger;
        list->capacity = capacity;
    }
    assert(list->pictures);
    picture *p = &list->pictures[list->count];
    p->path = mg__format("%s", path);
    p->label = list->label;
    if (!p->path) return mg__fail(MG_ERR_MEMORY, "%s: out of memory", path);
    list->count++;
    return MG_OK;
}

static mg_status list_class(listing *list, const char *path, const char *name)
{
    char *folder = mg__format("%s/%s", path, name);
    if (!folder) return mg__fail(MG_ERR_MEMORY, "%s: out of memory", path);
    const mg_status st = for_each(folder, add_picture, list);
    free(folder);
    return st;
}

static mg_status list_pictures(listing *list, const char *path)
{
    mg_status st;
    list->numbers = true;
    MG_TRY(for_each(path, add_class, list));
    if (!list->name_count)
        MG_FAIL(MG_ERR_FORMAT, "%s: no folder of pictures per class is in it", path);
    for (int i = 0; i < list->name_count; i++) {
        list->label = (uint8_t)(list->numbers ? label_of(list->names[i]) : i);
        MG_TRY(list_class(list, path, list->names[i]));
    }
out:
    return st;
}

/* ---- pictures to images ---- */

/* Fisher and Yates: every order equally likely, but for the random numbers' own limits. */
static void shuffle(picture *pictures, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        const mg_philox r = mg__philox(SHUFFLE_SEED, (uint32_t)i, 0, 0, 0);
        const size_t j = (size_t)(((uint64_t)r.v[0] << 32 | r.v[1]) % i);
        const picture swapped = pictures[i - 1];
        pictures[i - 1] = pictures[j];
        pictures[j] = swapped;
    }
}

static mg_status read_picture(mg_dataset *set, size_t index, const picture *p,
                              const mg_folder_options *options)
{
    mg_status st;
    mg_image *image = NULL;
    mg__plane plane = {0};
    const uint32_t w = set->width, h = set->height;
    uint8_t *out = set->pixels + index * w * h;
    MG_TRY(mg_image_load(&image, p->path));
    if (options->digits) {
        st = mg_image_to_input(out, 1, h, w, image, NULL);
        if (st) mg__fail_in(st, "%s", p->path);
        goto out;
    }
    if (!options->size && (image->width != w || image->height != h))
        MG_FAIL(MG_ERR_FORMAT,
                "%s: found %u x %u pixels, expected %u x %u as the others have; "
                "--size resizes",
                p->path, image->width, image->height, w, h);
    MG_TRY(mg__plane_extract(&plane, image, MG__LUMINANCE));
    mg__plane_resample(out, w, h, &plane, 0, 0, (double)image->width / w,
                       (double)image->height / h);
out:
    free(plane.v);
    mg_image_free(image);
    return st;
}

/* The size that all images get: as asked for, else the first picture's. */
static mg_status choose_size(uint32_t *width, uint32_t *height, const listing *list,
                             const mg_folder_options *options)
{
    mg_image *first = NULL;
    *width = *height = options->digits ? DIGIT_SIDE : options->size;
    if (*width) return MG_OK;
    const mg_status st = mg_image_load(&first, list->pictures[0].path);
    if (st) return st;
    *width = first->width;
    *height = first->height;
    mg_image_free(first);
    return MG_OK;
}

mg_status mg__import_folders(mg_import *out, const char *path, mg_split split,
                             const mg_folder_options *options)
{
    mg_status st;
    listing list = {0};
    mg_dataset *set = NULL;
    uint32_t width, height;
    MG_TRY(list_pictures(&list, path));
    if (!list.count) MG_FAIL(MG_ERR_FORMAT, "%s: no pictures are in its folders", path);
    MG_TRY(choose_size(&width, &height, &list, options));
    MG_TRY(mg__dataset_new(&set, list.count, 1, height, width, path));
    shuffle(list.pictures, list.count);
    for (size_t i = 0; i < list.count; i++) {
        MG_TRY(read_picture(set, i, &list.pictures[i], options));
        set->labels[i] = list.pictures[i].label;
    }
    set->classes = mg__count_classes(set->labels, set->count);
    *out = (mg_import){0};
    *(split == MG_SPLIT_TEST ? &out->test : &out->train) = set;
    set = NULL;
    if (!list.numbers) {
        out->names = list.names;
        out->name_count = list.name_count;
        list.names = NULL;
        list.name_count = 0;
    }
out:
    mg_dataset_free(set);
    free_listing(&list);
    return st;
}
