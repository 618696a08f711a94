/* Grid-stride loops: `for (size_t i = first_index(); i < count; i += index_stride())` in a kernel
 * launched with blocks_for(count) blocks of THREADS threads. */
#ifndef MG_GRID_H
#define MG_GRID_H

#include "gpu_port.h"

enum { THREADS = 256 };

/* One element a thread, up to what any GPU is full with. */
static inline unsigned blocks_for(size_t count)
{
    const size_t blocks = (count + THREADS - 1) / THREADS;
    return (unsigned)(blocks < 65536 ? blocks : 65536);
}

static __device__ inline size_t first_index() { return (size_t)blockIdx.x * THREADS + threadIdx.x; }
static __device__ inline size_t index_stride() { return (size_t)gridDim.x * THREADS; }

#endif
