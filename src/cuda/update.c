/* The end of a step: optimizer and advance. */
#include "cuda/cuda_backend.h"

mg_status mg__cuda_optimizer_step(mg_backend *be, const mg_update *update)
{
    mg_status st = MG_OK;
    MG_CUDA(mg__launch_update(update, mg__cuda(be)->stream));
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
