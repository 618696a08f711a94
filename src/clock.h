/* The clock that durations are taken with. */
#ifndef MG_CLOCK_H
#define MG_CLOCK_H

/* Monotonic seconds. */
double mg__seconds(void);

/* Seconds since the process began. main() calls it first, which sets the beginning: so long ago as
 * the CPU time used until then (program and shared libraries being loaded; not the waiting for a
 * disk). Not for several threads at once before that. */
double mg__process_seconds(void);

#endif
