/* The one CUDA header that a kernel file includes. nvcc reads the thin macros below; a host
 * compiler reads cuda_shim.h, which runs the same source on the CPU, in tests on machines without a
 * GPU. */
#ifndef MG_GPU_PORT_H
#define MG_GPU_PORT_H

#ifdef __CUDACC__

#include <cuda_runtime.h>

/* Enqueues kernel(args) on the stream; the value is the launch's cudaError_t. */
/* clang-format off */
#define LAUNCH(kernel, grid, block, shared_bytes, stream, ...)                                     \
    ((kernel)<<<(grid), (block), (shared_bytes), (stream)>>>(__VA_ARGS__), cudaGetLastError())
/* clang-format on */

/* Declares `name`, an array in the block's shared memory: n elements, or as many as shared_bytes of
 * the launch hold. */
#define SHARED_ARRAY(T, name, n) __shared__ T name[n]
#define DYN_SHARED(T, name)                                                                        \
    extern __shared__ __align__(16) unsigned char gpu_port_dynamic[];                              \
    T *const name = reinterpret_cast<T *>(gpu_port_dynamic)

/* Before a loop: arrays that it indexes can then live in registers. */
#define UNROLL _Pragma("unroll")

#else
#include "cuda_shim.h"
#endif

#endif
