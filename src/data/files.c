#define _POSIX_C_SOURCE 200809L /* stat */
#include "data/files.h"
#include "data/sha256.h"
#include "data/source.h"
#include "io/file.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const stems[MG_SET_FILE_COUNT] = {
    [MG_TRAIN_IMAGES] = "train-images",
    [MG_TRAIN_LABELS] = "train-labels",
    [MG_TEST_IMAGES] = "t10k-images",
    [MG_TEST_LABELS] = "t10k-labels",
};
static const char *const image_endings[] = {"-idx3-ubyte", ".idx3-ubyte", "-idx4-ubyte",
                                            ".idx4-ubyte", NULL};
static const char *const label_endings[] = {"-idx1-ubyte", ".idx1-ubyte", NULL};
static const char *const packings[] = {"", ".gz", NULL};

static const char *const *endings(mg_set_file file)
{
    return file == MG_TRAIN_IMAGES || file == MG_TEST_IMAGES ? image_endings : label_endings;
}

mg_status mg__set_locate(char **out, const char *dir, mg_set_file file)
{
    *out = NULL;
    for (const char *const *packing = packings; *packing; packing++)
        for (const char *const *ending = endings(file); *ending; ending++) {
            struct stat info;
            char *path = mg__format("%s/%s%s%s", dir, stems[file], *ending, *packing);
            if (!path) return mg__fail(MG_ERR_MEMORY, "%s: out of memory", dir);
            /* Some unpackers make a directory of the same name around the file. */
            if (stat(path, &info) == 0 && S_ISREG(info.st_mode)) {
                *out = path;
                return MG_OK;
            }
            free(path);
        }
    return MG_OK;
}

char *mg__set_names(mg_set_file file)
{
    char *names = mg__format("%s", "");
    for (const char *const *packing = packings; *packing; packing++)
        for (const char *const *ending = endings(file); *ending; ending++) {
            if (!names) return NULL;
            char *more =
                mg__format("%s%s%s%s%s", names, *names ? ", " : "", stems[file], *ending, *packing);
            free(names);
            names = more;
        }
    return names;
}

const mg_mnist_file mg__mnist_files[MG_SET_FILE_COUNT] = {
    [MG_TRAIN_IMAGES] = {"train-images-idx3-ubyte", 47040016,
                         "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"},
    [MG_TRAIN_LABELS] = {"train-labels-idx1-ubyte", 60008,
                         "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"},
    [MG_TEST_IMAGES] = {"t10k-images-idx3-ubyte", 7840016,
                        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"},
    [MG_TEST_LABELS] = {"t10k-labels-idx1-ubyte", 10008,
                        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"},
};

mg_status mg__mnist_check(const char *path, mg_set_file file)
{
    mg_status st = MG_OK;
    const mg_mnist_file *right = &mg__mnist_files[file];
    mg_source *source = NULL;
    mg_sha256 hash;
    uint8_t bytes[1 << 14];
    char hex[MG_SHA256_HEX_SIZE];
    size_t got = 0;

    mg__sha256_init(&hash);
    MG_TRY(mg__source_open(&source, path));
    do { /* no further than past the right size: a small file can decompress to a very large one */
        MG_TRY(mg__source_read(source, bytes, sizeof bytes, &got));
        mg__sha256_update(&hash, bytes, got);
    } while (got == sizeof bytes && hash.length <= right->size);
    if (hash.length != right->size)
        MG_FAIL(MG_ERR_MISMATCH, "%s: not MNIST's %s: found %s%" PRIu64 " bytes, expected %" PRIu64,
                path, right->name, hash.length > right->size ? "at least " : "", hash.length,
                right->size);
    mg__sha256_final(&hash, hex);
    if (strcmp(hex, right->sha256) != 0)
        MG_FAIL(MG_ERR_MISMATCH, "%s: not MNIST's %s: found SHA-256 %s, expected %s", path,
                right->name, hex, right->sha256);
out:
    mg__source_close(source);
    return st;
}
