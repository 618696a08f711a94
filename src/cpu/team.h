/* A team of threads that share loops. The thread that calls is number 0 and works too.
 *
 * A training step has some twenty short loops, so handing one out must cost well under a
 * microsecond: between wake and rest the workers wait by spinning. After a while of it they also
 * yield, so that on a busy machine, where a core is not theirs alone, they do not stand in the way
 * of the thread that they wait for. */
#ifndef MG_TEAM_H
#define MG_TEAM_H

#include "error.h"

typedef struct mg_team mg_team;

/* One part of a loop: iterations first .. end-1, by `thread` (0 .. threads-1). */
typedef void mg_team_fn(void *ctx, int thread, long first, long end);

mg_status mg__team_create(mg_team **out,
                          int threads); /* MG_ERR_DEVICE: threads could not be started */
void mg__team_free(mg_team *team);      /* NULL is fine */

/* wake before a number of loops, rest after: in between the workers spin, else they sleep. A loop
 * given to a resting team is run by the caller alone. */
void mg__team_wake(mg_team *team);
void mg__team_rest(mg_team *team);

/* Runs fn over 0 .. count-1, cut into one contiguous part for each thread, and returns when all is
 * done. Parts may be empty. Which thread gets what depends on the number of threads, so results
 * must not depend on it. */
void mg__team_for(mg_team *team, long count, mg_team_fn *fn, void *ctx);

#endif
