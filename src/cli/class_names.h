/* Names of classes: classes.txt beside the data or in the run directory, one a line, class 0 first.
 */
#ifndef CLI_CLASS_NAMES_H
#define CLI_CLASS_NAMES_H

#include "cli.h"

typedef struct class_names {
    int count;           /* 0: there are none */
    char *text, **names; /* [count], pointing into `text` */
} class_names;

/* MG_ERR_MISMATCH: not as many lines as classes; MG_ERR_IO, MG_ERR_MEMORY. No file is no failure.
 */
mg_status class_names_load(class_names *out, const cli_network *network);
void class_names_free(class_names *names); /* frees the members */

/* Whether all are one character, so that the images are of something written. True of none. */
bool class_names_are_characters(const class_names *names);

/* The name of a class, else its number in `number`. */
const char *class_name(char number[12], const class_names *names, int class);

#endif
