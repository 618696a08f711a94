/* Runs images through a net without training: validation, evaluation and prediction share it. */
#ifndef MG_EVALUATE_H
#define MG_EVALUATE_H

#include "mnist_gpu/train.h"
#include "train/pass.h"

/* Images and labels in device memory. */
typedef struct mg_device_data {
    mg_backend *backend; /* borrowed */
    uint32_t count;
    uint8_t *pixels, *labels;
} mg_device_data;
/* MG_ERR_MISMATCH: the images' size or the number of classes does not fit the model. */
mg_status mg__device_data_create(mg_device_data *out, mg_backend *backend, const mg_model *model,
                                 const mg_dataset *set);
void mg__device_data_free(mg_device_data *data); /* frees the members */

typedef struct mg_evaluator mg_evaluator;
/* Puts `set` into device memory beside `net`, which it borrows. */
mg_status mg__evaluator_create(mg_evaluator **out, mg_net *net, const mg_dataset *set);
void mg__evaluator_free(mg_evaluator *e); /* NULL is fine */

/* Mean loss per image and number of correct images with the net's present parameters; waits. */
mg_status mg__evaluator_run(mg_evaluator *e, double *loss, uint32_t *correct);
/* Predicted classes of the last run: [count]. */
mg_status mg__evaluator_predictions(mg_evaluator *e, uint8_t *h_predictions);

uint32_t mg__evaluator_count(const mg_evaluator *e); /* images */

#endif
