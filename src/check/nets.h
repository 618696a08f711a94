/* Cases of whole nets: a list, and random ones drawn from the grammar of model text. */
#ifndef MG_CHECK_NETS_H
#define MG_CHECK_NETS_H

#include "train/pass.h"

typedef struct mg_net_case {
    const char *input;  /* "1x28x28" */
    const char *layers; /* model text after the input, with ; between lines; softmax_xent follows if
                           there is no loss at its end */
    int batch;
    bool short_batch; /* the step has two rows less */
    mg_optimizer_spec optimizer;
} mg_net_case;
extern const mg_net_case mg_net_cases[]; /* ends with input NULL */

typedef struct mg_random_net {
    mg_net_case as_case;
    char input[24], layers[400];
} mg_random_net;
/* Net `index` of the seed's: 1 to 4 convolutions with or without activation, pooling and dropout,
 * up to 3 dense layers; most of the nets have layers that keep whole numbers whole alone. It does
 * not depend on how many nets are drawn. */
void mg__random_net(mg_random_net *out, uint64_t seed, int index);

#endif
