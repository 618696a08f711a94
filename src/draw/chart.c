#include "draw/chart.h"
#include "draw/ticks.h"
#include <math.h>

enum { INK = 0x333333, GRID = 0xe2e2e2 };

/* Points. */
enum {
    MARGIN = 6,
    TITLE = 9,
    LABEL = 8,
    SMALL = 7, /* sizes of type */
    LEGEND_ROW = 10,
    SAMPLE = 15,
    DISC = 6,
    LEGEND_GAP = 9,
    PANEL = 100,
    PANEL_GAP = 10,
    INSET = 4, /* from the axes to the first and the last epoch */
    MOST_X = 8,
    MOST_Y = 5 /* steps between marks */
};

/* A panel on the page: where it lies and how values become points. */
typedef struct frame {
    mg_canvas *canvas;
    double left, right, top, bottom;
    mg_range x, y;
} frame;

/* ---- ranges ---- */

static void extend(mg_range *r, double v)
{
    r->lo = fmin(r->lo, v); /* of a NaN and a number, the number */
    r->hi = fmax(r->hi, v);
}

static mg_range or_unit(mg_range r) { return r.lo <= r.hi ? r : (mg_range){0, 1}; }

mg_range mg__chart_x_range(const mg_chart *chart)
{
    mg_range r = {INFINITY, -INFINITY};
    for (int i = 0; i < chart->panel_count; i++)
        for (int j = 0; j < chart->panels[i].curve_count; j++) {
            const mg_curve *c = &chart->panels[i].curves[j];
            for (int k = 0; k < c->count; k++) extend(&r, c->x[k]);
        }
    return or_unit(r);
}

mg_range mg__panel_y_range(const mg_panel *panel)
{
    mg_range r = {INFINITY, -INFINITY};
    for (int j = 0; j < panel->curve_count; j++) {
        const mg_curve *c = &panel->curves[j];
        for (int k = 0; k < c->count; k++) extend(&r, c->y[k] * panel->scale);
    }
    return or_unit(r);
}

static double at_x(const frame *f, double x)
{
    const double from = f->left + INSET, to = f->right - INSET;
    if (!(f->x.hi > f->x.lo)) return (from + to) / 2;
    return from + (to - from) * ((x - f->x.lo) / (f->x.hi - f->x.lo));
}

static double at_y(const frame *f, double y)
{
    return f->bottom - (f->bottom - f->top) * ((y - f->y.lo) / (f->y.hi - f->y.lo));
}

/* ---- axes ---- */

static void line(mg_canvas *c, double x0, double y0, double x1, double y1, mg_color color, double w)
{
    mg__canvas_line(c, (mg_point[]){{x0, y0}, {x1, y1}}, 2, &(mg_pen){color, w, false});
}

static void draw_y_axis(const frame *f, const mg_ticks *ticks, const char *label)
{
    char text[MG_TICK_TEXT];
    const mg_font small = {.size = SMALL, .color = INK};
    const mg_font font = {.size = LABEL, .color = INK, .upward = true};
    for (int i = 0; i < ticks->count; i++) {
        const double y = at_y(f, mg_tick(ticks, i));
        line(f->canvas, f->left, y, f->right, y, GRID, 0.5);
        line(f->canvas, f->left - 2.5, y, f->left, y, INK, 0.6);
        mg__canvas_text(f->canvas, f->left - 4, y + 0.36 * SMALL, MG_ANCHOR_END, &small,
                        mg__tick_text(text, ticks, i));
    }
    mg__canvas_text(f->canvas, MARGIN + 0.8 * LABEL, (f->top + f->bottom) / 2, MG_ANCHOR_MIDDLE,
                    &font, label);
}

/* The lowest panel's has figures and a name. */
static void draw_x_axis(const frame *f, bool lowest)
{
    char text[MG_TICK_TEXT];
    const mg_font small = {.size = SMALL, .color = INK}, font = {.size = LABEL, .color = INK};
    const mg_ticks ticks = mg__ticks_whole(f->x.lo, f->x.hi, MOST_X);
    for (int i = 0; i < ticks.count; i++) {
        const double x = at_x(f, mg_tick(&ticks, i));
        line(f->canvas, x, f->bottom, x, f->bottom + 2.5, INK, 0.6);
        if (lowest)
            mg__canvas_text(f->canvas, x, f->bottom + 4 + 0.73 * SMALL, MG_ANCHOR_MIDDLE, &small,
                            mg__tick_text(text, &ticks, i));
    }
    if (lowest)
        mg__canvas_text(f->canvas, (f->left + f->right) / 2, f->bottom + 8 + SMALL + 0.73 * LABEL,
                        MG_ANCHOR_MIDDLE, &font, "Epoch");
    line(f->canvas, f->left, f->top, f->left, f->bottom, INK, 0.6);
    line(f->canvas, f->left - 0.3, f->bottom, f->right, f->bottom, INK, 0.6);
}

/* ---- curves ---- */

static void draw_curve(const frame *f, const mg_curve *c, double scale)
{
    enum { PART = 512 }; /* points drawn at once, the last of them again */
    mg_point points[PART];
    int n = 0;
    for (int k = 0; k <= c->count; k++) {
        const bool broken = k == c->count || isnan(c->y[k]);
        if (!broken) points[n++] = (mg_point){at_x(f, c->x[k]), at_y(f, c->y[k] * scale)};
        if (!broken && n < PART) continue;
        const mg_pen pen = {c->color, 1.2, c->dashed};
        if (n == 1) mg__canvas_disc(f->canvas, points[0].x, points[0].y, 1.3, c->color);
        if (n > 1) mg__canvas_line(f->canvas, points, n, &pen);
        if (!broken) points[0] = points[n - 1];
        n = broken ? 0 : 1;
    }
}

static void draw_mark(mg_canvas *c, double x, double y, mg_color color)
{
    mg__canvas_disc(c, x, y, 3, MG_WHITE);
    mg__canvas_disc(c, x, y, 2.3, color);
}

static void draw_curves(const frame *f, const mg_panel *p)
{
    for (int j = 0; j < p->curve_count; j++) draw_curve(f, &p->curves[j], p->scale);
    for (int j = 0; j < p->curve_count; j++) {
        const mg_curve *c = &p->curves[j];
        if (c->best >= 0 && !isnan(c->y[c->best]))
            draw_mark(f->canvas, at_x(f, c->x[c->best]), at_y(f, c->y[c->best] * p->scale),
                      c->color);
    }
}

/* ---- legend ---- */

/* Sets the entries in rows from `top` down, if there is a canvas; returns where they end. */
static double set_legend(mg_canvas *c, const mg_chart *chart, double left, double top)
{
    double x = left, y = top;
    for (int i = 0; i < chart->legend_count; i++) {
        const mg_legend *e = &chart->legend[i];
        const double sample = e->sample == MG_SAMPLE_DISC ? DISC : SAMPLE;
        const double width = sample + 4 + mg__text_width(SMALL, e->text);
        if (x > left && (e->new_row || x + width > MG_COLUMN_WIDTH - MARGIN)) {
            x = left;
            y += LEGEND_ROW;
        }
        const double middle = y + LEGEND_ROW / 2.0;
        const mg_point ends[] = {{x, middle}, {x + sample, middle}};
        const mg_pen pen = {e->color, 1.2, e->sample == MG_SAMPLE_DASHES};
        if (c && e->sample == MG_SAMPLE_DISC)
            draw_mark(c, x + sample / 2, middle, e->color);
        else if (c)
            mg__canvas_line(c, ends, 2, &pen);
        if (c)
            mg__canvas_text(c, x + sample + 4, middle + 0.36 * SMALL, MG_ANCHOR_START,
                            &(mg_font){.size = SMALL, .color = INK}, e->text);
        x += width + LEGEND_GAP;
    }
    return chart->legend_count ? y + LEGEND_ROW : top;
}

/* ---- the chart ---- */

/* The widest of the figures at the panels' y axes. */
static double figures_width(const mg_ticks *ticks, int count)
{
    char text[MG_TICK_TEXT];
    double width = 0;
    for (int i = 0; i < count; i++)
        for (int j = 0; j < ticks[i].count; j++)
            width = fmax(width, mg__text_width(SMALL, mg__tick_text(text, &ticks[i], j)));
    return width;
}

static void draw_title(mg_canvas *c, const char *title)
{
    const double room = MG_COLUMN_WIDTH - 2 * MARGIN, width = mg__text_width(TITLE, title) * 1.12;
    const mg_font font = {.size = width > room ? TITLE * room / width : TITLE, .bold = true};
    mg__canvas_text(c, MG_COLUMN_WIDTH / 2.0, MARGIN + 0.8 * TITLE, MG_ANCHOR_MIDDLE, &font, title);
}

mg_status mg__chart_save(const mg_chart *chart, const char *path)
{
    mg_status st;
    mg_canvas *c = NULL;
    mg_ticks ticks[MG_CHART_PANELS];
    for (int i = 0; i < chart->panel_count; i++) {
        const mg_range y = mg__panel_y_range(&chart->panels[i]);
        ticks[i] = mg__ticks(y.lo, y.hi, MOST_Y);
    }
    const double legend = MARGIN + TITLE + 5;
    const double left = MARGIN + LABEL + 8 + figures_width(ticks, chart->panel_count);
    double top = set_legend(NULL, chart, MARGIN + LABEL, legend) + 6;
    const double height =
        top + chart->panel_count * (PANEL + PANEL_GAP) - PANEL_GAP + 8 + SMALL + LABEL + MARGIN;
    MG_TRY(mg__canvas_create(&c, path, MG_CONTENT_DRAWING, MG_COLUMN_WIDTH, height));
    draw_title(c, chart->title);
    set_legend(c, chart, MARGIN + LABEL, legend);
    for (int i = 0; i < chart->panel_count; i++, top += PANEL + PANEL_GAP) {
        const frame f = {c,
                         left,
                         MG_COLUMN_WIDTH - 8,
                         top,
                         top + PANEL,
                         mg__chart_x_range(chart),
                         {ticks[i].first, mg_tick(&ticks[i], ticks[i].count - 1)}};
        draw_y_axis(&f, &ticks[i], chart->panels[i].label);
        draw_x_axis(&f, i + 1 == chart->panel_count);
        draw_curves(&f, &chart->panels[i]);
    }
    MG_TRY(mg__canvas_save(c));
out:
    mg__canvas_free(c);
    return st;
}
