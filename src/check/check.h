/* Checks a backend against the reference, case by case: layers, optimizers, whole nets with fused
 * stages, short trainings. One body of code for the tests and for `mnist_gpu check`.
 *
 * Tolerances. eps is FLT_EPSILON, and a number's *scale* is the sum of the absolute values of the
 * terms that it is the sum of: what rounding errors are in proportion to, and what grows with the
 * sum's length (scale.c).
 *   - Numbers that are only moved or scaled (outputs of ReLU, max-pool, dropout; pixels, augmented
 *     too), counts and predictions must be equal.
 *   - Sums of products (conv, dense) of small integers must be equal: no partial sum is rounded.
 *   - Else |found - expected| <= 10 eps scale forward, 40 eps scale backward, for every element.
 *   - Gradients at the end of a chain of layers have taken part in several such sums: 40 eps scale
 *     for each (nets.c). */
#ifndef MG_CHECK_H
#define MG_CHECK_H

#include "backend.h"

/* One comparison. */
typedef struct mg_check_record {
    const char *op; /* "conv", "adam", "net", ... */
    char name[480]; /* the case; what `only` is matched against */
    char tensor[64];
    bool passed;
    double abs_error;       /* the largest |found - expected| */
    double rel_error;       /* that, over the largest |expected| */
    double ratio;           /* the largest |found - expected| / tolerance; infinite where it has to
                               be 0 and is not, or is NaN */
    double tolerance;       /* where the ratio is largest; 0: has to be equal */
    size_t worst;           /* that element's index */
    double found, expected; /* its values */
    char problem[256];      /* what went wrong beyond numbers: an error, a write past the end; "" */
} mg_check_record;

typedef struct mg_check_options {
    uint64_t seed;    /* of all values and of the random nets */
    const char *only; /* a shell pattern for the names of cases, or the name of an op; NULL: all */
    int random_nets;
    bool brief;                   /* leave out what would take a simulated device minutes */
    const char *device, *kernels; /* as the user named them, for mg__check_command */
} mg_check_options;

/* Runs the cases on `device` and compares with `reference` (ref or cpu). The device `ref` itself is
 * compared with finite differences instead. report: called for every comparison; a failure of the
 * device is a record that has not passed.
 * MG_ERR_NOT_FOUND: `only` matches no case. MG_ERR_MEMORY. */
typedef void mg_check_report_fn(void *user, const mg_check_record *record);
mg_status mg__check_run(mg_backend *device, mg_backend *reference, const mg_check_options *options,
                        mg_check_report_fn *report, void *user);

/* The command line that repeats a record's case. */
void mg__check_command(char *out, size_t size, const mg_check_record *record,
                       const mg_check_options *options);

#endif
