/* Augmentation: layers/augment.h in integers, one block per row of the batch. The whole is a fixed
 * amount of work that depends on device memory and on constants of the pass alone. */
#include "grid.h"
#include "kernels.h"
#include "philox.h"

enum { SIDE = MG_AUGMENT_POINTS, CONTROLS = SIDE * SIDE };

/* What is drawn for a row, in the block's shared memory. */
struct drawn {
    int32_t m[4]; /* M, by rows, in 1/65536 */
    int32_t shift[2];
    int32_t control[2][CONTROLS];
    int32_t stroke;
};

static __device__ int32_t draw(uint32_t word, int32_t range)
{
    const uint64_t values = (uint64_t)(2 * (int64_t)range + 1);
    return (int32_t)(word * values >> 32) - range;
}

static __device__ void draw_scalars(drawn *d, const mg_augment &a, uint64_t seed, uint32_t row,
                                    uint32_t step)
{
    const int64_t one = 1 << 16;
    const mg_philox r = mg__philox(seed, MG_AUGMENT_MATRIX, row, step, MG_AUGMENT_TAG);
    const int64_t t = draw(r.v[0], a.rotation), zoom = draw(r.v[1], a.zoom);
    const int64_t stretch = draw(r.v[2], a.stretch), shear = draw(r.v[3], a.shear);
    const int64_t sum = (one << 16) + t * t; /* 1 + t^2 */
    const int64_t cosine = (((one << 16) - t * t) << 16) / sum;
    const int64_t sine = 2 * t * (one << 16) / sum;
    d->m[0] = (int32_t)((cosine * (one + zoom + stretch)) >> 16);
    d->m[1] = (int32_t)((cosine * shear - sine * (one + zoom - stretch)) >> 16);
    d->m[2] = (int32_t)((sine * (one + zoom + stretch)) >> 16);
    d->m[3] = (int32_t)((sine * shear + cosine * (one + zoom - stretch)) >> 16);
    const mg_philox p = mg__philox(seed, MG_AUGMENT_SHIFT, row, step, MG_AUGMENT_TAG);
    d->shift[0] = draw(p.v[0], a.shift_x);
    d->shift[1] = draw(p.v[1], a.shift_y);
    d->stroke = draw(p.v[2], a.stroke);
}

/* Thread i < CONTROLS draws control point i, the one after them the rest. */
static __device__ void draw_row(drawn *d, const mg_augment &a, uint64_t seed, uint32_t row,
                                uint32_t step)
{
    const uint32_t i = threadIdx.x;
    if (i < CONTROLS) {
        const mg_philox e = mg__philox(seed, MG_AUGMENT_CONTROL + i, row, step, MG_AUGMENT_TAG);
        d->control[0][i] = draw(e.v[0], a.elastic_x);
        d->control[1][i] = draw(e.v[1], a.elastic_y);
    }
    if (i == CONTROLS) draw_scalars(d, a, seed, row, step);
}

/* ---- warp ---- */

static __device__ int32_t clamp(int32_t v, int32_t last) { return v < 0 ? 0 : v > last ? last : v; }

/* A pixel's place among the control points, along one side. */
struct knot {
    int32_t first, w0, w1, w2, w3; /* weights in 1/1024 */
};

static __device__ knot find_knot(int32_t i, int32_t size)
{
    const int32_t place = (2 * i + 1) * (128 * MG_AUGMENT_CELLS) / size; /* in 1/256 cell */
    const int32_t u = place % 256, v = 256 - u, sixths = 6 * (256 * 256 * 256 / 1024);
    knot k;
    k.first = place / 256;
    k.w0 = v * v * v / sixths;
    k.w1 = (u * u * (3 * u - 6 * 256) + 4 * 256 * 256 * 256) / sixths;
    k.w3 = u * u * u / sixths;
    k.w2 = 1024 - (k.w0 + k.w1 + k.w3);
    return k;
}

/* One direction's displacement, in 1/256 pixel. */
static __device__ int32_t displacement(const int32_t *control, const knot &kx, const knot &ky)
{
    const int32_t *p = control + ky.first * SIDE + kx.first;
    const auto down = [&](int i) {
        return (ky.w0 * p[i] + ky.w1 * p[SIDE + i] + ky.w2 * p[2 * SIDE + i] +
                ky.w3 * p[3 * SIDE + i] + 512) >>
               10;
    };
    return (kx.w0 * down(0) + kx.w1 * down(1) + kx.w2 * down(2) + kx.w3 * down(3) + 512) >> 10;
}

/* Pixel (x, y), which is one of the image, with its stroke changed. */
static __device__ int32_t stroked(const uint8_t *image, int32_t x, int32_t y, int32_t w, int32_t h,
                                  int32_t stroke)
{
    const uint8_t *at = image + (size_t)y * w + x;
    const int32_t p = *at;
    if (stroke == 0) return p;
    const int32_t left = x > 0 ? at[-1] : p, right = x + 1 < w ? at[1] : p;
    const int32_t up = y > 0 ? *(at - w) : p, down = y + 1 < h ? at[w] : p;
    if (stroke > 0) {
        const int32_t most = max(p, max(max(left, right), max(up, down)));
        return p + (((most - p) * stroke + 128) >> 8);
    }
    const int32_t least = min(p, min(min(left, right), min(up, down)));
    return p - (((p - least) * -stroke + 128) >> 8);
}

/* The value at (from_x, from_y), in 1/256 pixel. */
static __device__ int32_t sample(const uint8_t *image, int32_t from_x, int32_t from_y, int32_t w,
                                 int32_t h, int32_t stroke)
{
    const int32_t fx = from_x & 255, fy = from_y & 255;
    const int32_t x0 = clamp(from_x >> 8, w - 1), x1 = clamp((from_x >> 8) + 1, w - 1);
    const int32_t y0 = clamp(from_y >> 8, h - 1), y1 = clamp((from_y >> 8) + 1, h - 1);
    const int32_t sum = stroked(image, x0, y0, w, h, stroke) * (256 - fx) * (256 - fy) +
                        stroked(image, x1, y0, w, h, stroke) * fx * (256 - fy) +
                        stroked(image, x0, y1, w, h, stroke) * (256 - fx) * fy +
                        stroked(image, x1, y1, w, h, stroke) * fx * fy;
    return (sum + 32768) >> 16;
}

static __device__ int32_t noise(uint64_t seed, size_t p, uint32_t row, uint32_t step,
                                int32_t amount)
{
    const mg_philox r = mg__philox(seed, (uint32_t)(p / 4), row, step, MG_AUGMENT_NOISE_TAG);
    const uint32_t low = p % 2 ? r.v[1] : r.v[0], high = p % 2 ? r.v[3] : r.v[2];
    const uint32_t word = p % 4 < 2 ? low : high;
    const uint32_t pairs = (word & 0x00ff00ffu) + (word >> 8 & 0x00ff00ffu);
    return (((int32_t)((pairs & 0xffff) + (pairs >> 16)) - 510) * amount + 32768) >> 16;
}

/* ---- the kernel ---- */

static __global__ void __launch_bounds__(THREADS)
    gather_augmented(float *__restrict__ y, uint8_t *__restrict__ batch_labels,
                     const float *__restrict__ table, const uint8_t *__restrict__ pixels,
                     const uint8_t *__restrict__ labels, const uint32_t *__restrict__ order,
                     const mg_step_state *__restrict__ state, int channels, int height, int width,
                     mg_augment ranges)
{
    SHARED_ARRAY(drawn, shared, 1);
    const uint32_t row = blockIdx.x, position = state->cursor + row, step = state->step;
    const uint64_t seed = state->seed;
    const size_t plane = (size_t)height * width, size = plane * channels;
    y += row * size;
    if (row >= state->batch || position >= state->count) { /* the same for the whole block */
        for (size_t p = threadIdx.x; p < size; p += THREADS) y[p] = 0.0f;
        if (threadIdx.x == 0) batch_labels[row] = 0;
        return;
    }
    drawn *const d = shared;
    draw_row(d, ranges, seed, row, step);
    __syncthreads();
    const size_t image = order ? order[position] : position;
    const uint8_t *source = pixels + image * size;
    const bool elastic = ranges.elastic_x || ranges.elastic_y;
    for (uint32_t p = threadIdx.x; p < plane; p += THREADS) {
        const int32_t i = (int32_t)(p / (uint32_t)width), j = (int32_t)(p % (uint32_t)width);
        const int32_t dx = 2 * j - (width - 1), dy = 2 * i - (height - 1);
        /* in 1/131072 pixel, then 1/256 */
        int32_t from_x = (width - 1) * 65536 + d->m[0] * dx + d->m[1] * dy + d->shift[0] * 512;
        int32_t from_y = (height - 1) * 65536 + d->m[2] * dx + d->m[3] * dy + d->shift[1] * 512;
        from_x = (from_x + 256) >> 9;
        from_y = (from_y + 256) >> 9;
        if (elastic) {
            const knot kx = find_knot(j, width), ky = find_knot(i, height);
            from_x += displacement(d->control[0], kx, ky);
            from_y += displacement(d->control[1], kx, ky);
        }
        for (int c = 0; c < channels; c++) {
            const size_t at = c * plane + p;
            int32_t v = sample(source + c * plane, from_x, from_y, width, height, d->stroke);
            if (ranges.noise) v += noise(seed, at, row, step, ranges.noise);
            y[at] = table[clamp(v, 255)];
        }
    }
    if (threadIdx.x == 0) batch_labels[row] = labels[image];
}

cudaError_t mg__launch_gather_augmented(float *y, const float *table, const mg_feed *feed,
                                        int batch, int channels, int height, int width,
                                        cudaStream_t stream)
{
    return LAUNCH(gather_augmented, (unsigned)batch, THREADS, 0, stream, y, feed->batch_labels,
                  table, feed->pixels, feed->labels, feed->order, feed->state, channels, height,
                  width, feed->augment);
}
