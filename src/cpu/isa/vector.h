/* Vectors in GCC's extensions, MG_LANES floats wide: one source for every instruction set that this
 * folder is compiled for (MG_ISA names it). */
#ifndef MG_VECTOR_H
#define MG_VECTOR_H

#include <stdint.h>

enum { WIDTH = MG_LANES };

typedef float vec __attribute__((vector_size(4 * WIDTH)));
typedef int32_t mask
    __attribute__((vector_size(4 * WIDTH))); /* a lane is -1 for true, 0 for false */
typedef int8_t bytes __attribute__((vector_size(WIDTH)));
typedef float vec_unaligned __attribute__((vector_size(4 * WIDTH), aligned(4), may_alias));
typedef int8_t bytes_unaligned __attribute__((vector_size(WIDTH), aligned(1), may_alias));

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

INLINE vec load(const float *p) { return *(const vec_unaligned *)p; }
INLINE void store(float *p, vec v) { *(vec_unaligned *)p = v; }
INLINE vec splat(float x) { return x - (vec){0}; }

/* a where m is true, else b */
INLINE vec choose(mask m, vec a, vec b) { return (vec)((m & (mask)a) | (~m & (mask)b)); }

/* Shuffles need constants: EACH_LANE(f, s) is f(0, s), f(1, s), ... for all lanes. */
#define LANES_4(f, l, s) f(l, s), f(l + 1, s), f(l + 2, s), f(l + 3, s)
#if MG_LANES == 16
#define EACH_LANE(f, s) LANES_4(f, 0, s), LANES_4(f, 4, s), LANES_4(f, 8, s), LANES_4(f, 12, s)
#elif MG_LANES == 8
#define EACH_LANE(f, s) LANES_4(f, 0, s), LANES_4(f, 4, s)
#else
#define EACH_LANE(f, s) LANES_4(f, 0, s)
#endif
#define EXCHANGED(l, s) (l) ^ (s)
#define UPPER_OF(l, s)  ((l) & (s) ? WIDTH + (l) - (s) : (l))
#define LOWER_OF(l, s)  ((l) & (s) ? WIDTH + (l) : (l) + (s))

/* The lanes' sum, by halves: always in the same order. */
INLINE float sum_lanes(vec v)
{
#define FOLD(s)                                                                                    \
    if (s < WIDTH) v += __builtin_shufflevector(v, v, EACH_LANE(EXCHANGED, (s) % WIDTH))
    FOLD(8);
    FOLD(4);
    FOLD(2);
    FOLD(1);
#undef FOLD
    return v[0];
}

/* Rows become columns: blocks of 1, 2, 4, ... lanes change places across the diagonal. */
INLINE void transpose(vec v[WIDTH])
{
#define EXCHANGE_BLOCKS(s)                                                                         \
    UNROLL for (int i = 0; s < WIDTH && i < WIDTH; i++) if (!(i & (s)))                            \
    {                                                                                              \
        const vec upper = v[i], lower = v[i + (s) % WIDTH];                                        \
        v[i] = __builtin_shufflevector(upper, lower, EACH_LANE(UPPER_OF, (s) % WIDTH));            \
        v[i + (s) % WIDTH] =                                                                       \
            __builtin_shufflevector(upper, lower, EACH_LANE(LOWER_OF, (s) % WIDTH));               \
    }
    EXCHANGE_BLOCKS(1)
    EXCHANGE_BLOCKS(2)
    EXCHANGE_BLOCKS(4)
    EXCHANGE_BLOCKS(8)
#undef EXCHANGE_BLOCKS
}

/* The name of a table of this instruction set: KERNEL(conv) is mg__conv_avx2. */
#define KERNEL__(name, isa) mg__##name##_##isa
#define KERNEL_(name, isa)  KERNEL__(name, isa)
#define KERNEL(name)        KERNEL_(name, MG_ISA)

#endif
