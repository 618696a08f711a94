/* The device that a network runs on: the CPU, a CUDA GPU, or the slow reference. */
#ifndef MNIST_GPU_DEVICE_H
#define MNIST_GPU_DEVICE_H

#include "mnist_gpu/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mg_backend mg_backend;

/* Opens a device by name:
 *   "auto"            the first usable GPU, else the CPU
 *   "cuda", "cuda:N"  GPU 0 or N; no fallback
 *   "cpu"             the fast CPU path
 *   "ref"             plain loops with double accumulation: slow, the yardstick for the others
 * threads: CPU threads, 0 = OMP_NUM_THREADS or all cores; results do not depend on it.
 * *out: owned by the caller, mg_backend_close.
 * MG_ERR_INVALID: no such name. MG_ERR_DEVICE: the reason why the GPU cannot be used. */
mg_status mg_backend_open(mg_backend **out, const char *name, int threads);
void mg_backend_close(mg_backend *backend); /* NULL is fine */

/* By which kernels networks run on the backend from then on:
 *   "auto"   fused ones for those groups of layers that the device has some for; the default
 *   "fused"  those alone: a network is refused, with MG_ERR_INVALID, if there are none for a layer
 *            between its input and its loss
 *   "cudnn"  layer by layer: on a GPU by cuDNN and cuBLAS, on the CPU by its kernels for single
 * layers They round differently. MG_ERR_INVALID: no such name. */
mg_status mg_backend_set_kernels(mg_backend *backend, const char *name);
extern const char *const mg_kernels_names[]; /* ends with NULL */

/* "cpu", "cuda", "ref"; and one line for people ("CPU, AVX2, 2 threads"). Owned by the backend. */
const char *mg_backend_name(const mg_backend *backend);
const char *mg_backend_description(const mg_backend *backend);

/* Why "auto" did not take a GPU ("no NVIDIA driver found (...)"); "" if it did. */
const char *mg_backend_fallback_reason(const mg_backend *backend);

/* Lines for `mnist_gpu info`: CUDA module, driver, toolkit and library versions, each GPU, and
 * why one cannot be used. *out is malloc'd. Never fails for want of a GPU. */
mg_status mg_backend_cuda_info(char **out);

#ifdef __cplusplus
}
#endif
#endif
