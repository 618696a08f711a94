#include "image/background.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Light changes slowly: it is looked for in means over cells, GRID to the longer side. */
enum {
    GRID = 64,
    REACH = GRID / 8, /* cells; more than half of what any stroke is wide */
    STROKE_REACH = 3  /* of most strokes, but not of the paper between them and its edge */
};

typedef struct grid {
    int width, height;
    double step;            /* pixels of the picture to a cell */
    uint8_t v[GRID * GRID]; /* [height][width] */
} grid;

static void make_grid(grid *g, const mg__plane *plane)
{
    const uint32_t longer = plane->width > plane->height ? plane->width : plane->height;
    g->step = longer > GRID ? (double)longer / GRID : 1;
    g->width = (int)fmax(1, floor(plane->width / g->step + 0.5));
    g->height = (int)fmax(1, floor(plane->height / g->step + 0.5));
    mg__plane_resample(g->v, (uint32_t)g->width, (uint32_t)g->height, plane, 0, 0,
                       (double)plane->width / g->width, (double)plane->height / g->height);
}

/* ---- a slope ---- */

static int by_value(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

/* How much the light grows from a cell to the next along two lines of `count` cells `stride` apart:
 * the median over pairs of cells a quarter of the line apart, as a line is fitted by H. Theil (A
 * Rank-Invariant Method of Linear and Polynomial Regression Analysis, 1950). A step, such as the
 * edge of the paper, falls within a third of the pairs only. */
static double growth(const uint8_t *one, const uint8_t *other, int count, int stride)
{
    int rises[2 * GRID], pairs = 0;
    const int apart = count / 4;
    if (apart == 0) return 0;
    for (int i = 0; i + apart < count; i++) {
        rises[pairs++] = one[(i + apart) * stride] - one[i * stride];
        rises[pairs++] = other[(i + apart) * stride] - other[i * stride];
    }
    qsort(rises, (size_t)pairs, sizeof *rises, by_value);
    return (double)rises[pairs / 2] / apart;
}

static uint8_t clamped(double v) { return (uint8_t)(fmin(fmax(v, 0), 255) + 0.5); }

void mg__background_level(mg__plane *plane)
{
    grid g;
    make_grid(&g, plane);
    const int last_row = (g.height - 1) * g.width, last_column = g.width - 1;
    const double across = growth(g.v, g.v + last_row, g.width, 1) * g.width;
    const double down = growth(g.v, g.v + last_column, g.height, g.width) * g.height;
    if (fabs(across) < 2 && fabs(down) < 2) return; /* a level sheet stays exactly as it is */
    for (uint32_t y = 0; y < plane->height; y++) {
        uint8_t *row = plane->v + (size_t)y * plane->width;
        const double light = down * ((y + 0.5) / plane->height - 0.5);
        for (uint32_t x = 0; x < plane->width; x++)
            row[x] = clamped(row[x] - light - across * ((x + 0.5) / plane->width - 0.5));
    }
}

/* ---- closing and opening ---- */

/* The largest value (the smallest if !largest) of every cell's neighbours up to `reach` away, along
 * lines of `count` cells `stride` apart. */
static void extreme_line(uint8_t *v, int count, int stride, int reach, bool largest)
{
    uint8_t line[GRID];
    for (int i = 0; i < count; i++) line[i] = v[i * stride];
    for (int i = 0; i < count; i++) {
        uint8_t best = line[i];
        for (int k = i > reach ? i - reach : 0; k <= i + reach && k < count; k++)
            if (largest ? line[k] > best : line[k] < best) best = line[k];
        v[i * stride] = best;
    }
}

/* The mean of the neighbours up to half of REACH away, which rounds off the square's corners. */
static void mean_line(uint8_t *v, int count, int stride)
{
    uint8_t line[GRID];
    for (int i = 0; i < count; i++) line[i] = v[i * stride];
    for (int i = 0; i < count; i++) {
        int sum = 0, n = 0;
        for (int k = i - REACH / 2; k <= i + REACH / 2; k++)
            if (k >= 0 && k < count) sum += line[k], n++;
        v[i * stride] = (uint8_t)((sum + n / 2) / n);
    }
}

static void extreme(grid *g, int reach, bool largest)
{
    for (int j = 0; j < g->height; j++)
        extreme_line(g->v + j * g->width, g->width, 1, reach, largest);
    for (int i = 0; i < g->width; i++) extreme_line(g->v + i, g->height, g->width, reach, largest);
}

static void smooth(grid *g)
{
    for (int j = 0; j < g->height; j++) mean_line(g->v + j * g->width, g->width, 1);
    for (int i = 0; i < g->width; i++) mean_line(g->v + i, g->height, g->width);
}

bool mg__background_is_bright(const mg__plane *plane)
{
    grid g, closed, opened;
    double dark = 0, bright = 0;
    make_grid(&g, plane);
    closed = opened = g;
    extreme(&closed, STROKE_REACH, true);
    extreme(&closed, STROKE_REACH, false);
    extreme(&opened, STROKE_REACH, false);
    extreme(&opened, STROKE_REACH, true);
    for (int i = 0; i < g.width * g.height; i++) {
        dark += pow(closed.v[i] - g.v[i], 2);
        bright += pow(g.v[i] - opened.v[i], 2);
    }
    return dark >= bright;
}

/* Where a pixel's centre lies among the centres of cells: `part` of the way from the first one to
 * the next. */
typedef struct position {
    int first;
    float part;
} position;

static position among_cells(uint32_t at, uint32_t pixels, int cells)
{
    const double cell = fmin(fmax((at + 0.5) * cells / pixels - 0.5, 0), cells - 1);
    const int first = cells > 1 ? (int)fmin(cell, cells - 2) : 0;
    return (position){first, (float)(cell - first)};
}

/* Takes paper from a row: `upper` and `lower` are the cells' rows above and below its centre. */
static void remove_row(uint8_t *row, uint32_t width, const position *columns, const uint8_t *upper,
                       const uint8_t *lower, int cells, float down, bool dark_ink)
{
    float paper[GRID + 1];
    assert(cells > 0);
    for (int i = 0; i < cells; i++)
        paper[i] = (float)upper[i] + down * (float)(lower[i] - upper[i]);
    paper[cells] = paper[cells - 1];
    for (uint32_t x = 0; x < width; x++) {
        const float *p = paper + columns[x].first;
        const float ground = p[0] + columns[x].part * (p[1] - p[0]) + 0.5f;
        const int ink = dark_ink ? (int)ground - row[x] : row[x] - (int)ground;
        row[x] = (uint8_t)(ink > 0 ? ink : 0);
    }
}

mg_status mg__background_remove(mg__plane *plane, bool dark_ink)
{
    grid g;
    make_grid(&g, plane);
    extreme(&g, REACH, dark_ink);
    extreme(&g, REACH, !dark_ink);
    smooth(&g);
    position *columns = malloc(plane->width * sizeof *columns);
    if (!columns) return mg__fail(MG_ERR_MEMORY, "out of memory for a picture's background");
    for (uint32_t x = 0; x < plane->width; x++) columns[x] = among_cells(x, plane->width, g.width);
    for (uint32_t y = 0; y < plane->height; y++) {
        const position at = among_cells(y, plane->height, g.height);
        const uint8_t *upper = g.v + at.first * g.width,
                      *lower = upper + (g.height > 1 ? g.width : 0);
        remove_row(plane->v + (size_t)y * plane->width, plane->width, columns, upper, lower,
                   g.width, at.part, dark_ink);
    }
    free(columns);
    return MG_OK;
}
