/* Charts in characters: braille patterns, which have 2 x 4 dots, or a letter for each curve. */
#include "draw/ticks.h"
#include "term.h"
#include "term_picture.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROWS = 13, GUTTER = 9, MAX_COLUMNS = 120, ASCII_MARK = '*' };

typedef struct cell {
    uint8_t dots; /* of U+2800 */
    char letter;
    bool mark;
    mg_color color;
} cell;

typedef struct plot {
    term_depth depth;
    int columns, across, down; /* dots of a cell */
    mg_range x, y;
    cell cells[ROWS][MAX_COLUMNS];
} plot;

/* Small letters are whole lines, capitals dashed ones; a letter for each colour. */
static char letter_of(mg_color color, bool dashed)
{
    static const mg_color colors[] = {MG_BLUE,   MG_VERMILLION, MG_GREEN, MG_PURPLE,
                                      MG_ORANGE, MG_SKY,        MG_BLACK};
    int i = 0;
    while (i + 1 < MG_COUNT_OF(colors) && colors[i] != color) i++;
    return (char)((dashed ? 'A' : 'a') + i);
}

/* ---- dots ---- */

/* Dot columns and rows, the latter from the top. */
static double to_dot_x(const plot *p, double x)
{
    const double range = p->x.hi - p->x.lo;
    return (range > 0 ? (x - p->x.lo) / range : 0.5) * (p->columns * p->across - 1);
}

static double to_dot_y(const plot *p, double y)
{
    return (p->y.hi - y) / (p->y.hi - p->y.lo) * (ROWS * p->down - 1);
}

static cell *cell_at(plot *p, double x, double y)
{
    return &p->cells[(int)(y + 0.5) / p->down][(int)(x + 0.5) / p->across];
}

static void set_dot(plot *p, double x, double y, const mg_curve *c)
{
    static const uint8_t bits[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    const int column = (int)(x + 0.5), row = (int)(y + 0.5);
    if (p->depth != TERM_ASCII && c->dashed && column / 2 % 2) return;
    cell *at = cell_at(p, x, y);
    at->dots |= bits[row % p->down][column % p->across];
    at->letter = letter_of(c->color, c->dashed);
    at->color = c->color;
}

static void draw_curve(plot *p, const mg_curve *c, double scale)
{
    for (int k = 0; k < c->count; k++) {
        if (isnan(c->y[k])) continue;
        const double x = to_dot_x(p, c->x[k]), y = to_dot_y(p, c->y[k] * scale);
        set_dot(p, x, y, c);
        if (k == 0 || isnan(c->y[k - 1])) continue;
        const double x0 = to_dot_x(p, c->x[k - 1]), y0 = to_dot_y(p, c->y[k - 1] * scale);
        const int steps = (int)ceil(fmax(fabs(x - x0), fabs(y - y0)));
        for (int i = 1; i < steps; i++)
            set_dot(p, x0 + (x - x0) * i / steps, y0 + (y - y0) * i / steps, c);
    }
}

static void draw_mark(plot *p, const mg_curve *c, double scale)
{
    if (c->best < 0 || isnan(c->y[c->best])) return;
    cell *at = cell_at(p, to_dot_x(p, c->x[c->best]), to_dot_y(p, c->y[c->best] * scale));
    at->mark = true;
    at->color = c->color;
}

/* ---- output ---- */

static void put_colored(term_depth depth, mg_color color, const char *text)
{
    /* Black and dark grey are the terminal's own colour: its ground may be dark. */
    const bool colored = depth != TERM_ASCII && color != MG_BLACK && color != 0x555555;
    if (colored) term_set_color(depth, false, color);
    printf("%s%s", text, colored ? "\033[0m" : "");
}

static void put_cell(const plot *p, const cell *c)
{
    char text[4] = {0};
    if (p->depth == TERM_ASCII) {
        text[0] = (char)(c->mark ? ASCII_MARK : c->dots ? c->letter : ' ');
    } else { /* U+2800 + dots in UTF-8 */
        text[0] = (char)0xe2;
        text[1] = (char)(0xa0 | c->dots >> 6);
        text[2] = (char)(0x80 | (c->dots & 0x3f));
    }
    put_colored(p->depth, c->color, c->mark && p->depth != TERM_ASCII ? "●" : c->dots ? text : " ");
}

static void put_rows(const plot *p, const mg_ticks *ticks)
{
    char text[MG_TICK_TEXT];
    for (int row = 0; row < ROWS; row++) {
        const char *figure = "";
        for (int i = 0; i < ticks->count; i++)
            if ((int)(to_dot_y(p, mg_tick(ticks, i)) + 0.5) / p->down == row)
                figure = mg__tick_text(text, ticks, i);
        printf("%*s %s", GUTTER, figure, p->depth == TERM_ASCII ? "|" : "│");
        for (int column = 0; column < p->columns; column++) put_cell(p, &p->cells[row][column]);
        printf("\n");
    }
}

static void put_x_axis(const plot *p)
{
    char text[MG_TICK_TEXT];
    const bool ascii = p->depth == TERM_ASCII;
    const mg_ticks ticks = mg__ticks_whole(p->x.lo, p->x.hi, p->columns / 8);
    printf("%*s %s", GUTTER, "", ascii ? "+" : "└");
    for (int i = 0; i < p->columns; i++) printf("%s", ascii ? "-" : "─");
    printf("\n%*s", GUTTER + 2, "");
    int at = 0;
    for (int i = 0; i < ticks.count; i++) {
        const int column = (int)(to_dot_x(p, mg_tick(&ticks, i)) + 0.5) / p->across;
        if (column < at) continue;
        at += printf("%*s%s", column - at, "", mg__tick_text(text, &ticks, i));
    }
    printf("\n");
}

static void put_legend(const mg_chart *chart, term_depth depth)
{
    const bool alone = chart->legend_count <= 3;
    for (int i = 0; i < chart->legend_count; i++) {
        const mg_legend *e = &chart->legend[i];
        const bool dashed = e->sample == MG_SAMPLE_DASHES, disc = e->sample == MG_SAMPLE_DISC;
        char letters[8];
        snprintf(letters, sizeof letters, "%c", letter_of(e->color, dashed));
        if (!alone && e->color == 0x555555)
            snprintf(letters, sizeof letters, dashed ? "A-G" : "a-g");
        if (disc) snprintf(letters, sizeof letters, "%c", ASCII_MARK);
        printf("%*s", i ? 3 : GUTTER + 2, "");
        put_colored(depth, e->color,
                    depth == TERM_ASCII ? letters
                    : disc              ? "●"
                    : dashed            ? "⠤ ⠤"
                                        : "⠤⠤⠤");
        printf(" ");
        term_print("%s", e->text);
    }
    printf("\n");
}

static void put_panel(const mg_chart *chart, const mg_panel *panel, plot *p)
{
    const mg_range y = mg__panel_y_range(panel);
    const mg_ticks ticks = mg__ticks(y.lo, y.hi, 4);
    memset(p->cells, 0, sizeof p->cells);
    p->x = mg__chart_x_range(chart);
    p->y = (mg_range){ticks.first, mg_tick(&ticks, ticks.count - 1)};
    for (int i = 0; i < panel->curve_count; i++) draw_curve(p, &panel->curves[i], panel->scale);
    for (int i = 0; i < panel->curve_count; i++) draw_mark(p, &panel->curves[i], panel->scale);
    printf("%*s  %s\n", GUTTER, "", panel->label);
    put_rows(p, &ticks);
    put_x_axis(p);
}

void term_chart(const mg_chart *chart)
{
    static plot p; /* large for a stack */
    p.depth = term_picture_depth();
    p.columns = term_width(STDOUT_FILENO) - GUTTER - 3;
    if (p.columns > MAX_COLUMNS) p.columns = MAX_COLUMNS;
    if (p.columns < 16) p.columns = 16;
    p.across = p.depth == TERM_ASCII ? 1 : 2;
    p.down = p.depth == TERM_ASCII ? 1 : 4;
    for (int i = 0; i < chart->panel_count; i++) put_panel(chart, &chart->panels[i], &p);
    put_legend(chart, p.depth);
}
