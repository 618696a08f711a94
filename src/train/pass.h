/* A net is a model's parameters in a device's memory. A pass is one batch size over a net:
 * activations, gradients, and the plan that runs them. Training uses one pass, evaluation another
 * over the same net. */
#ifndef MG_PASS_H
#define MG_PASS_H

#include "backend.h"
#include "mnist_gpu/train.h"
#include "model/spec.h"

typedef struct mg_net {
    const mg_model *model; /* borrowed */
    mg_backend *backend;   /* borrowed */
    float *params;         /* [model->arena_length], device memory */
} mg_net;

mg_status mg__net_create(mg_net **out, mg_backend *backend, const mg_model *model);
void mg__net_free(mg_net *net);

/* A stage of a step: one layer's forward or backward, a fused group's, the optimizer's, or advance.
 */
typedef struct mg_pass mg_pass;
typedef struct mg_stage {
    char name[128];        /* "conv1 forward", "conv1..maxpool1 forward (conv+relu+maxpool)",
                             "clip norm", "adam conv1..conv3" */
    int first, count;      /* layers covered; count 0 for advance */
    const mg_fused *fused; /* the group that the stage belongs to, or NULL */
    mg_status (*enqueue)(mg_pass *pass, const struct mg_stage *stage);
} mg_stage;

/* The optimizer that the options name; MG_ERR_INVALID: unknown (options.c). */
mg_status mg__optimizer_read(mg_optimizer_spec *out, const mg_train_options *options);
int mg__optimizer_slots(mg_optimizer_kind kind); /* arenas of state, owned by the pass */

struct mg_pass {
    mg_net *net;
    mg_feed feed; /* as given; batch_labels is the pass's own */
    int batch;
    bool training;
    mg_op *ops;                          /* [model->layer_count] */
    float *activations, *deltas, *grads; /* arenas; the last two NULL unless training */
    mg_update update;
    mg_stage *plan; /* [stage_count] */
    int stage_count;
    mg_recording *recording;
};

/* feed: pixels, labels, order, state, stats, lr, predictions are the caller's device memory and
 * outlive the pass; batch_labels is set by the pass. optimizer: NULL for an evaluation pass. fuse:
 * let fused stages replace the plain ones, as the backend's choice of kernels says; without, every
 * layer's output is written. MG_ERR_INVALID: that choice is fused kernels, and a layer has none. */
mg_status mg__pass_create(mg_pass **out, mg_net *net, int batch, const mg_feed *feed,
                          const mg_optimizer_spec *optimizer, bool fuse);
void mg__pass_free(mg_pass *pass);

/* Makes pass->plan (train/plan.c); the ops must be bound. */
mg_status mg__plan_make(mg_pass *pass, bool fuse);

/* Prepares what the stage runs: its layer, or its fused group, whose layers have no data of their
 * own then, unless they run backward alone. Once per op. */
mg_status mg__stage_prepare(mg_pass *pass, const mg_stage *stage);

/* FLOP of a stage's products, a multiply-add counting as two: a layer's forward, and backward as
 * much again for each of dx and dw. Taps in the padding count, though a backend may leave them out;
 * what is done once per element (activations, pooling, the loss, the optimizer) does not. */
uint64_t mg__stage_flops(const mg_pass *pass, const mg_stage *stage);

/* THE step (train/step.c): enqueues the plan's stages one after another. ctx is the mg_pass. */
mg_status mg__step_enqueue(void *ctx);
/* The step, `times` times, through the backend's repeat. */
mg_status mg__pass_run(mg_pass *pass, int times);

/* Writes the step state's start of an epoch, or of a place in it (cursor a multiple of the batch),
 * to the device. `step` is the number of optimizer steps done; lr: the learning rate of all steps,
 * not looked at by a pass that does not train. */
mg_status mg__pass_seek(mg_pass *pass, uint64_t seed, uint32_t step, uint32_t cursor,
                        uint32_t count, float lr);
/* The same with the learning rate of each of the epoch's steps, h_lr [ceil(count / batch)]. */
mg_status mg__pass_seek_scheduled(mg_pass *pass, uint64_t seed, uint32_t step, uint32_t cursor,
                                  uint32_t count, const float *h_lr);

/* Class probabilities of the last step: [batch][classes], device memory. */
const float *mg__pass_probabilities(const mg_pass *pass);

/* The order of images in `epoch` (0, 1, ...): a Fisher-Yates shuffle of 0 .. count-1 driven by
 * Philox with key seed and counter (position, epoch). */
void mg__epoch_order(uint32_t *order, uint32_t count, uint64_t seed, uint32_t epoch);

#endif
