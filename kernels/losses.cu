/* The losses. What they have in common is here once: a warp for each row, the rows' statistics,
 * predictions, the rows that a short last batch leaves out. A loss is a struct that says what one
 * row and one gradient are; formulas in src/layers. */
#include "kernels.h"
#include "reduce.h"

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

struct softmax_xent {
    float on_label, spread; /* 1 - smoothing; smoothing / classes */

    /* All lanes write y, the probabilities; the row's loss, in every lane. */
    __device__ float row(float *y, const float *x, int classes, int label, int best, int lane) const
    {
        const float largest = x[best];
        float sum = 0, all = 0;
        for (int k = lane; k < classes; k += 32) {
            sum += expf(x[k] - largest);
            all += distance(largest, x[k], spread);
        }
        sum = warp_sum(sum);
        all = warp_sum(all);
        for (int k = lane; k < classes; k += 32) y[k] = expf(x[k] - largest) / sum;
        return logf(sum) + (distance(largest, x[label], on_label) + all);
    }

    /* factor (largest - x), with halves, for the difference itself may be infinite. */
    static __device__ float distance(float largest, float x, float factor)
    {
        return 2.0f * factor * (0.5f * largest - 0.5f * x);
    }

    /* Of the row's loss, with respect to x. */
    __device__ float gradient(float, float y, bool is_label, int) const
    {
        return y - (is_label ? on_label + spread : spread);
    }
};

struct mse {
    __device__ float row(float *y, const float *x, int classes, int label, int, int lane) const
    {
        float squares = 0, sum = 0;
        for (int k = lane; k < classes; k += 32) {
            const float error = x[k] - (k == label ? 1.0f : 0.0f);
            squares += error * error;
            sum += positive(x[k]);
        }
        squares = warp_sum(squares);
        sum = warp_sum(sum);
        for (int k = lane; k < classes; k += 32)
            y[k] = sum == 0.0f ? 1.0f / (float)classes : positive(x[k]) / sum;
        return squares / (float)classes;
    }

    __device__ float gradient(float x, float, bool is_label, int classes) const
    {
        return 2.0f / (float)classes * (x - (is_label ? 1.0f : 0.0f));
    }

    /* A NaN stays one. */
    static __device__ float positive(float x) { return x <= 0.0f ? 0.0f : x; }
};

/* One warp per row. */
template <class Loss>
static __global__ void __launch_bounds__(THREADS)
    loss_forward(Loss loss, float *__restrict__ y, mg_step_stat *__restrict__ rows,
                 uint8_t *__restrict__ predictions, const float *__restrict__ x,
                 const uint8_t *__restrict__ batch_labels, const mg_step_state *__restrict__ state,
                 int batch, int classes)
{
    const int lane = (int)threadIdx.x % 32;
    const int row = (int)(blockIdx.x * WARPS + threadIdx.x / 32);
    if (row >= batch) return; /* the whole warp */
    x += (size_t)row * (size_t)classes;
    y += (size_t)row * (size_t)classes;
    const int label = batch_labels[row], best = warp_argmax(x, classes, lane);
    const float row_loss = loss.row(y, x, classes, label, best, lane);
    if (lane != 0) return;
    const bool valid = (uint32_t)row < valid_rows(state);
    rows[row] = {valid ? row_loss : 0.0f, valid && best == label};
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

template <class Loss>
static __global__ void __launch_bounds__(THREADS)
    loss_backward(Loss loss, float *__restrict__ dx, const float *__restrict__ x,
                  const float *__restrict__ y, const uint8_t *__restrict__ batch_labels,
                  const mg_step_state *__restrict__ state, size_t count, uint32_t classes)
{
    const uint32_t rows = valid_rows(state);
    for (size_t i = first_index(); i < count; i += index_stride()) {
        const uint32_t row = (uint32_t)i / classes, k = (uint32_t)i % classes;
        const float d = loss.gradient(x[i], y[i], k == batch_labels[row], (int)classes);
        dx[i] = row < rows ? d / (float)rows : 0.0f;
    }
}

template <class Loss>
static cudaError_t launch_forward(Loss loss, float *y, mg_step_stat *rows, const float *x,
                                  const mg_feed *feed, int batch, int classes, cudaStream_t stream)
{
    const unsigned blocks = ((unsigned)batch + WARPS - 1) / WARPS;
    const cudaError_t e =
        LAUNCH(loss_forward<Loss>, blocks, THREADS, 0, stream, loss, y, rows, feed->predictions, x,
               feed->batch_labels, feed->state, batch, classes);
    if (e != cudaSuccess) return e;
    return LAUNCH(sum_rows, 1, THREADS, 0, stream, feed->stats, rows, feed->state, batch);
}

template <class Loss>
static cudaError_t launch_backward(Loss loss, float *dx, const float *x, const float *y,
                                   const mg_feed *feed, int batch, int classes, cudaStream_t stream)
{
    const size_t count = (size_t)batch * (size_t)classes;
    return LAUNCH(loss_backward<Loss>, blocks_for(count), THREADS, 0, stream, loss, dx, x, y,
                  feed->batch_labels, feed->state, count, (uint32_t)classes);
}

static softmax_xent smoothed(double smoothing, int classes)
{
    return {(float)(1 - smoothing), (float)(smoothing / classes)};
}

cudaError_t mg__launch_softmax_xent(float *y, mg_step_stat *rows, const float *x, double smoothing,
                                    const mg_feed *feed, int batch, int classes,
                                    cudaStream_t stream)
{
    return launch_forward(smoothed(smoothing, classes), y, rows, x, feed, batch, classes, stream);
}

cudaError_t mg__launch_softmax_xent_backward(float *dx, const float *x, const float *y,
                                             double smoothing, const mg_feed *feed, int batch,
                                             int classes, cudaStream_t stream)
{
    return launch_backward(smoothed(smoothing, classes), dx, x, y, feed, batch, classes, stream);
}

cudaError_t mg__launch_mse(float *y, mg_step_stat *rows, const float *x, const mg_feed *feed,
                           int batch, int classes, cudaStream_t stream)
{
    return launch_forward(mse{}, y, rows, x, feed, batch, classes, stream);
}

cudaError_t mg__launch_mse_backward(float *dx, const float *x, const float *y, const mg_feed *feed,
                                    int batch, int classes, cudaStream_t stream)
{
    return launch_backward(mse{}, dx, x, y, feed, batch, classes, stream);
}
