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

/* Loops over planes, each one channel of one image, of `size` elements: a block is
 * width x THREADS/width threads, x walks along a plane, y over planes. Both a conv's planes of many
 * elements and a dense layer's of one so keep all threads at work, without a division per element.
 */
static inline dim3 plane_block(size_t size)
{
    unsigned width = 1;
    while (width < size && width < THREADS) width *= 2;
    return dim3(width, THREADS / width);
}

/* A row of threads a plane, up to what any GPU is full with. */
static inline unsigned plane_blocks(size_t planes, size_t size)
{
    const size_t rows = plane_block(size).y, blocks = (planes + rows - 1) / rows;
    return (unsigned)(blocks < 65536 ? blocks : 65536);
}

static __device__ inline size_t first_plane()
{
    return (size_t)blockIdx.x * blockDim.y + threadIdx.y;
}
static __device__ inline size_t plane_stride() { return (size_t)gridDim.x * blockDim.y; }

#endif
