/* The kinds of canvas: what each implements. */
#ifndef MG_CANVAS_OPS_H
#define MG_CANVAS_OPS_H

#include "draw/canvas.h"

typedef struct mg_canvas_ops {
    void (*rect)(mg_canvas *c, double x, double y, double width, double height, mg_color color);
    void (*line)(mg_canvas *c, const mg_point *points, int count, const mg_pen *pen);
    void (*disc)(mg_canvas *c, double x, double y, double radius, mg_color color);
    void (*text)(mg_canvas *c, double x, double y, mg_anchor anchor, const mg_font *font,
                 const char *text); /* clean UTF-8 */
    void (*image)(mg_canvas *c, double x, double y, double width, double height,
                  const mg_image *image);
    mg_status (*save)(mg_canvas *c);
    void (*free)(mg_canvas *c); /* what `impl` holds */
} mg_canvas_ops;

struct mg_canvas {
    const mg_canvas_ops *ops;
    char *path; /* malloc'd */
    double width, height;
    mg_status failed; /* the first failure of drawing; save reports it */
    void *impl;       /* the kind's own data */
};

/* Each sets `ops` and `impl`; on failure canvas.c frees what is there. */
mg_status mg__canvas_svg(mg_canvas *canvas);
mg_status mg__canvas_cairo(mg_canvas *canvas);
mg_status mg__canvas_pixels(mg_canvas *canvas);

/* Pixels of a length in points. */
static inline int mg_to_pixels(double points) { return (int)(points * MG_CANVAS_SCALE + 0.5); }

#endif
