/* Convolution, alone or with the ReLU and the 2x2 max-pool that follow it as one stage: what conv.c
 * and conv_sparse.c share. */
#ifndef MG_CPU_CONV_H
#define MG_CPU_CONV_H

#include "cpu/cpu.h"

/* The backward of a group with a ReLU or a pool, see conv_sparse.c. */
typedef struct mg_conv_sparse mg_conv_sparse;

typedef struct mg_conv {
    int count;                      /* layers in the group */
    const mg_cpu_conv_kernels *k;   /* of the instruction set */
    mg_cpu_correlation out, in;     /* y from x, and dx from dy */
    mg_shape x_shape, y_shape;      /* y_shape: of the group's output */
    int batch, blocks;              /* blocks: of k->lanes images */
    int outs;                       /* output channels */
    int32_t *x_place, *dy_place;    /* where each element of an image's x and dy lies in lanes */
    size_t x_size, dy_size, y_size; /* floats of a thread's scratch */
    float *memory;                  /* [threads] of those three, one after another */
    float *sums, *bias_sums;        /* dw [outs][channels][r][s][lane], db [outs][lane] */
    mg_conv_sparse *sparse;         /* NULL for a conv alone, or if not training */
} mg_conv;

mg_status mg__conv_sparse_prepare(mg_conv_sparse **out, const mg_conv *v, const mg_op *ops);
void mg__conv_sparse_release(mg_conv_sparse *p); /* NULL is fine */
/* Where forward writes the winners of a block's windows, from that output channel on; NULL if they
 * are not wanted. */
int8_t *mg__conv_sparse_winners(const mg_conv *v, int block, int out);
mg_status mg__conv_sparse_backward(const mg_conv *v, const mg_op *ops);

#endif
