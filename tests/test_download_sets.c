/* The sets that are published once, as .gz of known hashes: Fashion-MNIST and KMNIST. What is
 * served here, on 127.0.0.1, are small files made up in their place, with the hashes of those. */
#define _XOPEN_SOURCE 700 /* mkdtemp, nftw, setenv */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "data/download.h"
#include "data/sha256.h"
#include "http_server.h"
#include "idx_files.h"

enum { IMAGES = 20, SIDE = 4 };

static char served[300];
static http_server server;

/* ---- the mirror, and the sets as it has them ---- */

typedef struct made_set {
    mg_known_set set; /* as published but for sizes and hashes */
    char hashes[MG_SET_FILE_COUNT][MG_SHA256_HEX_SIZE];
} made_set;

static void path_of(char path[512], const char *dir, const mg_known_set *set, int file)
{
    snprintf(path, 512, "%s/%s.gz", dir, set->files[file].name);
}

static void make_files(made_set *made, const mg_known_set *published)
{
    made->set = *published;
    for (int file = 0; file < MG_SET_FILE_COUNT; file++) {
        char path[512];
        size_t size;
        mg_sha256 hash;
        path_of(path, served, published, file);
        if (file == MG_TRAIN_IMAGES || file == MG_TEST_IMAGES)
            write_idx(path, DIMS(IMAGES, SIDE, SIDE), file, 7);
        else
            write_idx(path, DIMS(IMAGES), 0, 1);
        char *bytes = scratch_read(path, &size);
        mg__sha256_init(&hash);
        mg__sha256_update(&hash, bytes, size);
        mg__sha256_final(&hash, made->hashes[file]);
        made->set.files[file].size = size;
        made->set.files[file].sha256 = made->hashes[file];
        free(bytes);
    }
}

static void fresh_dir(void)
{
    scratch_remove("dir");
    assert_int_equal(mkdir("dir", 0777), 0);
    http_forget(&server);
}

/* Downloads a file of the set from a mirror that behaves as it is called. */
static mg_status download(const made_set *made, int file, const char *how)
{
    char url[64];
    const char *const urls[] = {url};
    snprintf(url, sizeof url, "http://127.0.0.1:%d/%s/", server.port, how);
    return mg__download_file("dir", &made->set, (mg_set_file)file,
                             &(mg_mirrors){urls, 1, NULL, NULL});
}

static const mg_known_set *published(const char *name)
{
    const mg_known_set *set = mg__known_sets;
    while (set->name && strcmp(set->name, name) != 0) set++;
    assert_non_null(set->name);
    return set;
}

/* ---- tests; each of a set's name ---- */

static void all_four_arrive(void **state)
{
    made_set made;
    make_files(&made, published(*state));
    fresh_dir();
    for (int round = 0; round < 2; round++)
        for (int file = 0; file < MG_SET_FILE_COUNT; file++) {
            char path[512], original[512], request[128];
            assert_ok(download(&made, file, "good"));
            assert_int_equal(http_count(&server), round ? 4 : file + 1); /* each once */
            snprintf(request, sizeof request, "good/%s.gz", made.set.files[file].name);
            assert_string_equal(server.log[file].path, request);
            path_of(path, "dir", &made.set, file);
            path_of(original, served, &made.set, file);
            assert_same_file(path, original);
        }
    mg_dataset *set = NULL;
    assert_ok(mg_dataset_load(&set, "dir", MG_SPLIT_TEST));
    assert_int_equal(set->count, IMAGES);
    assert_int_equal(set->pixels[1], MG_TEST_IMAGES + 7);
    mg_dataset_free(set);
}

static void a_part_is_completed(void **state)
{
    made_set made;
    char path[512], part[520], original[512];
    size_t size;
    make_files(&made, published(*state));
    fresh_dir();
    assert_int_equal(download(&made, MG_TRAIN_IMAGES, "cut"), MG_ERR_NETWORK);
    path_of(path, "dir", &made.set, MG_TRAIN_IMAGES);
    snprintf(part, sizeof part, "%s.part", path);
    free(scratch_read(part, &size));
    assert_ok(download(&made, MG_TRAIN_IMAGES, "good"));
    assert_int_equal(server.log[1].from, size);
    path_of(original, served, &made.set, MG_TRAIN_IMAGES);
    assert_same_file(path, original);
    assert_false(scratch_exists(part));
}

static void other_files_are_refused(void **state)
{
    made_set made;
    char expected[256], path[512];
    make_files(&made, published(*state));
    const char *name = made.set.files[MG_TEST_LABELS].name;
    fresh_dir();
    snprintf(expected, sizeof expected, "not %s's %s.gz: found SHA-256", made.set.title, name);
    assert_int_equal(download(&made, MG_TEST_LABELS, "corrupt"), MG_ERR_NETWORK);
    assert_message(expected);
    snprintf(expected, sizeof expected, "not %s's %s.gz: found 30 bytes, expected %zu",
             made.set.title, name, (size_t)made.set.files[MG_TEST_LABELS].size);
    assert_int_equal(download(&made, MG_TEST_LABELS, "html"), MG_ERR_NETWORK);
    assert_message(expected);
    assert_int_equal(rmdir("dir"), 0); /* it is empty */

    fresh_dir(); /* the same content, not packed: it may be anybody's, and is left alone */
    snprintf(path, sizeof path, "dir/%s", name);
    write_idx(path, DIMS(IMAGES), 0, 1);
    assert_int_equal(download(&made, MG_TEST_LABELS, "good"), MG_ERR_MISMATCH);
    assert_message("move it away, or download into another directory");
    assert_int_equal(http_count(&server), 0);
    assert_true(scratch_exists(path));
}

/* By its name, as `data download --set` does: a mirror with other files is passed over for the
 * set's own, which a proxy keeps from being reached here. */
static void by_name(void **state)
{
    made_set made;
    char mirror[64], expected[256];
    const mg_known_set *set = published(*state);
    make_files(&made, set);
    fresh_dir();
    snprintf(mirror, sizeof mirror, "http://127.0.0.1:%d/good", server.port);
    assert_int_equal(mg_dataset_download("dir", set->name, mirror, NULL, NULL), MG_ERR_NETWORK);
    assert_int_equal(http_count(&server), 1);
    assert_string_equal(server.log[0].path, "good/train-images-idx3-ubyte.gz");
    snprintf(expected, sizeof expected,
             "not %s's train-images-idx3-ubyte.gz: found %zu bytes, expected %zu", set->title,
             (size_t)made.set.files[MG_TRAIN_IMAGES].size,
             (size_t)set->files[MG_TRAIN_IMAGES].size);
    assert_message(expected);
    for (int i = 0; i < MG_COUNT_OF(set->mirrors) && set->mirrors[i]; i++)
        assert_message(set->mirrors[i]);
    assert_int_equal(rmdir("dir"), 0);
}

/* ---- */

static int start(void **state)
{
    http_server closed;
    char proxy[64];
    if (scratch_enter(state)) return -1;
    snprintf(served, sizeof served, "%s/served", scratch_dir);
    if (mkdir(served, 0777) || !http_start(&closed, served)) return -1;

    http_stop(&closed);
    if (!http_start(&server, served)) return -1;
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", closed.port);
    setenv("http_proxy", proxy, 1);
    setenv("https_proxy", proxy, 1);
    setenv("no_proxy", "127.0.0.1", 1);
    return 0;
}

static int stop(void **state)
{
    http_stop(&server);
    return scratch_leave(state);
}

int main(void)
{
    static char fashion[] = "fashion", kmnist[] = "kmnist";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(all_four_arrive, fashion),
        cmocka_unit_test_prestate(all_four_arrive, kmnist),
        cmocka_unit_test_prestate(a_part_is_completed, fashion),
        cmocka_unit_test_prestate(a_part_is_completed, kmnist),
        cmocka_unit_test_prestate(other_files_are_refused, fashion),
        cmocka_unit_test_prestate(other_files_are_refused, kmnist),
        cmocka_unit_test_prestate(by_name, fashion),
        cmocka_unit_test_prestate(by_name, kmnist),
    };
#ifndef MG_HAVE_CURL
    printf("skipped: built without libcurl\n");
    return 77;
#endif
    return cmocka_run_group_tests_name("download_sets", tests, start, stop);
}
