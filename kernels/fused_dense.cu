/* Dense layers with what stands around them, as few launches as there are dependencies: dense +
 * relu forward; the last layer with the loss, and the gradients that begin there; and backward, in
 * which a block owns some columns of the weights, so that it can make their gradient, use them for
 * dx, and update them, in one pass over them and the optimizer's state. */
#include "losses.h"
#include "optimizers.h"

/* The shared arrays below are float4, so that they are aligned for it. */
static __device__ inline float4 load4(const float *x) { return *(const float4 *)x; }
static __device__ inline float dot(float4 a, float4 b)
{
    return a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w;
}

/* ---- dense + relu, forward ---- */

enum { TILE = 8, FORWARD_THREADS = 256, FORWARD_WARPS = FORWARD_THREADS / 32 };

/* A block computes TILE outputs of TILE images; its threads share the inputs among them. Both
 * operands come by way of the cache, each element once per tile. */
static __global__ void __launch_bounds__(FORWARD_THREADS, 1)
    dense_relu(float *__restrict__ y, const float *__restrict__ x, const float *__restrict__ w,
               const float *__restrict__ b, int batch, int in, int out)
{
    SHARED_ARRAY(float, sums, FORWARD_WARPS *TILE *TILE);
    const int first_output = (int)blockIdx.x * TILE, first_image = (int)blockIdx.y * TILE;
    const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    float acc[TILE * TILE] = {};
    for (int k = 4 * (int)threadIdx.x; k < in; k += 4 * FORWARD_THREADS) {
        float4 images[TILE], weights[TILE]; /* beyond the last row: any row will do */
        UNROLL
        for (int n = 0; n < TILE; n++)
            images[n] = load4(x + (size_t)min(first_image + n, batch - 1) * (size_t)in + k);
        UNROLL
        for (int o = 0; o < TILE; o++)
            weights[o] = load4(w + (size_t)min(first_output + o, out - 1) * (size_t)in + k);
        UNROLL
        for (int i = 0; i < TILE * TILE; i++) acc[i] += dot(images[i / TILE], weights[i % TILE]);
    }
    spread_sum<TILE * TILE, 32>(acc, lane);
    sums[warp * TILE * TILE + 2 * lane] = acc[0];
    sums[warp * TILE * TILE + 2 * lane + 1] = acc[1];
    __syncthreads();
    const int n = first_image + (int)threadIdx.x / TILE, o = first_output + (int)threadIdx.x % TILE;
    if (threadIdx.x >= TILE * TILE || n >= batch || o >= out) return;
    float sum = b[o];
    UNROLL
    for (int i = 0; i < FORWARD_WARPS; i++) sum += sums[i * TILE * TILE + (int)threadIdx.x];
    y[(size_t)n * (size_t)out + (size_t)o] = sum <= 0.0f ? 0.0f : sum;
}

/* ---- the last dense layer and softmax_xent, forward; in training the way back to its input ----
 */

enum { HEAD_INPUTS = 1024, HEAD_CLASSES = 256, HEAD_THREADS = 320, HEAD_WARPS = HEAD_THREADS / 32 };

/* One block per image. rows: as in finish_row. dy [batch][classes], dx [batch][in]: the gradients
 * with respect to the layer's outputs and, back through the relu that they come from, its inputs;
 * NULL in evaluation. */
static __global__ void __launch_bounds__(HEAD_THREADS)
    head(softmax_xent loss, float *__restrict__ y, mg_step_stat *__restrict__ rows,
         float *__restrict__ dy, float *__restrict__ dx, const float *__restrict__ x,
         const float *__restrict__ w, const float *__restrict__ b, mg_feed feed, int in,
         int classes)
{
    SHARED_ARRAY(float, inputs, HEAD_INPUTS);
    SHARED_ARRAY(float, logits, HEAD_CLASSES);
    SHARED_ARRAY(float, probabilities, HEAD_CLASSES);
    SHARED_ARRAY(float, gradients, HEAD_CLASSES);
    const int image = (int)blockIdx.x, thread = (int)threadIdx.x, lane = thread % 32;
    const int warp = thread / 32, label = feed.batch_labels[image];
    const uint32_t valid = valid_rows(feed.state);
    x += (size_t)image * (size_t)in;
    for (int i = thread; i < in; i += HEAD_THREADS) inputs[i] = x[i];
    __syncthreads();
    for (int k = warp; k < classes; k += HEAD_WARPS) {
        const float bias = b[k];
        float sum = 0;
        for (int i = lane; i < in; i += 32)
            sum += inputs[i] * w[(size_t)k * (size_t)in + (size_t)i];
        sum = warp_sum(sum);
        if (lane == 0) logits[k] = sum + bias;
    }
    __syncthreads();
    if (warp == 0) finish_row(loss, probabilities, rows, logits, image, feed, classes, lane);
    __syncthreads();
    for (int k = thread; k < classes; k += HEAD_THREADS) {
        const size_t at = (size_t)image * (size_t)classes + (size_t)k;
        y[at] = probabilities[k];
        if (!dy) continue;
        const float d = loss.gradient(logits[k], probabilities[k], k == label, classes);
        gradients[k] = (uint32_t)image < valid ? d / (float)valid : 0.0f;
        dy[at] = gradients[k];
    }
    if (!dy) return;
    __syncthreads();
    for (int i = thread; i < in; i += HEAD_THREADS) {
        float sum = 0;
        UNROLL
        for (int k = 0; k < classes; k++)
            sum += gradients[k] * w[(size_t)k * (size_t)in + (size_t)i];
        dx[(size_t)image * (size_t)in + (size_t)i] = inputs[i] > 0.0f ? sum : 0.0f;
    }
}

/* ---- dense, backward ---- */

enum {
    COLUMNS = 16,   /* of w, of a block */
    IMAGES = 32,    /* at a time */
    PITCH = 36,     /* of IMAGES numbers in shared memory, so that rows begin in other banks */
    W_PITCH = 20,   /* of COLUMNS, for the same reason */
    OUT_MOST = 208, /* outputs, a multiple of 4: what fits into 48 KB of shared memory */
    SPLITS = 8      /* lanes that share the outputs for dx */
};

/* A layer's backward: dz = dy, where relu lets it through; dx = dz w, dw = dz^T x, db = sum of dz.
 */
struct dense_layer {
    const float *x, *w, *dy;
    const float *relu;       /* the output of the relu that follows, or NULL */
    float *dx;               /* or NULL */
    float *dw, *db;          /* where the rule does not update */
    size_t first_w, first_b; /* in the arenas, where it does */
    int in, out;

    unsigned blocks() const { return ((unsigned)in + COLUMNS - 1) / COLUMNS; }
};

/* Where column c of x is staged: a thread's four columns, 4k to 4k+3, lie apart, so that threads
 * beside each other read other banks. */
static __device__ inline int row_of_column(int c) { return c % 4 * 4 + c / 4; }

/* dz of IMAGES images from first_image on, as [out][PITCH]; 0 for images and outputs that there are
 * none of. A warp takes four images, and loads all their numbers before it looks at one. */
template <bool RELU>
static __device__ void stage_gradients(const dense_layer &l, float *dz, int first_image, int batch)
{
    const int n = (int)threadIdx.x / 32 * 4, outputs = (l.out + 3) / 4 * 4;
    static_assert(WARPS * 4 == IMAGES, "all images");
    for (int o = (int)threadIdx.x % 32; o < outputs; o += 32) {
        float d[4], y[4];
        UNROLL
        for (int i = 0; i < 4; i++) {
            const size_t image = (size_t)min(first_image + n + i, batch - 1);
            const size_t at = image * (size_t)l.out + (size_t)min(o, l.out - 1);
            d[i] = l.dy[at];
            y[i] = RELU ? l.relu[at] : 1.0f;
        }
        UNROLL
        for (int i = 0; i < 4; i++)
            if (first_image + n + i >= batch || o >= l.out || !(y[i] > 0.0f)) d[i] = 0.0f;
        *(float4 *)(dz + o * PITCH + n) = {d[0], d[1], d[2], d[3]};
    }
}

/* COLUMNS of the same images' x, as [row_of_column][PITCH]; 0 beyond the last column. */
static __device__ inline void stage_inputs(const dense_layer &l, float *x, int first_column,
                                           int first_image, int batch)
{
    for (int i = (int)threadIdx.x; i < IMAGES * COLUMNS / 4; i += THREADS) {
        const int n = i / (COLUMNS / 4), c = i % (COLUMNS / 4) * 4;
        const size_t image = (size_t)min(first_image + n, batch - 1);
        float4 v = {0.0f, 0.0f, 0.0f, 0.0f};
        if (first_column + c < l.in)
            v = load4(l.x + image * (size_t)l.in + (size_t)(first_column + c));
        x[row_of_column(c) * PITCH + n] = v.x;
        x[row_of_column(c + 1) * PITCH + n] = v.y;
        x[row_of_column(c + 2) * PITCH + n] = v.z;
        x[row_of_column(c + 3) * PITCH + n] = v.w;
    }
}

/* dx of the staged images in the block's columns. A group of SPLITS lanes makes 4 images x 4
 * columns. */
static __device__ inline void data_gradient(const dense_layer &l, const float *dz, const float *w,
                                            int first_column, int first_image, int batch)
{
    const unsigned lane = threadIdx.x % 32, split = lane % SPLITS;
    const int tile = (int)(threadIdx.x / SPLITS), n = tile / (COLUMNS / 4) * 4;
    const int c = tile % (COLUMNS / 4) * 4;
    static_assert(THREADS / SPLITS * 16 == IMAGES * COLUMNS, "a tile for each group");
    float acc[16] = {};
    for (int o = (int)split; o < l.out; o += SPLITS) {
        const float4 d = load4(dz + o * PITCH + n), v = load4(w + o * W_PITCH + c);
        const float d4[4] = {d.x, d.y, d.z, d.w}, v4[4] = {v.x, v.y, v.z, v.w};
        UNROLL
        for (int i = 0; i < 16; i++) acc[i] += d4[i / 4] * v4[i % 4];
    }
    spread_sum<16, SPLITS>(acc, split);
    const int image = first_image + n + (int)split / 2,
              column = first_column + c + (int)split % 2 * 2;
    if (image < batch && column < l.in)
        *(float2 *)(l.dx + (size_t)image * (size_t)l.in + (size_t)column) = {acc[0], acc[1]};
}

/* Adds the staged images' part of dw[4 outputs][4 columns]; dz: of the first of the outputs. */
static __device__ inline void add_weight_gradient(float (&acc)[16], const float *dz, const float *x,
                                                  int column)
{
    UNROLL
    for (int n = 0; n < IMAGES; n += 4) {
        float4 columns[4];
        UNROLL
        for (int c = 0; c < 4; c++) columns[c] = load4(x + row_of_column(column + c) * PITCH + n);
        UNROLL
        for (int o = 0; o < 4; o++) {
            const float4 d = load4(dz + o * PITCH + n);
            UNROLL
            for (int c = 0; c < 4; c++) acc[4 * o + c] += dot(d, columns[c]);
        }
    }
}

template <class Rule>
static __device__ void backward_columns(const dense_layer &l, Rule &rule, int first_column,
                                        int batch)
{
    SHARED_ARRAY(float4, dz4, OUT_MOST * PITCH / 4);
    SHARED_ARRAY(float4, x4, COLUMNS * PITCH / 4);
    SHARED_ARRAY(float4, w4, OUT_MOST * W_PITCH / 4);
    float *dz = (float *)dz4, *x = (float *)x4;
    const int o = (int)threadIdx.x / (COLUMNS / 4) * 4, c = (int)threadIdx.x % (COLUMNS / 4) * 4;
    const int column = first_column + c;
    const bool updates = !l.dw, has_biases = first_column == 0 && (int)threadIdx.x < l.out;
    const auto there = [&](int i) { return o + i < l.out && column < l.in; };
    const auto at = [&](int i) { return (size_t)(o + i) * (size_t)l.in + (size_t)column; };
    parameters<4, Rule> p[4];
    UNROLL
    for (int i = 0; i < 4; i++)
        if (updates && there(i)) p[i].load(rule, l.first_w + at(i));
    for (int row = o / 4; l.dx && row < l.out; row += THREADS / (COLUMNS / 4))
        if (column < l.in)
            w4[row * W_PITCH / 4 + c / 4] =
                load4(l.w + (size_t)row * (size_t)l.in + (size_t)column);
    float dw[16] = {}, db = 0.0f;
    for (int image = 0; image < batch; image += IMAGES) {
        __syncthreads(); /* the images before are done with */
        if (l.relu)
            stage_gradients<true>(l, dz, image, batch);
        else
            stage_gradients<false>(l, dz, image, batch);
        stage_inputs(l, x, first_column, image, batch);
        __syncthreads();
        if (l.dx) data_gradient(l, dz, (const float *)w4, first_column, image, batch);
        if (o < l.out) add_weight_gradient(dw, dz + o * PITCH, x, c);
        if (has_biases)
            for (int n = 0; n < IMAGES; n++) db += dz[(int)threadIdx.x * PITCH + n];
    }
    if (updates) rule.begin();
    UNROLL
    for (int i = 0; i < 4; i++) {
        const floats<4> g = {{dw[4 * i], dw[4 * i + 1], dw[4 * i + 2], dw[4 * i + 3]}};
        if (!there(i)) continue;
        if (updates)
            p[i].update(rule, l.first_w + at(i), g);
        else
            *(floats<4> *)(l.dw + at(i)) = g;
    }
    if (!has_biases) return;
    if (updates) {
        parameters<1, Rule> bias;
        bias.load(rule, l.first_b + threadIdx.x);
        bias.update(rule, l.first_b + threadIdx.x, floats<1>{{db}});
    } else {
        l.db[threadIdx.x] = db;
    }
}

/* The blocks of one layer, those of a second one (none if it has no inputs), and, if there are
 * rows, one that sums their statistics. */
template <class Rule>
static __global__ void __launch_bounds__(THREADS, 1)
    dense_backward(dense_layer a, dense_layer b, Rule rule, mg_feed feed, const mg_step_stat *rows,
                   int batch, unsigned blocks_a, unsigned blocks_b)
{
    unsigned block = blockIdx.x;
    if (block == blocks_a + blocks_b) {
        sum_rows(feed, rows, batch);
        return;
    }
    const bool second = block >= blocks_a;
    const dense_layer l = second ? b : a;
    if (second) block -= blocks_a;
    backward_columns(l, rule, (int)block * COLUMNS, batch);
}

/* ---- launchers ---- */

bool mg__dense_fits(const mg_layer *dense)
{
    return mg_shape_size(dense->in) % 4 == 0 && dense->out.c <= OUT_MOST;
}

bool mg__head_fits(const mg_layer *dense)
{
    return mg__dense_fits(dense) && mg_shape_size(dense->in) <= HEAD_INPUTS;
}

static int inputs_of(const mg_op *dense) { return (int)mg_shape_size(dense->layer->in); }

cudaError_t mg__launch_dense_relu(const mg_op *ops, cudaStream_t stream)
{
    const unsigned outputs = (unsigned)ops->layer->out.c, images = (unsigned)ops->batch;
    return LAUNCH(dense_relu, dim3((outputs + TILE - 1) / TILE, (images + TILE - 1) / TILE),
                  FORWARD_THREADS, 0, stream, ops[1].y, ops->x, ops->w, ops->b, ops->batch,
                  inputs_of(ops), (int)outputs);
}

cudaError_t mg__launch_head(const mg_op *ops, mg_step_stat *rows, cudaStream_t stream)
{
    const mg_op *loss = &ops[1];
    const int classes = ops->layer->out.c;
    return LAUNCH(head, (unsigned)ops->batch, HEAD_THREADS, 0, stream,
                  smoothed(loss->layer->args.softmax_xent.smoothing, classes), loss->y, rows,
                  loss->dx, ops->training ? ops->dx : NULL, ops->x, ops->w, ops->b, *ops->feed,
                  inputs_of(ops), classes);
}

static dense_layer layer_of(const mg_op *op, const float *relu, bool dx)
{
    const mg_update *u = op->update;
    return {op->x,
            op->w,
            op->dy,
            relu,
            dx ? op->dx : NULL,
            u ? NULL : op->dw,
            u ? NULL : op->db,
            u ? (size_t)(op->w - u->w) : 0,
            u ? (size_t)(op->b - u->w) : 0,
            inputs_of(op),
            op->layer->out.c};
}

static cudaError_t launch_backward(const mg_op *op, const dense_layer &a, const dense_layer &b,
                                   const mg_step_stat *rows, cudaStream_t stream)
{
    static const mg_update none = {};
    const unsigned blocks_a = a.blocks(), blocks_b = b.blocks();
    return with_rule(op->update ? *op->update : none, [=](auto rule) {
        return LAUNCH(dense_backward<decltype(rule)>, blocks_a + blocks_b + (rows ? 1 : 0), THREADS,
                      0, stream, a, b, rule, *op->feed, rows, op->batch, blocks_a, blocks_b);
    });
}

cudaError_t mg__launch_dense_relu_backward(const mg_op *ops, cudaStream_t stream)
{
    dense_layer none = {};
    dense_layer l = layer_of(ops, ops[1].y, true);
    l.dy = ops[1].dy;
    return launch_backward(ops, l, none, NULL, stream);
}

cudaError_t mg__launch_tail_backward(const mg_op *ops, const mg_step_stat *rows,
                                     cudaStream_t stream)
{
    dense_layer l = layer_of(ops, NULL, true); /* the head has been through the relu */
    l.dy = ops[1].dy;
    return launch_backward(ops, l, layer_of(&ops[2], NULL, false), rows, stream);
}
