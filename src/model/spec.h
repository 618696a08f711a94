/* The inside of a model: layers with shapes and tensors, and where they lie in the arenas. */
#ifndef MG_SPEC_H
#define MG_SPEC_H

#include "layers/layer.h"
#include "mnist_gpu/model.h"

enum { MG_MAX_LAYERS = 256, MG_MAX_CLASSES = 256 };

struct mg_model {
    char *name, *text;
    int layer_count;
    mg_layer *layers;   /* [layer_count]: input first, loss last */
    size_t param_count; /* trainable parameters */
    /* Floats of a parameter arena, alignment padding included. The trainable tensors come first,
     * layer after layer; what an optimizer may touch ends at trainable_length. */
    size_t arena_length, trainable_length;
    int classes; /* outputs of the loss */
};

static inline const struct mg_input_args *mg__model_input(const mg_model *m)
{
    return &m->layers[0].args.input;
}

/* The number of parameter tensors, and tensor `index` in order of layers; for files and listings.
 */
int mg__model_tensor_count(const mg_model *model);
const mg_tensor *mg__model_tensor(const mg_model *model, int index);

/* MG_ERR_NUMERIC names the first value of a tensor that is not finite. arena: [arena_length],
 * parameters or what has their places. */
mg_status mg__model_check_finite(const mg_model *model, const float *arena);

/* Initial parameters, as each tensor's init says (init.c), drawn from Philox with key `seed` and
 * counter (element, tensor). params: [arena_length], the caller's; padding is zeroed. */
void mg__model_init(const mg_model *model, float *params, uint64_t seed);

#endif
