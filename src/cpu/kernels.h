/* The inner loops of the CPU backend. src/cpu/isa is compiled once per instruction set; the backend
 * picks one table when it opens. */
#ifndef MG_CPU_KERNELS_H
#define MG_CPU_KERNELS_H

#include "backend.h"

typedef struct mg_cpu_span {
    int first, end;
} mg_cpu_span;

/* A convolution on "lanes": arrays [channel][row][column][lane], where lane l belongs to image l of
 * a block of as many images as a vector has floats. Images have zeros around them, so that every
 * window lies inside. */
typedef struct mg_cpu_correlation {
    int channels, size, stride;         /* of x; windows of size x size taps, `stride` apart */
    int x_height, x_width;              /* the zeros included */
    mg_cpu_span rows, columns;          /* where x's pixels are */
    int height, width;                  /* outputs, before pooling */
    long w_out, w_channel, w_tap;       /* from a weight to that of the next output, channel, tap */
    bool relu, pool;                    /* what follows; pool is 2x2 */
    int dy_height, dy_width, dy_stride; /* how gradients of the outputs lie */
} mg_cpu_correlation;

enum { MG_CPU_NO_WINNER = 4 }; /* of a pool's window whose maximum the ReLU cut off */

typedef struct mg_cpu_term {
    int32_t at;
    float scale;
} mg_cpu_term;

typedef struct mg_cpu_conv_kernels {      /* isa/conv.c */
    int lanes;                            /* images in a block */
    int outs;                             /* the most that correlate takes at once */
    int gradient_outs, gradient_channels; /* the same of gradient */

    /* y[k][p][q] = bias[k] + sum_{c,r,s} w[k][c][r][s] x[c][p*stride + r][q*stride + s], then ReLU,
     * then the maximum of every 2x2, as v says. bias NULL: 0. x, y: lanes; w: the first output's.
     * winners, [k][p][q][lane] as y after the pool, or NULL: which of the window was the maximum,
     * 0 to 3 in row order, or MG_CPU_NO_WINNER. */
    void (*correlate)(const mg_cpu_correlation *v, int outs, const float *x, const float *w,
                      const float *bias, float *y, int8_t *winners);

    /* sums[k][c][r][s] += sum_{p,q} x[c][p*stride + r][q*stride + s] dy[k][p][q], lane by lane, for
     * `count` channels of x; all of them where v->channels is 1. sums:
     * [k][v->channels][r][s][lane].
     */
    void (*gradient)(const mg_cpu_correlation *v, int outs, int count, const float *x,
                     const float *dy, float *sums);

    /* lanes[place[i]] = rows[l * row_step + i] in lane l, 0 for l >= row_count; i < count. */
    void (*to_lanes)(float *lanes, const int32_t *place, const float *rows, long row_step,
                     int row_count, long count);
    /* rows[l * row_step + i] = lanes[i] in lane l < row_count. */
    void (*from_lanes)(float *rows, long row_step, int row_count, const float *lanes, long count);
    void (*add_lanes)(float *sum, const float *lanes, long count);   /* sum += all of them */
    void (*fold_lanes)(float *sums, const float *lanes, long count); /* sums[i]: of lanes[i] */

    /* to[r * to_step + i] += sum over the terms of scale * from[at + r * from_step + i], for r <
     * rows and i < vectors * lanes. */
    void (*add_scaled)(float *to, long to_step, const float *from, long from_step, int rows,
                       int vectors, const mg_cpu_term *terms, long count);
} mg_cpu_conv_kernels;

typedef struct mg_cpu_gemm_kernels { /* isa/gemm.c */
    /* c[i][j] = sum_l a[i * a_row + l * a_col] b[l][j]
     * a: m x k with any strides; b: k rows of n contiguous floats, b_row apart; c: m rows, c_row
     * apart. */
    void (*nn)(int m, int n, int k, const float *a, long a_row, long a_col, const float *b,
               long b_row, float *c, long c_row);

    /* c[i][j] = bias[j] + sum_l a[i][l] b[j][l], and max(that, 0) with relu.
     * a: m rows, b: n rows of k contiguous floats. */
    void (*nt)(int m, int n, int k, const float *a, long a_row, const float *b, long b_row,
               float *c, long c_row, const float *bias, bool relu);
} mg_cpu_gemm_kernels;

/* An optimizer of mg_update on elements first .. first+count-1, whose gradients begin at dw, and
 * what it needs that is the same for all elements of a step. */
typedef struct mg_cpu_updater mg_cpu_updater;
typedef void mg_cpu_update_fn(const mg_cpu_updater *u, size_t first, size_t count, const float *dw);
struct mg_cpu_updater {
    const mg_update *update;
    mg_cpu_update_fn *fn;
    float lr;
    float factor,
        limit;         /* gradients are multiplied by, and clipped to; 1, infinity if they aren't */
    float l2, keep;    /* weights' part in gradients; what decay leaves of weights: 0, 1 without */
    float rate, scale; /* Adam: lr / (1 - beta1^t), 1 / sqrt(1 - beta2^t) */
};

/* A layer that works on each number alone; both take its arguments. */
typedef struct mg_cpu_activation {
    void (*forward)(float *y, const float *x, size_t count, const mg_layer_args *args);
    void (*backward)(float *dx, const float *dy, const float *y, size_t count,
                     const mg_layer_args *args);
} mg_cpu_activation;

typedef struct mg_cpu_element_kernels { /* isa/elementwise.c */
    mg_cpu_update_fn *adam, *sgd, *rmsprop;
    double (*sum_squares)(const float *x, size_t count); /* count a multiple of 64 */
    mg_cpu_activation relu, leaky_relu, tanh, sigmoid;
    void (*normalise)(float *y, const uint8_t *pixels, size_t count, float scale, float shift);
} mg_cpu_element_kernels;

/* A channel of a batch: the values at n * step + i, n < images and i < size, of arrays that begin
 * with the channel's first. */
typedef struct mg_cpu_channel {
    long images, step, size;
} mg_cpu_channel;

typedef struct mg_cpu_norm_kernels { /* isa/norm.c */
    double (*sum)(const mg_cpu_channel *v, const float *x);
    double (*squares)(const mg_cpu_channel *v, const float *x, float mean); /* of x - mean */
    /* sums of dy and of dy (x - mean) */
    void (*products)(const mg_cpu_channel *v, const float *dy, const float *x, float mean,
                     double *sum_dy, double *sum_dy_x);
    /* y = scale (x - mean) + shift */
    void (*normalise)(const mg_cpu_channel *v, float *y, const float *x, float mean, float scale,
                      float shift);
    /* dx = scale (dy - shift - per_x (x - mean)) */
    void (*gradient)(const mg_cpu_channel *v, float *dx, const float *dy, const float *x,
                     float mean, float scale, float per_x, float shift);
} mg_cpu_norm_kernels;

/* Multiply-adds in registers alone, as wide and as fast as the instruction set allows (isa/peak.c).
 * Returns how many FLOP they were, a multiply-add being two. */
typedef double mg_cpu_peak_fn(long rounds);

/* One instruction set: what it is called ("AVX2"; "avx2" in MNIST_GPU_CPU), and its kernels. */
typedef struct mg_cpu_isa {
    const char *name, *token;
    const mg_cpu_conv_kernels *conv;
    const mg_cpu_gemm_kernels *gemm;
    const mg_cpu_element_kernels *element;
    const mg_cpu_norm_kernels *norm;
    mg_cpu_peak_fn *peak;
} mg_cpu_isa;

/* All that this program has, the widest first: MG_ISA(token, name). */
#ifdef __x86_64__
#define MG_ISA_MAP(X) X(avx512, "AVX-512") X(avx2, "AVX2") X(baseline, "baseline")
#else
#define MG_ISA_MAP(X) X(baseline, "baseline")
#endif

#define MG_ISA_KERNELS(token, name)                                                                \
    extern const mg_cpu_conv_kernels mg__conv_##token;                                             \
    extern const mg_cpu_gemm_kernels mg__gemm_##token;                                             \
    extern const mg_cpu_element_kernels mg__element_##token;                                       \
    extern const mg_cpu_norm_kernels mg__norm_##token;                                             \
    extern mg_cpu_peak_fn mg__peak_##token;
MG_ISA_MAP(MG_ISA_KERNELS)
#undef MG_ISA_KERNELS

#endif
