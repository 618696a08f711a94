/* Which pictures the words of a command line name. */
#ifndef CLI_PICTURE_PATHS_H
#define CLI_PICTURE_PATHS_H

#include "error.h"
#include <stdbool.h>

typedef struct picture_paths {
    int count;
    char **paths; /* [count], each malloc'd */
} picture_paths;

/* A word is a file, a directory (its PNG, JPEG, BMP and PNM files by name, in order), a pattern
 * with
 * * ? or [ (where no file has that name) or -. MG_ERR_NOT_FOUND: nothing matches a pattern, or a
 * directory has no picture; MG_ERR_IO, MG_ERR_MEMORY. */
mg_status picture_paths_expand(picture_paths *out, char **words, int count);
void picture_paths_free(picture_paths *paths); /* frees the members */

#endif
