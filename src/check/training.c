/* Short trainings: ten steps against the reference's, loss by loss; the same bytes from two runs,
 * from recorded and from single steps, and from any number of CPU threads. */
#include "check/rig.h"
#include "philox.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOSS_LIMIT 1e-5 /* relative, of every step */
#define WEIGHT_LIMIT                                                                               \
    1e-4 /* relative, norms: Adam makes steps of rounding errors where a gradient is 0 */

enum { STEPS = 10, BATCH = 8, SHORT = 3 }; /* the last batch has SHORT rows less */
enum { PIXELS, LABELS };                   /* ids of random words */

static const mg_optimizer_spec adam = {
    .kind = MG_OPTIMIZER_ADAM, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f};
static const mg_optimizer_spec sgd = {.kind = MG_OPTIMIZER_SGD, .momentum = 0.9f};

static const mg_optimizer_spec clipped = {.kind = MG_OPTIMIZER_ADAMW,
                                          .beta1 = 0.9f,
                                          .beta2 = 0.999f,
                                          .eps = 1e-8f,
                                          .weight_decay = 0.1f,
                                          .clip_norm = 0.5f};
static const mg_optimizer_spec rmsprop = {.kind = MG_OPTIMIZER_RMSPROP, .rho = 0.9f, .eps = 1e-7f};

static const struct training {
    const char *name, *text; /* a preset, or model text */
    const mg_optimizer_spec *optimizer;
    float lr;
    bool large;
} trainings[] = {
    {"lenet5 by adam", NULL, &adam, 0.001f, true},
    {"lenet-valid by sgd", NULL, &sgd, 0.01f, true},
    {"small convolutions by adam",
     "input 1x14x11 mean=0.3 std=0.25\nconv out=6 kernel=3 pad=same\nrelu\nmaxpool size=2\n"
     "conv out=9 kernel=3\nrelu\ndense out=20\nrelu\ndense out=10\nsoftmax_xent\n",
     &adam, 0.003f, false},
    /* Not by Adam: where a bias is without effect, as before batchnorm, its gradient is rounding.
     */
    {"small normalised layers by sgd",
     "input 1x14x11 mean=0.3 std=0.25\nconv out=6 kernel=3 pad=same\nrelu\nbatchnorm\n"
     "maxpool size=2\ndense out=20\nrelu\ndense out=10\nsoftmax_xent\n",
     &sgd, 0.01f, false},
    {"small dense layers by sgd",
     "input 2x7x5 mean=0.3 std=0.25\ndense out=33\nrelu\ndense out=20\nrelu\ndense out=5\n"
     "softmax_xent\n",
     &sgd, 0.01f, false},
    {"small nets by adamw with clipped norms",
     "input 1x14x11 mean=0.3 std=0.25\nconv out=6 kernel=3 pad=same\nrelu\ndense out=20\nrelu\n"
     "dense out=10\nsoftmax_xent\n",
     &clipped, 0.003f, false},
    {"small nets by rmsprop",
     "input 2x7x5 mean=0.3 std=0.25\ndense out=33\nrelu\ndense out=5\nsoftmax_xent\n", &rmsprop,
     0.001f, false},
    {"smooth layers and dropout by adam",
     "input 1x12x11 mean=0.3 std=0.25\nconv out=4 kernel=3\ntanh\navgpool size=2\n"
     "dropout rate=0.25\ndense out=20\nsigmoid\ndropout\ndense out=12\nleaky_relu\ndense out=5\n"
     "softmax_xent\n",
     &adam, 0.003f, false},
};

typedef struct job {
    mg_model *model;
    mg_dataset set;
    uint32_t *order;
    float *params, lr;
    mg_rig_plan plan;
} job;

/* An image is its class's pattern under noise: there is something to learn. */
static mg_status make_set(const mg_check *c, const mg_model *m, mg_dataset *set)
{
    const mg_shape s = mg__model_input(m)->shape;
    const size_t size = mg_shape_size(s);
    *set = (mg_dataset){.count = STEPS * BATCH - SHORT,
                        .channels = (uint32_t)s.c,
                        .height = (uint32_t)s.h,
                        .width = (uint32_t)s.w,
                        .classes = (uint32_t)m->classes};
    set->pixels = malloc(set->count * size);
    set->labels = malloc(set->count);
    if (!set->pixels || !set->labels) return mg__fail(MG_ERR_MEMORY, "out of memory");
    for (size_t n = 0; n < set->count; n++) {
        const int label = mg__check_integer(c, LABELS, n, 0, m->classes - 1);
        set->labels[n] = (uint8_t)label;
        for (size_t p = 0; p < size; p++) {
            const uint32_t pattern = mg__philox(c->key, (uint32_t)p, (uint32_t)label, 0, 0).v[0];
            const uint32_t noise = mg__check_word(c, PIXELS, n * size + p);
            set->pixels[n * size + p] = (uint8_t)(((pattern >> 24) + (noise >> 24)) / 2);
        }
    }
    return MG_OK;
}

static mg_status load_model(mg_model **out, const struct training *t)
{
    char preset[40];
    if (t->text) return mg_model_parse(out, t->text, t->name);
    snprintf(preset, sizeof preset, "%.*s", (int)strcspn(t->name, " "), t->name);
    return mg_model_load(out, preset);
}

static mg_status make_job(const mg_check *c, job *j, const struct training *t)
{
    mg_status st;
    MG_TRY(load_model(&j->model, t));
    MG_TRY(make_set(c, j->model, &j->set));
    j->order = malloc(j->set.count * sizeof *j->order);
    j->params = malloc(j->model->arena_length * sizeof *j->params);
    if (!j->order || !j->params) MG_FAIL(MG_ERR_MEMORY, "out of memory");
    mg__epoch_order(j->order, j->set.count, c->key, 0);
    mg__model_init(j->model, j->params, c->key);
    j->lr = t->lr;
    j->plan = (mg_rig_plan){.model = j->model,
                            .set = &j->set,
                            .order = j->order,
                            .params = j->params,
                            .batch = BATCH,
                            .slots = STEPS,
                            .optimizer = t->optimizer};
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

/* ---- a training, and what it leaves ---- */

typedef struct result {
    float losses[STEPS], correct[STEPS];
    float *params, *slots[2];
} result;

/* Trains `steps` steps: through repeat in chunks of `chunk`, or one by one if it is 0. */
static mg_status train(result *out, mg_backend *be, const job *j, bool fuse, int steps, int chunk)
{
    mg_status st;
    mg_rig rig = {0};
    mg_step_stat stats[STEPS];
    const size_t arena = j->model->arena_length * sizeof(float);
    MG_TRY(mg__rig_create(&rig, be, &j->plan, fuse));
    MG_TRY(mg__pass_seek(rig.pass, 1, 0, 0, j->set.count, j->lr));
    for (int i = 0; i < steps; i += chunk ? chunk : 1) {
        const int now = chunk < steps - i ? chunk : steps - i;
        MG_TRY(chunk ? mg__pass_run(rig.pass, now) : mg__step_enqueue(rig.pass));
    }
    MG_TRY(be->ops->download(be, stats, rig.feed.stats, sizeof stats));
    for (int i = 0; i < STEPS; i++) {
        out->losses[i] = stats[i].loss;
        out->correct[i] = (float)stats[i].correct;
    }
    MG_TRY(mg__rig_download((void **)&out->params, &rig, rig.net->params, arena));
    for (int i = 0; i < mg__optimizer_slots(j->plan.optimizer->kind); i++)
        MG_TRY(mg__rig_download((void **)&out->slots[i], &rig, rig.pass->update.slots[i], arena));
out:
    mg__rig_free(&rig);
    return st;
}

static void free_result(result *r)
{
    free(r->params);
    free(r->slots[0]);
    free(r->slots[1]);
}

/* ---- comparing ---- */

static void compare_bytes(mg_check *c, const job *j, const result *found, const result *expected)
{
    const size_t arena = j->model->arena_length * sizeof(float);
    mg__check_compare_bytes(c, "losses", found->losses, expected->losses, sizeof found->losses);
    mg__check_compare_bytes(c, "parameters", found->params, expected->params, arena);
    for (int i = 0; i < mg__optimizer_slots(j->plan.optimizer->kind); i++)
        mg__check_compare_bytes(c, "optimizer state", found->slots[i], expected->slots[i], arena);
}

static mg_status against_reference(mg_check *c, const job *j)
{
    mg_status st;
    result found = {0}, expected = {0};
    MG_TRY(train(&found, c->device, j, true, STEPS, STEPS));
    MG_TRY(train(&expected, c->reference, j, false, STEPS, STEPS));
    mg__check_compare(c, "losses", found.losses, expected.losses, STEPS, LOSS_LIMIT,
                      expected.losses);
    for (int i = 0; i < mg__model_tensor_count(j->model); i++) {
        const mg_tensor *t = mg__model_tensor(j->model, i);
        mg__check_compare_norm(c, t->name, found.params + t->offset, expected.params + t->offset,
                               t->count, WEIGHT_LIMIT, 0);
    }
out:
    free_result(&found);
    free_result(&expected);
    return st;
}

/* Two trainings that have to give the same bytes: on `left` through repeat in one go, on `right` in
 * chunks. */
static mg_status same_bytes(mg_check *c, const job *j, mg_backend *left, mg_backend *right,
                            int steps, int chunk)
{
    mg_status st;
    result found = {0}, expected = {0};
    MG_TRY(train(&expected, left, j, true, steps, steps));
    MG_TRY(train(&found, right, j, true, steps, chunk));
    compare_bytes(c, j, &found, &expected);
out:
    free_result(&found);
    free_result(&expected);
    return st;
}

static mg_status twice(mg_check *c, const job *j)
{
    return same_bytes(c, j, c->device, c->device, STEPS, STEPS);
}

static mg_status eagerly(mg_check *c, const job *j)
{
    return same_bytes(c, j, c->device, c->device, 5, 0);
}

static mg_status in_chunks(mg_check *c, const job *j)
{
    return same_bytes(c, j, c->device, c->device, STEPS, 3);
}

static mg_status other_threads(mg_check *c, const job *j)
{
    mg_status st = MG_OK;
    for (int threads = 1; threads <= 4 && !st; threads++) {
        mg_backend *other = NULL;
        st = mg_backend_open(&other, "cpu", threads);
        if (!st) other->kernels = c->device->kernels;
        if (!st) st = same_bytes(c, j, c->device, other, STEPS, STEPS);
        mg_backend_close(other);
    }
    return st;
}

/* ---- the cases ---- */

static const struct test {
    const char *op, *name;
    mg_status (*run)(mg_check *c, const job *j);
    bool cpu_only;
} tests[] = {
    {"training", "10 steps", against_reference, false},
    {"repeatable", "two runs", twice, false},
    {"repeatable", "repeat(5) and 5 single steps", eagerly, false},
    {"repeatable", "repeat(10) and repeat(3) four times", in_chunks, false},
    {"repeatable", "1 to 4 threads", other_threads, true},
};

mg_status mg__check_training(mg_check *c)
{
    const bool cpu = !strcmp(mg_backend_name(c->device), "cpu");
    for (const struct test *test = tests; test < tests + MG_COUNT_OF(tests); test++)
        for (const struct training *t = trainings; t < trainings + MG_COUNT_OF(trainings); t++) {
            job j = {0};
            if ((test->cpu_only && !cpu) || (t->large && c->options->brief && test != tests) ||
                !mg__check_begin(c, test->op, "%s x%d, %s", t->name, BATCH, test->name))
                continue;
            const mg_status st = make_job(c, &j, t);
            mg__check_end(c, st ? st : test->run(c, &j));
            free_job(&j);
        }
    return MG_OK;
}
