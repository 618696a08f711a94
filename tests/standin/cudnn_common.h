/* The inside of the cuDNN stand-in: handles, descriptors (a size of 0: not set yet), and what its
 * computing calls share. */
#ifndef MG_STANDIN_CUDNN_COMMON_H
#define MG_STANDIN_CUDNN_COMMON_H

#include "standin.h"

#include <cudnn.h>

struct cudnnContext {
    cudaStream_t stream;
    bool used;
};
struct cudnnTensorStruct {
    int n, c, h, w;
    size_t count() const { return static_cast<size_t>(n) * static_cast<size_t>(c) * plane(); }
    size_t plane() const { return static_cast<size_t>(h) * static_cast<size_t>(w); }
    size_t bytes() const { return count() * sizeof(float); }
    bool operator==(const cudnnTensorStruct &o) const
    {
        return n == o.n && c == o.c && h == o.h && w == o.w;
    }
};
struct cudnnFilterStruct {
    int k, c, r, s;
    size_t count() const
    {
        return static_cast<size_t>(k) * static_cast<size_t>(c) * static_cast<size_t>(r) *
               static_cast<size_t>(s);
    }
    size_t bytes() const { return count() * sizeof(float); }
};
struct cudnnConvolutionStruct {
    int pad_h, pad_w, stride_h, stride_w, dilation_h, dilation_w, groups;
    cudnnMathType_t math;
};
struct cudnnPoolingStruct {
    cudnnPoolingMode_t mode;
    int r, s, pad_h, pad_w, stride_h, stride_w;
    bool propagate_nan;
};
struct cudnnActivationStruct {
    cudnnActivationMode_t mode;
    bool set;
};

namespace standin
{
/* Reports why and returns `status`, as the real call would; cudnnGetLastErrorString gives it. */
cudnnStatus_t refuse(cudnnStatus_t status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* BAD_PARAM unless both are set and equal; `names` says what they are. */
cudnnStatus_t same_shape(const char *call, const char *names, const cudnnTensorStruct &a,
                         const cudnnTensorStruct &b);

/* alpha or beta: host memory, read at the call, also in a capture. */
inline float scalar(const char *call, const void *p)
{
    if (!p) die("%s: alpha or beta is NULL", call);
    return *static_cast<const float *>(p);
}

inline const float *floats(const void *p) { return static_cast<const float *>(p); }
inline float *floats(void *p) { return static_cast<float *>(p); }

inline cudnnStatus_t run(const LibraryCall &call, std::function<void()> work)
{
    return enqueue_call(call, std::move(work)) == cudaSuccess ? CUDNN_STATUS_SUCCESS
                                                              : CUDNN_STATUS_EXECUTION_FAILED;
}

/* A whole tensor, contiguous. */
inline void blend(void *y, const std::vector<float> &result, float alpha, float beta)
{
    blend(floats(y), result, alpha, beta, result.size(), result.size());
}
} // namespace standin

#define TRY(expr)                                                                                  \
    do {                                                                                           \
        if (const cudnnStatus_t status_ = (expr)) return status_;                                  \
    } while (0)

#endif
