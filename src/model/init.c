/* How parameters start. With n inputs to an output of the layer and m outputs that an input goes to
 * (of a convolution: channels times taps),
 *
 *     glorot         uniform, +-sqrt(6 / (n + m))          Glorot & Bengio 2010, eq. 16
 *     glorot_normal  normal, deviation sqrt(2 / (n + m))   the same, eq. 12
 *     he             uniform, +-sqrt(6 / n)                He et al. 2015, eq. 10, as a uniform one
 *     he_normal      normal, deviation sqrt(2 / n)         the same
 *     torch          uniform, +-1 / sqrt(n)                PyTorch's Linear and Conv2d; biases too
 *     normal:S       normal, deviation S
 *     C              the number C
 *
 * all of mean 0. Keras and PyTorch have the same under these names, but that Keras cuts its normal
 * distributions off. */
#include "model/spec.h"
#include "philox.h"
#include <math.h>
#include <string.h>

typedef struct distribution {
    bool normal;
    float spread; /* a uniform one's limit, a normal one's standard deviation */
} distribution;

static distribution distribution_of(const mg_tensor *t)
{
    const float in = (float)t->fan_in, both = (float)(t->fan_in + t->fan_out);
    switch (t->init.kind) {
    case MG_INIT_GLOROT:
        return (distribution){false, sqrtf(6 / both)};
    case MG_INIT_GLOROT_NORMAL:
        return (distribution){true, sqrtf(2 / both)};
    case MG_INIT_HE:
        return (distribution){false, sqrtf(6 / in)};
    case MG_INIT_HE_NORMAL:
        return (distribution){true, sqrtf(2 / in)};
    case MG_INIT_TORCH:
        return (distribution){false, 1 / sqrtf(in)};
    case MG_INIT_NORMAL:
        return (distribution){true, (float)t->init.value};
    case MG_INIT_CONSTANT:
        break;
    }
    return (distribution){0};
}

/* Normal numbers, two from two uniform ones (Box & Muller 1958); 1 - u is not 0. */
static float normal(const mg_philox *words, int i)
{
    const double pi = 3.14159265358979323846;
    const double u = mg__philox_unit(words->v[i & ~1]), v = mg__philox_unit(words->v[i | 1]);
    const double radius = sqrt(-2 * log(1 - u)), angle = 2 * pi * v;
    return (float)(radius * (i % 2 ? sin(angle) : cos(angle)));
}

static void draw(float *w, const mg_tensor *t, uint32_t index, uint64_t seed)
{
    const distribution d = distribution_of(t);
    for (size_t i = 0; i < t->count; i++) {
        const mg_philox r = mg__philox(seed, (uint32_t)(i / 4), (uint32_t)(i / 4 >> 32), index,
                                       0x696e6974u /* "init" */);
        w[i] = d.spread *
               (d.normal ? normal(&r, (int)(i % 4)) : 2.0f * mg__philox_unit(r.v[i % 4]) - 1.0f);
    }
}

void mg__model_init(const mg_model *model, float *params, uint64_t seed)
{
    memset(params, 0, model->arena_length * sizeof *params);
    const int tensors = mg__model_tensor_count(model);
    for (int index = 0; index < tensors; index++) {
        const mg_tensor *t = mg__model_tensor(model, index);
        float *w = params + t->offset;
        if (t->init.kind == MG_INIT_CONSTANT)
            for (size_t i = 0; i < t->count; i++) w[i] = (float)t->init.value;
        else
            draw(w, t, (uint32_t)index, seed);
    }
}
