/* How long a training step takes, and each of its stages, on images that are made up. */
#ifndef MG_BENCH_H
#define MG_BENCH_H

#include "clock.h"
#include "train/pass.h"

/* Seconds for one run, over `samples` measurements, each the mean of `repeats` runs in a row. */
typedef struct mg_bench_time {
    double median, min, p90;
    int samples, repeats;
} mg_bench_time;

typedef struct mg_bench_stage {
    char name[sizeof((mg_stage *)0)->name];
    uint64_t flops; /* see mg__stage_flops */
    mg_bench_time time;
} mg_bench_stage;

typedef struct mg_bench {
    int batch;
    uint64_t flops;              /* of a step: the sum over its stages */
    int launches;                /* kernels of a step on a GPU; 0 on the CPU */
    mg_bench_time step;          /* as training runs it, on a GPU as graphs of many steps */
    mg_bench_time single, eager; /* on a GPU alone (else 0 samples): a graph for each step; without
                                    graphs, kernel after kernel. Both by the host's clock */
    int stage_count;
    mg_bench_stage *stages; /* [stage_count] */
} mg_bench;

/* Times a training step of `options` (batch, optimizer, momentum, seed; nothing else of them
 * counts) as training runs it, many in one repeat, on a GPU also in the two other ways, and then
 * its stages. Each of them is measured for `seconds`, after a warm-up of a quarter of that. The
 * learning rate is 0, so that the last step has the same numbers to do with as the first. A stage
 * runs many times in a row, so it may find more of its data in the caches than in a step. */
mg_status mg__bench_run(mg_bench **out, mg_backend *backend, const mg_model *model,
                        const mg_train_options *options, double seconds);
void mg__bench_free(mg_bench *bench); /* NULL is fine */

/* The way from an open device to the third step on real images, as a training goes it: adds a lap
 * for each part of it, the device's work included. The first step's is the lap
 * MG_LAP_FIRST_STEP. */
#define MG_LAP_FIRST_STEP "first step (GPU: loads kernels)"
mg_status mg__bench_startup(mg_laps *laps, mg_backend *backend, const mg_model *model,
                            const mg_dataset *set, const mg_train_options *options);

#endif
