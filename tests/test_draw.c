/* What pictures are made of: marks on axes, PNG, mosaics, canvases, metrics read again. */
#define _XOPEN_SOURCE 700 /* nftw */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "draw/canvas_ops.h"
#include "draw/curves.h"
#include "draw/grid.h"
#include "draw/matrix.h"
#include "draw/ticks.h"
#include "image/mosaic.h"
#include "io/metrics.h"
#include "mnist_gpu/image.h"
#include "scratch.h"
#include <float.h>
#include <math.h>

static void assert_ok(mg_status st)
{
    if (st) fail_msg("%s", mg_last_error());
}

/* ---- marks ---- */

static void assert_marks(const mg_ticks *t, const char *expected)
{
    char all[400] = "", text[MG_TICK_TEXT];
    for (int i = 0; i < t->count; i++) {
        strcat(all, i ? " " : "");
        strcat(all, mg__tick_text(text, t, i));
    }
    assert_string_equal(all, expected);
}

static void marks_are_round(void **unused)
{
    (void)unused;
    static const struct {
        double lo, hi;
        int most;
        const char *marks;
    } cases[] = {
        {0, 1, 5, "0.0 0.2 0.4 0.6 0.8 1.0"},
        {0.013, 0.148, 5, "0.00 0.05 0.10 0.15"},
        {96, 99.6, 5, "96 97 98 99 100"},
        {-3, 4, 4, "-4 -2 0 2 4"},
        {0, 100, 4, "0 50 100"},
        {1e-4, 1e-3, 5, "0.0000 0.0002 0.0004 0.0006 0.0008 0.0010"},
        {1e-7, 3e-7, 2, "1e-07 2e-07 3e-07"},
        {0, 2.5e7, 3, "0 1e+07 2e+07 3e+07"},
        {12345678, 12345680, 2, "12345678 12345679 12345680"},
        {5, 5, 5, "4.5 5.0 5.5"}, /* no range: around it */
        {0, 0, 5, "-1.0 -0.5 0.0 0.5 1.0"},
        {NAN, NAN, 5, "0.0 0.2 0.4 0.6 0.8 1.0"},
        {-DBL_MAX, DBL_MAX, 5, "0.0 0.2 0.4 0.6 0.8 1.0"},
        {0, INFINITY, 5, "0.0 0.2 0.4 0.6 0.8 1.0"},
    };
    for (int i = 0; i < MG_COUNT_OF(cases); i++) {
        const mg_ticks t = mg__ticks(cases[i].lo, cases[i].hi, cases[i].most);
        print_message("%g .. %g\n", cases[i].lo, cases[i].hi);
        assert_marks(&t, cases[i].marks);
    }
}

/* Whatever the range, it is covered by few marks, and their texts fit. */
static void marks_cover_any_range(void **unused)
{
    (void)unused;
    static const double values[] = {
        -MG_TICKS_MOST, -1e300, -1e9,   -1, -1e-9,     -DBL_MIN, 0,     DBL_MIN,
        1e-300,         1e-9,   0.3333, 1,  1 + 1e-12, 1e9,      1e300, MG_TICKS_MOST};
    char text[MG_TICK_TEXT];
    for (int i = 0; i < MG_COUNT_OF(values); i++)
        for (int j = i; j < MG_COUNT_OF(values); j++) {
            const double lo = values[i], hi = values[j], slack = fmax(fabs(lo), fabs(hi)) * 1e-8;
            const mg_ticks t = mg__ticks(lo, hi, 5);
            assert_in_range(t.count, 2, 7);
            assert_true(t.step > 0 && isfinite(t.step));
            assert_true(t.first - slack <= lo);
            assert_true(mg_tick(&t, t.count - 1) + slack >= hi);
            for (int k = 0; k < t.count; k++)
                assert_in_range(strlen(mg__tick_text(text, &t, k)), 1, 24);
        }
}

static void marks_of_epochs_are_whole(void **unused)
{
    (void)unused;
    static const struct {
        double lo, hi;
        const char *marks;
    } cases[] = {{1, 1, "1"},
                 {1, 2, "1 2"},
                 {1, 8, "1 2 3 4 5 6 7 8"},
                 {1, 10, "2 4 6 8 10"},
                 {1, 30, "5 10 15 20 25 30"},
                 {3, 5, "3 4 5"},
                 {1, 1000, "200 400 600 800 1000"}};
    for (int i = 0; i < MG_COUNT_OF(cases); i++) {
        const mg_ticks t = mg__ticks_whole(cases[i].lo, cases[i].hi, 8);
        assert_marks(&t, cases[i].marks);
    }
}

/* ---- PNG and mosaics ---- */

/* Through the program's own decoder. */
static void png_is_read_as_it_was_written(void **unused)
{
    (void)unused;
    static const uint32_t sizes[][2] = {{1, 1}, {1, 300}, {300, 1}, {28, 28}, {257, 63}};
    uint32_t random = 1;
    for (int i = 0; i < MG_COUNT_OF(sizes); i++)
        for (uint32_t channels = 1; channels <= 4; channels++) {
            const size_t size = (size_t)sizes[i][0] * sizes[i][1] * channels;
            uint8_t *pixels = malloc(size);
            assert_non_null(pixels);
            for (size_t k = 0; k < size; k++)
                pixels[k] = (uint8_t)((random = random * 1664525 + 1013904223) >> 24);
            const mg_image image = {sizes[i][0], sizes[i][1], channels, pixels};
            mg_image *again = NULL;
            assert_ok(mg_image_save(&image, "a.png"));
            assert_ok(mg_image_load(&again, "a.png"));
            assert_int_equal(again->width, image.width);
            assert_int_equal(again->height, image.height);
            assert_int_equal(again->channels, channels);
            assert_memory_equal(again->pixels, pixels, size);
            mg_image_free(again);
            free(pixels);
        }
}

static void png_says_what_is_wrong(void **unused)
{
    (void)unused;
    uint8_t pixel = 0;
    assert_int_equal(mg_image_save(&(mg_image){1, 1, 1, &pixel}, "missing/a.png"), MG_ERR_IO);
    assert_message("missing/a.png");
    assert_int_equal(mg_image_save(&(mg_image){MG_IMAGE_MAX_SIDE + 1, 1, 1, &pixel}, "b.png"),
                     MG_ERR_FORMAT);
    assert_message("b.png: PNG: a picture of 16385 x 1 pixels");
    assert_false(scratch_exists("b.png"));
}

/* Three cells of 2 x 1 in rows of two, doubled, a pixel apart on grey. */
static void mosaic_lays_out_cells(void **unused)
{
    (void)unused;
    static const uint8_t cells[] = {1, 2, 3, 4, 5, 6};
    static const uint8_t expected[7][11] = {
        {9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9}, {9, 1, 1, 2, 2, 9, 3, 3, 4, 4, 9},
        {9, 1, 1, 2, 2, 9, 3, 3, 4, 4, 9}, {9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9},
        {9, 5, 5, 6, 6, 9, 9, 9, 9, 9, 9}, {9, 5, 5, 6, 6, 9, 9, 9, 9, 9, 9},
        {9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9}};
    mg_mosaic m = {.cells = cells,
                   .count = 3,
                   .columns = 2,
                   .width = 2,
                   .height = 1,
                   .channels = 1,
                   .scale = 2,
                   .gap = 1,
                   .ground = 0x090909};
    mg_image *image = NULL;
    assert_ok(mg__mosaic_make(&image, &m, "mosaic"));
    assert_int_equal(image->width, 11);
    assert_int_equal(image->height, 7);
    for (int i = 0; i < 7 * 11 * 3; i++)
        assert_int_equal(image->pixels[i], expected[i / 33][i % 33 / 3]);
    mg_image_free(image);
    m.scale = 10000;
    assert_int_equal(mg__mosaic_make(&image, &m, "mosaic"), MG_ERR_FORMAT);
    assert_message("mosaic: a picture of 40003 x 20003 pixels");
}

/* ---- canvases ---- */

static void names_decide_the_kind(void **unused)
{
    (void)unused;
    static const char *const bad[] = {"a.gif", "a", ".png", "png", "a.png.", "", "a.svgz", "svg"};
    for (int i = 0; i < MG_COUNT_OF(bad); i++) {
        assert_int_equal(mg__canvas_check_path(bad[i], MG_CONTENT_TILES), MG_ERR_INVALID);
        assert_message("expected .png or .svg");
    }
    assert_ok(mg__canvas_check_path("a.svg", MG_CONTENT_DRAWING));
    assert_ok(mg__canvas_check_path("dir.x/A.SVG", MG_CONTENT_DRAWING));
    assert_ok(mg__canvas_check_path("a.PNG", MG_CONTENT_TILES));
}

static char *svg_of(const char *text)
{
    size_t size;
    mg_canvas *c = NULL;
    assert_ok(mg__canvas_create(&c, "t.svg", MG_CONTENT_DRAWING, 40, 20));
    mg__canvas_text(c, 1, 2, MG_ANCHOR_END, &(mg_font){.size = 7}, text);
    assert_ok(mg__canvas_save(c));
    mg__canvas_free(c);
    return scratch_read("t.svg", &size);
}

static void svg_text_is_clean(void **unused)
{
    (void)unused;
    static const struct {
        const char *text, *expected;
    } cases[] = {{"a<b>&\"c'", ">a&lt;b&gt;&amp;\"c'</text>"},
                 {"\x1b[31m\n\t\x7f|", ">?[31m???|</text>"},
                 {"Gr\xc3\xb6\xc3\x9f"
                  "e \xe2\x82\xac \xf0\x9f\x98\x80",
                  ">Gr\xc3\xb6\xc3\x9f"
                  "e \xe2\x82\xac \xf0\x9f\x98\x80</text>"},
                 {"\xff\xc3|", ">??|</text>"},
                 {"\xc0\x80\xed\xa0\x80|", ">?????|</text>"}, /* overlong; a surrogate */
                 {"\xc2\x85|\xef\xbf\xbf|", ">?|?|</text>"},  /* no characters of XML */
                 {"", "></text>"}};
    for (int i = 0; i < MG_COUNT_OF(cases); i++) {
        char *svg = svg_of(cases[i].text);
        if (!strstr(svg, cases[i].expected)) fail_msg("expected %s in\n%s", cases[i].expected, svg);
        free(svg);
    }
}

static uint32_t pixel(const mg_image *image, uint32_t x, uint32_t y)
{
    const uint8_t *p = image->pixels + ((size_t)y * image->width + x) * image->channels;
    return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

/* The same by cairo, where it is there, and without it. */
static void check_tiles(const mg_image *page)
{
    assert_int_equal(page->width, 80);
    assert_int_equal(page->height, 48);
    assert_int_equal(page->channels, 3);
    assert_int_equal(pixel(page, 0, 0), MG_WHITE);
    for (uint32_t y = 8; y < 16; y++) /* the rectangle */
        for (uint32_t x = 4; x < 12; x++) assert_int_equal(pixel(page, x, y), MG_VERMILLION);
    assert_int_equal(pixel(page, 12, 8), MG_WHITE);
    assert_int_equal(pixel(page, 4, 16), MG_WHITE);
    for (uint32_t x = 0; x < 16; x++) /* the image: 2 x 1 pixels, 8 wide */
        for (uint32_t y = 20; y < 24; y++)
            assert_int_equal(pixel(page, 20 + x, y), x < 8 ? 0x102030 : 0x405060);
    int inked = 0; /* the text, its middle at 40 */
    for (uint32_t y = 24; y < 48; y++)
        for (uint32_t x = 0; x < 80; x++)
            if (pixel(page, x, y) != MG_WHITE) {
                inked++;
                assert_in_range(x, 40 - 20, 40 + 20);
            }
    assert_in_range(inked, 30, 400);
}

static void draw_tiles(mg_canvas *c)
{
    static uint8_t pixels[] = {0x10, 0x20, 0x30, 0x40, 0x50, 0x60};
    mg__canvas_rect(c, 0, 0, 20, 12, MG_WHITE);
    mg__canvas_rect(c, 1, 2, 2, 2, MG_VERMILLION);
    mg__canvas_image(c, 5, 5, 4, 1, &(mg_image){2, 1, 3, pixels});
    mg__canvas_text(c, 10, 11, MG_ANCHOR_MIDDLE, &(mg_font){.size = 4}, "(5)%");
    assert_ok(mg__canvas_save(c));
}

static void tiles_are_drawn_on_any_canvas(void **unused)
{
    (void)unused;
    mg_canvas *c = NULL;
    mg_image *page = NULL;
    assert_ok(mg__canvas_create(&c, "tiles.png", MG_CONTENT_TILES, 20, 12));
    draw_tiles(c);
    mg__canvas_free(c);
    assert_ok(mg_image_load(&page, "tiles.png"));
    check_tiles(page);
    mg_image_free(page);

    char path[] = "pixels.png";
    mg_canvas pixels = {.path = path, .width = 20, .height = 12};
    assert_ok(mg__canvas_pixels(&pixels));
    draw_tiles(&pixels);
    pixels.ops->free(&pixels);
    assert_ok(mg_image_load(&page, "pixels.png"));
    check_tiles(page);
    mg_image_free(page);
}

static void refuses_pages_that_are_too_large(void **unused)
{
    (void)unused;
    mg_canvas *c = NULL;
    assert_int_equal(mg__canvas_create(&c, "a.svg", MG_CONTENT_TILES, 10, 1e5), MG_ERR_FORMAT);
    assert_message("a.svg: a picture of 40 x 400000 pixels");
    assert_null(c);
}

static int count_of(const char *text, const char *part)
{
    int count = 0;
    while ((text = strstr(text, part))) {
        count++;
        text++;
    }
    return count;
}

/* 2 to 256 classes; every count is there where there is room, and none where there is not. */
static void matrices_of_any_size(void **unused)
{
    (void)unused;
    static const uint32_t classes[] = {2, 10, 256};
    for (int i = 0; i < MG_COUNT_OF(classes); i++) {
        const uint32_t n = classes[i];
        size_t size;
        uint32_t *counts = calloc(n * n, sizeof *counts);
        assert_non_null(counts);
        for (uint32_t k = 0; k < n; k++) counts[k * n + k] = 4711;
        counts[1] = 4711; /* true class 0 as 1 */
        assert_ok(mg__matrix_save(&(mg_evaluation){.classes = n, .confusion = counts}, "<title>",
                                  "m.svg"));
        char *svg = scratch_read("m.svg", &size);
        assert_int_equal(count_of(svg, ">4711<"), n <= 10 ? n + 1 : 0);
        assert_int_equal(count_of(svg, "fill=\"#08306b\""), n - 1); /* whole rows */
        assert_int_equal(count_of(svg, "&lt;title>"), 0);
        assert_int_equal(count_of(svg, "&lt;title&gt;"), 1);
        free(svg);
        free(counts);
    }
}

static void grids_say_when_they_are_too_high(void **unused)
{
    (void)unused;
    enum { COUNT = 400 };
    static uint8_t grey;
    mg_tile *tiles = calloc(COUNT, sizeof *tiles);
    assert_non_null(tiles);
    for (int i = 0; i < COUNT; i++) tiles[i] = (mg_tile){.image = {1, 1, 1, &grey}, .caption = "1"};
    assert_int_equal(mg__grid_save(tiles, COUNT, 1, "g.png"), MG_ERR_FORMAT);
    assert_message("expected sides of 1 to 16384");
    assert_ok(mg__grid_save(tiles, COUNT, 20, "g.png"));
    free(tiles);
}

/* ---- metrics ---- */

static mg_status load_text(mg_metrics **out, const char *text)
{
    scratch_write("metrics.csv", text, strlen(text));
    return mg__metrics_load(out, "metrics.csv");
}

static void metrics_are_a_table(void **unused)
{
    (void)unused;
    mg_metrics *m = NULL;
    assert_ok(load_text(&m, "epoch,loss,val_accuracy\r\n1,0.5,0.9\r\n2,,0.95\n4,-1e-3,0.95"));
    assert_int_equal(m->rows, 3);
    assert_int_equal(m->columns, 3);
    assert_memory_equal(m->values, ((double[]){1, 2, 4}), 3 * sizeof(double));
    const double *loss = mg__metrics_column(m, "loss");
    assert_true(loss[0] == 0.5 && isnan(loss[1]) && loss[2] == -1e-3);
    assert_null(mg__metrics_column(m, "los"));
    assert_int_equal(mg__metrics_best(m), 1); /* the first of equals */
    memcpy(m->monitor, "loss", sizeof "loss");
    assert_int_equal(mg__metrics_best(m), 2); /* the smallest */
    mg__metrics_free(m);

    assert_ok(load_text(&m, "epoch,loss,val_accuracy\n1,0.5,\n2,0.4,\n"));
    assert_int_equal(mg__metrics_best(m), -1);
    mg__metrics_free(m);
}

static void metrics_malformed(void **unused)
{
    (void)unused;
    static const struct {
        const char *text, *message;
    } cases[] = {{"", "metrics.csv: empty"},
                 {"\n", "metrics.csv:1: expected \"epoch,\""},
                 {"loss,epoch\n1,2\n", "metrics.csv:1: expected \"epoch,\""},
                 {"epoch,loss\n", "metrics.csv: no epoch yet"},
                 {"epoch,,loss\n1,2,3\n", "metrics.csv:1: expected a name"},
                 {"epoch,loss,loss\n1,2,3\n", "metrics.csv:1: expected every column once"},
                 {"epoch,epoch\n1,2\n", "metrics.csv:1: expected every column once"},
                 {"epoch,loss\n1\n", "metrics.csv:2: 1 fields, expected 2"},
                 {"epoch,loss\n1,2\n2,2,3\n", "metrics.csv:3: more than 2 fields"},
                 {"epoch,loss\n1,2\n\n3,4\n", "metrics.csv:3: 1 fields"},
                 {"epoch,loss\n1,0x2\n", "metrics.csv:2: expected a number, found \"0x2\""},
                 {"epoch,loss\n1,nan\n", "metrics.csv:2: expected a number, found \"nan\""},
                 {"epoch,loss\n1,1e999\n", "metrics.csv:2: expected a number, found \"1e999\""},
                 {"epoch,loss\n1,-1e301\n", "metrics.csv:2: expected a number"},
                 {"epoch,loss\n1, 2\n", "metrics.csv:2: expected a number, found \" 2\""},
                 {"epoch,loss\n1,2;\x1b[31m\n", "found \"2;?[31m\""},
                 {"epoch,loss\n1,e\n", "metrics.csv:2: expected a number"},
                 {"epoch,loss\n,2\n", "metrics.csv:2: expected a whole number of an epoch"},
                 {"epoch,loss\n0,2\n", "metrics.csv:2: expected a whole number of an epoch"},
                 {"epoch,loss\n1.5,2\n", "metrics.csv:2: expected a whole number of an epoch"},
                 {"epoch,loss\n2,2\n2,2\n", "metrics.csv:3: expected a whole number of an epoch"},
                 {"epoch,loss\n1e10,2\n", "metrics.csv:2: expected a whole number of an epoch"}};
    for (int i = 0; i < MG_COUNT_OF(cases); i++) {
        mg_metrics *m = NULL;
        if (load_text(&m, cases[i].text) != MG_ERR_FORMAT) fail_msg("read: %s", cases[i].text);
        assert_message(cases[i].message);
        assert_null(m);
    }
    mg_metrics *m = NULL;
    scratch_write("metrics.csv", "epoch,a\n1,\0\n", 11);
    assert_int_equal(mg__metrics_load(&m, "metrics.csv"), MG_ERR_FORMAT);
    assert_message("zero byte");
    assert_int_equal(mg__metrics_load(&m, "nowhere.csv"), MG_ERR_NOT_FOUND);
    assert_message("nowhere.csv");
}

/* ---- curves ---- */

static void make_run(const char *dir, const char *metrics)
{
    char path[300];
    mkdir(dir, 0777);
    snprintf(path, sizeof path, "%s/metrics.csv", dir);
    scratch_write(path, metrics, strlen(metrics));
}

static void chart_of_runs(void **unused)
{
    (void)unused;
    mg_curves c = {0};
    make_run("one", "epoch,loss,accuracy,val_loss,val_accuracy\n"
                    "1,0.5,0.9,0.4,0.91\n2,0.3,0.95,0.35,0.97\n3,0.2,0.99,0.4,0.96\n");
    make_run("two", "epoch,loss,accuracy\n1,1,0.5\n");
    char *runs[] = {(char *)"one/", (char *)"two"};

    assert_ok(mg__curves_load(&c, runs, 1, NULL, NULL));
    assert_string_equal(c.chart.title, "one");
    assert_int_equal(c.chart.panel_count, 2);
    assert_int_equal(c.chart.panels[1].curve_count, 2);
    assert_false(c.chart.panels[1].curves[0].dashed);
    assert_true(c.chart.panels[1].curves[1].dashed);
    assert_int_equal(c.chart.panels[1].curves[0].best, -1);
    assert_int_equal(c.chart.panels[1].curves[1].best, 1);
    assert_string_equal(c.chart.legend[2].text, "best: epoch 2, 97.00 %");
    const mg_range y = mg__panel_y_range(&c.chart.panels[1]);
    assert_true(fabs(y.lo - 90) < 1e-9 && fabs(y.hi - 99) < 1e-9);
    mg__curves_free(&c);

    assert_ok(mg__curves_load(&c, runs, 2, "loss", "<T>"));
    assert_string_equal(c.chart.title, "<T>");
    assert_int_equal(c.chart.panel_count, 1);
    assert_int_equal(c.chart.panels[0].curve_count, 3); /* no validation in the second */
    assert_string_equal(c.chart.legend[0].text, "one");
    assert_string_equal(c.chart.legend[1].text, "two");
    assert_int_equal(c.chart.legend_count, 5);
    assert_ok(mg__chart_save(&c.chart, "c.svg"));
    mg__curves_free(&c);

    assert_int_equal(mg__curves_load(&c, runs, 2, "val_loss", NULL), MG_ERR_NOT_FOUND);
    assert_message("two/metrics.csv: no column \"val_loss\" (there are: loss, accuracy)");
    runs[1] = (char *)"three";
    assert_int_equal(mg__curves_load(&c, runs, 2, NULL, NULL), MG_ERR_NOT_FOUND);
    assert_message("three/metrics.csv");
}

/* A point has no line; a gap parts one. Values at the ends of what a double holds are drawn. */
static void curves_of_any_numbers(void **unused)
{
    (void)unused;
    static const struct {
        const char *metrics;
        int lines, discs; /* of the curve's colour */
    } cases[] = {{"epoch,loss\n7,0.5\n", 0, 1},
                 {"epoch,loss\n1,0.5\n2,\n3,1\n4,1\n", 1, 1},
                 {"epoch,loss\n1,\n2,\n", 0, 0},
                 {"epoch,loss\n1,0\n2,0\n", 1, 0},
                 {"epoch,loss\n1,-1e300\n2,1e300\n", 1, 0},
                 {"epoch,loss\n1,1e-320\n1073741824,1e-321\n", 1, 0}};
    char *runs[] = {(char *)"run"};
    for (int i = 0; i < MG_COUNT_OF(cases); i++) {
        mg_curves c = {0};
        size_t size;
        make_run("run", cases[i].metrics);
        assert_ok(mg__curves_load(&c, runs, 1, "loss", NULL));
        assert_ok(mg__chart_save(&c.chart, "c.svg"));
        char *svg = scratch_read("c.svg", &size);
        print_message("%s\n", cases[i].metrics);
        assert_int_equal(count_of(svg, "stroke=\"#0072b2\""), cases[i].lines + 1); /* legend's */
        assert_int_equal(count_of(svg, "<circle"), cases[i].discs);
        assert_null(strstr(svg, "nan"));
        assert_null(strstr(svg, "inf"));
        free(svg);
        mg__curves_free(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_are_round),
        cmocka_unit_test(marks_cover_any_range),
        cmocka_unit_test(marks_of_epochs_are_whole),
        cmocka_unit_test(png_is_read_as_it_was_written),
        cmocka_unit_test(png_says_what_is_wrong),
        cmocka_unit_test(mosaic_lays_out_cells),
        cmocka_unit_test(names_decide_the_kind),
        cmocka_unit_test(svg_text_is_clean),
        cmocka_unit_test(tiles_are_drawn_on_any_canvas),
        cmocka_unit_test(refuses_pages_that_are_too_large),
        cmocka_unit_test(matrices_of_any_size),
        cmocka_unit_test(grids_say_when_they_are_too_high),
        cmocka_unit_test(metrics_are_a_table),
        cmocka_unit_test(metrics_malformed),
        cmocka_unit_test(chart_of_runs),
        cmocka_unit_test(curves_of_any_numbers),
    };
    return cmocka_run_group_tests(tests, scratch_enter, scratch_leave);
}
