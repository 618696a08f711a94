/* PNG without a drawing library: rectangles, images, and figures in a font of 5 x 7 dots. */
#include "draw/canvas_ops.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

static mg_image *page(const mg_canvas *c) { return c->impl; }

static int clamp(int v, uint32_t end) { return v < 0 ? 0 : v > (int)end ? (int)end : v; }

/* In pixels; x1 and y1 are past the end. */
static void fill(mg_image *image, int x0, int y0, int x1, int y1, mg_color color)
{
    x1 = clamp(x1, image->width);
    y1 = clamp(y1, image->height);
    for (int y = clamp(y0, image->height); y < y1; y++)
        for (int x = clamp(x0, image->width); x < x1; x++)
            for (int k = 0; k < 3; k++)
                image->pixels[((size_t)y * image->width + (size_t)x) * 3 + (size_t)k] =
                    (uint8_t)(color >> (16 - 8 * k));
}

static void draw_rect(mg_canvas *c, double x, double y, double width, double height, mg_color color)
{
    fill(page(c), mg_to_pixels(x), mg_to_pixels(y), mg_to_pixels(x + width),
         mg_to_pixels(y + height), color);
}

/* Never asked for: mg__canvas_check_path gives no drawing to this canvas. */
static void draw_line(mg_canvas *c, const mg_point *points, int count, const mg_pen *pen)
{
    (void)c, (void)points, (void)count, (void)pen;
    assert(!"lines on a canvas of tiles");
}

static void draw_disc(mg_canvas *c, double x, double y, double radius, mg_color color)
{
    (void)c, (void)x, (void)y, (void)radius, (void)color;
    assert(!"a disc on a canvas of tiles");
}

/* ---- figures ---- */

enum { DOTS_WIDE = 5, DOTS_HIGH = 7, ADVANCE = 6 };

/* Seven rows of five dots, the leftmost in bit 4. */
static const struct glyph {
    char character;
    uint8_t rows[DOTS_HIGH];
} glyphs[] = {
    {'0', {0x0e, 0x11, 0x13, 0x15, 0x19, 0x11, 0x0e}},
    {'1', {0x04, 0x0c, 0x04, 0x04, 0x04, 0x04, 0x0e}},
    {'2', {0x0e, 0x11, 0x01, 0x06, 0x08, 0x10, 0x1f}},
    {'3', {0x0e, 0x11, 0x01, 0x06, 0x01, 0x11, 0x0e}},
    {'4', {0x02, 0x06, 0x0a, 0x12, 0x1f, 0x02, 0x02}},
    {'5', {0x1f, 0x10, 0x1e, 0x01, 0x01, 0x11, 0x0e}},
    {'6', {0x06, 0x08, 0x10, 0x1e, 0x11, 0x11, 0x0e}},
    {'7', {0x1f, 0x01, 0x02, 0x04, 0x08, 0x08, 0x08}},
    {'8', {0x0e, 0x11, 0x11, 0x0e, 0x11, 0x11, 0x0e}},
    {'9', {0x0e, 0x11, 0x11, 0x0f, 0x01, 0x02, 0x0c}},
    {'.', {0x00, 0x00, 0x00, 0x00, 0x00, 0x0c, 0x0c}},
    {'%', {0x18, 0x19, 0x02, 0x04, 0x08, 0x13, 0x03}},
    {'(', {0x02, 0x04, 0x08, 0x08, 0x08, 0x04, 0x02}},
    {')', {0x08, 0x04, 0x02, 0x02, 0x02, 0x04, 0x08}},
    {'-', {0x00, 0x00, 0x00, 0x0e, 0x00, 0x00, 0x00}},
    {' ', {0}},
};
static const struct glyph box = {0, {0x1f, 0x11, 0x11, 0x11, 0x11, 0x11, 0x1f}}; /* any other */

static const struct glyph *find_glyph(char character)
{
    for (int i = 0; i < MG_COUNT_OF(glyphs); i++)
        if (glyphs[i].character == character) return &glyphs[i];
    return &box;
}

static void draw_text(mg_canvas *c, double x, double y, mg_anchor anchor, const mg_font *font,
                      const char *text)
{
    int dot =
        (int)(font->size * 0.64 * MG_CANVAS_SCALE / ADVANCE + 0.1); /* as wide as other fonts */
    if (dot < 1) dot = 1;
    const int length = ((int)strlen(text) * ADVANCE - 1) * dot;
    int left = mg_to_pixels(x) - length * (int)anchor / 2;
    const int top = mg_to_pixels(y) - DOTS_HIGH * dot;
    for (; *text; text++, left += ADVANCE * dot) {
        const struct glyph *g = find_glyph(*text);
        for (int i = 0; i < DOTS_HIGH * DOTS_WIDE; i++) {
            const int row = i / DOTS_WIDE, column = i % DOTS_WIDE;
            const int from = left + column * dot, down = top + row * dot;
            if (g->rows[row] >> (DOTS_WIDE - 1 - column) & 1)
                fill(page(c), from, down, from + dot, down + dot, font->color);
        }
    }
}

/* ---- images ---- */

static void draw_image(mg_canvas *c, double x, double y, double width, double height,
                       const mg_image *image)
{
    const double w = width / image->width, h = height / image->height;
    for (uint32_t i = 0; i < image->width * image->height; i++) {
        const uint8_t *p = image->pixels + (size_t)i * image->channels;
        const mg_color color =
            (mg_color)p[0] << 16 | (mg_color)p[image->channels / 2] << 8 | p[image->channels - 1];
        draw_rect(c, x + i % image->width * w, y + i / image->width * h, w, h, color);
    }
}

/* ---- the canvas ---- */

static mg_status save(mg_canvas *c) { return mg_image_save(page(c), c->path); }

static void release(mg_canvas *c) { mg_image_free(page(c)); }

mg_status mg__canvas_pixels(mg_canvas *c)
{
    static const mg_canvas_ops ops = {draw_rect,  draw_line, draw_disc, draw_text,
                                      draw_image, save,      release};
    mg_image *image = calloc(1, sizeof *image);
    c->ops = &ops;
    c->impl = image;
    if (!image) return mg__fail(MG_ERR_MEMORY, "%s: out of memory", c->path);
    *image = (mg_image){.width = (uint32_t)mg_to_pixels(c->width),
                        .height = (uint32_t)mg_to_pixels(c->height),
                        .channels = 3};
    image->pixels = malloc((size_t)image->width * image->height * 3);
    return image->pixels ? MG_OK : mg__fail(MG_ERR_MEMORY, "%s: out of memory", c->path);
}
