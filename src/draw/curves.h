/* The curves of trainings: metrics.csv of one or several runs as a chart. */
#ifndef MG_CURVES_H
#define MG_CURVES_H

#include "draw/chart.h"
#include "io/metrics.h"

typedef struct mg_curves {
    mg_metrics *metrics[MG_CHART_RUNS]; /* of each run */
    mg_chart chart;                     /* borrows from them */
} mg_curves;

/* Reads the metrics of the runs (directories; 1 .. MG_CHART_RUNS) and lays out their chart: one
 * panel for `metric`, a column of metrics.csv, or one for loss and one for accuracy if it is NULL;
 * where there is a column val_<metric>, its curve is dashed, and there the best epoch, by
 * the run's --monitor, is marked. title: NULL for the run's name.
 * MG_ERR_NOT_FOUND: no such run or column; MG_ERR_FORMAT: a malformed file, with the line. */
mg_status mg__curves_load(mg_curves *out, char *const *runs, int count, const char *metric,
                          const char *title);
void mg__curves_free(mg_curves *curves); /* frees the members */

/* Writes curves.svg, and curves.png if this build can draw it, into the run directory. */
mg_status mg__curves_save_run(const char *dir);

#endif
