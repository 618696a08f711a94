/* The plan: the step as a list of stages. Plain, it is every layer's forward, every layer's
 * backward in reverse, the gradients' norm where they are clipped by it, the optimizer and advance;
 * groups of layers that the backend can fuse take the place of theirs, and a layer's update may be
 * part of its backward. */
#include "train/pass.h"
#include <stdio.h>
#include <stdlib.h>

static const mg_layer_ops *layer_ops(const mg_op *op)
{
    return op->backend->ops->layers[op->layer->kind];
}

/* ---- what the stages do ---- */

static mg_status run_forward(mg_pass *p, const mg_stage *s)
{
    mg_op *op = &p->ops[s->first];
    return s->fused ? s->fused->forward(op) : layer_ops(op)->forward(op);
}

static mg_status run_backward(mg_pass *p, const mg_stage *s)
{
    mg_op *op = &p->ops[s->first];
    return s->fused ? s->fused->backward(op) : layer_ops(op)->backward(op);
}

/* Where the trainable tensors of layer i and those after it begin in the arena. */
static size_t tensors_from(const mg_pass *p, int i)
{
    const mg_model *m = p->net->model;
    while (i < m->layer_count && m->layers[i].tensor_count == 0) i++;
    return i < m->layer_count ? m->layers[i].tensors[0].offset : m->trainable_length;
}

static mg_status run_optimizer(mg_pass *p, const mg_stage *s)
{
    const size_t first = tensors_from(p, s->first);
    mg_update part = p->update;
    part.length = tensors_from(p, s->first + s->count) - first;
    part.w += first;
    part.dw += first;
    for (int i = 0; i < mg__optimizer_slots(part.spec.kind); i++) part.slots[i] += first;
    return p->net->backend->ops->optimizer_step(p->net->backend, &part);
}

static mg_status run_clip_norm(mg_pass *p, const mg_stage *s)
{
    (void)s;
    return p->net->backend->ops->clip_norm(p->net->backend, &p->update);
}

static mg_status run_advance(mg_pass *p, const mg_stage *s)
{
    (void)s;
    return p->net->backend->ops->advance(p->net->backend, p->feed.state, p->training);
}

/* ---- which stages there are ---- */

static const mg_fused *find_fused(const mg_pass *p, int first)
{
    const int left = p->net->model->layer_count - first;
    const mg_fused *const *next = p->net->backend->ops->fused;
    for (const mg_fused *f; next && (f = *next); next++) {
        int matched = 0;
        while (matched < f->count && matched < left &&
               p->ops[first + matched].layer->kind == f->kinds[matched])
            matched++;
        if (matched == f->count && (!f->supports || f->supports(&p->ops[first]))) return f;
    }
    return NULL;
}

static mg_stage *add_stage(mg_pass *p, const mg_stage *stage)
{
    p->plan[p->stage_count] = *stage;
    return &p->plan[p->stage_count++];
}

/* "conv1", or "conv1..relu1" */
static void name_layers(char *out, size_t size, const mg_pass *p, int first, int count)
{
    const mg_layer *l = &p->net->model->layers[first];
    if (count > 1)
        snprintf(out, size, "%s..%s", l->name, l[count - 1].name);
    else
        snprintf(out, size, "%s", l->name);
}

static void add_layers(mg_pass *p, int first, int count, const mg_fused *fused, bool forward)
{
    char layers[56]; /* two names and the dots */
    name_layers(layers, sizeof layers, p, first, count);
    mg_stage *s = add_stage(p, &(mg_stage){.first = first, .count = count, .fused = fused});
    s->enqueue = forward ? run_forward : run_backward;
    snprintf(s->name, sizeof s->name, fused ? "%s %s (%s)" : "%s %s", layers,
             forward ? "forward" : "backward", fused ? fused->name : "");
}

/* The backward stages, last layer first. Those that can do so update their layers' weights, unless
 * the update has to wait for all gradients' norm. */
static void add_backward(mg_pass *p, int first, int count, const mg_fused *fused, bool fuse)
{
    const bool update = fuse && !p->update.clip;
    for (int i = first; update && i < first + count; i++)
        if (fused ? fused->updates : layer_ops(&p->ops[i])->updates) p->ops[i].update = &p->update;
    add_layers(p, first, count, fused, false);
}

/* A stage for every run of layers whose weights no backward stage updates. */
static void add_optimizer(mg_pass *p)
{
    const int layers = p->net->model->layer_count;
    for (int i = 0, first = -1, last = -1; i <= layers; i++) {
        const bool has_tensors = i < layers && p->net->model->layers[i].tensor_count > 0;
        if (has_tensors && !p->ops[i].update) {
            if (first < 0) first = i;
            last = i;
        }
        if (first < 0 || !(i == layers || (has_tensors && p->ops[i].update))) continue;
        char covered[56];
        name_layers(covered, sizeof covered, p, first, last - first + 1);
        mg_stage *s = add_stage(
            p, &(mg_stage){.first = first, .count = last - first + 1, .enqueue = run_optimizer});
        snprintf(s->name, sizeof s->name, "%s %s", mg_optimizer_names[p->update.spec.kind],
                 covered);
        first = -1;
    }
}

/* A layer's backward is needed if it has parameters, or if a layer before it has: then it has a dx.
 */
static bool has_backward(const mg_op *op) { return op->dw || op->dx; }

/* Every layer between the two ends has to be fused; those need no library on any device. */
static mg_status check_fused(const mg_pass *p, int layer, const mg_fused *fused)
{
    const mg_model *m = p->net->model;
    const bool end = layer == 0 || layer == m->layer_count - 1;
    if (p->net->backend->kernels != MG_KERNELS_FUSED || end) return MG_OK;
    if (fused && (fused->backward || !p->training)) return MG_OK;
    return mg__fail(MG_ERR_INVALID,
                    "%s: no fused kernels for it on %s (kernels auto would run it by itself)",
                    m->layers[layer].name, p->net->backend->ops->name);
}

mg_status mg__plan_make(mg_pass *p, bool fuse)
{
    const int layers = p->net->model->layer_count;
    const bool may_fuse = fuse && p->net->backend->kernels != MG_KERNELS_CUDNN;
    p->plan = calloc((size_t)layers * 3 + 2, sizeof *p->plan); /* at most so many */
    if (!p->plan) return mg__fail(MG_ERR_MEMORY, "out of memory for the plan");
    p->stage_count = 0;
    for (int i = 0; i < layers;) {
        const mg_fused *fused = may_fuse ? find_fused(p, i) : NULL;
        const mg_status st = fuse ? check_fused(p, i, fused) : MG_OK;
        if (st) return st;
        const int count = fused ? fused->count : 1;
        add_layers(p, i, count, fused, true);
        i += count;
    }
    for (int i = p->stage_count - 1; p->training && i >= 0; i--) {
        const mg_stage forward = p->plan[i];
        const bool fused = forward.fused && forward.fused->backward;
        for (int l = forward.first + forward.count - 1; !fused && l >= forward.first; l--)
            if (has_backward(&p->ops[l])) add_backward(p, l, 1, NULL, may_fuse);
        if (fused) add_backward(p, forward.first, forward.count, forward.fused, may_fuse);
    }
    if (p->update.clip) add_stage(p, &(mg_stage){.name = "clip norm", .enqueue = run_clip_norm});
    if (p->training) add_optimizer(p);
    add_stage(p, &(mg_stage){.name = "advance", .enqueue = run_advance});
    return MG_OK;
}

mg_status mg__stage_prepare(mg_pass *p, const mg_stage *s)
{
    mg_op *op = &p->ops[s->first];
    if (s->enqueue != run_forward && s->enqueue != run_backward) return MG_OK;
    if (s->fused) return s->fused->prepare && !op->fused_impl ? s->fused->prepare(op) : MG_OK;
    return layer_ops(op)->prepare && !op->impl ? layer_ops(op)->prepare(op) : MG_OK;
}

uint64_t mg__stage_flops(const mg_pass *p, const mg_stage *s)
{
    uint64_t sum = 0;
    const bool forward = s->enqueue == run_forward, backward = s->enqueue == run_backward;
    for (int i = s->first; (forward || backward) && i < s->first + s->count; i++) {
        const mg_op *op = &p->ops[i];
        const unsigned products = forward ? 1 : (op->dw != NULL) + (op->dx != NULL);
        sum += mg__layer_flops(op->layer) * (uint64_t)p->batch * products;
    }
    return sum;
}
