#include "image/mosaic.h"
#include "image/decode.h"
#include <stdlib.h>

/* The colour at (x, y) of the result. */
static uint32_t color_at(const mg_mosaic *m, uint32_t x, uint32_t y)
{
    const uint32_t step_x = m->width * m->scale + m->gap, step_y = m->height * m->scale + m->gap;
    if (x < m->gap || y < m->gap) return m->ground;
    x -= m->gap;
    y -= m->gap;
    const uint32_t cell = y / step_y * m->columns + x / step_x;
    const uint32_t column = x % step_x / m->scale, row = y % step_y / m->scale;
    if (cell >= m->count || column >= m->width || row >= m->height) return m->ground;
    const uint8_t *p =
        m->cells + (((size_t)cell * m->height + row) * m->width + column) * m->channels;
    return (uint32_t)p[0] << 16 | (uint32_t)p[m->channels / 2] << 8 | p[m->channels - 1];
}

mg_status mg__mosaic_make(mg_image **out, const mg_mosaic *m, const char *name)
{
    const int64_t rows = (m->count + m->columns - 1) / m->columns;
    const int64_t width = (int64_t)m->columns * (m->width * (int64_t)m->scale + m->gap) + m->gap;
    const int64_t height = rows * (m->height * (int64_t)m->scale + m->gap) + m->gap;
    mg_status st = mg__image_check_size(width, height, name);
    if (st) return st;
    uint8_t *pixels = malloc((size_t)(width * height * 3));
    if (!pixels) return mg__fail(MG_ERR_MEMORY, "%s: out of memory", name);
    for (int64_t i = 0; i < width * height; i++) {
        const uint32_t color = color_at(m, (uint32_t)(i % width), (uint32_t)(i / width));
        for (int k = 0; k < 3; k++) pixels[3 * i + k] = (uint8_t)(color >> (16 - 8 * k));
    }
    st = mg__image_wrap(out, pixels, (uint32_t)width, (uint32_t)height, 3);
    if (st) free(pixels);
    return st;
}
