/* The gradients of a convolution behind a ReLU or a 2x2 max-pool, where most outputs have none: a
 * pool's window hands its gradient to its winner alone, and a ReLU that is off cuts it. In a
 * trained LeNet one output in twenty to six has a gradient. Each of those is a *term*, and
 *
 *     dw[k]   += g * (the pixels under the output's window)    for every term (output, g) of k
 *     dx there += g * w[k]                                     for every term
 *
 * With channels last, [row][column][channel], a row of a window is a contiguous stretch of
 * size * channels floats in x, in dx and in the weights, and both sums are the same kernel,
 * add_scaled. Images are shared among threads for dx, output channels for dw: no sum depends on the
 * number of threads. */
#include "cpu/conv.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { LISTS = MG_CPU_NO_WINNER + 1 };

struct mg_conv_sparse {
    int windows;        /* of the pool, in one channel; without a pool: outputs */
    int8_t *winners;    /* [blocks][outs][windows][lane], forward's; NULL without a pool */
    int32_t *places;    /* [windows][4]: where each output of a window looks at the image */
    int vectors;        /* of a row of the convolution's window; row: the floats of those */
    long row, pixels;   /* pixels: floats from a row of the image to the next */
    size_t image;       /* floats of an image, with slack for the last row's last vector */
    float *images;      /* [batch][image]: x, channels last, zeros around */
    float *weights;     /* [outs][size][row], channels last, zeros behind */
    float *sums;        /* [outs][size][row]: dw */
    mg_cpu_term *terms; /* [batch][outs][windows], the first counts[n][k] of each */
    int *counts;        /* [batch][outs] */
    float *dx;          /* [threads][image] */
    mg_cpu_term *here;  /* [threads][LISTS][outs]: the terms of one window, by winner */
};

int8_t *mg__conv_sparse_winners(const mg_conv *v, int block, int out)
{
    if (!v->sparse || !v->sparse->winners) return NULL;
    const size_t from = (size_t)block * (size_t)v->outs + (size_t)out;
    return v->sparse->winners + from * (size_t)v->sparse->windows * (size_t)v->k->lanes;
}

void mg__conv_sparse_release(mg_conv_sparse *p)
{
    if (!p) return;
    free(p->winners);
    free(p->places);
    free(p->images);
    free(p->weights);
    free(p->sums);
    free(p->terms);
    free(p->counts);
    free(p->dx);
    free(p->here);
    free(p);
}

static void make_places(const mg_conv *v, const mg_conv_sparse *p)
{
    const int side = v->out.pool ? 2 : 1;
    int32_t *place = p->places;
    for (int i = 0; i < v->y_shape.h; i++)
        for (int j = 0; j < v->y_shape.w; j++)
            for (int winner = 0; winner < 4; winner++) {
                const long row = (side * i + winner / 2) * v->out.stride;
                const long column = (side * j + winner % 2) * v->out.stride;
                *place++ = (int32_t)(row * p->pixels + column * v->x_shape.c);
            }
    *place = 0; /* MG_CPU_NO_WINNER of the last window */
}

mg_status mg__conv_sparse_prepare(mg_conv_sparse **out, const mg_conv *v, const mg_op *ops)
{
    mg_conv_sparse *p = calloc(1, sizeof *p);
    if (!p) return mg__fail(MG_ERR_MEMORY, "out of memory for convolution");
    const int width = v->out.size * v->x_shape.c, lanes = v->k->lanes;
    const size_t threads = (size_t)mg__cpu_of(ops)->threads, batch = (size_t)v->batch;
    const size_t outs = (size_t)v->outs;
    p->windows = v->y_shape.h * v->y_shape.w;
    p->vectors = (width + lanes - 1) / lanes;
    p->row = (long)p->vectors * lanes;
    p->pixels = (long)v->out.x_width * v->x_shape.c;
    p->image = (size_t)v->out.x_height * (size_t)p->pixels + (size_t)lanes;
    const size_t rows = outs * (size_t)v->out.size * (size_t)p->row;
    const size_t terms = batch * outs * (size_t)p->windows;
    if (p->image > INT32_MAX || rows > INT32_MAX) { /* places are int32_t */
        mg__conv_sparse_release(p);
        return mg__fail(MG_ERR_UNSUPPORTED, "images too large for the CPU's convolution");
    }
    if (v->out.pool)
        p->winners = malloc((size_t)v->blocks * outs * (size_t)p->windows * (size_t)lanes);
    p->places = malloc((4 * (size_t)p->windows + 1) * sizeof *p->places);
    p->images = calloc(batch * p->image, sizeof *p->images);
    p->weights = calloc(rows, sizeof *p->weights);
    p->sums = malloc(rows * sizeof *p->sums);
    p->terms = malloc(terms * sizeof *p->terms);
    p->counts = malloc(batch * outs * sizeof *p->counts);
    p->dx = malloc(threads * p->image * sizeof *p->dx);
    p->here = malloc(threads * LISTS * outs * sizeof *p->here);
    if ((p->winners || !v->out.pool) && p->places && p->images && p->weights && p->sums &&
        p->terms && p->counts && p->dx && p->here) {
        make_places(v, p);
        *out = p;
        return MG_OK;
    }
    mg__conv_sparse_release(p);
    return mg__fail(MG_ERR_MEMORY, "out of memory for convolution's gradients, batches of %d",
                    v->batch);
}

typedef struct job {
    const mg_conv *v;
    const mg_conv_sparse *p;
    const mg_op *ops;
} job;

/* ---- channels last and back ---- */

static void load_image(const job *j, int n)
{
    const mg_shape s = j->v->x_shape;
    const float *x = j->ops->x + (size_t)n * mg_shape_size(s);
    float *image = j->p->images + (size_t)n * j->p->image;
    for (int c = 0; c < s.c; c++)
        for (int i = 0; i < s.h; i++) {
            float *to = image + (j->v->out.rows.first + i) * j->p->pixels +
                        j->v->out.columns.first * s.c + c;
            for (int k = 0; k < s.w; k++, to += s.c) *to = *x++;
        }
}

static void store_dx(const job *j, int n, const float *image)
{
    const mg_shape s = j->v->x_shape;
    float *dx = j->ops->dx + (size_t)n * mg_shape_size(s);
    for (int c = 0; c < s.c; c++)
        for (int i = 0; i < s.h; i++) {
            const float *from = image + (j->v->out.rows.first + i) * j->p->pixels +
                                j->v->out.columns.first * s.c + c;
            for (int k = 0; k < s.w; k++, from += s.c) *dx++ = *from;
        }
}

static void load_weights(void *ctx, int thread, long first, long end)
{
    const job *j = ctx;
    const int size = j->v->out.size, channels = j->v->x_shape.c;
    (void)thread;
    for (long k = first; k < end; k++)
        for (int c = 0; c < channels; c++)
            for (int r = 0; r < size; r++)
                for (int s = 0; s < size; s++)
                    j->p->weights[(k * size + r) * j->p->row + s * channels + c] =
                        j->ops->w[((k * channels + c) * size + r) * size + s];
}

static void store_dw(const job *j, long k)
{
    const int size = j->v->out.size, channels = j->v->x_shape.c;
    for (int c = 0; c < channels; c++)
        for (int r = 0; r < size; r++)
            for (int s = 0; s < size; s++)
                j->ops->dw[((k * channels + c) * size + r) * size + s] =
                    j->p->sums[(k * size + r) * j->p->row + s * channels + c];
}

/* ---- terms ---- */

/* One image's gradient of the group's output, [outs][windows], and what says whose it is. */
typedef struct gradient {
    const float *dy, *y;
    const int8_t *winners;
    int lanes;
} gradient;

static gradient gradient_of(const job *j, int n)
{
    const mg_op *last = &j->ops[j->v->count - 1];
    const size_t at = (size_t)n * mg_shape_size(j->v->y_shape);
    const int lanes = j->v->k->lanes;
    const int8_t *winners = mg__conv_sparse_winners(j->v, n / lanes, 0);
    return (gradient){last->dy + at, last->y + at, winners ? winners + n % lanes : NULL, lanes};
}

/* Which output of the window has the gradient, 0 to 3, or MG_CPU_NO_WINNER. */
static inline int winner_of(const gradient *g, bool pooled, long at)
{
    assert(!pooled || g->winners);
    if (pooled) return g->winners[at * g->lanes];
    return g->y[at] > 0 ? 0 : MG_CPU_NO_WINNER;
}

/* Whether an output has a gradient cannot be foretold, so nothing below branches on it: a term is
 * always written, and kept or written over, or put on a list that nobody reads. */

/* All terms of image n, channel by channel. */
static inline void make_terms(const job *j, int n, bool pooled)
{
    const gradient g = gradient_of(j, n);
    const int windows = j->p->windows;
    for (int k = 0; k < j->v->outs; k++) {
        const size_t list = (size_t)n * (size_t)j->v->outs + (size_t)k;
        mg_cpu_term *t = j->p->terms + list * (size_t)windows;
        int count = 0;
        for (int i = 0; i < windows; i++) {
            const long at = (long)k * windows + i;
            const int winner = winner_of(&g, pooled, at);
            t[count] = (mg_cpu_term){j->p->places[4 * i + winner], g.dy[at]};
            count += winner != MG_CPU_NO_WINNER;
        }
        j->p->counts[list] = count;
    }
}

/* dx of image n: window by window, the terms of each of its places together. */
static inline void make_dx(const job *j, int n, bool pooled, float *image, mg_cpu_term *here)
{
    const mg_conv *v = j->v;
    const gradient g = gradient_of(j, n);
    const int size = v->out.size, windows = j->p->windows, outs = v->outs;
    const int32_t weights = (int32_t)(size * j->p->row);
    memset(image, 0, j->p->image * sizeof *image);
    for (int i = 0; i < windows; i++) {
        int counts[LISTS] = {0};
        for (int k = 0; k < outs; k++) {
            const long at = (long)k * windows + i;
            const int winner = winner_of(&g, pooled, at);
            const mg_cpu_term term = {k * weights, g.dy[at]};
            if (pooled)
                here[winner * outs + counts[winner]++] = term;
            else {
                here[counts[0]] = term;
                counts[0] += winner == 0;
            }
        }
        for (int w = 0; w < (pooled ? MG_CPU_NO_WINNER : 1); w++)
            if (counts[w])
                v->k->add_scaled(image + j->p->places[4 * i + w], j->p->pixels, j->p->weights,
                                 j->p->row, size, j->p->vectors, here + w * outs, counts[w]);
    }
    store_dx(j, n, image);
}

/* ---- what the threads do ---- */

static void images(void *ctx, int thread, long first, long end)
{
    const job *j = ctx;
    float *dx = j->p->dx + (size_t)thread * j->p->image;
    mg_cpu_term *here = j->p->here + (size_t)thread * LISTS * (size_t)j->v->outs;
    for (long n = first; n < end; n++) {
        load_image(j, (int)n);
        if (j->p->winners)
            make_terms(j, (int)n, true);
        else
            make_terms(j, (int)n, false);
        if (!j->ops->dx) continue;
        if (j->p->winners)
            make_dx(j, (int)n, true, dx, here);
        else
            make_dx(j, (int)n, false, dx, here);
    }
}

static void channels(void *ctx, int thread, long first, long end)
{
    const job *j = ctx;
    const mg_conv *v = j->v;
    const long size = v->out.size * j->p->row;
    (void)thread;
    for (long k = first; k < end; k++) {
        float *sums = j->p->sums + k * size;
        double bias = 0;
        memset(sums, 0, (size_t)size * sizeof *sums);
        for (int n = 0; n < v->batch; n++) {
            const size_t at = (size_t)n * (size_t)v->outs + (size_t)k;
            const mg_cpu_term *t = j->p->terms + at * (size_t)j->p->windows;
            v->k->add_scaled(sums, j->p->row, j->p->images + (size_t)n * j->p->image, j->p->pixels,
                             v->out.size, j->p->vectors, t, j->p->counts[at]);
            for (int i = 0; i < j->p->counts[at]; i++) bias += t[i].scale;
        }
        store_dw(j, k);
        j->ops->db[k] = (float)bias;
    }
}

mg_status mg__conv_sparse_backward(const mg_conv *v, const mg_op *ops)
{
    mg_team *team = mg__cpu_of(ops)->team;
    job j = {v, v->sparse, ops};
    if (ops->dx) mg__team_for(team, v->outs, load_weights, &j);
    mg__team_for(team, v->batch, images, &j);
    mg__team_for(team, v->outs, channels, &j);
    return MG_OK;
}
