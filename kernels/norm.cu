/* Batch normalisation; formulas in src/layers/batchnorm.c. A channel's sums are taken in parts, a
 * block each, so that few channels of many images fill a GPU too; a second kernel puts them
 * together. Only valid rows take part. */
#include "kernels.h"
#include "reduce.h"

/* What a block has of its part of a channel. */
struct part_sums {
    float first, second;
};

/* The images of part `part`: first .. end-1. */
struct images {
    size_t first, end;
};
static __device__ images images_of(unsigned part, unsigned parts, size_t rows)
{
    return {part * rows / parts, (part + 1) * rows / parts};
}

/* Block (c, part): the mean of its values, and the sum of their squared distances from it. */
static __global__ void __launch_bounds__(THREADS)
    measure_parts(part_sums *__restrict__ out, const float *__restrict__ x,
                  const mg_step_state *__restrict__ state, size_t channels, size_t size,
                  unsigned parts)
{
    const size_t c = blockIdx.x / parts;
    const images of = images_of(blockIdx.x % parts, parts, valid_rows(state));
    float sum = 0, squares = 0;
    for (size_t n = of.first + threadIdx.y; n < of.end; n += blockDim.y)
        for (size_t i = threadIdx.x; i < size; i += blockDim.x)
            sum += x[(n * channels + c) * size + i];
    sum = block_sum(sum);
    const float mean = of.first < of.end ? sum / (float)((of.end - of.first) * size) : 0.0f;
    for (size_t n = of.first + threadIdx.y; n < of.end; n += blockDim.y)
        for (size_t i = threadIdx.x; i < size; i += blockDim.x) {
            const float d = x[(n * channels + c) * size + i] - mean;
            squares += d * d;
        }
    squares = block_sum(squares);
    if (thread_index() == 0) out[blockIdx.x] = {mean, squares};
}

/* One block per channel, a thread per part (Chan, Golub & LeVeque 1983, eq. 2.1, for many parts):
 * sum of squares = sum over parts of theirs, and of count (mean of the part - mean)^2. */
static __global__ void __launch_bounds__(THREADS)
    measure(float *__restrict__ mean, float *__restrict__ var, float *__restrict__ running_mean,
            float *__restrict__ running_var, const part_sums *__restrict__ in,
            const mg_step_state *__restrict__ state, size_t size, unsigned parts, float momentum)
{
    const size_t c = blockIdx.x, rows = valid_rows(state);
    const images of = images_of(threadIdx.x, parts, rows);
    const bool used = threadIdx.x < parts;
    const part_sums part = used ? in[c * parts + threadIdx.x] : part_sums{0.0f, 0.0f};
    const float count = used ? (float)((of.end - of.first) * size) : 0.0f;
    const float all = (float)(rows * size);
    if (rows == 0) return; /* past the epoch's end: the whole grid */
    const float m = block_sum(count * part.first) / all;
    const float distance = part.first - m;
    const float squares = block_sum(part.second + count * distance * distance);
    if (threadIdx.x != 0) return;
    mean[c] = m;
    var[c] = squares / all;
    running_mean[c] += momentum * (m - running_mean[c]);
    if (all > 1.0f) running_var[c] += momentum * (squares / (all - 1.0f) - running_var[c]);
}

static __global__ void __launch_bounds__(THREADS)
    normalise(float *__restrict__ y, const float *__restrict__ x, const float *__restrict__ mean,
              const float *__restrict__ var, const float *__restrict__ w,
              const float *__restrict__ b, size_t planes, size_t channels, size_t size, float eps)
{
    for (size_t p = first_plane(); p < planes; p += plane_stride()) {
        const size_t c = p % channels;
        const float m = mean[c], scale = w[c] / sqrtf(var[c] + eps), shift = b[c];
        for (size_t i = threadIdx.x; i < size; i += blockDim.x)
            y[p * size + i] = (x[p * size + i] - m) * scale + shift;
    }
}

/* Block (c, part): the sums of dy and of dy (x - mean). */
static __global__ void __launch_bounds__(THREADS)
    gradient_parts(part_sums *__restrict__ out, const float *__restrict__ dy,
                   const float *__restrict__ x, const float *__restrict__ mean,
                   const mg_step_state *__restrict__ state, size_t channels, size_t size,
                   unsigned parts)
{
    const size_t c = blockIdx.x / parts;
    const images of = images_of(blockIdx.x % parts, parts, valid_rows(state));
    const float m = mean[c];
    float sum = 0, sum_x = 0;
    for (size_t n = of.first + threadIdx.y; n < of.end; n += blockDim.y)
        for (size_t i = threadIdx.x; i < size; i += blockDim.x) {
            const size_t at = (n * channels + c) * size + i;
            sum += dy[at];
            sum_x += dy[at] * (x[at] - m);
        }
    sum = block_sum(sum);
    sum_x = block_sum(sum_x);
    if (thread_index() == 0) out[blockIdx.x] = {sum, sum_x};
}

/* One block per channel, a thread per part. */
static __global__ void __launch_bounds__(THREADS)
    gradient(float *__restrict__ dw, float *__restrict__ db, const part_sums *__restrict__ in,
             const float *__restrict__ var, unsigned parts, float eps)
{
    const size_t c = blockIdx.x;
    const part_sums part =
        threadIdx.x < parts ? in[c * parts + threadIdx.x] : part_sums{0.0f, 0.0f};
    const float sum = block_sum(part.first), sum_x = block_sum(part.second);
    if (threadIdx.x != 0) return;
    db[c] = sum;
    dw[c] = sum_x / sqrtf(var[c] + eps);
}

static __global__ void __launch_bounds__(THREADS)
    input_gradient(float *__restrict__ dx, const float *__restrict__ dy,
                   const float *__restrict__ x, const float *__restrict__ mean,
                   const float *__restrict__ var, const float *__restrict__ w,
                   const float *__restrict__ dw, const float *__restrict__ db,
                   const mg_step_state *__restrict__ state, size_t planes, size_t channels,
                   size_t size, float eps)
{
    const size_t rows = valid_rows(state);
    const float count = (float)(rows * size);
    for (size_t p = first_plane(); p < planes; p += plane_stride()) {
        const size_t c = p % channels;
        const float m = mean[c], inv = 1.0f / sqrtf(var[c] + eps), scale = w[c] * inv;
        const float shift = db[c] / count, per_x = dw[c] * inv / count;
        const bool valid = p / channels < rows;
        for (size_t i = threadIdx.x; i < size; i += blockDim.x) {
            const size_t at = p * size + i;
            dx[at] = valid ? scale * (dy[at] - shift - (x[at] - m) * per_x) : 0.0f;
        }
    }
}

/* ---- launchers ---- */

static size_t plane_size(const mg_op *op)
{
    return (size_t)op->layer->in.h * (size_t)op->layer->in.w;
}

static unsigned parts_of(const mg_op *op)
{
    const size_t worth_a_block = 8192, images = (size_t)op->batch;
    const size_t most = images < THREADS ? images : size_t(THREADS);
    const size_t parts = (images * plane_size(op) + worth_a_block - 1) / worth_a_block;
    return (unsigned)(parts < most ? parts : most);
}

size_t mg__batchnorm_scratch(const mg_op *op)
{
    return (size_t)op->layer->in.c * parts_of(op) * sizeof(part_sums);
}

static cudaError_t launch_measure(const mg_op *op, float *mean, float *var, part_sums *scratch,
                                  cudaStream_t stream)
{
    const size_t channels = (size_t)op->layer->in.c, size = plane_size(op);
    const unsigned parts = parts_of(op);
    const cudaError_t e = LAUNCH(measure_parts, (unsigned)channels * parts, plane_block(size), 0,
                                 stream, scratch, op->x, op->feed->state, channels, size, parts);
    if (e != cudaSuccess) return e;
    return LAUNCH(measure, (unsigned)channels, THREADS, 0, stream, mean, var, op->running_mean,
                  op->running_var, scratch, op->feed->state, size, parts,
                  (float)op->layer->args.batchnorm.momentum);
}

cudaError_t mg__launch_batchnorm(const mg_op *op, float *mean, float *var, void *scratch,
                                 cudaStream_t stream)
{
    const size_t channels = (size_t)op->layer->in.c, size = plane_size(op);
    const size_t planes = (size_t)op->batch * channels;
    if (op->training) {
        const cudaError_t e =
            launch_measure(op, mean, var, static_cast<part_sums *>(scratch), stream);
        if (e != cudaSuccess) return e;
    }
    return LAUNCH(normalise, plane_blocks(planes, size), plane_block(size), 0, stream, op->y, op->x,
                  op->training ? mean : op->running_mean, op->training ? var : op->running_var,
                  op->w, op->b, planes, channels, size, (float)op->layer->args.batchnorm.eps);
}

cudaError_t mg__launch_batchnorm_backward(const mg_op *op, const float *mean, const float *var,
                                          void *scratch, cudaStream_t stream)
{
    const size_t channels = (size_t)op->layer->in.c, size = plane_size(op);
    const size_t planes = (size_t)op->batch * channels;
    const float eps = (float)op->layer->args.batchnorm.eps;
    const unsigned parts = parts_of(op);
    part_sums *sums = static_cast<part_sums *>(scratch);
    cudaError_t e = LAUNCH(gradient_parts, (unsigned)channels * parts, plane_block(size), 0, stream,
                           sums, op->dy, op->x, mean, op->feed->state, channels, size, parts);
    if (e == cudaSuccess)
        e = LAUNCH(gradient, (unsigned)channels, THREADS, 0, stream, op->dw, op->db, sums, var,
                   parts, eps);
    if (e != cudaSuccess || !op->dx) return e;
    return LAUNCH(input_gradient, plane_blocks(planes, size), plane_block(size), 0, stream, op->dx,
                  op->dy, op->x, mean, var, op->w, op->dw, op->db, op->feed->state, planes,
                  channels, size, eps);
}
