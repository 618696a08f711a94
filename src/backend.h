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
    MG_OPTIMIZER_ADAMW,
    MG_OPTIMIZER_RMSPROP,
    MG_OPTIMIZER_COUNT
} mg_optimizer_kind;

/* An optimizer's constants. Those of other kinds are not looked at; 0 leaves a part out. */
typedef struct mg_optimizer_spec {
    mg_optimizer_kind kind;
    float beta1, beta2; /* Adam, AdamW */
    float eps;          /* Adam, AdamW, RMSprop */
    float rho;          /* RMSprop */
    float momentum;     /* SGD */
    bool nesterov;      /* SGD */
    float weight_decay;
    float clip_value, clip_norm; /* at most one of them */
} mg_optimizer_spec;

enum { MG_CLIP_PARTS = 256 }; /* norms of parts that clip_norm() may keep beside its result */

/* One optimizer step over an arena, or a part of one, as PyTorch's optimizers compute it. They see
 *     g = dw clip[0]                      with clip_norm
 *     g = min(max(dw, -c), c)             with clip_value c
 *     g = dw                              without either;  a NaN stays one
 *     g = g + weight_decay w              after that: L2 regularisation, but for AdamW
 * and with t = state->step + 1, lr = lr[state->slot] do
 *   Adam (Kingma & Ba 2015, algorithm 1):
 *     m = m + (1 - beta1)(g - m)          v = beta2 v + (1 - beta2) g g
 *     w = w - lr / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
 *     A gradient whose square is beyond a float makes v infinite, and w stands still.
 *   AdamW (Loshchilov & Hutter 2019, algorithm 2): w = (1 - lr weight_decay) w, then as Adam.
 *   SGD (Sutskever et al. 2013):
 *     buf = momentum buf + g              (buf is 0 before the first step)
 *     w = w - lr buf                      nesterov: w = w - lr (g + momentum buf)
 *   RMSprop (Hinton 2012, lecture 6e):
 *     v = rho v + (1 - rho) g g           w = w - lr g / (sqrt(v) + eps)
 *     Keras 3 has eps inside the root, and rho .9 where PyTorch has .99. */
typedef struct mg_update {
    mg_optimizer_spec spec;
    size_t length;              /* floats; a multiple of 64 */
    float *w;                   /* [length] */
    const float *dw;            /* [length] */
    float *slots[2];            /* [length] each: Adam, AdamW m, v; SGD buf; RMSprop v; or NULL */
    const float *lr;            /* the learning rates of the epoch's steps, by state->slot */
    float *clip;                /* [1 + MG_CLIP_PARTS], written by clip_norm(); or NULL */
    const mg_step_state *state; /* device memory, as all of these */
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
    /* Enqueues clip[0] = min(1, clip_norm / (||dw|| + 1e-6)), the L2 norm being that of all of dw,
     * summed in a fixed order; NaN if that is NaN (torch.nn.utils.clip_grad_norm_). */
    mg_status (*clip_norm)(mg_backend *be, const mg_update *update);
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
    /* The most bytes of device memory that alloc() and the ops have had at one time, since open();
     * what the driver and libraries take is not among them. NULL: not counted. */
    size_t (*memory)(const mg_backend *be);

    void (*close)(mg_backend *be);
} mg_backend_ops;

typedef enum mg_kernels { MG_KERNELS_AUTO, MG_KERNELS_FUSED, MG_KERNELS_CUDNN } mg_kernels;

/* Every backend's own struct begins with this one. */
struct mg_backend {
    const mg_backend_ops *ops;
    mg_kernels kernels; /* what plans may be made of */
    char description[160];
    char fallback_reason[256];
};

/* The two that are always there. threads as in mg_backend_open. */
mg_status mg__ref_open(mg_backend **out);
mg_status mg__cpu_open(mg_backend **out, int threads);

/* What the module mnist_gpu_cuda.so exports, as `mg_cuda_module`. The module is self-contained: it
 * reports failures through `vfail`, which the program hands to it. */
enum { MG_CUDA_MODULE_ABI = 2 };
typedef mg_status mg_vfail_fn(mg_status code, const char *fmt, va_list args);
typedef struct mg_cuda_module_api {
    uint32_t abi;
    uint32_t backend_ops_size, op_size; /* sizeof: a module of another build is refused */
    mg_status (*open)(mg_backend **out, int device, mg_vfail_fn *vfail);
    /* Usable GPUs; 0 with the reason in `reason` ("no NVIDIA driver found (...)"). */
    int (*device_count)(char *reason, size_t size);
    /* Versions and devices as lines of text, into `text`. */
    void (*info)(char *text, size_t size, mg_vfail_fn *vfail);
} mg_cuda_module_api;

/* Loads the module, once; mg_backend_open does it where a GPU may be meant. *api stays NULL on
 * failure. MG_ERR_DEVICE: the reason. (backend.c) */
mg_status mg__cuda_module(const mg_cuda_module_api **api);

#endif
