/* Stand-in for cuDNN's handles and descriptors: fp32, NCHW, fully packed. */
#include "cudnn_common.h"

#include <cstdarg>
#include <cstdio>

using namespace standin;

static char last_message[256];

namespace standin
{
cudnnStatus_t refuse(cudnnStatus_t status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    std::vsnprintf(last_message, sizeof last_message, format, args);
    va_end(args);
    complain("%s", last_message);
    return status;
}

cudnnStatus_t same_shape(const char *call, const char *names, const cudnnTensorStruct &a,
                         const cudnnTensorStruct &b)
{
    if (a.n && a == b) return CUDNN_STATUS_SUCCESS;
    return refuse(CUDNN_STATUS_BAD_PARAM, "%s: %s differ: %d x %d x %d x %d and %d x %d x %d x %d",
                  call, names, a.n, a.c, a.h, a.w, b.n, b.c, b.h, b.w);
}
} // namespace standin

/* The output size of a window that slides over `in` elements. */
static int slide(int in, int pad, int window, int dilation, int stride)
{
    const int span = (window - 1) * dilation + 1, room = in + 2 * pad - span;
    return room < 0 ? 0 : room / stride + 1;
}

template <class T> static cudnnStatus_t create(T **out, const char *call = __builtin_FUNCTION())
{
    TRY(planned(CUDNN_STATUS_EXECUTION_FAILED, call));
    *out = new T{};
    return CUDNN_STATUS_SUCCESS;
}

template <class T>
static cudnnStatus_t destroy(T *descriptor, const char *call = __builtin_FUNCTION())
{
    delete descriptor;
    return planned(CUDNN_STATUS_EXECUTION_FAILED, call);
}

extern "C" {

/* ---- the handle ---- */

size_t cudnnGetVersion()
{
    const int planned_version = planned_failure(0);
    return planned_version ? static_cast<size_t>(planned_version) : CUDNN_VERSION;
}

const char *cudnnGetErrorString(cudnnStatus_t status)
{
    switch (status) {
    case CUDNN_STATUS_SUCCESS:
        return "CUDNN_STATUS_SUCCESS";
    case CUDNN_STATUS_NOT_INITIALIZED:
        return "CUDNN_STATUS_NOT_INITIALIZED";
    case CUDNN_STATUS_BAD_PARAM:
        return "CUDNN_STATUS_BAD_PARAM";
    case CUDNN_STATUS_BAD_PARAM_SIZE_INSUFFICIENT:
        return "CUDNN_STATUS_BAD_PARAM_SIZE_INSUFFICIENT";
    case CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH:
        return "CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH";
    case CUDNN_STATUS_NOT_SUPPORTED:
        return "CUDNN_STATUS_NOT_SUPPORTED";
    case CUDNN_STATUS_EXECUTION_FAILED:
        return "CUDNN_STATUS_EXECUTION_FAILED";
    default:
        return "CUDNN_STATUS_(other)";
    }
}

void cudnnGetLastErrorString(char *message, size_t max_size)
{
    std::snprintf(message, max_size, "%s", last_message);
    last_message[0] = 0;
}

cudnnStatus_t cudnnCreate(cudnnHandle_t *handle)
{
    if (forbid_in_capture("cudnnCreate")) return CUDNN_STATUS_NOT_INITIALIZED;
    return create(handle);
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle)
{
    drain_all();
    return destroy(handle);
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream)
{
    TRY(planned(CUDNN_STATUS_EXECUTION_FAILED));
    handle->stream = stream;
    return CUDNN_STATUS_SUCCESS;
}

/* ---- tensors and filters ---- */

cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t *d) { return create(d); }
cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t d) { return destroy(d); }

cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t d, cudnnTensorFormat_t format,
                                         cudnnDataType_t type, int n, int c, int h, int w)
{
    TRY(planned(CUDNN_STATUS_EXECUTION_FAILED));
    if (n <= 0 || c <= 0 || h <= 0 || w <= 0)
        return refuse(CUDNN_STATUS_BAD_PARAM, "tensor of %d x %d x %d x %d", n, c, h, w);
    if (format != CUDNN_TENSOR_NCHW || type != CUDNN_DATA_FLOAT)
        return refuse(CUDNN_STATUS_NOT_SUPPORTED, "tensor of format %d, type %d", format, type);
    *d = {n, c, h, w};
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t *d) { return create(d); }
cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t d) { return destroy(d); }

cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterDescriptor_t d, cudnnDataType_t type,
                                         cudnnTensorFormat_t format, int k, int c, int r, int s)
{
    TRY(planned(CUDNN_STATUS_EXECUTION_FAILED));
    if (k <= 0 || c <= 0 || r <= 0 || s <= 0)
        return refuse(CUDNN_STATUS_BAD_PARAM, "filter of %d x %d x %d x %d", k, c, r, s);
    if (format != CUDNN_TENSOR_NCHW || type != CUDNN_DATA_FLOAT)
        return refuse(CUDNN_STATUS_NOT_SUPPORTED, "filter of format %d, type %d", format, type);
    *d = {k, c, r, s};
    return CUDNN_STATUS_SUCCESS;
}

/* ---- convolution ---- */

cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t *d)
{
    return create(d);
}

cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t d)
{
    return destroy(d);
}

cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionDescriptor_t d, int pad_h, int pad_w,
                                              int u, int v, int dilation_h, int dilation_w,
                                              cudnnConvolutionMode_t mode, cudnnDataType_t type)
{
    TRY(planned(CUDNN_STATUS_EXECUTION_FAILED));
    if (pad_h < 0 || pad_w < 0 || u <= 0 || v <= 0 || dilation_h <= 0 || dilation_w <= 0)
        return refuse(CUDNN_STATUS_BAD_PARAM,
                      "convolution: pad %d, %d, stride %d, %d, dilation %d, %d", pad_h, pad_w, u, v,
                      dilation_h, dilation_w);
    if (type != CUDNN_DATA_FLOAT)
        return refuse(CUDNN_STATUS_NOT_SUPPORTED, "convolution: compute type %d", type);
    if (mode != CUDNN_CROSS_CORRELATION)
        die("cudnnSetConvolution2dDescriptor: CUDNN_CONVOLUTION flips the filters");
    *d = {pad_h, pad_w, u, v, dilation_h, dilation_w, 1, CUDNN_DEFAULT_MATH};
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t d, cudnnMathType_t math)
{
    TRY(planned(CUDNN_STATUS_EXECUTION_FAILED));
    d->math = math;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetConvolutionGroupCount(cudnnConvolutionDescriptor_t d, int groups)
{
    TRY(planned(CUDNN_STATUS_EXECUTION_FAILED));
    if (groups <= 0) return refuse(CUDNN_STATUS_BAD_PARAM, "convolution: %d groups", groups);
    d->groups = groups;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetConvolution2dForwardOutputDim(const cudnnConvolutionDescriptor_t d,
                                                    const cudnnTensorDescriptor_t x,
                                                    const cudnnFilterDescriptor_t w, int *n, int *c,
                                                    int *h, int *width)
{
    if (!d->groups || !x->n || !w->k || x->c != w->c * d->groups)
        return refuse(CUDNN_STATUS_BAD_PARAM, "convolution: x has %d channels, w %d x %d groups",
                      x->c, w->c, d->groups);
    *n = x->n;
    *c = w->k;
    *h = slide(x->h, d->pad_h, w->r, d->dilation_h, d->stride_h);
    *width = slide(x->w, d->pad_w, w->s, d->dilation_w, d->stride_w);
    if (*h > 0 && *width > 0) return CUDNN_STATUS_SUCCESS;
    return refuse(CUDNN_STATUS_BAD_PARAM, "convolution: a %d x %d filter over %d x %d", w->r, w->s,
                  x->h, x->w);
}

/* ---- pooling and activation ---- */

cudnnStatus_t cudnnCreatePoolingDescriptor(cudnnPoolingDescriptor_t *d) { return create(d); }
cudnnStatus_t cudnnDestroyPoolingDescriptor(cudnnPoolingDescriptor_t d) { return destroy(d); }

cudnnStatus_t cudnnSetPooling2dDescriptor(cudnnPoolingDescriptor_t d, cudnnPoolingMode_t mode,
                                          cudnnNanPropagation_t nans, int r, int s, int pad_h,
                                          int pad_w, int stride_h, int stride_w)
{
    TRY(planned(CUDNN_STATUS_EXECUTION_FAILED));
    if (r <= 0 || s <= 0 || pad_h < 0 || pad_h >= r || pad_w < 0 || pad_w >= s || stride_h <= 0 ||
        stride_w <= 0)
        return refuse(CUDNN_STATUS_BAD_PARAM, "pooling: window %d x %d, pad %d, %d, stride %d, %d",
                      r, s, pad_h, pad_w, stride_h, stride_w);
    if (mode == CUDNN_POOLING_MAX)
        die("cudnnSetPooling2dDescriptor: CUDNN_POOLING_MAX is not deterministic, "
            "CUDNN_POOLING_MAX_DETERMINISTIC is");
    *d = {mode, r, s, pad_h, pad_w, stride_h, stride_w, nans == CUDNN_PROPAGATE_NAN};
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetPooling2dForwardOutputDim(const cudnnPoolingDescriptor_t d,
                                                const cudnnTensorDescriptor_t x, int *n, int *c,
                                                int *h, int *w)
{
    if (!d->r || !x->n) return refuse(CUDNN_STATUS_BAD_PARAM, "pooling: a descriptor is not set");
    *n = x->n;
    *c = x->c;
    *h = slide(x->h, d->pad_h, d->r, 1, d->stride_h);
    *w = slide(x->w, d->pad_w, d->s, 1, d->stride_w);
    if (*h > 0 && *w > 0) return CUDNN_STATUS_SUCCESS;
    return refuse(CUDNN_STATUS_BAD_PARAM, "pooling: a %d x %d window over %d x %d", d->r, d->s,
                  x->h, x->w);
}

cudnnStatus_t cudnnCreateActivationDescriptor(cudnnActivationDescriptor_t *d) { return create(d); }
cudnnStatus_t cudnnDestroyActivationDescriptor(cudnnActivationDescriptor_t d) { return destroy(d); }

cudnnStatus_t cudnnSetActivationDescriptor(cudnnActivationDescriptor_t d,
                                           cudnnActivationMode_t mode, cudnnNanPropagation_t,
                                           double)
{
    TRY(planned(CUDNN_STATUS_EXECUTION_FAILED));
    if (mode != CUDNN_ACTIVATION_RELU && mode != CUDNN_ACTIVATION_SIGMOID &&
        mode != CUDNN_ACTIVATION_TANH && mode != CUDNN_ACTIVATION_IDENTITY)
        return refuse(CUDNN_STATUS_NOT_SUPPORTED, "activation %d", mode);
    *d = {mode, true};
    return CUDNN_STATUS_SUCCESS;
}
}
