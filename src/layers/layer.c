#include "layers/layer.h"
#include <stdio.h>

const mg_layer_type *const mg_layer_types[MG_LAYER_COUNT] = {
#define MG_LAYER(ID, name) [MG_LAYER_##ID] = &mg_type_##name,
#include "layers/layers.def"
#undef MG_LAYER
};

const mg_arg_word mg__weight_words[] = {{"normal", MG_INIT_NORMAL},
                                        {"glorot", MG_INIT_GLOROT},
                                        {"glorot_normal", MG_INIT_GLOROT_NORMAL},
                                        {"he", MG_INIT_HE},
                                        {"he_normal", MG_INIT_HE_NORMAL},
                                        {"torch", MG_INIT_TORCH},
                                        {NULL, 0}};
const mg_arg_word mg__bias_words[] = {
    {"normal", MG_INIT_NORMAL}, {"torch", MG_INIT_TORCH}, {NULL, 0}};

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

mg_status mg__infer_elementwise(mg_layer *layer)
{
    layer->out = layer->in;
    return MG_OK;
}

uint64_t mg__layer_flops(const mg_layer *layer)
{
    const mg_layer_type *type = mg_layer_types[layer->kind];
    return type->flops ? type->flops(layer) : 0;
}
