/* The plan: the step as a list of stages. Plain, it is every layer's forward, every layer's
 * backward in reverse, the optimizer and advance; groups of layers that the backend can fuse take
 * the place of theirs. */
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

static mg_status run_optimizer(mg_pass *p, const mg_stage *s)
{
    (void)s;
    return p->net->backend->ops->optimizer_step(p->net->backend, &p->update);
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
    for (const mg_fused *f = p->net->backend->ops->fused; f && f->name; f++) {
        int matched = 0;
        while (matched < f->count && matched < left &&
               p->ops[first + matched].layer->kind == f->kinds[matched])
            matched++;
        if (matched == f->count && (!f->supports || f->supports(&p->ops[first]))) return f;
    }
    return NULL;
}

static void add_layers(mg_pass *p, int first, int count, const mg_fused *fused, bool forward)
{
    mg_stage *s = &p->plan[p->stage_count++];
    const char *phase = forward ? "forward" : "backward";
    *s = (mg_stage){.first = first, .count = count, .fused = fused};
    s->enqueue = forward ? run_forward : run_backward;
    if (fused)
        snprintf(s->name, sizeof s->name, "%s..%s %s (%s)", p->ops[first].layer->name,
                 p->ops[first + count - 1].layer->name, phase, fused->name);
    else
        snprintf(s->name, sizeof s->name, "%s %s", p->ops[first].layer->name, phase);
}

static void add_step_end(mg_pass *p)
{
    static const char *const names[MG_OPTIMIZER_COUNT] = {"adam", "sgd"};
    if (p->training) {
        mg_stage *s = &p->plan[p->stage_count++];
        *s = (mg_stage){.enqueue = run_optimizer};
        snprintf(s->name, sizeof s->name, "%s", names[p->update.kind]);
    }
    p->plan[p->stage_count++] = (mg_stage){.name = "advance", .enqueue = run_advance};
}

/* A layer's backward is needed if it has parameters, or if a layer before it has: then it has a dx.
 */
static bool has_backward(const mg_op *op) { return op->dw || op->dx; }

mg_status mg__plan_make(mg_pass *p, bool fuse)
{
    const int layers = p->net->model->layer_count;
    p->plan = calloc((size_t)layers * 2 + 2, sizeof *p->plan);
    if (!p->plan) return mg__fail(MG_ERR_MEMORY, "out of memory for the plan");
    p->stage_count = 0;
    for (int i = 0; i < layers;) {
        const mg_fused *fused = fuse ? find_fused(p, i) : NULL;
        const int count = fused ? fused->count : 1;
        add_layers(p, i, count, fused, true);
        i += count;
    }
    for (int i = p->stage_count - 1; p->training && i >= 0; i--) {
        const mg_stage forward = p->plan[i];
        const bool fused = forward.fused && forward.fused->backward;
        for (int l = forward.first + forward.count - 1; !fused && l >= forward.first; l--)
            if (has_backward(&p->ops[l])) add_layers(p, l, 1, NULL, false);
        if (fused) add_layers(p, forward.first, forward.count, forward.fused, false);
    }
    add_step_end(p);
    return MG_OK;
}
