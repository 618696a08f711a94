#include "io/json.h"
#include <jansson.h>
#include <stdlib.h>

static _Thread_local unsigned lacks;

static void *take(size_t size)
{
    void *block = malloc(size);
    if (!block && size) lacks++;
    return block;
}

unsigned mg__json_lacks(void)
{
    json_set_alloc_funcs(take, free);
    return lacks;
}

mg_status mg__json_status(mg_status st, unsigned before, const char *where)
{
    return lacks == before ? st : mg__fail(MG_ERR_MEMORY, "%s: out of memory", where);
}
