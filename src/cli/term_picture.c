#include "term_picture.h"
#include "term.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

term_depth term_picture_depth(void)
{
    const char *no_color = getenv("NO_COLOR"), *depth = getenv("COLORTERM");
    if (!term_shows_unicode(STDOUT_FILENO) || (no_color && *no_color)) return TERM_ASCII;
    return depth && (!strcmp(depth, "truecolor") || !strcmp(depth, "24bit")) ? TERM_TRUE_COLOR
                                                                             : TERM_256;
}

void term_set_color(term_depth depth, bool background, mg_color color)
{
    const int r = (int)(color >> 16 & 255), g = (int)(color >> 8 & 255), b = (int)(color & 255);
    const int kind = background ? 48 : 38;
    /* xterm's 256: a cube of 6 x 6 x 6 colours from 16 on, then 24 greys from 8 by steps of 10 */
    const bool grey = r == g && g == b && r > 4 && r < 243;
    if (depth == TERM_TRUE_COLOR)
        printf("\033[%d;2;%d;%d;%dm", kind, r, g, b);
    else if (depth == TERM_256)
        printf("\033[%d;5;%dm", kind,
               grey ? 232 + (r - 3) / 10
                    : 16 + 36 * ((r + 25) / 51) + 6 * ((g + 25) / 51) + (b + 25) / 51);
}

/* ---- pictures ---- */

/* The mean colour of the part of the picture that pixel (x, y) of width x height covers. */
static mg_color mean_color(const mg_image *p, int x, int y, int width, int height)
{
    const uint32_t x0 = (uint32_t)((int64_t)x * p->width / width);
    const uint32_t x1 = (uint32_t)((x + 1LL) * p->width / width);
    const uint32_t y0 = (uint32_t)((int64_t)y * p->height / height);
    const uint32_t y1 = (uint32_t)((y + 1LL) * p->height / height);
    uint64_t sum[3] = {0}, count = 0;
    for (uint32_t j = y0; j < y1; j++)
        for (uint32_t i = x0; i < x1; i++, count++)
            for (uint32_t k = 0; k < 3; k++)
                sum[k] +=
                    p->pixels[((size_t)j * p->width + i) * p->channels + (p->channels < 3 ? 0 : k)];
    mg_color color = 0;
    assert(count); /* it is never shown larger than it is */
    for (int k = 0; k < 3; k++) color = color << 8 | (mg_color)(sum[k] / count);
    return color;
}

/* 0 (white) .. 1 (black); ITU-R BT.601 */
static double darkness(mg_color c)
{
    return 1 - (0.299 * (c >> 16 & 255) + 0.587 * (c >> 8 & 255) + 0.114 * (c & 255)) / 255;
}

static void put_pair(term_depth depth, mg_color upper, mg_color lower)
{
    static const char ramp[] = " .:-=+*#%@";
    if (depth == TERM_ASCII) {
        putchar(ramp[(int)((darkness(upper) + darkness(lower)) / 2 * 9 + 0.5)]);
        return;
    }
    term_set_color(depth, false, upper);
    term_set_color(depth, true, lower);
    fputs("▀", stdout);
}

uint32_t term_images_across(uint32_t width)
{
    enum { GAP = 1, NARROWEST = 14 };
    const uint32_t each = (width < NARROWEST ? width : NARROWEST) + GAP;
    const uint32_t fit = ((uint32_t)term_width(STDOUT_FILENO) + GAP) / each;
    return fit > 1 ? fit : 1;
}

void term_picture(const mg_image *p)
{
    const term_depth depth = term_picture_depth();
    const int room = term_width(STDOUT_FILENO);
    const int width = (int)p->width < room ? (int)p->width : room;
    int height = (int)((double)p->height * width / p->width + 0.5);
    if (height < 1) height = 1;
    for (int y = 0; y < height; y += 2) {
        for (int x = 0; x < width; x++) {
            const mg_color upper = mean_color(p, x, y, width, height);
            const bool last = y + 1 == height;
            put_pair(depth, upper, last ? MG_WHITE : mean_color(p, x, y + 1, width, height));
        }
        puts(depth == TERM_ASCII ? "" : "\033[0m");
    }
}
