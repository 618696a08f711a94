/* What the layers need beside cuDNN and cuBLAS: biases, ReLU. */
#include "kernels.h"
#include "reduce.h"

/* ---- biases ---- */

static __global__ void __launch_bounds__(THREADS)
    bias_add(float *__restrict__ y, const float *__restrict__ b, size_t planes, size_t channels,
             size_t size)
{
    for (size_t p = first_plane(); p < planes; p += plane_stride()) {
        const float bias = b[p % channels];
        for (size_t i = threadIdx.x; i < size; i += blockDim.x) y[p * size + i] += bias;
    }
}

/* Block (c, part) sums its share of the images: out[c][part]. */
static __global__ void __launch_bounds__(THREADS)
    bias_gradient(float *__restrict__ out, const float *__restrict__ dy, size_t batch, size_t size,
                  unsigned parts)
{
    const size_t channels = gridDim.x / parts, c = blockIdx.x / parts, part = blockIdx.x % parts;
    const size_t end = (part + 1) * batch / parts;
    float sum = 0;
    for (size_t n = part * batch / parts + threadIdx.y; n < end; n += blockDim.y)
        for (size_t i = threadIdx.x; i < size; i += blockDim.x)
            sum += dy[(n * channels + c) * size + i];
    sum = block_sum(sum);
    if (thread_index() == 0) out[blockIdx.x] = sum;
}

cudaError_t mg__launch_bias_add(float *y, const float *b, int batch, int channels, size_t size,
                                cudaStream_t stream)
{
    const size_t planes = (size_t)batch * (size_t)channels;
    return LAUNCH(bias_add, plane_blocks(planes, size), plane_block(size), 0, stream, y, b, planes,
                  (size_t)channels, size);
}

int mg__bias_gradient_parts(int batch, size_t size)
{
    const size_t worth_a_block = 32768, images = (size_t)batch, most = images < 256 ? images : 256;
    const size_t parts = (images * size + worth_a_block - 1) / worth_a_block;
    return (int)(parts < most ? parts : most);
}

cudaError_t mg__launch_bias_gradient(float *db, const float *dy, float *partial, int batch,
                                     int channels, size_t size, cudaStream_t stream)
{
    const unsigned parts = (unsigned)mg__bias_gradient_parts(batch, size);
    const unsigned blocks = (unsigned)channels * parts;
    if (parts == 1)
        return LAUNCH(bias_gradient, blocks, plane_block(size), 0, stream, db, dy, (size_t)batch,
                      size, 1u);
    const cudaError_t e = LAUNCH(bias_gradient, blocks, plane_block(size), 0, stream, partial, dy,
                                 (size_t)batch, size, parts);
    if (e != cudaSuccess) return e;
    /* The partial sums are one image of `parts` elements per channel. */
    return LAUNCH(bias_gradient, (unsigned)channels, plane_block(parts), 0, stream, db, partial,
                  (size_t)1, (size_t)parts, 1u);
}

/* ---- ReLU ---- */

static __global__ void __launch_bounds__(THREADS)
    relu(float *__restrict__ y, const float *__restrict__ x, size_t count)
{
    for (size_t i = first_index(); i < count; i += index_stride())
        y[i] = x[i] <= 0.0f ? 0.0f : x[i]; /* not x > 0 ? x : 0, which would hide a NaN */
}

static __global__ void __launch_bounds__(THREADS)
    relu_backward(float *__restrict__ dx, const float *__restrict__ dy, const float *__restrict__ y,
                  size_t count)
{
    for (size_t i = first_index(); i < count; i += index_stride())
        dx[i] = y[i] > 0.0f ? dy[i] : 0.0f;
}

cudaError_t mg__launch_relu(float *y, const float *x, size_t count, cudaStream_t stream)
{
    return LAUNCH(relu, blocks_for(count), THREADS, 0, stream, y, x, count);
}

cudaError_t mg__launch_relu_backward(float *dx, const float *dy, const float *y, size_t count,
                                     cudaStream_t stream)
{
    return LAUNCH(relu_backward, blocks_for(count), THREADS, 0, stream, dx, dy, y, count);
}
