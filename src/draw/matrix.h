/* A confusion matrix as a picture. */
#ifndef MG_MATRIX_H
#define MG_MATRIX_H

#include "draw/canvas.h"
#include "mnist_gpu/train.h"

/* Draws the matrix of an evaluation: a row for each true class, a column for each predicted one,
 * shaded by its share of the row's images, with its count where there is room and the count is not
 * 0. Errors as mg__canvas_create's and mg__canvas_save's. */
mg_status mg__matrix_save(const mg_evaluation *evaluation, const char *title, const char *path);

#endif
