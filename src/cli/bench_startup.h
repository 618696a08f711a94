/* bench --startup: what the start of a training is made of. */
#ifndef CLI_BENCH_STARTUP_H
#define CLI_BENCH_STARTUP_H

#include "cli.h"

typedef struct bench_startup_args {
    const char *device, *kernels, *data; /* data: NULL for what is found, as of train */
    int threads;
    bool json;
} bench_startup_args;

/* Goes the way of a training from the start of the process to its first steps, once, and prints how
 * long each part took. The model has been read before. */
mg_status bench_startup(const mg_model *model, const mg_train_options *options,
                        const bench_startup_args *args);

#endif
