/* The optimizers, and the factor that clips gradients by their norm. Formulas: backend.h. */
#include "optimizers.h"
#include <float.h>

/* A thread takes WIDTH parameters at once. */
enum { WIDTH = 4 };

template <class Rule> static __global__ void __launch_bounds__(THREADS) update(Rule rule)
{
    rule.begin();
    for (size_t i = WIDTH * first_index(); i < rule.u.length; i += WIDTH * index_stride()) {
        const floats<WIDTH> g = *(const floats<WIDTH> *)(rule.u.dw + i);
        parameters<WIDTH, Rule> p;
        p.load(rule, i);
        p.update(rule, i, g);
    }
}

/* Norms of numbers x = scale s, for squares may be beyond a float: the sum of s s, by all threads
 * of a block. value(i) is x[i], first <= i < end; an infinite one makes the sum infinite, a NaN a
 * NaN. */
template <class Value>
static __device__ float scaled_squares(Value value, size_t first, size_t end, float &scale)
{
    float largest = 0.0f, sum = 0.0f;
    for (size_t i = first + threadIdx.x; i < end; i += THREADS)
        largest = fmaxf(largest, fabsf(value(i)));
    largest = fminf(block_largest(largest), FLT_MAX);
    scale = largest > 0.0f ? largest : 1.0f;
    for (size_t i = first + threadIdx.x; i < end; i += THREADS) {
        const float s = value(i) / scale;
        sum += s * s;
    }
    return block_sum(sum);
}

/* Block p computes part p's norm. */
static __global__ void __launch_bounds__(THREADS)
    part_norms(float *__restrict__ norms, const float *__restrict__ x, size_t length)
{
    const size_t part = blockIdx.x;
    float scale;
    const float sum = scaled_squares([=](size_t i) { return x[i]; }, part * length / MG_CLIP_PARTS,
                                     (part + 1) * length / MG_CLIP_PARTS, scale);
    if (threadIdx.x == 0) norms[part] = scale * sqrtf(sum);
}

/* One block. */
static __global__ void __launch_bounds__(THREADS) clip_factor(float *clip, float clip_norm)
{
    float scale;
    const float sum =
        scaled_squares([=](size_t i) { return clip[i]; }, 1, 1 + MG_CLIP_PARTS, scale);
    if (threadIdx.x != 0) return;
    const float factor = clip_norm / scale / (sqrtf(sum) + 1e-6f / scale);
    clip[0] = factor > 1.0f ? 1.0f : factor;
}

cudaError_t mg__launch_update(const mg_update *u, cudaStream_t stream)
{
    return with_rule(*u, [=](auto rule) {
        return LAUNCH(update<decltype(rule)>, blocks_for(u->length / WIDTH), THREADS, 0, stream,
                      rule);
    });
}

cudaError_t mg__launch_clip_norm(const mg_update *u, cudaStream_t stream)
{
    const cudaError_t e =
        LAUNCH(part_norms, MG_CLIP_PARTS, THREADS, 0, stream, u->clip + 1, u->dw, u->length);
    if (e != cudaSuccess) return e;
    return LAUNCH(clip_factor, 1, THREADS, 0, stream, u->clip, u->spec.clip_norm);
}
