/* Nets and passes: buffers in arenas, every layer bound to its places in them. */
#include "train/pass.h"
#include <stdlib.h>

/* ---- net ---- */

mg_status mg__net_create(mg_net **out, mg_backend *backend, const mg_model *model)
{
    mg_net *net = calloc(1, sizeof *net);
    if (!net) return mg__fail(MG_ERR_MEMORY, "out of memory for the network");
    *net = (mg_net){.model = model, .backend = backend};
    void *params;
    const mg_status st = backend->ops->alloc(backend, &params, model->arena_length * sizeof(float));
    if (st) {
        free(net);
        return mg__fail_in(st, "parameters");
    }
    net->params = params;
    *out = net;
    return MG_OK;
}

void mg__net_free(mg_net *net)
{
    if (!net) return;
    net->backend->ops->release(net->backend, net->params);
    free(net);
}

/* ---- pass ---- */

static size_t aligned(size_t floats) { return (floats + 63) / 64 * 64; }

static mg_status alloc_floats(mg_pass *p, float **out, size_t count, const char *what)
{
    void *memory;
    mg_backend *be = p->net->backend;
    const mg_status st = be->ops->alloc(be, &memory, count * sizeof(float));
    if (st) return mg__fail_in(st, "%s for batches of %d", what, p->batch);
    *out = memory;
    return MG_OK;
}

static mg_status alloc_arenas(mg_pass *p)
{
    const mg_model *m = p->net->model;
    mg_status st = MG_OK;
    void *labels;
    size_t outputs = 0;
    for (int i = 0; i < m->layer_count; i++)
        outputs += aligned(mg_shape_size(m->layers[i].out) * (size_t)p->batch);
    MG_TRY(p->net->backend->ops->alloc(p->net->backend, &labels, (size_t)p->batch));
    p->feed.batch_labels = labels;
    MG_TRY(alloc_floats(p, &p->activations, outputs, "activations"));
    if (!p->training) goto out;
    MG_TRY(alloc_floats(p, &p->deltas, outputs, "gradients of activations"));
    MG_TRY(alloc_floats(p, &p->grads, m->arena_length, "gradients"));
    for (int i = 0; i < mg__optimizer_slots(p->update.spec.kind); i++)
        MG_TRY(alloc_floats(p, &p->update.slots[i], m->arena_length, "optimizer state"));
    if (p->update.spec.clip_norm > 0)
        MG_TRY(alloc_floats(p, &p->update.clip, 1 + MG_CLIP_PARTS, "the norm of gradients"));
    p->update.length = m->trainable_length;
    p->update.w = p->net->params;
    p->update.dw = p->grads;
    p->update.lr = p->feed.lr;
    p->update.state = p->feed.state;
out:
    return st;
}

/* Weight and bias with their gradients, if there are any, and running statistics. */
static void bind_tensors(mg_op *op, float *params, float *grads)
{
    const mg_tensor *t = op->layer->tensors;
    const int count = op->layer->tensor_count;
    if (count > 0) op->w = params + t[0].offset;
    if (count > 1) op->b = params + t[1].offset;
    if (count > 0 && grads) op->dw = grads + t[0].offset;
    if (count > 1 && grads) op->db = grads + t[1].offset;
    if (count > 2) op->running_mean = params + t[2].offset;
    if (count > 3) op->running_var = params + t[3].offset;
}

/* Layer i's output lies at one offset of `activations`, its gradient at the same offset of
 * `deltas`. The gradient is wanted only where a layer at or before i has parameters. */
static void bind_ops(mg_pass *p)
{
    const mg_model *m = p->net->model;
    size_t offset = 0;
    float *y = NULL, *dy = NULL;
    bool wanted = false;
    for (int i = 0; i < m->layer_count; i++) {
        const mg_layer *l = &m->layers[i];
        mg_op *op = &p->ops[i];
        *op = (mg_op){.layer = l,
                      .backend = p->net->backend,
                      .feed = &p->feed,
                      .batch = p->batch,
                      .training = p->training,
                      .x = y,
                      .dx = dy};
        bind_tensors(op, p->net->params, p->grads);
        wanted = wanted || l->tensor_count > 0;
        y = op->y = p->activations + offset;
        dy = p->training && wanted && i + 1 < m->layer_count ? p->deltas + offset : NULL;
        op->dy = dy;
        offset += aligned(mg_shape_size(l->out) * (size_t)p->batch);
    }
}

static mg_status prepare_ops(mg_pass *p)
{
    for (int i = 0; i < p->stage_count; i++) {
        const mg_status st = mg__stage_prepare(p, &p->plan[i]);
        if (st) return mg__fail_in(st, "%s", p->plan[i].name);
    }
    return MG_OK;
}

static void release_ops(mg_pass *p)
{
    for (int i = 0; i < p->stage_count; i++) {
        const mg_stage *s = &p->plan[i];
        if (s->fused && s->fused->release && p->ops[s->first].fused_impl) {
            s->fused->release(&p->ops[s->first]);
            p->ops[s->first].fused_impl = NULL;
        }
    }
    for (int i = 0; i < p->net->model->layer_count; i++) {
        mg_op *op = &p->ops[i];
        const mg_layer_ops *ops = op->layer ? op->backend->ops->layers[op->layer->kind] : NULL;
        if (ops && ops->release && op->impl) ops->release(op);
    }
}

mg_status mg__pass_create(mg_pass **out, mg_net *net, int batch, const mg_feed *feed,
                          const mg_optimizer_spec *optimizer, bool fuse)
{
    mg_status st;
    mg_pass *p = calloc(1, sizeof *p);
    if (!p) return mg__fail(MG_ERR_MEMORY, "out of memory for the pass");
    *p = (mg_pass){.net = net, .feed = *feed, .batch = batch, .training = optimizer != NULL};
    if (optimizer) p->update.spec = *optimizer;
    p->ops = calloc((size_t)net->model->layer_count, sizeof *p->ops);
    if (!p->ops) MG_FAIL(MG_ERR_MEMORY, "out of memory for the pass");
    MG_TRY(alloc_arenas(p));
    bind_ops(p);
    MG_TRY(mg__plan_make(p, fuse));
    MG_TRY(prepare_ops(p));
    *out = p;
    p = NULL;
    st = MG_OK;
out:
    mg__pass_free(p);
    return st;
}

void mg__pass_free(mg_pass *p)
{
    if (!p) return;
    mg_backend *be = p->net->backend;
    be->ops->recording_free(be, p->recording);
    if (p->ops) release_ops(p);
    be->ops->release(be, p->activations);
    be->ops->release(be, p->deltas);
    be->ops->release(be, p->grads);
    for (int i = 0; i < MG_COUNT_OF(p->update.slots); i++) be->ops->release(be, p->update.slots[i]);
    be->ops->release(be, p->update.clip);
    be->ops->release(be, p->feed.batch_labels);
    free(p->ops);
    free(p->plan);
    free(p);
}

static uint32_t steps_of(const mg_pass *p, uint32_t count)
{
    return (count - 1) / (uint32_t)p->batch + 1;
}

mg_status mg__pass_seek_scheduled(mg_pass *p, uint64_t seed, uint32_t step, uint32_t cursor,
                                  uint32_t count, const float *h_lr)
{
    mg_backend *be = p->net->backend;
    const mg_step_state state = {.seed = seed,
                                 .step = step,
                                 .cursor = cursor,
                                 .count = count,
                                 .batch = (uint32_t)p->batch,
                                 .slot = cursor / (uint32_t)p->batch};
    const mg_status st = be->ops->upload(be, p->feed.state, &state, sizeof state);
    if (st || !p->training) return st;
    return be->ops->upload(be, (void *)p->feed.lr, h_lr, steps_of(p, count) * sizeof *h_lr);
}

mg_status mg__pass_seek(mg_pass *p, uint64_t seed, uint32_t step, uint32_t cursor, uint32_t count,
                        float lr)
{
    const uint32_t steps = steps_of(p, count);
    float *h_lr = malloc(steps * sizeof *h_lr);
    if (!h_lr) return mg__fail(MG_ERR_MEMORY, "out of memory for the learning rates");
    for (uint32_t i = 0; i < steps; i++) h_lr[i] = lr;
    const mg_status st = mg__pass_seek_scheduled(p, seed, step, cursor, count, h_lr);
    free(h_lr);
    return st;
}

const float *mg__pass_probabilities(const mg_pass *p)
{
    return p->ops[p->net->model->layer_count - 1].y;
}

int mg__optimizer_slots(mg_optimizer_kind kind)
{
    return kind == MG_OPTIMIZER_ADAM || kind == MG_OPTIMIZER_ADAMW ? 2 : 1;
}
