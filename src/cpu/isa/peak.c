/* What the roof of the roofline is measured with: independent multiply-adds, enough of them that
 * each has its operands when its turn comes, and nothing else. */
#include "cpu/isa/vector.h"
#include "cpu/kernels.h"

enum { CHAINS = 12 }; /* latency 5 times 2 a cycle is 10; 12 and a factor fit in 16 registers */

double KERNEL(peak)(long rounds)
{
    vec x[CHAINS];
    vec factor = splat(0.5f);
    __asm__ volatile("" : "+m"(factor)); /* not a number that the compiler knows */
    for (int i = 0; i < CHAINS; i++) x[i] = splat((float)i);
    for (long r = 0; r < rounds; r++)
        UNROLL for (int i = 0; i < CHAINS; i++) x[i] = x[i] * factor + factor;
    for (int i = 0; i < CHAINS; i++) __asm__ volatile("" : : "m"(x[i]));
    return 2.0 * WIDTH * CHAINS * (double)rounds;
}
