/* Augmentation on a backend: the pixels are the reference's, and have the properties that their
 * ranges promise, by formulas that are not the ones of src/layers/augment.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "philox.h"
#include "rig.h"
#include "train/augment.h"

enum { SIZE = 28, PLANE = SIZE * SIZE, SEED = 5, STEP = 7 };

/* What a case draws: a whole number from -range to range. */
static int drawn(uint32_t row, uint32_t call, int word, int range)
{
    const mg_philox r = mg__philox(SEED, call, row, STEP, MG_AUGMENT_TAG);
    return (int)floor(ldexp((double)r.v[word], -32) * (2 * range + 1)) - range;
}

/* An image of one channel and class, `of` its pixels at (x, y). */
static mg_dataset draw_image(double (*of)(double x, double y))
{
    mg_dataset set = {.count = 1,
                      .channels = 1,
                      .height = SIZE,
                      .width = SIZE,
                      .classes = 2,
                      .pixels = malloc(PLANE),
                      .labels = calloc(1, 1)};
    assert_true(set.pixels && set.labels);
    for (int p = 0; p < PLANE; p++) set.pixels[p] = (uint8_t)lround(of(p % SIZE, p / SIZE));
    return set;
}

/* The set's first image, `count` times augmented; malloc'd. */
static uint8_t *augment_first(const mg_dataset *set, uint32_t count, mg_augment ranges)
{
    const size_t size = (size_t)set->channels * set->height * set->width;
    uint32_t *zeros = calloc(count, sizeof *zeros);
    uint8_t *out = malloc(count * size);
    assert_true(zeros && out);
    assert_ok(mg__augment_images(out, backend, set, zeros, count, &ranges, SEED, STEP));
    free(zeros);
    return out;
}

static mg_augment ranges_for(const char *text, mg_shape shape)
{
    mg_augmentation strengths;
    mg_augment ranges;
    assert_ok(mg_augmentation_parse(&strengths, text));
    assert_ok(mg__augment_ranges(&ranges, &strengths, shape));
    return ranges;
}

static mg_augment ranges_of(const char *text)
{
    return ranges_for(text, (mg_shape){1, SIZE, SIZE});
}

/* ---- the same pixels ---- */

static void assert_same_as_reference(mg_backend *reference, mg_shape shape, uint32_t count,
                                     const char *text)
{
    const mg_augment ranges = ranges_for(text, shape);
    const size_t bytes = count * mg_shape_size(shape);
    mg_dataset set = make_images(count, shape, 3);
    uint8_t *found = malloc(bytes), *expected = malloc(bytes);
    assert_true(found && expected);
    assert_ok(mg__augment_images(found, backend, &set, NULL, count, &ranges, SEED, STEP));
    assert_ok(mg__augment_images(expected, reference, &set, NULL, count, &ranges, SEED, STEP));
    for (size_t i = 0; i < bytes; i++)
        if (found[i] != expected[i])
            fail_msg("%s, %dx%dx%d x%u, pixel %zu: found %d, expected %d", text, shape.c, shape.h,
                     shape.w, count, i, found[i], expected[i]);
    if (memcmp(expected, set.pixels, bytes) == 0) fail_msg("%s changes nothing", text);
    free(found);
    free(expected);
    free_images(&set);
}

static void pixels_are_the_references(void **unused)
{
    (void)unused;
    static const char *const texts[] = {"affine", "elastic", "stroke",
                                        "noise",  "all",     "all:3,noise:0.1"};
    static const struct {
        mg_shape shape;
        uint32_t count;
    } cases[] = {
        {{1, 28, 28}, 150}, {{3, 11, 17}, 7}, {{1, 64, 5}, 7}, {{2, 2, 3}, 257}, {{1, 90, 130}, 1}};
    mg_backend *reference = NULL;
    assert_ok(mg_backend_open(&reference, "ref", 0));
    for (int i = 0; i < MG_COUNT_OF(texts); i++)
        for (int k = 0; k < MG_COUNT_OF(cases); k++)
            assert_same_as_reference(reference, cases[k].shape, cases[k].count, texts[i]);
    mg_backend_close(reference);
}

static void strength_0_is_no_change(void **unused)
{
    (void)unused;
    const mg_shape shape = {3, 9, 14};
    const size_t bytes = 20 * mg_shape_size(shape);
    mg_dataset set = make_images(20, shape, 3);
    uint8_t *out = malloc(bytes);
    assert_non_null(out);
    const mg_augment ranges = ranges_for("all:0", shape);
    assert_false(mg__augment_any(&ranges));
    assert_ok(mg__augment_images(out, backend, &set, NULL, 20, &ranges, SEED, STEP));
    assert_memory_equal(out, set.pixels, bytes);
    free(out);
    free_images(&set);
}

/* Another seed, step or row of the batch: other pixels; the same ones: the same. */
static void counters_decide(void **unused)
{
    (void)unused;
    static const char *const texts[] = {"affine", "elastic", "stroke", "noise"};
    static const uint32_t both[] = {0, 0};
    static const struct {
        uint64_t seed;
        uint32_t step;
    } others[] = {{SEED + 1, STEP}, {SEED + ((uint64_t)1 << 32), STEP}, {SEED, STEP + 1}};
    mg_dataset set = make_images(1, (mg_shape){1, SIZE, SIZE}, 3);
    for (int i = 0; i < MG_COUNT_OF(texts); i++) {
        mg_augmentation a;
        uint8_t first[2 * PLANE], other[2 * PLANE];
        assert_ok(mg_augmentation_parse(&a, texts[i]));
        assert_ok(mg_augment_images(first, backend, &set, both, 2, &a, SEED, STEP));
        assert_ok(mg_augment_images(other, backend, &set, both, 2, &a, SEED, STEP));
        assert_memory_equal(first, other, sizeof first);
        assert_memory_not_equal(first, first + PLANE, PLANE);
        for (int k = 0; k < MG_COUNT_OF(others); k++) {
            assert_ok(mg_augment_images(other, backend, &set, both, 2, &a, others[k].seed,
                                        others[k].step));
            assert_memory_not_equal(first, other, PLANE);
        }
    }
    free_images(&set);
}

/* ---- affine ---- */

/* Smooth, brighter to the lower right, and 0 at the edges. */
static double blob(double x, double y)
{
    const double dx = (x - 12) / 6, dy = (y - 15) / 4;
    return 230 * exp(-dx * dx - dy * dy);
}

static double clamped(double v) { return v < 0 ? 0 : v > SIZE - 1 ? SIZE - 1 : v; }

/* Bilinear interpolation in an image whose edges go on outside. */
static double between(const uint8_t *image, double x, double y)
{
    const double x0 = floor(x), y0 = floor(y);
    double sum = 0;
    for (int i = 0; i < 4; i++) {
        const double px = x0 + i % 2, py = y0 + i / 2; /* a corner; its weight is the far area */
        sum += (1 - fabs(x - px)) * (1 - fabs(y - py)) *
               image[(int)clamped(py) * SIZE + (int)clamped(px)];
    }
    return sum;
}

/* The whole affine map with sines and cosines of the angle, on row `row`. */
static double worst_difference(const uint8_t *found, const uint8_t *image, mg_augment a,
                               uint32_t row)
{
    const double angle = 2 * atan(drawn(row, MG_AUGMENT_MATRIX, 0, a.rotation) / 65536.0);
    const double zoom = drawn(row, MG_AUGMENT_MATRIX, 1, a.zoom) / 65536.0;
    const double stretch = drawn(row, MG_AUGMENT_MATRIX, 2, a.stretch) / 65536.0;
    const double shear = drawn(row, MG_AUGMENT_MATRIX, 3, a.shear) / 65536.0;
    double worst = 0;
    for (int p = 0; p < PLANE; p++) {
        const double dx = p % SIZE - 13.5, dy = (int)(p / SIZE) - 13.5;
        const double u = (1 + zoom + stretch) * dx + shear * dy, v = (1 + zoom - stretch) * dy;
        const double x = 13.5 + cos(angle) * u - sin(angle) * v +
                         drawn(row, MG_AUGMENT_SHIFT, 0, a.shift_x) / 256.0;
        const double y = 13.5 + sin(angle) * u + cos(angle) * v +
                         drawn(row, MG_AUGMENT_SHIFT, 1, a.shift_y) / 256.0;
        worst = fmax(worst, fabs(found[p] - between(image, x, y)));
    }
    return worst;
}

static void affine_is_the_map_in_double(void **unused)
{
    (void)unused;
    enum { ROWS = 60 };
    const mg_augment whole = ranges_of("affine:3"),
                     parts[] = {whole,
                                {.rotation = whole.rotation},
                                {.zoom = whole.zoom, .stretch = whole.stretch},
                                {.shear = whole.shear},
                                {.shift_x = 1280, .shift_y = 1280}};
    mg_dataset set = draw_image(blob);
    for (int i = 0; i < MG_COUNT_OF(parts); i++) {
        uint8_t *out = augment_first(&set, ROWS, parts[i]);
        for (uint32_t row = 0; row < ROWS; row++) {
            const double worst = worst_difference(out + row * PLANE, set.pixels, parts[i], row);
            if (!(worst <= 1)) fail_msg("part %d, row %u: %g grey levels off", i, row, worst);
        }
        free(out);
    }
    free_images(&set);
}

/* "+-12 degrees", "+-2 pixels of 28", in proportion to strength and size. */
static void ranges_are_as_documented(void **unused)
{
    (void)unused;
    const mg_augment one = ranges_of("all"), half = ranges_for("all:0.5", (mg_shape){3, 56, 14});
    assert_int_equal(lround(10 * 2 * atan(one.rotation / 65536.0) * 180 / acos(-1)), 120);
    assert_int_equal(one.shift_x, 512);
    assert_int_equal(one.shift_y, 512);
    assert_int_equal(half.shift_x, 128);
    assert_int_equal(half.shift_y, 512);
    assert_int_equal(half.noise, (one.noise + 1) / 2);
    assert_int_equal(ranges_of("stroke:3").stroke, 256);
}

/* Ink moves, and may get more or less, but on the average it is what it was. */
static void ink_is_kept_on_the_average(void **unused)
{
    (void)unused;
    enum { ROWS = 400 };
    static const char *const texts[] = {"affine", "elastic"};
    mg_dataset set = draw_image(blob);
    double before = 0;
    for (int p = 0; p < PLANE; p++) before += set.pixels[p];
    for (int i = 0; i < MG_COUNT_OF(texts); i++) {
        uint8_t *out = augment_first(&set, ROWS, ranges_of(texts[i]));
        double after = 0;
        for (int p = 0; p < ROWS * PLANE; p++) after += out[p];
        if (!(fabs(after / ROWS / before - 1) <= 0.03))
            fail_msg("%s: %g of %g", texts[i], after / ROWS, before);
        free(out);
    }
    free_images(&set);
}

/* ---- elastic ---- */

static double ramp(double x, double y)
{
    (void)y;
    return 8 * x + 16;
}

/* On a ramp a pixel's value says where it comes from. At strength 1 the displacements are 1 pixel
 * rms, 0 on the average, and smooth: neighbours differ by little. */
static void elastic_is_smooth(void **unused)
{
    (void)unused;
    enum { ROWS = 200, MARGIN = 6 };
    mg_dataset set = draw_image(ramp);
    uint8_t *out = augment_first(&set, ROWS, ranges_of("elastic"));
    double sum = 0, squares = 0, steps = 0;
    int count = 0;
    for (int i = 0; i < ROWS * SIZE; i++)
        for (int x = MARGIN; x < SIZE - MARGIN; x++) {
            const uint8_t *row = out + i * SIZE;
            const double d = (row[x] - 16) / 8.0 - x;
            sum += d;
            squares += d * d;
            steps = fmax(steps, fabs((row[x + 1] - row[x]) / 8.0 - 1));
            count++;
        }
    if (!(fabs(sum / count) < 0.1)) fail_msg("mean %g", sum / count);
    if (!(fabs(sqrt(squares / count) - 1) < 0.1)) fail_msg("rms %g", sqrt(squares / count));
    if (!(steps < 1)) fail_msg("a fold: neighbours differ by %g pixels", steps);
    free(out);
    free_images(&set);
}

/* ---- stroke, noise, channels ---- */

static double dot(double x, double y) { return x == 10 && y == 12 ? 255 : 0; }
static double hole(double x, double y) { return 255 - dot(x, y); }

/* A dot's four neighbours get a's share of its brightness, a hole's pass on of theirs. */
static void strokes_get_thicker_and_thinner(void **unused)
{
    (void)unused;
    enum { ROWS = 50, AT = 12 * SIZE + 10 };
    static const int cross[] = {AT - SIZE, AT - 1, AT, AT + 1, AT + SIZE};
    mg_dataset sets[] = {draw_image(dot), draw_image(hole)};
    int signs[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        uint8_t *out = augment_first(&sets[i], ROWS, ranges_of("stroke:2"));
        for (uint32_t row = 0; row < ROWS; row++) {
            const int stroke = drawn(row, MG_AUGMENT_SHIFT, 2, ranges_of("stroke:2").stroke);
            uint8_t expected[PLANE];
            memcpy(expected, sets[i].pixels, PLANE);
            for (int k = 0; k < 5; k++) {
                const double share = fabs(stroke / 256.0) * 255;
                const bool centre = cross[k] == AT, thick = stroke > 0;
                if (thick == (i == 0) ? !centre : centre)
                    expected[cross[k]] = (uint8_t)lround(thick ? share : 255 - share);
            }
            assert_memory_equal(out + row * PLANE, expected, PLANE);
            signs[stroke > 0]++;
        }
        free(out);
        free_images(&sets[i]);
    }
    assert_true(signs[0] > 20 && signs[1] > 20);
}

static double grey(double x, double y)
{
    (void)x;
    (void)y;
    return 128;
}

static void noise_is_about_normal(void **unused)
{
    (void)unused;
    enum { ROWS = 50, COUNT = ROWS * PLANE };
    mg_dataset set = draw_image(grey);
    uint8_t *out = augment_first(&set, ROWS, ranges_of("noise"));
    double sum = 0, squares = 0;
    int far = 0;
    for (int p = 0; p < COUNT; p++) {
        const double d = out[p] - 128.0;
        sum += d;
        squares += d * d;
        far += fabs(d) > 16; /* 2 standard deviations: 4.6 % of a normal distribution */
    }
    if (!(fabs(sum / COUNT) < 0.2)) fail_msg("mean %g", sum / COUNT);
    if (!(fabs(sqrt(squares / COUNT) - 8) < 0.2)) fail_msg("deviation %g", sqrt(squares / COUNT));
    if (!(far > 0.03 * COUNT && far < 0.055 * COUNT)) fail_msg("%d of %d far off", far, COUNT);
    free(out);
    free_images(&set);
}

/* Equal channels stay equal, but for the noise. */
static void channels_move_together(void **unused)
{
    (void)unused;
    mg_dataset grey_set = draw_image(blob), set = grey_set;
    uint8_t pixels[3 * PLANE];
    for (int c = 0; c < 3; c++) memcpy(pixels + c * PLANE, grey_set.pixels, PLANE);
    set.channels = 3;
    set.pixels = pixels;
    uint8_t *out = augment_first(&set, 1, ranges_of("affine,elastic,stroke"));
    uint8_t *noisy = augment_first(&set, 1, ranges_of("noise"));
    for (int c = 1; c < 3; c++) {
        assert_memory_equal(out, out + c * PLANE, PLANE);
        assert_memory_not_equal(noisy, noisy + c * PLANE, PLANE);
    }
    free(out);
    free(noisy);
    free_images(&grey_set);
}

int main(int argc, char **argv)
{
    int status;
    if (!open_backend(argc, argv, 2, &status)) return status;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixels_are_the_references),
        cmocka_unit_test(strength_0_is_no_change),
        cmocka_unit_test(counters_decide),
        cmocka_unit_test(affine_is_the_map_in_double),
        cmocka_unit_test(ranges_are_as_documented),
        cmocka_unit_test(ink_is_kept_on_the_average),
        cmocka_unit_test(elastic_is_smooth),
        cmocka_unit_test(strokes_get_thicker_and_thinner),
        cmocka_unit_test(noise_is_about_normal),
        cmocka_unit_test(channels_move_together),
    };
    const int failures = cmocka_run_group_tests(tests, NULL, NULL);
    mg_backend_close(backend);
    return failures;
}
