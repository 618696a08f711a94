/* The CPU backend: vector kernels, OpenMP threads over images or rows. Every sum is taken in an
 * order that does not depend on the number of threads, so results are the same bytes for any. */
#ifndef MG_CPU_H
#define MG_CPU_H

#include "cpu/kernels.h"

typedef struct mg_cpu {
    mg_backend base; /* first: a mg_backend * is a mg_cpu * */
    int threads;
    const mg_cpu_kernels *kernels;
} mg_cpu;

static inline const mg_cpu *mg__cpu_of(const mg_op *op) { return (const mg_cpu *)op->backend; }

/* The number of the calling thread in its team; 0 outside a parallel region or without OpenMP. */
int mg__cpu_thread(void);

#endif
