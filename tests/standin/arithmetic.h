/* The arithmetic of the cuBLAS and cuDNN stand-ins: plain fp32, NCHW. Its callers have checked
 * every range, and so it is compiled without sanitizers and with optimisation. */
#ifndef MG_STANDIN_ARITHMETIC_H
#define MG_STANDIN_ARITHMETIC_H

#include <cstddef>

namespace standin
{
/* out[i][j] = sum over p of a[i][p] b[j][p];  a [m][k], b [n][k], out [m][n]. */
void dot_products(float *out, const float *a, const float *b, int m, int n, int k);

struct ConvShape {
    int n, c, h, w; /* x [n][c][h][w] */
    int k, r, s;    /* w [k][c / groups][r][s] */
    int p, q;       /* y [n][k][p][q] */
    int pad_h, pad_w, stride_h, stride_w, dilation_h, dilation_w, groups;
};
void conv_forward(const ConvShape &d, const float *x, const float *w, float *y);
void conv_backward_data(const ConvShape &d, const float *w, const float *dy, float *dx);
void conv_backward_filter(const ConvShape &d, const float *x, const float *dy, float *dw);

struct PoolShape {
    int planes, h, w; /* x [planes][h][w], planes = n * c */
    int p, q;         /* y [planes][p][q] */
    int r, s, pad_h, pad_w, stride_h, stride_w;
    bool max, count_padding; /* else average, over r*s or over the elements inside */
    bool propagate_nan;      /* a NaN is a maximum */
};
void pool_forward(const PoolShape &d, const float *x, float *y);
/* False: y is not the pooled x. The gradient of a maximum goes to the first of equals. */
bool pool_backward(const PoolShape &d, const float *x, const float *y, const float *dy, float *dx);
} // namespace standin

#endif
