/* The inside of the CUDA backend, which is a module of its own: nothing of the program is linked
 * into it but the headers. Everything runs on one stream, in the order it was enqueued. A backend
 * is used by the thread that opened it. Plain pointers are device memory, h_ ones are the host's.
 */
#ifndef MG_CUDA_BACKEND_H
#define MG_CUDA_BACKEND_H

#include "backend.h"
#include "cuda/libraries.h"
#include "kernels.h"
#include <cuda_runtime_api.h>

/* An allocation. */
typedef struct mg_cuda_block {
    void *memory;
    size_t bytes;
    bool retired; /* an outgrown workspace that a recording may still use */
    struct mg_cuda_block *next;
} mg_cuda_block;

typedef struct mg_cuda {
    mg_backend base;
    int device;
    cudaStream_t stream;
    cudnnHandle_t cudnn;    /* NULL until an op needs it, see mg__cuda_need_cudnn */
    cublasHandle_t cublas;  /* the same */
    void *cublas_workspace; /* its own: which algorithm cuBLAS takes depends on the size */
    void *workspace;        /* shared by all ops, see mg__cuda_workspace */
    size_t workspace_bytes;
    mg_cuda_block *blocks;    /* all allocations, the latest first */
    size_t bytes, most_bytes; /* of them: now, and at most so far */
    int recordings;           /* that live */
} mg_cuda;

static inline mg_cuda *mg__cuda(mg_backend *be) { return (mg_cuda *)be; }

/* ---- fail.c: failures, and the checkers; each jumps to `out` with st set ---- */

void mg__cuda_report_to(mg_vfail_fn *vfail); /* before anything that can fail */

mg_status mg__cuda_failed(cudaError_t error, const char *call, const char *file, int line);
mg_status mg__cublas_failed(cublasStatus_t error, const char *call, const char *file, int line);
mg_status mg__cudnn_failed(cudnnStatus_t error, const char *call, const char *file, int line);

/* "1024 free of 4096", in bytes of GPU memory, or that it is not known. */
enum { MG_FREE_MEMORY_SIZE = 64 };
const char *mg__cuda_free_memory(char text[MG_FREE_MEMORY_SIZE]);

#define MG_CHECK_CALL(type, success, failed, call, text)                                           \
    do {                                                                                           \
        const type error_ = (call);                                                                \
        if (error_ != (success)) {                                                                 \
            st = failed(error_, text, __FILE__, __LINE__);                                         \
            goto out;                                                                              \
        }                                                                                          \
    } while (0)
#define MG_CUDA(call) MG_CHECK_CALL(cudaError_t, cudaSuccess, mg__cuda_failed, call, #call)
/* These two call the libraries' functions, cublasSgemm(...), through the pointers to them. */
#define MG_CUBLAS(call)                                                                            \
    MG_CHECK_CALL(cublasStatus_t, CUBLAS_STATUS_SUCCESS, mg__cublas_failed, mg__cublas.call, #call)
#define MG_CUDNN(call)                                                                             \
    MG_CHECK_CALL(cudnnStatus_t, CUDNN_STATUS_SUCCESS, mg__cudnn_failed, mg__cudnn.call, #call)

/* ---- memory.c ---- */

mg_status mg__cuda_alloc(mg_backend *be, void **out, size_t bytes);
void mg__cuda_release(mg_backend *be, void *memory);
mg_status mg__cuda_upload(mg_backend *be, void *dst, const void *h_src, size_t bytes);
mg_status mg__cuda_download(mg_backend *be, void *h_dst, const void *src, size_t bytes);
mg_status mg__cuda_sync(mg_backend *be);
size_t mg__cuda_memory(const mg_backend *be);

/* For prepare(): makes the shared workspace at least that large. Ops take turns on the stream, so
 * each has all of cu->workspace from its first call to its last; nothing in it lasts longer. */
mg_status mg__cuda_workspace(mg_cuda *cu, size_t bytes);
void mg__cuda_free_retired(mg_cuda *cu); /* when no recording is left */

/* ---- libraries.c ---- */

/* For prepare(), never inside a recording: load the library, if that is still to be done, and make
 * cu->cudnn or cu->cublas. MG_ERR_DEVICE: not found, or of another version. */
mg_status mg__cuda_need_cudnn(mg_cuda *cu);
mg_status mg__cuda_need_cublas(mg_cuda *cu);
/* Loading alone, once in a process; false with the reason ("cannot be loaded: ..."). */
bool mg__cuda_load_cudnn(char *reason, size_t size);
bool mg__cuda_load_cublas(char *reason, size_t size);

/* Their functions; all NULL until the library is loaded. */
#define MG_POINTER(call) __typeof__(call) *call;
extern struct mg_cublas_calls {
    MG_CUBLAS_CALLS(MG_POINTER)
} mg__cublas;
extern struct mg_cudnn_calls {
    MG_CUDNN_CALLS(MG_POINTER)
} mg__cudnn;
#undef MG_POINTER

/* Bytes as cudnnGetVersion() and CUDNN_VERSION have it: "9.19.0". */
void mg__cuda_cudnn_version(char *text, size_t size, size_t version);
/* A descriptor of [batch][c][h][w] f32. */
mg_status mg__cuda_tensor(cudnnTensorDescriptor_t *out, int batch, mg_shape shape);

/* ---- layer_softmax_xent.c: every loss's prepare; its rows' statistics pass through the workspace
 * on their way to the step's sum ---- */

mg_status mg__cuda_loss_prepare(mg_op *op);

/* ---- fused.c ---- */

extern const mg_fused *const mg_cuda_fused[];

/* ---- record.c, update.c ---- */

mg_status mg__cuda_repeat(mg_backend *be, mg_recording **rec, mg_enqueue_fn *fn, void *ctx,
                          int times);
mg_status mg__cuda_time(mg_backend *be, mg_recording **rec, mg_enqueue_fn *fn, void *ctx, int times,
                        mg_timing *out);
void mg__cuda_recording_free(mg_backend *be, mg_recording *rec);
mg_status mg__cuda_optimizer_step(mg_backend *be, const mg_update *update);
mg_status mg__cuda_clip_norm(mg_backend *be, const mg_update *update);
mg_status mg__cuda_advance(mg_backend *be, mg_step_state *state, bool training);

/* ---- info.c: what mg_cuda_module_api says of them ---- */

int mg__cuda_device_count(char *reason, size_t size);
void mg__cuda_info(char *text, size_t size, mg_vfail_fn *vfail);
mg_status mg__cuda_peak(mg_backend *be, double *out);
/* "NVIDIA H100 (132 SMs, 79.1 GiB, compute capability 9.0)" */
mg_status mg__cuda_describe(char *text, size_t size, int device);

#endif
