/* Models: a chain of layers written as text, one layer a line.
 *
 *     input   1x28x28 mean=0.1307 std=0.3081
 *     conv    out=6 kernel=5 pad=same
 *     relu
 *     maxpool size=2
 *     dense   out=10
 *     softmax_xent
 *
 * Layers: conv, dense; relu, leaky_relu, tanh, sigmoid; maxpool, avgpool; dropout; softmax_xent.
 * `#` starts a comment. The first layer is `input`, the last one a loss. Shapes are inferred; an
 * unknown layer or key, a value out of range or a shape that does not fit is an error with the
 * line. Layers and their keys are documented in src/layers, one file each. */
#ifndef MNIST_GPU_MODEL_H
#define MNIST_GPU_MODEL_H

#include "mnist_gpu/status.h"
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mg_model mg_model;

/* Parses model text. `name` stands before the line number in messages ("lenet.net:4: ...").
 * *out: owned by the caller, mg_model_free. MG_ERR_FORMAT, MG_ERR_MEMORY. */
mg_status mg_model_parse(mg_model **out, const char *text, const char *name);

/* A preset by name, or else a file of model text by path.
 * MG_ERR_NOT_FOUND: neither; the message lists the presets. */
mg_status mg_model_load(mg_model **out, const char *preset_or_path);

void mg_model_free(mg_model *model); /* NULL is fine */

/* A copy of `model` with another first or last line: with the input normalised as
 * (pixel / 255 - mean) / std, std > 0; or with another loss, a line of model text as "mse" or
 * "softmax_xent". *out: owned by the caller. MG_ERR_FORMAT as in mg_model_parse. */
mg_status mg_model_with_normalization(mg_model **out, const mg_model *model, double mean,
                                      double std);
mg_status mg_model_with_loss(mg_model **out, const mg_model *model, const char *loss);

/* The canonical text: every key written out; parsing it gives the same model. Owned by the model.
 */
const char *mg_model_text(const mg_model *model);

/* The preset's name or the name given to mg_model_parse. Owned by the model. */
const char *mg_model_name(const mg_model *model);

/* Trainable parameters, without padding. */
size_t mg_model_param_count(const mg_model *model);

/* Names, one-line descriptions and texts of the presets; NULL name past the last index. */
typedef struct mg_preset {
    const char *name, *description, *text;
} mg_preset;
const mg_preset *mg_model_preset(int index); /* NULL if there is no such index */

/* An all-layer table as Keras prints it (name, kind, output shape, parameters), newline-terminated;
 * *out is malloc'd, the caller frees it. */
mg_status mg_model_summary(char **out, const mg_model *model);

#ifdef __cplusplus
}
#endif
#endif
