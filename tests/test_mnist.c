/* MNIST itself: its checksums, its content, and its download over every kind of bad connection.
 * Needs a copy of MNIST in $MNIST_GPU_DATA, and no network: the mirrors are on 127.0.0.1. */
#define _XOPEN_SOURCE 700 /* mkdtemp, nftw, setenv, realpath */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "data/download.h"
#include "http_server.h"
#include "idx_files.h"
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define LABELS "t10k-labels-idx1-ubyte.gz" /* the small file on which most cases are tried */

static char *mnist;      /* $MNIST_GPU_DATA, absolute */
static char served[300]; /* links to its files, each under the name that a mirror has */
static http_server server;
static bool can_download; /* built with libcurl */

/* ---- the mirror and the directory that is filled ---- */

static void link_file(const char *dir, mg_set_file file)
{
    char path[512], *from = NULL;
    assert_ok(mg__set_locate(&from, mnist, file));
    snprintf(path, sizeof path, "%s/%s.gz", dir, mg__known_sets[0].files[file].name);
    assert_int_equal(symlink(from, path), 0);
    free(from);
}

static void fresh_dir(void)
{
    scratch_remove("dir");
    assert_int_equal(mkdir("dir", 0777), 0);
    http_forget(&server);
}

enum { MAX_MIRRORS = 3 };

/* Downloads the test labels into "dir" from mirrors that behave as they are called, tried in turn.
 */
static mg_status download(const char *const *mirrors, int count)
{
    char urls[MAX_MIRRORS][64];
    const char *bases[MAX_MIRRORS];
    for (int i = 0; i < count; i++) {
        snprintf(urls[i], sizeof urls[i], "http://127.0.0.1:%d/%s/", server.port, mirrors[i]);
        bases[i] = urls[i];
    }
    return mg__download_file("dir", mg__known_sets, MG_TEST_LABELS, &(mg_mirrors){bases, count, NULL, NULL});
}
#define DOWNLOAD(...)                                                                              \
    download((const char *const[]){__VA_ARGS__}, MG_COUNT_OF(((const char *[]){__VA_ARGS__})))

static void assert_request(int i, const char *path, long from)
{
    assert_true(i < http_count(&server));
    assert_string_equal(server.log[i].path, path);
    assert_int_equal(server.log[i].from, from);
}

static void assert_labels_there(void)
{
    char original[512];
    snprintf(original, sizeof original, "%s/" LABELS, served);
    assert_same_file("dir/" LABELS, original);
    assert_false(scratch_exists("dir/" LABELS ".part"));
}

static void assert_no_labels(void)
{
    assert_false(scratch_exists("dir/" LABELS));
    assert_false(scratch_exists("dir/" LABELS ".part"));
}

/* The labels' packed bytes, malloc'd. */
static char *served_labels(size_t *size)
{
    char path[512];
    snprintf(path, sizeof path, "%s/" LABELS, served);
    return scratch_read(path, size);
}

static void write_part(size_t size)
{
    size_t whole;
    char *bytes = served_labels(&whole);
    assert_true(size <= whole);
    scratch_write("dir/" LABELS ".part", bytes, size);
    free(bytes);
}

static void need_libcurl(void)
{
    if (can_download) return;
    print_message("skipped: built without libcurl\n");
    skip();
}

/* ---- MNIST ---- */

static void checksums_are_those_of_mnist(void **state)
{
    (void)state;
    for (int file = 0; file < MG_SET_FILE_COUNT; file++) {
        char *path = NULL;
        assert_ok(mg__set_locate(&path, mnist, (mg_set_file)file));
        assert_ok(mg__known_check(mg__known_sets, path, (mg_set_file)file));
        const int other = (file + 1) % MG_SET_FILE_COUNT;
        assert_int_equal(mg__known_check(mg__known_sets, path, (mg_set_file)other), MG_ERR_MISMATCH);
        free(path);
    }
}

/* Facts about MNIST that are known from elsewhere: its sizes, its first labels, the number of each
 * digit, and the mean that everybody normalises with (0.1307). */
static void content_is_that_of_mnist(void **state)
{
    (void)state;
    static const uint32_t digits[2][10] = {
        {5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949},
        {980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009}};
    static const uint8_t first[2][5] = {{5, 0, 4, 1, 9}, {7, 2, 1, 0, 4}};
    for (int split = 0; split < 2; split++) {
        mg_dataset *set = NULL;
        uint32_t count[10] = {0};
        uint64_t sum = 0;
        assert_ok(mg_dataset_load(&set, mnist, split ? MG_SPLIT_TEST : MG_SPLIT_TRAIN));
        assert_int_equal(set->count, split ? 10000 : 60000);
        assert_int_equal(set->channels, 1);
        assert_int_equal(set->height, 28);
        assert_int_equal(set->width, 28);
        assert_int_equal(set->classes, 10);
        assert_memory_equal(set->labels, first[split], 5);
        for (uint32_t i = 0; i < set->count; i++) count[set->labels[i]]++;
        assert_memory_equal(count, digits[split], sizeof count);
        for (size_t i = 0; i < (size_t)set->count * 784; i++) sum += set->pixels[i];
        if (!split) assert_int_equal(1e4 * (double)sum / 255 / 784 / 60000 + 0.5, 1307);
        mg_dataset_free(set);
    }
}

/* ---- download ---- */

typedef struct seen {
    int calls, files;
    const char *file;
    uint64_t done, total;
} seen;

static void on_progress(void *user, const char *file, uint64_t done, uint64_t total)
{
    seen *s = user;
    s->calls++;
    s->files += s->file != file;
    s->file = file;
    assert_true(total == 0 || done <= total);
    s->done = done;
    s->total = total;
}

static void download_fetches_all_and_keeps_it(void **state)
{
    (void)state;
    need_libcurl();
    char mirror[64];
    seen s = {0};
    scratch_remove("dir");
    http_forget(&server);
    snprintf(mirror, sizeof mirror, "http://127.0.0.1:%d/good", server.port); /* no slash */
    assert_ok(mg_dataset_download("dir/made/anew", "mnist", mirror, on_progress, &s));
    assert_int_equal(http_count(&server), 4);
    assert_true(s.calls >= 4);
    size_t size;
    free(served_labels(&size));
    assert_int_equal(s.done, size);
    assert_int_equal(s.total, size);
    for (int file = 0; file < MG_SET_FILE_COUNT; file++) {
        char there[512], original[512];
        const char *name = mg__known_sets[0].files[file].name;
        snprintf(there, sizeof there, "dir/made/anew/%s.gz", name);
        snprintf(original, sizeof original, "%s/%s.gz", served, name);
        assert_same_file(there, original);
    }
    s.calls = 0;
    assert_ok(mg_dataset_download("dir/made/anew", "mnist", mirror, on_progress, &s));
    assert_int_equal(http_count(&server), 4); /* no request more */
    assert_int_equal(s.calls, 0);
}

static void download_resumes(void **state)
{
    (void)state;
    need_libcurl();
    size_t size;
    free(served_labels(&size));
    fresh_dir();
    write_part(1000);
    assert_ok(DOWNLOAD("good"));
    assert_int_equal(http_count(&server), 1);
    assert_request(0, "good/" LABELS, 1000);
    assert_labels_there();

    fresh_dir();
    write_part(size); /* whole: killed before the rename */
    assert_ok(DOWNLOAD("good"));
    assert_int_equal(http_count(&server), 1);
    assert_request(0, "good/" LABELS, (long)size);
    assert_labels_there();

    fresh_dir();
    write_part(1000);
    assert_ok(DOWNLOAD("norange"));
    assert_int_equal(http_count(&server), 1);
    assert_request(0, "norange/" LABELS, 1000);
    assert_labels_there();
}

static void download_starts_anew_after_a_wrong_part(void **state)
{
    (void)state;
    need_libcurl();
    static const struct {
        const char *what;
        size_t size;
    } parts[] = {{"short", 1000}, {"longer than the file", 9000}, {"beyond the limit", 20000}};
    char *junk = calloc(1, 20000);
    assert_non_null(junk);
    for (int i = 0; i < MG_COUNT_OF(parts); i++) {
        fresh_dir();
        scratch_write("dir/" LABELS ".part", junk, parts[i].size);
        const mg_status st = DOWNLOAD("good");
        if (st != MG_OK) fail_msg("%s: %s", parts[i].what, mg_last_error());
        assert_int_equal(http_count(&server), 2);
        assert_request(0, "good/" LABELS, (long)parts[i].size);
        assert_request(1, "good/" LABELS, -1);
        assert_labels_there();
    }
    free(junk);
}

static void download_goes_on_where_another_mirror_stopped(void **state)
{
    (void)state;
    need_libcurl();
    size_t size, part;
    free(served_labels(&size));
    fresh_dir();
    assert_int_equal(DOWNLOAD("cut"), MG_ERR_NETWORK);
    assert_message("/cut/" LABELS ": ");
    assert_false(scratch_exists("dir/" LABELS));
    free(scratch_read("dir/" LABELS ".part", &part));
    assert_int_equal(part, size / 2);

    fresh_dir();
    assert_ok(DOWNLOAD("cut", "good"));
    assert_int_equal(http_count(&server), 2);
    assert_request(1, "good/" LABELS, (long)(size / 2));
    assert_labels_there();
}

/* Each bad mirror alone leaves nothing behind; with a good one after it, all is well. */
static void download_passes_over_bad_mirrors(void **state)
{
    (void)state;
    need_libcurl();
    static const struct {
        const char *mirror, *message;
    } bad[] = {
        {"corrupt", "/corrupt/" LABELS ": dir/" LABELS ".part: "},
        {"html", ".part: not MNIST's t10k-labels-idx1-ubyte: found 30 bytes, expected 10008"},
        {"endless", "/endless/" LABELS ": found more than the 10008 bytes expected at most"},
        {"absent", "/absent/" LABELS ": The requested URL returned error: 404"}};
    for (int i = 0; i < MG_COUNT_OF(bad); i++) {
        fresh_dir();
        assert_int_equal(DOWNLOAD(bad[i].mirror), MG_ERR_NETWORK);
        assert_message(LABELS ": no mirror has it: http://127.0.0.1:");
        assert_message(bad[i].message);
        assert_int_equal(http_count(&server), 1);
        assert_no_labels();

        fresh_dir();
        assert_ok(DOWNLOAD(bad[i].mirror, "good"));
        assert_int_equal(http_count(&server), 2);
        assert_request(1, "good/" LABELS, -1);
        assert_labels_there();

        fresh_dir();
        write_part(1000); /* a bad end to a good beginning */
        assert_ok(DOWNLOAD(bad[i].mirror, "good"));
        assert_labels_there();
    }
    fresh_dir();
    assert_int_equal(DOWNLOAD("absent", "html", "corrupt"), MG_ERR_NETWORK);
    assert_message("/absent/" LABELS ": The requested URL returned error: 404; http://");
    assert_message("/html/" LABELS ": ");
    assert_message("/corrupt/" LABELS ": ");
}

static void download_says_why_nobody_answers(void **state)
{
    (void)state;
    need_libcurl();
    http_server closed;
    char url[64];
    const mg_mirrors mirrors = {(const char *const[]){url}, 1, NULL, NULL};
    assert_true(http_start(&closed, served));
    http_stop(&closed); /* now a port where nobody listens */
    snprintf(url, sizeof url, "http://127.0.0.1:%d/good/", closed.port);
    fresh_dir();
    assert_int_equal(mg__download_file("dir", mg__known_sets, MG_TEST_LABELS, &mirrors), MG_ERR_NETWORK);
    assert_message(url);
    assert_message(": Failed to connect to 127.0.0.1");
    assert_no_labels();
}

static void download_replaces_a_damaged_file(void **state)
{
    (void)state;
    need_libcurl();
    size_t size;
    char *bytes = served_labels(&size);
    fresh_dir();
    scratch_write("dir/" LABELS, bytes, size / 2);
    assert_int_equal(DOWNLOAD("absent"), MG_ERR_NETWORK);
    assert_true(scratch_exists("dir/" LABELS)); /* until there is a better one */
    assert_ok(DOWNLOAD("good"));
    assert_labels_there();
    free(bytes);
}

/* Other sets use the same names. Theirs are left alone, and so is what would be read before ours.
 */
static void download_leaves_other_sets_alone(void **state)
{
    (void)state;
    static const char *const names[] = {"dir/" LABELS, "dir/t10k-labels.idx1-ubyte"};
    for (int i = 0; i < MG_COUNT_OF(names); i++) {
        size_t size;
        fresh_dir();
        write_idx(names[i], DIMS(5), 0, 1);
        char *before = scratch_read(names[i], &size);
        assert_int_equal(DOWNLOAD("good"), MG_ERR_MISMATCH);
        assert_message(names[i]);
        assert_message("found 13 bytes, expected 10008; move it away");
        assert_int_equal(http_count(&server), 0);
        size_t size_after;
        char *after = scratch_read(names[i], &size_after);
        assert_int_equal(size_after, size);
        assert_memory_equal(after, before, size);
        free(before);
        free(after);
    }
}

static void download_leaves_damaged_files_of_other_names_alone(void **state)
{
    (void)state;
    fresh_dir();
    scratch_write("dir/t10k-labels-idx1-ubyte", "half", 4); /* raw: it would be read before ours */
    assert_int_equal(DOWNLOAD("good"), MG_ERR_MISMATCH);
    assert_message("dir/t10k-labels-idx1-ubyte: not MNIST's t10k-labels-idx1-ubyte: found 4 bytes");
    assert_true(scratch_exists("dir/t10k-labels-idx1-ubyte"));
    assert_no_labels();
}

static void download_keeps_right_files_of_any_name(void **state)
{
    (void)state;
    char *path = NULL;
    fresh_dir();
    assert_ok(mg__set_locate(&path, mnist, MG_TEST_LABELS));
    scratch_copy(path, "dir/t10k-labels.idx1-ubyte"); /* raw or not */
    free(path);
    assert_ok(DOWNLOAD("absent"));
    assert_int_equal(http_count(&server), 0);
}

static void download_reports_what_cannot_be_written(void **state)
{
    (void)state;
    scratch_write("file", "", 0);
    assert_int_equal(mg_dataset_download("file/dir", "mnist", NULL, NULL, NULL), MG_ERR_IO);
    assert_message("file");
    assert_message("Not a directory");

    need_libcurl();
    struct rlimit before, small;
    fresh_dir();
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 2000; /* a disk that is full after so many bytes */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    const mg_status st = DOWNLOAD("good", "good");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(st, MG_ERR_IO);
    assert_message("dir/" LABELS ".part: cannot write: File too large");
    assert_int_equal(http_count(&server), 1); /* no other mirror would help */
    assert_false(scratch_exists("dir/" LABELS));
}

/* Two processes at once: the second waits and finds everything there. */
static void download_is_done_once_by_two(void **state)
{
    (void)state;
    need_libcurl();
    pid_t child[2];
    char mirror[64];
    fresh_dir();
    snprintf(mirror, sizeof mirror, "http://127.0.0.1:%d/good", server.port);
    for (int i = 0; i < 2; i++) {
        child[i] = fork();
        assert_true(child[i] >= 0);
        if (child[i] == 0) _exit(mg_dataset_download("dir", "mnist", mirror, NULL, NULL) == MG_OK ? 0 : 1);
    }
    for (int i = 0; i < 2; i++) {
        int status = -1;
        assert_int_equal(waitpid(child[i], &status, 0), child[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(http_count(&server), 4);
    assert_labels_there();
}

static void download_needs_libcurl(void **state)
{
    (void)state;
    if (can_download) skip();
    fresh_dir();
    assert_int_equal(DOWNLOAD("good"), MG_ERR_UNSUPPORTED);
    assert_message("install libcurl4-openssl-dev");
    assert_no_labels();
}

/* ---- */

static int start(void **state)
{
    if (scratch_enter(state)) return -1;
    snprintf(served, sizeof served, "%s/served", scratch_dir);
    if (mkdir(served, 0777) || !http_start(&server, served)) return -1;
    for (int file = 0; file < MG_SET_FILE_COUNT; file++) link_file(served, (mg_set_file)file);
    setenv("no_proxy", "*", 1);
    fresh_dir();
    can_download = DOWNLOAD("absent") != MG_ERR_UNSUPPORTED;
    return 0;
}

static int stop(void **state)
{
    http_stop(&server);
    return scratch_leave(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksums_are_those_of_mnist),
        cmocka_unit_test(content_is_that_of_mnist),
        cmocka_unit_test(download_fetches_all_and_keeps_it),
        cmocka_unit_test(download_resumes),
        cmocka_unit_test(download_starts_anew_after_a_wrong_part),
        cmocka_unit_test(download_goes_on_where_another_mirror_stopped),
        cmocka_unit_test(download_passes_over_bad_mirrors),
        cmocka_unit_test(download_says_why_nobody_answers),
        cmocka_unit_test(download_replaces_a_damaged_file),
        cmocka_unit_test(download_leaves_other_sets_alone),
        cmocka_unit_test(download_leaves_damaged_files_of_other_names_alone),
        cmocka_unit_test(download_keeps_right_files_of_any_name),
        cmocka_unit_test(download_reports_what_cannot_be_written),
        cmocka_unit_test(download_is_done_once_by_two),
        cmocka_unit_test(download_needs_libcurl),
    };
    const char *dir = getenv("MNIST_GPU_DATA");
    mnist = dir && *dir ? realpath(dir, NULL) : NULL;
    if (!mnist) {
        printf("skipped: MNIST_GPU_DATA names no directory with MNIST\n");
        return 77;
    }
    const int failed = cmocka_run_group_tests_name("mnist", tests, start, stop);
    free(mnist);
    return failed;
}
