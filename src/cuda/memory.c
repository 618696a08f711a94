/* Device memory: allocations, which are counted, copies, the shared workspace. */
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

static mg_status add_block(mg_cuda *cu, void **out, size_t bytes)
{
    mg_cuda_block *block = calloc(1, sizeof *block);
    if (!block) return mg__fail(MG_ERR_MEMORY, "out of memory for the list of allocations");
    const mg_status st = device_malloc(&block->memory, bytes);
    if (st) {
        free(block);
        return st;
    }
    block->bytes = bytes;
    block->next = cu->blocks;
    cu->blocks = block;
    cu->bytes += bytes;
    if (cu->bytes > cu->most_bytes) cu->most_bytes = cu->bytes;
    *out = block->memory;
    return MG_OK;
}

/* Frees the block that *at points to and takes it out of the list. */
static void remove_block(mg_cuda *cu, mg_cuda_block **at)
{
    mg_cuda_block *block = *at;
    *at = block->next;
    cu->bytes -= block->bytes;
    cudaFree(block->memory); /* waits for the work that uses it */
    free(block);
}

size_t mg__cuda_memory(const mg_backend *be) { return ((const mg_cuda *)be)->most_bytes; }

mg_status mg__cuda_alloc(mg_backend *be, void **out, size_t bytes)
{
    mg_status st;
    void *memory = NULL;
    MG_TRY(add_block(mg__cuda(be), &memory, bytes));
    MG_CUDA(cudaMemsetAsync(memory, 0, bytes ? bytes : 1, mg__cuda(be)->stream));
    *out = memory;
    memory = NULL;
out:
    mg__cuda_release(be, memory);
    return st;
}

void mg__cuda_release(mg_backend *be, void *memory)
{
    mg_cuda_block **at = &mg__cuda(be)->blocks;
    if (!memory) return;
    while ((*at)->memory != memory) at = &(*at)->next;
    remove_block(mg__cuda(be), at);
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
 * outgrown workspace is kept. */
static void retire_workspace(mg_cuda *cu)
{
    if (!cu->recordings) mg__cuda_release(&cu->base, cu->workspace);
    for (mg_cuda_block *b = cu->blocks; b && cu->recordings; b = b->next)
        if (b->memory == cu->workspace) b->retired = true;
}

/* On failure the present workspace stays, for the ops that it is large enough for. */
mg_status mg__cuda_workspace(mg_cuda *cu, size_t bytes)
{
    mg_status st = MG_OK;
    void *grown;
    if (bytes <= cu->workspace_bytes) return MG_OK;
    MG_TRY(add_block(cu, &grown, bytes));
    retire_workspace(cu);
    cu->workspace = grown;
    cu->workspace_bytes = bytes;
out:
    return st;
}

void mg__cuda_free_retired(mg_cuda *cu)
{
    for (mg_cuda_block **at = &cu->blocks; *at;)
        if ((*at)->retired)
            remove_block(cu, at);
        else
            at = &(*at)->next;
}
