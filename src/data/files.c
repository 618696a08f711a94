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
            bool there = false;
            char *path = mg__format("%s/%s%s%s", dir, stems[file], *ending, *packing);
            if (!path) return mg__fail(MG_ERR_MEMORY, "%s: out of memory", dir);
            const mg_status st = mg__file_find(&there, &info, path);
            /* Some unpackers make a directory of the same name around the file. */
            if (there && S_ISREG(info.st_mode)) {
                *out = path;
                return MG_OK;
            }
            free(path);
            if (st) return st;
        }
    return MG_OK;
}

char *mg__set_path(const char *dir, mg_set_file file, int ndim)
{
    return mg__format("%s/%s-idx%d-ubyte", dir, stems[file], ndim);
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

#define TRAIN_IMAGES "train-images-idx3-ubyte"
#define TRAIN_LABELS "train-labels-idx1-ubyte"
#define TEST_IMAGES  "t10k-images-idx3-ubyte"
#define TEST_LABELS  "t10k-labels-idx1-ubyte"

/* Fashion-MNIST and KMNIST are published once, so the hashes of their .gz are known; copies of
 * MNIST were packed in many ways. */
const mg_known_set mg__known_sets[] = {
    {.name = "mnist",
     .title = "MNIST",
     .mirrors = {"https://ossci-datasets.s3.amazonaws.com/mnist/",
                 "https://storage.googleapis.com/cvdf-datasets/mnist/"},
     .files = {{TRAIN_IMAGES, 47040016,
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"},
               {TRAIN_LABELS, 60008,
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"},
               {TEST_IMAGES, 7840016,
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"},
               {TEST_LABELS, 10008,
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"}}},
    {.name = "fashion",
     .title = "Fashion-MNIST",
     .mirrors = {"http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                 "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/"},
     .packed = true,
     .files = {{TRAIN_IMAGES, 26421880,
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"},
               {TRAIN_LABELS, 29515,
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"},
               {TEST_IMAGES, 4422102,
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"},
               {TEST_LABELS, 5148,
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"}}},
    {.name = "kmnist",
     .title = "Kuzushiji-MNIST",
     .mirrors = {"http://codh.rois.ac.jp/kmnist/dataset/kmnist/"},
     .packed = true,
     .files = {{TRAIN_IMAGES, 18165135,
                "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"},
               {TRAIN_LABELS, 29497,
                "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"},
               {TEST_IMAGES, 3041136,
                "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"},
               {TEST_LABELS, 5120,
                "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"}}},
    {.name = NULL},
};

mg_status mg__known_check(const mg_known_set *set, const char *path, mg_set_file file)
{
    mg_status st = MG_OK;
    const struct mg_known_file *right = &set->files[file];
    const char *packed = set->packed ? ".gz" : "";
    mg_source *source = NULL;
    mg_sha256 hash;
    uint8_t bytes[1 << 14];
    char hex[MG_SHA256_HEX_SIZE];
    size_t got = 0;

    mg__sha256_init(&hash);
    MG_TRY(mg__source_open(&source, path, !set->packed));
    do { /* no further than past the right size: a small file can decompress to a very large one */
        MG_TRY(mg__source_read(source, bytes, sizeof bytes, &got));
        mg__sha256_update(&hash, bytes, got);
    } while (got == sizeof bytes && hash.length <= right->size);
    if (hash.length != right->size)
        MG_FAIL(MG_ERR_MISMATCH, "%s: not %s's %s%s: found %s%" PRIu64 " bytes, expected %" PRIu64,
                path, set->title, right->name, packed, hash.length > right->size ? "at least " : "",
                hash.length, right->size);
    mg__sha256_final(&hash, hex);
    if (strcmp(hex, right->sha256) != 0)
        MG_FAIL(MG_ERR_MISMATCH, "%s: not %s's %s%s: found SHA-256 %s, expected %s", path,
                set->title, right->name, packed, hex, right->sha256);
out:
    mg__source_close(source);
    return st;
}
