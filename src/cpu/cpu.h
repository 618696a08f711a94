/* The CPU backend: vector kernels, and a team of threads that share the loops over images, channels
 * or rows. Every sum is taken in an order that does not depend on the number of threads, so results
 * are the same bytes for any. */
#ifndef MG_CPU_H
#define MG_CPU_H

#include "cpu/kernels.h"
#include "cpu/team.h"

typedef struct mg_cpu {
    mg_backend base; /* first: a mg_backend * is a mg_cpu * */
    int threads;
    mg_team *team; /* of so many */
    const mg_cpu_isa *isa;
} mg_cpu;

static inline const mg_cpu *mg__cpu_of(const mg_op *op) { return (const mg_cpu *)op->backend; }

/* For this step; a layer that updates its own weights calls fn for each part of them. */
mg_cpu_updater mg__cpu_updater(const mg_cpu *cpu, const mg_update *update);

/* peak.c: see mg_backend_ops. */
mg_status mg__cpu_peak(mg_backend *be, double *out);

/* Groups of layers that run as one stage: conv.c's and dense.c's. */
extern const mg_fused mg_cpu_conv_relu_maxpool, mg_cpu_conv_maxpool_relu, mg_cpu_conv_maxpool,
    mg_cpu_conv_relu, mg_cpu_dense_relu;

#endif
