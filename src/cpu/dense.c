/* Dense layers, alone or with the ReLU that follows: three matrix products, each split so that
 * every thread writes its own part. Where the plan lets the layer update its weights (op->update),
 * a thread does so with the rows of dw that it has just made, while they are in its cache. */
#include "cpu/cpu.h"
#include <stdlib.h>

/* Outputs, or inputs, that a thread takes at a time. */
enum { OUT_BLOCK = 3, IN_BLOCK = 32, DW_ROWS = 6, DW_COLUMNS = 2048 };

static int least(int a, int b) { return a < b ? a : b; }
static long blocks(int count, int size) { return (count + size - 1) / size; }

typedef struct job {
    const mg_op *op;
    const mg_cpu *cpu;
    int in, out;
    bool relu;
    float *y;        /* [batch][out], after the ReLU if there is one */
    const float *dz; /* [batch][out], before it */
    mg_cpu_updater updater;
} job;

static job job_of(const mg_op *op, bool relu)
{
    return (job){.op = op,
                 .cpu = mg__cpu_of(op),
                 .in = (int)mg_shape_size(op->layer->in),
                 .out = op->layer->out.c,
                 .relu = relu,
                 .y = op[relu].y,
                 .dz = op->dy};
}

static void forward_items(void *ctx, int thread, long first, long end)
{
    const job *j = ctx;
    (void)thread;
    for (long i = first; i < end; i++) {
        const int k = (int)i * OUT_BLOCK;
        j->cpu->isa->gemm->nt(j->op->batch, least(OUT_BLOCK, j->out - k), j->in, j->op->x, j->in,
                              j->op->w + (long)k * j->in, j->in, j->y + k, j->out, j->op->b + k,
                              j->relu);
    }
}

/* dx = dz w; the last block has what is left over too, as few columns alone are slow. */
static long data_blocks(int in) { return in < IN_BLOCK ? 1 : in / IN_BLOCK; }

static void data_items(void *ctx, int thread, long first, long end)
{
    const job *j = ctx;
    (void)thread;
    for (long i = first; i < end; i++) {
        const int at = (int)i * IN_BLOCK;
        const int columns = i + 1 < data_blocks(j->in) ? IN_BLOCK : j->in - at;
        j->cpu->isa->gemm->nn(j->op->batch, columns, j->out, j->dz, j->out, 1, j->op->w + at, j->in,
                              j->op->dx + at, j->in);
    }
}

/* Rows k .. k+rows-1 of db, the column sums of dz. */
static void sum_columns(const job *j, int k, int rows, float *db)
{
    for (int r = 0; r < rows; r++) {
        float sum = 0;
        for (int n = 0; n < j->op->batch; n++) sum += j->dz[(long)n * j->out + k + r];
        db[r] = sum;
    }
}

/* Makes dw = dz^T x in tiles that stay in the cache, and updates their weights before the next. */
static void update_rows(const job *j, int k, int rows)
{
    const mg_op *op = j->op;
    const mg_cpu_updater *u = &j->updater;
    const size_t w = (size_t)(op->w - op->update->w), b = (size_t)(op->b - op->update->w);
    float dw[DW_ROWS * DW_COLUMNS], db[DW_ROWS];
    for (int i = 0; i < j->in; i += DW_COLUMNS) {
        const int columns = least(DW_COLUMNS, j->in - i);
        const size_t at = w + (size_t)k * (size_t)j->in + (size_t)i;
        j->cpu->isa->gemm->nn(rows, columns, op->batch, j->dz + k, 1, j->out, op->x + i, j->in, dw,
                              DW_COLUMNS);
        for (int r = 0; r < rows; r++)
            u->fn(u, at + (size_t)r * (size_t)j->in, (size_t)columns, dw + r * DW_COLUMNS);
    }
    sum_columns(j, k, rows, db);
    u->fn(u, b + (size_t)k, (size_t)rows, db);
}

static void weights_items(void *ctx, int thread, long first, long end)
{
    const job *j = ctx;
    (void)thread;
    for (long i = first; i < end; i++) {
        const int k = (int)i * DW_ROWS, rows = least(DW_ROWS, j->out - k);
        if (j->op->update) {
            update_rows(j, k, rows);
            continue;
        }
        j->cpu->isa->gemm->nn(rows, j->in, j->op->batch, j->dz + k, 1, j->out, j->op->x, j->in,
                              j->op->dw + (long)k * j->in, j->in);
        sum_columns(j, k, rows, j->op->db + k);
    }
}

/* ---- the stages ---- */

static mg_status forward_group(const mg_op *op, bool relu)
{
    job j = job_of(op, relu);
    mg__team_for(j.cpu->team, blocks(j.out, OUT_BLOCK), forward_items, &j);
    return MG_OK;
}

static mg_status backward_group(const mg_op *op, bool relu)
{
    job j = job_of(op, relu);
    if (relu)
        j.cpu->isa->element->relu.backward(op[1].dx, op[1].dy, op[1].y,
                                           (size_t)op->batch * (size_t)j.out, &op[1].layer->args);
    if (op->dx) mg__team_for(j.cpu->team, data_blocks(j.in), data_items, &j);
    if (op->update) j.updater = mg__cpu_updater(j.cpu, op->update);
    mg__team_for(j.cpu->team, blocks(j.out, DW_ROWS), weights_items, &j);
    return MG_OK;
}

static mg_status forward(mg_op *op) { return forward_group(op, false); }
static mg_status backward(mg_op *op) { return backward_group(op, false); }

const mg_layer_ops mg_cpu_dense = {.forward = forward, .backward = backward, .updates = true};

static mg_status forward_with_relu(mg_op *ops) { return forward_group(ops, true); }
static mg_status backward_with_relu(mg_op *ops) { return backward_group(ops, true); }

const mg_fused mg_cpu_dense_relu = {.name = "dense+relu",
                                    .count = 2,
                                    .kinds = {MG_LAYER_DENSE, MG_LAYER_RELU},
                                    .forward = forward_with_relu,
                                    .backward = backward_with_relu,
                                    .updates = true};
