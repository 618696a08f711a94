/* SVG 1.1: an element for every call, text as text, images as PNG inside. */
#include "draw/canvas_ops.h"
#include "image/mosaic.h"
#include "image/png.h"
#include "io/file.h"
#include "io/text_stream.h"
#include <stdio.h>
#include <stdlib.h>

typedef struct svg {
    FILE *stream;
    char *text;
    size_t size;
} svg;

static FILE *stream_of(const mg_canvas *c) { return ((svg *)c->impl)->stream; }

static void draw_rect(mg_canvas *c, double x, double y, double width, double height, mg_color color)
{
    fprintf(stream_of(c),
            "<rect x=\"%.6g\" y=\"%.6g\" width=\"%.6g\" height=\"%.6g\" fill=\"#%06x\"/>\n", x, y,
            width, height, color);
}

static void draw_line(mg_canvas *c, const mg_point *points, int count, const mg_pen *pen)
{
    FILE *s = stream_of(c);
    fputs("<polyline points=\"", s);
    for (int i = 0; i < count; i++)
        fprintf(s, "%s%.6g,%.6g", i ? " " : "", points[i].x, points[i].y);
    fprintf(
        s,
        "\" fill=\"none\" stroke=\"#%06x\" stroke-width=\"%.6g\" stroke-linejoin=\"round\"%s/>\n",
        pen->color, pen->width, pen->dashed ? " stroke-dasharray=\"3.5 2\"" : "");
}

static void draw_disc(mg_canvas *c, double x, double y, double radius, mg_color color)
{
    fprintf(stream_of(c), "<circle cx=\"%.6g\" cy=\"%.6g\" r=\"%.6g\" fill=\"#%06x\"/>\n", x, y,
            radius, color);
}

static void put_escaped(FILE *s, const char *text)
{
    for (; *text; text++) switch (*text) {
        case '&':
            fputs("&amp;", s);
            break;
        case '<':
            fputs("&lt;", s);
            break;
        case '>':
            fputs("&gt;", s);
            break;
        default:
            putc(*text, s);
        }
}

static void draw_text(mg_canvas *c, double x, double y, mg_anchor anchor, const mg_font *font,
                      const char *text)
{
    static const char *const anchors[] = {"start", "middle", "end"};
    FILE *s = stream_of(c);
    fprintf(s, "<text x=\"%.6g\" y=\"%.6g\" font-size=\"%.6g\" fill=\"#%06x\" text-anchor=\"%s\"",
            x, y, font->size, font->color, anchors[anchor]);
    if (font->bold) fputs(" font-weight=\"bold\"", s);
    if (font->upward) fprintf(s, " transform=\"rotate(-90 %.6g %.6g)\"", x, y);
    fputs(">", s);
    put_escaped(s, text);
    fputs("</text>\n", s);
}

static void put_base64(FILE *s, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        const size_t left = size - i;
        const uint32_t v = (uint32_t)bytes[i] << 16 | (left > 1 ? bytes[i + 1] << 8 : 0) |
                           (left > 2 ? bytes[i + 2] : 0);
        putc(digits[v >> 18], s);
        putc(digits[v >> 12 & 63], s);
        putc(left > 1 ? digits[v >> 6 & 63] : '=', s);
        putc(left > 2 ? digits[v & 63] : '=', s);
    }
}

/* The PNG of the image, enlarged to about the resolution of a PNG canvas: many programs smooth the
 * pixels of an image that they enlarge themselves, whatever they are asked to do. */
static mg_status encode(uint8_t **png, size_t *size, double width, const mg_image *image)
{
    mg_image *large = NULL;
    const int scale = mg_to_pixels(width / image->width);
    const mg_mosaic alone = {.cells = image->pixels,
                             .count = 1,
                             .columns = 1,
                             .width = image->width,
                             .height = image->height,
                             .channels = image->channels,
                             .scale = scale > 1 ? (uint32_t)scale : 1};
    mg_status st = mg__mosaic_make(&large, &alone, "SVG");
    if (!st) st = mg__png_encode(png, size, large);
    mg_image_free(large);
    return st;
}

static void draw_image(mg_canvas *c, double x, double y, double width, double height,
                       const mg_image *image)
{
    FILE *s = stream_of(c);
    uint8_t *png = NULL;
    size_t size;
    if (c->failed || (c->failed = encode(&png, &size, width, image)) != MG_OK) return;
    fprintf(s,
            "<image x=\"%.6g\" y=\"%.6g\" width=\"%.6g\" height=\"%.6g\" "
            "preserveAspectRatio=\"none\" style=\"image-rendering:pixelated\" "
            "xlink:href=\"data:image/png;base64,",
            x, y, width, height);
    put_base64(s, png, size);
    fputs("\"/>\n", s);
    free(png);
}

static mg_status save(mg_canvas *c)
{
    svg *v = c->impl;
    fputs("</svg>\n", v->stream);
    const int failed = fclose(v->stream);
    v->stream = NULL;
    if (failed) return mg__fail(MG_ERR_MEMORY, "%s: out of memory", c->path);
    return mg__file_replace(c->path, &(mg_slice){v->text, v->size}, 1);
}

static void release(mg_canvas *c)
{
    svg *v = c->impl;
    if (v && v->stream) fclose(v->stream);
    if (v) free(v->text);
    free(v);
}

mg_status mg__canvas_svg(mg_canvas *c)
{
    static const mg_canvas_ops ops = {draw_rect,  draw_line, draw_disc, draw_text,
                                      draw_image, save,      release};
    svg *v = calloc(1, sizeof *v);
    c->ops = &ops;
    c->impl = v;
    if (v) v->stream = mg__open_text(&v->text, &v->size);
    if (!v || !v->stream) return mg__fail(MG_ERR_MEMORY, "%s: out of memory", c->path);
    fprintf(v->stream,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<svg xmlns=\"http://www.w3.org/2000/svg\" "
            "xmlns:xlink=\"http://www.w3.org/1999/xlink\" width=\"%.6gpt\" height=\"%.6gpt\" "
            "viewBox=\"0 0 %.6g %.6g\" "
            "font-family=\"DejaVu Sans, Verdana, Helvetica, Arial, sans-serif\">\n",
            c->width, c->height, c->width, c->height);
    return MG_OK;
}
