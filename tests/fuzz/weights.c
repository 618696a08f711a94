/* Weights: the program's own files, which bring their model, and PyTorch's for a model given. */
#include "tensors.h"
#include "mnist_gpu/train.h"
#include "mnist_gpu/weights.h"
#include "model/spec.h"
#include <math.h>

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    return mutate_tensors(data, size, max_size, seed);
}

static void check(mg_status st, const mg_model *model, float *params)
{
    if (st) {
        fuzz_check_refusal(st);
        return;
    }
    for (size_t i = 0; i < mg_model_arena_length(model); i++) FUZZ_CHECK(isfinite(params[i]));
    free(params);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static mg_model *given;
    mg_model *own = NULL;
    float *params = NULL;
    const char *path = fuzz_file(0, data, size);
    if (!given)
        FUZZ_CHECK(mg_model_parse(&given,
                                  "input 1x2x2\nconv out=2 kernel=1\nbatchnorm\ndense out=2\n"
                                  "softmax_xent\n",
                                  "given") == MG_OK);
    mg_status st = mg_weights_load(&own, &params, path, NULL);
    check(st, own, params);
    mg_model_free(own);
    st = mg_weights_load(NULL, &params, path, given);
    check(st, given, params);
    return 0;
}
