/* Images in rows, each with a line below it and a frame of that line's colour. */
#ifndef MG_GRID_H
#define MG_GRID_H

#include "draw/canvas.h"

typedef struct mg_tile {
    mg_image image;   /* 1 or 3 channels; all tiles of one size */
    char caption[32]; /* of the characters that MG_CONTENT_TILES allows */
    mg_color color;
} mg_tile;

/* Writes the picture: one column of a paper wide, or wider where the captions need it. Errors as
 * mg__canvas_create's and mg__canvas_save's. */
mg_status mg__grid_save(const mg_tile *tiles, int count, int columns, const char *path);

#endif
