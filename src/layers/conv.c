/* conv out=K kernel=R stride=1 pad=valid|same|N init=glorot bias=0: cross-correlation with bias,
 * square kernels. init, bias: how the parameters start (model/init.c).
 *
 *     y[n][k][p][q]  = b[k] + sum_{c,r,s} w[k][c][r][s] x[n][c][i][j]
 *                      with i = p*stride + r - pad, j = q*stride + s - pad
 *     dx[n][c][i][j] = sum of w[k][c][r][s] dy[n][k][p][q] over the (k, p, q, r, s) that read it
 *     dw[k][c][r][s] = sum_{n,p,q} x[n][c][i][j] dy[n][k][p][q]
 *     db[k]          = sum_{n,p,q} dy[n][k][p][q]
 *
 * x outside the image is 0; P = (H + 2 pad - R) / stride + 1, rounded down. (Dumoulin & Visin 2016,
 * ch. 2.) */
#include "layers/layer.h"

static const mg_arg_word pad_words[] = {{"valid", 0}, {"same", MG_PAD_SAME}, {NULL, 0}};
static const mg_arg args[] = {
    {.key = "out",
     .kind = MG_ARG_INT,
     .offset = offsetof(mg_layer_args, conv.out),
     .required = true,
     .min = 1,
     .max = 65536},
    {.key = "kernel",
     .kind = MG_ARG_INT,
     .offset = offsetof(mg_layer_args, conv.kernel),
     .required = true,
     .min = 1,
     .max = 255},
    {.key = "stride",
     .kind = MG_ARG_INT,
     .offset = offsetof(mg_layer_args, conv.stride),
     .value = 1,
     .min = 1,
     .max = 255},
    {.key = "pad",
     .kind = MG_ARG_INT,
     .offset = offsetof(mg_layer_args, conv.pad),
     .value = 0,
     .min = 0,
     .max = 254,
     .words = pad_words},
    MG_INIT_ARGS(conv),
};

int mg__conv_pad(const mg_layer *l)
{
    const struct mg_conv_args *a = &l->args.conv;
    return a->pad == MG_PAD_SAME ? (a->kernel - 1) / 2 : a->pad;
}

static mg_status infer(mg_layer *l)
{
    const struct mg_conv_args *a = &l->args.conv;
    if (a->pad == MG_PAD_SAME && (a->stride != 1 || a->kernel % 2 == 0))
        return mg__fail(MG_ERR_FORMAT,
                        "pad=same needs stride=1 and an odd kernel, found stride=%d kernel=%d",
                        a->stride, a->kernel);
    const int pad = mg__conv_pad(l);
    if (pad >= a->kernel)
        return mg__fail(MG_ERR_FORMAT, "pad=%d must be smaller than kernel=%d", pad, a->kernel);
    if (l->in.h + 2 * pad < a->kernel || l->in.w + 2 * pad < a->kernel)
        return mg__fail(MG_ERR_FORMAT, "kernel=%d is larger than its input, %dx%d padded by %d",
                        a->kernel, l->in.h, l->in.w, pad);
    l->out = (mg_shape){a->out, (l->in.h + 2 * pad - a->kernel) / a->stride + 1,
                        (l->in.w + 2 * pad - a->kernel) / a->stride + 1};
    const int area = a->kernel * a->kernel, fan_in = l->in.c * area, fan_out = a->out * area;
    mg__layer_tensor(l, 0, "weight", 4, (int[]){a->out, l->in.c, a->kernel, a->kernel}, fan_in,
                     fan_out);
    mg__layer_tensor(l, 1, "bias", 1, (int[]){a->out}, fan_in, fan_out);
    l->tensors[0].init = a->init;
    l->tensors[1].init = a->bias;
    return MG_OK;
}

static uint64_t flops(const mg_layer *l)
{
    return 2 * (uint64_t)mg_shape_size(l->out) * (uint64_t)l->in.c *
           (uint64_t)(l->args.conv.kernel * l->args.conv.kernel);
}

const mg_layer_type mg_type_conv = {
    .name = "conv", .args = args, .arg_count = MG_COUNT_OF(args), .infer = infer, .flops = flops};

/* The geometry, and where output (p, q) reads for tap (r, s): -1 in the padding. */
typedef struct geometry {
    int n, c, h, w, k, p, q, r, stride, pad;
} geometry;

static geometry geometry_of(const mg_op *op)
{
    const mg_layer *l = op->layer;
    return (geometry){op->batch,
                      l->in.c,
                      l->in.h,
                      l->in.w,
                      l->out.c,
                      l->out.h,
                      l->out.w,
                      l->args.conv.kernel,
                      l->args.conv.stride,
                      mg__conv_pad(l)};
}

static long source(const geometry *g, int n, int c, int p, int q, int r, int s)
{
    const int i = p * g->stride + r - g->pad, j = q * g->stride + s - g->pad;
    if (i < 0 || i >= g->h || j < 0 || j >= g->w) return -1;
    return (((long)n * g->c + c) * g->h + i) * g->w + j;
}

static long weight(const geometry *g, int k, int c, int r, int s)
{
    return (((long)k * g->c + c) * g->r + r) * g->r + s;
}

static long output(const geometry *g, int n, int k, int p, int q)
{
    return (((long)n * g->k + k) * g->p + p) * g->q + q;
}

static double forward_one(const mg_op *op, const geometry *g, int n, int k, int p, int q)
{
    double sum = op->b[k];
    for (int c = 0; c < g->c; c++)
        for (int r = 0; r < g->r; r++)
            for (int s = 0; s < g->r; s++) {
                const long i = source(g, n, c, p, q, r, s);
                if (i >= 0) sum += (double)op->w[weight(g, k, c, r, s)] * op->x[i];
            }
    return sum;
}

static mg_status forward(mg_op *op)
{
    const geometry g = geometry_of(op);
    for (int n = 0; n < g.n; n++)
        for (int k = 0; k < g.k; k++)
            for (int p = 0; p < g.p; p++)
                for (int q = 0; q < g.q; q++)
                    op->y[output(&g, n, k, p, q)] = (float)forward_one(op, &g, n, k, p, q);
    return MG_OK;
}

static double weight_gradient(const mg_op *op, const geometry *g, int k, int c, int r, int s)
{
    double sum = 0;
    for (int n = 0; n < g->n; n++)
        for (int p = 0; p < g->p; p++)
            for (int q = 0; q < g->q; q++) {
                const long i = source(g, n, c, p, q, r, s);
                if (i >= 0) sum += (double)op->x[i] * op->dy[output(g, n, k, p, q)];
            }
    return sum;
}

static double bias_gradient(const mg_op *op, const geometry *g, int k)
{
    double sum = 0;
    for (int n = 0; n < g->n; n++)
        for (int i = 0; i < g->p * g->q; i++) sum += op->dy[output(g, n, k, 0, 0) + i];
    return sum;
}

/* The outputs that tap (r, s) lets read x[n][c][i][j] are those with p * stride = i + pad - r. */
static double data_gradient(const mg_op *op, const geometry *g, int n, int c, int i, int j)
{
    double sum = 0;
    for (int r = 0; r < g->r; r++)
        for (int s = 0; s < g->r; s++) {
            const int up = i + g->pad - r, left = j + g->pad - s;
            if (up < 0 || left < 0 || up % g->stride || left % g->stride) continue;
            const int p = up / g->stride, q = left / g->stride;
            if (p >= g->p || q >= g->q) continue;
            for (int k = 0; k < g->k; k++)
                sum += (double)op->w[weight(g, k, c, r, s)] * op->dy[output(g, n, k, p, q)];
        }
    return sum;
}

static mg_status backward(mg_op *op)
{
    const geometry g = geometry_of(op);
    for (int k = 0; k < g.k; k++) {
        op->db[k] = (float)bias_gradient(op, &g, k);
        for (int c = 0; c < g.c; c++)
            for (int r = 0; r < g.r; r++)
                for (int s = 0; s < g.r; s++)
                    op->dw[weight(&g, k, c, r, s)] = (float)weight_gradient(op, &g, k, c, r, s);
    }
    if (!op->dx) return MG_OK;
    for (int n = 0; n < g.n; n++)
        for (int c = 0; c < g.c; c++)
            for (int i = 0; i < g.h; i++)
                for (int j = 0; j < g.w; j++)
                    op->dx[(((long)n * g.c + c) * g.h + i) * g.w + j] =
                        (float)data_gradient(op, &g, n, c, i, j);
    return MG_OK;
}

const mg_layer_ops mg_ref_conv = {.forward = forward, .backward = backward};
