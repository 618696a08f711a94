#include "host.h"
#include "clock.h"
#include <stdlib.h>
#include <string.h>

mg_status mg__host_alloc(mg_backend *be, void **out, size_t bytes)
{
    (void)be;
    const size_t whole = (bytes + 255) / 256 * 256;
    void *memory = whole >= bytes ? aligned_alloc(256, whole ? whole : 256) : NULL;
    if (!memory) return mg__fail(MG_ERR_MEMORY, "out of memory: %zu bytes needed", bytes);
    memset(memory, 0, whole ? whole : 256);
    *out = memory;
    return MG_OK;
}

void mg__host_release(mg_backend *be, void *memory)
{
    (void)be;
    free(memory);
}

mg_status mg__host_upload(mg_backend *be, void *dst, const void *h_src, size_t bytes)
{
    (void)be;
    memcpy(dst, h_src, bytes);
    return MG_OK;
}

mg_status mg__host_download(mg_backend *be, void *h_dst, const void *src, size_t bytes)
{
    (void)be;
    memcpy(h_dst, src, bytes);
    return MG_OK;
}

mg_status mg__host_sync(mg_backend *be)
{
    (void)be;
    return MG_OK;
}

mg_status mg__host_advance(mg_backend *be, mg_step_state *state, bool training)
{
    (void)be;
    state->cursor += state->batch;
    state->slot++;
    if (training) state->step++;
    return MG_OK;
}

mg_status mg__host_repeat(mg_backend *be, mg_recording **rec, mg_enqueue_fn *fn, void *ctx,
                          int times)
{
    (void)be;
    (void)rec;
    mg_status st = MG_OK;
    for (int i = 0; i < times && !st; i++) st = fn(ctx);
    return st;
}

mg_status mg__host_time(mg_backend *be, mg_recording **rec, mg_enqueue_fn *fn, void *ctx, int times,
                        mg_timing *out)
{
    const double start = mg__seconds();
    const mg_status st = be->ops->repeat(be, rec, fn, ctx, times);
    *out = (mg_timing){.seconds = mg__seconds() - start};
    return st;
}

void mg__host_recording_free(mg_backend *be, mg_recording *rec)
{
    (void)be;
    (void)rec;
}
