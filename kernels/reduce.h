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

/* Sums each of v[0 .. COUNT-1] over the LANES lanes of a group, in COUNT - COUNT/LANES exchanges:
 * the group's lane l ends with the sums l n .. l n + n-1 in v[0 .. n-1], n = COUNT / LANES. */
template <int COUNT, int LANES, int SIZE>
static __device__ void spread_sum(float (&v)[SIZE], unsigned lane)
{
    if constexpr (LANES > 1) {
        const bool upper = (lane & LANES / 2) != 0;
        UNROLL
        for (int i = 0; i < COUNT / 2; i++) {
            const float low = v[i], high = v[i + COUNT / 2];
            v[i] = (upper ? high : low) + __shfl_xor_sync(~0u, upper ? low : high, LANES / 2);
        }
        spread_sum<COUNT / 2, LANES / 2>(v, lane);
    }
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

/* The largest of the threads' values, as block_sum; NaNs are left out. */
static __device__ inline float block_largest(float value)
{
    SHARED_ARRAY(float, warp_largest, WARPS);
    const unsigned thread = thread_index();
    for (int d = 16; d > 0; d /= 2) value = fmaxf(value, __shfl_xor_sync(~0u, value, d));
    __syncthreads(); /* the last call's values have been read */
    if (thread % 32 == 0) warp_largest[thread / 32] = value;
    __syncthreads();
    for (int i = 0; i < WARPS; i++) value = fmaxf(value, warp_largest[i]);
    return value;
}

/* mg_step_rows, on the device. */
static __device__ inline uint32_t valid_rows(const mg_step_state *state)
{
    const uint32_t left = state->count > state->cursor ? state->count - state->cursor : 0;
    return left < state->batch ? left : state->batch;
}

#endif
