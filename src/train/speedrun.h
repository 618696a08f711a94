/* A training from initial weights to its test accuracy, timed in parts. */
#ifndef MG_SPEEDRUN_H
#define MG_SPEEDRUN_H

#include "mnist_gpu/train.h"

typedef struct mg_speedrun {
    uint64_t seed;
    uint32_t correct; /* of the test images */
    double accuracy, loss;
    uint64_t steps;
    double setup_seconds; /* images to the device, memory, plan, initial weights */
    double loop_seconds;  /* from the first step to the end of the last, with all that training does
                             on the way: orders of images and learning rates to the device, whatever
                             a device does at its first steps (a GPU loads kernels and records
                             graphs), the reading of losses. No validation */
    double test_seconds;  /* weights to the host, a pass for evaluation, the evaluation */
} mg_speedrun;

/* Trains on `train` as the options say and evaluates on `test`. The device's work is waited for
 * before each clock is read. Errors as of mg_trainer_create, mg_trainer_run and mg_evaluate. */
mg_status mg__speedrun(mg_speedrun *out, mg_backend *backend, const mg_model *model,
                       const mg_dataset *train, const mg_dataset *test,
                       const mg_train_options *options);

#endif
