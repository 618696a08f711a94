/* The contract between the training loop and the devices: `ref`, `cpu` and `cuda` implement it.
 * Only backend.c names them. Memory made by alloc() belongs to the device: the host reaches it
 * through upload() and download() alone. */
#ifndef MG_BACKEND_H
#define MG_BACKEND_H

#include "layers/layer.h"
#include "mnist_gpu/device.h"

typedef struct mg_recording mg_recording;
typedef mg_status mg_enqueue_fn(void *ctx);

typedef enum mg_optimizer_kind {
    MG_OPTIMIZER_ADAM,
    MG_OPTIMIZER_SGD,
    MG_OPTIMIZER_COUNT
} mg_optimizer_kind;

/* One optimizer step over an arena, or a part of one. t = state->step + 1, lr = state->lr.
 *   Adam (Kingma & Ba 2015, algorithm 1, as PyTorch computes it), g = dw:
 *     m = m + (1 - beta1)(g - m)      v = beta2 v + (1 - beta2) g g
 *     w = w - lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
 *   SGD (PyTorch): buf = momentum buf + g (the first step: buf = g);  w = w - lr buf */
typedef struct mg_update {
    mg_optimizer_kind kind;
    float beta1, beta2, eps;    /* Adam */
    float momentum;             /* SGD */
    size_t length;              /* floats; a multiple of 64 */
    float *w;                   /* [length] */
    const float *dw;            /* [length] */
    float *slots[2];            /* [length] each: Adam m, v; SGD buf, NULL */
    const mg_step_state *state; /* device memory */
} mg_update;

/* A group of consecutive layers that a backend can run in fewer passes over the data than layer by
 * layer: conv + relu + maxpool, say. `kinds` is matched against the net; supports() may refuse by
 * shape. The functions get the ops of the layers matched, first to last; forward and backward do
 * all that those of the layers would, as one stage each. Where backward is NULL the plain stages
 * run backward. If the pass does not train, or if backward is not NULL, the buffers between the
 * group's layers (y of all but the last, dx of all but the first) may be left unwritten. */
typedef struct mg_fused {
    const char *name;
    int count;
    mg_layer_kind kinds[6];
    bool (*supports)(const mg_op *ops); /* NULL: always */
    mg_status (*prepare)(mg_op *ops);   /* may be NULL; its data goes to ops[0].fused_impl */
    mg_status (*forward)(mg_op *ops);   /* must be there */
    mg_status (*backward)(mg_op *ops);  /* may be NULL */
    void (*release)(mg_op *ops);        /* may be NULL */
    bool updates;                       /* backward honours the ops' update */
} mg_fused;

/* What time() measures. */
typedef struct mg_timing {
    double seconds; /* all the calls together, by the device's clock */
    int launches;   /* kernels that one call starts on a GPU; 0 on the CPU */
} mg_timing;

typedef struct mg_backend_ops {
    const char *name;
    const mg_layer_ops *const *layers; /* [MG_LAYER_COUNT] */
    const mg_fused *const *fused;      /* patterns, tried in order; ends with NULL; or NULL */

    /* Zeroed memory, 256-byte aligned. MG_ERR_MEMORY names the bytes asked for and, on a GPU, free.
     */
    mg_status (*alloc)(mg_backend *be, void **out, size_t bytes);
    /* Waits for the work that may use it; leaves the last error's message alone. NULL is fine. */
    void (*release)(mg_backend *be, void *memory);

    /* upload may return before the copy is done but has read h_src; download and sync wait for all
     * that was enqueued. An error of earlier enqueued work may be reported by any later call. */
    mg_status (*upload)(mg_backend *be, void *dst, const void *h_src, size_t bytes);
    mg_status (*download)(mg_backend *be, void *h_dst, const void *src, size_t bytes);
    mg_status (*sync)(mg_backend *be);

    mg_status (*optimizer_step)(mg_backend *be, const mg_update *update); /* enqueues */
    /* Enqueues: cursor += batch, slot += 1, and step += 1 if `training`. */
    mg_status (*advance)(mg_backend *be, mg_step_state *state, bool training);

    /* Enqueues fn(ctx) `times` times. The first call with *rec NULL may run fn once directly (a
     * real step: libraries load, workspaces are sized), then record it and replay the recording;
     * *rec then holds it for later calls with the same fn and ctx. `times` equal to 0 does nothing.
     */
    mg_status (*repeat)(mg_backend *be, mg_recording **rec, mg_enqueue_fn *fn, void *ctx,
                        int times);
    void (*recording_free)(mg_backend *be, mg_recording *rec); /* NULL is fine */

    /* repeat, timed; waits. What is recorded on the way counts, so the caller lets the same call
     * run once before. */
    mg_status (*time)(mg_backend *be, mg_recording **rec, mg_enqueue_fn *fn, void *ctx, int times,
                      mg_timing *out);
    /* FLOP/s that the device's f32 multiply-adds can reach, each counting as two: tried out on the
     * CPU, computed from a GPU's clock. NULL: not known. */
    mg_status (*peak)(mg_backend *be, double *out);

    void (*close)(mg_backend *be);
} mg_backend_ops;

/* Every backend's own struct begins with this one. */
struct mg_backend {
    const mg_backend_ops *ops;
    char description[160];
    char fallback_reason[256];
};

/* The two that are always there. threads as in mg_backend_open. */
mg_status mg__ref_open(mg_backend **out);
mg_status mg__cpu_open(mg_backend **out, int threads);

/* What the module mnist_gpu_cuda.so exports, as `mg_cuda_module`. The module is self-contained: it
 * reports failures through `vfail`, which the program hands to it. */
enum { MG_CUDA_MODULE_ABI = 1 };
typedef mg_status mg_vfail_fn(mg_status code, const char *fmt, va_list args);
typedef struct mg_cuda_module_api {
    uint32_t abi;
    uint32_t backend_ops_size, op_size; /* sizeof: a module of another build is refused */
    mg_status (*open)(mg_backend **out, int device, mg_vfail_fn *vfail);
    /* Usable GPUs; 0 with the reason in `reason` ("no NVIDIA driver found (...)"). */
    int (*device_count)(char *reason, size_t size);
    /* Versions and devices as lines of text, into `text`. */
    void (*info)(char *text, size_t size);
} mg_cuda_module_api;

#endif
