/* The step's two ends: gather brings a batch in, advance moves on to the next. */
#include "grid.h"
#include "kernels.h"

/* One block per row of the batch. */
static __global__ void __launch_bounds__(THREADS)
    gather(float *__restrict__ y, uint8_t *__restrict__ batch_labels,
           const float *__restrict__ table, const uint8_t *__restrict__ pixels,
           const uint8_t *__restrict__ labels, const uint32_t *__restrict__ order,
           const mg_step_state *__restrict__ state, size_t size)
{
    const uint32_t position = state->cursor + blockIdx.x;
    const bool valid = blockIdx.x < state->batch && position < state->count;
    const size_t image = !valid ? 0 : order ? order[position] : position;
    const uint8_t *source = pixels + image * size;
    y += blockIdx.x * size;
    for (size_t p = threadIdx.x; p < size; p += THREADS) y[p] = valid ? table[source[p]] : 0.0f;
    if (threadIdx.x == 0) batch_labels[blockIdx.x] = valid ? labels[image] : (uint8_t)0;
}

static __global__ void advance(mg_step_state *state, uint32_t steps)
{
    state->cursor += state->batch;
    state->slot += 1;
    state->step += steps;
}

cudaError_t mg__launch_gather(float *y, const float *table, const mg_feed *feed, int batch,
                              size_t size, cudaStream_t stream)
{
    return LAUNCH(gather, (unsigned)batch, THREADS, 0, stream, y, feed->batch_labels, table,
                  feed->pixels, feed->labels, feed->order, feed->state, size);
}

cudaError_t mg__launch_advance(mg_step_state *state, bool training, cudaStream_t stream)
{
    return LAUNCH(advance, 1, 1, 0, stream, state, training ? 1u : 0u);
}
