/* A net at work on one backend: images, parameters, a pass. */
#ifndef MG_CHECK_RIG_H
#define MG_CHECK_RIG_H

#include "check/case.h"
#include "mnist_gpu/dataset.h"
#include "train/evaluate.h"

typedef struct mg_rig {
    mg_backend *backend;
    mg_device_data data;
    mg_feed feed;
    mg_net *net;
    mg_pass *pass;
    uint32_t slots;
} mg_rig;

/* What the rigs of a case have in common; all borrowed. */
typedef struct mg_rig_plan {
    const mg_model *model;
    const mg_dataset *set;
    const uint32_t *order; /* [set->count] */
    const float *params;   /* [model->arena_length] */
    int batch;
    uint32_t slots;                     /* of statistics */
    const mg_optimizer_spec *optimizer; /* NULL: evaluation */
} mg_rig_plan;

/* *out is to be freed on failure too; zero it first. */
mg_status mg__rig_create(mg_rig *out, mg_backend *backend, const mg_rig_plan *plan, bool fuse);
void mg__rig_free(mg_rig *rig);

/* *h_out: a copy of device memory, malloc'd. */
mg_status mg__rig_download(void **h_out, const mg_rig *rig, const void *memory, size_t bytes);

#endif
