#include "draw/grid.h"
#include <math.h>
#include <stdlib.h>

enum { MARGIN = 4, GAP = 6, FRAME = 1, TYPE = 7, MIN_TILE = 30, MAX_TILE = 56 };

/* Pixels of the page for one of the tile's, such that the columns fill the page's width but stay
 * within MIN_TILE and MAX_TILE points. */
static int scale_of(const mg_image *image, int columns)
{
    const double room = (MG_COLUMN_WIDTH - 2.0 * MARGIN - GAP * (columns - 1)) / columns;
    const double side = fmin(fmax(room - 2 * FRAME, MIN_TILE), MAX_TILE);
    const int scale = (int)(side * MG_CANVAS_SCALE / image->width);
    return scale < 1 ? 1 : scale;
}

static double type_size(const mg_tile *tiles, int count, double width)
{
    double widest = 1;
    for (int i = 0; i < count; i++) widest = fmax(widest, mg__text_width(1, tiles[i].caption));
    return fmin(TYPE, (width + GAP - 1) / widest);
}

mg_status mg__grid_save(const mg_tile *tiles, int count, int columns, const char *path)
{
    mg_status st;
    mg_canvas *c = NULL;
    const mg_image *first = &tiles[0].image;
    const double pixel = (double)scale_of(first, columns) / MG_CANVAS_SCALE;
    const double width = first->width * pixel, height = first->height * pixel;
    const double step_x = width + 2 * FRAME + GAP, type = type_size(tiles, count, step_x - GAP);
    const double step_y = height + 2 * FRAME + 1.4 * type + GAP;
    const int rows = (count + columns - 1) / columns;
    MG_TRY(mg__canvas_create(&c, path, MG_CONTENT_TILES, 2 * MARGIN + columns * step_x - GAP,
                             2 * MARGIN + rows * step_y - GAP));
    for (int i = 0; i < count; i++) {
        const mg_tile *t = &tiles[i];
        const double x = MARGIN + i % columns * step_x, y = MARGIN + floor(i / columns) * step_y;
        const mg_font font = {.size = type, .color = t->color};
        mg__canvas_rect(c, x, y, width + 2 * FRAME, height + 2 * FRAME, t->color);
        mg__canvas_image(c, x + FRAME, y + FRAME, width, height, &t->image);
        mg__canvas_text(c, x + FRAME + width / 2, y + height + 2 * FRAME + 1.25 * type,
                        MG_ANCHOR_MIDDLE, &font, t->caption);
    }
    MG_TRY(mg__canvas_save(c));
out:
    mg__canvas_free(c);
    return st;
}
