#include "clock.h"
#include <assert.h>
#include <time.h>

static double seconds_of(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double mg__seconds(void) { return seconds_of(CLOCK_MONOTONIC); }

double mg__process_seconds(void)
{
    static double beginning;
    const double now = mg__seconds();
    if (beginning == 0) beginning = now - seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    return now - beginning;
}

void mg__lap(mg_laps *l, const char *name)
{
    const double now = mg__process_seconds();
    assert(l->count < (int)(sizeof l->laps / sizeof *l->laps));
    l->laps[l->count].name = name;
    l->laps[l->count++].seconds = now - l->end;
    l->end = now;
}
