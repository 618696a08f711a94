/* What a model costs to train, counted without running it. */
#ifndef MG_COST_H
#define MG_COST_H

#include "model/spec.h"

/* Of one layer, or of all of them. A multiply-add counts as two FLOP; taps in the padding count,
 * what is done once per element (activations, pooling, the loss, the optimizer) does not. Bytes are
 * those of the arenas that a training pass allocates (train/pass.h), in which every tensor begins
 * at a multiple of 256; images and the workspaces of libraries come on top. */
typedef struct mg_cost {
    uint64_t params;          /* trainable numbers */
    uint64_t forward_flops;   /* for one image */
    uint64_t step_flops;      /* for a batch, forward and backward: as much again as forward for
                                 each of dw and dx that the layer has */
    uint64_t param_bytes;     /* the parameters */
    uint64_t gradient_bytes;  /* theirs */
    uint64_t optimizer_bytes; /* the optimizer's state */
    uint64_t output_bytes;    /* the layer's outputs for a batch, the activations */
    uint64_t delta_bytes;     /* their gradients */
} mg_cost;

/* slots: arenas of optimizer state, each as long as the parameters'. */
mg_cost mg__layer_cost(const mg_model *model, int layer, int batch, int slots);
mg_cost mg__model_cost(const mg_model *model, int batch, int slots);

static inline uint64_t mg__cost_bytes(const mg_cost *c)
{
    return c->param_bytes + c->gradient_bytes + c->optimizer_bytes + c->output_bytes +
           c->delta_bytes;
}

/* A table of the layers' costs and their sum, for people; *out is malloc'd. */
mg_status mg__cost_table(char **out, const mg_model *model, int batch, const char *optimizer,
                         int slots);

#endif
