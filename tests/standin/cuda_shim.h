/* The CUDA device language for a host C++17 compiler: what a kernel file includes (through
 * gpu_port.h) when it is compiled to run without a GPU.
 *
 * Types and prototypes come from the toolkit's own headers, so a call with a wrong signature does
 * not compile. A CUDA thread is a function call until it has to wait for others; then it is a fibre
 * (runtime.cpp). Blocks run one after another, or all together in a cooperative launch. */
#ifndef MG_CUDA_SHIM_H
#define MG_CUDA_SHIM_H

#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <tuple>

namespace standin
{
struct Position {
    uint3 thread, block;
    dim3 block_dim, grid_dim;
};
extern const Position *here; /* of the CUDA thread that runs; null in host code */

/* ---- what a kernel calls ---- */

void block_barrier(const char *file, int line);
void grid_barrier();
/* Waits for the lanes in `mask` that have not exited. Returns the 32 lanes' values; those of lanes
 * that did not join are all ones (a NaN). */
const uint64_t *warp_exchange(unsigned mask, uint64_t value);
void warp_barrier(unsigned mask);
unsigned warp_joined(); /* the lanes of the caller's last exchange */
unsigned lane_id();
void memory_fence();
void yield();

/* Shared memory of the caller's block: the same for the same key, NaN-filled for every block. */
void *shared_memory(const void *key, size_t bytes);
void *dynamic_shared_memory();

/* ---- what a launch calls ---- */

struct Launch {
    const char *name;
    const void *kernel;
    dim3 grid, block;
    size_t shared_bytes;
    bool cooperative;
};
/* Checks the configuration and enqueues the kernel; failures are kept for cudaGetLastError. */
void launch(const Launch &config, cudaStream_t stream, std::function<void()> body);

template <class... P, class... A>
cudaError_t launch_kernel(bool cooperative, const char *name, void (*kernel)(P...), dim3 grid,
                          dim3 block, size_t shared_bytes, cudaStream_t stream, A... args)
{
    /* Arguments are copied at the call, as CUDA does. */
    launch({name, reinterpret_cast<const void *>(kernel), grid, block, shared_bytes, cooperative},
           stream, [kernel, values = std::tuple<P...>(static_cast<P>(args)...)] {
               std::apply(kernel, values);
           });
    return cudaGetLastError();
}

template <class T> uint64_t to_bits(T value)
{
    static_assert(sizeof(T) <= sizeof(uint64_t), "a shuffle moves at most 8 bytes");
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    return bits;
}

template <class T> T from_bits(uint64_t bits)
{
    T value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}
} // namespace standin

/* ---- the macros of gpu_port.h ---- */

#define LAUNCH(kernel, grid, block, shared, stream, ...)                                           \
    standin::launch_kernel(false, #kernel, kernel, grid, block, shared, stream, __VA_ARGS__)
#define LAUNCH_COOP(kernel, grid, block, shared, stream, ...)                                      \
    standin::launch_kernel(true, #kernel, kernel, grid, block, shared, stream, __VA_ARGS__)
#define SHARED_ARRAY(T, name, n)                                                                   \
    static const char standin_key_##name = 0;                                                      \
    T(&name)                                                                                       \
    [n] = *static_cast<T(*)[n]>(                                                                   \
        standin::shared_memory(&standin_key_##name, sizeof(T) * static_cast<size_t>(n)))
#define DYN_SHARED(T, name) T *const name = static_cast<T *>(standin::dynamic_shared_memory())
#define GRID_SYNC()         standin::grid_barrier()
#define UNROLL

#undef __launch_bounds__
#define __launch_bounds__(...)
#define threadIdx (standin::here->thread)
#define blockIdx  (standin::here->block)
#define blockDim  (standin::here->block_dim)
#define gridDim   (standin::here->grid_dim)
constexpr int warpSize = 32;

/* ---- barriers and warp operations ---- */

inline void __syncthreads(const char *file = __builtin_FILE(), int line = __builtin_LINE())
{
    standin::block_barrier(file, line);
}

inline void __syncwarp(unsigned mask = ~0u) { standin::warp_barrier(mask); }
inline void __threadfence() { standin::memory_fence(); }
inline void __threadfence_block() { standin::memory_fence(); }
inline void __nanosleep(unsigned) { standin::yield(); }

template <class T> T __shfl_sync(unsigned mask, T value, int source, int width = 32)
{
    const uint64_t *lanes = standin::warp_exchange(mask, standin::to_bits(value));
    const int base = static_cast<int>(standin::lane_id()) & ~(width - 1);
    return standin::from_bits<T>(lanes[base | (source & (width - 1))]);
}

template <class T> T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32)
{
    const uint64_t *lanes = standin::warp_exchange(mask, standin::to_bits(value));
    const int lane = static_cast<int>(standin::lane_id()), d = static_cast<int>(delta);
    return standin::from_bits<T>(lanes[(lane & (width - 1)) + d < width ? lane + d : lane]);
}

template <class T> T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32)
{
    const uint64_t *lanes = standin::warp_exchange(mask, standin::to_bits(value));
    const int lane = static_cast<int>(standin::lane_id()), d = static_cast<int>(delta);
    return standin::from_bits<T>(lanes[(lane & (width - 1)) >= d ? lane - d : lane]);
}

template <class T> T __shfl_xor_sync(unsigned mask, T value, int flip, int width = 32)
{
    const uint64_t *lanes = standin::warp_exchange(mask, standin::to_bits(value));
    const int lane = static_cast<int>(standin::lane_id()), end = (lane / width + 1) * width;
    return standin::from_bits<T>(lanes[(lane ^ flip) < end ? lane ^ flip : lane]);
}

inline unsigned __ballot_sync(unsigned mask, int predicate)
{
    const uint64_t *lanes = standin::warp_exchange(mask, predicate != 0);
    unsigned joined = standin::warp_joined(), result = 0;
    for (unsigned i = 0; i < 32; i++)
        if ((joined >> i & 1) && lanes[i]) result |= 1u << i;
    return result;
}
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, !predicate) == 0; }

/* ---- atomics: atomic, and no more ordered than CUDA's ---- */

template <class T, class F> T standin_atomic_update(T *p, F next)
{
    T old, desired;
    __atomic_load(p, &old, __ATOMIC_RELAXED);
    do desired = next(old);
    while (
        !__atomic_compare_exchange(p, &old, &desired, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return old;
}
template <class T> T atomicAdd(T *p, T v)
{
    return standin_atomic_update(p, [v](T old) { return static_cast<T>(old + v); });
}
template <class T> T atomicMax(T *p, T v)
{
    return standin_atomic_update(p, [v](T old) { return old < v ? v : old; });
}
template <class T> T atomicMin(T *p, T v)
{
    return standin_atomic_update(p, [v](T old) { return v < old ? v : old; });
}
template <class T> T atomicExch(T *p, T v)
{
    return standin_atomic_update(p, [v](T) { return v; });
}
inline unsigned atomicInc(unsigned *p, unsigned limit)
{
    return standin_atomic_update(p, [limit](unsigned old) { return old >= limit ? 0 : old + 1; });
}

/* ---- arithmetic that the host's <cmath> lacks ---- */

template <class T> T __ldg(const T *p) { return *p; }
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fsqrt_rn(float x) { return std::sqrt(x); }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __clz(int x) { return x ? __builtin_clz(static_cast<unsigned>(x)) : 32; }
using std::max;
using std::min;

#endif
