/* A page to draw on, which becomes a PNG or an SVG file.
 *
 * Lengths are in points (1/72 inch) from the top left corner; a PNG has MG_CANVAS_SCALE pixels to
 * the point, 288 to the inch. What is drawn covers what was there. Drawing never fails: what goes
 * wrong on the way is kept, and mg__canvas_save reports it. */
#ifndef MG_CANVAS_H
#define MG_CANVAS_H

#include "error.h"
#include "mnist_gpu/image.h"
#include <stdbool.h>

enum { MG_CANVAS_SCALE = 4 };

/* The width of a column of a two-column paper, in points. */
enum { MG_COLUMN_WIDTH = 252 };

typedef uint32_t mg_color; /* 0xRRGGBB */

/* Okabe & Ito's palette, told apart with any colour vision, on paper as on a screen (Color
 * Universal Design, 2002; jfly.uni-koeln.de/color). Its yellow is left out: it is too faint for a
 * line on white. */
enum {
    MG_BLUE = 0x0072b2,
    MG_VERMILLION = 0xd55e00,
    MG_GREEN = 0x009e73,
    MG_PURPLE = 0xcc79a7,
    MG_ORANGE = 0xe69f00,
    MG_SKY = 0x56b4e9,
    MG_BLACK = 0x000000,
    MG_WHITE = 0xffffff
};

typedef struct mg_canvas mg_canvas;
typedef struct mg_point {
    double x, y;
} mg_point;

typedef struct mg_pen {
    mg_color color;
    double width;
    bool dashed;
} mg_pen;

typedef struct mg_font {
    double size; /* of the em; a capital letter is about 0.73 of it */
    mg_color color;
    bool bold, upward; /* upward: turned to be read from the bottom to the top */
} mg_font;

/* What of the text lies at the point given. */
typedef enum mg_anchor { MG_ANCHOR_START, MG_ANCHOR_MIDDLE, MG_ANCHOR_END } mg_anchor;

/* What a picture is made of. Tiles are rectangles, images and figures (0-9 . % ( ) - and space),
 * and can always be written as PNG; lines, discs and other text need a drawing library there. */
typedef enum mg_content { MG_CONTENT_TILES, MG_CONTENT_DRAWING } mg_content;

/* Can a file of this name be made? By its ending, .png or .svg in small or capital letters.
 * MG_ERR_INVALID: another ending; MG_ERR_UNSUPPORTED: a drawing as PNG, built without cairo. */
mg_status mg__canvas_check_path(const char *path, mg_content content);

/* A white page for the file `path`. Also MG_ERR_FORMAT: too large, MG_ERR_MEMORY. */
mg_status mg__canvas_create(mg_canvas **out, const char *path, mg_content content, double width,
                            double height);
void mg__canvas_free(mg_canvas *canvas); /* NULL is fine */

void mg__canvas_rect(mg_canvas *canvas, double x, double y, double width, double height,
                     mg_color color);
void mg__canvas_line(mg_canvas *canvas, const mg_point *points, int count, const mg_pen *pen);
void mg__canvas_disc(mg_canvas *canvas, double x, double y, double radius, mg_color color);
/* `y` is the baseline. Bytes that are not UTF-8 and control characters become '?'. */
void mg__canvas_text(mg_canvas *canvas, double x, double y, mg_anchor anchor, const mg_font *font,
                     const char *text);
/* Every pixel of the image becomes a rectangle. 1 or 3 channels. */
void mg__canvas_image(mg_canvas *canvas, double x, double y, double width, double height,
                      const mg_image *image);

/* Writes the file, replacing it whole or not at all. MG_ERR_IO, MG_ERR_MEMORY. */
mg_status mg__canvas_save(mg_canvas *canvas);

/* About how wide the text is: for layout on any canvas, before it is made. */
double mg__text_width(double size, const char *text);

/* The colour `share` (0 .. 1) of the way from one to the other. */
mg_color mg__color_between(mg_color from, mg_color to, double share);

#endif
