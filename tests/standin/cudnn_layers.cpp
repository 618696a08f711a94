/* Stand-in for cuDNN's pooling, activation and broadcast addition. */
#include "arithmetic.h"
#include "cudnn_common.h"

using namespace standin;

/* ---- pooling ---- */

static cudnnStatus_t pool_shape(const char *call, PoolShape &out, const cudnnPoolingStruct &pool,
                                const cudnnTensorStruct &x, const cudnnTensorStruct &y)
{
    cudnnTensorStruct expected = {}, in = x;
    cudnnPoolingStruct how = pool;
    TRY(cudnnGetPooling2dForwardOutputDim(&how, &in, &expected.n, &expected.c, &expected.h,
                                          &expected.w));
    TRY(same_shape(call, "y and the pooling's output", y, expected));
    out = {x.n * x.c,
           x.h,
           x.w,
           y.h,
           y.w,
           pool.r,
           pool.s,
           pool.pad_h,
           pool.pad_w,
           pool.stride_h,
           pool.stride_w,
           pool.mode == CUDNN_POOLING_MAX_DETERMINISTIC,
           pool.mode == CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING,
           pool.propagate_nan};
    return CUDNN_STATUS_SUCCESS;
}

extern "C" {

cudnnStatus_t cudnnPoolingForward(cudnnHandle_t h, const cudnnPoolingDescriptor_t pool,
                                  const void *alpha, const cudnnTensorDescriptor_t xd,
                                  const void *x, const void *beta, const cudnnTensorDescriptor_t yd,
                                  void *y)
{
    TRY(planned(CUDNN_STATUS_EXECUTION_FAILED));
    PoolShape d;
    TRY(pool_shape(__func__, d, *pool, *xd, *yd));
    const float a = scalar(__func__, alpha), b = scalar(__func__, beta);
    const size_t count = yd->count();
    const std::vector<Operand> operands = {{"x", x, xd->bytes(), false},
                                           {"y", y, yd->bytes(), true}};
    return run({__func__, h->stream, &h->used, operands, nullptr, 0}, [=] {
        std::vector<float> result(count);
        pool_forward(d, floats(x), result.data());
        blend(y, result, a, b);
    });
}

cudnnStatus_t cudnnPoolingBackward(cudnnHandle_t h, const cudnnPoolingDescriptor_t pool,
                                   const void *alpha, const cudnnTensorDescriptor_t yd,
                                   const void *y, const cudnnTensorDescriptor_t dyd, const void *dy,
                                   const cudnnTensorDescriptor_t xd, const void *x,
                                   const void *beta, const cudnnTensorDescriptor_t dxd, void *dx)
{
    TRY(planned(CUDNN_STATUS_EXECUTION_FAILED));
    PoolShape d;
    TRY(pool_shape(__func__, d, *pool, *xd, *yd));
    TRY(same_shape(__func__, "y and dy", *yd, *dyd));
    TRY(same_shape(__func__, "x and dx", *xd, *dxd));
    const float a = scalar(__func__, alpha), b = scalar(__func__, beta);
    const size_t count = dxd->count();
    const std::vector<Operand> operands = {{"y", y, yd->bytes(), false},
                                           {"dy", dy, dyd->bytes(), false},
                                           {"x", x, xd->bytes(), false},
                                           {"dx", dx, dxd->bytes(), true}};
    return run({__func__, h->stream, &h->used, operands, nullptr, 0}, [=] {
        std::vector<float> result(count);
        if (!pool_backward(d, floats(x), floats(y), floats(dy), result.data()))
            die("cudnnPoolingBackward: y is not the pooled x");
        blend(dx, result, a, b);
    });
}

/* ---- activation ---- */

static float activate(cudnnActivationMode_t mode, float x)
{
    switch (mode) {
    case CUDNN_ACTIVATION_RELU:
        return x <= 0.0f ? 0.0f : x;
    case CUDNN_ACTIVATION_SIGMOID:
        return 1.0f / (1.0f + std::exp(-x));
    case CUDNN_ACTIVATION_TANH:
        return std::tanh(x);
    default:
        return x;
    }
}

/* dy/dx, from y. */
static float slope(cudnnActivationMode_t mode, float y)
{
    switch (mode) {
    case CUDNN_ACTIVATION_RELU:
        return y > 0.0f ? 1.0f : 0.0f;
    case CUDNN_ACTIVATION_SIGMOID:
        return y * (1.0f - y);
    case CUDNN_ACTIVATION_TANH:
        return 1.0f - y * y;
    default:
        return 1.0f;
    }
}

cudnnStatus_t cudnnActivationForward(cudnnHandle_t h, cudnnActivationDescriptor_t act,
                                     const void *alpha, const cudnnTensorDescriptor_t xd,
                                     const void *x, const void *beta,
                                     const cudnnTensorDescriptor_t yd, void *y)
{
    TRY(planned(CUDNN_STATUS_EXECUTION_FAILED));
    if (!act->set) return refuse(CUDNN_STATUS_BAD_PARAM, "%s: activation not set", __func__);
    TRY(same_shape(__func__, "x and y", *xd, *yd));
    const float a = scalar(__func__, alpha), b = scalar(__func__, beta);
    const cudnnActivationMode_t mode = act->mode;
    const size_t count = yd->count();
    const std::vector<Operand> operands = {{"x", x, xd->bytes(), false},
                                           {"y", y, yd->bytes(), true, x}};
    return run({__func__, h->stream, &h->used, operands, nullptr, 0}, [=] {
        std::vector<float> result(count);
        for (size_t i = 0; i < count; i++) result[i] = activate(mode, floats(x)[i]);
        blend(y, result, a, b);
    });
}

cudnnStatus_t cudnnActivationBackward(cudnnHandle_t h, cudnnActivationDescriptor_t act,
                                      const void *alpha, const cudnnTensorDescriptor_t yd,
                                      const void *y, const cudnnTensorDescriptor_t dyd,
                                      const void *dy, const cudnnTensorDescriptor_t xd,
                                      const void *x, const void *beta,
                                      const cudnnTensorDescriptor_t dxd, void *dx)
{
    TRY(planned(CUDNN_STATUS_EXECUTION_FAILED));
    if (!act->set) return refuse(CUDNN_STATUS_BAD_PARAM, "%s: activation not set", __func__);
    TRY(same_shape(__func__, "y and dy", *yd, *dyd));
    TRY(same_shape(__func__, "y and x", *yd, *xd));
    TRY(same_shape(__func__, "y and dx", *yd, *dxd));
    const float a = scalar(__func__, alpha), b = scalar(__func__, beta);
    const cudnnActivationMode_t mode = act->mode;
    const size_t count = yd->count();
    const std::vector<Operand> operands = {{"y", y, yd->bytes(), false},
                                           {"dy", dy, dyd->bytes(), false},
                                           {"x", x, xd->bytes(), false},
                                           {"dx", dx, dxd->bytes(), true, dy}};
    return run({__func__, h->stream, &h->used, operands, nullptr, 0}, [=] {
        std::vector<float> result(count);
        for (size_t i = 0; i < count; i++) result[i] = floats(dy)[i] * slope(mode, floats(y)[i]);
        blend(dx, result, a, b);
    });
}

/* ---- C = alpha A + beta C, where A has C's sizes or 1 ---- */

cudnnStatus_t cudnnAddTensor(cudnnHandle_t h, const void *alpha, const cudnnTensorDescriptor_t ad,
                             const void *A, const void *beta, const cudnnTensorDescriptor_t cd,
                             void *C)
{
    TRY(planned(CUDNN_STATUS_EXECUTION_FAILED));
    const cudnnTensorStruct s = *ad, t = *cd;
    const bool fits = s.n && t.n && (s.n == t.n || s.n == 1) && (s.c == t.c || s.c == 1) &&
                      (s.h == t.h || s.h == 1) && (s.w == t.w || s.w == 1);
    if (!fits) return same_shape(__func__, "A and C", s, t);
    const float a = scalar(__func__, alpha), b = scalar(__func__, beta);
    const std::vector<Operand> operands = {{"A", A, s.bytes(), false}, {"C", C, t.bytes(), true}};
    return run({__func__, h->stream, &h->used, operands, nullptr, 0}, [=] {
        std::vector<float> result;
        auto at = [](int i, int size) { return size == 1 ? 0 : i; };
        for (int n = 0; n < t.n; n++)
            for (int c = 0; c < t.c; c++)
                for (int y = 0; y < t.h; y++)
                    for (int x = 0; x < t.w; x++) {
                        const int image = at(n, s.n) * s.c + at(c, s.c);
                        const int row = image * s.h + at(y, s.h);
                        result.push_back(floats(A)[row * s.w + at(x, s.w)]);
                    }
        blend(C, result, a, b);
    });
}
}
