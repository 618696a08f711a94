#include "data/synth.h"
#include "data/make.h"
#include "error.h"

mg_status mg_dataset_synthesize(mg_dataset **out, uint32_t count, uint64_t seed, mg_split split)
{
    mg_dataset *set = NULL;
    if (count == 0) return mg__fail(MG_ERR_INVALID, MG_SYNTHETIC ": expected a count of 1 or more");
    const mg_status st =
        mg__dataset_new(&set, count, 1, MG_SYNTH_SIDE, MG_SYNTH_SIDE, MG_SYNTHETIC);
    if (st) return st;
    set->classes = MG_SYNTH_CLASSES;
    for (uint32_t i = 0; i < count; i++)
        set->labels[i] =
            mg__synth_draw(set->pixels + (size_t)i * MG_SYNTH_SIZE, seed, (uint32_t)split, i);
    *out = set;
    return MG_OK;
}
