/* Which numbers a dropout layer drops: the one definition of it, so that every backend draws the
 * same. */
#ifndef MG_DROPOUT_H
#define MG_DROPOUT_H

#include "philox.h"

/* Words for elements 4 block .. 4 block + 3 of the layer's [batch][c][h][w]: an element is dropped
 * where its word is less than mg__dropout_threshold(). They are drawn anew in every step, and
 * backward draws them once more, so that nothing is stored.
 * layer: its index in the model, below 2^16; block: below 2^48. */
MG_PHILOX_FN mg_philox mg__dropout_words(uint64_t seed, uint32_t step, uint32_t layer,
                                         uint64_t block)
{
    return mg__philox(seed, (uint32_t)block, step, layer << 16 | (uint32_t)(block >> 32),
                      0x64726f70u /* "drop" */);
}

/* rate 2^32: of the words that exist, the share `rate` is less. */
static inline uint32_t mg__dropout_threshold(double rate) { return (uint32_t)(rate * 0x1p32); }

/* What the others are multiplied by, so that the expected value stays the same. */
static inline float mg__dropout_scale(double rate) { return (float)(1 / (1 - rate)); }

#endif
