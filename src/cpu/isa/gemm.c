/* Matrix products. What makes them fast: a tile of sums stays in registers through the whole of k,
 * so every loaded vector feeds several multiply-adds and no sum is stored before it is done. */
#include "cpu/kernels.h"
#include "cpu/isa/vector.h"

#if MG_LANES == 16
#define TILE_ROWS 12
enum { TILE_VECTORS = 2 }; /* 24 sums in 32 registers */
#else
#define TILE_ROWS 3
enum { TILE_VECTORS = 4 }; /* 12 in 16 */
#endif
enum { TILE_COLUMNS = TILE_VECTORS * WIDTH, DOT_ROWS = 4, DOT_COLUMNS = 3 };

/* ---- c = a b: every step of k takes a few vectors of b and a number of each of `rows` rows of a
 * ---- */

INLINE void tile_nn(const int rows, int k, const float *a, long a_row, long a_col, const float *b,
                    long b_row, float *c, long c_row)
{
    vec sum[TILE_ROWS][TILE_VECTORS];
    UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < TILE_VECTORS; j++) sum[i][j] =
        (vec){0};
    for (int l = 0; l < k; l++, a += a_col, b += b_row) {
        vec bl[TILE_VECTORS];
        UNROLL for (int j = 0; j < TILE_VECTORS; j++) bl[j] = load(b + j * WIDTH);
        UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < TILE_VECTORS; j++)
            sum[i][j] += a[i * a_row] * bl[j];
    }
    UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < TILE_VECTORS; j++)
        store(c + i * c_row + j * WIDTH, sum[i][j]);
}

/* Fewer columns than a tile is wide: one number at a time. */
static void narrow_nn(int m, int n, int k, const float *a, long a_row, long a_col, const float *b,
                      long b_row, float *c, long c_row)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            float sum = 0;
            for (int l = 0; l < k; l++) sum += a[i * a_row + l * a_col] * b[l * b_row + j];
            c[i * c_row + j] = sum;
        }
}

static void nn(int m, int n, int k, const float *a, long a_row, long a_col, const float *b,
               long b_row, float *c, long c_row)
{
    if (n < TILE_COLUMNS) {
        narrow_nn(m, n, k, a, a_row, a_col, b, b_row, c, c_row);
        return;
    }
    for (int j = 0; j < n; j += TILE_COLUMNS) {
        /* The last tile is moved left to end at the edge: some columns are computed twice, alike.
         */
        const int at = j + TILE_COLUMNS <= n ? j : n - TILE_COLUMNS;
        for (int i = 0; i < m; i += TILE_ROWS) {
            const float *ai = a + i * a_row;
            float *ci = c + i * c_row + at;
            switch (m - i) {
#define ROWS(r)                                                                                    \
    case r:                                                                                        \
        tile_nn(r, k, ai, a_row, a_col, b + at, b_row, ci, c_row);                                 \
        break;
                ROWS(1)
                ROWS(2)
#if TILE_ROWS == 12
                ROWS(3)
                ROWS(4)
                ROWS(5)
                ROWS(6)
                ROWS(7)
                ROWS(8)
                ROWS(9)
                ROWS(10)
                ROWS(11)
#endif
#undef ROWS
            default:
                tile_nn(TILE_ROWS, k, ai, a_row, a_col, b + at, b_row, ci, c_row);
            }
        }
    }
}

/* ---- c = a b^T: rows of a and b are contiguous, so every sum is a dot product of vectors ---- */

INLINE void tile_nt(const int rows, const int columns, int k, const float *a, long a_row,
                    const float *b, long b_row, float *c, long c_row, const float *bias, bool relu)
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
        s += bias[j];
        c[i * c_row + j] = relu && s <= 0 ? 0 : s;
    }
}

static void nt(int m, int n, int k, const float *a, long a_row, const float *b, long b_row,
               float *c, long c_row, const float *bias, bool relu)
{
    for (int j = 0; j < n; j += DOT_COLUMNS) {
        const float *bj = b + j * b_row;
        for (int i = 0; i < m; i += DOT_ROWS) {
            const float *ai = a + i * a_row;
            float *cij = c + i * c_row + j;
            const int rows = m - i < DOT_ROWS ? m - i : DOT_ROWS;
            const int columns = n - j < DOT_COLUMNS ? n - j : DOT_COLUMNS;
            switch (10 * rows + columns) {
#define TILE(r, q)                                                                                 \
    case 10 * r + q:                                                                               \
        tile_nt(r, q, k, ai, a_row, bj, b_row, cij, c_row, bias + j, relu);                        \
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

const mg_cpu_gemm_kernels KERNEL(gemm) = {.nn = nn, .nt = nt};
