#include "faults.h"
#include "cuda_shim.h"

enum { COUNT = 256, WARP_ROW = 33 };

/* ---- reversing 256 floats ---- */

static __global__ void right(const float *x, float *y)
{
    SHARED_ARRAY(float, s, COUNT);
    s[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = s[COUNT - 1 - threadIdx.x];
}

static __global__ void missing_barrier(const float *x, float *y)
{
    SHARED_ARRAY(float, s, COUNT);
    s[threadIdx.x] = x[threadIdx.x];
    y[threadIdx.x] = s[COUNT - 1 - threadIdx.x];
}

static __global__ void uninitialised(const float *, float *y)
{
    SHARED_ARRAY(float, s, COUNT);
    y[threadIdx.x] = s[COUNT - 1 - threadIdx.x];
}

static __global__ void shared_overflow(const float *x, float *y)
{
    DYN_SHARED(float, s);
    s[threadIdx.x + 1] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = s[COUNT - threadIdx.x];
}

static __global__ void device_overflow(const float *x, float *y)
{
    for (unsigned i = threadIdx.x; i <= COUNT; i += blockDim.x) y[i] = x[COUNT - 1 - i % COUNT];
}

static __global__ void divergent(const float *x, float *y)
{
    SHARED_ARRAY(float, s, COUNT);
    s[threadIdx.x] = x[threadIdx.x];
    if (threadIdx.x < 128)
        __syncthreads();
    else
        __syncthreads();
    y[threadIdx.x] = s[COUNT - 1 - threadIdx.x];
}

static __global__ void deadlock(const float *x, float *y)
{
    if (threadIdx.x % 32 < 16)
        __syncwarp();
    else
        __syncthreads();
    y[threadIdx.x] = x[COUNT - 1 - threadIdx.x];
}

static __global__ void missing_syncwarp(const float *x, float *y)
{
    SHARED_ARRAY(float, s, COUNT);
    const unsigned i = threadIdx.x;
    s[i] = x[COUNT - 1 - i];
    __shfl_sync(~0u, 0, 0); /* orders the lanes on most GPUs, and nobody promises it */
    y[i ^ 1] = s[i ^ 1];
}

static __global__ void mixed_masks(const float *x, float *y)
{
    const unsigned mask = threadIdx.x % 32 < 16 ? ~0u : 0xffff0001u;
    y[threadIdx.x] = __shfl_sync(mask, x[COUNT - 1 - threadIdx.x], static_cast<int>(threadIdx.x));
}

static __global__ void mixed_operations(const float *x, float *y)
{
    if (threadIdx.x % 32 < 16)
        __syncwarp();
    else
        __shfl_sync(~0u, 0, 0);
    y[threadIdx.x] = x[COUNT - 1 - threadIdx.x];
}

static __global__ void large_frame(const float *x, float *y)
{
    volatile char local[126 << 10];
    for (size_t i = 0; i < sizeof local; i++) local[i] = 1;
    y[threadIdx.x] = x[COUNT - local[0] - threadIdx.x];
}

cudaError_t launch_reverse(fault_kernel how, const float *x, float *y, cudaStream_t stream)
{
    switch (how) {
    case RIGHT:
        return LAUNCH(right, 1, COUNT, 0, stream, x, y);
    case MISSING_BARRIER:
        return LAUNCH(missing_barrier, 1, COUNT, 0, stream, x, y);
    case UNINITIALISED:
        return LAUNCH(uninitialised, 1, COUNT, 0, stream, x, y);
    case SHARED_OVERFLOW:
        return LAUNCH(shared_overflow, 1, COUNT, COUNT * sizeof(float), stream, x, y);
    case DEVICE_OVERFLOW:
        return LAUNCH(device_overflow, 1, COUNT, 0, stream, x, y);
    case DIVERGENT:
        return LAUNCH(divergent, 1, COUNT, 0, stream, x, y);
    case DEADLOCK:
        return LAUNCH(deadlock, 1, COUNT, 0, stream, x, y);
    case MISSING_SYNCWARP:
        return LAUNCH(missing_syncwarp, 1, COUNT, 0, stream, x, y);
    case MIXED_MASKS:
        return LAUNCH(mixed_masks, 1, COUNT, 0, stream, x, y);
    case MIXED_OPERATIONS:
        return LAUNCH(mixed_operations, 1, COUNT, 0, stream, x, y);
    case LARGE_FRAME:
        return LAUNCH(large_frame, 1, COUNT, 0, stream, x, y);
    }
    return cudaErrorInvalidValue;
}

/* ---- sums over blocks ---- */

static __device__ float sum64(const float *x)
{
    SHARED_ARRAY(float, warps, 2);
    float v = x[threadIdx.x];
    for (int d = 16; d > 0; d /= 2) v += __shfl_down_sync(~0u, v, static_cast<unsigned>(d));
    if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = v;
    __syncthreads();
    return warps[0] + warps[1];
}

static __global__ void sum_last_block(const float *x, float *partial, unsigned *counter, float *out)
{
    SHARED_ARRAY(bool, last, 1);
    const float sum = sum64(x + blockIdx.x * 64);
    if (threadIdx.x == 0) {
        partial[blockIdx.x] = sum;
        __threadfence();
        last[0] = atomicInc(counter, gridDim.x - 1) == gridDim.x - 1;
    }
    __syncthreads();
    if (!last[0] || threadIdx.x > 0) return;
    float total = 0;
    for (unsigned b = 0; b < gridDim.x; b++) total += partial[b];
    out[0] = total;
}

static __global__ void sum_racy(const float *x, float *out)
{
    const float sum = sum64(x + blockIdx.x * 64);
    if (threadIdx.x == 0) out[0] += sum;
}

cudaError_t launch_sum(const float *x, float *partial, unsigned *counter, float *out, int blocks,
                       int racy, cudaStream_t stream)
{
    const unsigned n = static_cast<unsigned>(blocks);
    if (racy) return LAUNCH(sum_racy, n, 64, 0, stream, x, out);
    return LAUNCH(sum_last_block, n, 64, 0, stream, x, partial, counter, out);
}

static __global__ void grid_sum(float *part, float *out)
{
    if (threadIdx.x == 0) part[blockIdx.x] = static_cast<float>(blockIdx.x + 1);
    GRID_SYNC();
    if (threadIdx.x != 0) return;
    float sum = 0;
    for (unsigned b = 0; b < gridDim.x; b++) sum += part[b];
    out[blockIdx.x] = sum;
}

cudaError_t launch_grid_sum(float *part, float *out, int blocks, cudaStream_t stream)
{
    return LAUNCH_COOP(grid_sum, static_cast<unsigned>(blocks), 32, 0, stream, part, out);
}

/* ---- warp operations ---- */

static __global__ void warp_check(int *out)
{
    SHARED_ARRAY(int, row, WARP_ROW);
    const int lane = static_cast<int>(threadIdx.x);
    int wrong = 0;
    wrong += __shfl_sync(~0u, lane, lane + 1) != (lane + 1) % 32;
    wrong += __shfl_sync(~0u, lane, 3, 8) != (lane & ~7) + 3;
    wrong += __shfl_up_sync(~0u, lane, 2) != (lane < 2 ? lane : lane - 2);
    wrong += __shfl_down_sync(~0u, lane, 2, 16) != (lane % 16 < 14 ? lane + 2 : lane);
    wrong += __shfl_xor_sync(~0u, lane, 5) != (lane ^ 5);
    wrong += __ballot_sync(~0u, lane % 2) != 0xaaaaaaaau;
    wrong += !__any_sync(~0u, lane == 7) || __all_sync(~0u, lane == 7);
    const unsigned half = lane < 16 ? 0xffffu : 0xffff0000u; /* two groups, each on its way */
    for (int i = 0; i <= lane / 16; i++)
        wrong += __shfl_xor_sync(half, lane + i, 15) != (lane ^ 15) + i;
    row[lane] = lane;
    __syncwarp();
    wrong += row[31 - lane] != 31 - lane;
    out[lane] = wrong;
}

cudaError_t launch_warp_check(int *out, cudaStream_t stream)
{
    return LAUNCH(warp_check, 1, 32, 0, stream, out);
}

/* ---- what a graph keeps ---- */

static __global__ void add_step(float *total, float step) { *total += step; }
static __global__ void add_counter(float *total, float *counter) { *total += *counter += 1.0f; }

cudaError_t launch_add_step(float *total, float step, cudaStream_t stream)
{
    return LAUNCH(add_step, 1, 1, 0, stream, total, step);
}

cudaError_t launch_add_counter(float *total, float *counter, cudaStream_t stream)
{
    return LAUNCH(add_counter, 1, 1, 0, stream, total, counter);
}

static __global__ void sized(float *y) { y[threadIdx.x] = 1.0f; }

cudaError_t launch_sized(unsigned threads, size_t shared_bytes, float *y, cudaStream_t stream)
{
    return LAUNCH(sized, 1, threads, shared_bytes, stream, y);
}
