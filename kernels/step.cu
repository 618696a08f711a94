/* The step's two ends: gather brings a batch in, the optimizer and advance finish it. */
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

/* log_beta = log(beta). 1 - beta^t = -expm1(t log beta) is exact to rounding for any t, where
 * 1 - powf(beta, t) loses half its digits for small ones. */
static __global__ void __launch_bounds__(THREADS)
    adam(float *__restrict__ w, const float *__restrict__ dw, float *__restrict__ m,
         float *__restrict__ v, const mg_step_state *__restrict__ state, size_t length, float beta1,
         float beta2, float log_beta1, float log_beta2, float eps)
{
    SHARED_ARRAY(float, corrected, 2);
    if (threadIdx.x == 0) {
        const float t = (float)(state->step + 1);
        corrected[0] = state->lr / -expm1f(t * log_beta1);
        corrected[1] = sqrtf(-expm1f(t * log_beta2));
    }
    __syncthreads();
    const float rate = corrected[0], scale = corrected[1];
    for (size_t i = first_index(); i < length; i += index_stride()) {
        const float g = dw[i];
        const float mi = m[i] + (1.0f - beta1) * (g - m[i]);
        const float vi = beta2 * v[i] + (1.0f - beta2) * g * g;
        m[i] = mi;
        v[i] = vi;
        w[i] -= rate * mi / (sqrtf(vi) / scale + eps);
    }
}

/* buf is zero before the first step, so that step needs no case of its own. */
static __global__ void __launch_bounds__(THREADS)
    sgd(float *__restrict__ w, const float *__restrict__ dw, float *__restrict__ buf,
        const mg_step_state *__restrict__ state, size_t length, float momentum)
{
    const float lr = state->lr;
    for (size_t i = first_index(); i < length; i += index_stride()) {
        const float step = momentum * buf[i] + dw[i];
        buf[i] = step;
        w[i] -= lr * step;
    }
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

cudaError_t mg__launch_adam(const mg_update *u, cudaStream_t stream)
{
    return LAUNCH(adam, blocks_for(u->length), THREADS, 0, stream, u->w, u->dw, u->slots[0],
                  u->slots[1], u->state, u->length, u->beta1, u->beta2,
                  (float)log((double)u->beta1), (float)log((double)u->beta2), u->eps);
}

cudaError_t mg__launch_sgd(const mg_update *u, cudaStream_t stream)
{
    return LAUNCH(sgd, blocks_for(u->length), THREADS, 0, stream, u->w, u->dw, u->slots[0],
                  u->state, u->length, u->momentum);
}

cudaError_t mg__launch_advance(mg_step_state *state, bool training, cudaStream_t stream)
{
    return LAUNCH(advance, 1, 1, 0, stream, state, training ? 1u : 0u);
}
