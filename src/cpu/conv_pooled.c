/* The gradients of a convolution behind a 2x2 max-pool. Each window of the pool hands its gradient
 * to its winner alone, and a ReLU cuts off half of them: at most a quarter, mostly about an eighth
 * of the convolution's outputs have a gradient at all. So each such output is a *term*, and
 *
 *     dw[k]   += g * (the pixels under the output's window)    for every term (output, g) of k
 *     dx there += g * w[k]                                     for every term
 *
 * With channels last, [row][column][channel], a row of a window is a contiguous stretch of
 * size * channels floats in x, in dx and in the weights, and both sums are the same kernel,
 * add_scaled. Images are shared among threads for dx, output channels for dw: no sum depends on the
 * number of threads. */
#include "cpu/conv.h"
#include <stdlib.h>
#include <string.h>

struct mg_conv_pooled {
    int8_t *winners; /* [blocks][outs][windows][lane], forward's */
    int windows;     /* of one channel */
    int32_t
        *places; /* [windows][4]: where the output at each place of a window looks at the image */
    int vectors; /* of a window's row; row: the floats of those */
    long row, pixels;   /* pixels: floats from a row of the image to the next */
    size_t image;       /* floats of an image, with slack for the last row's last vector */
    float *images;      /* [batch][image]: x, channels last, zeros around */
    float *weights;     /* [outs][size][row], channels last, zeros behind */
    float *sums;        /* [outs][size][row]: dw */
    mg_cpu_term *terms; /* [batch][outs][windows], the first counts[n][k] of each */
    int *counts;        /* [batch][outs] */
    float *dx;          /* [threads][image] */
    mg_cpu_term *here;  /* [threads][4][outs]: the terms of one window, by winner */
};

int8_t *mg__conv_pooled_winners(const mg_conv *v, int block, int out)
{
    const size_t from = (size_t)block * (size_t)v->outs + (size_t)out;
    return v->pooled->winners + from * (size_t)v->pooled->windows * (size_t)v->k->lanes;
}

void mg__conv_pooled_release(mg_conv_pooled *p)
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

static void make_places(const mg_conv *v, const mg_conv_pooled *p)
{
    int32_t *place = p->places;
    for (int i = 0; i < v->y_shape.h; i++)
        for (int j = 0; j < v->y_shape.w; j++)
            for (int winner = 0; winner < 4; winner++) {
                const long row = (2 * i + winner / 2) * v->out.stride;
                const long column = (2 * j + winner % 2) * v->out.stride;
                *place++ = (int32_t)(row * p->pixels + column * v->x_shape.c);
            }
    *place = 0; /* MG_CPU_NO_WINNER of the last window */
}

mg_status mg__conv_pooled_prepare(mg_conv_pooled **out, const mg_conv *v, const mg_op *ops)
{
    mg_conv_pooled *p = calloc(1, sizeof *p);
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
        mg__conv_pooled_release(p);
        return mg__fail(MG_ERR_UNSUPPORTED, "images too large for the CPU's convolution");
    }
    p->winners = malloc((size_t)v->blocks * outs * (size_t)p->windows * (size_t)lanes);
    p->places = malloc((4 * (size_t)p->windows + 1) * sizeof *p->places);
    p->images = calloc(batch * p->image, sizeof *p->images);
    p->weights = calloc(rows, sizeof *p->weights);
    p->sums = malloc(rows * sizeof *p->sums);
    p->terms = malloc(terms * sizeof *p->terms);
    p->counts = malloc(batch * outs * sizeof *p->counts);
    p->dx = malloc(threads * p->image * sizeof *p->dx);
    p->here = malloc(threads * 4 * outs * sizeof *p->here);
    if (p->winners && p->places && p->images && p->weights && p->sums && p->terms && p->counts &&
        p->dx && p->here) {
        make_places(v, p);
        *out = p;
        return MG_OK;
    }
    mg__conv_pooled_release(p);
    return mg__fail(MG_ERR_MEMORY, "out of memory for convolution's gradients, batches of %d",
                    v->batch);
}

typedef struct job {
    const mg_conv *v;
    const mg_conv_pooled *p;
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

/* All terms of image n, channel by channel. */
static void make_terms(const job *j, int n)
{
    const mg_conv *v = j->v;
    const int lanes = v->k->lanes;
    const float *dy = j->ops[v->count - 1].dy + (size_t)n * mg_shape_size(v->y_shape);
    for (int k = 0; k < v->outs; k++) {
        const size_t at = (size_t)n * (size_t)v->outs + (size_t)k;
        const int8_t *winner = mg__conv_pooled_winners(v, n / lanes, k) + n % lanes;
        mg_cpu_term *t = j->p->terms + at * (size_t)j->p->windows;
        int count = 0;
        for (int i = 0; i < j->p->windows; i++, dy++, winner += lanes) {
            t[count] = (mg_cpu_term){j->p->places[4 * i + *winner], *dy};
            count += *winner != MG_CPU_NO_WINNER; /* keeps the term, or writes over it */
        }
        j->p->counts[at] = count;
    }
}

/* dx of image n: window by window, the terms of each of its four places together. */
static void make_dx(const job *j, int n, float *image, mg_cpu_term *here)
{
    const mg_conv *v = j->v;
    const int lanes = v->k->lanes, size = v->out.size;
    const float *dy = j->ops[v->count - 1].dy + (size_t)n * mg_shape_size(v->y_shape);
    const int8_t *winners = mg__conv_pooled_winners(v, n / lanes, 0) + n % lanes;
    const long weights = size * j->p->row;
    memset(image, 0, j->p->image * sizeof *image);
    for (int i = 0; i < j->p->windows; i++) {
        int counts[MG_CPU_NO_WINNER + 1] = {0};
        for (int k = 0; k < v->outs; k++) {
            const long at = (long)k * j->p->windows + i;
            const int winner = winners[at * lanes];
            if (winner == MG_CPU_NO_WINNER) continue;
            here[winner * v->outs + counts[winner]++] =
                (mg_cpu_term){(int32_t)(k * weights), dy[at]};
        }
        for (int w = 0; w < MG_CPU_NO_WINNER; w++)
            if (counts[w])
                v->k->add_scaled(image + j->p->places[4 * i + w], j->p->pixels, j->p->weights,
                                 j->p->row, size, j->p->vectors, here + w * v->outs, counts[w]);
    }
    store_dx(j, n, image);
}

/* ---- what the threads do ---- */

static void images(void *ctx, int thread, long first, long end)
{
    const job *j = ctx;
    float *dx = j->p->dx + (size_t)thread * j->p->image;
    mg_cpu_term *here = j->p->here + (size_t)thread * 4 * (size_t)j->v->outs;
    for (long n = first; n < end; n++) {
        load_image(j, (int)n);
        make_terms(j, (int)n);
        if (j->ops->dx) make_dx(j, (int)n, dx, here);
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

mg_status mg__conv_pooled_backward(const mg_conv *v, const mg_op *ops)
{
    mg_team *team = mg__cpu_of(ops)->team;
    job j = {v, v->pooled, ops};
    if (ops->dx) mg__team_for(team, v->outs, load_weights, &j);
    mg__team_for(team, v->batch, images, &j);
    mg__team_for(team, v->outs, channels, &j);
    return MG_OK;
}
