/* Philox4x32-10, the counter-based random generator of Salmon et al., "Parallel random numbers: as
 * easy as 1, 2, 3" (SC'11). The same source serves C and CUDA: a draw is a function of (key,
 * counter) alone, so every backend and any number of threads sees the same numbers. */
#ifndef MG_PHILOX_H
#define MG_PHILOX_H

#include <stdint.h>

#ifdef __CUDACC__
#define MG_PHILOX_FN static __host__ __device__ inline
#else
#define MG_PHILOX_FN static inline
#endif

typedef struct mg_philox {
    uint32_t v[4];
} mg_philox;

/* Four 32-bit words for the 64-bit key and the 128-bit counter (c0 lowest). */
MG_PHILOX_FN mg_philox mg__philox(uint64_t key, uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3)
{
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        const uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c0 = n0;
        c1 = (uint32_t)p1;
        c2 = n2;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    mg_philox out = {{c0, c1, c2, c3}};
    return out;
}

/* A float in [0, 1) from the word's upper 24 bits: exact, so equal on every device. */
MG_PHILOX_FN float mg__philox_unit(uint32_t word) { return (float)(word >> 8) * 0x1p-24f; }

#endif
