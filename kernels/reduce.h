/* Sums over the threads of a warp and of a block of THREADS, always added up in the same order; and
 * how many rows of the batch are valid. */
#ifndef MG_REDUCE_H
#define MG_REDUCE_H

#include "grid.h"
#include "layers/layer.h"

enum { WARPS = THREADS / 32 };

static __device__ inline unsigned thread_index() { return threadIdx.y * blockDim.x + threadIdx.x; }

/* Valid in every lane. */
template <class T> static __device__ T warp_sum(T value)
{
    for (int d = 16; d > 0; d /= 2) value += __shfl_xor_sync(~0u, value, d);
    return value;
}

/* Valid in every thread; any number of calls. */
template <class T> static __device__ T block_sum(T value)
{
    SHARED_ARRAY(T, warp_sums, WARPS);
    const unsigned thread = thread_index();
    value = warp_sum(value);
    __syncthreads(); /* the last call's sums have been read */
    if (thread % 32 == 0) warp_sums[thread / 32] = value;
    __syncthreads();
    return warp_sum(thread % 32 < WARPS ? warp_sums[thread % 32] : T(0));
}

/* mg_step_rows, on the device. */
static __device__ inline uint32_t valid_rows(const mg_step_state *state)
{
    const uint32_t left = state->count > state->cursor ? state->count - state->cursor : 0;
    return left < state->batch ? left : state->batch;
}

#endif
