/* A set's two files, images and labels, as the program loads them. */
#include "fuzz.h"
#include "mnist_gpu/dataset.h"

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    return fuzz_mutate_parts(data, size, max_size, seed, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};
    fuzz_part parts[2];
    mg_dataset *set = NULL;
    const char *folder = fuzz_folder(names, MG_COUNT_OF(names));
    fuzz_split(parts, data, size);
    for (int i = 0; i < MG_COUNT_OF(parts); i++) fuzz_file(i, parts[i].bytes, parts[i].size);
    const mg_status st = mg_dataset_load(&set, folder, MG_SPLIT_TEST);
    if (st) {
        fuzz_check_refusal(st);
        return 0;
    }
    FUZZ_CHECK(set->count && set->channels && set->height && set->width);
    fuzz_touch(set->pixels, (size_t)set->count * set->channels * set->height * set->width);
    for (uint32_t i = 0; i < set->count; i++) FUZZ_CHECK(set->labels[i] < set->classes);
    mg_dataset_free(set);
    return 0;
}
