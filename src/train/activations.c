#include "train/activations.h"
#include "train/evaluate.h"
#include "train/pass.h"

static mg_status download_outputs(float *const *h_y, const mg_pass *pass)
{
    mg_status st = MG_OK;
    mg_backend *be = pass->net->backend;
    const mg_model *model = pass->net->model;
    for (int i = 0; i < model->layer_count; i++)
        if (h_y[i])
            MG_TRY(be->ops->download(be, h_y[i], pass->ops[i].y,
                                     mg_shape_size(model->layers[i].out) * sizeof(float)));
out:
    return st;
}

mg_status mg__activations(float *const *h_y, mg_backend *be, const mg_model *model,
                          const float *params, const uint8_t *pixels)
{
    mg_status st;
    const mg_shape in = mg__model_input(model)->shape;
    uint8_t label = 0;
    const mg_dataset set = {.count = 1,
                            .channels = (uint32_t)in.c,
                            .height = (uint32_t)in.h,
                            .width = (uint32_t)in.w,
                            .classes = 1,
                            .labels = &label,
                            .pixels = (uint8_t *)pixels}; /* only read */
    mg_device_data data = {0};
    mg_feed feed = {0};
    mg_net *net = NULL;
    mg_pass *pass = NULL;
    void *state = NULL, *stats = NULL;
    MG_TRY(mg__net_create(&net, be, model));
    MG_TRY(be->ops->upload(be, net->params, params, model->arena_length * sizeof *params));
    MG_TRY(mg__device_data_create(&data, be, model, &set));
    MG_TRY(be->ops->alloc(be, &state, sizeof *feed.state));
    MG_TRY(be->ops->alloc(be, &stats, sizeof *feed.stats));
    feed = (mg_feed){.pixels = data.pixels, .labels = data.labels, .state = state, .stats = stats};
    MG_TRY(mg__pass_create(&pass, net, 1, &feed, NULL, false));
    MG_TRY(mg__pass_seek(pass, 0, 0, 0, 1, 0));
    MG_TRY(mg__pass_run(pass, 1));
    MG_TRY(download_outputs(h_y, pass));
out:
    mg__pass_free(pass);
    mg__device_data_free(&data);
    be->ops->release(be, state);
    be->ops->release(be, stats);
    mg__net_free(net);
    return st;
}
