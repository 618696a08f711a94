/* Layers that work on each number alone: activations, dropout. */
#include "grid.h"
#include "kernels.h"
#include "layers/dropout.h"

/* ---- activations: each a value and a gradient; dx is a function of dy and y ---- */

struct relu {
    __device__ float value(float x) const { return x <= 0.0f ? 0.0f : x; } /* a NaN stays one */
    __device__ float gradient(float dy, float y) const { return y > 0.0f ? dy : 0.0f; }
};

struct leaky_relu {
    float slope;
    __device__ float value(float x) const { return x > 0.0f ? x : slope * x; }
    __device__ float gradient(float dy, float y) const { return y > 0.0f ? dy : slope * dy; }
};

struct tanh_layer {
    __device__ float value(float x) const { return tanhf(x); }
    __device__ float gradient(float dy, float y) const { return dy * (1.0f - y * y); }
};

struct sigmoid {
    __device__ float value(float x) const { return 1.0f / (1.0f + expf(-x)); }
    __device__ float gradient(float dy, float y) const { return dy * y * (1.0f - y); }
};

template <class F>
static __global__ void __launch_bounds__(THREADS)
    activation(float *__restrict__ y, const float *__restrict__ x, size_t count, F f)
{
    for (size_t i = first_index(); i < count; i += index_stride()) y[i] = f.value(x[i]);
}

template <class F>
static __global__ void __launch_bounds__(THREADS)
    activation_backward(float *__restrict__ dx, const float *__restrict__ dy,
                        const float *__restrict__ y, size_t count, F f)
{
    for (size_t i = first_index(); i < count; i += index_stride()) dx[i] = f.gradient(dy[i], y[i]);
}

/* Calls launch(f) with the layer's f. */
template <class Launch> static cudaError_t with_activation(const mg_layer *layer, Launch launch)
{
    switch (layer->kind) {
    case MG_LAYER_LEAKY_RELU:
        return launch(leaky_relu{(float)layer->args.leaky_relu.slope});
    case MG_LAYER_TANH:
        return launch(tanh_layer{});
    case MG_LAYER_SIGMOID:
        return launch(sigmoid{});
    default:
        return launch(relu{});
    }
}

cudaError_t mg__launch_activation(const mg_layer *layer, float *y, const float *x, size_t count,
                                  cudaStream_t stream)
{
    return with_activation(layer, [=](auto f) {
        return LAUNCH(activation<decltype(f)>, blocks_for(count), THREADS, 0, stream, y, x, count,
                      f);
    });
}

cudaError_t mg__launch_activation_backward(const mg_layer *layer, float *dx, const float *dy,
                                           const float *y, size_t count, cudaStream_t stream)
{
    return with_activation(layer, [=](auto f) {
        return LAUNCH(activation_backward<decltype(f)>, blocks_for(count), THREADS, 0, stream, dx,
                      dy, y, count, f);
    });
}

/* ---- dropout: a thread draws for four numbers ---- */

static __global__ void __launch_bounds__(THREADS)
    dropout(float *__restrict__ out, const float *__restrict__ in,
            const mg_step_state *__restrict__ state, size_t count, uint32_t layer,
            uint32_t threshold, float scale)
{
    const uint64_t seed = state->seed;
    const uint32_t step = state->step;
    for (size_t block = first_index(); 4 * block < count; block += index_stride()) {
        const mg_philox words = mg__dropout_words(seed, step, layer, block);
        for (size_t i = 0; i < 4; i++)
            if (4 * block + i < count)
                out[4 * block + i] = in[4 * block + i] * (words.v[i] < threshold ? 0.0f : scale);
    }
}

cudaError_t mg__launch_dropout(const mg_layer *layer, float *out, const float *in,
                               const mg_step_state *state, size_t count, cudaStream_t stream)
{
    const double rate = layer->args.dropout.rate;
    return LAUNCH(dropout, blocks_for((count + 3) / 4), THREADS, 0, stream, out, in, state, count,
                  (uint32_t)layer->index, mg__dropout_threshold(rate), mg__dropout_scale(rate));
}
