/* PNG through cairo: anti-aliased lines and the system's fonts. */
#include "draw/canvas_ops.h"
#include <cairo/cairo.h>
#include <stdlib.h>

static void set_color(cairo_t *cr, mg_color color)
{
    cairo_set_source_rgb(cr, (color >> 16 & 255) / 255.0, (color >> 8 & 255) / 255.0,
                         (color & 255) / 255.0);
}

static void draw_rect(mg_canvas *c, double x, double y, double width, double height, mg_color color)
{
    cairo_t *cr = c->impl;
    set_color(cr, color);
    cairo_rectangle(cr, x, y, width, height);
    cairo_fill(cr);
}

static void draw_line(mg_canvas *c, const mg_point *points, int count, const mg_pen *pen)
{
    static const double dashes[] = {3.5, 2};
    cairo_t *cr = c->impl;
    set_color(cr, pen->color);
    cairo_set_line_width(cr, pen->width);
    cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
    cairo_set_dash(cr, dashes, pen->dashed ? MG_COUNT_OF(dashes) : 0, 0);
    for (int i = 0; i < count; i++) cairo_line_to(cr, points[i].x, points[i].y);
    cairo_stroke(cr);
}

static void draw_disc(mg_canvas *c, double x, double y, double radius, mg_color color)
{
    static const double whole_turn = 6.283185307179586;
    cairo_t *cr = c->impl;
    set_color(cr, color);
    cairo_arc(cr, x, y, radius, 0, whole_turn);
    cairo_fill(cr);
}

static void draw_text(mg_canvas *c, double x, double y, mg_anchor anchor, const mg_font *font,
                      const char *text)
{
    cairo_t *cr = c->impl;
    cairo_text_extents_t extents;
    cairo_save(cr);
    set_color(cr, font->color);
    cairo_select_font_face(cr, "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL,
                           font->bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(cr, font->size);
    cairo_text_extents(cr, text, &extents);
    cairo_translate(cr, x, y);
    if (font->upward) cairo_rotate(cr, -1.5707963267948966);
    cairo_move_to(cr, -extents.x_advance * anchor / 2, 0);
    cairo_show_text(cr, text);
    cairo_new_path(cr); /* the text has left a point, from which a line would begin */
    cairo_restore(cr);
}

static void draw_image(mg_canvas *c, double x, double y, double width, double height,
                       const mg_image *image)
{
    cairo_t *cr = c->impl;
    const uint32_t w = image->width, h = image->height, channels = image->channels;
    cairo_surface_t *s = cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)w, (int)h);
    unsigned char *rows = cairo_image_surface_get_data(s);
    for (uint32_t i = 0; rows && i < w * h; i++) {
        const uint8_t *p = image->pixels + (size_t)i * channels;
        uint32_t *row =
            (void *)(rows + (size_t)(i / w) * (size_t)cairo_image_surface_get_stride(s));
        row[i % w] = (uint32_t)p[0] << 16 | (uint32_t)p[channels / 2] << 8 | p[channels - 1];
    }
    cairo_surface_mark_dirty(s);
    cairo_save(cr);
    cairo_translate(cr, x, y);
    cairo_scale(cr, width / w, height / h);
    cairo_set_source_surface(cr, s, 0, 0);
    cairo_pattern_set_filter(cairo_get_source(cr), CAIRO_FILTER_NEAREST);
    cairo_rectangle(cr, 0, 0, w, h);
    cairo_fill(cr);
    cairo_restore(cr);
    cairo_surface_destroy(s);
}

static mg_status save(mg_canvas *c)
{
    cairo_surface_t *s = cairo_get_target(c->impl);
    const uint32_t w = (uint32_t)cairo_image_surface_get_width(s),
                   h = (uint32_t)cairo_image_surface_get_height(s);
    cairo_surface_flush(s);
    if (cairo_status(c->impl))
        return mg__fail(MG_ERR_IO, "%s: cannot draw: cairo: %s", c->path,
                        cairo_status_to_string(cairo_status(c->impl)));
    uint8_t *pixels = malloc((size_t)w * h * 3);
    if (!pixels) return mg__fail(MG_ERR_MEMORY, "%s: out of memory", c->path);
    const unsigned char *rows = cairo_image_surface_get_data(s);
    for (uint32_t i = 0; i < w * h; i++) {
        const uint32_t *row =
            (const void *)(rows + (size_t)(i / w) * (size_t)cairo_image_surface_get_stride(s));
        for (int k = 0; k < 3; k++)
            pixels[3 * (size_t)i + k] = (uint8_t)(row[i % w] >> (16 - 8 * k));
    }
    const mg_status st = mg_image_save(&(mg_image){w, h, 3, pixels}, c->path);
    free(pixels);
    return st;
}

static void release(mg_canvas *c) { cairo_destroy(c->impl); /* NULL is fine */ }

mg_status mg__canvas_cairo(mg_canvas *c)
{
    static const mg_canvas_ops ops = {draw_rect,  draw_line, draw_disc, draw_text,
                                      draw_image, save,      release};
    cairo_surface_t *s = cairo_image_surface_create(CAIRO_FORMAT_RGB24, mg_to_pixels(c->width),
                                                    mg_to_pixels(c->height));
    c->ops = &ops;
    c->impl = cairo_create(s);
    cairo_surface_destroy(s); /* the context has it */
    cairo_font_options_t *font = cairo_font_options_create();
    cairo_font_options_set_antialias(font, CAIRO_ANTIALIAS_GRAY); /* made for no screen */
    cairo_font_options_set_hint_style(font, CAIRO_HINT_STYLE_NONE);
    cairo_set_font_options(c->impl, font);
    cairo_font_options_destroy(font);
    cairo_scale(c->impl, MG_CANVAS_SCALE, MG_CANVAS_SCALE);
    return MG_OK; /* a failure stays in the context */
}
