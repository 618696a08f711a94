/* Convolution, many images at once: a vector holds the same pixel of WIDTH images ("lanes"), so a
 * multiply-add is a weight times that vector, whatever the shapes, strides and borders; no lane is
 * ever wasted on the edge of an image, and taps that would read padding alone are left out.
 *
 * What makes it fast: the sums of a tile of outputs stay in registers over all channels and taps,
 * and each pixel loaded feeds OUTS of them, each weight four. Bias, ReLU and 2x2 max-pool happen
 * before a sum is ever stored. */
#include "cpu/kernels.h"
#include "cpu/isa/vector.h"
#include <string.h>

#if MG_LANES == 16
enum { OUTS = 6, GRAD_OUTS = 6, GRAD_TAPS = 4 }; /* 24 sums in 32 registers */
#elif MG_LANES == 8
enum { OUTS = 3, GRAD_OUTS = 4, GRAD_TAPS = 3 }; /* 12 in 16 */
#else
enum { OUTS = 3, GRAD_OUTS = 4, GRAD_TAPS = 3 };
#endif

/* ---- y[k][p][q] = bias[k] + sum_{c,r,s} w[k][c][r][s] x[c][p*stride + r][q*stride + s] ---- */

typedef struct tap_range {
    int r, r_end, s, s_end;
} tap_range;

/* The taps of a window that begins at `at` (or of one that begins `further` on) that meet pixels.
 */
static void clip(int *first, int *end, int at, int further, int size, mg_cpu_span pixels)
{
    *first = pixels.first - at - further > 0 ? pixels.first - at - further : 0;
    *end = pixels.end - at < size ? pixels.end - at : size;
    if (*end < *first) *end = *first;
}

/* outs x (rows x columns) sums; x at the first window, w at the first output's weights. */
INLINE void tile(const int outs, const int rows, const int columns, vec sum[OUTS][2][2],
                 const mg_cpu_correlation *v, const tap_range *t, const float *x, const float *w)
{
    const long right = (long)v->stride * WIDTH, down = right * v->x_width;
    const long x_channel = (long)v->x_height * v->x_width * WIDTH;
    for (int c = 0; c < v->channels; c++, x += x_channel, w += v->w_channel)
        for (int r = t->r; r < t->r_end; r++) {
            const float *xs = x + ((long)r * v->x_width + t->s) * WIDTH;
            const float *ws = w + (long)(r * v->size + t->s) * v->w_tap;
            for (int s = t->s; s < t->s_end; s++, xs += WIDTH, ws += v->w_tap) {
                vec weight[OUTS];
                UNROLL for (int k = 0; k < outs; k++) weight[k] = splat(ws[k * v->w_out]);
                UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < columns; j++)
                {
                    const vec pixel = load(xs + i * down + j * right);
                    UNROLL for (int k = 0; k < outs; k++) sum[k][i][j] += weight[k] * pixel;
                }
            }
        }
}

/* The largest of a 2x2 window; *winner is where: 0 to 3 in row order, the first of equals; NaN
 * wins, so that the loss shows it. */
INLINE vec largest(vec x[2][2], mask *winner)
{
    vec best = x[0][0];
    *winner = (mask){0};
    UNROLL for (int i = 1; i < 4; i++)
    {
        const vec xi = x[i / 2][i % 2];
        /* NOLINTNEXTLINE(misc-redundant-expression): NaN wins */
        const mask wins = (xi > best) | (xi != xi);
        best = choose(wins, xi, best);
        *winner = (wins & i) | (~wins & *winner);
    }
    return best;
}

/* Stores a tile's sums, after bias, ReLU and pooling; (p, q) is its first output. */
INLINE void finish(const int outs, const int rows, const int columns, vec sum[OUTS][2][2],
                   const mg_cpu_correlation *v, int p, int q, float *y, int8_t *winners)
{
    UNROLL for (int k = 0; k < outs; k++)
    {
        if (rows == 2 && columns == 2 && v->pool) {
            const long at = (((long)k * (v->height / 2) + p / 2) * (v->width / 2) + q / 2) * WIDTH;
            mask winner;
            vec best = largest(sum[k], &winner);
            if (v->relu) {
                const mask dead = best <= 0;
                best = choose(dead, (vec){0}, best);
                winner = (dead & MG_CPU_NO_WINNER) | (~dead & winner);
            }
            store(y + at, best);
            if (winners)
                *(bytes_unaligned *)(winners + at) = __builtin_convertvector(winner, bytes);
            continue;
        }
        UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < columns; j++)
        {
            const vec x = sum[k][i][j];
            store(y + (((long)k * v->height + p + i) * v->width + q + j) * WIDTH,
                  v->relu ? choose(x <= 0, (vec){0}, x) : x);
        }
    }
}

INLINE void whole_tile(const int outs, const int rows, const int columns,
                       const mg_cpu_correlation *v, int p, int q, const float *x, const float *w,
                       const float *bias, float *y, int8_t *winners)
{
    vec sum[OUTS][2][2];
    tap_range t;
    UNROLL for (int k = 0; k < outs; k++) UNROLL for (int i = 0; i < rows; i++)
        UNROLL for (int j = 0; j < columns; j++) sum[k][i][j] = splat(bias ? bias[k] : 0);
    const int row = p * v->stride, column = q * v->stride;
    clip(&t.r, &t.r_end, row, (rows - 1) * v->stride, v->size, v->rows);
    clip(&t.s, &t.s_end, column, (columns - 1) * v->stride, v->size, v->columns);
    tile(outs, rows, columns, sum, v, &t, x + ((long)row * v->x_width + column) * WIDTH, w);
    finish(outs, rows, columns, sum, v, p, q, y, winners);
}

/* All outputs of `outs` channels, in tiles of 2x2 with what is left at the edges. */
INLINE void channels(const int outs, const mg_cpu_correlation *v, const float *x, const float *w,
                     const float *bias, float *y, int8_t *winners)
{
    const int rows = v->height / 2 * 2, columns = v->width / 2 * 2;
    for (int p = 0; p < rows; p += 2) {
        for (int q = 0; q < columns; q += 2)
            whole_tile(outs, 2, 2, v, p, q, x, w, bias, y, winners);
        if (columns < v->width && !v->pool)
            whole_tile(outs, 2, 1, v, p, columns, x, w, bias, y, NULL);
    }
    if (rows == v->height || v->pool) return; /* the pool does not see what is left over */
    for (int q = 0; q < columns; q += 2) whole_tile(outs, 1, 2, v, rows, q, x, w, bias, y, NULL);
    if (columns < v->width) whole_tile(outs, 1, 1, v, rows, columns, x, w, bias, y, NULL);
}

static void correlate(const mg_cpu_correlation *v, int outs, const float *x, const float *w,
                      const float *bias, float *y, int8_t *winners)
{
    switch (outs) {
#define OUTS_ARE(n)                                                                                \
    case n:                                                                                        \
        channels(n, v, x, w, bias, y, winners);                                                    \
        break;
        OUTS_ARE(1)
        OUTS_ARE(2)
        OUTS_ARE(3)
#if MG_LANES == 16
        OUTS_ARE(4)
        OUTS_ARE(5)
        OUTS_ARE(6)
#endif
#undef OUTS_ARE
    }
}

/* ---- dw[k][c][r][s] += sum_{p,q} x[c][p*stride + r][q*stride + s] dy[k][p][q], lane by lane ----
 */

/* The outputs (first to end-1) for which tap r meets pixels. */
static void meet(int *first, int *end, int r, int stride, int outputs, mg_cpu_span pixels)
{
    const int from = pixels.first - r, to = pixels.end - 1 - r;
    *first = from > 0 ? (from + stride - 1) / stride : 0;
    *end = to < 0 ? 0 : to / stride + 1 < outputs ? to / stride + 1 : outputs;
}

/* outs x taps sums, each dw's at its place in `sums`. x[j]: what the j-th tap reads for output
 * (0, 0). */
INLINE void gradient_tile(const int outs, const int count, const mg_cpu_correlation *v,
                          const int rows[2], const int columns[2], const float *x, long x_next,
                          const float *dy, float *sums, long sums_next)
{
    const long dy_channel = (long)v->dy_height * v->dy_width * WIDTH;
    const long x_step = (long)v->stride * WIDTH, dy_step = (long)v->dy_stride * WIDTH;
    const long taps = (long)v->channels * v->size * v->size * WIDTH;
    vec sum[GRAD_OUTS][GRAD_TAPS];
    UNROLL for (int k = 0; k < outs; k++) UNROLL for (int j = 0; j < count; j++) sum[k][j] =
        load(sums + k * taps + j * sums_next);
    for (int p = rows[0]; p < rows[1]; p++) {
        const float *xp = x + p * x_step * v->x_width + columns[0] * x_step;
        const float *dyp = dy + p * dy_step * v->dy_width + columns[0] * dy_step;
        for (int q = columns[0]; q < columns[1]; q++, xp += x_step, dyp += dy_step) {
            vec pixel[GRAD_TAPS];
            UNROLL for (int j = 0; j < count; j++) pixel[j] = load(xp + j * x_next);
            UNROLL for (int k = 0; k < outs; k++)
            {
                const vec d = load(dyp + k * dy_channel);
                UNROLL for (int j = 0; j < count; j++) sum[k][j] += d * pixel[j];
            }
        }
    }
    UNROLL for (int k = 0; k < outs; k++) UNROLL for (int j = 0; j < count; j++)
        store(sums + k * taps + j * sums_next, sum[k][j]);
}

/* Tiles over channels: all of a tile's taps meet the same rectangle of outputs. */
INLINE void gradient_of_channels(const int outs, const int count, const mg_cpu_correlation *v,
                                 const float *x, const float *dy, float *sums)
{
    const long plane = (long)v->x_height * v->x_width * WIDTH,
               taps = (long)v->size * v->size * WIDTH;
    int rows[2], columns[2];
    for (int r = 0; r < v->size; r++) {
        meet(&rows[0], &rows[1], r, v->stride, v->height, v->rows);
        for (int s = 0; s < v->size; s++) {
            meet(&columns[0], &columns[1], s, v->stride, v->width, v->columns);
            gradient_tile(outs, count, v, rows, columns, x + ((long)r * v->x_width + s) * WIDTH,
                          plane, dy, sums + ((long)r * v->size + s) * WIDTH, taps);
        }
    }
}

/* One channel: tiles over neighbouring taps of a row, and all outputs that any of them meets. */
INLINE void gradient_of_row(const int outs, const int count, const mg_cpu_correlation *v, int r,
                            int s, const float *x, const float *dy, float *sums)
{
    int rows[2], columns[2], unused;
    meet(&rows[0], &rows[1], r, v->stride, v->height, v->rows);
    meet(&columns[0], &unused, s + count - 1, v->stride, v->width, v->columns);
    meet(&unused, &columns[1], s, v->stride, v->width, v->columns);
    gradient_tile(outs, count, v, rows, columns, x + ((long)r * v->x_width + s) * WIDTH, WIDTH, dy,
                  sums + ((long)r * v->size + s) * WIDTH, WIDTH);
}

INLINE void gradient_of_outs(const int outs, const mg_cpu_correlation *v, int count, const float *x,
                             const float *dy, float *sums)
{
#define CASE(n)                                                                                    \
    case n:                                                                                        \
        gradient_of_channels(outs, n, v, x, dy, sums);                                             \
        break;
    switch (v->channels > 1 ? count : 0) {
        CASE(1)
        CASE(2)
        CASE(3)
#if MG_LANES == 16
        CASE(4)
#endif
#undef CASE
    case 0:
        for (int r = 0; r < v->size; r++) {
            int s = 0;
            for (; s + GRAD_TAPS <= v->size; s += GRAD_TAPS)
                gradient_of_row(outs, GRAD_TAPS, v, r, s, x, dy, sums);
            for (; s < v->size; s++) gradient_of_row(outs, 1, v, r, s, x, dy, sums);
        }
    }
}

static void gradient(const mg_cpu_correlation *v, int outs, int count, const float *x,
                     const float *dy, float *sums)
{
    switch (outs) {
#define CASE(n)                                                                                    \
    case n:                                                                                        \
        gradient_of_outs(n, v, count, x, dy, sums);                                                \
        break;
        CASE(1)
        CASE(2)
        CASE(3)
        CASE(4)
#if MG_LANES == 16
        CASE(5)
        CASE(6)
#endif
#undef CASE
    }
}

/* ---- between rows (an image after the other) and lanes ---- */

INLINE void load_rows(vec v[WIDTH], const float *rows, long row_step, int row_count)
{
    UNROLL for (int l = 0; l < WIDTH; l++) v[l] =
        l < row_count ? load(rows + l * row_step) : (vec){0};
}

static void to_lanes(float *lanes, const int32_t *place, const float *rows, long row_step,
                     int row_count, long count)
{
    long i = 0;
    for (; i + WIDTH <= count; i += WIDTH) {
        vec v[WIDTH];
        load_rows(v, rows + i, row_step, row_count);
        transpose(v);
        UNROLL for (int l = 0; l < WIDTH; l++) store(lanes + place[i + l], v[l]);
    }
    for (; i < count; i++)
        for (int l = 0; l < WIDTH; l++)
            lanes[place[i] + l] = l < row_count ? rows[l * row_step + i] : 0;
}

static void from_lanes(float *rows, long row_step, int row_count, const float *lanes, long count)
{
    long i = 0;
    for (; i + WIDTH <= count; i += WIDTH) {
        vec v[WIDTH];
        UNROLL for (int l = 0; l < WIDTH; l++) v[l] = load(lanes + (i + l) * WIDTH);
        transpose(v);
        UNROLL for (int l = 0; l < WIDTH; l++) if (l < row_count)
            store(rows + l * row_step + i, v[l]);
    }
    for (; i < count; i++)
        for (int l = 0; l < row_count; l++) rows[l * row_step + i] = lanes[i * WIDTH + l];
}

static void add_lanes(float *sum, const float *lanes, long count)
{
    vec s = load(sum);
    for (long i = 0; i < count; i++) s += load(lanes + i * WIDTH);
    store(sum, s);
}

static void fold_lanes(float *sums, const float *lanes, long count)
{
    long i = 0;
    for (; i + WIDTH <= count; i += WIDTH) {
        vec v[WIDTH];
        UNROLL for (int l = 0; l < WIDTH; l++) v[l] = load(lanes + (i + l) * WIDTH);
        transpose(v);
        UNROLL for (int half = WIDTH / 2; half > 0; half /= 2) UNROLL for (int l = 0; l < half; l++)
            v[l] += v[l + half];
        store(sums + i, v[0]);
    }
    for (; i < count; i++) sums[i] = sum_lanes(load(lanes + i * WIDTH));
}

/* ---- sums of few rows, for gradients that are mostly zero ---- */

/* By the number of vectors in a row, 1 to 4: at most 12 sums in registers. */
enum { MOST_VECTORS = 4, MOST_ROWS = 6 };
static const int rows_for[MOST_VECTORS + 1] = {0, 6, 6, 4, 3};

INLINE void scaled_tile(const int rows, const int vectors, float *to, long to_step,
                        const float *from, long from_step, const mg_cpu_term *t, long count)
{
    vec sum[MOST_ROWS][MOST_VECTORS];
    UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < vectors; v++) sum[r][v] =
        load(to + r * to_step + v * WIDTH);
    for (; count > 0; count--, t++) {
        const float *at = from + t->at;
        const vec scale = splat(t->scale);
        UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < vectors; v++) sum[r][v] +=
            scale * load(at + r * from_step + v * WIDTH);
    }
    UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < vectors; v++)
        store(to + r * to_step + v * WIDTH, sum[r][v]);
}

static void add_scaled(float *to, long to_step, const float *from, long from_step, int rows,
                       int vectors, const mg_cpu_term *terms, long count)
{
    while (vectors > 0) {
        const int wide = vectors < MOST_VECTORS ? vectors : MOST_VECTORS, most = rows_for[wide];
        for (int r = 0; r < rows; r += most) {
            const int tall = rows - r < most ? rows - r : most;
            float *t = to + r * to_step;
            const float *f = from + r * from_step;
            switch (10 * tall + wide) {
#define CASE(r, v)                                                                                 \
    case 10 * r + v:                                                                               \
        scaled_tile(r, v, t, to_step, f, from_step, terms, count);                                 \
        break;
                CASE(1, 1)
                CASE(2, 1)
                CASE(3, 1)
                CASE(4, 1)
                CASE(5, 1)
                CASE(6, 1)
                CASE(1, 2)
                CASE(2, 2)
                CASE(3, 2)
                CASE(4, 2)
                CASE(5, 2)
                CASE(6, 2)
                CASE(1, 3)
                CASE(2, 3)
                CASE(3, 3)
                CASE(4, 3)
                CASE(1, 4)
                CASE(2, 4)
                CASE(3, 4)
#undef CASE
            }
        }
        vectors -= wide;
        to += wide * WIDTH;
        from += wide * WIDTH;
    }
}

const mg_cpu_conv_kernels KERNEL(conv) = {
    .lanes = WIDTH,
    .outs = OUTS,
    .gradient_outs = GRAD_OUTS,
    .gradient_channels = GRAD_TAPS,
    .correlate = correlate,
    .gradient = gradient,
    .to_lanes = to_lanes,
    .from_lanes = from_lanes,
    .add_scaled = add_scaled,
    .add_lanes = add_lanes,
    .fold_lanes = fold_lanes,
};
