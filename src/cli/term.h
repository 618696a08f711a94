/* The terminal: what it can show, bars, and the line on stderr that shows progress. */
#ifndef CLI_TERM_H
#define CLI_TERM_H

#include "error.h"
#include <stdbool.h>
#include <stdio.h>

/* A terminal that understands more than plain lines (TERM is set and not "dumb"). fd: 1 or 2. */
bool term_is_live(int fd);
int term_width(int fd); /* columns; 80 if it is no terminal */

bool term_shows_unicode(int fd); /* a live terminal, and the locale's characters are UTF-8 */

/* Prints text that may hold names of files, classes or models: on a terminal, which they could
 * steer, it is made plain (text.h), in place. term_print: at most 64 KiB. */
void term_write(char *text);
void term_print(const char *fmt, ...) MG_PRINTF(1, 2);

/* Colours and bold: on a live terminal, unless NO_COLOR is set. Returns the escape sequence for
 * "1" (bold), "32" (green), "0" (normal) ..., or "". `out` holds it. */
const char *term_style(char out[16], int fd, const char *code);

/* Prints a bar of `cells` columns, `fraction` (0..1) of it filled: with Unicode's eighth blocks
 * where the stream is a live terminal and the locale UTF-8, else with '#'. */
void term_bar(char *out, size_t size, int fd, double fraction, int cells);
enum { TERM_BAR_SIZE = 3 * 200 + 1, TERM_BAR_CELLS = 200 }; /* bytes for the widest bar */

/* The progress line on stderr: drawn over the last one, cut to the width, wiped by term_clear. Both
 * do nothing unless stderr is a live terminal. */
void term_draw(const char *fmt, ...) MG_PRINTF(1, 2);
void term_clear(void);

#endif
