#include "train/speedrun.h"
#include "clock.h"
#include "train/pass.h"
#include "train/schedule.h"
#include <stdlib.h>

static mg_status test_params(mg_speedrun *out, mg_backend *backend, const mg_model *model,
                             const mg_dataset *test, mg_trainer *trainer)
{
    mg_status st;
    mg_evaluation *e = NULL;
    float *params = malloc(model->arena_length * sizeof *params);
    if (!params) return mg__fail(MG_ERR_MEMORY, "out of memory for the weights");
    MG_TRY(mg_trainer_get_params(trainer, params));
    MG_TRY(mg_evaluate(&e, backend, model, params, test));
    out->correct = e->correct;
    out->accuracy = e->accuracy;
    out->loss = e->loss;
out:
    mg_evaluation_free(e);
    free(params);
    return st;
}

mg_status mg__speedrun(mg_speedrun *out, mg_backend *backend, const mg_model *model,
                       const mg_dataset *train, const mg_dataset *test,
                       const mg_train_options *options)
{
    mg_status st;
    mg_trainer *trainer = NULL;
    mg_speedrun run = {.seed = options->seed};
    const double start = mg__seconds();
    MG_TRY(mg_trainer_create(&trainer, backend, model, train, NULL, options));
    MG_TRY(backend->ops->sync(backend));
    const double ready = mg__seconds();
    MG_TRY(mg_trainer_run(trainer, NULL)); /* the last losses are read when the last step is done */
    const double trained = mg__seconds();
    MG_TRY(test_params(&run, backend, model, test, trainer));
    const double tested = mg__seconds();
    run.steps = mg__train_steps(options, (train->count - 1) / (uint32_t)options->batch + 1);
    run.setup_seconds = ready - start;
    run.loop_seconds = trained - ready;
    run.test_seconds = tested - trained;
    *out = run;
out:
    mg_trainer_free(trainer);
    return st;
}
