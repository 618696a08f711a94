/* safetensors files, whatever is in them. */
#include "tensors.h"
#include "io/safetensors.h"

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    return mutate_tensors(data, size, max_size, seed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mg_safetensors *file = NULL;
    char text[MG_ST_SHAPE_SIZE];
    size_t sum = 0;
    const mg_status st = mg__safetensors_read(&file, fuzz_file(0, data, size));
    if (st) {
        fuzz_check_refusal(st);
        return 0;
    }
    for (int i = 0; i < file->count; i++) {
        const mg_st_tensor *t = &file->tensors[i];
        fuzz_touch(t->data, t->size);
        sum += t->size;
        FUZZ_CHECK(mg__safetensors_find(file, t->name) == t);
        FUZZ_CHECK(strlen(mg__shape_text(text, t->rank, t->dim)) < sizeof text);
    }
    FUZZ_CHECK(sum < size); /* every byte of data once */
    mg__safetensors_metadata(file, "model");
    mg__safetensors_free(file);
    return 0;
}
