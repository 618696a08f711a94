/* Where in a step a number first was not finite. */
#ifndef MG_TRACE_H
#define MG_TRACE_H

#include "train/pass.h"

/* After a step of a pass that trains: looks at all that the step has written, in the order in which
 * it did; waits. MG_ERR_NUMERIC names the first number that is not finite. */
mg_status mg__trace_step(mg_pass *pass);

/* The largest size of a finite trainable parameter. params: [model->arena_length]. */
float mg__largest_weight(const mg_model *model, const float *params);

#endif
