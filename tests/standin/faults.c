/* The faults, each as small as it can be. */
#include "faults.h"
#include <cublas_v2.h>
#include <cudnn.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 256 };

/* ---- kernels ---- */

static int reverse(fault_kernel how)
{
    float values[COUNT], out[COUNT];
    for (int i = 0; i < COUNT; i++) values[i] = (float)i;
    const float *x = device_floats(values, COUNT);
    float *y = device_floats(NULL, COUNT);
    CHECK(launch_reverse(how, x, y, NULL));
    read_floats(out, y, COUNT);
    for (int i = 0; i < COUNT; i++)
        if (!(out[i] == (float)(COUNT - 1 - i)))
            return noticed("y[%d] is %s", i, isnan(out[i]) ? "a NaN" : "wrong");
    return 0;
}

static int missing_barrier(void) { return reverse(MISSING_BARRIER); }
static int uninitialised_shared(void) { return reverse(UNINITIALISED); }
static int shared_overflow(void) { return reverse(SHARED_OVERFLOW); }
static int device_overflow(void) { return reverse(DEVICE_OVERFLOW); }
static int divergent_barrier(void) { return reverse(DIVERGENT); }
static int deadlock(void) { return reverse(DEADLOCK); }
static int missing_syncwarp(void) { return reverse(MISSING_SYNCWARP); }
static int mixed_masks(void) { return reverse(MIXED_MASKS); }
static int mixed_operations(void) { return reverse(MIXED_OPERATIONS); }
static int large_frame(void) { return reverse(LARGE_FRAME); }

static int block_race(void)
{
    float values[128];
    for (int i = 0; i < 128; i++) values[i] = 1;
    float *out = device_floats(values, 1);
    CHECK(launch_sum(device_floats(values, 128), NULL, NULL, out, 2, 1, NULL));
    CHECK(cudaDeviceSynchronize());
    return 0;
}

static int uninitialised_device(void)
{
    float out[COUNT];
    float *y = device_floats(NULL, COUNT);
    CHECK(launch_reverse(RIGHT, device_floats(NULL, COUNT), y, NULL));
    read_floats(out, y, COUNT);
    return isnan(out[0]) ? noticed("y[0] is a NaN") : 0;
}

static int too_many_threads(void)
{
    CHECK(launch_sized(1025, 0, device_floats(NULL, COUNT), NULL));
    return 0;
}

static int too_much_shared(void)
{
    CHECK(launch_sized(32, 49153, device_floats(NULL, COUNT), NULL));
    return 0;
}

/* ---- memory and streams ---- */

static int host_read(void)
{
    const float *x = device_floats(NULL, COUNT);
    return x[3] > 0 ? 0 : 1;
}

static int host_pointer(void)
{
    static float values[COUNT];
    float *p = device_floats(NULL, COUNT);
    CHECK(cudaMemcpy(p, values, sizeof values, cudaMemcpyDeviceToDevice));
    return 0;
}

static int missing_sync(void)
{
    float *h_pinned, value = 5;
    cudaStream_t stream;
    const float *x = device_floats(&value, 1);
    CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    CHECK(cudaHostAlloc((void **)&h_pinned, sizeof *h_pinned, cudaHostAllocDefault));
    CHECK(cudaMemcpyAsync(h_pinned, x, sizeof value, cudaMemcpyDeviceToHost, stream));
    return h_pinned[0] == value ? 0 : noticed("the copy has not run yet");
}

/* The second stream does not wait for the first. */
static int missing_event(void)
{
    float values[COUNT] = {0}, out[COUNT];
    cudaStream_t first, second;
    const float *x = device_floats(values, COUNT);
    float *y = device_floats(NULL, COUNT), *z = device_floats(NULL, COUNT);
    CHECK(cudaStreamCreateWithFlags(&first, cudaStreamNonBlocking));
    CHECK(cudaStreamCreateWithFlags(&second, cudaStreamNonBlocking));
    CHECK(launch_reverse(RIGHT, x, y, first));
    CHECK(launch_reverse(RIGHT, y, z, second));
    read_floats(out, z, COUNT);
    return isnan(out[0]) ? noticed("z[0] is a NaN") : 0;
}

/* ---- capture ---- */

static cudaStream_t capturing(void)
{
    cudaStream_t stream = NULL;
    if (cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) ||
        cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal))
        exit(2);
    return stream;
}

static int report_capture(cudaError_t error, cudaStream_t stream)
{
    cudaGraph_t graph;
    const cudaError_t ended = cudaStreamEndCapture(stream, &graph);
    return error || ended ? noticed("status %d, capture ended with %d", error, ended) : 0;
}

static int malloc_in_capture(void)
{
    void *p;
    const cudaStream_t stream = capturing();
    return report_capture(cudaMalloc(&p, 4), stream);
}

static int sync_in_capture(void)
{
    const cudaStream_t stream = capturing();
    return report_capture(cudaStreamSynchronize(stream), stream);
}

static int copy_in_capture(void)
{
    float value = 1, *x = device_floats(&value, 1);
    const cudaStream_t stream = capturing();
    return report_capture(cudaMemcpyAsync(x, &value, sizeof value, cudaMemcpyHostToDevice, stream),
                          stream);
}

static int legacy_stream_in_capture(void)
{
    float *x = device_floats(NULL, COUNT);
    const cudaStream_t stream = capturing();
    return report_capture(launch_reverse(RIGHT, x, x, NULL), stream);
}

/* The step number is an argument of the captured launch, and stays what it was. */
static int frozen_step(void)
{
    float zero = 0, eager, replayed;
    float *a = device_floats(&zero, 1), *b = device_floats(&zero, 1);
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    for (int step = 1; step <= 3; step++) CHECK(launch_add_step(a, (float)step, NULL));
    const cudaStream_t stream = capturing();
    CHECK(launch_add_step(b, 1, stream));
    CHECK(cudaStreamEndCapture(stream, &graph));
    CHECK(cudaGraphInstantiate(&exec, graph, 0));
    for (int step = 1; step <= 3; step++) CHECK(cudaGraphLaunch(exec, stream));
    read_floats(&eager, a, 1);
    read_floats(&replayed, b, 1);
    return eager == replayed ? 0
                             : noticed("three replays give %g, three steps %g", replayed, eager);
}

/* The graph is replayed after one of its buffers was freed. */
static int freed_buffer(void)
{
    float values[COUNT] = {0};
    float *x = device_floats(values, COUNT), *y = device_floats(NULL, COUNT);
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    const cudaStream_t stream = capturing();
    CHECK(launch_reverse(RIGHT, x, y, stream));
    CHECK(cudaStreamEndCapture(stream, &graph));
    CHECK(cudaGraphInstantiate(&exec, graph, 0));
    CHECK(cudaFree(x));
    CHECK(cudaGraphLaunch(exec, stream));
    CHECK(cudaStreamSynchronize(stream));
    return 0;
}

/* ---- cuBLAS: y [2][5] = x [2][3] w^T, w [5][3], by columns ---- */

static const float one = 1, zero = 0;
static cublasHandle_t blas;
static float *gx, *gw, *gy;

static int gemm_setup(void)
{
    const float values[15] = {0};
    CHECK(cublasCreate(&blas));
    gx = device_floats(values, 6);
    gw = device_floats(values, 15);
    gy = device_floats(values, 10);
    return 0;
}

static int gemm(int m, int n, int ldc)
{
    CHECK(gemm_setup());
    CHECK(cublasSgemm(blas, CUBLAS_OP_T, CUBLAS_OP_N, m, n, 3, &one, gw, 3, gx, 3, &zero, gy, ldc));
    CHECK(cudaDeviceSynchronize());
    return 0;
}

static int right_gemm(void) { return gemm(5, 2, 5); }
static int leading_dimension(void) { return gemm(5, 2, 2); }
static int wide_leading_dimension(void) { return gemm(5, 2, 6); }
static int swapped_sizes(void) { return gemm(2, 5, 5); }

static int overlapping_product(void)
{
    CHECK(gemm_setup());
    CHECK(
        cublasSgemm(blas, CUBLAS_OP_N, CUBLAS_OP_N, 2, 2, 2, &one, gw, 2, gx, 2, &zero, gw + 2, 2));
    return 0;
}

static int blas_tf32(void)
{
    CHECK(gemm_setup());
    CHECK(cublasSetMathMode(blas, CUBLAS_TF32_TENSOR_OP_MATH));
    return 0;
}

static int captured_gemm(int used, int with_workspace)
{
    CHECK(right_gemm());
    if (!used) CHECK(cublasCreate(&blas));
    void *workspace = device_floats(NULL, 1024);
    const cudaStream_t stream = capturing();
    CHECK(cublasSetStream(blas, stream));
    if (with_workspace) CHECK(cublasSetWorkspace(blas, workspace, 4096));
    CHECK(cublasSgemm(blas, CUBLAS_OP_T, CUBLAS_OP_N, 5, 2, 3, &one, gw, 3, gx, 3, &zero, gy, 5));
    return report_capture(cudaSuccess, stream);
}

static int first_call_in_capture(void) { return captured_gemm(0, 1); }
static int capture_without_workspace(void) { return captured_gemm(1, 0); }

/* ---- cuDNN: conv 3x3 same, 2 -> 4 channels, 8 x 8, batch 3; pool 2x2 over its x ---- */

static struct {
    cudnnHandle_t dnn;
    cudnnTensorDescriptor_t xd, yd, pd;
    cudnnFilterDescriptor_t wd;
    cudnnConvolutionDescriptor_t conv;
    cudnnPoolingDescriptor_t pool;
    float *x, *w, *y, *p, *workspace;
} net;

static int conv_setup(cudnnMathType_t math)
{
    static const float values[4 * 2 * 3 * 3] = {0};
    float rising[3 * 2 * 64];
    for (int i = 0; i < 3 * 2 * 64; i++) rising[i] = (float)(i * 7 % 64);
    net.x = device_floats(rising, 3 * 2 * 64);
    net.w = device_floats(values, 4 * 2 * 9);
    net.y = device_floats(NULL, 3 * 4 * 64);
    net.p = device_floats(NULL, 3 * 2 * 16);
    net.workspace = device_floats(NULL, 65536);
    CHECK(cudnnCreate(&net.dnn));
    CHECK(cudnnCreateTensorDescriptor(&net.xd));
    CHECK(cudnnCreateTensorDescriptor(&net.yd));
    CHECK(cudnnCreateTensorDescriptor(&net.pd));
    CHECK(cudnnSetTensor4dDescriptor(net.xd, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, 3, 2, 8, 8));
    CHECK(cudnnSetTensor4dDescriptor(net.yd, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, 3, 4, 8, 8));
    CHECK(cudnnSetTensor4dDescriptor(net.pd, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, 3, 2, 4, 4));
    CHECK(cudnnCreateFilterDescriptor(&net.wd));
    CHECK(cudnnSetFilter4dDescriptor(net.wd, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NCHW, 4, 2, 3, 3));
    CHECK(cudnnCreateConvolutionDescriptor(&net.conv));
    CHECK(cudnnSetConvolution2dDescriptor(net.conv, 1, 1, 1, 1, 1, 1, CUDNN_CROSS_CORRELATION,
                                          CUDNN_DATA_FLOAT));
    CHECK(cudnnSetConvolutionMathType(net.conv, math));
    return 0;
}

static int conv_tf32(void)
{
    size_t bytes;
    CHECK(conv_setup(CUDNN_DEFAULT_MATH));
    CHECK(cudnnGetConvolutionForwardWorkspaceSize(net.dnn, net.xd, net.wd, net.conv, net.yd,
                                                  CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM,
                                                  &bytes));
    return 0;
}

/* The workspace's size is asked for another batch, which needs less. */
static int short_workspace(void)
{
    size_t bytes = 0;
    cudnnTensorDescriptor_t x1, y1;
    CHECK(conv_setup(CUDNN_FMA_MATH));
    CHECK(cudnnCreateTensorDescriptor(&x1));
    CHECK(cudnnCreateTensorDescriptor(&y1));
    const cudnnConvolutionFwdAlgo_t algo = CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM;
    size_t needed;
    CHECK(cudnnGetConvolutionForwardWorkspaceSize(net.dnn, net.xd, net.wd, net.conv, net.yd, algo,
                                                  &needed));
    for (int n = 4; n == 4 || bytes >= needed; n++) {
        CHECK(cudnnSetTensor4dDescriptor(x1, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, n, 2, 8, 8));
        CHECK(cudnnSetTensor4dDescriptor(y1, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, n, 4, 8, 8));
        CHECK(cudnnGetConvolutionForwardWorkspaceSize(net.dnn, x1, net.wd, net.conv, y1, algo,
                                                      &bytes));
    }
    CHECK(cudnnConvolutionForward(net.dnn, &one, net.xd, net.x, net.wd, net.w, net.conv, algo,
                                  net.workspace, bytes, &zero, net.yd, net.y));
    return 0;
}

/* The workspace is claimed to be larger than its allocation. */
static int long_workspace(void)
{
    CHECK(conv_setup(CUDNN_FMA_MATH));
    CHECK(cudnnConvolutionForward(net.dnn, &one, net.xd, net.x, net.wd, net.w, net.conv,
                                  CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, net.workspace,
                                  4 * 65536 + 1, &zero, net.yd, net.y));
    return 0;
}

static int first_algorithm(void)
{
    int found;
    cudnnConvolutionBwdFilterAlgoPerf_t best;
    CHECK(conv_setup(CUDNN_FMA_MATH));
    CHECK(cudnnGetConvolutionBackwardFilterAlgorithm_v7(net.dnn, net.xd, net.yd, net.conv, net.wd,
                                                        1, &found, &best));
    CHECK(cudnnConvolutionBackwardFilter(net.dnn, &one, net.xd, net.x, net.yd, net.y, net.conv,
                                         best.algo, net.workspace, 65536, &zero, net.wd, net.w));
    return 0;
}

static int wrong_shape(void)
{
    CHECK(conv_setup(CUDNN_FMA_MATH));
    CHECK(cudnnConvolutionForward(net.dnn, &one, net.xd, net.x, net.wd, net.w, net.conv,
                                  CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, net.workspace, 65536,
                                  &zero, net.pd, net.p));
    return 0;
}

/* Should be CUDNN_PROPAGATE_NAN, or a training that has diverged does not show it. */
static int pool_hides_nan(void)
{
    float out, values[3 * 2 * 64] = {NAN};
    CHECK(conv_setup(CUDNN_FMA_MATH));
    CHECK(cudaMemcpy(net.x, values, sizeof values, cudaMemcpyHostToDevice));
    CHECK(cudnnCreatePoolingDescriptor(&net.pool));
    CHECK(cudnnSetPooling2dDescriptor(net.pool, CUDNN_POOLING_MAX_DETERMINISTIC,
                                      CUDNN_NOT_PROPAGATE_NAN, 2, 2, 0, 0, 2, 2));
    CHECK(cudnnPoolingForward(net.dnn, net.pool, &one, net.xd, net.x, &zero, net.pd, net.p));
    read_floats(&out, net.p, 1);
    return isnan(out) ? 0 : noticed("the largest of a NaN and zeros is %g", out);
}

static int pooled(cudnnPoolingMode_t mode, const float *y_of_backward)
{
    float out;
    CHECK(conv_setup(CUDNN_FMA_MATH));
    CHECK(cudnnCreatePoolingDescriptor(&net.pool));
    CHECK(cudnnSetPooling2dDescriptor(net.pool, mode, CUDNN_PROPAGATE_NAN, 2, 2, 0, 0, 2, 2));
    CHECK(cudnnPoolingForward(net.dnn, net.pool, &one, net.xd, net.x, &zero, net.pd, net.p));
    read_floats(&out, net.p, 1);
    if (out != 63) return noticed("the largest of 0, 7, 56, 63 is %g", out);
    float *dx = device_floats(NULL, 3 * 2 * 64);
    CHECK(cudnnPoolingBackward(net.dnn, net.pool, &one, net.pd,
                               y_of_backward ? y_of_backward : net.p, net.pd, net.p, net.xd, net.x,
                               &zero, net.xd, dx));
    CHECK(cudaDeviceSynchronize());
    return 0;
}

static int pool_order(void) { return pooled(CUDNN_POOLING_MAX, NULL); }
static int pool_average(void) { return pooled(CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING, NULL); }

static int pool_wrong_y(void)
{
    static const float values[3 * 2 * 16] = {0};
    return pooled(CUDNN_POOLING_MAX_DETERMINISTIC, device_floats(values, 3 * 2 * 16));
}

static int short_buffer(void)
{
    CHECK(conv_setup(CUDNN_FMA_MATH));
    CHECK(cudnnConvolutionForward(net.dnn, &one, net.xd, net.x, net.wd, net.w, net.conv,
                                  CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, net.workspace, 65536,
                                  &zero, net.yd, net.p));
    return 0;
}

/* ---- by name ---- */

static const struct {
    const char *name;
    int (*run)(void);
} faults[] = {
    {"missing_barrier", missing_barrier},
    {"missing_syncwarp", missing_syncwarp},
    {"block_race", block_race},
    {"uninitialised_shared", uninitialised_shared},
    {"uninitialised_device", uninitialised_device},
    {"shared_overflow", shared_overflow},
    {"device_overflow", device_overflow},
    {"divergent_barrier", divergent_barrier},
    {"deadlock", deadlock},
    {"mixed_masks", mixed_masks},
    {"mixed_operations", mixed_operations},
    {"large_frame", large_frame},
    {"too_many_threads", too_many_threads},
    {"too_much_shared", too_much_shared},
    {"host_read", host_read},
    {"host_pointer", host_pointer},
    {"missing_sync", missing_sync},
    {"missing_event", missing_event},
    {"malloc_in_capture", malloc_in_capture},
    {"sync_in_capture", sync_in_capture},
    {"copy_in_capture", copy_in_capture},
    {"legacy_stream_in_capture", legacy_stream_in_capture},
    {"frozen_step", frozen_step},
    {"freed_buffer", freed_buffer},
    {"leading_dimension", leading_dimension},
    {"wide_leading_dimension", wide_leading_dimension},
    {"swapped_sizes", swapped_sizes},
    {"overlapping_product", overlapping_product},
    {"blas_tf32", blas_tf32},
    {"first_call_in_capture", first_call_in_capture},
    {"capture_without_workspace", capture_without_workspace},
    {"conv_tf32", conv_tf32},
    {"short_workspace", short_workspace},
    {"long_workspace", long_workspace},
    {"first_algorithm", first_algorithm},
    {"wrong_shape", wrong_shape},
    {"pool_order", pool_order},
    {"pool_average", pool_average},
    {"pool_wrong_y", pool_wrong_y},
    {"pool_hides_nan", pool_hides_nan},
    {"short_buffer", short_buffer},
};

int run_fault(const char *name)
{
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        if (!strcmp(name, faults[i].name)) return faults[i].run();
    return 2;
}

/* ---- for right.c too ---- */

int noticed(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("noticed: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return 3;
}

static void *allocated[64];
static size_t allocations;

float *device_floats(const float *values, size_t count)
{
    void *out = NULL;
    const size_t bytes = count * sizeof(float);
    if (allocations == sizeof allocated / sizeof *allocated || cudaMalloc(&out, bytes) ||
        (values && cudaMemcpy(out, values, bytes, cudaMemcpyHostToDevice)))
        exit(2);
    allocated[allocations++] = out;
    return out;
}

void free_device_floats(void)
{
    while (allocations > 0)
        if (cudaFree(allocated[--allocations])) exit(2);
}

void read_floats(float *h_out, const float *from, size_t count)
{
    if (cudaDeviceSynchronize() ||
        cudaMemcpy(h_out, from, count * sizeof(float), cudaMemcpyDeviceToHost))
        exit(2);
}
