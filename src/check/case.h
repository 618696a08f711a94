/* What the checks share: the run, named cases, values, comparisons, guarded buffers, scales. */
#ifndef MG_CHECK_CASE_H
#define MG_CHECK_CASE_H

#include "check/check.h"
#include "mnist_gpu/model.h"
#include <float.h>

#define FORWARD_TOLERANCE  (10 * (double)FLT_EPSILON)
#define BACKWARD_TOLERANCE (40 * (double)FLT_EPSILON)

typedef struct mg_check {
    mg_backend *device, *reference;
    mg_backend *loops; /* `ref`, for scales */
    double slack;      /* on all tolerances: 2 where the reference rounds as the device does */
    const mg_check_options *options;
    mg_check_report_fn *report;
    void *user;

    /* the present case */
    const char *op;
    char name[480];
    uint64_t key; /* of its values: the seed and the name */
    int cases;    /* begun so far */
} mg_check;

/* The parts of the suite; each runs all of its cases that are asked for. */
mg_status mg__check_layers(mg_check *c);
mg_status mg__check_optimizers(mg_check *c);
mg_status mg__check_nets(mg_check *c);
mg_status mg__check_training(mg_check *c);
mg_status mg__check_differences(mg_check *c); /* `ref` itself */

/* ---- cases ---- */

/* Names a case; false if it is not asked for. */
bool mg__check_begin(mg_check *c, const char *op, const char *fmt, ...) MG_PRINTF(3, 4);
/* Ends it: a failure becomes a record that has not passed, with its message. */
void mg__check_end(mg_check *c, mg_status st);

/* Random word i of the case's tensor `id`, and values made of such words. */
uint32_t mg__check_word(const mg_check *c, uint32_t id, size_t i);
int mg__check_integer(const mg_check *c, uint32_t id, size_t i, int low, int high);
float mg__check_real(const mg_check *c, uint32_t id, size_t i, float low, float high);

/* ---- comparing ---- */

/* Element by element: |found - expected| <= factor * scale[i]; factor 0: equal, and scale may be
 * NULL. NaN is equal to NaN alone. */
void mg__check_compare(mg_check *c, const char *tensor, const float *found, const float *expected,
                       size_t count, double factor, const float *scale);
/* As a whole, in Euclidean norms: ||found - expected|| <= limit ||expected|| + rounding. */
void mg__check_compare_norm(mg_check *c, const char *tensor, const float *found,
                            const float *expected, size_t count, double limit, double rounding);
void mg__check_compare_bytes(mg_check *c, const char *tensor, const void *found,
                             const void *expected, size_t bytes);

/* ---- buffers with guards ---- */

/* Device memory with 256 bytes of 0xff before and after: as floats these are NaN, so that a result
 * that they take part in shows it. What nothing was put into yet is 0xff too. */
typedef struct mg_guarded {
    mg_backend *backend;
    uint8_t *memory;  /* on the device, guards included; or NULL */
    uint8_t *h_bytes; /* the content as last put or got, guards included */
    size_t bytes;     /* without the guards */
} mg_guarded;

/* values: [bytes], or NULL. *out is zeroed on failure. */
mg_status mg__guarded_create(mg_guarded *out, mg_backend *backend, const void *values,
                             size_t bytes);
void mg__guarded_free(mg_guarded *g);
void *mg__guarded_device(const mg_guarded *g); /* NULL if it was not created */
void *mg__guarded_host(const mg_guarded *g);
/* Downloads, waiting. MG_ERR_MISMATCH: a guard was overwritten, or `values`, unless NULL, is not
 * what the buffer holds: an input was written to. */
mg_status mg__guarded_get(mg_guarded *g, const char *name, const void *values);

/* ---- scales (scale.c) ---- */

/* Is every output one of the inputs, or one product with it? Then it is the same on every device.
 */
bool mg__check_exact(mg_layer_kind kind);
/* Does it make whole numbers of whole numbers? */
bool mg__check_stays_whole(mg_layer_kind kind);
/* The scales of a layer's outputs. op: bound to host memory and complete, y included. y, dx, dw,
 * db: as the op has them; dx NULL: not wanted. */
mg_status mg__check_forward_scale(const mg_check *c, const mg_op *op, float *y);
/* dy: the scale of the gradient that comes in; NULL for the loss. */
mg_status mg__check_backward_scale(const mg_check *c, const mg_op *op, const float *dy, float *dx,
                                   float *dw, float *db);

/* The scales of the running statistics that forward leaves, [channels] each. */
void mg__check_running_scale(const mg_op *op, float *mean, float *var);

/* The scale of the sum of the valid rows' losses. */
float mg__check_loss_scale(const mg_op *op);

/* ---- layer cases (layer_cases.c) ---- */

typedef struct mg_layer_case {
    const char *line;  /* of model text */
    const char *input; /* "6x28x28"; NULL for the input layer, whose line says it */
    int batch;
} mg_layer_case;
extern const mg_layer_case mg_layer_cases[]; /* ends with line NULL */

/* Is the layer of a line of model text a loss? */
bool mg__check_is_loss(const char *line);

/* Parses the line as part of the least model that has it, so that the layer's own argument table
 * and shape rule are used. *layer: in *model, which the caller frees. */
mg_status mg__check_parse_layer(mg_model **model, const mg_layer **layer, const mg_layer_case *of);

#endif
