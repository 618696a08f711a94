/* Signals: what asks a training to stop, and output that nobody reads any more. */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include <stdbool.h>

/* From now on a closed pipe is an error of writing, which signals_pipe_closed tells from others; so
 * is a file larger than `ulimit -f` allows. */
void signals_begin(void);
bool signals_pipe_closed(void);

/* From now on the first SIGINT, SIGTERM or SIGHUP is only noted; the second one ends the program. A
 * signal that is ignored, as nohup or a shell's background jobs want it, stays so. */
void signals_catch(void);
void signals_release(void); /* each of them ends the program again */
int signals_noted(void);    /* the signal's number, 0: none came */

#endif
