#include "layers/layer.h"
#include <stdio.h>

const mg_layer_type *const mg_layer_types[MG_LAYER_COUNT] = {
#define MG_LAYER(ID, name) [MG_LAYER_##ID] = &mg_type_##name,
#include "layers/layers.def"
#undef MG_LAYER
};

void mg__layer_tensor(mg_layer *layer, int index, const char *suffix, int rank, const int dim[],
                      int fan_in, int fan_out)
{
    mg_tensor *t = &layer->tensors[index];
    *t = (mg_tensor){
        .rank = rank, .count = 1, .fan_in = fan_in, .fan_out = fan_out, .trainable = true};
    snprintf(t->name, sizeof t->name, "%s.%s", layer->name, suffix);
    for (int i = 0; i < rank; i++) {
        t->dim[i] = dim[i];
        t->count *= (size_t)dim[i];
    }
    if (layer->tensor_count <= index) layer->tensor_count = index + 1;
}

uint64_t mg__layer_flops(const mg_layer *layer)
{
    const mg_layer_type *type = mg_layer_types[layer->kind];
    return type->flops ? type->flops(layer) : 0;
}
