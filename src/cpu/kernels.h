/* The inner loops of the CPU backend. src/cpu/isa is compiled once per instruction set; the backend
 * picks one table when it opens. */
#ifndef MG_CPU_KERNELS_H
#define MG_CPU_KERNELS_H

#include "backend.h"

/* A padded image and the windows that slide over it: window (p, q) begins at (p * stride, q *
 * stride). */
typedef struct mg_cpu_windows {
    int c, h, w;         /* of the image, its padding included */
    int r, p, q, stride; /* r x r windows, p x q of them */
} mg_cpu_windows;

/* Buffers given to to_columns have room for this many floats more than they hold: it copies whole
 * vectors. */
enum { MG_CPU_SLACK = 16 };

typedef struct mg_cpu_kernels {
    const char *name;  /* "AVX2" */
    const char *token; /* what MNIST_GPU_CPU calls it: "avx2" */

    /* c[i][j] = row_bias[i] + sum_l a[i * a_row + l * a_col] b[l][j]    (row_bias NULL: 0)
     * a: m x k with any strides; b: k rows of n contiguous floats, b_row apart; c: m rows, c_row
     * apart. */
    void (*gemm_nn)(int m, int n, int k, const float *a, long a_row, long a_col, const float *b,
                    long b_row, float *c, long c_row, const float *row_bias);

    /* c[i][j] = (add ? c[i][j] : column_bias[j]) + sum_l a[i][l] b[j][l]    (column_bias NULL: 0)
     * a: m rows, b: n rows of k contiguous floats. */
    void (*gemm_nt)(int m, int n, int k, const float *a, long a_row, const float *b, long b_row,
                    float *c, long c_row, const float *column_bias, bool add);

    /* The optimizers of mg_update on elements first .. first+count-1. rate = lr / (1 - beta1^t),
     * scale = 1 / sqrt(1 - beta2^t). */
    void (*adam)(const mg_update *u, size_t first, size_t count, float rate, float scale);
    void (*sgd)(const mg_update *u, size_t first, size_t count);

    /* columns[(c,r,s)][(p,q)] = image[c][p*stride + r][q*stride + s], and its adjoint: image is the
     * sum of the columns' entries, each added to the pixel that it was copied from. */
    void (*to_columns)(const mg_cpu_windows *v, float *columns, const float *image);
    void (*from_columns)(const mg_cpu_windows *v, float *image, const float *columns);

    void (*relu_forward)(float *y, const float *x, size_t count);
    void (*relu_backward)(float *dx, const float *dy, const float *y, size_t count);
    float (*sum)(const float *x, size_t count);
} mg_cpu_kernels;

extern const mg_cpu_kernels mg_cpu_kernels_baseline;
#ifdef __x86_64__
extern const mg_cpu_kernels mg_cpu_kernels_avx2, mg_cpu_kernels_avx512;
#endif

#endif
