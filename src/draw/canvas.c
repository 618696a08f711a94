/* What all canvases share: the choice of one by the file's name, clean text, its width. */
#include "draw/canvas_ops.h"
#include "image/decode.h"
#include "io/file.h"
#include "text.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#ifdef MG_HAVE_CAIRO
enum { HAVE_CAIRO = true };
#else
enum { HAVE_CAIRO = false };
mg_status mg__canvas_cairo(mg_canvas *canvas) /* never asked for, see mg__canvas_check_path */
{
    return mg__fail(MG_ERR_UNSUPPORTED, "%s: built without cairo", canvas->path);
}
#endif

/* ---- which canvas ---- */

static bool ends_in(const char *path, const char *ending)
{
    const size_t length = strlen(path), tail = strlen(ending);
    return length > tail && strcasecmp(path + length - tail, ending) == 0;
}

mg_status mg__canvas_check_path(const char *path, mg_content content)
{
    if (ends_in(path, ".svg")) return MG_OK;
    if (!ends_in(path, ".png"))
        return mg__fail(MG_ERR_INVALID, "%s: unknown kind of picture (expected .png or .svg)",
                        path);
    if (content == MG_CONTENT_DRAWING && !HAVE_CAIRO)
        return mg__fail(MG_ERR_UNSUPPORTED,
                        "%s: this build draws no PNG, as it has no cairo (Debian package "
                        "libcairo2-dev); .svg works",
                        path);
    return MG_OK;
}

mg_status mg__canvas_create(mg_canvas **out, const char *path, mg_content content, double width,
                            double height)
{
    mg_status st;
    mg_canvas *c = NULL;
    MG_TRY(mg__canvas_check_path(path, content));
    MG_TRY(mg__image_check_size(mg_to_pixels(width), mg_to_pixels(height), path));
    c = calloc(1, sizeof *c);
    if (!c || !(c->path = mg__format("%s", path)))
        MG_FAIL(MG_ERR_MEMORY, "%s: out of memory", path);
    c->width = width;
    c->height = height;
    if (ends_in(path, ".svg"))
        MG_TRY(mg__canvas_svg(c));
    else
        MG_TRY(HAVE_CAIRO ? mg__canvas_cairo(c) : mg__canvas_pixels(c));
    mg__canvas_rect(c, 0, 0, width, height, MG_WHITE);
    *out = c;
    c = NULL;
out:
    mg__canvas_free(c);
    return st;
}

void mg__canvas_free(mg_canvas *c)
{
    if (!c) return;
    if (c->ops) c->ops->free(c);
    free(c->path);
    free(c);
}

mg_status mg__canvas_save(mg_canvas *c) { return c->failed ? c->failed : c->ops->save(c); }

/* ---- text ---- */

double mg__text_width(double size, const char *text)
{
    /* DejaVu Sans, in hundredths of the em, from the space on; it is among the widest. */
    static const uint8_t widths[] = {
        32, 40, 46, 84, 64, 95, 78, 27, 39, 39, 50, 84, 32, 36,  32, 34, 64, 64, 64,
        64, 64, 64, 64, 64, 64, 64, 34, 34, 84, 84, 84, 53, 100, 68, 69, 70, 77, 63,
        58, 77, 75, 29, 29, 66, 56, 86, 75, 79, 60, 79, 69, 63,  61, 73, 68, 99, 69,
        61, 69, 39, 34, 39, 84, 50, 50, 61, 63, 55, 63, 62, 35,  63, 63, 28, 28, 58,
        28, 97, 63, 61, 63, 63, 41, 52, 39, 63, 59, 82, 59, 59,  52, 64, 34, 64, 84};
    int sum = 0;
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        if ((*c & 0xc0) != 0x80) sum += *c >= ' ' && *c < 0x7f ? widths[*c - ' '] : 84;
    return sum * size / 100;
}

/* ---- drawing ---- */

mg_color mg__color_between(mg_color from, mg_color to, double share)
{
    mg_color out = 0;
    for (int shift = 0; shift < 24; shift += 8) {
        const double a = from >> shift & 255, b = to >> shift & 255;
        out |= (mg_color)(a + (b - a) * share + 0.5) << shift;
    }
    return out;
}

void mg__canvas_rect(mg_canvas *c, double x, double y, double width, double height, mg_color color)
{
    c->ops->rect(c, x, y, width, height, color);
}

void mg__canvas_line(mg_canvas *c, const mg_point *points, int count, const mg_pen *pen)
{
    c->ops->line(c, points, count, pen);
}

void mg__canvas_disc(mg_canvas *c, double x, double y, double radius, mg_color color)
{
    c->ops->disc(c, x, y, radius, color);
}

void mg__canvas_text(mg_canvas *c, double x, double y, mg_anchor anchor, const mg_font *font,
                     const char *text)
{
    char *plain = mg__format("%s", text);
    if (plain) {
        mg__text_clean(plain, false);
        c->ops->text(c, x, y, anchor, font, plain);
    } else {
        c->failed = mg__fail(MG_ERR_MEMORY, "%s: out of memory", c->path);
    }
    free(plain);
}

void mg__canvas_image(mg_canvas *c, double x, double y, double width, double height,
                      const mg_image *image)
{
    c->ops->image(c, x, y, width, height, image);
}
