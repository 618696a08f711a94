/* Opening and closing a GPU, the backend's table of functions, and what the module exports. */
#include "cuda/cuda_backend.h"
#include <stdlib.h>
#include <string.h>

static const mg_layer_ops *const mg_cuda_layers[MG_LAYER_COUNT] = {
#define MG_LAYER(ID, name) [MG_LAYER_##ID] = &mg_cuda_##name,
#include "layers/layers.def"
#undef MG_LAYER
};

static void close_device(mg_backend *be)
{
    mg_cuda *cu = mg__cuda(be);
    if (cu->stream) cudaStreamSynchronize(cu->stream);
    if (cu->cudnn) mg__cudnn.cudnnDestroy(cu->cudnn);
    if (cu->cublas) mg__cublas.cublasDestroy(cu->cublas);
    mg__cuda_release(be, cu->cublas_workspace);
    mg__cuda_release(be, cu->workspace);
    mg__cuda_free_retired(cu);
    if (cu->stream) cudaStreamDestroy(cu->stream);
    free(cu);
}

static const mg_backend_ops ops = {
    .name = "cuda",
    .layers = mg_cuda_layers,
    .fused = mg_cuda_fused,
    .alloc = mg__cuda_alloc,
    .release = mg__cuda_release,
    .upload = mg__cuda_upload,
    .download = mg__cuda_download,
    .sync = mg__cuda_sync,
    .optimizer_step = mg__cuda_optimizer_step,
    .clip_norm = mg__cuda_clip_norm,
    .advance = mg__cuda_advance,
    .repeat = mg__cuda_repeat,
    .recording_free = mg__cuda_recording_free,
    .time = mg__cuda_time,
    .peak = mg__cuda_peak,
    .memory = mg__cuda_memory,
    .close = close_device,
};

/* Runs one kernel: on a GPU that this build has no code for, it is better to fail here, where
 * `auto` can still fall back. */
static mg_status try_kernel(mg_cuda *cu)
{
    mg_status st;
    void *state = NULL;
    MG_TRY(mg__cuda_alloc(&cu->base, &state, sizeof(mg_step_state)));
    const cudaError_t error = mg__launch_advance(state, false, cu->stream);
    if (error == cudaErrorNoKernelImageForDevice)
        MG_FAIL(MG_ERR_DEVICE, "%s: this program was built without code for it",
                cu->base.description);
    if (error != cudaSuccess) {
        st = mg__cuda_failed(error, "the first kernel", __FILE__, __LINE__);
        goto out;
    }
    MG_TRY(mg__cuda_sync(&cu->base));
out:
    mg__cuda_release(&cu->base, state);
    return st;
}

static mg_status open_device(mg_backend **out, int device, mg_vfail_fn *vfail)
{
    mg_status st;
    char reason[200];
    mg__cuda_report_to(vfail);
    mg_cuda *cu = calloc(1, sizeof *cu);
    if (!cu) return mg__fail(MG_ERR_MEMORY, "out of memory for the CUDA backend");
    cu->base.ops = &ops;
    cu->device = device;
    const int count = mg__cuda_device_count(reason, sizeof reason);
    if (count == 0) MG_FAIL(MG_ERR_DEVICE, "%s", reason);
    if (device < 0 || device >= count)
        MG_FAIL(MG_ERR_DEVICE, "no GPU %d: this machine has %d, counted from 0", device, count);
    MG_CUDA(cudaSetDevice(device));
    MG_TRY(mg__cuda_describe(cu->base.description, sizeof cu->base.description, device));
    MG_CUDA(cudaStreamCreateWithFlags(&cu->stream, cudaStreamNonBlocking));
    MG_TRY(try_kernel(cu));
    *out = &cu->base;
    cu = NULL;
out:
    if (cu) close_device(&cu->base);
    return st;
}

__attribute__((visibility("default"))) extern const mg_cuda_module_api mg_cuda_module;
const mg_cuda_module_api mg_cuda_module = {
    .abi = MG_CUDA_MODULE_ABI,
    .backend_ops_size = sizeof(mg_backend_ops),
    .op_size = sizeof(mg_op),
    .open = open_device,
    .device_count = mg__cuda_device_count,
    .info = mg__cuda_info,
};
