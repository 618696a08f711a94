/* repeat: the step as a CUDA graph. At small batches a step is dozens of kernels of a few
 * microseconds, so that launching them one by one from the host would take longer than they do. A
 * graph is launched by one call; a graph of many steps also spares the gap between launches. */
#include "cuda/cuda_backend.h"
#include <stdlib.h>

enum {
    MANY = 16,            /* steps in the long graph */
    WORTH_MANY = 8 * MANY /* recording it pays from about so many steps on */
};

struct mg_recording {
    cudaGraphExec_t one, many; /* NULL until they are needed */
    int launches;              /* kernels in a step; 0 until one of them is recorded */
};

static mg_status count_kernels(int *out, cudaGraph_t graph)
{
    mg_status st = MG_OK;
    size_t count = 0;
    int kernels = 0;
    cudaGraphNode_t *nodes = NULL;
    MG_CUDA(cudaGraphGetNodes(graph, NULL, &count));
    nodes = calloc(count + 1, sizeof(cudaGraphNode_t));
    if (!nodes) MG_FAIL(MG_ERR_MEMORY, "out of memory for the recording");
    MG_CUDA(cudaGraphGetNodes(graph, nodes, &count));
    for (size_t i = 0; i < count; i++) {
        enum cudaGraphNodeType type;
        MG_CUDA(cudaGraphNodeGetType(nodes[i], &type));
        if (type == cudaGraphNodeTypeKernel) kernels++;
    }
    *out = kernels;
out:
    free(nodes);
    return st;
}

/* Runs fn `steps` times in capture mode, in which the stream collects calls instead of executing
 * them, and makes an executable graph of them. */
static mg_status record(mg_cuda *cu, mg_recording *rec, cudaGraphExec_t *out, mg_enqueue_fn *fn,
                        void *ctx, int steps)
{
    mg_status st;
    int kernels = 0;
    cudaGraph_t graph = NULL;
    MG_CUDA(cudaStreamBeginCapture(cu->stream, cudaStreamCaptureModeThreadLocal));
    st = MG_OK;
    for (int i = 0; i < steps && !st; i++) st = fn(ctx);
    const cudaError_t ended = cudaStreamEndCapture(cu->stream, &graph);
    if (st) { /* it says more than the end of the capture, which failed because of it */
        (void)cudaGetLastError();
        goto out;
    }
    if (ended != cudaSuccess) {
        st = mg__cuda_failed(ended, "cudaStreamEndCapture", __FILE__, __LINE__);
        goto out;
    }
    MG_TRY(count_kernels(&kernels, graph));
    rec->launches = kernels / steps;
    MG_CUDA(cudaGraphInstantiate(out, graph, 0));
out:
    if (graph) cudaGraphDestroy(graph);
    return st;
}

static mg_status replay(mg_cuda *cu, mg_recording *rec, cudaGraphExec_t *exec, mg_enqueue_fn *fn,
                        void *ctx, int steps)
{
    mg_status st;
    if (!*exec) MG_TRY(record(cu, rec, exec, fn, ctx, steps));
    MG_CUDA(cudaGraphLaunch(*exec, cu->stream));
    st = MG_OK;
out:
    return st;
}

/* The very first step runs directly: libraries load kernels on first use, which a capture forbids.
 */
static mg_status run_first(mg_cuda *cu, mg_recording **rec, mg_enqueue_fn *fn, void *ctx)
{
    mg_recording *fresh = calloc(1, sizeof *fresh);
    if (!fresh) return mg__fail(MG_ERR_MEMORY, "out of memory for the recording");
    const mg_status st = fn(ctx);
    if (st) {
        free(fresh);
        return st;
    }
    cu->recordings++;
    *rec = fresh;
    return MG_OK;
}

mg_status mg__cuda_repeat(mg_backend *be, mg_recording **rec, mg_enqueue_fn *fn, void *ctx,
                          int times)
{
    mg_status st = MG_OK;
    mg_cuda *cu = mg__cuda(be);
    if (times > 0 && !*rec) {
        MG_TRY(run_first(cu, rec, fn, ctx));
        times--;
    }
    const bool long_run = times >= WORTH_MANY || (*rec && (*rec)->many);
    for (; long_run && times >= MANY; times -= MANY)
        MG_TRY(replay(cu, *rec, &(*rec)->many, fn, ctx, MANY));
    for (; times > 0; times--) MG_TRY(replay(cu, *rec, &(*rec)->one, fn, ctx, 1));
out:
    return st;
}

mg_status mg__cuda_time(mg_backend *be, mg_recording **rec, mg_enqueue_fn *fn, void *ctx, int times,
                        mg_timing *out)
{
    mg_status st;
    mg_cuda *cu = mg__cuda(be);
    cudaEvent_t start = NULL, end = NULL;
    float milliseconds;
    MG_CUDA(cudaEventCreate(&start));
    MG_CUDA(cudaEventCreate(&end));
    MG_CUDA(cudaEventRecord(start, cu->stream));
    MG_TRY(mg__cuda_repeat(be, rec, fn, ctx, times));
    MG_CUDA(cudaEventRecord(end, cu->stream));
    MG_CUDA(cudaEventSynchronize(end));
    MG_CUDA(cudaEventElapsedTime(&milliseconds, start, end));
    *out = (mg_timing){.seconds = 1e-3 * (double)milliseconds,
                       .launches = *rec ? (*rec)->launches : 0};
out:
    if (start) cudaEventDestroy(start);
    if (end) cudaEventDestroy(end);
    return st;
}

void mg__cuda_recording_free(mg_backend *be, mg_recording *rec)
{
    mg_cuda *cu = mg__cuda(be);
    if (!rec) return;
    cudaStreamSynchronize(cu->stream);
    if (rec->one) cudaGraphExecDestroy(rec->one);
    if (rec->many) cudaGraphExecDestroy(rec->many);
    free(rec);
    if (--cu->recordings == 0) mg__cuda_free_retired(cu);
}
