/* Buffers that notice what is written where it should not be. */
#include "check/case.h"
#include <stdlib.h>
#include <string.h>

enum { GUARD = 256, UNWRITTEN = 0xff };

mg_status mg__guarded_create(mg_guarded *out, mg_backend *be, const void *values, size_t bytes)
{
    mg_status st;
    mg_guarded g = {.backend = be, .bytes = bytes};
    const size_t whole = bytes + 2 * GUARD;
    void *memory = NULL;
    *out = (mg_guarded){0};
    g.h_bytes = aligned_alloc(GUARD, (whole + GUARD - 1) / GUARD * GUARD);
    if (!g.h_bytes) MG_FAIL(MG_ERR_MEMORY, "out of memory");
    memset(g.h_bytes, UNWRITTEN, whole);
    if (values) memcpy(g.h_bytes + GUARD, values, bytes);
    MG_TRY(be->ops->alloc(be, &memory, whole));
    g.memory = memory;
    MG_TRY(be->ops->upload(be, memory, g.h_bytes, whole));
    *out = g;
    return MG_OK;
out:
    mg__guarded_free(&g);
    return st;
}

void mg__guarded_free(mg_guarded *g)
{
    if (g->memory) g->backend->ops->release(g->backend, g->memory);
    free(g->h_bytes);
    *g = (mg_guarded){0};
}

void *mg__guarded_device(const mg_guarded *g) { return g->memory ? g->memory + GUARD : NULL; }
void *mg__guarded_host(const mg_guarded *g) { return g->h_bytes ? g->h_bytes + GUARD : NULL; }

mg_status mg__guarded_get(mg_guarded *g, const char *name, const void *values)
{
    const uint8_t *content = g->h_bytes + GUARD, *end = content + g->bytes, *expected = values;
    const mg_status st =
        g->backend->ops->download(g->backend, g->h_bytes, g->memory, g->bytes + 2 * GUARD);
    if (st) return st;
    for (int i = 0; i < GUARD; i++) {
        if (end[i] != UNWRITTEN)
            return mg__fail(MG_ERR_MISMATCH, "%s: byte %d after its %zu was overwritten", name, i,
                            g->bytes);
        if (content[-1 - i] != UNWRITTEN)
            return mg__fail(MG_ERR_MISMATCH, "%s: byte %d before it was overwritten", name, i + 1);
    }
    for (size_t i = 0; values && i < g->bytes; i++)
        if (content[i] != expected[i])
            return mg__fail(MG_ERR_MISMATCH, "%s: byte %zu of this input was overwritten", name, i);
    return MG_OK;
}
