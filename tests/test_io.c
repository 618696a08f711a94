/* Files and weights: round trips, hostile input, failing writes. */
#define _XOPEN_SOURCE 700 /* mkdtemp, nftw, setrlimit */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "io/file.h"
#include "io/safetensors.h"
#include "mnist_gpu/weights.h"
#include "model/spec.h"
#include "scratch.h"
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>

#define MODEL                                                                                      \
    "input 1x5x4 mean=0.1307 std=0.3081\n"                                                         \
    "conv out=3 kernel=3 pad=same\n"                                                               \
    "relu\n"                                                                                       \
    "dense out=4\n"                                                                                \
    "softmax_xent\n"

static mg_model *parse(const char *text)
{
    mg_model *model = NULL;
    if (mg_model_parse(&model, text, "tiny") != MG_OK) fail_msg("%s", mg_last_error());
    return model;
}

/* Distinct values in the tensors, 0 in the padding. */
static float *numbered_params(const mg_model *model)
{
    float *params = calloc(model->arena_length, sizeof *params);
    assert_non_null(params);
    for (int i = 0; i < mg__model_tensor_count(model); i++) {
        const mg_tensor *t = mg__model_tensor(model, i);
        for (size_t j = 0; j < t->count; j++)
            params[t->offset + j] = (float)(100 * i) + (float)j / 7;
    }
    return params;
}

static int entries_here(void)
{
    int count = 0;
    DIR *dir = opendir(".");
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

/* ---- file.h ---- */

static void file_read_keeps_to_its_limit(void **state)
{
    (void)state;
    uint8_t *bytes = NULL;
    size_t size;
    scratch_write("five", "a\0b\nc", 5);
    assert_int_equal(mg__file_read(&bytes, &size, "five", 5), MG_OK);
    assert_int_equal(size, 5);
    assert_memory_equal(bytes, "a\0b\nc", 6); /* and the NUL */
    free(bytes);
    assert_int_equal(mg__file_read(&bytes, &size, "five", SIZE_MAX), MG_OK);
    free(bytes);
    assert_int_equal(mg__file_read(&bytes, &size, "five", 4), MG_ERR_FORMAT);
    assert_message("five: more than the 4 bytes allowed");
    assert_int_equal(mg__file_read(&bytes, &size, "none", 5), MG_ERR_NOT_FOUND);
    assert_message("none: cannot open: No such file");
    assert_int_equal(mg__file_read(&bytes, &size, ".", 5), MG_ERR_IO);
    assert_message("Is a directory");
    assert_int_equal(mg__file_read(&bytes, &size, "five/x", 5), MG_ERR_NOT_FOUND);
    /* A size that fstat does not tell, larger than the first guess. */
    assert_int_equal(mg__file_read(&bytes, &size, "/dev/zero", 200000), MG_ERR_FORMAT);
    remove("five");
}

static void file_replace_is_whole(void **state)
{
    (void)state;
    size_t size;
    const mg_slice slices[] = {{"one ", 4}, {NULL, 0}, {"two", 3}};
    scratch_write("target", "old and longer", 14);
    char *stale = mg__format("target.tmp.%ld", (long)getpid());
    scratch_write(stale, "left by a kill", 14);
    assert_int_equal(mg__file_replace("target", slices, 3), MG_OK);
    char *bytes = scratch_read("target", &size);
    assert_string_equal(bytes, "one two");
    free(bytes);
    assert_false(scratch_exists(stale));
    free(stale);

    assert_int_equal(mg__file_replace("no/such/target", slices, 3), MG_ERR_IO);
    assert_message("no/such/target: cannot open its directory: No such file");
    assert_int_equal(mkdir("taken", 0777), 0);
    assert_int_equal(mg__file_replace("taken", slices, 3), MG_ERR_IO);
    assert_message("taken: cannot rename");
    assert_int_equal(entries_here(), 2); /* target, taken: no temporary file */
    remove("target");
    rmdir("taken");
}

/* Runs `replace` with files limited to 100 bytes. */
static mg_status with_full_disk(mg_status (*replace)(void *), void *user)
{
    struct rlimit old, small;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 100;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    const mg_status st = replace(user);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, handler);
    return st;
}

static mg_status replace_with_500(void *user)
{
    static const char bytes[500];
    return mg__file_replace(user, &(mg_slice){bytes, sizeof bytes}, 1);
}

static void failed_write_keeps_the_old_file(void **state)
{
    (void)state;
    size_t size;
    char name[] = "target";
    scratch_write(name, "old", 3);
    assert_int_equal(with_full_disk(replace_with_500, name), MG_ERR_IO);
    assert_message("target: cannot write: File too large");
    char *bytes = scratch_read(name, &size);
    assert_string_equal(bytes, "old");
    free(bytes);
    assert_int_equal(entries_here(), 1);
    remove(name);
}

static mg_status append_500(void *user)
{
    static const char bytes[500];
    return mg__file_append(user, bytes, sizeof bytes);
}

static void file_append_is_all_or_nothing(void **state)
{
    (void)state;
    size_t size;
    assert_int_equal(mg__file_append("grown", "one\n", 4), MG_OK);
    assert_int_equal(mg__file_append("grown", "two\n", 4), MG_OK);
    assert_int_equal(with_full_disk(append_500, (char[]){"grown"}), MG_ERR_IO);
    assert_message("grown: cannot write: File too large");
    char *bytes = scratch_read("grown", &size);
    assert_string_equal(bytes, "one\ntwo\n");
    free(bytes);
    assert_int_equal(mg__file_append("no/such/file", "", 0), MG_ERR_IO);
    assert_message("no/such/file: cannot open");
    remove("grown");
}

static void file_extend_grows_or_replaces(void **state)
{
    (void)state;
    static const struct {
        const char *before, *after;
        bool grows;
    } cases[] = {{"", "ab", true},   {"a", "ab", true},    {"ab", "ab", true},
                 {"b", "ab", false}, {"abc", "ab", false}, {"a\n", "a", false}};
    struct stat before, after;
    for (int i = 0; i < MG_COUNT_OF(cases); i++) {
        scratch_write("grown", cases[i].before, strlen(cases[i].before));
        assert_int_equal(stat("grown", &before), 0);
        assert_int_equal(mg__file_extend("grown", cases[i].after, strlen(cases[i].after)), MG_OK);
        assert_int_equal(stat("grown", &after), 0);
        scratch_write("expected", cases[i].after, strlen(cases[i].after));
        assert_same_file("grown", "expected");
        assert_int_equal(before.st_ino == after.st_ino, cases[i].grows);
    }
    remove("grown");
    remove("expected");
    assert_int_equal(mg__file_extend("fresh", "ab", 2), MG_OK);
    assert_true(scratch_exists("fresh"));
    remove("fresh");
    assert_int_equal(mg__file_extend("/", "ab", 2), MG_ERR_IO);
}

static void make_dirs_makes_parents(void **state)
{
    (void)state;
    assert_int_equal(mg__make_dirs("a/b//c/"), MG_OK);
    assert_true(scratch_exists("a/b/c"));
    assert_int_equal(mg__make_dirs("a/b"), MG_OK);
    scratch_write("a/file", "", 0);
    assert_int_equal(mg__make_dirs("a/file/d"), MG_ERR_IO);
    assert_message("a/file: cannot create directory: Not a directory");
    scratch_remove("a");
}

static void shown_text_is_tame(void **state)
{
    (void)state;
    char shown[MG_SHOWN_SIZE], longest[300];
    assert_string_equal(mg__shown(shown, "a\x1b[31m\n\xc3\xa9z"), "a?[31m???z");
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    assert_int_equal(strlen(mg__shown(shown, longest)), MG_SHOWN_SIZE - 1);
    assert_string_equal(shown + MG_SHOWN_SIZE - 5, "x...");
}

/* ---- weights ---- */

static void weights_round_trip(void **state)
{
    (void)state;
    const char *const extra[] = {"note", "by hand"};
    mg_model *model = parse(MODEL), *own = NULL;
    float *params = numbered_params(model), *given = NULL, *found = NULL;
    assert_int_equal(mg_weights_save("w", model, params, extra, 1), MG_OK);
    assert_int_equal(mg_weights_load(NULL, &given, "w", model), MG_OK);
    assert_memory_equal(given, params, model->arena_length * sizeof *params);
    assert_int_equal(mg_weights_load(&own, &found, "w", NULL), MG_OK);
    assert_string_equal(mg_model_text(own), mg_model_text(model));
    assert_string_equal(mg_model_name(own), "tiny");
    assert_memory_equal(found, params, model->arena_length * sizeof *params);

    mg_safetensors *file = NULL;
    assert_int_equal(mg__safetensors_read(&file, "w"), MG_OK);
    assert_string_equal(mg__safetensors_metadata(file, "format"), "pt");
    assert_string_equal(mg__safetensors_metadata(file, "note"), "by hand");
    const mg_st_tensor *conv = mg__safetensors_find(file, "conv1.weight");
    assert_non_null(conv);
    assert_int_equal(conv->rank, 4);
    mg__safetensors_free(file);

    free(params);
    free(given);
    free(found);
    mg_model_free(own);
    mg_model_free(model);
    remove("w");
}

/* Saves the weights of `text` and reads them for MODEL. */
static void expect_mismatch(const char *text, const char *message)
{
    mg_model *model = parse(MODEL), *other = parse(text);
    float *params = numbered_params(other), *found = NULL;
    assert_int_equal(mg_weights_save("w", other, params, NULL, 0), MG_OK);
    assert_int_equal(mg_weights_load(NULL, &found, "w", model), MG_ERR_MISMATCH);
    assert_message(message);
    assert_null(found);
    free(params);
    mg_model_free(other);
    mg_model_free(model);
    remove("w");
}

static void weights_of_another_model(void **state)
{
    (void)state;
    expect_mismatch("input 1x5x4\nconv out=3 kernel=1\nrelu\ndense out=4\nsoftmax_xent\n",
                    "w: tensor \"conv1.weight\": shape [3, 1, 1, 1], expected [3, 1, 3, 3]");
    expect_mismatch("input 1x5x4\ndense out=4\nsoftmax_xent\n",
                    "w: no tensor \"conv1.weight\" of shape [3, 1, 3, 3]; the file has 2 tensors, "
                    "the first is \"dense1.weight\"");
    expect_mismatch("input 1x5x4\nconv out=3 kernel=3 pad=same\nrelu\ndense out=4\n"
                    "dense out=4\nsoftmax_xent\n",
                    "w: tensor \"dense2.weight\" does not belong to the model tiny");
}

/* PyTorch counts the batches that a batchnorm layer has seen, and only there. */
static void pytorch_counts_batches(void **state)
{
    (void)state;
    mg_model *model = parse("input 2x1x1\nbatchnorm\ndense out=2\nsoftmax_xent\n");
    float *params = numbered_params(model), *found = NULL;
    const int64_t batches = 7;
    mg_st_tensor tensors[7] = {{.name = "batchnorm1.num_batches_tracked",
                                .dtype = "I64",
                                .data = &batches,
                                .size = sizeof batches}};
    for (int i = 0; i < 6; i++) {
        const mg_tensor *t = mg__model_tensor(model, i);
        tensors[i + 1] = (mg_st_tensor){.name = t->name,
                                        .dtype = "F32",
                                        .rank = t->rank,
                                        .dim = {(uint64_t)t->dim[0], (uint64_t)t->dim[1]},
                                        .data = params + t->offset,
                                        .size = t->count * sizeof *params};
    }
    assert_int_equal(mg__safetensors_write("w", tensors, 7, NULL, 0), MG_OK);
    if (mg_weights_load(NULL, &found, "w", model)) fail_msg("%s", mg_last_error());
    assert_memory_equal(found, params, model->arena_length * sizeof *params);
    free(found);
    found = NULL;
    tensors[0].name = "dense1.num_batches_tracked";
    assert_int_equal(mg__safetensors_write("w", tensors, 7, NULL, 0), MG_OK);
    assert_int_equal(mg_weights_load(NULL, &found, "w", model), MG_ERR_MISMATCH);
    assert_message("w: tensor \"dense1.num_batches_tracked\" does not belong to the model tiny");
    assert_null(found);
    free(params);
    mg_model_free(model);
    remove("w");
}

/* A file as safetensors.torch.save_file writes it, and files that come close: the right tensors
 * with one thing changed. */
static void foreign_weights(void **state)
{
    (void)state;
    mg_model *model = parse("input 1x1x2\ndense out=2\nsoftmax_xent\n"), *own = NULL;
    float values[6] = {1, 2, 3, 4, 5, 6}, *found = NULL;
    mg_st_tensor tensors[] = {
        {.name = "dense1.bias", .dtype = "F32", .rank = 1, .dim = {2}, .data = values, .size = 8},
        {.name = "dense1.weight",
         .dtype = "F32",
         .rank = 2,
         .dim = {2, 2},
         .data = values + 2,
         .size = 16},
    };
    const char *const pt[] = {"format", "pt"};
    for (int pairs = 0; pairs <= 1; pairs++) {
        assert_int_equal(mg__safetensors_write("w", tensors, 2, pt, pairs), MG_OK);
        assert_int_equal(mg_weights_load(NULL, &found, "w", model), MG_OK);
        assert_memory_equal(found + mg__model_tensor(model, 0)->offset, values + 2, 16);
        assert_memory_equal(found + mg__model_tensor(model, 1)->offset, values, 8);
        free(found);
        found = NULL;
        assert_int_equal(mg_weights_load(&own, &found, "w", NULL), MG_ERR_MISMATCH);
        assert_message("w: no model text in its metadata");
    }
    values[4] = NAN;
    assert_int_equal(mg__safetensors_write("w", tensors, 2, NULL, 0), MG_OK);
    assert_int_equal(mg_weights_load(NULL, &found, "w", model), MG_ERR_NUMERIC);
    assert_message("w: tensor \"dense1.weight\": value 2 is not finite");
    tensors[1].dtype = "I32";
    assert_int_equal(mg__safetensors_write("w", tensors, 2, NULL, 0), MG_OK);
    assert_int_equal(mg_weights_load(NULL, &found, "w", model), MG_ERR_MISMATCH);
    assert_message("w: tensor \"dense1.weight\": numbers of type I32, expected F32");

    const char *const bad_text[] = {"model", "input 1x1x2\ndense outt=2\n", "model_name",
                                    "\x1b[2J"};
    assert_int_equal(mg__safetensors_write("w", tensors, 2, bad_text, 2), MG_OK);
    assert_int_equal(mg_weights_load(&own, &found, "w", NULL), MG_ERR_FORMAT);
    assert_message("w: its model text: w:2: ");
    assert_int_equal(mg_weights_load(NULL, &found, "w", NULL), MG_ERR_INVALID);
    assert_int_equal(mg_weights_load(NULL, &found, "none", model), MG_ERR_NOT_FOUND);
    assert_null(found);
    assert_null(own);
    mg_model_free(model);
    remove("w");
}

/* Every truncation is refused. Every flip of a header bit is refused or gives weights; under ASan
 * this shows that nothing is read or written out of bounds. */
static void damaged_weights(void **state)
{
    (void)state;
    mg_model *model = parse(MODEL), *own = NULL;
    float *params = numbered_params(model), *found = NULL;
    assert_int_equal(mg_weights_save("w", model, params, NULL, 0), MG_OK);
    size_t size;
    uint64_t header_size;
    char *bytes = scratch_read("w", &size);
    memcpy(&header_size, bytes, 8);
    for (size_t length = 0; length < size; length++) {
        scratch_write("w", bytes, length);
        assert_int_equal(mg_weights_load(&own, &found, "w", NULL), MG_ERR_FORMAT);
    }
    int accepted = 0;
    for (size_t bit = 0; bit < 8 * (8 + header_size); bit++) {
        flip_bit(bytes, bit);
        scratch_write("w", bytes, size);
        if (mg_weights_load(&own, &found, "w", NULL) == MG_OK) {
            accepted++; /* a flip in the metadata */
            free(found);
            mg_model_free(own);
            found = NULL;
            own = NULL;
        }
        flip_bit(bytes, bit);
    }
    assert_true(accepted < (int)header_size);
    free(bytes);
    free(params);
    mg_model_free(model);
    remove("w");
}

struct weights_to_save {
    const mg_model *model;
    const float *params;
};

static mg_status save_weights(void *user)
{
    const struct weights_to_save *w = user;
    return mg_weights_save("w", w->model, w->params, NULL, 0);
}

static void failed_save_keeps_the_old_weights(void **state)
{
    (void)state;
    mg_model *model = parse(MODEL);
    float *params = numbered_params(model);
    struct weights_to_save weights = {model, params};
    assert_int_equal(save_weights(&weights), MG_OK);
    scratch_copy("w", "copy");
    params[0] = 42;
    assert_int_equal(with_full_disk(save_weights, &weights), MG_ERR_IO);
    assert_message("w: cannot write: ");
    assert_same_file("w", "copy");
    assert_int_equal(entries_here(), 2);
    free(params);
    mg_model_free(model);
    remove("w");
    remove("copy");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file_read_keeps_to_its_limit),
        cmocka_unit_test(file_replace_is_whole),
        cmocka_unit_test(failed_write_keeps_the_old_file),
        cmocka_unit_test(file_append_is_all_or_nothing),
        cmocka_unit_test(file_extend_grows_or_replaces),
        cmocka_unit_test(make_dirs_makes_parents),
        cmocka_unit_test(shown_text_is_tame),
        cmocka_unit_test(weights_round_trip),
        cmocka_unit_test(weights_of_another_model),
        cmocka_unit_test(foreign_weights),
        cmocka_unit_test(pytorch_counts_batches),
        cmocka_unit_test(damaged_weights),
        cmocka_unit_test(failed_save_keeps_the_old_weights),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
