/* The losses as kernels of their own: a warp for each row. */
#include "losses.h"

template <class Loss>
static __global__ void __launch_bounds__(THREADS)
    loss_forward(Loss loss, float *__restrict__ y, mg_step_stat *__restrict__ rows,
                 const float *__restrict__ x, mg_feed feed, int batch, int classes)
{
    const int row = (int)(blockIdx.x * WARPS + threadIdx.x / 32);
    if (row >= batch) return; /* the whole warp */
    const size_t first = (size_t)row * (size_t)classes;
    finish_row(loss, y + first, rows, x + first, row, feed, classes, (int)threadIdx.x % 32);
}

static __global__ void __launch_bounds__(THREADS)
    sum_step(mg_feed feed, const mg_step_stat *__restrict__ rows, int batch)
{
    sum_rows(feed, rows, batch);
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

cudaError_t mg__launch_sum_rows(const mg_step_stat *rows, const mg_feed *feed, int batch,
                                cudaStream_t stream)
{
    return LAUNCH(sum_step, 1, THREADS, 0, stream, *feed, rows, batch);
}

template <class Loss>
static cudaError_t launch_forward(Loss loss, float *y, mg_step_stat *rows, const float *x,
                                  const mg_feed *feed, int batch, int classes, cudaStream_t stream)
{
    const unsigned blocks = ((unsigned)batch + WARPS - 1) / WARPS;
    const cudaError_t e = LAUNCH(loss_forward<Loss>, blocks, THREADS, 0, stream, loss, y, rows, x,
                                 *feed, batch, classes);
    return e != cudaSuccess ? e : mg__launch_sum_rows(rows, feed, batch, stream);
}

template <class Loss>
static cudaError_t launch_backward(Loss loss, float *dx, const float *x, const float *y,
                                   const mg_feed *feed, int batch, int classes, cudaStream_t stream)
{
    const size_t count = (size_t)batch * (size_t)classes;
    return LAUNCH(loss_backward<Loss>, blocks_for(count), THREADS, 0, stream, loss, dx, x, y,
                  feed->batch_labels, feed->state, count, (uint32_t)classes);
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
