/* Right programs: nothing is reported, and the stand-in's results are those of plain loops. */
#include "faults.h"
#include <cublas_v2.h>
#include <cudnn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const float one = 1, zero = 0;

/* Small integers: sums of products are exact in any order. */
static void fill(float *values, size_t count, unsigned seed)
{
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        values[i] = (float)(int)(seed >> 28) - 8.0f;
    }
}

static int compare(const char *what, const float *x, const float *expected, size_t count)
{
    float *found = malloc(count * sizeof *found);
    if (!found) exit(2);
    read_floats(found, x, count);
    size_t i = 0;
    while (i < count && found[i] == expected[i]) i++;
    const float value = i < count ? found[i] : 0;
    free(found);
    return i < count ? noticed("%s[%zu] = %g, expected %g", what, i, value, expected[i]) : 0;
}

/* ---- kernels ---- */

static int kernels(void)
{
    enum { BLOCKS = 12, COUNT = BLOCKS * 64 };
    float values[COUNT], expected[COUNT], sum = 0;
    fill(values, COUNT, 1);
    const float *x = device_floats(values, COUNT);
    float *y = device_floats(NULL, COUNT), *out = device_floats(NULL, BLOCKS);
    CHECK(launch_reverse(RIGHT, x, y, NULL));
    for (int i = 0; i < 256; i++) expected[i] = values[255 - i];
    CHECK(compare("reversed", y, expected, 256));

    unsigned *counter = (unsigned *)device_floats(&zero, 1);
    for (int i = 0; i < COUNT; i++) sum += values[i];
    for (int again = 0; again < 2; again++) {
        CHECK(launch_sum(x, y, counter, out, BLOCKS, 0, NULL));
        CHECK(compare("sum", out, &sum, 1));
    }
    for (int i = 0; i < BLOCKS; i++) expected[i] = BLOCKS * (BLOCKS + 1) / 2.0f;
    CHECK(launch_grid_sum(y, out, BLOCKS, NULL));
    CHECK(compare("grid sum", out, expected, BLOCKS));

    memset(expected, 0, 32 * sizeof(float)); /* the integers 0 too */
    CHECK(launch_warp_check((int *)y, NULL));
    return compare("wrong warp operations", y, expected, 32);
}

/* ---- streams, events, graphs ---- */

static int streams(void)
{
    float values[256], expected[256], ms = -1, *h_pinned;
    cudaStream_t first, second;
    cudaEvent_t begin, end;
    fill(values, 256, 2);
    float *x = device_floats(values, 256), *y = device_floats(NULL, 256);
    float *z = device_floats(NULL, 256);
    CHECK(cudaStreamCreateWithFlags(&first, cudaStreamNonBlocking));
    CHECK(cudaStreamCreateWithFlags(&second, cudaStreamNonBlocking));
    CHECK(cudaEventCreate(&begin));
    CHECK(cudaEventCreate(&end));
    CHECK(cudaEventRecord(begin, first));
    CHECK(launch_reverse(RIGHT, x, y, first));
    CHECK(cudaEventRecord(end, first));
    CHECK(cudaStreamWaitEvent(second, end, 0));
    CHECK(launch_reverse(RIGHT, y, z, second));
    CHECK(cudaHostAlloc((void **)&h_pinned, sizeof values, cudaHostAllocDefault));
    CHECK(cudaMemcpyAsync(h_pinned, z, sizeof values, cudaMemcpyDeviceToHost, second));
    CHECK(cudaStreamSynchronize(second));
    if (memcmp(h_pinned, values, sizeof values)) return noticed("the pinned copy differs");
    CHECK(compare("reversed twice", z, values, 256));
    CHECK(cudaEventSynchronize(end));
    CHECK(cudaEventElapsedTime(&ms, begin, end));
    if (!(ms >= 0 && ms < 60000)) return noticed("%g ms between the events", ms);
    CHECK(cudaMemsetAsync(y, 0, sizeof values, first));
    memset(expected, 0, sizeof expected);
    CHECK(compare("zeroed", y, expected, 256));
    CHECK(cudaFreeHost(h_pinned));
    CHECK(cudaEventDestroy(begin));
    CHECK(cudaEventDestroy(end));
    CHECK(cudaStreamDestroy(first));
    return cudaStreamDestroy(second);
}

/* The twin of frozen_step: the counter is on the device. */
static int graphs(void)
{
    const float six = 6;
    float *total = device_floats(&zero, 1), *counter = device_floats(&zero, 1);
    size_t nodes = 0;
    cudaStream_t stream;
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    CHECK(launch_add_counter(total, counter, stream));
    CHECK(cudaStreamEndCapture(stream, &graph));
    CHECK(cudaGraphGetNodes(graph, NULL, &nodes));
    if (nodes != 1) return noticed("%zu nodes", nodes);
    CHECK(cudaGraphInstantiate(&exec, graph, 0));
    CHECK(cudaGraphDestroy(graph));
    CHECK(compare("total before a replay", total, &zero, 1));
    for (int i = 0; i < 3; i++) CHECK(cudaGraphLaunch(exec, stream));
    CHECK(compare("total", total, &six, 1));
    CHECK(cudaGraphExecDestroy(exec));
    return cudaStreamDestroy(stream);
}

/* ---- cuBLAS ---- */

/* c = 2 op(a) op(b) + beta c, with leading dimensions larger than needed. */
static int product(cublasHandle_t blas, int ta, int tb, float beta)
{
    enum { M = 7, N = 5, K = 6, LD = 9, BATCH = 2, EACH = LD * LD };
    const float two = 2;
    float a[BATCH * EACH], b[BATCH * EACH], c[BATCH * EACH];
    fill(a, BATCH * EACH, 3);
    fill(b, BATCH * EACH, 4);
    fill(c, BATCH * EACH, 5);
    float *da = device_floats(a, BATCH * EACH), *db = device_floats(b, BATCH * EACH);
    float *dc = device_floats(c, BATCH * EACH);
    CHECK(cublasSgemmStridedBatched(blas, ta ? CUBLAS_OP_T : CUBLAS_OP_N,
                                    tb ? CUBLAS_OP_T : CUBLAS_OP_N, M, N, K, &two, da, LD, EACH, db,
                                    LD, EACH, &beta, dc, LD, EACH, BATCH));
    for (int z = 0; z < BATCH; z++)
        for (int j = 0; j < N; j++)
            for (int i = 0; i < M; i++) {
                float sum = 0, *out = &c[z * EACH + j * LD + i];
                for (int p = 0; p < K; p++)
                    sum += a[z * EACH + (ta ? i * LD + p : p * LD + i)] *
                           b[z * EACH + (tb ? p * LD + j : j * LD + p)];
                *out = 2 * sum + beta * *out;
            }
    CHECK(compare("c", dc, c, BATCH * EACH));
    free_device_floats();
    return 0;
}

static int products(void)
{
    cublasHandle_t blas;
    CHECK(cublasCreate(&blas));
    for (int i = 0; i < 8; i++) CHECK(product(blas, i & 1, i >> 1 & 1, i < 4 ? 0.0f : 3.0f));
    return cublasDestroy(blas);
}

/* ---- cuDNN ---- */

enum { N = 3, C = 4, H = 9, W = 7, K = 6, R = 3, S = 2, GROUPS = 2, PAD_H = 2, PAD_W = 1 };
enum { STRIDE_H = 2, STRIDE_W = 1, DILATION_H = 1, DILATION_W = 3, CG = C / GROUPS };
enum { P = (H + 2 * PAD_H - R) / STRIDE_H + 1 };
enum { Q = (W + 2 * PAD_W - (S - 1) * DILATION_W - 1) / STRIDE_W + 1 };
enum { X_COUNT = N * C * H * W, W_COUNT = K * CG * R * S, Y_COUNT = N * K * P * Q };

/* What of a convolution is computed: y from x and w, dx from w and dy, or dw from x and dy. */
typedef enum which { Y, DX, DW } which;

static void plain_convolution(which out, float *x, float *w, float *y)
{
    for (int n = 0; n < N; n++)
        for (int k = 0; k < K; k++)
            for (int p = 0; p < P; p++)
                for (int q = 0; q < Q; q++)
                    for (int c = 0; c < CG; c++)
                        for (int r = 0; r < R; r++)
                            for (int s = 0; s < S; s++) {
                                const int h = p * STRIDE_H - PAD_H + r * DILATION_H;
                                const int v = q * STRIDE_W - PAD_W + s * DILATION_W;
                                if (h < 0 || h >= H || v < 0 || v >= W) continue;
                                const int channel = k / (K / GROUPS) * CG + c;
                                float *px = &x[((n * C + channel) * H + h) * W + v];
                                float *pw = &w[((k * CG + c) * R + r) * S + s];
                                float *py = &y[((n * K + k) * P + p) * Q + q];
                                if (out == Y) *py += *px * *pw;
                                if (out == DX) *px += *py * *pw;
                                if (out == DW) *pw += *px * *py;
                            }
}

static cudnnHandle_t dnn;

static cudnnTensorDescriptor_t tensor(int n, int c, int h, int w)
{
    cudnnTensorDescriptor_t d = NULL;
    if (cudnnCreateTensorDescriptor(&d) ||
        cudnnSetTensor4dDescriptor(d, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, n, c, h, w))
        exit(2);
    return d;
}

static int convolution(which out)
{
    static float x[X_COUNT], w[W_COUNT], y[Y_COUNT];
    fill(x, X_COUNT, 6);
    fill(w, W_COUNT, 7);
    fill(y, Y_COUNT, 8);
    void *workspace = device_floats(NULL, 65536);
    float *dx = device_floats(out == DX ? NULL : x, X_COUNT);
    float *dw = device_floats(out == DW ? NULL : w, W_COUNT);
    float *dy = device_floats(out == Y ? NULL : y, Y_COUNT);
    const cudnnTensorDescriptor_t xd = tensor(N, C, H, W), yd = tensor(N, K, P, Q);
    cudnnFilterDescriptor_t wd;
    cudnnConvolutionDescriptor_t conv;
    CHECK(cudnnCreateFilterDescriptor(&wd));
    CHECK(cudnnSetFilter4dDescriptor(wd, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NCHW, K, CG, R, S));
    CHECK(cudnnCreateConvolutionDescriptor(&conv));
    CHECK(cudnnSetConvolution2dDescriptor(conv, PAD_H, PAD_W, STRIDE_H, STRIDE_W, DILATION_H,
                                          DILATION_W, CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT));
    CHECK(cudnnSetConvolutionMathType(conv, CUDNN_FMA_MATH));
    CHECK(cudnnSetConvolutionGroupCount(conv, GROUPS));
    const size_t bytes = 4 * 65536;
    if (out == Y) {
        memset(y, 0, sizeof y);
        CHECK(cudnnConvolutionForward(dnn, &one, xd, dx, wd, dw, conv,
                                      CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, workspace, bytes,
                                      &zero, yd, dy));
    } else if (out == DX) {
        memset(x, 0, sizeof x);
        CHECK(cudnnConvolutionBackwardData(dnn, &one, wd, dw, yd, dy, conv,
                                           CUDNN_CONVOLUTION_BWD_DATA_ALGO_1, workspace, bytes,
                                           &zero, xd, dx));
    } else {
        memset(w, 0, sizeof w);
        CHECK(cudnnConvolutionBackwardFilter(dnn, &one, xd, dx, yd, dy, conv,
                                             CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1, workspace, bytes,
                                             &zero, wd, dw));
    }
    plain_convolution(out, x, w, y);
    CHECK(compare("x or dx", dx, x, X_COUNT));
    CHECK(compare("w or dw", dw, w, W_COUNT));
    CHECK(compare("y", dy, y, Y_COUNT));
    CHECK(cudnnDestroyTensorDescriptor(xd));
    CHECK(cudnnDestroyTensorDescriptor(yd));
    CHECK(cudnnDestroyFilterDescriptor(wd));
    return cudnnDestroyConvolutionDescriptor(conv);
}

static int convolutions(void)
{
    CHECK(cudnnCreate(&dnn));
    CHECK(convolution(Y));
    CHECK(convolution(DX));
    CHECK(convolution(DW));
    return cudnnDestroy(dnn);
}

/* y = relu(conv + bias), and the same in three calls; then the backward of bias and ReLU. */
static int fused_convolution(void)
{
    enum { COUNT = 2 * 3 * 4 * 4 };
    float x[2 * 1 * 16], w[3 * 9], bias[3] = {1, -2, 3}, y[COUNT], dy[COUNT], dx[COUNT],
                                   db[3] = {0};
    fill(x, 32, 9);
    fill(w, 27, 10);
    fill(dy, COUNT, 11);
    const float *gx = device_floats(x, 32), *gw = device_floats(w, 27),
                *gb = device_floats(bias, 3);
    float *fused = device_floats(NULL, COUNT), *apart = device_floats(NULL, COUNT);
    float *gdx = device_floats(NULL, COUNT), *gdb = device_floats(NULL, 3);
    void *workspace = device_floats(NULL, 65536);
    const size_t bytes = 4 * 65536;
    const cudnnTensorDescriptor_t xd = tensor(2, 1, 4, 4), yd = tensor(2, 3, 4, 4);
    const cudnnTensorDescriptor_t bd = tensor(1, 3, 1, 1);
    const cudnnConvolutionFwdAlgo_t algo = CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM;
    cudnnFilterDescriptor_t wd;
    cudnnConvolutionDescriptor_t conv;
    cudnnActivationDescriptor_t relu;
    CHECK(cudnnCreate(&dnn));
    CHECK(cudnnCreateFilterDescriptor(&wd));
    CHECK(cudnnSetFilter4dDescriptor(wd, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NCHW, 3, 1, 3, 3));
    CHECK(cudnnCreateConvolutionDescriptor(&conv));
    CHECK(cudnnSetConvolution2dDescriptor(conv, 1, 1, 1, 1, 1, 1, CUDNN_CROSS_CORRELATION,
                                          CUDNN_DATA_FLOAT));
    CHECK(cudnnSetConvolutionMathType(conv, CUDNN_FMA_MATH));
    CHECK(cudnnCreateActivationDescriptor(&relu));
    CHECK(cudnnSetActivationDescriptor(relu, CUDNN_ACTIVATION_RELU, CUDNN_PROPAGATE_NAN, 0));
    CHECK(cudnnConvolutionBiasActivationForward(dnn, &one, xd, gx, wd, gw, conv, algo, workspace,
                                                bytes, &zero, yd, fused, bd, gb, relu, yd, fused));
    CHECK(cudnnConvolutionForward(dnn, &one, xd, gx, wd, gw, conv, algo, workspace, bytes, &zero,
                                  yd, apart));
    CHECK(cudnnAddTensor(dnn, &one, bd, gb, &one, yd, apart));
    CHECK(cudnnActivationForward(dnn, relu, &one, yd, apart, &zero, yd, apart));
    read_floats(y, fused, COUNT);
    CHECK(compare("conv, bias and ReLU apart", apart, y, COUNT));
    const float *gdy = device_floats(dy, COUNT);
    CHECK(cudnnActivationBackward(dnn, relu, &one, yd, fused, yd, gdy, yd, fused, &zero, yd, gdx));
    CHECK(cudnnConvolutionBackwardBias(dnn, &one, yd, gdx, &zero, bd, gdb));
    for (int i = 0; i < COUNT; i++) {
        dx[i] = y[i] > 0 ? dy[i] : 0.0f;
        db[i / 16 % 3] += dx[i];
    }
    CHECK(compare("dx", gdx, dx, COUNT));
    CHECK(compare("db", gdb, db, 3));
    CHECK(cudnnDestroyTensorDescriptor(xd));
    CHECK(cudnnDestroyTensorDescriptor(yd));
    CHECK(cudnnDestroyTensorDescriptor(bd));
    CHECK(cudnnDestroyFilterDescriptor(wd));
    CHECK(cudnnDestroyConvolutionDescriptor(conv));
    CHECK(cudnnDestroyActivationDescriptor(relu));
    return cudnnDestroy(dnn);
}

/* 3 x 2 windows at strides 2 x 2 overlap, and pad by 1 x 0. */
static int pooling(cudnnPoolingMode_t mode)
{
    enum { IN = 2 * 3 * 5 * 4, OUT = 2 * 3 * 3 * 2 };
    float x[IN], y[OUT], dy[OUT], dx[IN] = {0};
    fill(x, IN, 12);
    fill(dy, OUT, 13);
    for (int i = 0; i < OUT; i++) {
        const int plane = i / 6, p = i / 2 % 3, q = i % 2;
        int best = -1, inside = 0;
        float sum = 0;
        for (int r = 0; r < 3; r++)
            for (int s = 0; s < 2; s++) {
                const int h = 2 * p - 1 + r, at = (plane * 5 + h) * 4 + 2 * q + s;
                if (h < 0 || h >= 5) continue;
                if (best < 0 || x[at] > x[best]) best = at;
                sum += x[at];
                inside++;
            }
        y[i] = mode == CUDNN_POOLING_MAX_DETERMINISTIC ? x[best] : sum;
        /* divisors of 4 and 6 are made exact: dy and x become multiples of 12 below */
        if (mode == CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING) inside = 6;
        if (mode == CUDNN_POOLING_MAX_DETERMINISTIC) {
            dx[best] += dy[i];
            continue;
        }
        y[i] = 12 / inside * sum;
        for (int r = 0; r < 3; r++)
            for (int s = 0; s < 2; s++) {
                const int h = 2 * p - 1 + r;
                if (h >= 0 && h < 5) dx[(plane * 5 + h) * 4 + 2 * q + s] += 12 / inside * dy[i];
            }
    }
    const float scale = mode == CUDNN_POOLING_MAX_DETERMINISTIC ? 1 : 12;
    for (int i = 0; i < IN; i++) x[i] *= scale;
    for (int i = 0; i < OUT; i++) dy[i] *= scale;
    const float *gx = device_floats(x, IN), *gdy = device_floats(dy, OUT);
    float *gy = device_floats(NULL, OUT), *gdx = device_floats(NULL, IN);
    const cudnnTensorDescriptor_t xd = tensor(2, 3, 5, 4), yd = tensor(2, 3, 3, 2);
    cudnnPoolingDescriptor_t pool;
    CHECK(cudnnCreatePoolingDescriptor(&pool));
    CHECK(cudnnSetPooling2dDescriptor(pool, mode, CUDNN_PROPAGATE_NAN, 3, 2, 1, 0, 2, 2));
    CHECK(cudnnPoolingForward(dnn, pool, &one, xd, gx, &zero, yd, gy));
    CHECK(cudnnPoolingBackward(dnn, pool, &one, yd, gy, yd, gdy, xd, gx, &zero, xd, gdx));
    CHECK(compare("y", gy, y, OUT));
    CHECK(compare("dx", gdx, dx, IN));
    CHECK(cudnnDestroyTensorDescriptor(xd));
    CHECK(cudnnDestroyTensorDescriptor(yd));
    return cudnnDestroyPoolingDescriptor(pool);
}

/* A NaN anywhere in a window is its maximum. */
static int pooling_of_nans(void)
{
    const cudnnTensorDescriptor_t xd = tensor(1, 4, 2, 2), yd = tensor(1, 4, 1, 1);
    float x[16], y[4];
    for (int i = 0; i < 16; i++) x[i] = i % 5 ? 1 : NAN; /* another corner in every plane */
    float *gy = device_floats(NULL, 4);
    cudnnPoolingDescriptor_t pool;
    CHECK(cudnnCreatePoolingDescriptor(&pool));
    CHECK(cudnnSetPooling2dDescriptor(pool, CUDNN_POOLING_MAX_DETERMINISTIC, CUDNN_PROPAGATE_NAN, 2,
                                      2, 0, 0, 2, 2));
    CHECK(cudaMemset(gy, 0, sizeof y));
    CHECK(cudnnPoolingForward(dnn, pool, &one, xd, device_floats(x, 16), &zero, yd, gy));
    read_floats(y, gy, 4);
    for (int i = 0; i < 4; i++)
        if (!isnan(y[i])) return noticed("the maximum of plane %d is %g", i, y[i]);
    CHECK(cudnnDestroyTensorDescriptor(xd));
    CHECK(cudnnDestroyTensorDescriptor(yd));
    return cudnnDestroyPoolingDescriptor(pool);
}

static int poolings(void)
{
    CHECK(cudnnCreate(&dnn));
    CHECK(pooling_of_nans());
    CHECK(pooling(CUDNN_POOLING_MAX_DETERMINISTIC));
    CHECK(pooling(CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING));
    CHECK(pooling(CUDNN_POOLING_AVERAGE_COUNT_EXCLUDE_PADDING));
    return cudnnDestroy(dnn);
}

static const struct {
    const char *name;
    int (*run)(void);
} programs[] = {
    {"kernels", kernels},
    {"streams", streams},
    {"graphs", graphs},
    {"products", products},
    {"convolutions", convolutions},
    {"fused_convolution", fused_convolution},
    {"poolings", poolings},
};

int run_right(const char *name)
{
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
        if (!strcmp(name, programs[i].name)) {
            const int status = programs[i].run();
            free_device_floats();
            return status;
        }
    return 2;
}
