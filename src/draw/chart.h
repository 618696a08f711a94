/* Charts of curves over epochs: panels one above the other, with one axis of epochs and one legend.
 */
#ifndef MG_CHART_H
#define MG_CHART_H

#include "draw/canvas.h"

enum { MG_CHART_RUNS = 7, MG_CHART_PANELS = 2, MG_CHART_CURVES = 2 * MG_CHART_RUNS };

typedef struct mg_curve {
    const double *x, *y; /* [count], borrowed; the curve is broken where y is NaN */
    int count;
    mg_color color;
    bool dashed;
    int best; /* the point that is marked, or -1 */
} mg_curve;

typedef struct mg_panel {
    char label[64]; /* of the y axis, with the unit */
    double scale;   /* what y is multiplied by: 100 for shares in % */
    mg_curve curves[MG_CHART_CURVES];
    int curve_count;
} mg_panel;

typedef enum mg_sample { MG_SAMPLE_LINE, MG_SAMPLE_DASHES, MG_SAMPLE_DISC } mg_sample;
typedef struct mg_legend {
    char text[96];
    mg_color color;
    mg_sample sample;
    bool new_row;
} mg_legend;

typedef struct mg_chart {
    char title[128];
    mg_panel panels[MG_CHART_PANELS];
    int panel_count;
    mg_legend legend[MG_CHART_RUNS + 3];
    int legend_count;
} mg_chart;

/* The ranges of x over all panels and of y over one, times its scale; 0 .. 1 where there are no
 * points. */
typedef struct mg_range {
    double lo, hi;
} mg_range;
mg_range mg__chart_x_range(const mg_chart *chart);
mg_range mg__panel_y_range(const mg_panel *panel);

/* Draws the chart, one column wide, and writes it to `path`; errors as mg__canvas_create's and
 * mg__canvas_save's. */
mg_status mg__chart_save(const mg_chart *chart, const char *path);

#endif
