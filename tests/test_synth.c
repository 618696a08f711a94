/* The built-in digits: the same bytes everywhere, MNIST's form and statistics, and a net learns
 * them. */
#define _XOPEN_SOURCE 700 /* mkdtemp, nftw */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "data/sha256.h"
#include "data/synth.h"
#include "idx_files.h"
#include "mnist_gpu/dataset.h"
#include <math.h>

enum { SIDE = MG_SYNTH_SIDE, COUNT = 4000 };

static mg_dataset *synthesize(uint32_t count, uint64_t seed, mg_split split)
{
    mg_dataset *set = NULL;
    assert_ok(mg_dataset_synthesize(&set, count, seed, split));
    return set;
}

/* The same with gcc at -O0, -O2 and -O3 -march=native and with clang, on x86-64. A difference means
 * that the digits depend on the machine, or that their rules were changed. */
static void bytes_are_the_same_everywhere(void **state)
{
    (void)state;
    static const char *const expected[] = {
        "3b56009e491e8a73d3ac1f9f372090c7f3abbc2d2c999d7297a62be2ee9476ab",
        "ba001b26cf6a68218c7e71d01fdef0b2e17855441810c47a27811ecda96c02fd"};
    for (int split = 0; split < 2; split++) {
        char hex[MG_SHA256_HEX_SIZE];
        mg_sha256 hash;
        mg_dataset *set = synthesize(500, 1, (mg_split)split);
        mg__sha256_init(&hash);
        mg__sha256_update(&hash, set->pixels, (size_t)500 * MG_SYNTH_SIZE);
        mg__sha256_update(&hash, set->labels, 500);
        mg__sha256_final(&hash, hex);
        assert_string_equal(hex, expected[split]);
        mg_dataset_free(set);
    }
}

static void a_longer_set_begins_with_the_shorter_one(void **state)
{
    (void)state;
    mg_dataset *a = synthesize(50, 7, MG_SPLIT_TRAIN), *b = synthesize(20, 7, MG_SPLIT_TRAIN);
    mg_dataset *seed = synthesize(20, 8, MG_SPLIT_TRAIN), *test = synthesize(20, 7, MG_SPLIT_TEST);
    const size_t size = (size_t)20 * MG_SYNTH_SIZE;
    assert_memory_equal(a->pixels, b->pixels, size);
    assert_memory_equal(a->labels, b->labels, 20);
    assert_memory_not_equal(b->pixels, seed->pixels, size);
    assert_memory_not_equal(b->pixels, test->pixels, size);
    assert_string_equal(a->source, "synthetic digits");
    mg_dataset_free(a);
    mg_dataset_free(b);
    mg_dataset_free(seed);
    mg_dataset_free(test);
}

/* ---- MNIST's form ---- */

typedef struct form {
    int longer;  /* side of the ink's box */
    double x, y; /* centre of mass */
    uint8_t brightest;
} form;

static form measure(const uint8_t *pixels)
{
    int x0 = SIDE, x1 = 0, y0 = SIDE, y1 = 0;
    double mass = 0;
    form f = {0};
    for (int i = 0; i < MG_SYNTH_SIZE; i++) {
        const int x = i % SIDE, y = i / SIDE, v = pixels[i];
        if (!v) continue;
        x0 = x < x0 ? x : x0;
        x1 = x + 1 > x1 ? x + 1 : x1;
        y0 = y < y0 ? y : y0;
        y1 = y + 1 > y1 ? y + 1 : y1;
        mass += v;
        f.x += (double)v * x;
        f.y += (double)v * y;
        if (v > f.brightest) f.brightest = (uint8_t)v;
    }
    f.longer = x1 - x0 > y1 - y0 ? x1 - x0 : y1 - y0;
    f.x /= mass;
    f.y /= mass;
    return f;
}

static void every_image_has_the_form_of_mnist(void **state)
{
    (void)state;
    int of_20 = 0, centred = 0;
    mg_dataset *set = synthesize(COUNT, 3, MG_SPLIT_TRAIN);
    for (uint32_t i = 0; i < COUNT; i++) {
        const form f = measure(set->pixels + (size_t)i * MG_SYNTH_SIZE);
        of_20 += f.longer == 20;
        centred += fabs(f.x - 14) < 0.51 && fabs(f.y - 14) < 0.51;
        assert_int_equal(f.brightest, 255);
        if (f.longer < 20 || f.longer > 22) fail_msg("image %u: %d pixels long", i, f.longer);
    }
    if (of_20 < 0.93 * COUNT) fail_msg("only %d of %d are 20 pixels long", of_20, COUNT);
    if (centred < 0.995 * COUNT) fail_msg("only %d of %d are in the middle", centred, COUNT);
    mg_dataset_free(set);
}

/* MNIST's published figures are a mean of 0.1307 and a deviation of 0.3081. */
static void statistics_are_those_of_mnist(void **state)
{
    (void)state;
    double sum = 0, squares = 0;
    uint32_t counts[MG_SYNTH_CLASSES] = {0};
    mg_dataset *set = synthesize(COUNT, 4, MG_SPLIT_TRAIN);
    const size_t size = (size_t)COUNT * MG_SYNTH_SIZE;
    for (size_t i = 0; i < size; i++) {
        const double v = set->pixels[i] / 255.0;
        sum += v;
        squares += v * v;
    }
    const double mean = sum / (double)size, deviation = sqrt(squares / (double)size - mean * mean);
    assert_true(fabs(mean - 0.1307) < 0.006);
    assert_true(fabs(deviation - 0.3081) < 0.01);
    assert_int_equal(set->classes, MG_SYNTH_CLASSES);
    for (uint32_t i = 0; i < COUNT; i++) counts[set->labels[i]]++;
    for (int c = 0; c < MG_SYNTH_CLASSES; c++) /* 400, with a standard deviation of 19 */
        if (counts[c] < 300 || counts[c] > 500) fail_msg("%u images of %d", counts[c], c);
    mg_dataset_free(set);
}

/* ---- the table ---- */

static void styles_are_sorted_and_well_formed(void **state)
{
    (void)state;
    int digit = 0;
    for (const mg_synth_style *s = mg__synth_styles; s->digit < MG_SYNTH_CLASSES; s++) {
        assert_true(s->digit == digit || s->digit == digit + 1);
        digit = s->digit;
        assert_true(s->share > 0);
        const char *at = s->path;
        for (bool pen_down = false;; pen_down = true) {
            int x, y, length = 0;
            if (sscanf(at, "%d,%d%n", &x, &y, &length) != 2) fail_msg("%s: \"%s\"", s->path, at);
            assert_true(x > -20 && x < 120 && y > -20 && y < 120);
            at += length;
            if (*at == '!') at++;
            const bool lifted = !*at || !strncmp(at, " | ", 3);
            assert_true(pen_down || !lifted); /* a stroke has two points */
            if (!*at) break;
            at += lifted ? 3 : 1;
            assert_int_equal(at[-1], ' ');
            if (lifted && sscanf(at, "%d,%d%n", &x, &y, &length) == 2) at += length;
            if (lifted) at += *at == '!' ? 2 : 1;
        }
    }
    assert_int_equal(digit, MG_SYNTH_CLASSES - 1);
}

/* ---- as files ---- */

static void saved_sets_load_again(void **state)
{
    (void)state;
    mg_dataset *set = synthesize(30, 5, MG_SPLIT_TEST), *back = NULL;
    assert_ok(mg_dataset_save(set, "made/anew", MG_SPLIT_TEST));
    assert_ok(mg_dataset_load(&back, "made/anew", MG_SPLIT_TEST));
    assert_int_equal(back->count, 30);
    assert_int_equal(back->height, SIDE);
    assert_int_equal(back->width, SIDE);
    assert_memory_equal(back->pixels, set->pixels, (size_t)30 * MG_SYNTH_SIZE);
    assert_memory_equal(back->labels, set->labels, 30);
    mg_dataset_free(back);

    set->channels = 2; /* the same bytes as 30 images of 2 x 14 x 28 */
    set->height = SIDE / 2;
    assert_ok(mg_dataset_save(set, "planes", MG_SPLIT_TRAIN));
    assert_ok(mg_dataset_load(&back, "planes", MG_SPLIT_TRAIN));
    assert_int_equal(back->channels, 2);
    assert_int_equal(back->height, SIDE / 2);
    assert_memory_equal(back->pixels, set->pixels, (size_t)30 * MG_SYNTH_SIZE);
    mg_dataset_free(back);
    mg_dataset_free(set);
}

static void refusals(void **state)
{
    (void)state;
    mg_dataset *set = NULL;
    assert_int_equal(mg_dataset_synthesize(&set, 0, 1, MG_SPLIT_TRAIN), MG_ERR_INVALID);
    assert_message("synthetic digits: expected a count of 1 or more");
    assert_null(set);
    set = synthesize(1, 1, MG_SPLIT_TRAIN);
    scratch_write("file", "x", 1);
    assert_int_equal(mg_dataset_save(set, "file/dir", MG_SPLIT_TRAIN), MG_ERR_IO);
    assert_message("file");
    mg_dataset_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_the_same_everywhere),
        cmocka_unit_test(a_longer_set_begins_with_the_shorter_one),
        cmocka_unit_test(every_image_has_the_form_of_mnist),
        cmocka_unit_test(statistics_are_those_of_mnist),
        cmocka_unit_test(styles_are_sorted_and_well_formed),
        cmocka_unit_test(saved_sets_load_again),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests_name("synth", tests, scratch_enter, scratch_leave);
}
