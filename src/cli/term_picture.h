/* Pictures and charts in characters, on stdout. */
#ifndef CLI_TERM_PICTURE_H
#define CLI_TERM_PICTURE_H

#include "draw/chart.h"

/* How stdout shows a picture. Two pixels to a character, one above the other: in colour as half
 * blocks, else a character as dark as they are. Colour: a live terminal with UTF-8, NO_COLOR not
 * set. */
typedef enum term_depth { TERM_ASCII, TERM_256, TERM_TRUE_COLOR } term_depth;
term_depth term_picture_depth(void); /* by TERM, COLORTERM, NO_COLOR and the locale */

/* Starts a colour of the text or of its ground; nothing in TERM_ASCII. "\033[0m" ends it. */
void term_set_color(term_depth depth, bool background, mg_color color);

/* Prints the picture (1 or 3 channels, dark on light), shrunk by area averaging if it is wider than
 * the terminal. */
void term_picture(const mg_image *image);

/* How many images of `width` pixels, with a gap of one between them, can be made out beside each
 * other when they are shrunk to the terminal; at least 1. */
uint32_t term_images_across(uint32_t width);

/* Prints a chart: each panel as wide as the terminal, in braille dots and colours where a picture
 * has them, else with letters; then the legend. */
void term_chart(const mg_chart *chart);

#endif
