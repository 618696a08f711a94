/* Image sets: found in every place and under every name, paired, and cut into slices. */
#define _XOPEN_SOURCE 700 /* mkdtemp, nftw, setenv */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "data/files.h"
#include "idx_files.h"
#include "io/file.h"
#include "mnist_gpu/dataset.h"

#define HINT "; get MNIST with `mnist_gpu data download`"

/* An empty directory "set". */
static void fresh_set(void)
{
    scratch_remove("set");
    assert_int_equal(mkdir("set", 0777), 0);
}

static mg_dataset *load(mg_split split)
{
    mg_dataset *set = NULL;
    assert_ok(mg_dataset_load(&set, "set", split));
    assert_non_null(set);
    return set;
}

static void assert_not_loaded(mg_split split, mg_status expected, const char *message)
{
    mg_dataset *set = NULL;
    assert_int_equal(mg_dataset_load(&set, "set", split), expected);
    assert_null(set);
    assert_message(message);
}

/* ---- loading ---- */

static void load_takes_every_name(void **state)
{
    (void)state;
    static const char *const images[] = {"-images-idx3-ubyte", "-images.idx3-ubyte",
                                         "-images-idx3-ubyte.gz", "-images.idx3-ubyte.gz"};
    static const char *const labels[] = {"-labels-idx1-ubyte", "-labels.idx1-ubyte",
                                         "-labels-idx1-ubyte.gz", "-labels.idx1-ubyte.gz"};
    for (int split = 0; split < 2; split++)
        for (int i = 0; i < MG_COUNT_OF(images); i++)
            for (int l = 0; l < MG_COUNT_OF(labels); l++) {
                char path[64];
                const char *prefix = split ? "t10k" : "train";
                fresh_set();
                snprintf(path, sizeof path, "set/%s%s", prefix, images[i]);
                write_idx(path, DIMS(3, 2, 5), 200, 3); /* 200, 203, ... 287 - 256 */
                snprintf(path, sizeof path, "set/%s%s", prefix, labels[l]);
                write_idx(path, DIMS(3), 1, 2); /* 1, 3, 5 */

                mg_dataset *set = load(split ? MG_SPLIT_TEST : MG_SPLIT_TRAIN);
                assert_int_equal(set->count, 3);
                assert_int_equal(set->channels, 1);
                assert_int_equal(set->height, 2);
                assert_int_equal(set->width, 5);
                assert_int_equal(set->classes, 6);
                assert_string_equal(set->source, "set");
                for (int at = 0; at < 30; at++)
                    assert_int_equal(set->pixels[at], (200 + 3 * at) % 256);
                assert_memory_equal(set->labels, "\1\3\5", 3);
                mg_dataset_free(set);
            }
}

static void load_reads_channels(void **state)
{
    (void)state;
    static const char *const names[] = {
        "set/train-images-idx4-ubyte", "set/train-images.idx4-ubyte",
        "set/train-images-idx4-ubyte.gz", "set/train-images.idx4-ubyte.gz",
        "set/train-images-idx3-ubyte"}; /* the header counts, not the name */
    for (int i = 0; i < MG_COUNT_OF(names); i++) {
        fresh_set();
        write_idx(names[i], DIMS(2, 3, 4, 5), 0, 1);
        write_idx("set/train-labels-idx1-ubyte", DIMS(2), 0, 1);
        mg_dataset *set = load(MG_SPLIT_TRAIN);
        assert_int_equal(set->count, 2);
        assert_int_equal(set->channels, 3);
        assert_int_equal(set->height, 4);
        assert_int_equal(set->width, 5);
        for (int at = 0; at < 120; at++) assert_int_equal(set->pixels[at], at);
        mg_dataset_free(set);
    }
}

/* Each file is told by its only pixel; as one is removed, the next in order is taken. */
static void load_prefers_raw_then_the_usual_spelling(void **state)
{
    (void)state;
    static const char *const order[] = {
        "set/train-images-idx3-ubyte",    "set/train-images.idx3-ubyte",
        "set/train-images-idx4-ubyte",    "set/train-images.idx4-ubyte",
        "set/train-images-idx3-ubyte.gz", "set/train-images.idx3-ubyte.gz",
        "set/train-images-idx4-ubyte.gz", "set/train-images.idx4-ubyte.gz"};
    fresh_set();
    write_idx("set/train-labels-idx1-ubyte", DIMS(1), 0, 0);
    for (int i = 0; i < MG_COUNT_OF(order); i++) write_idx(order[i], DIMS(1, 1, 1), i, 0);
    for (int i = 0; i < MG_COUNT_OF(order); i++) {
        mg_dataset *set = load(MG_SPLIT_TRAIN);
        assert_int_equal(set->pixels[0], i);
        mg_dataset_free(set);
        assert_int_equal(remove(order[i]), 0);
    }
    assert_not_loaded(MG_SPLIT_TRAIN, MG_ERR_NOT_FOUND, "set: none of");
}

/* Some unpackers leave train-images-idx3-ubyte/ around the file: such a directory is no file. */
static void load_passes_over_directories(void **state)
{
    (void)state;
    fresh_set();
    assert_int_equal(mkdir("set/train-images-idx3-ubyte", 0777), 0);
    write_idx("set/train-images.idx3-ubyte", DIMS(1, 1, 1), 9, 0);
    write_idx("set/train-labels-idx1-ubyte", DIMS(1), 0, 0);
    mg_dataset *set = load(MG_SPLIT_TRAIN);
    assert_int_equal(set->pixels[0], 9);
    mg_dataset_free(set);
}

static void load_takes_256_classes(void **state)
{
    (void)state;
    fresh_set();
    write_idx("set/train-images-idx3-ubyte", DIMS(256, 1, 1), 0, 0);
    write_idx("set/train-labels-idx1-ubyte", DIMS(256), 0, 1);
    mg_dataset *set = load(MG_SPLIT_TRAIN);
    assert_int_equal(set->classes, 256);
    assert_int_equal(set->labels[255], 255);
    mg_dataset_free(set);
}

static void load_counts_the_training_classes_for_the_test_split_too(void **state)
{
    (void)state;
    fresh_set();
    write_idx("set/t10k-images-idx3-ubyte", DIMS(2, 1, 1), 0, 0);
    write_idx("set/t10k-labels-idx1-ubyte", DIMS(2), 4, 0);
    mg_dataset *set = load(MG_SPLIT_TEST); /* no training files at all */
    assert_int_equal(set->classes, 5);
    mg_dataset_free(set);

    write_idx("set/train-labels.idx1-ubyte.gz", DIMS(8), 0, 1); /* up to 7 */
    set = load(MG_SPLIT_TEST);
    assert_int_equal(set->classes, 8);
    assert_int_equal(set->count, 2);
    assert_memory_equal(set->labels, "\4\4", 2);
    mg_dataset_free(set);

    write_idx("set/t10k-labels-idx1-ubyte", DIMS(2), 8, 1); /* beyond the training labels */
    set = load(MG_SPLIT_TEST);
    assert_int_equal(set->classes, 10);
    mg_dataset_free(set);
}

static void load_refuses_what_does_not_fit(void **state)
{
    (void)state;
    fresh_set();
    write_idx("set/train-images-idx3-ubyte", DIMS(3, 2, 2), 0, 1);
    write_idx("set/train-labels-idx1-ubyte", DIMS(4), 0, 1);
    assert_not_loaded(MG_SPLIT_TRAIN, MG_ERR_FORMAT,
                      "set/train-images-idx3-ubyte has 3 images, but set/train-labels-idx1-ubyte "
                      "has 4 labels");
    write_idx("set/train-labels-idx1-ubyte", DIMS(3, 1, 1), 0, 1);
    assert_not_loaded(MG_SPLIT_TRAIN, MG_ERR_FORMAT,
                      "set/train-labels-idx1-ubyte: found 3 dimensions, expected 1");
    write_idx("set/train-labels-idx1-ubyte", DIMS(3), 0, 1);
    write_idx("set/train-images-idx3-ubyte", DIMS(3, 4), 0, 1);
    assert_not_loaded(MG_SPLIT_TRAIN, MG_ERR_FORMAT,
                      "set/train-images-idx3-ubyte: found 2 dimensions, expected 3 to 4");
    write_idx("set/train-images-idx3-ubyte", DIMS(3, 2, 2), 0, 1);
    mg_dataset_free(load(MG_SPLIT_TRAIN)); /* it was only that */

    write_idx("set/t10k-images-idx3-ubyte", DIMS(1, 2, 2), 0, 1);
    write_idx("set/t10k-labels-idx1-ubyte", DIMS(1), 0, 1);
    scratch_write("set/train-labels-idx1-ubyte", "\0\0\10\1", 4);
    assert_not_loaded(MG_SPLIT_TEST, MG_ERR_FORMAT, "set/train-labels-idx1-ubyte: cut short");
}

static void load_names_what_is_missing(void **state)
{
    (void)state;
    fresh_set();
    assert_not_loaded(MG_SPLIT_TEST, MG_ERR_NOT_FOUND,
                      "set: none of t10k-images-idx3-ubyte, t10k-images.idx3-ubyte, "
                      "t10k-images-idx4-ubyte, t10k-images.idx4-ubyte, t10k-images-idx3-ubyte.gz, "
                      "t10k-images.idx3-ubyte.gz, t10k-images-idx4-ubyte.gz, "
                      "t10k-images.idx4-ubyte.gz is there" HINT);
    write_idx("set/train-images-idx3-ubyte", DIMS(3, 2, 2), 0, 1);
    assert_not_loaded(MG_SPLIT_TRAIN, MG_ERR_NOT_FOUND,
                      "set: none of train-labels-idx1-ubyte, train-labels.idx1-ubyte, "
                      "train-labels-idx1-ubyte.gz, train-labels.idx1-ubyte.gz is there" HINT);
    mg_dataset_free(NULL);
}

static void slice_is_a_view(void **state)
{
    (void)state;
    fresh_set();
    write_idx("set/train-images-idx4-ubyte", DIMS(5, 2, 3, 4), 0, 1);
    write_idx("set/train-labels-idx1-ubyte", DIMS(5), 0, 1);
    mg_dataset *set = load(MG_SPLIT_TRAIN);
    const mg_dataset view = mg_dataset_slice(set, 2, 3);
    assert_int_equal(view.count, 3);
    assert_int_equal(view.classes, 5);
    assert_int_equal(view.channels, 2);
    assert_ptr_equal(view.pixels, set->pixels + 2 * 24);
    assert_ptr_equal(view.labels, set->labels + 2);
    assert_int_equal(view.pixels[0], 48);
    assert_int_equal(view.labels[2], 4);
    assert_int_equal(mg_dataset_slice(&view, 1, 2).labels[0], 3);
    mg_dataset_free(set);
}

/* ---- finding ---- */

static void clear_environment(void)
{
    static const char *const names[] = {"MNIST_GPU_DATA", "XDG_CACHE_HOME", "HOME"};
    for (int i = 0; i < MG_COUNT_OF(names); i++) assert_int_equal(unsetenv(names[i]), 0);
}

static void set_environment(const char *name, const char *value)
{
    assert_int_equal(setenv(name, value, 1), 0);
}

static void assert_found(const char *dir, const char *expected)
{
    char *found = NULL;
    assert_ok(mg_dataset_find(&found, dir));
    assert_string_equal(found, expected);
    free(found);
}

static void assert_not_found(const char *dir, const char *message)
{
    char *found = NULL;
    assert_int_equal(mg_dataset_find(&found, dir), MG_ERR_NOT_FOUND);
    assert_null(found);
    assert_message(message);
    const char *hint = mg_last_error() + strlen(mg_last_error()) - strlen(HINT);
    assert_string_equal(hint, HINT);
}

static void make_set(const char *dir, const char *name)
{
    char path[512];
    assert_ok(mg__make_dirs(dir));
    snprintf(path, sizeof path, "%s/%s", dir, name);
    write_idx(path, DIMS(1, 1, 1), 0, 0);
}

/* The places are filled from the last to the first, and each time the new one is found. */
static void find_keeps_its_order(void **state)
{
    (void)state;
    char cache[512];
    clear_environment();
    assert_not_found(NULL, "in ./data/mnist, ./MNIST/raw, ./data/MNIST/raw;");
    snprintf(cache, sizeof cache, "%s/home", scratch_dir);
    set_environment("HOME", cache);
    assert_not_found(NULL, "./data/MNIST/raw, ");
    assert_message("/home/.cache/mnist_gpu/mnist;");

    snprintf(cache, sizeof cache, "%s/home/.cache/mnist_gpu/mnist", scratch_dir);
    make_set(cache, "t10k-images.idx3-ubyte.gz");
    assert_found(NULL, cache);
    set_environment("XDG_CACHE_HOME", "relative"); /* to be ignored */
    assert_found(NULL, cache);
    snprintf(cache, sizeof cache, "%s/xdg", scratch_dir);
    set_environment("XDG_CACHE_HOME", cache);
    assert_not_found(NULL, "/xdg/mnist_gpu/mnist;"); /* instead of the one in HOME */
    snprintf(cache, sizeof cache, "%s/xdg/mnist_gpu/mnist", scratch_dir);
    make_set(cache, "train-images-idx4-ubyte");
    assert_found(NULL, cache);

    make_set("./data/MNIST/raw", "train-images-idx3-ubyte");
    assert_found(NULL, "./data/MNIST/raw");
    make_set("./MNIST/raw", "train-images-idx3-ubyte");
    assert_found(NULL, "./MNIST/raw");
    make_set("./data/mnist", "t10k-images-idx3-ubyte.gz");
    assert_found(NULL, "./data/mnist");

    set_environment("MNIST_GPU_DATA", "");
    assert_found(NULL, "./data/mnist");
    set_environment("MNIST_GPU_DATA", "elsewhere"); /* alone, even if it holds nothing */
    assert_not_found(NULL, " in elsewhere;");
    make_set("elsewhere", "train-labels-idx1-ubyte"); /* labels alone are no set */
    assert_not_found(NULL, " in elsewhere;");
    make_set("elsewhere", "train-images-idx3-ubyte");
    assert_found(NULL, "elsewhere");

    assert_not_found("given", " in given;"); /* alone, too */
    make_set("given", "train-images-idx3-ubyte");
    assert_found("given", "given");
    clear_environment();
}

/* However long the paths are, the hint is there. */
static void find_keeps_its_hint(void **state)
{
    (void)state;
    char dir[3000];
    memset(dir, 'x', sizeof dir - 1);
    dir[sizeof dir - 1] = 0;
    assert_not_found(dir, "xxx;");
}

static void cache_dir_follows_the_environment(void **state)
{
    (void)state;
    char *dir = NULL;
    clear_environment();
    assert_int_equal(mg_dataset_cache_dir(&dir, "mnist"), MG_ERR_NOT_FOUND);
    assert_message("neither XDG_CACHE_HOME");
    assert_null(dir);
    set_environment("HOME", "/somewhere");
    assert_ok(mg_dataset_cache_dir(&dir, "mnist"));
    assert_string_equal(dir, "/somewhere/.cache/mnist_gpu/mnist");
    free(dir);
    set_environment("XDG_CACHE_HOME", "/cache");
    assert_ok(mg_dataset_cache_dir(&dir, "mnist"));
    assert_string_equal(dir, "/cache/mnist_gpu/mnist");
    free(dir);
    clear_environment();
}

/* ---- MNIST's checksums ---- */

static void mnist_check_refuses_other_content(void **state)
{
    (void)state;
    const uint64_t size = mg__known_sets[0].files[MG_TEST_LABELS].size;
    const size_t flood = 1 << 20;
    uint8_t *bytes = calloc(1, flood);
    assert_non_null(bytes);
    scratch_write("labels", bytes, size);
    assert_int_equal(mg__known_check(mg__known_sets, "labels", MG_TEST_LABELS), MG_ERR_MISMATCH);
    assert_message("labels: not MNIST's t10k-labels-idx1-ubyte: found SHA-256 ");
    assert_message(", expected ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2");
    scratch_write("labels", bytes, size - 1);
    assert_int_equal(mg__known_check(mg__known_sets, "labels", MG_TEST_LABELS), MG_ERR_MISMATCH);
    assert_message("found 10007 bytes, expected 10008");
    write_gzip("labels", bytes, flood); /* of which no more is unpacked than it takes to see it */
    assert_int_equal(mg__known_check(mg__known_sets, "labels", MG_TEST_LABELS), MG_ERR_MISMATCH);
    assert_message("found at least 16384 bytes, expected 10008");
    scratch_write("labels", "\x1f\x8b", 2);
    assert_int_equal(mg__known_check(mg__known_sets, "labels", MG_TEST_LABELS), MG_ERR_FORMAT);
    assert_int_equal(mg__known_check(mg__known_sets, "absent", MG_TEST_LABELS), MG_ERR_NOT_FOUND);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(load_takes_every_name),
        cmocka_unit_test(load_reads_channels),
        cmocka_unit_test(load_prefers_raw_then_the_usual_spelling),
        cmocka_unit_test(load_passes_over_directories),
        cmocka_unit_test(load_takes_256_classes),
        cmocka_unit_test(load_counts_the_training_classes_for_the_test_split_too),
        cmocka_unit_test(load_refuses_what_does_not_fit),
        cmocka_unit_test(load_names_what_is_missing),
        cmocka_unit_test(slice_is_a_view),
        cmocka_unit_test(find_keeps_its_order),
        cmocka_unit_test(find_keeps_its_hint),
        cmocka_unit_test(cache_dir_follows_the_environment),
        cmocka_unit_test(mnist_check_refuses_other_content),
    };
    return cmocka_run_group_tests_name("data", tests, scratch_enter, scratch_leave);
}
