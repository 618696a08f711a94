/* What the layers need beside cuDNN and cuBLAS: biases, ReLU, softmax with cross-entropy. */
#include "grid.h"
#include "kernels.h"

enum { WARPS = THREADS / 32 };

static __device__ unsigned thread_index() { return threadIdx.y * blockDim.x + threadIdx.x; }

/* The sums of a warp's and of a block's values, always added up in the same order. */
template <class T> static __device__ T warp_sum(T value)
{
    for (int d = 16; d > 0; d /= 2) value += __shfl_xor_sync(~0u, value, d);
    return value; /* in every lane */
}

/* Valid in the block's first thread. At most one call per kernel and T: a second would need a
 * barrier before it. */
template <class T> static __device__ T block_sum(T value)
{
    SHARED_ARRAY(T, warp_sums, WARPS);
    const unsigned thread = thread_index();
    value = warp_sum(value);
    if (thread % 32 == 0) warp_sums[thread / 32] = value;
    __syncthreads();
    return warp_sum(thread < WARPS ? warp_sums[thread] : T(0));
}

/* ---- biases ----
 *
 * A block is width x THREADS/width threads: x walks along a plane (one channel of one image), y
 * over planes. Both a conv's planes of many elements and a dense layer's of one so keep all threads
 * at work, without a division per element. */

static dim3 plane_block(size_t size)
{
    unsigned width = 1;
    while (width < size && width < THREADS) width *= 2;
    return dim3(width, THREADS / width);
}

static __global__ void __launch_bounds__(THREADS)
    bias_add(float *__restrict__ y, const float *__restrict__ b, size_t planes, size_t channels,
             size_t size)
{
    const size_t stride = (size_t)gridDim.x * blockDim.y;
    for (size_t p = (size_t)blockIdx.x * blockDim.y + threadIdx.y; p < planes; p += stride) {
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
    const dim3 block = plane_block(size);
    const size_t planes = (size_t)batch * (size_t)channels;
    const size_t blocks = (planes + block.y - 1) / block.y;
    return LAUNCH(bias_add, (unsigned)(blocks < 65536 ? blocks : 65536), block, 0, stream, y, b,
                  planes, (size_t)channels, size);
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

/* ---- softmax with cross-entropy ---- */

static __device__ uint32_t valid_rows(const mg_step_state *state)
{
    const uint32_t left = state->count > state->cursor ? state->count - state->cursor : 0;
    return left < state->batch ? left : state->batch;
}

/* The index of the largest of x[0 .. count-1], the first of equals, in every lane. */
static __device__ int warp_argmax(const float *x, int count, int lane)
{
    float best = -INFINITY;
    int index = lane;
    for (int k = lane; k < count; k += 32)
        if (x[k] > best) {
            best = x[k];
            index = k;
        }
    for (int d = 16; d > 0; d /= 2) {
        const float other = __shfl_xor_sync(~0u, best, d);
        const int other_index = __shfl_xor_sync(~0u, index, d);
        if (other > best || (other == best && other_index < index)) {
            best = other;
            index = other_index;
        }
    }
    return index;
}

/* One warp per row. */
static __global__ void __launch_bounds__(THREADS)
    softmax_xent(float *__restrict__ y, mg_step_stat *__restrict__ rows,
                 uint8_t *__restrict__ predictions, const float *__restrict__ x,
                 const uint8_t *__restrict__ batch_labels, const mg_step_state *__restrict__ state,
                 int batch, int classes)
{
    const int lane = (int)threadIdx.x % 32;
    const int row = (int)(blockIdx.x * WARPS + threadIdx.x / 32);
    if (row >= batch) return; /* the whole warp */
    x += (size_t)row * (size_t)classes;
    y += (size_t)row * (size_t)classes;
    const int best = warp_argmax(x, classes, lane);
    const float largest = x[best];
    float sum = 0;
    for (int k = lane; k < classes; k += 32) sum += expf(x[k] - largest);
    sum = warp_sum(sum);
    for (int k = lane; k < classes; k += 32) y[k] = expf(x[k] - largest) / sum;
    if (lane != 0) return;
    const bool valid = (uint32_t)row < valid_rows(state);
    const int label = batch_labels[row];
    mg_step_stat stat = {0.0f, 0u};
    if (valid) {
        stat.loss = logf(sum) + (largest - x[label]);
        stat.correct = best == label;
    }
    rows[row] = stat;
    if (valid && predictions) predictions[state->cursor + (uint32_t)row] = (uint8_t)best;
}

/* One block: the rows' statistics to the step's slot. */
static __global__ void __launch_bounds__(THREADS)
    sum_rows(mg_step_stat *__restrict__ stats, const mg_step_stat *__restrict__ rows,
             const mg_step_state *__restrict__ state, int batch)
{
    mg_step_stat total = {0.0f, 0u};
    for (int row = (int)threadIdx.x; row < batch; row += THREADS) {
        total.loss += rows[row].loss;
        total.correct += rows[row].correct;
    }
    total.loss = block_sum(total.loss);
    total.correct = block_sum(total.correct);
    if (threadIdx.x == 0) stats[state->slot] = total;
}

static __global__ void __launch_bounds__(THREADS)
    softmax_xent_backward(float *__restrict__ dx, const float *__restrict__ y,
                          const uint8_t *__restrict__ batch_labels,
                          const mg_step_state *__restrict__ state, size_t count, uint32_t classes)
{
    const uint32_t rows = valid_rows(state);
    for (size_t i = first_index(); i < count; i += index_stride()) {
        const uint32_t row = (uint32_t)i / classes, k = (uint32_t)i % classes;
        const float onehot = k == batch_labels[row] ? 1.0f : 0.0f;
        dx[i] = row < rows ? (y[i] - onehot) / (float)rows : 0.0f;
    }
}

cudaError_t mg__launch_softmax_xent(float *y, mg_step_stat *rows, const float *x,
                                    const mg_feed *feed, int batch, int classes,
                                    cudaStream_t stream)
{
    const unsigned blocks = ((unsigned)batch + WARPS - 1) / WARPS;
    const cudaError_t e =
        LAUNCH(softmax_xent, blocks, THREADS, 0, stream, y, rows, feed->predictions, x,
               feed->batch_labels, feed->state, batch, classes);
    if (e != cudaSuccess) return e;
    return LAUNCH(sum_rows, 1, THREADS, 0, stream, feed->stats, rows, feed->state, batch);
}

cudaError_t mg__launch_softmax_xent_backward(float *dx, const float *y, const mg_feed *feed,
                                             int batch, int classes, cudaStream_t stream)
{
    const size_t count = (size_t)batch * (size_t)classes;
    return LAUNCH(softmax_xent_backward, blocks_for(count), THREADS, 0, stream, dx, y,
                  feed->batch_labels, feed->state, count, (uint32_t)classes);
}
