/* The reference backend: the plain loops of src/layers, one after another, and optimizers in
 * double. */
#include "host.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void adam(const mg_update *u)
{
    const double t = u->state->step + 1.0, lr = u->state->lr, b1 = u->beta1, b2 = u->beta2;
    const double rate = lr / (1 - pow(b1, t)), scale = sqrt(1 - pow(b2, t));
    float *m = u->slots[0], *v = u->slots[1];
    for (size_t i = 0; i < u->length; i++) {
        const double g = u->dw[i];
        m[i] = (float)(m[i] + (1 - b1) * (g - m[i]));
        v[i] = (float)(b2 * v[i] + (1 - b2) * g * g);
        u->w[i] = (float)(u->w[i] - rate * m[i] / (sqrt((double)v[i]) / scale + u->eps));
    }
}

static void sgd(const mg_update *u)
{
    float *buf = u->slots[0];
    for (size_t i = 0; i < u->length; i++) {
        buf[i] = (float)((double)u->momentum * buf[i] + u->dw[i]); /* buf starts at 0 */
        u->w[i] = (float)(u->w[i] - (double)u->state->lr * buf[i]);
    }
}

static mg_status optimizer_step(mg_backend *be, const mg_update *update)
{
    (void)be;
    switch (update->kind) {
    case MG_OPTIMIZER_ADAM:
        adam(update);
        break;
    case MG_OPTIMIZER_SGD:
        sgd(update);
        break;
    case MG_OPTIMIZER_COUNT:
        break;
    }
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
