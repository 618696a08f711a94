/* The roof of the roofline: what all the backend's threads reach together. */
#include "clock.h"
#include "cpu/cpu.h"

enum { TRIES = 300, ROUNDS = 100000 }; /* about half a millisecond each */

typedef struct attempt {
    mg_cpu_peak_fn *peak;
    double flops; /* of one thread; all do the same */
} attempt;

static void run_thread(void *ctx, int thread, long first, long end)
{
    attempt *a = ctx;
    const double flops = a->peak(ROUNDS * (end - first));
    if (thread == 0) a->flops = flops;
}

/* The best of many short tries: whatever else the machine does only makes it less. */
mg_status mg__cpu_peak(mg_backend *be, double *out)
{
    const mg_cpu *cpu = (const mg_cpu *)be;
    attempt a = {.peak = cpu->isa->peak};
    double best = 0;
    mg__team_wake(cpu->team);
    for (int i = 0; i < TRIES; i++) {
        const double start = mg__seconds();
        mg__team_for(cpu->team, cpu->threads, run_thread, &a);
        const double rate = a.flops * cpu->threads / (mg__seconds() - start);
        if (rate > best) best = rate;
    }
    mg__team_rest(cpu->team);
    *out = best;
    return MG_OK;
}
