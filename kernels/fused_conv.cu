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
        Y_SIZE = POOL ? OUT_SIZE / 2 : OUT_SIZE,
        IMAGE = INPUTS * SIZE * SIZE,
        Y_PLANE = Y_SIZE * Y_SIZE
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
    enum { WEIGHT_CHANNELS = 1, WEIGHT_IMAGES = 2, WEIGHT_SPLIT = 28 };
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

/* Which image of x, or of the feed's, the batch's n-th is; 0 where the feed has none. */
template <bool GATHERS> static __device__ size_t source_of(const conv_buffers &g, int n)
{
    if (!GATHERS) return (size_t)n;
    if ((uint32_t)n >= valid_rows(g.feed.state)) return 0;
    const uint32_t position = g.feed.state->cursor + (uint32_t)n;
    return g.feed.order ? g.feed.order[position] : position;
}

/* Number i of all those images. */
template <bool GATHERS> static __device__ float number(const conv_buffers &g, size_t i)
{
    return GATHERS ? g.table[g.feed.pixels[i]] : g.x[i];
}

/* A gradient with respect to y, on its way back through the pooling and the ReLU. */
struct gradient {
    float d;
    int winner; /* of the window */
};

template <class S> static __device__ gradient load_gradient(const conv_buffers &g, size_t at)
{
    const float d = g.dy[at];
    if (S::POOL) return {d, g.winners[at]};
    const float y = g.y[at];
    return {y > 0.0f ? d : 0.0f, 0};
}

/* put(i, its gradient) for each of the convolution's outputs i of a plane that y's number `at`
 * comes from. */
template <class S, class Put> static __device__ void spread(gradient v, int at, Put put)
{
    if (!S::POOL) put(at, v.d);
    const int corner = at / S::Y_SIZE * 2 * S::OUT_SIZE + at % S::Y_SIZE * 2;
    UNROLL
    for (int k = 0; S::POOL && k < 4; k++)
        put(corner + k / 2 * S::OUT_SIZE + k % 2, v.winner == k ? v.d : 0.0f);
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
        PLANES = S::INPUTS * plane::PLANE,
        SHARED = larger(PLANES + WEIGHTS, sums::FLOATS),
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
template <class S, bool GATHERS>
static __global__ void __launch_bounds__(forward_work<S>::BLOCK) conv_forward(conv_buffers g)
{
    using work = forward_work<S>;
    SHARED_ARRAY(float, shared, work::SHARED);
    SHARED_ARRAY(float, bias, S::FORWARD_CHANNELS);
    float *weights = shared + work::PLANES;
    const int n = (int)blockIdx.x, first = (int)blockIdx.y * S::FORWARD_CHANNELS;
    const size_t source = source_of<GATHERS>(g, n);
    const bool there = !GATHERS || (uint32_t)n < valid_rows(g.feed.state);
    if (GATHERS && blockIdx.y == 0 && threadIdx.x == 0)
        g.feed.batch_labels[n] = there ? g.feed.labels[source] : (uint8_t)0;
    if (threadIdx.x < S::FORWARD_CHANNELS) bias[threadIdx.x] = g.b[first + (int)threadIdx.x];
    work::plane::template clear<S::INPUTS, work::BLOCK>(shared);
    __syncthreads();
    stage<S::IMAGE, work::BLOCK>(
        [&](int i) { return number<GATHERS>(g, source * S::IMAGE + (size_t)i); },
        [&](int i, float x) {
            shared[work::plane::place(i / (S::SIZE * S::SIZE), i % (S::SIZE * S::SIZE))] =
                there ? x : 0.0f;
        });
    stage<work::WEIGHTS, work::BLOCK>([&](int i) { return g.w[first * (S::INPUTS * TAPS) + i]; },
                                      [&](int i, float w) { weights[i] = w; });
    __syncthreads();
    work::sums::template convolve<false, typename work::plane>(shared, shared, weights,
                                                               S::INPUTS * TAPS, TAPS);
    for (int i = (int)threadIdx.x; i < S::FORWARD_CHANNELS * S::Y_PLANE; i += work::BLOCK) {
        const int channel = i / S::Y_PLANE, row = i % S::Y_PLANE / S::Y_SIZE;
        const int column = i % S::Y_SIZE;
        const auto relu = [&](int r, int q) {
            const float z = work::sums::at(shared, channel, r, q) + bias[channel];
            return z <= 0.0f ? 0.0f : z;
        };
        const size_t at = (size_t)(n * S::OUTPUTS + first) * S::Y_PLANE + (size_t)i;
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

template <class S, int BLOCK>
static __device__ void data_gradient(const conv_buffers &g, float *shared, int block)
{
    using work = data_work<S>;
    enum { PLANE = S::SIZE * S::SIZE, STEP = S::DATA_CHANNELS * TAPS };
    float *weights = shared + work::GRADIENTS;
    const int n = block / work::BLOCKS, first = block % work::BLOCKS * S::DATA_CHANNELS;
    const size_t first_y = (size_t)n * (S::OUTPUTS * S::Y_PLANE);
    work::plane::template clear<S::OUTPUTS, BLOCK>(shared);
    __syncthreads();
    stage<S::OUTPUTS * S::Y_PLANE, BLOCK>(
        [&](int i) { return load_gradient<S>(g, first_y + (size_t)i); },
        [&](int i, gradient v) {
            spread<S>(v, i % S::Y_PLANE,
                      [&](int at, float d) { shared[work::plane::place(i / S::Y_PLANE, at)] = d; });
        });
    stage<work::WEIGHTS, BLOCK>(
        [&](int i) { return g.w[(i / STEP * S::INPUTS + first) * TAPS + i % STEP]; },
        [&](int i, float w) { weights[i] = w; });
    __syncthreads();
    work::sums::template convolve<true, typename work::plane>(shared, shared, weights, TAPS, STEP);
    float *dx = g.dx + (size_t)(n * S::INPUTS + first) * PLANE;
    for (int i = (int)threadIdx.x; i < S::DATA_CHANNELS * PLANE; i += BLOCK)
        dx[i] = work::sums::at(shared, i / PLANE, i % PLANE / S::SIZE, i % S::SIZE);
}

/* ---- backward: dw, db ---- */

template <class S> struct weight_work {
    using plane = padded<S::SIZE, S::PAD>;
    enum {
        CHANNELS = S::WEIGHT_CHANNELS,
        OUT_PLANE = S::OUT_SIZE * S::OUT_SIZE,
        PLANES = S::WEIGHT_IMAGES * plane::PLANE,
        VALUES = CHANNELS * (TAPS + 1), /* a block's: of dw, then of db */
        PITCH = S::WEIGHT_SPLIT | 1,
        THREADS_USED = KERNEL * S::WEIGHT_SPLIT,
        SHARED = larger(PLANES + S::WEIGHT_IMAGES * CHANNELS * OUT_PLANE, VALUES *PITCH),
        BLOCKS = S::OUTPUTS / CHANNELS * S::INPUTS, /* a group of images */
        MOST_GROUPS = 64
    };
    static_assert(S::OUTPUTS % CHANNELS == 0, "no rest");

    static unsigned groups(int batch)
    {
        const int chunks = (batch + S::WEIGHT_IMAGES - 1) / S::WEIGHT_IMAGES;
        return (unsigned)(chunks < MOST_GROUPS ? chunks : MOST_GROUPS);
    }
};

/* WEIGHT_IMAGES images from `first` on: their x of one input channel, into planes that were
 * cleared, and the gradients of some outputs, which are 0 where there is no image. */
template <class S, bool GATHERS, int BLOCK>
static __device__ void stage_images(const conv_buffers &g, float *in, float *gradients, int first,
                                    int input, int output)
{
    using work = weight_work<S>;
    enum { PLANE = S::SIZE * S::SIZE, Y_PLANES = work::CHANNELS * S::Y_PLANE };
    SHARED_ARRAY(size_t, sources, S::WEIGHT_IMAGES);
    if (threadIdx.x < S::WEIGHT_IMAGES)
        sources[threadIdx.x] = source_of<GATHERS>(g, min(first + (int)threadIdx.x, g.batch - 1));
    __syncthreads(); /* and so the planes are cleared */
    stage<S::WEIGHT_IMAGES * PLANE, BLOCK>(
        [&](int i) {
            return number<GATHERS>(g, sources[i / PLANE] * S::IMAGE +
                                          (size_t)(input * PLANE + i % PLANE));
        },
        [&](int i, float x) { in[work::plane::place(i / PLANE, i % PLANE)] = x; });
    stage<S::WEIGHT_IMAGES * Y_PLANES, BLOCK>(
        [&](int i) {
            const int n = min(first + i / Y_PLANES, g.batch - 1);
            return load_gradient<S>(g, (size_t)(n * S::OUTPUTS + output) * S::Y_PLANE +
                                           (size_t)(i % Y_PLANES));
        },
        [&](int i, gradient v) {
            if (first + i / Y_PLANES >= g.batch) v.d = 0.0f;
            float *plane = gradients + i / S::Y_PLANE * work::OUT_PLANE;
            spread<S>(v, i % S::Y_PLANE, [&](int at, float d) { plane[at] = d; });
        });
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
    __syncthreads();
    if (v == 0) { /* a fence of one thread covers what the block did before its barrier */
        __threadfence();
        *others = atomicInc(&g.finished[block], groups - 1); /* and 0 after the last */
        __threadfence();
    }
    __syncthreads();
    if (*others != groups - 1 || v >= work::VALUES) return;
    sum = 0;
    for (unsigned i = 0; i < groups; i++) sum += partial[i * work::VALUES + (unsigned)v];
    store_weight_gradient<S>(g, v, sum, input, output);
}

template <class S, bool GATHERS, int BLOCK>
static __device__ void weight_gradient(const conv_buffers &g, float *shared, unsigned index,
                                       unsigned groups)
{
    using work = weight_work<S>;
    const int block = (int)(index % work::BLOCKS), input = block % S::INPUTS;
    const int output = block / S::INPUTS * work::CHANNELS;
    const unsigned group = index / work::BLOCKS;
    const int thread = (int)threadIdx.x, tap_row = thread % KERNEL, split = thread / KERNEL;
    float dw[work::CHANNELS * KERNEL] = {}, db[work::CHANNELS] = {};
    work::plane::template clear<S::WEIGHT_IMAGES, BLOCK>(shared);
    for (int first = (int)group * S::WEIGHT_IMAGES; first < g.batch;
         first += (int)groups * S::WEIGHT_IMAGES) {
        stage_images<S, GATHERS, BLOCK>(g, shared, shared + work::PLANES, first, input, output);
        __syncthreads();
        if (thread < work::THREADS_USED)
            add_rows<S>(dw, db, shared, shared + work::PLANES, tap_row, split);
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

/* weight_blocks for dw, so many times as there are groups of images; then those for dx, if any. */
template <class S, bool GATHERS>
static __global__ void __launch_bounds__(backward_work<S>::BLOCK)
    conv_backward(conv_buffers g, unsigned weight_blocks)
{
    using work = backward_work<S>;
    SHARED_ARRAY(float, shared, work::SHARED);
    if (blockIdx.x < weight_blocks)
        weight_gradient<S, GATHERS, work::BLOCK>(g, shared, blockIdx.x,
                                                 weight_blocks / weight_work<S>::BLOCKS);
    else if (!GATHERS)
        data_gradient<S, work::BLOCK>(g, shared, (int)(blockIdx.x - weight_blocks));
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
    const dim3 grid((unsigned)g.batch, work::BLOCKS);
    if constexpr (S::INPUTS == 1)
        if (!g.x) return LAUNCH((conv_forward<S, true>), grid, work::BLOCK, 0, stream, g);
    return LAUNCH((conv_forward<S, false>), grid, work::BLOCK, 0, stream, g);
}

template <class S> static cudaError_t launch_backward(const conv_buffers &g, cudaStream_t stream)
{
    const unsigned weight_blocks = weight_work<S>::BLOCKS * weight_work<S>::groups(g.batch);
    const unsigned data_blocks = g.dx ? data_work<S>::BLOCKS * (unsigned)g.batch : 0;
    enum { BLOCK = backward_work<S>::BLOCK };
    if constexpr (S::INPUTS == 1)
        if (!g.x)
            return LAUNCH((conv_backward<S, true>), weight_blocks, BLOCK, 0, stream, g,
                          weight_blocks);
    return LAUNCH((conv_backward<S, false>), weight_blocks + data_blocks, BLOCK, 0, stream, g,
                  weight_blocks);
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
