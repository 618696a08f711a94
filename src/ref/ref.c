/* The reference backend: the plain loops of src/layers, one after another, and optimizers in
 * double. */
#include "host.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static double learning_rate(const mg_update *u) { return u->lr[u->state->slot]; }

/* The gradient that the optimizer sees: clipped, and with L2 decay. */
static double gradient(const mg_update *u, size_t i)
{
    const double limit = u->spec.clip_value;
    double g = u->dw[i];
    if (u->clip) g *= u->clip[0];
    if (limit > 0) g = g > limit ? limit : g < -limit ? -limit : g;
    if (u->spec.kind != MG_OPTIMIZER_ADAMW) g += (double)u->spec.weight_decay * u->w[i];
    return g;
}

static void adam(const mg_update *u)
{
    const double t = u->state->step + 1.0, lr = learning_rate(u);
    const double b1 = u->spec.beta1, b2 = u->spec.beta2;
    const double rate = lr / (1 - pow(b1, t)), scale = sqrt(1 - pow(b2, t));
    const bool decoupled = u->spec.kind == MG_OPTIMIZER_ADAMW;
    const double keep = decoupled ? 1 - lr * u->spec.weight_decay : 1;
    float *m = u->slots[0], *v = u->slots[1];
    for (size_t i = 0; i < u->length; i++) {
        const double g = gradient(u, i);
        m[i] = (float)(m[i] + (1 - b1) * (g - m[i]));
        v[i] = (float)(b2 * v[i] + (1 - b2) * g * g);
        const double step = rate * m[i] / (sqrt((double)v[i]) / scale + u->spec.eps);
        u->w[i] = (float)(keep * u->w[i] - step);
    }
}

static void sgd(const mg_update *u)
{
    const double lr = learning_rate(u), momentum = u->spec.momentum;
    float *buf = u->slots[0];
    for (size_t i = 0; i < u->length; i++) {
        const double g = gradient(u, i);
        buf[i] = (float)(momentum * buf[i] + g); /* buf starts at 0 */
        u->w[i] = (float)(u->w[i] - lr * (u->spec.nesterov ? g + momentum * buf[i] : buf[i]));
    }
}

static void rmsprop(const mg_update *u)
{
    const double lr = learning_rate(u), rho = u->spec.rho;
    float *v = u->slots[0];
    for (size_t i = 0; i < u->length; i++) {
        const double g = gradient(u, i);
        v[i] = (float)(rho * v[i] + (1 - rho) * g * g);
        u->w[i] = (float)(u->w[i] - lr * g / (sqrt((double)v[i]) + u->spec.eps));
    }
}

static mg_status optimizer_step(mg_backend *be, const mg_update *update)
{
    (void)be;
    switch (update->spec.kind) {
    case MG_OPTIMIZER_ADAM:
    case MG_OPTIMIZER_ADAMW:
        adam(update);
        break;
    case MG_OPTIMIZER_SGD:
        sgd(update);
        break;
    case MG_OPTIMIZER_RMSPROP:
        rmsprop(update);
        break;
    case MG_OPTIMIZER_COUNT:
        break;
    }
    return MG_OK;
}

static mg_status clip_norm(mg_backend *be, const mg_update *u)
{
    (void)be;
    double sum = 0;
    for (size_t i = 0; i < u->length; i++) sum += (double)u->dw[i] * u->dw[i];
    const double factor = u->spec.clip_norm / (sqrt(sum) + 1e-6);
    u->clip[0] = factor > 1 ? 1 : (float)factor;
    return MG_OK;
}

static void close_ref(mg_backend *be) { free(be); }

static const mg_layer_ops *const layers[MG_LAYER_COUNT] = {
#define MG_LAYER(ID, name) [MG_LAYER_##ID] = &mg_ref_##name,
#include "layers/layers.def"
#undef MG_LAYER
};

static const mg_backend_ops ops = {
    .name = "ref",
    .layers = layers,
    .alloc = mg__host_alloc,
    .release = mg__host_release,
    .upload = mg__host_upload,
    .download = mg__host_download,
    .sync = mg__host_sync,
    .optimizer_step = optimizer_step,
    .clip_norm = clip_norm,
    .advance = mg__host_advance,
    .repeat = mg__host_repeat,
    .recording_free = mg__host_recording_free,
    .time = mg__host_time,
    .close = close_ref,
};

mg_status mg__ref_open(mg_backend **out)
{
    mg_backend *be = calloc(1, sizeof *be);
    if (!be) return mg__fail(MG_ERR_MEMORY, "out of memory for the reference backend");
    be->ops = &ops;
    snprintf(be->description, sizeof be->description, "reference (plain loops, double sums)");
    *out = be;
    return MG_OK;
}
