/* The inner loops, in GCC's vector extensions: one source, as wide as the instruction set it is
 * compiled for (MG_ISA names it). What makes the products fast: a tile of sums stays in registers
 * through the whole of k, so every loaded vector feeds several multiply-adds and no sum is stored
 * before it is done. */
#include "cpu/kernels.h"
#include <math.h>
#include <string.h>

#if defined(__AVX512F__)
#define WIDTH     16
#define TILE_ROWS 12
#define ISA_NAME  "AVX-512"
#elif defined(__AVX2__)
#define WIDTH     8
#define TILE_ROWS 6
#define ISA_NAME  "AVX2"
#else
#define WIDTH     4
#define TILE_ROWS 4
#define ISA_NAME  "baseline"
#endif
enum { TILE_COLUMNS = 2 * WIDTH, DOT_ROWS = 4, DOT_COLUMNS = 3 };

typedef float vec __attribute__((vector_size(4 * WIDTH)));
typedef float vec_unaligned __attribute__((vector_size(4 * WIDTH), aligned(4), may_alias));

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

INLINE vec load(const float *p) { return *(const vec_unaligned *)p; }
INLINE void store(float *p, vec v) { *(vec_unaligned *)p = v; }

/* The lanes' sum, by halves: always in the same order. */
INLINE float sum_lanes(vec v)
{
    typedef int index __attribute__((vector_size(4 * WIDTH)));
    index lane;
    for (int i = 0; i < WIDTH; i++) lane[i] = i;
    UNROLL for (int half = WIDTH / 2; half > 0; half /= 2) v += __builtin_shuffle(v, lane ^ half);
    return v[0];
}

/* ---- c = a b: every step of k takes two vectors of b and one number of each of `rows` rows of a
 * ---- */

INLINE void tile_nn(const int rows, int k, const float *a, long a_row, long a_col, const float *b,
                    long b_row, float *c, long c_row, const float *row_bias)
{
    vec sum[TILE_ROWS][2];
    UNROLL for (int i = 0; i < rows; i++) sum[i][0] = sum[i][1] =
        (row_bias ? row_bias[i] : 0) - (vec){0};
    for (int l = 0; l < k; l++, a += a_col, b += b_row) {
        const vec b0 = load(b), b1 = load(b + WIDTH);
        UNROLL for (int i = 0; i < rows; i++)
        {
            sum[i][0] += a[i * a_row] * b0;
            sum[i][1] += a[i * a_row] * b1;
        }
    }
    UNROLL for (int i = 0; i < rows; i++)
    {
        store(c + i * c_row, sum[i][0]);
        store(c + i * c_row + WIDTH, sum[i][1]);
    }
}

/* Fewer columns than a tile is wide: one number at a time. */
static void narrow_nn(int m, int n, int k, const float *a, long a_row, long a_col, const float *b,
                      long b_row, float *c, long c_row, const float *row_bias)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            float sum = row_bias ? row_bias[i] : 0;
            for (int l = 0; l < k; l++) sum += a[i * a_row + l * a_col] * b[l * b_row + j];
            c[i * c_row + j] = sum;
        }
}

static void gemm_nn(int m, int n, int k, const float *a, long a_row, long a_col, const float *b,
                    long b_row, float *c, long c_row, const float *row_bias)
{
    if (n < TILE_COLUMNS) {
        narrow_nn(m, n, k, a, a_row, a_col, b, b_row, c, c_row, row_bias);
        return;
    }
    for (int j = 0; j < n; j += TILE_COLUMNS) {
        /* The last tile is moved left to end at the edge: some columns are computed twice, alike.
         */
        const int at = j + TILE_COLUMNS <= n ? j : n - TILE_COLUMNS;
        for (int i = 0; i < m; i += TILE_ROWS) {
            const float *ai = a + i * a_row, *bias = row_bias ? row_bias + i : NULL;
            float *ci = c + i * c_row + at;
            switch (m - i) {
#define ROWS(r)                                                                                    \
    case r:                                                                                        \
        tile_nn(r, k, ai, a_row, a_col, b + at, b_row, ci, c_row, bias);                           \
        break;
                ROWS(1)
                ROWS(2)
                ROWS(3)
#if TILE_ROWS > 4
                ROWS(4)
                ROWS(5)
#endif
#if TILE_ROWS > 6
                ROWS(6)
                ROWS(7)
                ROWS(8)
                ROWS(9)
                ROWS(10)
                ROWS(11)
#endif
#undef ROWS
            default:
                tile_nn(TILE_ROWS, k, ai, a_row, a_col, b + at, b_row, ci, c_row, bias);
            }
        }
    }
}

/* ---- c = a b^T: rows of a and b are contiguous, so every sum is a dot product of vectors ---- */

INLINE void tile_nt(const int rows, const int columns, int k, const float *a, long a_row,
                    const float *b, long b_row, float *c, long c_row, const float *column_bias,
                    bool add)
{
    vec sum[DOT_ROWS][DOT_COLUMNS];
    UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < columns; j++) sum[i][j] =
        (vec){0};
    int l = 0;
    for (; l + WIDTH <= k; l += WIDTH) {
        vec bl[DOT_COLUMNS];
        UNROLL for (int j = 0; j < columns; j++) bl[j] = load(b + j * b_row + l);
        UNROLL for (int i = 0; i < rows; i++)
        {
            const vec al = load(a + i * a_row + l);
            UNROLL for (int j = 0; j < columns; j++) sum[i][j] += al * bl[j];
        }
    }
    UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < columns; j++)
    {
        float s = sum_lanes(sum[i][j]);
        for (int t = l; t < k; t++) s += a[i * a_row + t] * b[j * b_row + t];
        float *out = c + i * c_row + j;
        *out = s + (add ? *out : column_bias ? column_bias[j] : 0);
    }
}

static void gemm_nt(int m, int n, int k, const float *a, long a_row, const float *b, long b_row,
                    float *c, long c_row, const float *column_bias, bool add)
{
    for (int j = 0; j < n; j += DOT_COLUMNS) {
        const float *bj = b + j * b_row, *bias = column_bias ? column_bias + j : NULL;
        for (int i = 0; i < m; i += DOT_ROWS) {
            const float *ai = a + i * a_row;
            float *cij = c + i * c_row + j;
            const int rows = m - i < DOT_ROWS ? m - i : DOT_ROWS;
            const int columns = n - j < DOT_COLUMNS ? n - j : DOT_COLUMNS;
            switch (10 * rows + columns) {
#define TILE(r, q)                                                                                 \
    case 10 * r + q:                                                                               \
        tile_nt(r, q, k, ai, a_row, bj, b_row, cij, c_row, bias, add);                             \
        break;
                TILE(4, 3)
                TILE(4, 2)
                TILE(4, 1)
                TILE(3, 3)
                TILE(3, 2)
                TILE(3, 1)
                TILE(2, 3)
                TILE(2, 2)
                TILE(2, 1)
                TILE(1, 3)
                TILE(1, 2)
                TILE(1, 1)
#undef TILE
            }
        }
    }
}

/* ---- convolution's columns ---- */

static void to_columns(const mg_cpu_windows *v, float *columns, const float *image)
{
    for (int c = 0; c < v->c; c++, image += (long)v->h * v->w)
        for (int tap = 0; tap < v->r * v->r; tap++) {
            const float *from = image + (long)(tap / v->r) * v->w + tap % v->r;
            for (int p = 0; p < v->p; p++, columns += v->q, from += (long)v->stride * v->w) {
                if (v->stride == 1) /* whole vectors: the next row overwrites what is too much */
                    for (int q = 0; q < v->q; q += WIDTH) store(columns + q, load(from + q));
                else
                    for (int q = 0; q < v->q; q++) columns[q] = from[(long)q * v->stride];
            }
        }
}

static void from_columns(const mg_cpu_windows *v, float *image, const float *columns)
{
    memset(image, 0, (size_t)v->c * (size_t)v->h * (size_t)v->w * sizeof *image);
    for (int c = 0; c < v->c; c++, image += (long)v->h * v->w)
        for (int tap = 0; tap < v->r * v->r; tap++) {
            float *to = image + (long)(tap / v->r) * v->w + tap % v->r;
            for (int p = 0; p < v->p; p++, columns += v->q, to += (long)v->stride * v->w) {
                int q = 0;
                if (v->stride == 1)
                    for (; q + WIDTH <= v->q; q += WIDTH)
                        store(to + q, load(to + q) + load(columns + q));
                for (; q < v->q; q++) to[(long)q * v->stride] += columns[q];
            }
        }
}

/* ---- one number after another: the compiler makes these vectors ---- */

static void adam(const mg_update *u, size_t first, size_t count, float rate, float scale)
{
    float *restrict w = u->w + first, *restrict m = u->slots[0] + first;
    float *restrict v = u->slots[1] + first;
    const float *restrict g = u->dw + first;
    const float b1 = u->beta1, b2 = u->beta2, eps = u->eps;
    for (size_t i = 0; i < count; i++) {
        m[i] += (1 - b1) * (g[i] - m[i]);
        v[i] = b2 * v[i] + (1 - b2) * g[i] * g[i];
        w[i] -= rate * m[i] / (sqrtf(v[i]) * scale + eps);
    }
}

static void sgd(const mg_update *u, size_t first, size_t count)
{
    float *restrict w = u->w + first, *restrict buf = u->slots[0] + first;
    const float *restrict g = u->dw + first;
    const float momentum = u->momentum, lr = u->state->lr;
    for (size_t i = 0; i < count; i++) {
        buf[i] = momentum * buf[i] + g[i]; /* buf starts at 0 */
        w[i] -= lr * buf[i];
    }
}

static void relu_forward(float *restrict y, const float *restrict x, size_t count)
{
    for (size_t i = 0; i < count; i++) y[i] = x[i] <= 0 ? 0 : x[i];
}

static void relu_backward(float *restrict dx, const float *restrict dy, const float *restrict y,
                          size_t count)
{
    for (size_t i = 0; i < count; i++) dx[i] = y[i] > 0 ? dy[i] : 0;
}

static float sum(const float *x, size_t count)
{
    vec lanes = {0};
    size_t i = 0;
    for (; i + WIDTH <= count; i += WIDTH) lanes += load(x + i);
    float s = sum_lanes(lanes);
    for (; i < count; i++) s += x[i];
    return s;
}

#define STRING_(x)  #x
#define STRING(x)   STRING_(x)
#define TABLE_(isa) mg_cpu_kernels_##isa
#define TABLE(isa)  TABLE_(isa)
const mg_cpu_kernels TABLE(MG_ISA) = {
    .name = ISA_NAME,
    .token = STRING(MG_ISA),
    .gemm_nn = gemm_nn,
    .gemm_nt = gemm_nt,
    .to_columns = to_columns,
    .from_columns = from_columns,
    .adam = adam,
    .sgd = sgd,
    .relu_forward = relu_forward,
    .relu_backward = relu_backward,
    .sum = sum,
};
