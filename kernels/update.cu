/* The optimizers, and the factor that clips gradients by their norm. Formulas: backend.h. */
#include "kernels.h"
#include "reduce.h"

static __device__ inline float learning_rate(const mg_update &u) { return u.lr[u.state->slot]; }

/* The gradient that the optimizer sees: clipped, and with L2 decay. A NaN stays one. */
static __device__ inline float gradient(const mg_update &u, size_t i, float w)
{
    const float limit = u.spec.clip_value;
    float g = u.dw[i];
    if (u.clip) g *= u.clip[0];
    if (limit > 0.0f) g = g > limit ? limit : g < -limit ? -limit : g;
    if (u.spec.weight_decay > 0.0f && u.spec.kind != MG_OPTIMIZER_ADAMW)
        g += u.spec.weight_decay * w;
    return g;
}

/* log_beta = log(beta). 1 - beta^t = -expm1(t log beta) is exact to rounding for any t, where
 * 1 - powf(beta, t) loses half its digits for small ones. */
static __global__ void __launch_bounds__(THREADS)
    adam(mg_update u, float log_beta1, float log_beta2)
{
    SHARED_ARRAY(float, corrected, 2);
    if (threadIdx.x == 0) {
        const float t = (float)(u.state->step + 1);
        corrected[0] = learning_rate(u) / -expm1f(t * log_beta1);
        corrected[1] = sqrtf(-expm1f(t * log_beta2));
    }
    __syncthreads();
    const float rate = corrected[0], scale = corrected[1];
    const bool decoupled = u.spec.kind == MG_OPTIMIZER_ADAMW;
    const float keep = decoupled ? 1.0f - learning_rate(u) * u.spec.weight_decay : 1.0f;
    float *m = u.slots[0], *v = u.slots[1];
    for (size_t i = first_index(); i < u.length; i += index_stride()) {
        const float w = u.w[i], g = gradient(u, i, w);
        const float mi = m[i] + (1.0f - u.spec.beta1) * (g - m[i]);
        const float vi = u.spec.beta2 * v[i] + (1.0f - u.spec.beta2) * g * g;
        m[i] = mi;
        v[i] = vi;
        u.w[i] = keep * w - rate * mi / (sqrtf(vi) / scale + u.spec.eps);
    }
}

/* buf is zero before the first step, so that step needs no case of its own. */
static __global__ void __launch_bounds__(THREADS) sgd(mg_update u)
{
    const float lr = learning_rate(u), momentum = u.spec.momentum;
    float *buf = u.slots[0];
    for (size_t i = first_index(); i < u.length; i += index_stride()) {
        const float w = u.w[i], g = gradient(u, i, w);
        const float sum = momentum * buf[i] + g;
        buf[i] = sum;
        u.w[i] = w - lr * (u.spec.nesterov ? g + momentum * sum : sum);
    }
}

static __global__ void __launch_bounds__(THREADS) rmsprop(mg_update u)
{
    const float lr = learning_rate(u), rho = u.spec.rho;
    float *v = u.slots[0];
    for (size_t i = first_index(); i < u.length; i += index_stride()) {
        const float w = u.w[i], g = gradient(u, i, w);
        const float vi = rho * v[i] + (1.0f - rho) * g * g;
        v[i] = vi;
        u.w[i] = w - lr * g / (sqrtf(vi) + u.spec.eps);
    }
}

/* Block p computes part p's norm. In double, for a float's square may be beyond a float. */
static __global__ void __launch_bounds__(THREADS)
    part_norms(float *__restrict__ norms, const float *__restrict__ x, size_t length)
{
    const size_t end = (blockIdx.x + 1) * length / MG_CLIP_PARTS;
    double sum = 0;
    for (size_t i = blockIdx.x * length / MG_CLIP_PARTS + threadIdx.x; i < end; i += THREADS)
        sum += (double)x[i] * x[i];
    sum = block_sum(sum);
    if (threadIdx.x == 0) norms[blockIdx.x] = (float)sqrt(sum);
}

/* One block, a thread per part. */
static __global__ void __launch_bounds__(THREADS) clip_factor(float *clip, float clip_norm)
{
    static_assert((int)MG_CLIP_PARTS == (int)THREADS, "");
    const double part = clip[1 + threadIdx.x], sum = block_sum(part * part);
    if (threadIdx.x != 0) return;
    const double factor = clip_norm / (sqrt(sum) + 1e-6);
    clip[0] = factor > 1 ? 1.0f : (float)factor;
}

cudaError_t mg__launch_adam(const mg_update *u, cudaStream_t stream)
{
    return LAUNCH(adam, blocks_for(u->length), THREADS, 0, stream, *u,
                  (float)log((double)u->spec.beta1), (float)log((double)u->spec.beta2));
}

cudaError_t mg__launch_sgd(const mg_update *u, cudaStream_t stream)
{
    return LAUNCH(sgd, blocks_for(u->length), THREADS, 0, stream, *u);
}

cudaError_t mg__launch_rmsprop(const mg_update *u, cudaStream_t stream)
{
    return LAUNCH(rmsprop, blocks_for(u->length), THREADS, 0, stream, *u);
}

cudaError_t mg__launch_clip_norm(const mg_update *u, cudaStream_t stream)
{
    const cudaError_t e =
        LAUNCH(part_norms, MG_CLIP_PARTS, THREADS, 0, stream, u->clip + 1, u->dw, u->length);
    if (e != cudaSuccess) return e;
    return LAUNCH(clip_factor, 1, THREADS, 0, stream, u->clip, u->spec.clip_norm);
}
