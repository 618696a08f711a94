/* Digits drawn by rule: a style is the path of a pen, and a hand of random numbers writes it. */
#ifndef MG_SYNTH_H
#define MG_SYNTH_H

#include <stdint.h>

/* One way to write a digit. The path is "x,y x,y ...", in percent of the digit's height, x from the
 * left, y from the top; a smooth curve goes through the points. "!" after a point makes a corner of
 * it, " | " lifts the pen. */
typedef struct mg_synth_style {
    uint8_t digit;
    uint8_t share; /* how often it is written, among the styles of its digit */
    const char *path;
} mg_synth_style;

extern const mg_synth_style mg__synth_styles[]; /* digit is 10 at their end */

enum { MG_SYNTH_SIDE = 28, MG_SYNTH_SIZE = 28 * 28, MG_SYNTH_CLASSES = 10 };

/* Draws image `index` of a set: [28][28], bright ink on black, and its digit. A function of the
 * arguments alone. `stream` tells apart sets with the same seed. */
uint8_t mg__synth_draw(uint8_t pixels[MG_SYNTH_SIZE], uint64_t seed, uint32_t stream,
                       uint32_t index);

#endif
