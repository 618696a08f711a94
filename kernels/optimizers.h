/* The optimizers for a parameter, so that both the kernel over an arena (update.cu) and a layer's
 * own backward can apply them. Formulas: backend.h.
 *
 * A rule is made on the host; in a kernel every thread of a block calls begin(), then
 * apply<N>(rule, i, g) for the parameters i .. i+N-1 of the arenas and their gradients. */
#ifndef MG_OPTIMIZERS_H
#define MG_OPTIMIZERS_H

#include "kernels.h"
#include "reduce.h"

/* What the rules share. */
struct optimizer_rule {
    mg_update u;
    float rate; /* the step's learning rate */

    __device__ void begin() { rate = u.lr[u.state->slot]; }

    /* The gradient that the optimizer sees: clipped, and with L2 decay. A NaN stays one. */
    __device__ float gradient(float g, float w) const
    {
        const float limit = u.spec.clip_value;
        if (u.clip) g *= u.clip[0];
        if (limit > 0.0f) g = g > limit ? limit : g < -limit ? -limit : g;
        if (u.spec.weight_decay > 0.0f && u.spec.kind != MG_OPTIMIZER_ADAMW)
            g += u.spec.weight_decay * w;
        return g;
    }
};

/* AdamW too. */
struct adam_rule : optimizer_rule {
    enum { SLOTS = 2 };
    float log_beta1, log_beta2; /* 1 - beta^t = -expm1(t log beta) is exact to rounding for any t,
                                   where 1 - powf(beta, t) loses half its digits for small ones */
    float scale, keep;

    explicit adam_rule(const mg_update &update)
        : optimizer_rule{update, 0.0f}, log_beta1((float)log((double)update.spec.beta1)),
          log_beta2((float)log((double)update.spec.beta2)), scale(0.0f), keep(0.0f)
    {
    }

    __device__ void begin()
    {
        SHARED_ARRAY(float, corrected, 2);
        optimizer_rule::begin();
        keep = u.spec.kind == MG_OPTIMIZER_ADAMW ? 1.0f - rate * u.spec.weight_decay : 1.0f;
        if (thread_index() == 0) {
            const float t = (float)(u.state->step + 1);
            corrected[0] = rate / -expm1f(t * log_beta1);
            corrected[1] = sqrtf(-expm1f(t * log_beta2));
        }
        __syncthreads();
        rate = corrected[0];
        scale = corrected[1];
    }

    /* A parameter w with gradient dw and optimizer state s: its new value; s is updated. */
    __device__ float step(float w, float dw, float (&s)[SLOTS]) const
    {
        const float g = gradient(dw, w);
        s[0] += (1.0f - u.spec.beta1) * (g - s[0]);
        s[1] = u.spec.beta2 * s[1] + (1.0f - u.spec.beta2) * g * g;
        return keep * w - rate * s[0] / (sqrtf(s[1]) / scale + u.spec.eps);
    }
};

/* The buffer is zero before the first step, so that step needs no case of its own. */
struct sgd_rule : optimizer_rule {
    enum { SLOTS = 1 };
    explicit sgd_rule(const mg_update &update) : optimizer_rule{update, 0.0f} {}

    __device__ float step(float w, float dw, float (&s)[SLOTS]) const
    {
        const float g = gradient(dw, w);
        s[0] = u.spec.momentum * s[0] + g;
        return w - rate * (u.spec.nesterov ? g + u.spec.momentum * s[0] : s[0]);
    }
};

struct rmsprop_rule : optimizer_rule {
    enum { SLOTS = 1 };
    explicit rmsprop_rule(const mg_update &update) : optimizer_rule{update, 0.0f} {}

    __device__ float step(float w, float dw, float (&s)[SLOTS]) const
    {
        const float g = gradient(dw, w), rho = u.spec.rho;
        s[0] = rho * s[0] + (1.0f - rho) * g * g;
        return w - rate * g / (sqrtf(s[0]) + u.spec.eps);
    }
};

/* N floats that are read and written at once. */
template <int N> struct alignas(N * sizeof(float)) floats {
    float at[N];
};

/* N parameters with their optimizer state, from index i on, a multiple of N. Loading is apart, so
 * that it can come long before the gradients are known. */
template <int N, class Rule> struct parameters {
    enum { SLOTS = Rule::SLOTS };
    floats<N> w, s[SLOTS];

    __device__ void load(const Rule &rule, size_t i)
    {
        w = *(const floats<N> *)(rule.u.w + i);
        UNROLL
        for (int k = 0; k < SLOTS; k++) s[k] = *(const floats<N> *)(rule.u.slots[k] + i);
    }

    __device__ void update(const Rule &rule, size_t i, const floats<N> &g)
    {
        UNROLL
        for (int n = 0; n < N; n++) {
            float state[SLOTS];
            UNROLL
            for (int k = 0; k < SLOTS; k++) state[k] = s[k].at[n];
            w.at[n] = rule.step(w.at[n], g.at[n], state);
            UNROLL
            for (int k = 0; k < SLOTS; k++) s[k].at[n] = state[k];
        }
        *(floats<N> *)(rule.u.w + i) = w;
        UNROLL
        for (int k = 0; k < SLOTS; k++) *(floats<N> *)(rule.u.slots[k] + i) = s[k];
    }
};

/* launch(rule) with the rule that the update's spec names. */
template <class Launch> static cudaError_t with_rule(const mg_update &u, Launch launch)
{
    switch (u.spec.kind) {
    case MG_OPTIMIZER_SGD:
        return launch(sgd_rule(u));
    case MG_OPTIMIZER_RMSPROP:
        return launch(rmsprop_rule(u));
    default:
        return launch(adam_rule(u));
    }
}

#endif
