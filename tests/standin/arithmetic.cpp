#include "arithmetic.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace standin
{
void dot_products(float *out, const float *a, const float *b, int m, int n, int k)
{
    const size_t length = static_cast<size_t>(k), columns = static_cast<size_t>(n);
    for (int j = 0; j < n;
         j += 4) { /* four at a time; the last ones again where n is no multiple */
        const float *b0 = b + length * static_cast<size_t>(j);
        const size_t next[4] = {0, j + 1 < n ? length : 0, j + 2 < n ? 2 * length : 0,
                                j + 3 < n ? 3 * length : 0};
        const float *b1 = b0 + next[1], *b2 = b0 + next[2], *b3 = b0 + next[3];
        for (int i = 0; i < m; i++) {
            const float *ai = a + length * static_cast<size_t>(i);
            float sums[4], s0 = 0, s1 = 0, s2 = 0, s3 = 0;
#pragma omp simd reduction(+ : s0, s1, s2, s3)
            for (size_t p = 0; p < length; p++) {
                s0 += ai[p] * b0[p];
                s1 += ai[p] * b1[p];
                s2 += ai[p] * b2[p];
                s3 += ai[p] * b3[p];
            }
            sums[0] = s0, sums[1] = s1, sums[2] = s2, sums[3] = s3;
            std::copy(sums, sums + std::min(4, n - j),
                      out + columns * static_cast<size_t>(i) + static_cast<size_t>(j));
        }
    }
}

/* ---- convolution by im2col ---- */

/* Calls f(i, element): the c*r*s elements of an image that output pixel i reads, for one group;
 * element is its offset in the group's channels, or -1 in the padding. */
template <class F> static void each_tap(const ConvShape &d, F f)
{
    const int channels = d.c / d.groups;
    for (int op = 0; op < d.p; op++)
        for (int oq = 0; oq < d.q; oq++)
            for (int c = 0; c < channels; c++)
                for (int r = 0; r < d.r; r++)
                    for (int s = 0; s < d.s; s++) {
                        const int ih = op * d.stride_h - d.pad_h + r * d.dilation_h;
                        const int iw = oq * d.stride_w - d.pad_w + s * d.dilation_w;
                        const bool inside = ih >= 0 && ih < d.h && iw >= 0 && iw < d.w;
                        f(inside ? (static_cast<ptrdiff_t>(c) * d.h + ih) * d.w + iw : -1);
                    }
}

static std::vector<float> transposed(const float *a, size_t rows, size_t columns)
{
    std::vector<float> t(rows * columns);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++) t[j * rows + i] = a[i * columns + j];
    return t;
}

/* The sizes of one group of one image. */
struct GroupSizes {
    size_t image, filters, output; /* floats of x, of w, of y */
    int out_channels, taps, pixels;
    explicit GroupSizes(const ConvShape &d)
        : out_channels(d.k / d.groups), taps(d.c / d.groups * d.r * d.s), pixels(d.p * d.q)
    {
        image = static_cast<size_t>(d.c / d.groups) * static_cast<size_t>(d.h * d.w);
        filters = static_cast<size_t>(out_channels) * static_cast<size_t>(taps);
        output = static_cast<size_t>(out_channels) * static_cast<size_t>(pixels);
    }
    size_t columns() const { return static_cast<size_t>(pixels) * static_cast<size_t>(taps); }
};

/* [pixels][taps] */
static void im2col(const ConvShape &d, const float *image, float *columns)
{
    each_tap(d, [&](ptrdiff_t element) { *columns++ = element < 0 ? 0.0f : image[element]; });
}

void conv_forward(const ConvShape &d, const float *x, const float *w, float *y)
{
    const GroupSizes z(d);
    std::vector<float> columns(z.columns());
    for (int n = 0; n < d.n; n++)
        for (int g = 0; g < d.groups; g++, x += z.image, y += z.output) {
            im2col(d, x, columns.data());
            dot_products(y, w + z.filters * static_cast<size_t>(g), columns.data(), z.out_channels,
                         z.pixels, z.taps);
        }
}

void conv_backward_data(const ConvShape &d, const float *w, const float *dy, float *dx)
{
    const GroupSizes z(d);
    const size_t k = static_cast<size_t>(z.out_channels);
    std::vector<float> columns(z.columns());
    std::fill(dx, dx + z.image * static_cast<size_t>(d.n * d.groups), 0.0f);
    for (int n = 0; n < d.n; n++)
        for (int g = 0; g < d.groups; g++, dx += z.image, dy += z.output) {
            const std::vector<float> wt =
                transposed(w + z.filters * static_cast<size_t>(g), k, static_cast<size_t>(z.taps));
            const std::vector<float> dyt = transposed(dy, k, static_cast<size_t>(z.pixels));
            dot_products(columns.data(), dyt.data(), wt.data(), z.pixels, z.taps, z.out_channels);
            const float *gradient = columns.data();
            each_tap(d, [&](ptrdiff_t element) {
                if (element >= 0) dx[element] += *gradient;
                gradient++;
            });
        }
}

void conv_backward_filter(const ConvShape &d, const float *x, const float *dy, float *dw)
{
    const GroupSizes z(d);
    std::vector<float> columns(z.columns()), part(z.filters);
    std::fill(dw, dw + z.filters * static_cast<size_t>(d.groups), 0.0f);
    for (int n = 0; n < d.n; n++)
        for (int g = 0; g < d.groups; g++, x += z.image, dy += z.output) {
            im2col(d, x, columns.data());
            const std::vector<float> taps = transposed(
                columns.data(), static_cast<size_t>(z.pixels), static_cast<size_t>(z.taps));
            dot_products(part.data(), dy, taps.data(), z.out_channels, z.taps, z.pixels);
            float *out = dw + z.filters * static_cast<size_t>(g);
            for (size_t i = 0; i < z.filters; i++) out[i] += part[i];
        }
}

/* ---- pooling ---- */

/* Calls f(output, plane's element) for each element inside each output's window. */
template <class F> static void each_window(const PoolShape &d, F f)
{
    for (int op = 0; op < d.p; op++)
        for (int oq = 0; oq < d.q; oq++)
            for (int r = 0; r < d.r; r++)
                for (int s = 0; s < d.s; s++) {
                    const int ih = op * d.stride_h - d.pad_h + r;
                    const int iw = oq * d.stride_w - d.pad_w + s;
                    if (ih >= 0 && ih < d.h && iw >= 0 && iw < d.w)
                        f(static_cast<size_t>(op * d.q + oq), static_cast<size_t>(ih * d.w + iw));
                }
}

/* What an average divides by. */
static std::vector<float> window_counts(const PoolShape &d)
{
    const size_t outputs = static_cast<size_t>(d.p * d.q);
    if (d.count_padding) return std::vector<float>(outputs, static_cast<float>(d.r * d.s));
    std::vector<float> counts(outputs, 0.0f);
    each_window(d, [&](size_t o, size_t) { counts[o] += 1.0f; });
    return counts;
}

void pool_forward(const PoolShape &d, const float *x, float *y)
{
    const size_t in = static_cast<size_t>(d.h * d.w), out = static_cast<size_t>(d.p * d.q);
    const std::vector<float> counts = window_counts(d);
    for (int plane = 0; plane < d.planes; plane++, x += in, y += out) {
        std::fill(y, y + out, d.max ? -INFINITY : 0.0f);
        each_window(d, [&](size_t o, size_t i) {
            if (!d.max)
                y[o] += x[i] / counts[o];
            else if (x[i] > y[o] || (std::isnan(x[i]) && d.propagate_nan))
                y[o] = x[i];
        });
    }
}

bool pool_backward(const PoolShape &d, const float *x, const float *y, const float *dy, float *dx)
{
    const size_t in = static_cast<size_t>(d.h * d.w), out = static_cast<size_t>(d.p * d.q);
    const std::vector<float> counts = window_counts(d);
    bool all_found = true;
    for (int plane = 0; plane < d.planes; plane++, x += in, dx += in, y += out, dy += out) {
        std::fill(dx, dx + in, 0.0f);
        std::vector<bool> found(out, !d.max);
        each_window(d, [&](size_t o, size_t i) {
            if (!d.max)
                dx[i] += dy[o] / counts[o];
            else if (!found[o] && (x[i] == y[o] || (std::isnan(x[i]) && std::isnan(y[o])))) {
                found[o] = true;
                dx[i] += dy[o];
            }
        });
        all_found &= std::find(found.begin(), found.end(), false) == found.end();
    }
    return all_found;
}
} // namespace standin
