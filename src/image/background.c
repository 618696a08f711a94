#include "image/background.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Light changes slowly: it is looked for in means over cells, GRID to the longer side. */
enum { GRID = 64, REACH = GRID / 8 };

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

/* a + b x + c y, x and y from -1 to 1 across the picture */
typedef struct slope {
    double a, b, c;
} slope;

static double at_cell(int i, int count) { return count > 1 ? 2.0 * i / (count - 1) - 1 : 0; }

/* Least squares over the border's cells whose value is within `reach` of `s`; the system is
 * solved by Cramer's rule. False if they do not determine a plane. */
static bool fit_border(slope *s, const grid *g, double reach)
{
    double n = 0, x1 = 0, y1 = 0, xx = 0, xy = 0, yy = 0, v1 = 0, vx = 0, vy = 0;
    for (int j = 0; j < g->height; j++)
        for (int i = 0; i < g->width; i++) {
            if (i > 0 && j > 0 && i < g->width - 1 && j < g->height - 1) continue;
            const double x = at_cell(i, g->width), y = at_cell(j, g->height);
            const double v = g->v[j * g->width + i];
            if (fabs(v - (s->a + s->b * x + s->c * y)) > reach) continue;
            n += 1, x1 += x, y1 += y, xx += x * x, xy += x * y, yy += y * y;
            v1 += v, vx += v * x, vy += v * y;
        }
    const double det =
        n * (xx * yy - xy * xy) - x1 * (x1 * yy - xy * y1) + y1 * (x1 * xy - xx * y1);
    if (!(det > 1e-6 * n * n * n)) return false;
    *s = (slope){
        (v1 * (xx * yy - xy * xy) - x1 * (vx * yy - xy * vy) + y1 * (vx * xy - xx * vy)) / det,
        (n * (vx * yy - vy * xy) - v1 * (x1 * yy - xy * y1) + y1 * (x1 * vy - vx * y1)) / det,
        (n * (xx * vy - xy * vx) - x1 * (x1 * vy - vx * y1) + v1 * (x1 * xy - xx * y1)) / det};
    return true;
}

/* The median distance of the border's cells from the slope. */
static double spread(const grid *g, const slope *s)
{
    uint32_t histogram[256] = {0};
    for (int j = 0; j < g->height; j++)
        for (int i = 0; i < g->width; i++) {
            if (i > 0 && j > 0 && i < g->width - 1 && j < g->height - 1) continue;
            const double at = s->a + s->b * at_cell(i, g->width) + s->c * at_cell(j, g->height);
            const double off = fabs(g->v[j * g->width + i] - at);
            histogram[(int)fmin(off, 255)]++;
        }
    return mg__quantile(histogram, 0.5);
}

static uint8_t clamped(double v) { return (uint8_t)(fmin(fmax(v, 0), 255) + 0.5); }

void mg__background_level(mg__plane *plane)
{
    enum { ROUNDS = 5 };
    uint32_t border[256];
    grid g;
    make_grid(&g, plane);
    mg__plane_border_histogram(border, plane);
    slope s = {.a = mg__quantile(border, 0.5)};
    for (int round = 0; round < ROUNDS; round++)
        if (!fit_border(&s, &g, 3 * spread(&g, &s) + 3)) return;
    if (fabs(s.b) < 1 && fabs(s.c) < 1) return; /* a level sheet stays exactly as it is */
    for (uint32_t y = 0; y < plane->height; y++) {
        uint8_t *row = plane->v + (size_t)y * plane->width;
        const double light = s.c * (2 * (y + 0.5) / plane->height - 1);
        for (uint32_t x = 0; x < plane->width; x++)
            row[x] = clamped(row[x] - light - s.b * (2 * (x + 0.5) / plane->width - 1));
    }
}

/* ---- closing and opening ---- */

/* The largest value (the smallest if !largest) of every cell's neighbours up to REACH away, along
 * lines of `count` cells `stride` apart. */
static void extreme_line(uint8_t *v, int count, int stride, bool largest)
{
    uint8_t line[GRID];
    for (int i = 0; i < count; i++) line[i] = v[i * stride];
    for (int i = 0; i < count; i++) {
        uint8_t best = line[i];
        for (int k = i > REACH ? i - REACH : 0; k <= i + REACH && k < count; k++)
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

static void extreme(grid *g, bool largest)
{
    for (int j = 0; j < g->height; j++) extreme_line(g->v + j * g->width, g->width, 1, largest);
    for (int i = 0; i < g->width; i++) extreme_line(g->v + i, g->height, g->width, largest);
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
    extreme(&closed, true);
    extreme(&closed, false);
    extreme(&opened, false);
    extreme(&opened, true);
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
    extreme(&g, dark_ink);
    extreme(&g, !dark_ink);
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
