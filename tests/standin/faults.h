/* Programs that the stand-in must stop or whose results show their fault, and their right twins.
 * Each runs in a process of its own: test_standin.c says what must come of it. */
#ifndef MG_STANDIN_FAULTS_H
#define MG_STANDIN_FAULTS_H

#include <cuda_runtime_api.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- faults.cu: y[i] = x[255 - i] for 256 floats, in right and wrong ways ---- */

typedef enum fault_kernel {
    RIGHT,            /* through shared memory, one barrier */
    MISSING_BARRIER,  /* without it */
    UNINITIALISED,    /* the shared memory is never written */
    SHARED_OVERFLOW,  /* one element past the shared array */
    DEVICE_OVERFLOW,  /* one element past y */
    DIVERGENT,        /* half of the threads wait at one barrier, half at another */
    DEADLOCK,         /* half of a warp at __syncwarp, half at __syncthreads */
    MISSING_SYNCWARP, /* lanes exchange through shared memory, ordered by a shuffle alone */
    MIXED_MASKS,      /* lanes at a shuffle wait for each other with different masks */
    MIXED_OPERATIONS, /* half of a warp at a shuffle, half at __syncwarp */
    LARGE_FRAME       /* a local array as large as a thread's whole stack here */
} fault_kernel;
cudaError_t launch_reverse(fault_kernel how, const float *x, float *y, cudaStream_t stream);

/* out[0] = sum of x[0 .. blocks * 64 - 1]. partial [blocks], counter: one, zero before and after.
 * The last block to finish adds up; racy: every block adds to out[0] itself. */
cudaError_t launch_sum(const float *x, float *partial, unsigned *counter, float *out, int blocks,
                       int racy, cudaStream_t stream);
/* out[b] = 1 + 2 + ... + blocks in every block b, after a grid-wide barrier. part [blocks]. */
cudaError_t launch_grid_sum(float *part, float *out, int blocks, cudaStream_t stream);
/* out[lane] of a warp with shuffles of every kind, ballots, and two groups with masks of their own;
 * the expected sum of each lane is 0 where all is right. */
cudaError_t launch_warp_check(int *out, cudaStream_t stream);
/* *total += step, or *total += ++*counter: the step number by value, or on the device. */
cudaError_t launch_add_step(float *total, float step, cudaStream_t stream);
cudaError_t launch_add_counter(float *total, float *counter, cudaStream_t stream);
cudaError_t launch_sized(unsigned threads, size_t shared_bytes, float *y, cudaStream_t stream);

/* ---- faults.c, right.c ---- */

/* Returns the exit status: 0 where nothing was noticed, 3 where the program's own check of results
 * or status codes noticed the fault (a line "noticed: ..." on stderr), 2 for an unknown name. */
int run_fault(const char *name);
int run_right(const char *name);

/* Prints what the program itself saw, and returns 3. */
int noticed(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Device memory with these values (NULL: fresh), ends the process on failure. */
float *device_floats(const float *values, size_t count);
void free_device_floats(void);
/* Waits for everything, then copies. */
void read_floats(float *h_out, const float *x, size_t count);

#define CHECK(call)                                                                                \
    do {                                                                                           \
        const int status_ = (int)(call);                                                           \
        if (status_) return noticed("%s gave %d", #call, status_);                                 \
    } while (0)

#ifdef __cplusplus
}
#endif
#endif
