/* Text from outside (names of files and classes, words of a command line), made fit to be shown. */
#ifndef MG_TEXT_H
#define MG_TEXT_H

#include <stdbool.h>

/* Puts '?' for every control character of ASCII and C1, which could steer a terminal, and for every
 * byte that is no part of UTF-8 (RFC 3629). lines: a line feed stays. In place; never longer. */
void mg__text_clean(char *text, bool lines);

#endif
