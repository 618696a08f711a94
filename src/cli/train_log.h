/* What a training tells its user, and log.txt in the run directory, which keeps all of it, whatever
 * was shown:
 *
 *     2026-08-01 09:30:00 +0200  mnist_gpu 0.1.0: mnist_gpu train --epochs 2
 *     (the lines)
 *     2026-08-01 09:31:07 +0200  finished
 *
 * A resumed run appends. A section without an end was killed. */
#ifndef CLI_TRAIN_LOG_H
#define CLI_TRAIN_LOG_H

#include "error.h"
#include <stdbool.h>

typedef struct train_log {
    char *path;    /* NULL until train_log_open */
    char *waiting; /* what was said before that; NULL: nothing */
} train_log;

/* The section's first line; argv: the words after "train". */
mg_status train_log_begin(train_log *log, int argc, char **argv);

/* printf of whole lines: to the log and, if `shown`, to stdout. MG_ERR_IO: the log cannot be
 * written; it then ends with the line before. */
mg_status train_log_say(train_log *log, bool shown, const char *fmt, ...) MG_PRINTF(3, 4);

/* From now on the log is the file in the run directory `dir`, and what was said before goes there.
 * Mends what a kill left: cuts off a last line without an end; adds `due`, the line of the last
 * epoch (NULL: there was none), if no line is like it up to its first '/'. */
mg_status train_log_open(train_log *log, const char *dir, const char *due);

/* The section's last line: how the training ended. Nothing if the log was never opened. */
mg_status train_log_end(train_log *log, const char *how);

void train_log_free(train_log *log); /* frees the members */

#endif
