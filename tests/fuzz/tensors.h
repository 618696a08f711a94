/* For the targets whose files are safetensors. */
#ifndef MG_FUZZ_TENSORS_H
#define MG_FUZZ_TENSORS_H

#include "fuzz.h"

/* Makes the number before the header its length: where its outermost brace closes. */
static inline void mend_header_length(uint8_t *data, size_t size)
{
    bool text = false;
    for (size_t at = 8, depth = 0; at < size; at++) {
        if (data[at] == '\\' && text)
            at++;
        else if (data[at] == '"')
            text = !text;
        else if (data[at] == '{' && !text)
            depth++;
        else if (data[at] == '}' && !text && depth-- <= 1) {
            const size_t length = at + 1 - 8;
            for (int i = 0; i < 8; i++) data[i] = (uint8_t)(i < 4 ? length >> 8 * i : 0);
            return;
        }
    }
}

static inline size_t mutate_tensors(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    size = LLVMFuzzerMutate(data, size, max_size);
    if (seed % 4) mend_header_length(data, size);
    return size;
}

#endif
