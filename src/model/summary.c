#include "model/spec.h"
#include <stdio.h>
#include <string.h>

/* 331214 -> "331,214" */
static const char *thousands(char out[32], uint64_t value)
{
    char digits[24];
    const int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    char *p = out;
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0) *p++ = ',';
        *p++ = digits[i];
    }
    *p = 0;
    return out;
}

mg_status mg_model_summary(char **out, const mg_model *m)
{
    static const char rule[] = "--------------------------------------------------------------";
    char number[32];
    size_t size;
    uint64_t flops = 0;
    FILE *f = open_memstream(out, &size);
    if (!f) return mg__fail(MG_ERR_MEMORY, "out of memory for the summary");
    fprintf(f, "Model: %s\n%s\n%-16s %-14s %12s %16s\n%s\n", m->name, rule, "Layer", "Output",
            "Parameters", "FLOPs per image", rule);
    for (int i = 0; i < m->layer_count; i++) {
        const mg_layer *l = &m->layers[i];
        char shape[40], work[32];
        size_t params = 0;
        for (int t = 0; t < l->tensor_count; t++)
            if (l->tensors[t].trainable) params += l->tensors[t].count;
        if (l->out.h == 1 && l->out.w == 1)
            snprintf(shape, sizeof shape, "%d", l->out.c);
        else
            snprintf(shape, sizeof shape, "%dx%dx%d", l->out.c, l->out.h, l->out.w);
        flops += mg__layer_flops(l);
        fprintf(f, "%-16s %-14s %12s %16s\n", l->name, shape, thousands(number, params),
                thousands(work, mg__layer_flops(l)));
    }
    fprintf(f, "%s\nParameters: %s (%.2f MB)\n", rule, thousands(number, m->param_count),
            (double)m->param_count * sizeof(float) / 1e6);
    fprintf(f, "Forward: %.2f MFLOP per image\n", (double)flops / 1e6);
    return fclose(f) ? mg__fail(MG_ERR_MEMORY, "out of memory for the summary") : MG_OK;
}
