/* What the losses have in common on the CPU (`ref` and `cpu`): the walk over the batch's rows, the
 * step's statistics, predictions, and the rows that a short last batch leaves out. A loss says what
 * one row is. */
#ifndef MG_LOSS_H
#define MG_LOSS_H

#include "layers/layer.h"

/* Writes the row's class probabilities; returns its loss. y, x: [classes]; best: the index of the
 * largest x, the first of equals. */
typedef double mg_loss_row_fn(const mg_layer *layer, float *y, const float *x, int label, int best);
/* Writes the gradient of the row's loss. dx, x, y: [classes]. */
typedef void mg_loss_gradient_fn(const mg_layer *layer, float *dx, const float *x, const float *y,
                                 int label);

mg_status mg__loss_forward(mg_op *op, mg_loss_row_fn *row);
mg_status mg__loss_backward(mg_op *op, mg_loss_gradient_fn *gradient);

/* The losses' infer(): a vector in, as many probabilities out. */
mg_status mg__loss_infer(mg_layer *layer);

#endif
