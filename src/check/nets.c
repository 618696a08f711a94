/* Whole nets: one training step with the device's fused stages against the reference's plain ones,
 * twice.
 *
 * "exact", for nets that keep whole numbers whole: pixels 0 to 3, weights that are 0 or +-1 with
 * few enough of them 1 (a power of two in the last layer), so that every number up to the loss is a
 * whole number below 2^24 (times that power): whatever order a device sums in, it gets the very
 * same. So every ReLU and every max-pool takes the same branch, ties included, and the
 * probabilities differ by the softmax's rounding alone. Backward, the numbers are what they are,
 * and gradients are linear in the loss's: each gradient's scale is the reference's backward run
 * over absolute values, with the branches taken, and its tolerance 40 eps times that for every sum
 * on its way (the loss's, then one per conv or dense layer that it came through).
 *
 * "real": usual weights and pixels. There a sum that differs in its last bit can flip a branch: a
 * ReLU's input of about 0, two almost equal candidates of a max-pool. Forward that changes nothing
 * to speak of, but the gradient of that one pixel goes elsewhere. The images are noise, so ties
 * are rare (no flat background), and what one flip does is small in a whole tensor's norm: these
 * limits, on loss, probabilities and the norm of each gradient's error, are those of the training
 * comparisons; a gradient in which much cancels gets its rounding errors' part as above. */
#include "check/rig.h"
#include "check/nets.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOSS_LIMIT        1e-5 /* relative */
#define PROBABILITY_LIMIT 1e-5 /* absolute */
#define GRADIENT_LIMIT    1e-4 /* relative, norms */
#define LEARNING_RATE     0.01f

enum { PIXELS, LABELS, WEIGHTS, TAPS }; /* ids of random words */

/* ---- what the two sides are given ---- */

typedef struct job {
    mg_model *model;
    mg_dataset set;
    uint32_t *order;
    float *params;
    uint32_t rows; /* of the step */
    mg_rig_plan plan;
} job;

/* The most taps of +-1 per output that keep every number below 2^24: n taps and a bias make at most
 * n m + 1 of inputs up to m. */
static int exact_taps(const mg_model *m)
{
    for (int taps = 8; taps > 1; taps--) {
        double most = 3;
        for (int i = 0; i < m->layer_count; i++)
            if (m->layers[i].tensor_count) most = taps * most + 1;
        if (most < 0x1p24) return taps;
    }
    return 1;
}

/* The last layer's power of two keeps the loss away from where all probabilities are 0 or 1. */
static void exact_params(const mg_check *c, const mg_model *m, float *params)
{
    const int taps = exact_taps(m), tensors = mg__model_tensor_count(m);
    for (int index = 0; index < tensors; index++) {
        const mg_tensor *t = mg__model_tensor(m, index);
        const float unit = index < tensors - 2 ? 1 : ldexpf(1, -tensors / 2);
        const bool is_bias = t->rank == 1;
        const size_t fan_in = is_bias ? 1 : (size_t)t->fan_in;
        const size_t count = is_bias ? 1 : (size_t)taps;
        for (size_t i = 0; i < t->count / fan_in * count; i++) {
            const size_t tap = mg__check_word(c, TAPS + 2 * (uint32_t)index, i) % fan_in;
            const int sign = mg__check_integer(c, TAPS + 2 * (uint32_t)index + 1, i, 0, 1) * 2 - 1;
            params[t->offset + i / count * fan_in + tap] = (float)sign * unit;
        }
    }
}

static void real_params(const mg_check *c, const mg_model *m, float *params)
{
    mg__model_init(m, params, c->key);
    for (int index = 0; index < mg__model_tensor_count(m); index++) {
        const mg_tensor *t = mg__model_tensor(m, index);
        const float start = t->init.kind == MG_INIT_CONSTANT ? (float)t->init.value : 0;
        for (size_t i = 0; t->rank == 1 && i < t->count; i++)
            params[t->offset + i] =
                start + mg__check_real(c, TAPS + (uint32_t)index, i, -0.1f, 0.1f);
    }
}

static mg_status make_set(const mg_check *c, const mg_model *m, mg_dataset *set, bool exact)
{
    const mg_shape s = mg__model_input(m)->shape;
    const size_t pixels = set->count * mg_shape_size(s);
    set->channels = (uint32_t)s.c;
    set->height = (uint32_t)s.h;
    set->width = (uint32_t)s.w;
    set->classes = (uint32_t)m->classes;
    set->pixels = malloc(pixels);
    set->labels = malloc(set->count);
    if (!set->pixels || !set->labels) return mg__fail(MG_ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < pixels; i++)
        set->pixels[i] = (uint8_t)mg__check_integer(c, PIXELS, i, 0, exact ? 3 : 255);
    for (size_t i = 0; i < set->count; i++)
        set->labels[i] = (uint8_t)mg__check_integer(c, LABELS, i, 0, m->classes - 1);
    return MG_OK;
}

static mg_status parse(mg_model **out, const mg_net_case *of, bool exact)
{
    char text[1024];
    const char *end = strrchr(of->layers, ';');
    const bool has_loss = end && mg__check_is_loss(end + 1);
    /* 1/255: the pixels' own values. */
    snprintf(text, sizeof text, "input %s %s\n%s\n%s\n", of->input,
             exact ? "mean=0 std=0.00392156862745098" : "mean=0.1307 std=0.3081", of->layers,
             has_loss ? "" : "softmax_xent");
    for (char *p = text; *p; p++)
        if (*p == ';') *p = '\n';
    return mg_model_parse(out, text, "case");
}

static mg_status make_job(const mg_check *c, job *j, const mg_net_case *of, bool exact)
{
    mg_status st;
    MG_TRY(parse(&j->model, of, exact));
    const uint32_t batch = (uint32_t)of->batch;
    j->rows = of->batch > 2 && of->short_batch ? batch - 2 : batch;
    j->set.count = batch + j->rows; /* the step is the second of the epoch */
    MG_TRY(make_set(c, j->model, &j->set, exact));
    j->order = malloc(j->set.count * sizeof *j->order);
    j->params = calloc(j->model->arena_length, sizeof *j->params);
    if (!j->order || !j->params) MG_FAIL(MG_ERR_MEMORY, "out of memory");
    mg__epoch_order(j->order, j->set.count, c->key, 0);
    (exact ? exact_params : real_params)(c, j->model, j->params);
    j->plan = (mg_rig_plan){.model = j->model,
                            .set = &j->set,
                            .order = j->order,
                            .params = j->params,
                            .batch = of->batch,
                            .slots = 2,
                            .optimizer = &of->optimizer};
out:
    return st;
}

static void free_job(job *j)
{
    mg_model_free(j->model);
    free(j->set.pixels);
    free(j->set.labels);
    free(j->order);
    free(j->params);
}

/* ---- one step, and what it leaves ---- */

typedef struct result {
    mg_step_stat *stats;                   /* [2], the step's is the second */
    float *probabilities, *grads, *params; /* grads NULL for evaluation */
    uint8_t *predictions;
} result;

static mg_status seek(const mg_rig *rig, const job *j)
{
    return mg__pass_seek(rig->pass, 7, 0, (uint32_t)j->plan.batch, j->set.count, LEARNING_RATE);
}

static mg_status run(result *out, mg_rig *rig, mg_backend *be, const job *j,
                     const mg_rig_plan *plan, bool fuse)
{
    mg_status st;
    const size_t arena = j->model->arena_length * sizeof(float);
    const size_t outputs = (size_t)plan->batch * (size_t)j->model->classes * sizeof(float);
    MG_TRY(mg__rig_create(rig, be, plan, fuse));
    MG_TRY(seek(rig, j));
    MG_TRY(mg__pass_run(rig->pass, 1));
    MG_TRY(mg__rig_download((void **)&out->stats, rig, rig->feed.stats, 2 * sizeof *out->stats));
    MG_TRY(mg__rig_download((void **)&out->predictions, rig, rig->feed.predictions, j->set.count));
    MG_TRY(mg__rig_download((void **)&out->probabilities, rig, mg__pass_probabilities(rig->pass),
                            outputs));
    MG_TRY(mg__rig_download((void **)&out->params, rig, rig->net->params, arena));
    if (plan->optimizer)
        MG_TRY(mg__rig_download((void **)&out->grads, rig, rig->pass->grads, arena));
out:
    return st;
}

static void free_result(result *r)
{
    free(r->stats);
    free(r->predictions);
    free(r->probabilities);
    free(r->params);
    free(r->grads);
}

/* ---- scales of gradients ---- */

/* Backward over absolute values, from the loss down, with the reference's activations; `scale`
 * has the shape of the parameter arena. Every sum on the way adds its 40 eps to the error: scales
 * are multiplied by their number. */
static mg_status gradient_scales(const mg_check *c, const mg_pass *reference, float *scale)
{
    mg_status st = MG_OK;
    const mg_model *m = reference->net->model;
    float *dy = NULL, *dx = NULL;
    float sums = 1;
    for (int i = m->layer_count - 1; i > 0; i--) {
        const mg_op *op = &reference->ops[i];
        const mg_layer *l = op->layer;
        if (!op->dx && !op->dw) continue;
        if (op->dx && !(dx = malloc(mg_shape_size(l->in) * (size_t)op->batch * sizeof *dx)))
            MG_FAIL(MG_ERR_MEMORY, "out of memory");
        float *dw = scale + l->tensors[0].offset, *db = scale + l->tensors[1].offset;
        MG_TRY(mg__check_backward_scale(c, op, dy, dx, dw, db));
        if (l->tensor_count) sums++;
        for (int t = 0; t < l->tensor_count; t++)
            for (size_t k = 0; k < l->tensors[t].count; k++)
                scale[l->tensors[t].offset + k] *= sums;
        free(dy);
        dy = dx;
        dx = NULL;
    }
out:
    free(dy);
    free(dx);
    return st;
}

/* The first step's change of parameter w with gradient g. */
static double change_of(const mg_optimizer_spec *s, double g, double w)
{
    const bool decoupled = s->kind == MG_OPTIMIZER_ADAMW;
    const double decay = s->weight_decay * w;
    if (s->clip_value > 0) g = fmin(fmax(g, -(double)s->clip_value), s->clip_value);
    if (!decoupled) g += decay;
    if (s->kind == MG_OPTIMIZER_SGD) return LEARNING_RATE * (s->nesterov ? 1 + s->momentum : 1) * g;
    if (s->kind == MG_OPTIMIZER_RMSPROP)
        return LEARNING_RATE * g / (sqrt(1 - s->rho) * fabs(g) + s->eps);
    return LEARNING_RATE * (g / (fabs(g) + s->eps) + (decoupled ? decay : 0));
}

/* Turns scales of gradients into tolerances of parameters after the step. The change grows with the
 * gradient, and so the gradient's tolerance moves it no further than to its ends'; the update's own
 * rounding comes on top. (Adam makes a step of nearly the learning rate of a gradient however
 * small: where that may be off by as much as it is, so may the step.) */
static void param_tolerances(const job *j, const float *grads, double slack, float *scale)
{
    const mg_optimizer_spec *s = j->plan.optimizer;
    for (size_t i = 0; i < j->model->arena_length; i++) {
        const double g = grads[i], w = j->params[i], by = slack * BACKWARD_TOLERANCE * scale[i];
        const double change = change_of(s, g, w);
        const double up = change_of(s, g + by, w) - change, down = change - change_of(s, g - by, w);
        const double rounding = fabs(w) + fabs(change);
        scale[i] = (float)(fmax(up, down) + FORWARD_TOLERANCE * rounding);
    }
}

/* ---- comparing ---- */

/* Does the device write the tensor's gradient, or does its backward update the weights itself? Then
 * the weights after the step have to do. */
static bool has_gradient(const mg_pass *device, const mg_tensor *t)
{
    for (int i = 0; i < device->net->model->layer_count; i++)
        for (int k = 0; k < device->ops[i].layer->tensor_count; k++)
            if (&device->ops[i].layer->tensors[k] == t)
                return t->trainable && !device->ops[i].update;
    return false;
}

static void compare_gradients(mg_check *c, const mg_pass *device, const float *found,
                              const float *expected, const float *scale)
{
    const mg_model *m = device->net->model;
    for (int i = 0; i < mg__model_tensor_count(m); i++) {
        const mg_tensor *t = mg__model_tensor(m, i);
        char name[64];
        if (!has_gradient(device, t)) continue;
        snprintf(name, sizeof name, "%.40s gradient", t->name);
        mg__check_compare(c, name, found + t->offset, expected + t->offset, t->count,
                          BACKWARD_TOLERANCE, scale + t->offset);
    }
}

static void compare_params(mg_check *c, const mg_model *m, const float *found,
                           const float *expected, const float *tolerance)
{
    for (int i = 0; i < mg__model_tensor_count(m); i++) {
        const mg_tensor *t = mg__model_tensor(m, i);
        char name[64];
        snprintf(name, sizeof name, "%.40s after the step", t->name);
        mg__check_compare(c, name, found + t->offset, expected + t->offset, t->count, 1,
                          tolerance + t->offset);
    }
}

static void compare_norms(mg_check *c, const mg_pass *device, const float *found,
                          const float *expected, const float *scale)
{
    const mg_model *m = device->net->model;
    for (int i = 0; i < mg__model_tensor_count(m); i++) {
        const mg_tensor *t = mg__model_tensor(m, i);
        char name[64];
        double norm = 0;
        if (!has_gradient(device, t)) continue;
        snprintf(name, sizeof name, "%.40s gradient", t->name);
        for (size_t k = 0; k < t->count; k++)
            norm += (double)scale[t->offset + k] * scale[t->offset + k];
        mg__check_compare_norm(c, name, found + t->offset, expected + t->offset, t->count,
                               GRADIENT_LIMIT, BACKWARD_TOLERANCE * sqrt(norm));
    }
}

static void compare_running(mg_check *c, const mg_model *m, const float *found,
                            const float *expected)
{
    for (int i = 0; i < mg__model_tensor_count(m); i++) {
        const mg_tensor *t = mg__model_tensor(m, i);
        if (!t->trainable)
            mg__check_compare_norm(c, t->name, found + t->offset, expected + t->offset, t->count,
                                   GRADIENT_LIMIT, 0);
    }
}

/* The outputs: of a training step and of an evaluation alike. */
static mg_status compare_outputs(mg_check *c, const job *j, const mg_rig *reference,
                                 const result *found, const result *expected, bool exact)
{
    mg_status st = MG_OK;
    const mg_op *loss = &reference->pass->ops[j->model->layer_count - 1];
    const size_t outputs = mg_shape_size(loss->layer->out) * (size_t)loss->batch;
    const float found_correct = (float)found->stats[1].correct;
    const float expected_correct = (float)expected->stats[1].correct;
    float *scale = malloc(outputs * sizeof *scale);
    if (!scale) MG_FAIL(MG_ERR_MEMORY, "out of memory");
    MG_TRY(mg__check_forward_scale(c, loss, scale));
    for (size_t i = 0; !exact && i < outputs; i++) scale[i] = 1;
    const float loss_scale = exact ? mg__check_loss_scale(loss) : expected->stats[1].loss;
    mg__check_compare(c, "probabilities", found->probabilities, expected->probabilities, outputs,
                      exact ? FORWARD_TOLERANCE : PROBABILITY_LIMIT, scale);
    mg__check_compare(c, "loss", &found->stats[1].loss, &expected->stats[1].loss, 1,
                      exact ? FORWARD_TOLERANCE : LOSS_LIMIT, &loss_scale);
    if (!exact) goto out; /* two outputs may be almost equal */
    mg__check_compare(c, "correct", &found_correct, &expected_correct, 1, 0, NULL);
    mg__check_compare_bytes(c, "predictions", found->predictions, expected->predictions,
                            j->set.count);
out:
    free(scale);
    return st;
}

static mg_status compare_training(mg_check *c, const job *j, const mg_rig *reference,
                                  const mg_rig *device, const result *found, const result *expected,
                                  bool exact)
{
    mg_status st = MG_OK;
    float *scale = calloc(j->model->arena_length, sizeof *scale);
    if (!scale) MG_FAIL(MG_ERR_MEMORY, "out of memory");
    MG_TRY(gradient_scales(c, reference->pass, scale));
    if (!exact) {
        compare_norms(c, device->pass, found->grads, expected->grads, scale);
        compare_running(c, j->model, found->params, expected->params);
        goto out;
    }
    compare_gradients(c, device->pass, found->grads, expected->grads, scale);
    param_tolerances(j, expected->grads, c->slack, scale);
    compare_params(c, j->model, found->params, expected->params, scale);
out:
    free(scale);
    return st;
}

static mg_status compare_step(mg_check *c, const mg_net_case *of, bool exact)
{
    mg_status st;
    job j = {0};
    mg_rig reference = {0}, trained = {0}, evaluated[2] = {0};
    result expected = {0}, found = {0}, forward[2] = {0};
    MG_TRY(make_job(c, &j, of, exact));
    mg_rig_plan evaluation = j.plan;
    evaluation.optimizer = NULL;
    MG_TRY(run(&expected, &reference, c->reference, &j, &j.plan, false));
    MG_TRY(seek(&reference, &j)); /* to the step's own state again, for scales */
    MG_TRY(run(&found, &trained, c->device, &j, &j.plan, true));
    MG_TRY(compare_outputs(c, &j, &reference, &found, &expected, exact));
    MG_TRY(compare_training(c, &j, &reference, &trained, &found, &expected, exact));
    MG_TRY(run(&forward[0], &evaluated[0], c->reference, &j, &evaluation, false));
    MG_TRY(seek(&evaluated[0], &j));
    MG_TRY(run(&forward[1], &evaluated[1], c->device, &j, &evaluation, true));
    MG_TRY(compare_outputs(c, &j, &evaluated[0], &forward[1], &forward[0], exact));
out:
    mg__rig_free(&reference);
    mg__rig_free(&trained);
    free_result(&expected);
    free_result(&found);
    for (int i = 0; i < MG_COUNT_OF(evaluated); i++) {
        mg__rig_free(&evaluated[i]);
        free_result(&forward[i]);
    }
    free_job(&j);
    return st;
}

/* A NaN among the first layer's weights reaches the loss, through every ReLU and max-pool. */
static mg_status compare_nan(mg_check *c, const mg_net_case *of)
{
    mg_status st;
    job j = {0};
    mg_rig rig = {0};
    result found = {0};
    const float expected = NAN;
    MG_TRY(make_job(c, &j, of, false));
    j.params[0] = NAN;
    MG_TRY(run(&found, &rig, c->device, &j, &j.plan, true));
    mg__check_compare(c, "loss", &found.stats[1].loss, &expected, 1, 0, NULL);
out:
    mg__rig_free(&rig);
    free_result(&found);
    free_job(&j);
    return st;
}

/* ---- the cases ---- */

/* Are all numbers up to the loss whole, if those that come in are? */
static bool stays_whole(const mg_net_case *of)
{
    mg_model *m = NULL;
    if (parse(&m, of, true)) return true; /* the case itself will say why not */
    bool whole = true;
    for (int i = 1; i < m->layer_count - 1; i++)
        whole = whole && mg__check_stays_whole(m->layers[i].kind);
    mg_model_free(m);
    return whole;
}

static void try_net(mg_check *c, const char *op, const char *name, const mg_net_case *of)
{
    if (stays_whole(of) && mg__check_begin(c, op, "%s, exact", name))
        mg__check_end(c, compare_step(c, of, true));
    if (mg__check_begin(c, op, "%s, real", name)) mg__check_end(c, compare_step(c, of, false));
}

mg_status mg__check_nets(mg_check *c)
{
    char name[460];
    for (const mg_net_case *of = mg_net_cases; of->input; of++) {
        snprintf(name, sizeof name, "%s; %s x%d%s", of->input, of->layers, of->batch,
                 of->short_batch ? ", 2 rows short" : "");
        try_net(c, "net", name, of);
        if (mg__check_begin(c, "net", "%s, NaN", name)) mg__check_end(c, compare_nan(c, of));
    }
    for (int i = 1; i <= c->options->random_nets; i++) {
        mg_random_net net;
        mg__random_net(&net, c->options->seed, i);
        snprintf(name, sizeof name, "random net %d (%s; %s x%d)", i, net.input, net.as_case.layers,
                 net.as_case.batch);
        try_net(c, "random net", name, &net.as_case);
    }
    return MG_OK;
}
