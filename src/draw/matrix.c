#include "draw/matrix.h"
#include "draw/ticks.h"
#include <math.h>
#include <stdio.h>

enum { INK = 0x333333, FULL = 0x08306b, FRAME = 0x888888 };

/* Points. */
enum { MARGIN = 6, TITLE = 9, LABEL = 8, SMALL = 7, BAR = 8, BAR_ROOM = 40 };

typedef struct layout {
    mg_canvas *canvas;
    const mg_evaluation *e;
    double label, left, top, cell, side; /* label: where "True class" stands */
} layout;

/* Small shares are the ones to tell apart: their square root is shown. */
static mg_color shade(double share) { return mg__color_between(MG_WHITE, FULL, sqrt(share)); }

static double row_sum(const mg_evaluation *e, uint32_t row)
{
    double sum = 0;
    for (uint32_t j = 0; j < e->classes; j++) sum += e->confusion[row * e->classes + j];
    return sum;
}

/* The type for a text of so many digits in a cell; 0 where it would be too small to read. */
static double type_in(double cell, int digits)
{
    const double size = fmin(SMALL, fmin(0.75 * cell, 0.82 * cell / (0.64 * digits)));
    return size < 2.5 ? 0 : size;
}

static void draw_cells(const layout *l)
{
    const mg_evaluation *e = l->e;
    uint32_t largest = 1;
    char text[16];
    for (uint32_t i = 0; i < e->classes * e->classes; i++)
        if (e->confusion[i] > largest) largest = e->confusion[i];
    const double type = type_in(l->cell, snprintf(text, sizeof text, "%u", largest));
    for (uint32_t i = 0; i < e->classes; i++) {
        const double sum = row_sum(e, i);
        for (uint32_t j = 0; j < e->classes; j++) {
            const uint32_t count = e->confusion[i * e->classes + j];
            const double share = count / fmax(sum, 1);
            const double x = l->left + j * l->cell, y = l->top + i * l->cell;
            if (!count) continue;
            mg__canvas_rect(l->canvas, x, y, l->cell, l->cell, shade(share));
            snprintf(text, sizeof text, "%u", count);
            const mg_font font = {.size = type, .color = sqrt(share) > 0.45 ? MG_WHITE : INK};
            if (type > 0)
                mg__canvas_text(l->canvas, x + l->cell / 2, y + l->cell / 2 + 0.36 * type,
                                MG_ANCHOR_MIDDLE, &font, text);
        }
    }
}

static void line(mg_canvas *c, double x0, double y0, double x1, double y1, mg_color color, double w)
{
    mg__canvas_line(c, (mg_point[]){{x0, y0}, {x1, y1}}, 2, &(mg_pen){color, w, false});
}

static void draw_frame(mg_canvas *c, double x, double y, double width, double height)
{
    const mg_point corners[] = {
        {x, y}, {x + width, y}, {x + width, y + height}, {x, y + height}, {x, y}};
    mg__canvas_line(c, corners, MG_COUNT_OF(corners), &(mg_pen){FRAME, 0.5, false});
}

static void draw_axes(const layout *l)
{
    char text[MG_TICK_TEXT];
    mg_canvas *c = l->canvas;
    const uint32_t n = l->e->classes;
    const int most = (int)fmin(n, l->side / 14); /* room for three digits below each other's */
    const mg_ticks ticks = mg__ticks_whole(0, n - 1, most < 1 ? 1 : most);
    const mg_font small = {.size = SMALL, .color = INK}, label = {.size = LABEL, .color = INK};
    const double right = l->left + l->side, bottom = l->top + l->side;
    for (uint32_t i = 1; i < n && l->cell >= 4; i++) {
        const double at = i * l->cell;
        line(c, l->left + at, l->top, l->left + at, bottom, 0xe2e2e2, 0.4);
        line(c, l->left, l->top + at, right, l->top + at, 0xe2e2e2, 0.4);
    }
    draw_frame(c, l->left, l->top, l->side, l->side);
    for (int i = 0; i < ticks.count; i++) {
        const double at = (mg_tick(&ticks, i) + 0.5) * l->cell;
        mg__tick_text(text, &ticks, i);
        mg__canvas_text(c, l->left - 3, l->top + at + 0.36 * SMALL, MG_ANCHOR_END, &small, text);
        mg__canvas_text(c, l->left + at, bottom + 3 + 0.73 * SMALL, MG_ANCHOR_MIDDLE, &small, text);
    }
    mg__canvas_text(c, l->left + l->side / 2, bottom + 7 + SMALL + 0.73 * LABEL, MG_ANCHOR_MIDDLE,
                    &label, "Predicted class");
    mg__canvas_text(c, l->label, l->top + l->side / 2, MG_ANCHOR_MIDDLE,
                    &(mg_font){.size = LABEL, .color = INK, .upward = true}, "True class");
}

/* What the shades mean, at the right. */
static void draw_bar(const layout *l)
{
    enum { STEPS = 100 };
    mg_canvas *c = l->canvas;
    static const int marks[] = {0, 1, 10, 25, 50, 100};
    const double x = l->left + l->side + 7, height = fmax(l->side * 0.6, 62), y = l->top;
    const mg_font small = {.size = SMALL - 1, .color = INK};
    char text[16];
    for (int i = 0; i < STEPS; i++)
        mg__canvas_rect(c, x, y + height * i / STEPS, BAR, height * (STEPS - i) / STEPS,
                        mg__color_between(FULL, MG_WHITE, (i + 0.5) / STEPS));
    draw_frame(c, x, y, BAR, height);
    for (int i = 0; i < MG_COUNT_OF(marks); i++) {
        const double at = y + height * (1 - sqrt(marks[i] / 100.0));
        line(c, x + BAR, at, x + BAR + 2, at, FRAME, 0.5);
        snprintf(text, sizeof text, "%d %%", marks[i]);
        mg__canvas_text(c, x + BAR + 3.5, at + 0.36 * small.size, MG_ANCHOR_START, &small, text);
    }
    mg__canvas_text(c, x, y + height + 10, MG_ANCHOR_START, &small, "of the true");
    mg__canvas_text(c, x, y + height + 18, MG_ANCHOR_START, &small, "class");
}

mg_status mg__matrix_save(const mg_evaluation *e, const char *title, const char *path)
{
    mg_status st;
    mg_canvas *c = NULL;
    char digits[16];
    const int widest = snprintf(digits, sizeof digits, "%u", e->classes - 1);
    layout l = {.e = e,
                .left = ceil(MARGIN + LABEL + 7 + widest * 0.64 * SMALL),
                .top = MARGIN + TITLE + 7};
    const double room = MG_COLUMN_WIDTH - l.left - BAR_ROOM;
    /* Whole pixels, so that no seams show. */
    l.cell = fmin(fmax(floor(room / e->classes * MG_CANVAS_SCALE), 1) / MG_CANVAS_SCALE, 40);
    l.side = l.cell * e->classes;
    const double width = fmax(l.left + l.side + BAR_ROOM, MG_COLUMN_WIDTH);
    const double free_room = width - (l.left + l.side + BAR_ROOM);
    l.label = MARGIN + 0.8 * LABEL + floor(free_room / 2);
    l.left += floor(free_room / 2);
    MG_TRY(mg__canvas_create(&c, path, MG_CONTENT_DRAWING, width,
                             l.top + fmax(l.side, 80) + 7 + SMALL + LABEL + MARGIN));
    l.canvas = c;
    draw_cells(&l);
    draw_axes(&l);
    draw_bar(&l);
    const double fits = TITLE * (width - 2 * MARGIN) / (mg__text_width(TITLE, title) * 1.12);
    mg__canvas_text(c, width / 2, MARGIN + 0.8 * TITLE, MG_ANCHOR_MIDDLE,
                    &(mg_font){.size = fmin(TITLE, fits), .bold = true}, title);
    MG_TRY(mg__canvas_save(c));
out:
    mg__canvas_free(c);
    return st;
}
