/* Text that grows in memory. */
#ifndef MG_TEXT_STREAM_H
#define MG_TEXT_STREAM_H

#include <stdio.h>

/* As open_memstream, and closed with fclose, which then sets *text, malloc'd and with a NUL after
 * its *size bytes. Where memory ran out fclose fails and *text is NULL: the stream of the GNU C
 * library (2.36) loses text then, and neither ferror nor fclose say so. NULL: out of memory. */
FILE *mg__open_text(char **text, size_t *size);

#endif
