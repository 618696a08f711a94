/* Flushing denormals to zero. Adam's moments decay into denormals, which would double the time of a
 * step; they are far below what a float sum can tell from 0. */
#ifndef MG_FLOAT_MODE_H
#define MG_FLOAT_MODE_H

#ifdef __x86_64__
#include <immintrin.h>
static inline unsigned mg__float_mode(void) { return _mm_getcsr(); }
static inline void mg__set_float_mode(unsigned mode) { _mm_setcsr(mode); }
static inline void mg__flush_denormals(void) { _mm_setcsr(_mm_getcsr() | 0x8040); /* FTZ, DAZ */ }
#elif defined(__aarch64__)
static inline unsigned mg__float_mode(void)
{
    unsigned long mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    return (unsigned)mode;
}
static inline void mg__set_float_mode(unsigned mode)
{
    __asm__ volatile("msr fpcr, %0" : : "r"((unsigned long)mode));
}
static inline void mg__flush_denormals(void) { mg__set_float_mode(mg__float_mode() | 1u << 24); }
#else
static inline unsigned mg__float_mode(void) { return 0; }
static inline void mg__set_float_mode(unsigned mode) { (void)mode; }
static inline void mg__flush_denormals(void) {}
#endif

#endif
