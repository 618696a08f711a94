/* IDX files as they are. */
#include "fuzz.h"
#include "data/idx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mg_idx idx = {0};
    const mg_status st = mg__idx_read(&idx, fuzz_file(0, data, size), 1, MG_IDX_MAX_DIMS);
    if (st) {
        fuzz_check_refusal(st);
        FUZZ_CHECK(!idx.bytes);
        return 0;
    }
    size_t product = 1;
    for (int i = 0; i < idx.ndim; i++) product *= idx.dims[i];
    FUZZ_CHECK(product == idx.size);
    if (data[0] == 0) FUZZ_CHECK(size == 4 + 4 * (size_t)idx.ndim + product); /* else it is gzip */
    fuzz_touch(idx.bytes, idx.size);
    free(idx.bytes);
    return 0;
}
