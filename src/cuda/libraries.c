/* cuDNN's and cuBLAS's handles, made when the first layer needs one. */
#include "cuda/cuda_backend.h"
#include <stdio.h>

void mg__cuda_cudnn_version(char *text, size_t size, size_t version)
{
    snprintf(text, size, "%zu.%zu.%zu", version / 10000, version / 100 % 100, version % 100);
}

/* cuDNN keeps its interface within a major version, and adds to it in minor ones. */
static mg_status check_cudnn_version(void)
{
    char built[32], found[32];
    const size_t version = cudnnGetVersion();
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
    cudnnHandle_t handle = NULL;
    if (cu->cudnn) return MG_OK;
    MG_TRY(check_cudnn_version());
    MG_CUDNN(cudnnCreate(&handle));
    MG_CUDNN(cudnnSetStream(handle, cu->stream));
    cu->cudnn = handle;
    handle = NULL;
out:
    if (handle) cudnnDestroy(handle);
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
    cublasHandle_t handle = NULL;
    if (cu->cublas) return MG_OK;
    MG_TRY(cublas_workspace_bytes(&bytes, cu->device));
    if (!cu->cublas_workspace) MG_TRY(mg__cuda_alloc(&cu->base, &cu->cublas_workspace, bytes));
    MG_CUBLAS(cublasCreate(&handle));
    MG_CUBLAS(cublasSetStream(handle, cu->stream));
    MG_CUBLAS(cublasSetWorkspace(handle, cu->cublas_workspace, bytes));
    MG_CUBLAS(cublasSetMathMode(handle, CUBLAS_DEFAULT_MATH));
    cu->cublas = handle;
    handle = NULL;
out:
    if (handle) cublasDestroy(handle);
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
