/* The clock that durations are taken with. */
#ifndef MG_CLOCK_H
#define MG_CLOCK_H

/* Monotonic seconds. */
double mg__seconds(void);

/* Seconds since the process began. main() calls it first, which sets the beginning: so long ago as
 * the CPU time used until then (program and shared libraries being loaded; not the waiting for a
 * disk). Not for several threads at once before that. */
double mg__process_seconds(void);

/* What a process has done since its beginning: laps that follow on each other. Begins as {0}. */
typedef struct mg_laps {
    double end; /* of the last one, since the process began */
    int count;
    struct {
        const char *name; /* borrowed */
        double seconds;
    } laps[16];
} mg_laps;
void mg__lap(mg_laps *laps, const char *name); /* the next one ends now; at most 16 */

#endif
