/* 5x5 convolutions of small images with the ReLU and the pooling that follow them, and with the
 * gather before them: one launch forward, one backward. The kernels are templates over the shapes
 * of LeNet's layers (the list is below), so that loops unroll and numbers stay in registers.
 *
 * A block stages what it needs of one image and its weights in shared memory; its threads divide
 * the outputs among them by strips, and the channels that are summed over. */
#include "strips.h"

enum { NO_WINNER = 4 };

/* ---- shapes ---- */

/* A layer. INPUTS, OUTPUTS: channels; images are square; POOL: maxpool size=2 follows. */
template <int INPUTS_, int SIZE_, int OUTPUTS_, int PAD_, bool POOL_> struct conv_layer {
    enum {
        INPUTS = INPUTS_,
        SIZE = SIZE_,
        OUTPUTS = OUTPUTS_,
        PAD = PAD_,
        POOL = POOL_,
        OUT_SIZE = SIZE + 2 * PAD - KERNEL + 1,
        Y_SIZE = POOL ? OUT_SIZE / 2 : OUT_SIZE
    };
    static_assert(!POOL || OUT_SIZE % 2 == 0, "windows cover the image");
};

/* How a block divides its work. FORWARD_*, DATA_* (for dx): output channels of a block, of a
 * thread; columns of a strip; threads that share the input channels. WEIGHT_* (for dw): output
 * channels of a block (which has one input channel), images at a time, threads that share them for
 * each row of taps. The choices balance blocks (about one per SM at batch 32) against reuse of what
 * is staged. */
struct lenet_conv1 : conv_layer<1, 28, 6, 2, true> {
    enum { FORWARD_CHANNELS = 2, FORWARD_EACH = 2, FORWARD_STRIP = 4, FORWARD_SPLIT = 1 };
    enum { DATA_CHANNELS = 1, DATA_EACH = 1, DATA_SPLIT = 6 };
    enum { WEIGHT_CHANNELS = 1, WEIGHT_IMAGES = 2, WEIGHT_SPLIT = 51 };
};
struct valid_conv1 : conv_layer<1, 28, 6, 0, true> {
    enum { FORWARD_CHANNELS = 2, FORWARD_EACH = 2, FORWARD_STRIP = 4, FORWARD_SPLIT = 1 };
    enum { DATA_CHANNELS = 1, DATA_EACH = 1, DATA_SPLIT = 6 };
    enum { WEIGHT_CHANNELS = 1, WEIGHT_IMAGES = 2, WEIGHT_SPLIT = 49 };
};
struct lenet_conv2 : conv_layer<6, 14, 16, 2, true> {
    enum { FORWARD_CHANNELS = 4, FORWARD_EACH = 1, FORWARD_STRIP = 14, FORWARD_SPLIT = 6 };
    enum { DATA_CHANNELS = 2, DATA_EACH = 2, DATA_SPLIT = 16 };
    enum { WEIGHT_CHANNELS = 2, WEIGHT_IMAGES = 16, WEIGHT_SPLIT = 45 };
};
struct valid_conv2 : conv_layer<6, 12, 16, 0, true> {
    enum { FORWARD_CHANNELS = 4, FORWARD_EACH = 1, FORWARD_STRIP = 8, FORWARD_SPLIT = 6 };
    enum { DATA_CHANNELS = 2, DATA_EACH = 2, DATA_SPLIT = 16 };
    enum { WEIGHT_CHANNELS = 2, WEIGHT_IMAGES = 16, WEIGHT_SPLIT = 43 };
};
struct padded_conv2 : conv_layer<6, 14, 16, 0, true> {
    enum { FORWARD_CHANNELS = 4, FORWARD_EACH = 1, FORWARD_STRIP = 10, FORWARD_SPLIT = 6 };
    enum { DATA_CHANNELS = 2, DATA_EACH = 2, DATA_SPLIT = 16 };
    enum { WEIGHT_CHANNELS = 2, WEIGHT_IMAGES = 16, WEIGHT_SPLIT = 41 };
};
struct lenet_conv3 : conv_layer<16, 7, 32, 2, false> {
    enum { FORWARD_CHANNELS = 8, FORWARD_EACH = 2, FORWARD_STRIP = 7, FORWARD_SPLIT = 8 };
    enum { DATA_CHANNELS = 4, DATA_EACH = 2, DATA_SPLIT = 16 };
    enum { WEIGHT_CHANNELS = 4, WEIGHT_IMAGES = 32, WEIGHT_SPLIT = 45 };
};

/* ---- what a launch works on: the buffers of the group's ops ---- */

struct conv_buffers {
    const float *x;     /* [batch][INPUTS][SIZE][SIZE]; NULL: the images come from the feed, */
    const float *table; /* each pixel's value from here */
    mg_feed feed;
    const float *w, *b;
    float *y;         /* [batch][OUTPUTS][Y_SIZE][Y_SIZE] */
    uint8_t *winners; /* of the same shape: which of a window's four is its maximum, NO_WINNER
                         where relu lets no gradient through; NULL: not wanted */
    const float *dy;  /* as y */
    float *dx;        /* as x, or NULL */
    float *dw, *db;
    float *partial;     /* of dw and db, where groups of blocks share the images */
    unsigned *finished; /* of those groups, one for each block's weights; all 0 between launches */
    int batch;
};

/* ---- staging ---- */

/* One image of the batch. */
struct image {
    const float *x;
    const uint8_t *pixels;
    const float *table;

    __device__ image(const conv_buffers &g, int n, size_t size)
        : x(g.x ? g.x + (size_t)n * size : nullptr), pixels(nullptr), table(g.table)
    {
        const uint32_t position = g.feed.state->cursor + (uint32_t)n;
        if (!x && (uint32_t)n < valid_rows(g.feed.state))
            pixels = g.feed.pixels + (g.feed.order ? g.feed.order[position] : position) * size;
    }
    __device__ float operator[](size_t i) const
    {
        return x ? x[i] : pixels ? table[pixels[i]] : 0.0f;
    }
};

/* The gradient of the convolution's output (y, x), of channel `plane` = image * OUTPUTS + channel:
 * back through the pooling and the ReLU. */
template <class S>
static __device__ float output_gradient(const conv_buffers &g, size_t plane, int i)
{
    if (!S::POOL) {
        const size_t at = plane * (S::Y_SIZE * S::Y_SIZE) + (size_t)i;
        return g.y[at] > 0.0f ? g.dy[at] : 0.0f;
    }
    const int y = i / S::OUT_SIZE, x = i % S::OUT_SIZE;
    const size_t at = plane * (S::Y_SIZE * S::Y_SIZE) + (size_t)(y / 2 * S::Y_SIZE + x / 2);
    return g.winners[at] == y % 2 * 2 + x % 2 ? g.dy[at] : 0.0f;
}

constexpr int larger(int a, int b) { return a > b ? a : b; }
constexpr int whole_warps(int threads) { return (threads + 31) / 32 * 32; }

/* ---- forward ---- */

template <class S> struct forward_work {
    using plane = padded<S::SIZE, S::PAD>;
    using sums = strips<S::INPUTS, S::OUT_SIZE, S::FORWARD_CHANNELS, S::FORWARD_EACH,
                        S::POOL ? 2 : 1, S::FORWARD_STRIP, S::FORWARD_SPLIT>;
    enum {
        WEIGHTS = S::FORWARD_CHANNELS * S::INPUTS * TAPS,
        IMAGE = S::INPUTS * plane::PLANE,
        SHARED = larger(IMAGE + WEIGHTS, sums::FLOATS),
        BLOCK = whole_warps(sums::THREADS_USED),
        BLOCKS = S::OUTPUTS / S::FORWARD_CHANNELS /* an image */
    };
    static_assert(S::OUTPUTS % S::FORWARD_CHANNELS == 0, "no rest");
};

/* The maximum of a window, the first of equals in row order (a NaN is one), and which it is. */
template <class Relu> static __device__ float pool(Relu value, uint8_t &winner)
{
    float best = value(0);
    int index = 0;
    UNROLL
    for (int i = 1; i < 4; i++) {
        const float v = value(i);
        if (v > best || v != v) {
            best = v;
            index = i;
        }
    }
    winner = (uint8_t)(best > 0.0f ? index : NO_WINNER);
    return best;
}

/* Block (n, y): some channels of image n. */
template <class S>
static __global__ void __launch_bounds__(forward_work<S>::BLOCK) conv_forward(conv_buffers g)
{
    using work = forward_work<S>;
    SHARED_ARRAY(float, shared, work::SHARED);
    float *weights = shared + work::IMAGE;
    const int n = (int)blockIdx.x, first = (int)blockIdx.y * S::FORWARD_CHANNELS;
    const image x(g, n, S::INPUTS * S::SIZE * S::SIZE);
    if (!g.x && blockIdx.y == 0 && threadIdx.x == 0)
        g.feed.batch_labels[n] =
            x.pixels
                ? g.feed
                      .labels[(size_t)(x.pixels - g.feed.pixels) / (S::INPUTS * S::SIZE * S::SIZE)]
                : (uint8_t)0;
    work::plane::fill(shared, S::INPUTS, [&](int plane, int i) {
        return x[(size_t)(plane * (S::SIZE * S::SIZE) + i)];
    });
    for (int i = (int)threadIdx.x; i < work::WEIGHTS; i += work::BLOCK)
        weights[i] = g.w[first * (S::INPUTS * TAPS) + i];
    __syncthreads();
    work::sums::template convolve<false, typename work::plane>(shared, shared, weights,
                                                               S::INPUTS * TAPS, TAPS);
    enum { PLANE = S::Y_SIZE * S::Y_SIZE };
    for (int i = (int)threadIdx.x; i < S::FORWARD_CHANNELS * PLANE; i += work::BLOCK) {
        const int channel = i / PLANE, row = i % PLANE / S::Y_SIZE, column = i % S::Y_SIZE;
        const float bias = g.b[first + channel];
        const auto relu = [&](int r, int q) {
            const float z = work::sums::at(shared, channel, r, q) + bias;
            return z <= 0.0f ? 0.0f : z;
        };
        const size_t at = (size_t)(n * S::OUTPUTS + first) * PLANE + (size_t)i;
        if (S::POOL) {
            uint8_t winner;
            g.y[at] =
                pool([&](int k) { return relu(2 * row + k / 2, 2 * column + k % 2); }, winner);
            if (g.winners) g.winners[at] = winner;
        } else {
            g.y[at] = relu(row, column);
        }
    }
}

/* ---- backward: dx ---- */

/* A convolution too: of the output's gradient, padded so that every tap has something to meet. */
template <class S> struct data_work {
    using plane = padded<S::OUT_SIZE, KERNEL - 1 - S::PAD>;
    using sums =
        strips<S::OUTPUTS, S::SIZE, S::DATA_CHANNELS, S::DATA_EACH, 1, S::SIZE, S::DATA_SPLIT>;
    enum {
        WEIGHTS = S::OUTPUTS * S::DATA_CHANNELS * TAPS,
        GRADIENTS = S::OUTPUTS * plane::PLANE,
        SHARED = larger(GRADIENTS + WEIGHTS, sums::FLOATS),
        BLOCKS = S::INPUTS / S::DATA_CHANNELS /* an image */
    };
    static_assert(S::INPUTS % S::DATA_CHANNELS == 0, "no rest");
};

template <class S>
static __device__ void data_gradient(const conv_buffers &g, float *shared, int block)
{
    using work = data_work<S>;
    enum { PLANE = S::SIZE * S::SIZE, STEP = S::DATA_CHANNELS * TAPS };
    float *weights = shared + work::GRADIENTS;
    const int n = block / work::BLOCKS, first = block % work::BLOCKS * S::DATA_CHANNELS;
    work::plane::fill(shared, S::OUTPUTS, [&](int channel, int i) {
        return output_gradient<S>(g, (size_t)(n * S::OUTPUTS + channel), i);
    });
    for (int i = (int)threadIdx.x; i < work::WEIGHTS; i += (int)blockDim.x)
        weights[i] = g.w[(i / STEP * S::INPUTS + first) * TAPS + i % STEP];
    __syncthreads();
    work::sums::template convolve<true, typename work::plane>(shared, shared, weights, TAPS, STEP);
    float *dx = g.dx + (size_t)(n * S::INPUTS + first) * PLANE;
    for (int i = (int)threadIdx.x; i < S::DATA_CHANNELS * PLANE; i += (int)blockDim.x)
        dx[i] = work::sums::at(shared, i / PLANE, i % PLANE / S::SIZE, i % S::SIZE);
}

/* ---- backward: dw, db ---- */

template <class S> struct weight_work {
    using plane = padded<S::SIZE, S::PAD>;
    enum {
        CHANNELS = S::WEIGHT_CHANNELS,
        OUT_PLANE = S::OUT_SIZE * S::OUT_SIZE,
        IMAGES = S::WEIGHT_IMAGES * plane::PLANE,
        VALUES = CHANNELS * (TAPS + 1), /* a block's: of dw, then of db */
        PITCH = S::WEIGHT_SPLIT | 1,
        THREADS_USED = KERNEL * S::WEIGHT_SPLIT,
        SHARED = larger(IMAGES + S::WEIGHT_IMAGES * CHANNELS * OUT_PLANE, VALUES *PITCH),
        BLOCKS = S::OUTPUTS / CHANNELS * S::INPUTS, /* a group of images */
        MOST_GROUPS = 16
    };
    static_assert(S::OUTPUTS % CHANNELS == 0, "no rest");

    static unsigned groups(int batch)
    {
        const int chunks = (batch + S::WEIGHT_IMAGES - 1) / S::WEIGHT_IMAGES;
        return (unsigned)(chunks < MOST_GROUPS ? chunks : MOST_GROUPS);
    }
};

/* WEIGHT_IMAGES images from `first` on: their x of one input channel, and the gradients of some
 * outputs. There are zeros where there is no image. */
template <class S>
static __device__ void stage_images(const conv_buffers &g, float *in, float *gradients, int first,
                                    int input, int output)
{
    using work = weight_work<S>;
    for (int k = 0; k < S::WEIGHT_IMAGES; k++) {
        const int n = first + k;
        const bool there = n < g.batch;
        const image x(g, there ? n : 0, S::INPUTS * S::SIZE * S::SIZE);
        work::plane::fill(in + k * work::plane::PLANE, 1, [&](int, int i) {
            return there ? x[(size_t)(input * (S::SIZE * S::SIZE) + i)] : 0.0f;
        });
        for (int i = (int)threadIdx.x; i < work::CHANNELS * work::OUT_PLANE; i += (int)blockDim.x) {
            const int channel = i / work::OUT_PLANE;
            const size_t plane = (size_t)(n * S::OUTPUTS + output + channel);
            gradients[k * (work::CHANNELS * work::OUT_PLANE) + i] =
                there ? output_gradient<S>(g, plane, i % work::OUT_PLANE) : 0.0f;
        }
    }
}

/* Adds the staged images' part of one row of taps: of every WEIGHT_SPLITth row of outputs. */
template <class S>
static __device__ void add_rows(float (&dw)[S::WEIGHT_CHANNELS * KERNEL],
                                float (&db)[S::WEIGHT_CHANNELS], const float *in,
                                const float *gradients, int tap_row, int split)
{
    using work = weight_work<S>;
    for (int item = split; item < S::WEIGHT_IMAGES * S::OUT_SIZE; item += S::WEIGHT_SPLIT) {
        const int k = item / S::OUT_SIZE, row = item % S::OUT_SIZE;
        const float *line = in + k * work::plane::PLANE + (row + tap_row) * work::plane::PITCH;
        float x[S::OUT_SIZE + KERNEL - 1];
        UNROLL
        for (int q = 0; q < S::OUT_SIZE + KERNEL - 1; q++) x[q] = line[q];
        UNROLL
        for (int c = 0; c < work::CHANNELS; c++) {
            const float *dz =
                gradients + (k * work::CHANNELS + c) * work::OUT_PLANE + row * S::OUT_SIZE;
            UNROLL
            for (int q = 0; q < S::OUT_SIZE; q++) {
                const float d = dz[q];
                UNROLL
                for (int s = 0; s < KERNEL; s++) dw[c * KERNEL + s] += d * x[q + s];
                if (tap_row == 0) db[c] += d;
            }
        }
    }
}

/* Value v of a block's: of dw [channel][tap], or beyond those of db [channel]. */
template <class S>
static __device__ void store_weight_gradient(const conv_buffers &g, int v, float sum, int input,
                                             int output)
{
    const int weights = S::WEIGHT_CHANNELS * TAPS;
    if (v < weights)
        g.dw[((output + v / TAPS) * S::INPUTS + input) * TAPS + v % TAPS] = sum;
    else if (input == 0)
        g.db[output + v - weights] = sum;
}

/* The last group of blocks to finish its images adds up what all of them found, in their order: the
 * sums are the same whichever it is. */
template <class S>
static __device__ void share_weight_gradient(const conv_buffers &g, float sum, int block,
                                             unsigned group, unsigned groups, int input, int output)
{
    using work = weight_work<S>;
    SHARED_ARRAY(unsigned, others, 1);
    volatile float *partial = g.partial + (size_t)block * groups * work::VALUES;
    const int v = (int)threadIdx.x;
    if (v < work::VALUES) partial[group * work::VALUES + (unsigned)v] = sum;
    __threadfence();
    __syncthreads();
    if (v == 0) *others = atomicInc(&g.finished[block], groups - 1); /* and 0 after the last */
    __syncthreads();
    if (*others != groups - 1 || v >= work::VALUES) return;
    __threadfence();
    sum = 0;
    for (unsigned i = 0; i < groups; i++) sum += partial[i * work::VALUES + (unsigned)v];
    store_weight_gradient<S>(g, v, sum, input, output);
}

template <class S>
static __device__ void weight_gradient(const conv_buffers &g, float *shared, unsigned index,
                                       unsigned groups)
{
    using work = weight_work<S>;
    const int block = (int)(index % work::BLOCKS), input = block % S::INPUTS;
    const int output = block / S::INPUTS * work::CHANNELS;
    const unsigned group = index / work::BLOCKS;
    const int thread = (int)threadIdx.x, tap_row = thread % KERNEL, split = thread / KERNEL;
    float dw[work::CHANNELS * KERNEL] = {}, db[work::CHANNELS] = {};
    for (int first = (int)group * S::WEIGHT_IMAGES; first < g.batch;
         first += (int)groups * S::WEIGHT_IMAGES) {
        stage_images<S>(g, shared, shared + work::IMAGES, first, input, output);
        __syncthreads();
        if (thread < work::THREADS_USED)
            add_rows<S>(dw, db, shared, shared + work::IMAGES, tap_row, split);
        __syncthreads();
    }
    UNROLL
    for (int i = 0; i < work::CHANNELS * KERNEL; i++) {
        const int value = (i / KERNEL * KERNEL + tap_row) * KERNEL + i % KERNEL;
        if (thread < work::THREADS_USED) shared[value * work::PITCH + split] = dw[i];
    }
    UNROLL
    for (int c = 0; c < work::CHANNELS; c++)
        if (thread < work::THREADS_USED && tap_row == 0)
            shared[(work::CHANNELS * TAPS + c) * work::PITCH + split] = db[c];
    __syncthreads();
    float sum = 0;
    for (int i = 0; thread < work::VALUES && i < S::WEIGHT_SPLIT; i++)
        sum += shared[thread * work::PITCH + i];
    if (groups > 1)
        share_weight_gradient<S>(g, sum, block, group, groups, input, output);
    else if (thread < work::VALUES)
        store_weight_gradient<S>(g, thread, sum, input, output);
}

/* ---- backward ---- */

template <class S> struct backward_work {
    enum { BLOCK = 256, SHARED = larger(data_work<S>::SHARED, weight_work<S>::SHARED) };
    static_assert((int)data_work<S>::sums::THREADS_USED <= (int)BLOCK &&
                      (int)weight_work<S>::THREADS_USED <= (int)BLOCK &&
                      (int)weight_work<S>::VALUES <= (int)BLOCK,
                  "threads for all");
    static_assert(SHARED * sizeof(float) <= 48 * 1024, "what every GPU has");
};

/* Blocks for dx, if it is wanted, then `groups` times those for dw. */
template <class S>
static __global__ void __launch_bounds__(backward_work<S>::BLOCK)
    conv_backward(conv_buffers g, unsigned data_blocks, unsigned groups)
{
    SHARED_ARRAY(float, shared, backward_work<S>::SHARED);
    if (blockIdx.x < data_blocks)
        data_gradient<S>(g, shared, (int)blockIdx.x);
    else
        weight_gradient<S>(g, shared, blockIdx.x - data_blocks, groups);
}

/* ---- the list of shapes ---- */

struct conv_kernels {
    int inputs, size, outputs, pad;
    bool pool;
    size_t partial_floats, counters;
    cudaError_t (*forward)(const conv_buffers &g, cudaStream_t stream);
    cudaError_t (*backward)(const conv_buffers &g, cudaStream_t stream);
};

template <class S> static cudaError_t launch_forward(const conv_buffers &g, cudaStream_t stream)
{
    using work = forward_work<S>;
    return LAUNCH(conv_forward<S>, dim3((unsigned)g.batch, work::BLOCKS), work::BLOCK, 0, stream,
                  g);
}

template <class S> static cudaError_t launch_backward(const conv_buffers &g, cudaStream_t stream)
{
    using work = weight_work<S>;
    const unsigned data_blocks = g.dx ? data_work<S>::BLOCKS * (unsigned)g.batch : 0;
    const unsigned groups = work::groups(g.batch);
    return LAUNCH(conv_backward<S>, data_blocks + work::BLOCKS * groups, backward_work<S>::BLOCK, 0,
                  stream, g, data_blocks, groups);
}

template <class S> static constexpr conv_kernels kernels_of()
{
    using work = weight_work<S>;
    return {
        S::INPUTS,    S::SIZE,           S::OUTPUTS,
        S::PAD,       S::POOL != 0,      (size_t)work::BLOCKS * work::MOST_GROUPS * work::VALUES,
        work::BLOCKS, launch_forward<S>, launch_backward<S>};
}

static const conv_kernels shapes[] = {kernels_of<lenet_conv1>(),  kernels_of<valid_conv1>(),
                                      kernels_of<lenet_conv2>(),  kernels_of<valid_conv2>(),
                                      kernels_of<padded_conv2>(), kernels_of<lenet_conv3>()};

static const conv_kernels *find(const mg_layer *conv, const mg_layer *pool)
{
    const struct mg_conv_args *a = &conv->args.conv;
    const int pad = a->pad == MG_PAD_SAME ? (a->kernel - 1) / 2 : a->pad;
    const mg_shape in = conv->in;
    if (a->kernel != KERNEL || a->stride != 1 || in.h != in.w) return nullptr;
    if (pool && (pool->args.pool.size != 2 || pool->args.pool.stride != 2)) return nullptr;
    for (const conv_kernels &k : shapes)
        if (k.inputs == in.c && k.size == in.h && k.outputs == conv->out.c && k.pad == pad &&
            k.pool == (pool != nullptr))
            return &k;
    return nullptr;
}

/* ---- launchers ---- */

bool mg__conv_group_fits(const mg_layer *conv, const mg_layer *pool)
{
    return find(conv, pool) != nullptr;
}

size_t mg__conv_group_scratch(const mg_layer *conv, const mg_layer *pool)
{
    const conv_kernels *k = find(conv, pool);
    return k->partial_floats * sizeof(float) + k->counters * sizeof(unsigned);
}

static conv_buffers buffers_of(const mg_conv_group *g, const conv_kernels *k)
{
    const mg_op *conv = g->conv, *last = g->pool ? g->pool : g->relu;
    return {g->table ? nullptr : conv->x,
            g->table,
            *conv->feed,
            conv->w,
            conv->b,
            last->y,
            conv->training && g->pool ? (uint8_t *)conv->y : nullptr,
            last->dy,
            conv->dx && !g->table ? conv->dx : nullptr,
            conv->dw,
            conv->db,
            (float *)g->scratch,
            g->scratch ? (unsigned *)((float *)g->scratch + k->partial_floats) : nullptr,
            conv->batch};
}

static const conv_kernels *kernels_for(const mg_conv_group *g)
{
    return find(g->conv->layer, g->pool ? g->pool->layer : nullptr);
}

cudaError_t mg__launch_conv_group(const mg_conv_group *g, cudaStream_t stream)
{
    const conv_kernels *k = kernels_for(g);
    return k->forward(buffers_of(g, k), stream);
}

cudaError_t mg__launch_conv_group_backward(const mg_conv_group *g, cudaStream_t stream)
{
    const conv_kernels *k = kernels_for(g);
    return k->backward(buffers_of(g, k), stream);
}
