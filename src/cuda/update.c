/* The end of a step: optimizer and advance. */
#include "cuda/cuda_backend.h"

mg_status mg__cuda_optimizer_step(mg_backend *be, const mg_update *update)
{
    mg_status st = MG_OK;
    const cudaStream_t stream = mg__cuda(be)->stream;
    switch (update->spec.kind) {
    case MG_OPTIMIZER_ADAM:
    case MG_OPTIMIZER_ADAMW:
        MG_CUDA(mg__launch_adam(update, stream));
        break;
    case MG_OPTIMIZER_SGD:
        MG_CUDA(mg__launch_sgd(update, stream));
        break;
    case MG_OPTIMIZER_RMSPROP:
        MG_CUDA(mg__launch_rmsprop(update, stream));
        break;
    case MG_OPTIMIZER_COUNT:
        break;
    }
out:
    return st;
}

mg_status mg__cuda_clip_norm(mg_backend *be, const mg_update *update)
{
    mg_status st = MG_OK;
    MG_CUDA(mg__launch_clip_norm(update, mg__cuda(be)->stream));
out:
    return st;
}

mg_status mg__cuda_advance(mg_backend *be, mg_step_state *state, bool training)
{
    mg_status st = MG_OK;
    MG_CUDA(mg__launch_advance(state, training, mg__cuda(be)->stream));
out:
    return st;
}
