/* The inside of the stand-in: what its parts (runtime, memory, cudart, cublas, cudnn) share. */
#ifndef MG_STANDIN_H
#define MG_STANDIN_H

#include "cuda_shim.h"

#include <vector>

#undef threadIdx
#undef blockIdx
#undef blockDim
#undef gridDim

#ifdef __SANITIZE_ADDRESS__
#define STANDIN_ASAN(...) __VA_ARGS__
#else
#define STANDIN_ASAN(...)
#endif

namespace standin
{
/* ---- report.cpp, failures.cpp: every line on stderr begins with "standin: " ---- */

/* A fault that no status code could carry, or that a caller could swallow: the process ends. */
[[noreturn]] void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The reason of an error that the real library would return too. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The status with which a call has to fail, 0: none. MG_STANDIN_FAIL is a list, with commas
 * between: N       the N-th call into the libraries fails (launches are calls), with the usual
 * status N+      that and all later ones NAME:S  every call of that function, or launch of that
 * kernel, with status S */
int planned_failure(int usual, const char *call = __builtin_FUNCTION());
template <class Status> Status planned(Status usual, const char *call = __builtin_FUNCTION())
{
    return static_cast<Status>(planned_failure(static_cast<int>(usual), call));
}

/* A permutation of 0 .. n-1, for a grid's blocks, a block's threads, the streams:
 * MG_STANDIN_ORDER = fwd (default) | rev | rand:SEED. */
void execution_order(std::vector<unsigned> &order, unsigned n);

/* ---- runtime.cpp ---- */

void run_grid(const Launch &config, const std::function<void()> &body);

/* ---- memory.cpp ---- */

enum class Memory { Pageable, Pinned, Device, Freed };

void *device_alloc(size_t bytes); /* NaN-filled; null when the device's memory is used up */
bool device_free(void *p);        /* false: not an allocation */
void *pinned_alloc(size_t bytes);
bool pinned_free(void *p);
void memory_info(size_t *free_bytes, size_t *total_bytes);
/* Where a range lies; Pageable too where it is only partly inside an allocation. */
Memory memory_kind(const void *p, size_t bytes);
inline bool is_device(const void *p, size_t bytes)
{
    return memory_kind(p, bytes) == Memory::Device;
}
/* Host code can touch device memory only while one of these lives. */
struct DeviceAccess {
    DeviceAccess();
    ~DeviceAccess();
    DeviceAccess(const DeviceAccess &) = delete;
    DeviceAccess &operator=(const DeviceAccess &) = delete;
};

/* ---- stream.cpp ---- */

/* Queues work on a stream; where the stream is being captured, adds a node to its graph. Work on
 * the legacy stream (0) runs at once, after that of all blocking streams. */
cudaError_t enqueue(cudaStream_t stream, cudaGraphNodeType type, std::function<void()> work);
bool is_capturing(cudaStream_t stream);
/* The error of a call that no capture allows (allocation, synchronisation), or success. Such a call
 * also spoils the capture. */
cudaError_t forbid_in_capture(const char *call);
/* Runs what is queued: on one stream, or on all in an order of the environment's choice. */
void drain(cudaStream_t stream);
void drain_all();

/* ---- cudart.cpp ---- */

cudaError_t set_error(cudaError_t error); /* keeps it for cudaGetLastError; returns it */
/* The dynamic shared memory that a kernel may be launched with: see cudaFuncSetAttribute. */
size_t shared_limit(const void *kernel);

/* ---- library.cpp: what the cuBLAS and cuDNN stand-ins check alike ---- */

struct Operand {
    const char *name;
    const void *data;
    size_t bytes;
    bool written;
    const void *same_as = nullptr; /* what it may lie on: in-place calls */
};

struct LibraryCall {
    const char *name;
    cudaStream_t stream;
    bool *used; /* the handle's: has it run anything yet? */
    std::vector<Operand> operands;
    void *workspace; /* what the call needs of it; an operand too */
    size_t workspace_bytes;
};
/* Enqueues a library call. Its operands are checked now, and again when it runs, since a graph may
 * be replayed after a buffer was freed: each lies inside one device allocation, 4-byte aligned, and
 * none that is written overlaps another. Its workspace is overwritten with NaNs before `work` runs.
 * The first call through a handle must not be inside a capture: libraries load their kernels then.
 * Whatever of that does not hold ends the process. */
cudaError_t enqueue_call(const LibraryCall &call, std::function<void()> work);

/* y = alpha result + beta y, without reading y where beta is 0; y [columns] with leading dimension
 * ld, each column `rows` long. */
void blend(float *y, const std::vector<float> &result, float alpha, float beta, size_t rows,
           size_t ld);
} // namespace standin

#endif
