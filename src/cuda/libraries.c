/* cuBLAS and cuDNN: loading them, and their handles, when the first layer needs one. */
#include "cuda/cuda_backend.h"
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

/* ---- loading ---- */

/* Within a major version, which the file's name ends with, a library keeps its interface. */
#define CUBLAS_FILE "libcublas.so." MG_SYMBOL(CUBLAS_VER_MAJOR)
#define CUDNN_FILE  "libcudnn.so." MG_SYMBOL(CUDNN_MAJOR)

struct mg_cublas_calls mg__cublas;
struct mg_cudnn_calls mg__cudnn;

/* Looked for like a library that is linked: in LD_LIBRARY_PATH, where it was when this module was
 * built, where the system has its own. Never unloaded, see backend.c. NULL with the reason. */
static void *load(const char *file, char *reason, size_t size)
{
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (!library) snprintf(reason, size, "cannot be loaded: %s", dlerror());
    return library;
}

/* function: a pointer to a pointer to it, of whatever type. */
static bool find(void *function, void *library, const char *symbol, char *reason, size_t size)
{
    void *found = dlsym(library, symbol);
    if (found)
        memcpy(function, &found, sizeof found);
    else
        snprintf(reason, size, "is too old: it has no %s", symbol);
    return found;
}

#define MG_AND_FIND(call) &&find(&calls.call, library, MG_SYMBOL(call), reason, size)

bool mg__cuda_load_cublas(char *reason, size_t size)
{
    struct mg_cublas_calls calls;
    if (mg__cublas.cublasCreate) return true;
    void *library = load(CUBLAS_FILE, reason, size);
    const bool complete = library MG_CUBLAS_CALLS(MG_AND_FIND);
    if (complete) mg__cublas = calls;
    return complete;
}

/* cuDNN has products of matrices done by cuBLAS, and finds that wherever it is once it is loaded.
 */
bool mg__cuda_load_cudnn(char *reason, size_t size)
{
    struct mg_cudnn_calls calls;
    if (mg__cudnn.cudnnCreate) return true;
    if (!mg__cuda_load_cublas(reason, size)) return false;
    void *library = load(CUDNN_FILE, reason, size);
    const bool complete = library MG_CUDNN_CALLS(MG_AND_FIND);
    if (complete) mg__cudnn = calls;
    return complete;
}

/* ---- handles ---- */

void mg__cuda_cudnn_version(char *text, size_t size, size_t version)
{
    snprintf(text, size, "%zu.%zu.%zu", version / 10000, version / 100 % 100, version % 100);
}

/* cuDNN keeps its interface within a major version, and adds to it in minor ones. */
static mg_status check_cudnn_version(void)
{
    char built[32], found[32];
    const size_t version = mg__cudnn.cudnnGetVersion();
    if (version / 10000 == CUDNN_MAJOR && version / 100 >= CUDNN_VERSION / 100) return MG_OK;
    mg__cuda_cudnn_version(built, sizeof built, CUDNN_VERSION);
    mg__cuda_cudnn_version(found, sizeof found, version);
    return mg__fail(MG_ERR_DEVICE,
                    "cuDNN %s was loaded, but this program was built with %s and needs %d.%d or a "
                    "later %d.x (see LD_LIBRARY_PATH)",
                    found, built, CUDNN_MAJOR, CUDNN_MINOR, CUDNN_MAJOR);
}

mg_status mg__cuda_need_cudnn(mg_cuda *cu)
{
    mg_status st;
    char reason[300];
    cudnnHandle_t handle = NULL;
    if (cu->cudnn) return MG_OK;
    if (!mg__cuda_load_cudnn(reason, sizeof reason)) MG_FAIL(MG_ERR_DEVICE, "cuDNN %s", reason);
    MG_TRY(check_cudnn_version());
    MG_CUDNN(cudnnCreate(&handle));
    MG_CUDNN(cudnnSetStream(handle, cu->stream));
    cu->cudnn = handle;
    handle = NULL;
out:
    if (handle) mg__cudnn.cudnnDestroy(handle);
    return st;
}

/* What NVIDIA recommends for cublasSetWorkspace: 32 MiB from Hopper on, 4 MiB before. */
static mg_status cublas_workspace_bytes(size_t *bytes, int device)
{
    mg_status st = MG_OK;
    int major = 0;
    MG_CUDA(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device));
    *bytes = (size_t)(major >= 9 ? 32 : 4) << 20;
out:
    return st;
}

/* The workspace is set by hand, because cuBLAS would allocate one of its own inside a recording;
 * and after the stream, because setting that resets it. The default math mode computes SGEMM in
 * fp32; TF32 is a mode of its own. */
mg_status mg__cuda_need_cublas(mg_cuda *cu)
{
    mg_status st;
    size_t bytes = 0;
    char reason[300];
    cublasHandle_t handle = NULL;
    if (cu->cublas) return MG_OK;
    if (!mg__cuda_load_cublas(reason, sizeof reason)) MG_FAIL(MG_ERR_DEVICE, "cuBLAS %s", reason);
    MG_TRY(cublas_workspace_bytes(&bytes, cu->device));
    if (!cu->cublas_workspace) MG_TRY(mg__cuda_alloc(&cu->base, &cu->cublas_workspace, bytes));
    MG_CUBLAS(cublasCreate(&handle));
    MG_CUBLAS(cublasSetStream(handle, cu->stream));
    MG_CUBLAS(cublasSetWorkspace(handle, cu->cublas_workspace, bytes));
    MG_CUBLAS(cublasSetMathMode(handle, CUBLAS_DEFAULT_MATH));
    cu->cublas = handle;
    handle = NULL;
out:
    if (handle) mg__cublas.cublasDestroy(handle);
    return st;
}

mg_status mg__cuda_tensor(cudnnTensorDescriptor_t *out, int batch, mg_shape shape)
{
    mg_status st = MG_OK;
    MG_CUDNN(cudnnCreateTensorDescriptor(out));
    MG_CUDNN(cudnnSetTensor4dDescriptor(*out, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, batch, shape.c,
                                        shape.h, shape.w));
out:
    return st;
}
