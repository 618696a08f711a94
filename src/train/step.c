/* The training step, for every backend: gather, forward, loss, backward, optimizer, advance. Which
 * stages those are is the plan's business (plan.c prints and makes them); here they are enqueued,
 * one after another. Evaluation is the same with a plan that ends after the loss. */
#include "train/pass.h"

mg_status mg__step_enqueue(void *ctx)
{
    mg_pass *pass = ctx;
    for (int i = 0; i < pass->stage_count; i++) {
        const mg_stage *stage = &pass->plan[i];
        const mg_status st = stage->enqueue(pass, stage);
        if (st) return mg__fail_in(st, "%s", stage->name);
    }
    return MG_OK;
}

mg_status mg__pass_run(mg_pass *pass, int times)
{
    mg_backend *be = pass->net->backend;
    return be->ops->repeat(be, &pass->recording, mg__step_enqueue, pass, times);
}
