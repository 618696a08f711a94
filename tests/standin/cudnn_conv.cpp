/* Stand-in for cuDNN's convolutions. Arguments that the real library refuses
 * are refused with its status; what it would accept to the cost of reproducibility or precision
 * (non-deterministic algorithms, math types that allow TF32) ends the process. */
#include "arithmetic.h"
#include "cudnn_common.h"

using namespace standin;

using Tensor = cudnnTensorStruct;

/* ---- convolution: shapes, algorithms, workspaces ---- */

static cudnnStatus_t conv_shape(const char *call, ConvShape &out, const Tensor &x,
                                const cudnnFilterStruct &w, const cudnnConvolutionStruct &conv,
                                const Tensor &y)
{
    cudnnTensorStruct expected = {};
    cudnnTensorStruct in = x;
    cudnnFilterStruct filter = w;
    cudnnConvolutionStruct how = conv;
    TRY(cudnnGetConvolution2dForwardOutputDim(&how, &in, &filter, &expected.n, &expected.c,
                                              &expected.h, &expected.w));
    TRY(same_shape(call, "y and the convolution's output", y, expected));
    if (w.k % conv.groups)
        return refuse(CUDNN_STATUS_BAD_PARAM, "%s: %d filters in %d groups", call, w.k,
                      conv.groups);
    if (conv.math != CUDNN_FMA_MATH)
        die("%s: math type %d allows TF32; only CUDNN_FMA_MATH does not", call, conv.math);
    out = {x.n,
           x.c,
           x.h,
           x.w,
           w.k,
           w.r,
           w.s,
           y.h,
           y.w,
           conv.pad_h,
           conv.pad_w,
           conv.stride_h,
           conv.stride_w,
           conv.dilation_h,
           conv.dilation_w,
           conv.groups};
    return CUDNN_STATUS_SUCCESS;
}

struct Algorithm {
    int id;
    cudnnDeterminism_t determinism;
};

/* What the queries offer, best first: the first choice for gradients is not deterministic. */
static const std::vector<Algorithm> forward_algorithms = {
    {CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, CUDNN_DETERMINISTIC},
    {CUDNN_CONVOLUTION_FWD_ALGO_FFT_TILING, CUDNN_DETERMINISTIC},
    {CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, CUDNN_DETERMINISTIC},
    {CUDNN_CONVOLUTION_FWD_ALGO_GEMM, CUDNN_DETERMINISTIC}};
static const std::vector<Algorithm> data_algorithms = {
    {CUDNN_CONVOLUTION_BWD_DATA_ALGO_0, CUDNN_NON_DETERMINISTIC},
    {CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT_TILING, CUDNN_DETERMINISTIC},
    {CUDNN_CONVOLUTION_BWD_DATA_ALGO_1, CUDNN_DETERMINISTIC}};
static const std::vector<Algorithm> filter_algorithms = {
    {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0, CUDNN_NON_DETERMINISTIC},
    {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_3, CUDNN_NON_DETERMINISTIC},
    {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT_TILING, CUDNN_DETERMINISTIC},
    {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1, CUDNN_DETERMINISTIC}};

/* Different for every shape and algorithm, and not larger for a larger batch. */
static size_t workspace_bytes(const ConvShape &d, int algorithm)
{
    const int sizes[] = {d.n, d.c, d.h, d.w, d.k, d.r, d.p, d.stride_h, algorithm};
    uint32_t hash = 2166136261u;
    for (int v : sizes) hash = (hash ^ static_cast<uint32_t>(v)) * 16777619u;
    return (hash >> 8) % 9 * 2048;
}

static cudnnStatus_t check_algorithm(const char *call, const std::vector<Algorithm> &known, int id)
{
    for (const Algorithm &a : known) {
        if (a.id != id) continue;
        if (a.determinism == CUDNN_DETERMINISTIC) return CUDNN_STATUS_SUCCESS;
        die("%s: algorithm %d is not deterministic", call, id);
    }
    return refuse(CUDNN_STATUS_NOT_SUPPORTED, "%s: algorithm %d", call, id);
}

static cudnnStatus_t check_workspace(const char *call, const ConvShape &d, int algorithm,
                                     size_t bytes)
{
    const size_t needed = workspace_bytes(d, algorithm);
    if (bytes >= needed) return CUDNN_STATUS_SUCCESS;
    return refuse(CUDNN_STATUS_BAD_PARAM_SIZE_INSUFFICIENT,
                  "%s: a workspace of %zu bytes, algorithm %d needs %zu", call, bytes, algorithm,
                  needed);
}

/* For the three cudnnGetConvolution*Algorithm_v7. */
template <class Perf>
static cudnnStatus_t list_algorithms(const char *call, const std::vector<Algorithm> &known,
                                     const ConvShape &d, int requested, int *returned,
                                     Perf *results)
{
    if (forbid_in_capture(call)) return CUDNN_STATUS_EXECUTION_FAILED;
    if (requested <= 0) return refuse(CUDNN_STATUS_BAD_PARAM, "%s: room for no result", call);
    *returned = std::min(requested, static_cast<int>(known.size()));
    for (int i = 0; i < *returned; i++) {
        const Algorithm &a = known[static_cast<size_t>(i)];
        results[i] = Perf{};
        results[i].algo = static_cast<decltype(results[i].algo)>(a.id);
        results[i].status = CUDNN_STATUS_SUCCESS;
        results[i].time = -1.0f;
        results[i].memory = workspace_bytes(d, a.id);
        results[i].determinism = a.determinism;
        results[i].mathType = CUDNN_FMA_MATH;
    }
    return CUDNN_STATUS_SUCCESS;
}

/* What the three convolutions have in common: x, w, y in the order read, read, written. */
static LibraryCall conv_call(const char *call, cudnnHandle_t h, const Operand &a, const Operand &b,
                             const Operand &out, void *workspace, size_t given, size_t used)
{
    return {call,
            h->stream,
            &h->used,
            {a, b, out, {"the workspace", workspace, given, true}},
            used ? workspace : nullptr,
            used};
}

extern "C" {

cudnnStatus_t cudnnGetConvolutionForwardWorkspaceSize(cudnnHandle_t,
                                                      const cudnnTensorDescriptor_t x,
                                                      const cudnnFilterDescriptor_t w,
                                                      const cudnnConvolutionDescriptor_t conv,
                                                      const cudnnTensorDescriptor_t y,
                                                      cudnnConvolutionFwdAlgo_t algo, size_t *bytes)
{
    TRY(planned(CUDNN_STATUS_EXECUTION_FAILED));
    ConvShape d;
    TRY(conv_shape(__func__, d, *x, *w, *conv, *y));
    TRY(check_algorithm(__func__, forward_algorithms, algo));
    *bytes = workspace_bytes(d, algo);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetConvolutionBackwardDataWorkspaceSize(
    cudnnHandle_t, const cudnnFilterDescriptor_t w, const cudnnTensorDescriptor_t dy,
    const cudnnConvolutionDescriptor_t conv, const cudnnTensorDescriptor_t dx,
    cudnnConvolutionBwdDataAlgo_t algo, size_t *bytes)
{
    TRY(planned(CUDNN_STATUS_EXECUTION_FAILED));
    ConvShape d;
    TRY(conv_shape(__func__, d, *dx, *w, *conv, *dy));
    TRY(check_algorithm(__func__, data_algorithms, algo));
    *bytes = workspace_bytes(d, algo);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetConvolutionBackwardFilterWorkspaceSize(
    cudnnHandle_t, const cudnnTensorDescriptor_t x, const cudnnTensorDescriptor_t dy,
    const cudnnConvolutionDescriptor_t conv, const cudnnFilterDescriptor_t dw,
    cudnnConvolutionBwdFilterAlgo_t algo, size_t *bytes)
{
    TRY(planned(CUDNN_STATUS_EXECUTION_FAILED));
    ConvShape d;
    TRY(conv_shape(__func__, d, *x, *dw, *conv, *dy));
    TRY(check_algorithm(__func__, filter_algorithms, algo));
    *bytes = workspace_bytes(d, algo);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetConvolutionForwardAlgorithm_v7(cudnnHandle_t, const cudnnTensorDescriptor_t x,
                                                     const cudnnFilterDescriptor_t w,
                                                     const cudnnConvolutionDescriptor_t conv,
                                                     const cudnnTensorDescriptor_t y,
                                                     const int requested, int *returned,
                                                     cudnnConvolutionFwdAlgoPerf_t *results)
{
    TRY(planned(CUDNN_STATUS_EXECUTION_FAILED));
    ConvShape d;
    TRY(conv_shape(__func__, d, *x, *w, *conv, *y));
    return list_algorithms(__func__, forward_algorithms, d, requested, returned, results);
}

cudnnStatus_t cudnnGetConvolutionBackwardDataAlgorithm_v7(
    cudnnHandle_t, const cudnnFilterDescriptor_t w, const cudnnTensorDescriptor_t dy,
    const cudnnConvolutionDescriptor_t conv, const cudnnTensorDescriptor_t dx, const int requested,
    int *returned, cudnnConvolutionBwdDataAlgoPerf_t *results)
{
    TRY(planned(CUDNN_STATUS_EXECUTION_FAILED));
    ConvShape d;
    TRY(conv_shape(__func__, d, *dx, *w, *conv, *dy));
    return list_algorithms(__func__, data_algorithms, d, requested, returned, results);
}

cudnnStatus_t cudnnGetConvolutionBackwardFilterAlgorithm_v7(
    cudnnHandle_t, const cudnnTensorDescriptor_t x, const cudnnTensorDescriptor_t dy,
    const cudnnConvolutionDescriptor_t conv, const cudnnFilterDescriptor_t dw, const int requested,
    int *returned, cudnnConvolutionBwdFilterAlgoPerf_t *results)
{
    TRY(planned(CUDNN_STATUS_EXECUTION_FAILED));
    ConvShape d;
    TRY(conv_shape(__func__, d, *x, *dw, *conv, *dy));
    return list_algorithms(__func__, filter_algorithms, d, requested, returned, results);
}

/* ---- convolution: the computation ---- */

cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t h, const void *alpha,
                                      const cudnnTensorDescriptor_t xd, const void *x,
                                      const cudnnFilterDescriptor_t wd, const void *w,
                                      const cudnnConvolutionDescriptor_t conv,
                                      cudnnConvolutionFwdAlgo_t algo, void *workspace, size_t bytes,
                                      const void *beta, const cudnnTensorDescriptor_t yd, void *y)
{
    TRY(planned(CUDNN_STATUS_EXECUTION_FAILED));
    ConvShape d;
    TRY(conv_shape(__func__, d, *xd, *wd, *conv, *yd));
    TRY(check_algorithm(__func__, forward_algorithms, algo));
    TRY(check_workspace(__func__, d, algo, bytes));
    const float a = scalar(__func__, alpha), b = scalar(__func__, beta);
    const size_t count = yd->count();
    return run(conv_call(__func__, h, {"x", x, xd->bytes(), false}, {"w", w, wd->bytes(), false},
                         {"y", y, yd->bytes(), true}, workspace, bytes, workspace_bytes(d, algo)),
               [=] {
                   std::vector<float> result(count);
                   conv_forward(d, floats(x), floats(w), result.data());
                   blend(y, result, a, b);
               });
}

/* y = act(alpha1 conv(x, w) + alpha2 z + bias) */
cudnnStatus_t cudnnConvolutionBiasActivationForward(
    cudnnHandle_t h, const void *alpha1, const cudnnTensorDescriptor_t xd, const void *x,
    const cudnnFilterDescriptor_t wd, const void *w, const cudnnConvolutionDescriptor_t conv,
    cudnnConvolutionFwdAlgo_t algo, void *workspace, size_t bytes, const void *alpha2,
    const cudnnTensorDescriptor_t zd, const void *z, const cudnnTensorDescriptor_t bd,
    const void *bias, const cudnnActivationDescriptor_t act, const cudnnTensorDescriptor_t yd,
    void *y)
{
    TRY(planned(CUDNN_STATUS_EXECUTION_FAILED));
    ConvShape d;
    TRY(conv_shape(__func__, d, *xd, *wd, *conv, *yd));
    TRY(check_algorithm(__func__, forward_algorithms, algo));
    TRY(check_workspace(__func__, d, algo, bytes));
    TRY(same_shape(__func__, "z and y", *zd, *yd));
    TRY(same_shape(__func__, "the bias and 1 x k x 1 x 1", *bd, {1, yd->c, 1, 1}));
    const bool relu = act->set && act->mode == CUDNN_ACTIVATION_RELU;
    if (!relu && (!act->set || act->mode != CUDNN_ACTIVATION_IDENTITY ||
                  algo != CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM))
        return refuse(CUDNN_STATUS_NOT_SUPPORTED, "%s: activation %d with algorithm %d", __func__,
                      act->mode, algo);
    const float a1 = scalar(__func__, alpha1), a2 = scalar(__func__, alpha2);
    const size_t count = yd->count(), plane = yd->plane(), channels = static_cast<size_t>(yd->c);
    LibraryCall call =
        conv_call(__func__, h, {"x", x, xd->bytes(), false}, {"w", w, wd->bytes(), false},
                  {"y", y, yd->bytes(), true}, workspace, bytes, workspace_bytes(d, algo));
    call.operands.push_back({"z", z, zd->bytes(), false, y});
    call.operands.push_back({"the bias", bias, bd->bytes(), false});
    return run(call, [=] {
        std::vector<float> result(count);
        conv_forward(d, floats(x), floats(w), result.data());
        for (size_t i = 0; i < count; i++) {
            const float added = a2 == 0.0f ? 0.0f : a2 * floats(z)[i];
            const float v = a1 * result[i] + added + floats(bias)[i / plane % channels];
            floats(y)[i] = relu && v <= 0.0f ? 0.0f : v;
        }
    });
}

cudnnStatus_t cudnnConvolutionBackwardData(cudnnHandle_t h, const void *alpha,
                                           const cudnnFilterDescriptor_t wd, const void *w,
                                           const cudnnTensorDescriptor_t dyd, const void *dy,
                                           const cudnnConvolutionDescriptor_t conv,
                                           cudnnConvolutionBwdDataAlgo_t algo, void *workspace,
                                           size_t bytes, const void *beta,
                                           const cudnnTensorDescriptor_t dxd, void *dx)
{
    TRY(planned(CUDNN_STATUS_EXECUTION_FAILED));
    ConvShape d;
    TRY(conv_shape(__func__, d, *dxd, *wd, *conv, *dyd));
    TRY(check_algorithm(__func__, data_algorithms, algo));
    TRY(check_workspace(__func__, d, algo, bytes));
    const float a = scalar(__func__, alpha), b = scalar(__func__, beta);
    const size_t count = dxd->count();
    return run(conv_call(__func__, h, {"w", w, wd->bytes(), false}, {"dy", dy, dyd->bytes(), false},
                         {"dx", dx, dxd->bytes(), true}, workspace, bytes,
                         workspace_bytes(d, algo)),
               [=] {
                   std::vector<float> result(count);
                   conv_backward_data(d, floats(w), floats(dy), result.data());
                   blend(dx, result, a, b);
               });
}

cudnnStatus_t cudnnConvolutionBackwardFilter(cudnnHandle_t h, const void *alpha,
                                             const cudnnTensorDescriptor_t xd, const void *x,
                                             const cudnnTensorDescriptor_t dyd, const void *dy,
                                             const cudnnConvolutionDescriptor_t conv,
                                             cudnnConvolutionBwdFilterAlgo_t algo, void *workspace,
                                             size_t bytes, const void *beta,
                                             const cudnnFilterDescriptor_t dwd, void *dw)
{
    TRY(planned(CUDNN_STATUS_EXECUTION_FAILED));
    ConvShape d;
    TRY(conv_shape(__func__, d, *xd, *dwd, *conv, *dyd));
    TRY(check_algorithm(__func__, filter_algorithms, algo));
    TRY(check_workspace(__func__, d, algo, bytes));
    const float a = scalar(__func__, alpha), b = scalar(__func__, beta);
    const size_t count = dwd->count();
    return run(conv_call(__func__, h, {"x", x, xd->bytes(), false}, {"dy", dy, dyd->bytes(), false},
                         {"dw", dw, dwd->bytes(), true}, workspace, bytes,
                         workspace_bytes(d, algo)),
               [=] {
                   std::vector<float> result(count);
                   conv_backward_filter(d, floats(x), floats(dy), result.data());
                   blend(dw, result, a, b);
               });
}

cudnnStatus_t cudnnConvolutionBackwardBias(cudnnHandle_t h, const void *alpha,
                                           const cudnnTensorDescriptor_t dyd, const void *dy,
                                           const void *beta, const cudnnTensorDescriptor_t dbd,
                                           void *db)
{
    TRY(planned(CUDNN_STATUS_EXECUTION_FAILED));
    TRY(same_shape(__func__, "db and 1 x k x 1 x 1", *dbd, {1, dyd->c, 1, 1}));
    const float a = scalar(__func__, alpha), b = scalar(__func__, beta);
    const size_t count = dyd->count(), plane = dyd->plane(), channels = static_cast<size_t>(dyd->c);
    const LibraryCall call = {
        __func__, h->stream,
        &h->used, {{"dy", dy, dyd->bytes(), false}, {"db", db, dbd->bytes(), true}},
        nullptr,  0};
    return run(call, [=] {
        std::vector<float> result(channels);
        for (size_t i = 0; i < count; i++) result[i / plane % channels] += floats(dy)[i];
        blend(db, result, a, b);
    });
}
}
