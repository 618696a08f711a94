#include "image/plane.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint32_t over_white(uint32_t value, uint32_t alpha)
{
    return (value * alpha + 255 * (255 - alpha) + 127) / 255;
}

mg_status mg__plane_extract(mg__plane *out, const mg_image *image, mg__component component)
{
    size_t count = (size_t)image->width * image->height;
    uint32_t channels = image->channels;
    bool colour = channels >= 3, has_alpha = channels % 2 == 0;
    uint8_t *v = malloc(count);
    if (!v) return mg__fail(MG_ERR_MEMORY, "out of memory for a picture of %zu pixels", count);

    const uint8_t *pixel = image->pixels;
    for (size_t i = 0; i < count; i++, pixel += channels) {
        uint32_t alpha = has_alpha ? pixel[channels - 1] : 255;
        uint32_t r = pixel[0], g = colour ? pixel[1] : r, b = colour ? pixel[2] : r;
        uint32_t value[] = {r, g, b, (299 * r + 587 * g + 114 * b + 500) / 1000};
        v[i] = (uint8_t)(component == MG__ALPHA ? alpha : over_white(value[component], alpha));
    }
    *out = (mg__plane){image->width, image->height, v};
    return MG_OK;
}

bool mg__image_is_stencil(const mg_image *image)
{
    /* Colours stored premultiplied come back rounded, the more so the fainter they are. */
    enum { VISIBLE = 16, SPREAD = 16 };
    uint32_t channels = image->channels, alpha_at = channels - 1;
    if (channels % 2 != 0) return false;

    uint8_t low[4] = {255, 255, 255, 255}, high[4] = {0};
    size_t count = (size_t)image->width * image->height;
    const uint8_t *pixel = image->pixels;
    for (size_t i = 0; i < count; i++, pixel += channels)
        for (uint32_t c = pixel[alpha_at] >= VISIBLE ? 0 : alpha_at; c < channels; c++) {
            if (pixel[c] < low[c]) low[c] = pixel[c];
            if (pixel[c] > high[c]) high[c] = pixel[c];
        }
    for (uint32_t c = 0; c < alpha_at; c++)
        if (high[c] > low[c] + SPREAD) return false;
    return high[alpha_at] > low[alpha_at];
}

void mg__plane_histogram(uint32_t histogram[256], const mg__plane *plane)
{
    size_t count = (size_t)plane->width * plane->height;
    memset(histogram, 0, 256 * sizeof *histogram);
    for (size_t i = 0; i < count; i++) histogram[plane->v[i]]++;
}

void mg__plane_border_histogram(uint32_t histogram[256], const mg__plane *plane)
{
    uint32_t w = plane->width, h = plane->height, frame = (w < h ? w : h) / 32;
    if (frame == 0) frame = 1;
    memset(histogram, 0, 256 * sizeof *histogram);
    for (uint32_t y = 0; y < h; y++) {
        bool whole_row = y < frame || y + frame >= h;
        const uint8_t *row = plane->v + (size_t)y * w;
        for (uint32_t x = 0; x < w; x++)
            if (whole_row || x < frame || x + frame >= w) histogram[row[x]]++;
    }
}

int mg__quantile(const uint32_t histogram[256], double share)
{
    double total = 0, below = 0;
    int v = 0;
    for (int i = 0; i < 256; i++) total += histogram[i];
    for (below = histogram[0]; v < 255 && below < share * total;) below += histogram[++v];
    return v;
}

int mg__otsu(const uint32_t histogram[256])
{
    double total = 0, sum = 0, below = 0, below_sum = 0, best = -1;
    int first = 0, last = 0;
    for (int v = 0; v < 256; v++) {
        total += histogram[v];
        sum += (double)v * histogram[v];
    }
    for (int t = 0; t < 255; t++) {
        below += histogram[t];
        below_sum += (double)t * histogram[t];
        if (below == 0 || below == total) continue;
        double apart = below_sum / below - (sum - below_sum) / (total - below);
        double between = below * (total - below) * apart * apart;
        if (between > best) {
            best = between;
            first = t;
        }
        if (between == best) last = t;
    }
    return (first + last) / 2;
}

mg__box mg__plane_box(const mg__plane *plane)
{
    mg__box box = {plane->width, plane->height, 0, 0};
    for (uint32_t y = 0; y < plane->height; y++) {
        const uint8_t *row = plane->v + (size_t)y * plane->width;
        uint32_t left = 0, right = plane->width;
        while (left < right && row[left] == 0) left++;
        if (left == right) continue;
        while (row[right - 1] == 0) right--;
        if (left < box.x0) box.x0 = left;
        if (right > box.x1) box.x1 = right;
        if (box.y1 == 0) box.y0 = y;
        box.y1 = y + 1;
    }
    return box.y1 ? box : (mg__box){0};
}

void mg__plane_centre(double *x, double *y, const mg__plane *plane)
{
    double mass = 0, mass_x = 0, mass_y = 0;
    for (uint32_t j = 0; j < plane->height; j++)
        for (uint32_t i = 0; i < plane->width; i++) {
            double v = plane->v[(size_t)j * plane->width + i];
            mass += v;
            mass_x += v * i;
            mass_y += v * j;
        }
    *x = mass_x / mass;
    *y = mass_y / mass;
}

/* The mean over [x0, x1) x [y0, y1), which may reach out of the plane. */
static double area_mean(const mg__plane *plane, double x0, double y0, double x1, double y1)
{
    int64_t left = (int64_t)fmax(floor(x0), 0), right = (int64_t)fmin(ceil(x1), plane->width);
    int64_t top = (int64_t)fmax(floor(y0), 0), bottom = (int64_t)fmin(ceil(y1), plane->height);
    if (left >= right || top >= bottom) return 0;
    /* The parts of the outermost pixels that lie outside. */
    double off_left = fmax(x0 - (double)left, 0), off_right = fmax((double)right - x1, 0);
    double off_top = fmax(y0 - (double)top, 0), off_bottom = fmax((double)bottom - y1, 0);
    double sum = 0;
    for (int64_t y = top; y < bottom; y++) {
        const uint8_t *row = plane->v + (size_t)y * plane->width;
        uint32_t whole = 0;
        for (int64_t x = left; x < right; x++) whole += row[x];
        double weight = 1 - (y == top ? off_top : 0) - (y == bottom - 1 ? off_bottom : 0);
        sum += weight * (whole - off_left * row[left] - off_right * row[right - 1]);
    }
    return sum / ((x1 - x0) * (y1 - y0));
}

void mg__plane_resample(uint8_t *out, uint32_t width, uint32_t height, const mg__plane *plane,
                        double x0, double y0, double step_x, double step_y)
{
    for (uint32_t j = 0; j < height; j++)
        for (uint32_t i = 0; i < width; i++) {
            double mean = area_mean(plane, x0 + i * step_x, y0 + j * step_y, x0 + (i + 1) * step_x,
                                    y0 + (j + 1) * step_y);
            *out++ = (uint8_t)(mean + 0.5);
        }
}
