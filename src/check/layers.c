/* Single layers: the same buffers on the device and on the reference, one forward, one backward,
 * every output compared. */
#include "check/case.h"
#include "model/spec.h"
#include "train/augment.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what a case is ---- */

typedef enum values {
    INTEGERS, /* small ones: no sum is rounded */
    REALS,
    LARGE, /* up to +-200: exp would overflow */
    FAR,   /* 100 and a real: nearly all of it is the mean */
    NANS,  /* reals, some NaN; forward only, as the gradient's way past a NaN is not defined */
    VALUES_COUNT
} values;
static const char *const values_names[VALUES_COUNT] = {"integers", "reals", "large", "far from 0",
                                                       "NaN"};

typedef enum buffer {
    X,
    W,
    B,
    RUNNING_MEAN, /* an output too, in training */
    RUNNING_VAR,
    DY,
    PIXELS,
    LABELS,
    ORDER,
    STATE,
    BATCH_LABELS,
    Y,
    STATS,
    PREDICTIONS,
    DX,
    DW,
    DB,
    BUFFERS
} buffer;
static const char *const buffer_names[BUFFERS] = {
    "x",      "w",     "b",     "running_mean", "running_var", "dy",    "pixels",
    "labels", "order", "state", "batch_labels", "y",           "stats", "predictions",
    "dx",     "dw",    "db"};

enum { SLOTS = 5, SLOT = 2, CURSOR = 3 }; /* of statistics, and where the batch begins */

typedef struct job {
    const mg_layer *layer;
    mg_layer_kind kind;
    int batch;
    uint32_t rows; /* of them valid */
    values values;
    bool wants_dx, shuffled, evaluation;
    const char *augmentation; /* of the input layer, or NULL */
    mg_augment augment;       /* its ranges */
    size_t bytes[BUFFERS];    /* 0: the layer has no such buffer */
    void *input[BUFFERS];     /* what it holds at first; NULL for outputs */
} job;

static bool is_loss(const job *j) { return mg_layer_types[j->kind]->is_loss; }
static bool is_running(buffer b) { return b == RUNNING_MEAN || b == RUNNING_VAR; }
static bool has_backward(const job *j)
{
    return j->kind != MG_LAYER_INPUT && j->values != NANS && !j->evaluation;
}

static void set_sizes(job *j)
{
    const mg_layer *l = j->layer;
    const size_t batch = (size_t)j->batch, positions = CURSOR + j->rows;
    const size_t in = mg_shape_size(l->in) * batch, out = mg_shape_size(l->out) * batch;
    const bool input = j->kind == MG_LAYER_INPUT, trains = !j->evaluation;
    static const buffer tensors[MG_LAYER_TENSORS] = {W, B, RUNNING_MEAN, RUNNING_VAR};
    j->bytes[Y] = out * sizeof(float);
    if (!input) j->bytes[X] = in * sizeof(float);
    if (j->wants_dx) j->bytes[DX] = in * sizeof(float);
    if (!input && !is_loss(j) && trains) j->bytes[DY] = out * sizeof(float);
    for (int t = 0; t < l->tensor_count; t++) {
        j->bytes[tensors[t]] = l->tensors[t].count * sizeof(float);
        if (l->tensors[t].trainable && trains) j->bytes[DW + t] = j->bytes[tensors[t]];
    }
    j->bytes[STATE] = sizeof(mg_step_state);
    if (!input && !is_loss(j)) return;
    j->bytes[BATCH_LABELS] = batch;
    if (input) {
        j->bytes[PIXELS] = positions * mg_shape_size(l->in);
        j->bytes[LABELS] = positions;
        if (j->shuffled) j->bytes[ORDER] = positions * sizeof(uint32_t);
    } else {
        j->bytes[STATS] = SLOTS * sizeof(mg_step_stat);
        j->bytes[PREDICTIONS] = positions;
    }
}

/* ---- its values ---- */

static float value_of(const mg_check *c, const job *j, buffer b, size_t i)
{
    switch (j->values) {
    case INTEGERS:
        return (float)mg__check_integer(c, b, i, -3, 3);
    case LARGE:
        return mg__check_real(c, b, i, -200, 200);
    case FAR:
        return mg__check_real(c, b, i, -1, 1) + (b == X ? 100 : 0);
    case NANS:
        if (b == X && mg__check_integer(c, BUFFERS, i, 0, 9) == 0) return NAN;
        break;
    default:
        break;
    }
    return mg__check_real(c, b, i, -1, 1);
}

static bool is_input(const job *j, buffer b)
{
    return b < BATCH_LABELS || (b == BATCH_LABELS && is_loss(j));
}

static void fill(const mg_check *c, const job *j, buffer b)
{
    void *p = j->input[b];
    const size_t floats = j->bytes[b] / sizeof(float);
    switch (b) {
    case PIXELS:
        for (size_t i = 0; i < j->bytes[b]; i++)
            ((uint8_t *)p)[i] = (uint8_t)mg__check_word(c, b, i);
        break;
    case LABELS:
    case BATCH_LABELS:
        for (size_t i = 0; i < j->bytes[b]; i++)
            ((uint8_t *)p)[i] =
                (uint8_t)mg__check_integer(c, b, i, 0, is_loss(j) ? j->layer->out.c - 1 : 255);
        break;
    case RUNNING_VAR:
        for (size_t i = 0; i < floats; i++) ((float *)p)[i] = mg__check_real(c, b, i, 0.25f, 4);
        break;
    case ORDER: /* backwards: a permutation */
        for (size_t i = 0; i < floats; i++) ((uint32_t *)p)[i] = (uint32_t)(floats - 1 - i);
        break;
    case STATE:
        *(mg_step_state *)p = (mg_step_state){.seed = c->key,
                                              .step = 11,
                                              .cursor = CURSOR,
                                              .count = CURSOR + j->rows,
                                              .batch = (uint32_t)j->batch,
                                              .slot = SLOT};
        break;
    default:
        for (size_t i = 0; i < floats; i++) ((float *)p)[i] = value_of(c, j, b, i);
    }
}

static mg_status make_inputs(const mg_check *c, job *j)
{
    mg_status st;
    mg_augmentation strengths = {0};
    if (j->augmentation) MG_TRY(mg_augmentation_parse(&strengths, j->augmentation));
    MG_TRY(mg__augment_ranges(&j->augment, &strengths, j->layer->in));
    for (buffer b = 0; b < BUFFERS; b++) {
        if (!j->bytes[b] || !is_input(j, b)) continue;
        j->input[b] = malloc(j->bytes[b]);
        if (!j->input[b]) MG_FAIL(MG_ERR_MEMORY, "out of memory");
        fill(c, j, b);
    }
out:
    return st;
}

/* ---- running it ---- */

typedef struct side {
    mg_guarded buffers[BUFFERS];
    mg_feed feed;
    mg_op op;
} side;

/* Binds the op to the buffers: those on the device, or their copies on the host. */
static void bind(side *s, mg_backend *be, const job *j, void *(*at)(const mg_guarded *g))
{
    const mg_guarded *b = s->buffers;
    void *const impl = s->op.impl;
    s->feed = (mg_feed){.pixels = at(&b[PIXELS]),
                        .labels = at(&b[LABELS]),
                        .order = at(&b[ORDER]),
                        .state = at(&b[STATE]),
                        .batch_labels = at(&b[BATCH_LABELS]),
                        .stats = at(&b[STATS]),
                        .predictions = at(&b[PREDICTIONS]),
                        .augment = j->augment};
    s->op = (mg_op){.layer = j->layer,
                    .backend = be,
                    .feed = &s->feed,
                    .batch = j->batch,
                    .training = !j->evaluation,
                    .x = at(&b[X]),
                    .y = at(&b[Y]),
                    .dy = at(&b[DY]),
                    .dx = at(&b[DX]),
                    .w = at(&b[W]),
                    .b = at(&b[B]),
                    .running_mean = at(&b[RUNNING_MEAN]),
                    .running_var = at(&b[RUNNING_VAR]),
                    .dw = at(&b[DW]),
                    .db = at(&b[DB]),
                    .impl = impl};
}

/* An output that has floats in it must have been written, every one. */
static mg_status check_written(const mg_guarded *g, const char *name)
{
    const uint32_t *words = mg__guarded_host(g);
    for (size_t i = 0; i < g->bytes / sizeof *words; i++)
        if (words[i] == 0xffffffffu)
            return mg__fail(MG_ERR_MISMATCH, "%s[%zu] was not written", name, i);
    return MG_OK;
}

static mg_status download(side *s, const job *j)
{
    mg_status st = MG_OK;
    for (buffer b = 0; b < BUFFERS; b++) {
        if (!j->bytes[b]) continue;
        const bool kept = !is_running(b) || j->evaluation;
        MG_TRY(mg__guarded_get(&s->buffers[b], buffer_names[b], kept ? j->input[b] : NULL));
        if (b == Y || (b >= DX && has_backward(j)))
            MG_TRY(check_written(&s->buffers[b], buffer_names[b]));
    }
out:
    return st;
}

static mg_status run_side(side *s, mg_backend *be, const job *j)
{
    mg_status st;
    const mg_layer_ops *ops = be->ops->layers[j->kind];
    for (buffer b = 0; b < BUFFERS; b++)
        if (j->bytes[b]) MG_TRY(mg__guarded_create(&s->buffers[b], be, j->input[b], j->bytes[b]));
    bind(s, be, j, mg__guarded_device);
    if (ops->prepare) MG_TRY(ops->prepare(&s->op));
    MG_TRY(ops->forward(&s->op));
    if (has_backward(j)) MG_TRY(ops->backward(&s->op));
    MG_TRY(download(s, j));
out:
    be->ops->sync(be);
    if (ops->release && s->op.impl) ops->release(&s->op);
    s->op.impl = NULL;
    return st;
}

static void free_side(side *s)
{
    for (buffer b = 0; b < BUFFERS; b++) mg__guarded_free(&s->buffers[b]);
}

/* ---- comparing ---- */

static mg_status make_scales(const mg_check *c, const job *j, side *expected,
                             float *scales[BUFFERS])
{
    mg_status st;
    static const buffer scaled[] = {Y, RUNNING_MEAN, RUNNING_VAR, DX, DW, DB};
    for (int i = 0; i < MG_COUNT_OF(scaled); i++) {
        const size_t bytes = j->bytes[scaled[i]];
        if (!bytes) continue;
        scales[scaled[i]] = malloc(bytes);
        if (!scales[scaled[i]]) MG_FAIL(MG_ERR_MEMORY, "out of memory");
    }
    bind(expected, c->loops, j, mg__guarded_host);
    MG_TRY(mg__check_forward_scale(c, &expected->op, scales[Y]));
    if (scales[RUNNING_MEAN])
        mg__check_running_scale(&expected->op, scales[RUNNING_MEAN], scales[RUNNING_VAR]);
    if (!has_backward(j)) return MG_OK;
    const size_t count = j->bytes[DY] / sizeof(float);
    float *dy = malloc(j->bytes[DY] + 1);
    if (!dy) MG_FAIL(MG_ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < count; i++) dy[i] = fabsf(expected->op.dy[i]);
    st = mg__check_backward_scale(c, &expected->op, dy, scales[DX], scales[DW], scales[DB]);
    free(dy);
out:
    return st;
}

static void compare_loss(mg_check *c, const job *j, const side *found, const side *expected)
{
    mg_step_stat *f = mg__guarded_host(&found->buffers[STATS]);
    mg_step_stat *e = mg__guarded_host(&expected->buffers[STATS]);
    const float scale = mg__check_loss_scale(&expected->op);
    const float f_correct = (float)f[SLOT].correct, e_correct = (float)e[SLOT].correct;
    mg__check_compare(c, "loss", &f[SLOT].loss, &e[SLOT].loss, 1, FORWARD_TOLERANCE, &scale);
    if (j->values != NANS) /* where the largest output is a NaN, no answer is right */
        mg__check_compare(c, "correct", &f_correct, &e_correct, 1, 0, NULL);
    f[SLOT] = e[SLOT];
    mg__check_compare_bytes(c, "the other slots of stats", f, e, j->bytes[STATS]);
    if (j->values != NANS)
        mg__check_compare_bytes(c, "predictions", mg__guarded_host(&found->buffers[PREDICTIONS]),
                                mg__guarded_host(&expected->buffers[PREDICTIONS]),
                                j->bytes[PREDICTIONS]);
}

/* Does the input layer give out the pixels' values, 0 to 255? */
static bool gives_pixels(const job *j)
{
    const struct mg_input_args *a = &j->layer->args.input;
    return j->kind == MG_LAYER_INPUT && a->mean == 0 && (float)(255 * a->std) == 1;
}

static double factor_of(const job *j, buffer b)
{
    if (gives_pixels(j)) return 0;
    if (j->values == INTEGERS && (mg__check_stays_whole(j->kind) || mg__check_exact(j->kind)))
        return 0;
    if (b >= DX) return BACKWARD_TOLERANCE;
    return mg__check_exact(j->kind) ? 0 : FORWARD_TOLERANCE;
}

static void compare(mg_check *c, const job *j, const side *found, const side *expected,
                    float *const scales[BUFFERS])
{
    static const buffer floats[] = {Y, RUNNING_MEAN, RUNNING_VAR, DX, DW, DB};
    for (int i = 0; i < MG_COUNT_OF(floats); i++) {
        const buffer b = floats[i];
        if (!j->bytes[b] || (b >= DX && !has_backward(j))) continue;
        mg__check_compare(c, buffer_names[b], mg__guarded_host(&found->buffers[b]),
                          mg__guarded_host(&expected->buffers[b]), j->bytes[b] / sizeof(float),
                          factor_of(j, b), scales[b]);
    }
    if (j->kind == MG_LAYER_INPUT)
        mg__check_compare_bytes(c, "batch_labels", mg__guarded_host(&found->buffers[BATCH_LABELS]),
                                mg__guarded_host(&expected->buffers[BATCH_LABELS]),
                                j->bytes[BATCH_LABELS]);
    if (is_loss(j)) compare_loss(c, j, found, expected);
}

static mg_status run_job(mg_check *c, job *j)
{
    mg_status st;
    side found = {0}, expected = {0};
    float *scales[BUFFERS] = {NULL};
    set_sizes(j);
    MG_TRY(make_inputs(c, j));
    MG_TRY(run_side(&found, c->device, j));
    MG_TRY(run_side(&expected, c->reference, j));
    MG_TRY(make_scales(c, j, &expected, scales));
    compare(c, j, &found, &expected, scales);
out:
    free_side(&found);
    free_side(&expected);
    for (buffer b = 0; b < BUFFERS; b++) {
        free(j->input[b]);
        free(scales[b]);
        j->input[b] = NULL;
    }
    return st;
}

/* ---- the cases ---- */

static void try_job(mg_check *c, const mg_layer_case *of, job j)
{
    const char *op = mg_layer_types[j.kind]->name;
    char rows[32] = "";
    if (j.rows != (uint32_t)j.batch) snprintf(rows, sizeof rows, ", %u rows", j.rows);
    if (mg__check_begin(c, op, "%s%s%s x%d, %s%s%s%s%s%s%s", of->line, of->input ? " on " : "",
                        of->input ? of->input : "", j.batch, values_names[j.values], rows,
                        j.kind != MG_LAYER_INPUT && !j.wants_dx ? ", no dx" : "",
                        j.shuffled ? ", shuffled" : "", j.evaluation ? ", evaluation" : "",
                        j.augmentation ? ", augmented: " : "",
                        j.augmentation ? j.augmentation : ""))
        mg__check_end(c, run_job(c, &j));
}

/* Which values the layer is tried with. */
static bool takes(const job *j, values v)
{
    if (v == LARGE) return is_loss(j);
    if (v == FAR) return j->kind == MG_LAYER_BATCHNORM;
    if (v == NANS) return is_loss(j) || !j->layer->tensor_count;
    return true;
}

static void try_layer(mg_check *c, const mg_layer_case *of, const mg_layer *layer)
{
    job j = {.layer = layer, .kind = layer->kind, .batch = of->batch, .rows = (uint32_t)of->batch};
    const uint32_t part = (uint32_t)(of->batch * 2 + 2) / 3;
    if (j.kind == MG_LAYER_INPUT) {
        static const char *const augmentations[] = {"affine", "elastic:3",        "stroke:3",
                                                    "noise",  "affine:3,noise:3", "all"};
        j.values = REALS;
        try_job(c, of, j);
        j.rows = part;
        j.shuffled = true;
        try_job(c, of, j);
        for (int i = 0; i < MG_COUNT_OF(augmentations); i++) {
            j.augmentation = augmentations[i];
            try_job(c, of, j);
        }
        return;
    }
    j.wants_dx = true;
    for (j.values = 0; j.values < VALUES_COUNT; j.values++)
        if (takes(&j, j.values)) try_job(c, of, j);
    if (is_loss(&j) || j.kind == MG_LAYER_BATCHNORM) {
        j.values = REALS;
        j.rows = part;
        try_job(c, of, j);
        j.rows = (uint32_t)of->batch;
    }
    if (layer->tensor_count && layer->in.c <= 3) { /* as the first layer of a net */
        j.values = INTEGERS;
        j.wants_dx = false;
        try_job(c, of, j);
    }
    if (j.kind == MG_LAYER_BATCHNORM || j.kind == MG_LAYER_DROPOUT) {
        j.values = REALS;
        j.wants_dx = false;
        j.evaluation = true;
        try_job(c, of, j);
    }
}

bool mg__check_is_loss(const char *line)
{
    char word[32] = "";
    sscanf(line, "%31s", word);
    for (int kind = 0; kind < MG_LAYER_COUNT; kind++)
        if (!strcmp(word, mg_layer_types[kind]->name)) return mg_layer_types[kind]->is_loss;
    return false;
}

mg_status mg__check_parse_layer(mg_model **model, const mg_layer **layer, const mg_layer_case *of)
{
    char text[400];
    const bool loss = mg__check_is_loss(of->line);
    if (!of->input)
        snprintf(text, sizeof text, "%s\ndense out=2\nsoftmax_xent\n", of->line);
    else if (loss)
        snprintf(text, sizeof text, "input %s\ndense out=%ld\n%s\n", of->input,
                 strtol(of->input, NULL, 10), of->line);
    else
        snprintf(text, sizeof text, "input %s\n%s\ndense out=2\nsoftmax_xent\n", of->input,
                 of->line);
    const mg_status st = mg_model_parse(model, text, "case");
    if (!st) *layer = &(*model)->layers[!of->input ? 0 : loss ? 2 : 1];
    return st;
}

static mg_status try_case(mg_check *c, const mg_layer_case *of, mg_layer_kind kind)
{
    mg_model *model = NULL;
    const mg_layer *layer;
    const mg_status st = mg__check_parse_layer(&model, &layer, of);
    if (!st && layer->kind == kind) try_layer(c, of, layer);
    mg_model_free(model);
    return st;
}

/* ---- the presets' layers ---- */

enum { MAX_PRESETS = 64, BRIEF_FLOPS = 5000000 /* LeNet has less, four large convs more */ };

static bool same_layer(const mg_layer *a, const mg_layer *b)
{
    return a->kind == b->kind && a->in.c == b->in.c && a->in.h == b->in.h && a->in.w == b->in.w &&
           !memcmp(&a->args, &b->args, sizeof a->args);
}

/* Does an earlier preset, or this one before it, have the same layer? */
static bool seen(mg_model *const *models, int preset, int layer)
{
    for (int p = 0; p <= preset; p++)
        for (int i = 0; i < (p < preset ? models[p]->layer_count : layer); i++)
            if (same_layer(&models[p]->layers[i], &models[preset]->layers[layer])) return true;
    return false;
}

/* Line i of the canonical text is layer i. */
static void try_preset_layer(mg_check *c, const mg_model *m, int i)
{
    char line[120], input[40];
    const mg_shape in = m->layers[i].in;
    const char *text = mg_model_text(m);
    if (c->options->brief && mg__layer_flops(&m->layers[i]) > BRIEF_FLOPS) return;
    for (int skip = 0; skip < i; skip++) text = strchr(text, '\n') + 1;
    snprintf(line, sizeof line, "%.*s", (int)strcspn(text, "\n"), text);
    snprintf(input, sizeof input, "%dx%dx%d", in.c, in.h, in.w);
    const mg_layer_case of = {line, m->layers[i].kind == MG_LAYER_INPUT ? NULL : input, 2};
    try_layer(c, &of, &m->layers[i]);
}

/* ---- all of them, kind by kind ---- */

mg_status mg__check_layers(mg_check *c)
{
    mg_status st = MG_OK;
    mg_model *models[MAX_PRESETS] = {NULL};
    int presets = 0;
    for (; presets < MAX_PRESETS && mg_model_preset(presets); presets++)
        MG_TRY(mg_model_load(&models[presets], mg_model_preset(presets)->name));
    for (mg_layer_kind kind = 0; kind < MG_LAYER_COUNT; kind++) {
        for (const mg_layer_case *of = mg_layer_cases; of->line; of++)
            MG_TRY(try_case(c, of, kind));
        for (int p = 0; p < presets; p++)
            for (int i = 0; i < models[p]->layer_count; i++)
                if (models[p]->layers[i].kind == kind && !seen(models, p, i))
                    try_preset_layer(c, models[p], i);
    }
out:
    for (int p = 0; p < presets; p++) mg_model_free(models[p]);
    return st;
}
