/* Where an axis has its marks. */
#ifndef MG_TICKS_H
#define MG_TICKS_H

/* Marks at first, first + step, ...: `count` of them, step 1, 2 or 5 times a power of ten. */
typedef struct mg_ticks {
    double first, step;
    int count;
} mg_ticks;

/* The marks of an axis that covers lo .. hi: the first at or below lo, the last at or above hi, at
 * most `most` (>= 2) steps apart. Where there is no range (lo = hi, or too near to tell apart) one
 * is made around it; where a bound is not a number within +-MG_TICKS_MOST it is 0 .. 1.
 * After P. Heckbert, Nice Numbers for Graph Labels, Graphics Gems, 1990. */
#define MG_TICKS_MOST 1e305 /* room for the arithmetic */
mg_ticks mg__ticks(double lo, double hi, int most);

/* The same in whole numbers, for counts: steps of at least 1, and marks that lie within the range.
 */
mg_ticks mg__ticks_whole(double lo, double hi, int most);

static inline double mg_tick(const mg_ticks *t, int i) { return t->first + i * t->step; }

/* The text of mark i, with as many decimals as the step has. Returns `out`. */
enum { MG_TICK_TEXT = 32 };
const char *mg__tick_text(char out[MG_TICK_TEXT], const mg_ticks *ticks, int i);

#endif
