/* Weights in files: safetensors with PyTorch's names and layouts ("conv1.weight" OIHW,
 * "dense1.weight" [out][in]), little-endian f32. The header's __metadata__ carries the model text
 * under "model" (with the normalisation on its input line), "format" = "pt" and what the writer
 * adds. */
#ifndef MNIST_GPU_WEIGHTS_H
#define MNIST_GPU_WEIGHTS_H

#include "mnist_gpu/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Writes to a temporary file beside `path`, fsyncs, renames, fsyncs the directory: `path` is either
 * the old file or the new one, whole. params: [arena length], tensors at their offsets. metadata:
 * `count` pairs key, value (extra[2*i], extra[2*i+1]), or NULL. MG_ERR_IO names file and reason. */
mg_status mg_weights_save(const char *path, const mg_model *model, const float *params,
                          const char *const *metadata, int count);

/* Reads weights for `model`; or with model NULL for the model in the file's metadata.
 * Every tensor of the model must be there with its shape, as F32; no others may be there,
 * but for "num_batches_tracked" of a batchnorm layer, which PyTorch writes: it is ignored.
 * *out_model (may be NULL if `model` is given): a model owned by the caller, only made when model
 * is NULL. *out_params: [arena length], malloc'd, padding zero. MG_ERR_NOT_FOUND, MG_ERR_FORMAT
 * (malformed file), MG_ERR_MISMATCH (tensor missing, extra or of another shape; no model text),
 * MG_ERR_NUMERIC (a weight is not finite). */
mg_status mg_weights_load(mg_model **out_model, float **out_params, const char *path,
                          const mg_model *model);

#ifdef __cplusplus
}
#endif
#endif
