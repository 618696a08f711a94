/* Device memory: allocations, copies, the shared workspace. */
#include "cuda/cuda_backend.h"
#include <stdlib.h>

/* cudaMalloc with a message that says what was needed and what there is. */
static mg_status device_malloc(void **out, size_t bytes)
{
    char available[MG_FREE_MEMORY_SIZE];
    const cudaError_t error = cudaMalloc(out, bytes ? bytes : 1);
    if (error == cudaSuccess) return MG_OK;
    if (error != cudaErrorMemoryAllocation)
        return mg__cuda_failed(error, "cudaMalloc(out, bytes)", __FILE__, __LINE__);
    (void)cudaGetLastError();
    return mg__fail(MG_ERR_MEMORY, "out of GPU memory: %zu bytes needed, %s", bytes,
                    mg__cuda_free_memory(available));
}

mg_status mg__cuda_alloc(mg_backend *be, void **out, size_t bytes)
{
    mg_status st;
    void *memory = NULL;
    MG_TRY(device_malloc(&memory, bytes));
    MG_CUDA(cudaMemsetAsync(memory, 0, bytes ? bytes : 1, mg__cuda(be)->stream));
    *out = memory;
    memory = NULL;
out:
    if (memory) cudaFree(memory);
    return st;
}

void mg__cuda_release(mg_backend *be, void *memory)
{
    (void)be;
    cudaFree(memory); /* waits for the work that uses it; NULL is fine */
}

/* Waits, and so has certainly read h_src, whatever kind of memory that is. The host uploads between
 * chunks of steps only. */
mg_status mg__cuda_upload(mg_backend *be, void *dst, const void *h_src, size_t bytes)
{
    mg_status st = MG_OK;
    const cudaStream_t stream = mg__cuda(be)->stream;
    MG_CUDA(cudaMemcpyAsync(dst, h_src, bytes, cudaMemcpyHostToDevice, stream));
    MG_CUDA(cudaStreamSynchronize(stream));
out:
    return st;
}

mg_status mg__cuda_download(mg_backend *be, void *h_dst, const void *src, size_t bytes)
{
    mg_status st = MG_OK;
    const cudaStream_t stream = mg__cuda(be)->stream;
    MG_CUDA(cudaMemcpyAsync(h_dst, src, bytes, cudaMemcpyDeviceToHost, stream));
    MG_CUDA(cudaStreamSynchronize(stream));
out:
    return st;
}

mg_status mg__cuda_sync(mg_backend *be)
{
    mg_status st = MG_OK;
    MG_CUDA(cudaStreamSynchronize(mg__cuda(be)->stream));
out:
    return st;
}

/* ---- the workspace ---- */

/* A recording holds the address of the workspace that it was made with: while there are any, an
 * outgrown workspace is kept aside. */
static mg_status retire_workspace(mg_cuda *cu)
{
    if (cu->workspace && cu->recordings) {
        mg_cuda_block *block = malloc(sizeof *block);
        if (!block) return mg__fail(MG_ERR_MEMORY, "out of memory for the workspace");
        *block = (mg_cuda_block){cu->workspace, cu->retired};
        cu->retired = block;
    } else {
        cudaFree(cu->workspace); /* waits for the work that uses it; NULL is fine */
    }
    cu->workspace = NULL;
    cu->workspace_bytes = 0;
    return MG_OK;
}

/* On failure the present workspace stays, for the ops that it is large enough for. */
mg_status mg__cuda_workspace(mg_cuda *cu, size_t bytes)
{
    mg_status st;
    void *grown = NULL;
    if (bytes <= cu->workspace_bytes) return MG_OK;
    MG_TRY(device_malloc(&grown, bytes));
    MG_TRY(retire_workspace(cu));
    cu->workspace = grown;
    cu->workspace_bytes = bytes;
    grown = NULL;
out:
    if (grown) cudaFree(grown);
    return st;
}

void mg__cuda_free_retired(mg_cuda *cu)
{
    while (cu->retired) {
        mg_cuda_block *block = cu->retired;
        cu->retired = block->next;
        cudaFree(block->memory);
        free(block);
    }
}
