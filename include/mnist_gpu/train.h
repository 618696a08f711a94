/* Training, evaluation and prediction. */
#ifndef MNIST_GPU_TRAIN_H
#define MNIST_GPU_TRAIN_H

#include "mnist_gpu/augment.h"
#include "mnist_gpu/dataset.h"
#include "mnist_gpu/device.h"
#include "mnist_gpu/model.h"
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mg_train_options {
    double epochs;      /* > 0, to the nearest step; of 1.5 the second is half as long; 30 */
    int batch;          /* 1 .. 65536; 32 */
    double lr;          /* > 0; 0.001; where there is a schedule, what it begins with */
    uint64_t seed;      /* initial weights and order of images; 1 */
    bool shuffle;       /* a new order every epoch; true */
    uint64_t max_steps; /* stop after so many steps in all, 0 = no limit */

    /* Random distortions of the training images, never of others; none. */
    mg_augmentation augment;

    /* How weights follow gradients; formulas in src/backend.h, all as PyTorch's. */
    char optimizer[16];           /* one of mg_optimizer_names; "adam" */
    double momentum;              /* of sgd, 0 .. <1; 0 */
    bool nesterov;                /* of sgd with a momentum; false */
    double beta1, beta2;          /* of adam and adamw, 0 .. <1; .9, .999 */
    double rho;                   /* of rmsprop, 0 .. <1; .9 */
    double eps;                   /* >= 0; 0 = 1e-8 for adam and adamw, 1e-7 for rmsprop */
    double weight_decay;          /* >= 0; 0; L2 in the gradient, for adamw decoupled from it */
    double clip_value, clip_norm; /* >= 0; 0 = no limit. Of each gradient's size; of the L2 norm of
                                     all of a step's gradients. At most one of the two */

    /* The learning rate's course; formulas in src/train/schedule.h. Those of "cosine", "linear" and
     * "one-cycle" depend on `epochs`: with another number a run goes on by another curve. */
    char schedule[16]; /* one of mg_schedule_names; "constant" */
    double lr_gamma;   /* step, exponential, plateau: a reduction's factor, 0 .. 1; 0 = .1, of
                          exponential .95 */
    int lr_step;       /* step: epochs between reductions, >= 1; 10 */
    double lr_min;     /* cosine, linear, plateau: not below, 0 .. lr; 0 */
    int lr_patience;   /* plateau: reduces when more epochs than that in a row bring the monitored
                          figure nothing better, >= 0; 10 */
    uint64_t warmup;   /* steps of a linear rise before all that, 0 = none */

    char monitor[16]; /* by which epochs are compared: one of mg_monitor_names; "val_accuracy" */
    int patience;     /* stop early after so many epochs in a row without a better one, 0 = never */
    double min_delta; /* for patience: better by more than that, >= 0; 0 */
} mg_train_options;
mg_train_options mg_train_options_default(void);

/* What the options may name; each list ends with NULL. */
extern const char *const mg_optimizer_names[]; /* adam, sgd, adamw, rmsprop */
extern const char *const mg_schedule_names[];  /* constant, step, exponential, cosine, linear,
                                                  one-cycle, plateau */
extern const char *const mg_monitor_names[];   /* val_accuracy, val_loss, accuracy, loss */

/* How many epochs the training takes on so many (>= 1) images, a shorter last one included. */
int mg_train_epochs(const mg_train_options *options, uint32_t images);

/* One epoch's figures; val_* are NaN without validation images. Losses are means per image,
 * accuracies 0..1; loss and accuracy are running means over the epoch's steps, as Keras reports
 * them; lr is the last step's. */
typedef struct mg_epoch {
    int epoch; /* 1, 2, ... */
    double loss, accuracy, val_loss, val_accuracy, lr, seconds, images_per_sec;
} mg_epoch;

typedef struct mg_progress {
    int epoch, epochs;
    uint32_t step, steps;               /* done in this epoch, of */
    double loss, accuracy;              /* running means over the epoch */
    double images_per_sec, eta_seconds; /* of the epoch */
} mg_progress;

/* Called between chunks of steps, in the thread that trains; each may be NULL. */
typedef struct mg_train_hooks {
    void *user;
    void (*progress)(void *user, const mg_progress *progress); /* a few times a second */
    mg_status (*epoch)(void *user, const mg_epoch *epoch); /* after each; a failure ends the run */
    bool (*stop)(void *user);                              /* true: finish the step, then return */
} mg_train_hooks;

typedef struct mg_trainer mg_trainer;

/* Makes a network with initial weights from options->seed and puts the data into device memory.
 * val may be NULL. The trainer borrows backend and model; the datasets are not needed afterwards.
 * MG_ERR_MISMATCH: the data's size or classes do not fit the model; MG_ERR_INVALID: an option, or
 * validation figures that decide on the training's course without images for them. */
mg_status mg_trainer_create(mg_trainer **out, mg_backend *backend, const mg_model *model,
                            const mg_dataset *train, const mg_dataset *val,
                            const mg_train_options *options);
void mg_trainer_free(mg_trainer *trainer); /* NULL is fine */

/* Trains from where the trainer is to the end. MG_ERR_INTERRUPTED: stop() said so, the step was
 * finished and the trainer can be saved and go on; MG_ERR_NUMERIC: a loss that is not finite, see
 * mg_trainer_trace. */
mg_status mg_trainer_run(mg_trainer *trainer, const mg_train_hooks *hooks);

/* What ends the training where the trainer is now. */
typedef enum mg_train_end {
    MG_TRAIN_GOES_ON = 0, /* nothing yet */
    MG_TRAIN_EPOCHS,      /* all are done */
    MG_TRAIN_MAX_STEPS,
    MG_TRAIN_PATIENCE /* early */
} mg_train_end;
mg_train_end mg_trainer_end(const mg_trainer *trainer);

/* All that a run needs to go on bit for bit, in host memory. */
typedef struct mg_train_state {
    uint64_t step;     /* optimizer steps done */
    uint32_t epoch;    /* epochs finished */
    uint32_t cursor;   /* images of the present epoch already used */
    double epoch_loss; /* sums over them */
    uint64_t epoch_correct;
    double epoch_seconds;
    size_t length;            /* floats in each array: the model's arena length */
    float *params, *slots[2]; /* [length] each; slots[i] NULL if the optimizer has none */
    int history_count;
    mg_epoch *history; /* [history_count], oldest first */
    int best_epoch;    /* 1-based, by the monitored figure (the first of equals); the latest epoch
                          where that needs validation and there is none; 0 before the first's end */
} mg_train_state;

/* A copy of the state, owned by the caller (mg_train_state_free); waits for the device. */
mg_status mg_trainer_save(mg_trainer *trainer, mg_train_state **out);
/* Sets the state; MG_ERR_MISMATCH if lengths differ. Copies. */
mg_status mg_trainer_restore(mg_trainer *trainer, const mg_train_state *state);
void mg_train_state_free(mg_train_state *state); /* NULL is fine */

/* MG_ERR_NUMERIC says that a number of the state is not finite, and which. */
mg_status mg_trainer_check_state(const mg_trainer *trainer, const mg_train_state *state);

/* Where numbers first went wrong: goes back to `from`, a state of this training, and repeats its
 * epoch step by step up to where the trainer was, looking at all that each step writes.
 * MG_ERR_NUMERIC names the step, the buffer and the first number that is not finite; MG_OK: there
 * is none. The trainer is then anywhere between: restore a state, or free it. */
mg_status mg_trainer_trace(mg_trainer *trainer, const mg_train_state *from);

/* The parameters, running statistics of batchnorm included: [mg_model_arena_length()] floats,
 * tensors at their offsets. */
size_t mg_model_arena_length(const mg_model *model);
mg_status mg_trainer_get_params(mg_trainer *trainer, float *params);
mg_status mg_trainer_set_params(mg_trainer *trainer, const float *params);

/* Evaluation. */
typedef struct mg_evaluation {
    uint32_t count, correct;
    double loss, accuracy; /* mean per image; correct / count */
    uint32_t classes;
    uint32_t *confusion;  /* [classes (true)][classes (predicted)] */
    uint8_t *predictions; /* [count] */
} mg_evaluation;

/* params: [mg_model_arena_length()]. *out: owned by the caller, mg_evaluation_free. */
mg_status mg_evaluate(mg_evaluation **out, mg_backend *backend, const mg_model *model,
                      const float *params, const mg_dataset *set);
void mg_evaluation_free(mg_evaluation *evaluation); /* NULL is fine */

/* Class probabilities of `count` images: pixels [count][c][h][w] as the model's input, before
 * normalisation; probabilities [count][classes], the caller's. */
mg_status mg_predict(mg_backend *backend, const mg_model *model, const float *params,
                     const uint8_t *pixels, uint32_t count, float *probabilities);

/* The number of classes of the model's output, and the size of its input images. */
int mg_model_classes(const mg_model *model);
void mg_model_input_size(const mg_model *model, uint32_t *channels, uint32_t *height,
                         uint32_t *width);

#ifdef __cplusplus
}
#endif
#endif
