#include "model/spec.h"
#include "philox.h"
#include <math.h>
#include <string.h>

void mg__model_init(const mg_model *model, float *params, uint64_t seed)
{
    memset(params, 0, model->arena_length * sizeof *params);
    const int tensors = mg__model_tensor_count(model);
    for (int index = 0; index < tensors; index++) {
        const mg_tensor *t = mg__model_tensor(model, index);
        for (size_t i = 0; !t->fan_in && i < t->count; i++) params[t->offset + i] = t->start;
        if (!t->fan_in) continue;
        const float limit = sqrtf(6.0f / (float)(t->fan_in + t->fan_out));
        for (size_t i = 0; i < t->count; i++) {
            const mg_philox r = mg__philox(seed, (uint32_t)(i / 4), (uint32_t)(i / 4 >> 32),
                                           (uint32_t)index, 0x696e6974u /* "init" */);
            params[t->offset + i] = limit * (2.0f * mg__philox_unit(r.v[i % 4]) - 1.0f);
        }
    }
}
