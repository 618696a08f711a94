/* Models as tables, for people. */
#include "model/cost.h"
#include "io/text_stream.h"
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

/* 4032 -> "4.03 kB": three digits */
static const char *bytes_text(char out[32], uint64_t bytes)
{
    static const char *const units[] = {" B", " kB", " MB", " GB"};
    double value = (double)bytes;
    int unit = 0;
    for (; value >= 999.5 && unit + 1 < MG_COUNT_OF(units); unit++) value /= 1000;
    const int decimals = unit == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
    snprintf(out, 32, "%.*f%s", decimals, value, bytes ? units[unit] : "");
    return out;
}

mg_status mg_model_summary(char **out, const mg_model *m)
{
    static const char rule[] = "--------------------------------------------------------------";
    const mg_cost sum = mg__model_cost(m, 1, 0);
    char number[32], work[32];
    size_t size;
    FILE *f = mg__open_text(out, &size);
    if (!f) return mg__fail(MG_ERR_MEMORY, "out of memory for the summary");
    fprintf(f, "Model: %s\n%s\n%-16s %-14s %12s %16s\n%s\n", m->name, rule, "Layer", "Output",
            "Parameters", "FLOPs per image", rule);
    for (int i = 0; i < m->layer_count; i++) {
        const mg_layer *l = &m->layers[i];
        const mg_cost c = mg__layer_cost(m, i, 1, 0);
        char shape[40];
        if (l->out.h == 1 && l->out.w == 1)
            snprintf(shape, sizeof shape, "%d", l->out.c);
        else
            snprintf(shape, sizeof shape, "%dx%dx%d", l->out.c, l->out.h, l->out.w);
        fprintf(f, "%-16s %-14s %12s %16s\n", l->name, shape, thousands(number, c.params),
                thousands(work, c.forward_flops));
    }
    fprintf(f, "%s\nParameters: %s (%.2f MB)\n", rule, thousands(number, m->param_count),
            (double)m->param_count * sizeof(float) / 1e6);
    fprintf(f, "Forward: %.2f MFLOP per image\n", (double)sum.forward_flops / 1e6);
    return fclose(f) ? mg__fail(MG_ERR_MEMORY, "out of memory for the summary") : MG_OK;
}

static void print_cost(FILE *f, const char *name, const mg_cost *c)
{
    char texts[5][32];
    fprintf(f, "%-16s %17s %10s %10s %10s %11s\n", name, thousands(texts[0], c->step_flops),
            bytes_text(texts[1], c->param_bytes), bytes_text(texts[2], c->gradient_bytes),
            bytes_text(texts[3], c->optimizer_bytes),
            bytes_text(texts[4], c->output_bytes + c->delta_bytes));
}

mg_status mg__cost_table(char **out, const mg_model *m, int batch, const char *optimizer, int slots)
{
    static const char rule[] =
        "-------------------------------------------------------------------------------";
    const mg_cost sum = mg__model_cost(m, batch, slots);
    char total[32];
    size_t size;
    FILE *f = mg__open_text(out, &size);
    if (!f) return mg__fail(MG_ERR_MEMORY, "out of memory for the summary");
    fprintf(f, "Training with %s, batches of %d\n%s\n%-16s %17s %10s %10s %10s %11s\n%s\n",
            optimizer, batch, rule, "Layer", "FLOPs per step", "Parameters", "Gradients",
            "Optimizer", "Activations", rule);
    for (int i = 0; i < m->layer_count; i++) {
        const mg_cost c = mg__layer_cost(m, i, batch, slots);
        print_cost(f, m->layers[i].name, &c);
    }
    fprintf(f, "%s\n", rule);
    print_cost(f, "total", &sum);
    fprintf(f, "Memory: %s, activations with their gradients; plus images and workspaces\n",
            bytes_text(total, mg__cost_bytes(&sum)));
    return fclose(f) ? mg__fail(MG_ERR_MEMORY, "out of memory for the summary") : MG_OK;
}
