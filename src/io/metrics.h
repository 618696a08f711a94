/* metrics.csv, read again: any table of numbers by epoch with names in its first line. */
#ifndef MG_METRICS_H
#define MG_METRICS_H

#include "error.h"

typedef struct mg_metrics {
    int columns, rows; /* rows >= 1 */
    char **names;      /* [columns], the first is "epoch" */
    double *values;    /* [columns][rows]; NaN where a field is empty. Epochs are whole numbers that
                          grow from row to row. */
    char monitor[16];  /* the column that tells the best epoch: "val_accuracy", or what the reader
                          sets; losses are better when smaller */
} mg_metrics;

/* The largest value: what it is multiplied by to be drawn must not make it infinite. */
#define MG_METRICS_MOST 1e300

/* Reads `path`. *out: owned by the caller, mg__metrics_free. MG_ERR_NOT_FOUND, MG_ERR_IO;
 * MG_ERR_FORMAT names the line: no table of this form, or no epoch in it. */
mg_status mg__metrics_load(mg_metrics **out, const char *path);
void mg__metrics_free(mg_metrics *metrics); /* NULL is fine */

/* The column `name`, [rows], or NULL. */
const double *mg__metrics_column(const mg_metrics *metrics, const char *name);

/* The row of the best value of `monitor`, the first of equals, which is the epoch whose weights are
 * best.safetensors; -1 if it has no values, as without validation. */
int mg__metrics_best(const mg_metrics *metrics);

#endif
