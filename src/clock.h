/* The clock that durations are taken with. */
#ifndef MG_CLOCK_H
#define MG_CLOCK_H

/* Monotonic seconds. */
double mg__seconds(void);

#endif
