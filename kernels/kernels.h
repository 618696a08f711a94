/* The launchers: what the host code of src/cuda sees of the kernels. Each enqueues on `stream` and
 * returns the launch's error. Pointers are device memory; what the kernels read there (the step's
 * state, labels) they read when they run, so that a recorded launch can be replayed. Results are
 * the same bits every time: sums have a fixed order, there are no float atomics.
 *
 * Sizes: batch 1 .. 65536, everything else at least 1; no product of them needs to fit 32 bits. */
#ifndef MG_KERNELS_H
#define MG_KERNELS_H

#include "backend.h"
#include <cuda_runtime_api.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- step.cu ---- */

/* y[i][p] = table[pixels[image][p]] and labels[i] = feed->labels[image] for the batch's valid rows,
 * 0 for the others; image = order[cursor + i].
 * table [256] f32: the normalised value of every pixel value; y [batch][size] f32; size = c*h*w;
 * feed: its pixels, labels, order, state and batch_labels. */
cudaError_t mg__launch_gather(float *y, const float *table, const mg_feed *feed, int batch,
                              size_t size, cudaStream_t stream);

/* The same with the images augmented by feed->augment's ranges (augment.cu); c, h, w <= 4096. */
cudaError_t mg__launch_gather_augmented(float *y, const float *table, const mg_feed *feed,
                                        int batch, int channels, int height, int width,
                                        cudaStream_t stream);

/* cursor += batch, slot += 1, step += training. */
cudaError_t mg__launch_advance(mg_step_state *state, bool training, cudaStream_t stream);

/* ---- update.cu ---- */

/* One optimizer step, as mg_update says. */
cudaError_t mg__launch_update(const mg_update *update, cudaStream_t stream);

/* update->clip[0], as mg_backend_ops says. */
cudaError_t mg__launch_clip_norm(const mg_update *update, cudaStream_t stream);

/* ---- layers.cu ---- */

/* y[n][c][i] += b[c]; y [batch][channels][size] f32, b [channels] f32. A dense layer has size 1. */
cudaError_t mg__launch_bias_add(float *y, const float *b, int batch, int channels, size_t size,
                                cudaStream_t stream);

/* db[c] = sum over n, i of dy[n][c][i]. Long sums take two launches, the first of which writes
 * mg__bias_gradient_parts() partial sums per channel:
 * partial [channels][parts] f32, unused (may be NULL) where parts = 1. */
int mg__bias_gradient_parts(int batch, size_t size);
cudaError_t mg__launch_bias_gradient(float *db, const float *dy, float *partial, int batch,
                                     int channels, size_t size, cudaStream_t stream);

/* ---- norm.cu ----
 *
 * The op's layer is batchnorm, its pointers device memory. mean, var [channels] f32: the batch's
 * statistics, which forward leaves for backward; not used in evaluation, may then be NULL.
 * scratch: mg__batchnorm_scratch() bytes. */
size_t mg__batchnorm_scratch(const mg_op *op);
cudaError_t mg__launch_batchnorm(const mg_op *op, float *mean, float *var, void *scratch,
                                 cudaStream_t stream);
cudaError_t mg__launch_batchnorm_backward(const mg_op *op, const float *mean, const float *var,
                                          void *scratch, cudaStream_t stream);

/* ---- losses.cu: formulas in src/layers ----
 *
 * x, y, dx [batch][classes] f32, classes <= 256; rows [batch]: scratch, each row's statistics;
 * feed: batch_labels, state, stats, predictions. */
cudaError_t mg__launch_softmax_xent(float *y, mg_step_stat *rows, const float *x, double smoothing,
                                    const mg_feed *feed, int batch, int classes,
                                    cudaStream_t stream);
cudaError_t mg__launch_softmax_xent_backward(float *dx, const float *x, const float *y,
                                             double smoothing, const mg_feed *feed, int batch,
                                             int classes, cudaStream_t stream);
/* The statistics of `rows` to the step's slot: the end of every loss's forward. */
cudaError_t mg__launch_sum_rows(const mg_step_stat *rows, const mg_feed *feed, int batch,
                                cudaStream_t stream);
cudaError_t mg__launch_mse(float *y, mg_step_stat *rows, const float *x, const mg_feed *feed,
                           int batch, int classes, cudaStream_t stream);
cudaError_t mg__launch_mse_backward(float *dx, const float *x, const float *y, const mg_feed *feed,
                                    int batch, int classes, cudaStream_t stream);

/* ---- activations.cu ---- */

/* relu, leaky_relu, tanh or sigmoid, as layer->kind says; formulas in src/layers. A NaN stays one.
 * x, y, dy, dx [count] f32. */
cudaError_t mg__launch_activation(const mg_layer *layer, float *y, const float *x, size_t count,
                                  cudaStream_t stream);
cudaError_t mg__launch_activation_backward(const mg_layer *layer, float *dx, const float *dy,
                                           const float *y, size_t count, cudaStream_t stream);

/* out = f in, with dropout's factors f for the step that `state` is at; src/layers/dropout.c.
 * out, in [count] f32. */
cudaError_t mg__launch_dropout(const mg_layer *layer, float *out, const float *in,
                               const mg_step_state *state, size_t count, cudaStream_t stream);

/* ---- fused_conv.cu: 5x5 convolutions of certain shapes, with relu and maybe maxpool size=2 ----
 */

/* The ops of a group. Its own buffers between them are not written, but for the conv's y, which
 * keeps what backward needs to know of the pooling. */
typedef struct mg_conv_group {
    const mg_op *conv, *relu;
    const mg_op *pool;  /* or NULL */
    const float *table; /* of an input layer before, which the group then is to do too; or NULL */
    void *scratch; /* mg__conv_group_scratch() bytes of the group's own, 0 at first; for backward */
} mg_conv_group;

bool mg__conv_group_fits(const mg_layer *conv, const mg_layer *pool); /* pool may be NULL */
size_t mg__conv_group_scratch(const mg_layer *conv, const mg_layer *pool);
cudaError_t mg__launch_conv_group(const mg_conv_group *group, cudaStream_t stream);
cudaError_t mg__launch_conv_group_backward(const mg_conv_group *group, cudaStream_t stream);

/* ---- fused_dense.cu ---- */

/* ops: dense, relu. Backward does what the op's update says, if there is one. */
bool mg__dense_fits(const mg_layer *dense);
cudaError_t mg__launch_dense_relu(const mg_op *ops, cudaStream_t stream);
cudaError_t mg__launch_dense_relu_backward(const mg_op *ops, cudaStream_t stream);

/* ops: dense, softmax_xent. The loss without the sum over rows [batch], and if training the
 * gradients with respect to the dense layer's output and input. */
bool mg__head_fits(const mg_layer *dense);
cudaError_t mg__launch_head(const mg_op *ops, mg_step_stat *rows, cudaStream_t stream);

/* ops: dense, relu, dense, softmax_xent; after mg__launch_head. What is left to do: both dense
 * layers' gradients, the step's statistics. */
cudaError_t mg__launch_tail_backward(const mg_op *ops, const mg_step_stat *rows,
                                     cudaStream_t stream);

#ifdef __cplusplus
}
#endif
#endif
