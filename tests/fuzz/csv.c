/* Sets as CSV. */
#include "fuzz.h"
#include "data/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mg_dataset *set = NULL;
    const mg_status st = mg__import_csv(&set, fuzz_file(0, data, size));
    if (st) {
        fuzz_check_refusal(st);
        return 0;
    }
    FUZZ_CHECK(set->count >= 1 && set->channels == 1 && set->height == set->width);
    fuzz_touch(set->pixels, (size_t)set->count * set->height * set->width);
    for (uint32_t i = 0; i < set->count; i++) FUZZ_CHECK(set->labels[i] < set->classes);
    mg_dataset_free(set);
    return 0;
}
