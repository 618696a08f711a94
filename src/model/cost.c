#include "model/cost.h"

/* A tensor's room in an arena. */
static uint64_t room(uint64_t floats) { return (floats + 63) / 64 * 64 * sizeof(float); }

/* Does the layer have a dx? Only if there are parameters before it. */
static bool has_dx(const mg_model *m, int layer)
{
    for (int i = 0; i < layer; i++)
        if (m->layers[i].tensor_count > 0) return true;
    return false;
}

mg_cost mg__layer_cost(const mg_model *m, int layer, int batch, int slots)
{
    const mg_layer *l = &m->layers[layer];
    const unsigned products = 1u + (l->tensor_count > 0) + has_dx(m, layer);
    mg_cost c = {.forward_flops = mg__layer_flops(l)};
    c.step_flops = c.forward_flops * (uint64_t)batch * products;
    for (int t = 0; t < l->tensor_count; t++) {
        if (l->tensors[t].trainable) c.params += l->tensors[t].count;
        c.param_bytes += room(l->tensors[t].count);
    }
    c.gradient_bytes = c.param_bytes;
    c.optimizer_bytes = c.param_bytes * (uint64_t)slots;
    c.output_bytes = c.delta_bytes = room(mg_shape_size(l->out) * (uint64_t)batch);
    return c;
}

mg_cost mg__model_cost(const mg_model *m, int batch, int slots)
{
    mg_cost sum = {0};
    for (int i = 0; i < m->layer_count; i++) {
        const mg_cost c = mg__layer_cost(m, i, batch, slots);
        sum.params += c.params;
        sum.forward_flops += c.forward_flops;
        sum.step_flops += c.step_flops;
        sum.param_bytes += c.param_bytes;
        sum.gradient_bytes += c.gradient_bytes;
        sum.optimizer_bytes += c.optimizer_bytes;
        sum.output_bytes += c.output_bytes;
        sum.delta_bytes += c.delta_bytes;
    }
    return sum;
}
