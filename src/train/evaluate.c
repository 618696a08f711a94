#include "train/evaluate.h"
#include <stdlib.h>
#include <string.h>

enum { EVALUATION_BATCH = 256 };

/* ---- data on the device ---- */

static mg_status check_fit(const mg_model *model, const mg_dataset *set)
{
    const mg_shape in = mg__model_input(model)->shape;
    if (set->channels != (uint32_t)in.c || set->height != (uint32_t)in.h ||
        set->width != (uint32_t)in.w)
        return mg__fail(MG_ERR_MISMATCH, "%s: images of %ux%ux%u, but model %s expects %dx%dx%d",
                        set->source ? set->source : "data", set->channels, set->height, set->width,
                        model->name, in.c, in.h, in.w);
    if (set->classes > (uint32_t)model->classes)
        return mg__fail(MG_ERR_MISMATCH, "%s: labels up to %u, but model %s has %d classes",
                        set->source ? set->source : "data", set->classes - 1, model->name,
                        model->classes);
    return MG_OK;
}

static mg_status copy_to_device(mg_backend *be, uint8_t **out, const uint8_t *bytes, size_t size)
{
    void *memory;
    const mg_status st = be->ops->alloc(be, &memory, size);
    if (st) return mg__fail_in(st, "images on the device");
    *out = memory;
    return be->ops->upload(be, memory, bytes, size);
}

mg_status mg__device_data_create(mg_device_data *out, mg_backend *be, const mg_model *model,
                                 const mg_dataset *set)
{
    mg_status st;
    mg_device_data data = {.backend = be, .count = set->count};
    const size_t size = (size_t)set->channels * set->height * set->width;
    MG_TRY(check_fit(model, set));
    MG_TRY(copy_to_device(be, &data.pixels, set->pixels, set->count * size));
    MG_TRY(copy_to_device(be, &data.labels, set->labels, set->count));
    *out = data;
    return MG_OK;
out:
    mg__device_data_free(&data);
    return st;
}

void mg__device_data_free(mg_device_data *data)
{
    if (!data->backend) return;
    data->backend->ops->release(data->backend, data->pixels);
    data->backend->ops->release(data->backend, data->labels);
}

/* ---- evaluator ---- */

struct mg_evaluator {
    mg_net *net;
    mg_device_data data;
    mg_feed feed;
    mg_pass *pass;
    mg_recording *recording; /* of all steps */
    int steps;
    mg_step_stat *h_stats; /* [steps] */
};

mg_status mg__evaluator_create(mg_evaluator **out, mg_net *net, const mg_dataset *set)
{
    mg_status st;
    mg_backend *be = net->backend;
    void *state, *stats, *predictions;
    mg_evaluator *e = calloc(1, sizeof *e);
    if (!e) return mg__fail(MG_ERR_MEMORY, "out of memory for the evaluation");
    e->net = net;
    const int batch = set->count < EVALUATION_BATCH ? (int)set->count : EVALUATION_BATCH;
    e->steps = (int)((set->count + (uint32_t)batch - 1) / (uint32_t)batch);
    e->h_stats = calloc((size_t)e->steps, sizeof *e->h_stats);
    if (!e->h_stats) MG_FAIL(MG_ERR_MEMORY, "out of memory for the evaluation");
    MG_TRY(mg__device_data_create(&e->data, be, net->model, set));
    MG_TRY(be->ops->alloc(be, &state, sizeof(mg_step_state)));
    e->feed.state = state;
    MG_TRY(be->ops->alloc(be, &stats, (size_t)e->steps * sizeof(mg_step_stat)));
    e->feed.stats = stats;
    MG_TRY(be->ops->alloc(be, &predictions, set->count));
    e->feed.predictions = predictions;
    e->feed.pixels = e->data.pixels;
    e->feed.labels = e->data.labels;
    MG_TRY(mg__pass_create(&e->pass, net, batch, &e->feed, NULL, true));
    *out = e;
    e = NULL;
    st = MG_OK;
out:
    mg__evaluator_free(e);
    return st;
}

void mg__evaluator_free(mg_evaluator *e)
{
    if (!e) return;
    mg_backend *be = e->net->backend;
    be->ops->recording_free(be, e->recording);
    mg__pass_free(e->pass);
    mg__device_data_free(&e->data);
    be->ops->release(be, e->feed.state);
    be->ops->release(be, e->feed.stats);
    be->ops->release(be, e->feed.predictions);
    free(e->h_stats);
    free(e);
}

static mg_status enqueue_steps(void *ctx)
{
    mg_evaluator *e = ctx;
    mg_status st = MG_OK;
    for (int i = 0; i < e->steps && !st; i++) st = mg__step_enqueue(e->pass);
    return st;
}

/* The steps are one sequence, which a GPU records as a whole when it comes for the second time: the
 * host waits twice, before and after, however many images there are. */
mg_status mg__evaluator_run(mg_evaluator *e, double *loss, uint32_t *correct)
{
    mg_status st;
    mg_backend *be = e->net->backend;
    double sum = 0;
    uint32_t right = 0;
    MG_TRY(mg__pass_seek(e->pass, 0, 0, 0, e->data.count, 0));
    MG_TRY(be->ops->repeat(be, &e->recording, enqueue_steps, e, 1));
    MG_TRY(be->ops->download(be, e->h_stats, e->feed.stats, (size_t)e->steps * sizeof *e->h_stats));
    for (int i = 0; i < e->steps; i++) {
        sum += e->h_stats[i].loss;
        right += e->h_stats[i].correct;
    }
    *loss = sum / e->data.count;
    *correct = right;
out:
    return st;
}

mg_status mg__evaluator_predictions(mg_evaluator *e, uint8_t *h_predictions)
{
    mg_backend *be = e->net->backend;
    return be->ops->download(be, h_predictions, e->feed.predictions, e->data.count);
}

uint32_t mg__evaluator_count(const mg_evaluator *e) { return e->data.count; }

/* ---- public ---- */

static mg_status net_with_params(mg_net **out, mg_backend *be, const mg_model *model,
                                 const float *params)
{
    mg_status st = mg__net_create(out, be, model);
    if (!st) st = be->ops->upload(be, (*out)->params, params, model->arena_length * sizeof *params);
    return st;
}

mg_status mg_evaluate(mg_evaluation **out, mg_backend *backend, const mg_model *model,
                      const float *params, const mg_dataset *set)
{
    mg_status st;
    mg_net *net = NULL;
    mg_evaluator *evaluator = NULL;
    const uint32_t classes = (uint32_t)model->classes;
    mg_evaluation *ev = calloc(1, sizeof *ev);
    if (!ev) return mg__fail(MG_ERR_MEMORY, "out of memory for the evaluation");
    *ev = (mg_evaluation){.count = set->count, .classes = classes};
    ev->confusion = calloc((size_t)classes * classes, sizeof *ev->confusion);
    ev->predictions = calloc(set->count, 1);
    if (!ev->confusion || !ev->predictions)
        MG_FAIL(MG_ERR_MEMORY, "out of memory for the evaluation");
    MG_TRY(net_with_params(&net, backend, model, params));
    MG_TRY(mg__evaluator_create(&evaluator, net, set));
    MG_TRY(mg__evaluator_run(evaluator, &ev->loss, &ev->correct));
    MG_TRY(mg__evaluator_predictions(evaluator, ev->predictions));
    ev->accuracy = (double)ev->correct / set->count;
    for (uint32_t i = 0; i < set->count; i++)
        ev->confusion[set->labels[i] * classes + ev->predictions[i]]++;
    *out = ev;
    ev = NULL;
out:
    mg__evaluator_free(evaluator);
    mg__net_free(net);
    mg_evaluation_free(ev);
    return st;
}

void mg_evaluation_free(mg_evaluation *ev)
{
    if (!ev) return;
    free(ev->confusion);
    free(ev->predictions);
    free(ev);
}

/* Prediction is evaluation, a batch at a time, of images with label 0, keeping the probabilities.
 */
mg_status mg_predict(mg_backend *backend, const mg_model *model, const float *params,
                     const uint8_t *pixels, uint32_t count, float *probabilities)
{
    mg_status st = MG_OK;
    const mg_shape in = mg__model_input(model)->shape;
    const size_t size = mg_shape_size(in), classes = (size_t)model->classes;
    uint8_t labels[EVALUATION_BATCH] = {0};
    mg_net *net = NULL;
    mg_evaluator *evaluator = NULL;
    MG_TRY(net_with_params(&net, backend, model, params));
    for (uint32_t done = 0; done < count; done += EVALUATION_BATCH) {
        const uint32_t now = count - done < EVALUATION_BATCH ? count - done : EVALUATION_BATCH;
        const mg_dataset set = {.count = now,
                                .channels = (uint32_t)in.c,
                                .height = (uint32_t)in.h,
                                .width = (uint32_t)in.w,
                                .classes = 1,
                                .labels = labels,
                                .pixels = (uint8_t *)pixels + done * size}; /* only read */
        double loss;
        uint32_t correct;
        mg__evaluator_free(evaluator);
        evaluator = NULL;
        MG_TRY(mg__evaluator_create(&evaluator, net, &set));
        MG_TRY(mg__evaluator_run(evaluator, &loss, &correct));
        MG_TRY(backend->ops->download(backend, probabilities + done * classes,
                                      mg__pass_probabilities(evaluator->pass),
                                      now * classes * sizeof(float)));
    }
out:
    mg__evaluator_free(evaluator);
    mg__net_free(net);
    return st;
}
