#include "draw/ticks.h"
#include <math.h>
#include <stdio.h>

/* The smallest of 1, 2, 5, 10 times a power of ten that is not below x. */
static double nice_above(double x)
{
    static const double steps[] = {1, 2, 5, 10};
    const double power = pow(10, floor(log10(x)));
    int i = 0;
    while (i < 3 && steps[i] * power < x * (1 - 1e-9)) i++;
    return steps[i] * power;
}

mg_ticks mg__ticks(double lo, double hi, int most)
{
    if (!(fabs(lo) <= MG_TICKS_MOST && fabs(hi) <= MG_TICKS_MOST)) {
        lo = 0;
        hi = 1;
    }
    const double size = fmax(fabs(lo), fabs(hi));
    if (!(hi - lo > size * 1e-9)) {
        lo -= size > 0 ? size / 10 : 1;
        hi += size > 0 ? size / 10 : 1;
    }
    /* Rounding outwards may take a step more. */
    double step = nice_above(fmax((hi - lo) / most, 1e-300)), first, last;
    for (;; step = nice_above(step * 1.5)) {
        first = floor(lo / step + 1e-9);
        last = fmax(ceil(hi / step - 1e-9), first + 1);
        if (last - first <= most) break;
    }
    return (mg_ticks){first * step, step, (int)(last - first) + 1};
}

mg_ticks mg__ticks_whole(double lo, double hi, int most)
{
    const double step = hi > lo ? fmax(1, nice_above((hi - lo) / most)) : 1;
    const double first = ceil(lo / step);
    return (mg_ticks){first * step, step, (int)(floor(hi / step) - first) + 1};
}

const char *mg__tick_text(char out[MG_TICK_TEXT], const mg_ticks *t, int i)
{
    const double value = fabs(mg_tick(t, i)) < t->step / 2 ? 0 : mg_tick(t, i);
    const double largest = fmax(fabs(t->first), fabs(mg_tick(t, t->count - 1)));
    const int decimals = (int)fmax(0, -floor(log10(t->step) + 1e-9));
    if (largest < 1e6 && decimals <= 5)
        snprintf(out, MG_TICK_TEXT, "%.*f", decimals, value);
    else
        snprintf(out, MG_TICK_TEXT, "%.*g",
                 (int)fmin(15, fmax(1, floor(log10(largest) - log10(t->step)) + 1)), value);
    return out;
}
