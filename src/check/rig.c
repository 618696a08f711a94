#include "check/rig.h"
#include <stdlib.h>

static mg_status alloc(mg_rig *r, void **out, size_t bytes)
{
    return r->backend->ops->alloc(r->backend, out, bytes);
}

mg_status mg__rig_create(mg_rig *r, mg_backend *be, const mg_rig_plan *plan, bool fuse)
{
    mg_status st;
    void *state, *stats, *lr, *predictions, *order;
    const size_t order_bytes = plan->set->count * sizeof *plan->order;
    *r = (mg_rig){.backend = be, .slots = plan->slots};
    MG_TRY(mg__device_data_create(&r->data, be, plan->model, plan->set));
    r->feed.pixels = r->data.pixels;
    r->feed.labels = r->data.labels;
    MG_TRY(alloc(r, &state, sizeof(mg_step_state)));
    r->feed.state = state;
    MG_TRY(alloc(r, &stats, plan->slots * sizeof(mg_step_stat)));
    r->feed.stats = stats;
    MG_TRY(alloc(r, &lr, plan->slots * sizeof(float)));
    r->feed.lr = lr;
    MG_TRY(alloc(r, &predictions, plan->set->count));
    r->feed.predictions = predictions;
    MG_TRY(alloc(r, &order, order_bytes));
    r->feed.order = order;
    MG_TRY(be->ops->upload(be, order, plan->order, order_bytes));
    MG_TRY(mg__net_create(&r->net, be, plan->model));
    MG_TRY(be->ops->upload(be, r->net->params, plan->params,
                           plan->model->arena_length * sizeof(float)));
    MG_TRY(mg__pass_create(&r->pass, r->net, plan->batch, &r->feed, plan->optimizer, fuse));
out:
    return st;
}

void mg__rig_free(mg_rig *r)
{
    mg_backend *be = r->backend;
    if (!be) return;
    mg__pass_free(r->pass);
    mg__net_free(r->net);
    mg__device_data_free(&r->data);
    be->ops->release(be, r->feed.state);
    be->ops->release(be, r->feed.stats);
    be->ops->release(be, (void *)r->feed.lr);
    be->ops->release(be, r->feed.predictions);
    be->ops->release(be, (void *)r->feed.order);
    *r = (mg_rig){0};
}

mg_status mg__rig_download(void **h_out, const mg_rig *r, const void *memory, size_t bytes)
{
    void *copy = malloc(bytes ? bytes : 1);
    if (!copy) return mg__fail(MG_ERR_MEMORY, "out of memory");
    const mg_status st = r->backend->ops->download(r->backend, copy, memory, bytes);
    if (st)
        free(copy);
    else
        *h_out = copy;
    return st;
}
