/* The part of the backend contract that is the same wherever "device memory" is host memory and
 * enqueueing is doing: shared by `ref` and `cpu`. */
#ifndef MG_HOST_H
#define MG_HOST_H

#include "backend.h"

mg_status mg__host_alloc(mg_backend *be, void **out, size_t bytes);
void mg__host_release(mg_backend *be, void *memory);
mg_status mg__host_upload(mg_backend *be, void *dst, const void *h_src, size_t bytes);
mg_status mg__host_download(mg_backend *be, void *h_dst, const void *src, size_t bytes);
mg_status mg__host_sync(mg_backend *be);
mg_status mg__host_advance(mg_backend *be, mg_step_state *state, bool training);
mg_status mg__host_repeat(mg_backend *be, mg_recording **rec, mg_enqueue_fn *fn, void *ctx,
                          int times);
mg_status mg__host_time(mg_backend *be, mg_recording **rec, mg_enqueue_fn *fn, void *ctx, int times,
                        mg_timing *out);
void mg__host_recording_free(mg_backend *be, mg_recording *rec);

#endif
