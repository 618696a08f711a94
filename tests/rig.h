/* For tests of one backend, which is the program's argument: opening it, and a net with a pass over
 * images such as the trainer has, open to inspection. Include after cmocka.h. */
#ifndef MG_TEST_RIG_H
#define MG_TEST_RIG_H

#include "synthetic.h"
#include "train/evaluate.h"
#include <stdio.h>
#include <string.h>

static mg_backend *backend;

static inline void assert_ok(mg_status st)
{
    if (st != MG_OK) fail_msg("%s: %s", mg_status_name(st), mg_last_error());
}

/* Opens `backend`, with `threads` as in mg_backend_open. False: main returns *status, 77 where this
 * machine has no such device. */
static inline bool open_backend(int argc, char **argv, int threads, int *status)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s ref|cpu|cuda\n", argv[0]);
        *status = 2;
        return false;
    }
    const mg_status st = mg_backend_open(&backend, argv[1], threads);
    if (st) printf("%s%s\n", st == MG_ERR_DEVICE ? "skipped: " : "", mg_last_error());
    *status = st == MG_ERR_DEVICE ? 77 : 1;
    return st == MG_OK;
}

/* ---- memory ---- */

/* A copy of `bytes` in device memory; of NULL: zeros. */
static inline void *to_device(const void *h_src, size_t bytes)
{
    void *memory;
    assert_ok(backend->ops->alloc(backend, &memory, bytes));
    if (h_src) assert_ok(backend->ops->upload(backend, memory, h_src, bytes));
    return memory;
}

/* A copy in host memory, malloc'd. */
static inline void *to_host(const void *src, size_t bytes)
{
    assert_true(bytes > 0);
    void *h_dst = malloc(bytes);
    assert_non_null(h_dst);
    assert_ok(backend->ops->download(backend, h_dst, src, bytes));
    return h_dst;
}

/* ---- the rig ---- */

static const mg_optimizer_spec adam = {
    .kind = MG_OPTIMIZER_ADAM, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f};
static const mg_optimizer_spec momentum_sgd = {.kind = MG_OPTIMIZER_SGD, .momentum = 0.9f};

typedef struct rig {
    const mg_model *model;
    mg_net *net; /* with the weights of make_weights */
    mg_device_data data;
    mg_feed feed;
    mg_pass *pass;
    uint32_t slots;
} rig;

/* order: [set->count] or NULL. optimizer: NULL for an evaluation. At the epoch's start, lr 0.01. */
static inline rig make_rig(const mg_model *model, const mg_dataset *set, int batch,
                           const uint32_t *order, const mg_optimizer_spec *optimizer, bool fuse)
{
    rig r = {.model = model, .slots = (set->count - 1) / (uint32_t)batch + 1};
    float *params = make_weights(model);
    assert_ok(mg__net_create(&r.net, backend, model));
    assert_ok(
        backend->ops->upload(backend, r.net->params, params, model->arena_length * sizeof *params));
    free(params);
    assert_ok(mg__device_data_create(&r.data, backend, model, set));
    r.feed = (mg_feed){.pixels = r.data.pixels,
                       .labels = r.data.labels,
                       .order = order ? to_device(order, set->count * sizeof *order) : NULL,
                       .state = to_device(NULL, sizeof *r.feed.state),
                       .stats = to_device(NULL, r.slots * sizeof *r.feed.stats),
                       .lr = to_device(NULL, r.slots * sizeof *r.feed.lr),
                       .predictions = to_device(NULL, set->count)};
    assert_ok(mg__pass_create(&r.pass, r.net, batch, &r.feed, optimizer, fuse));
    assert_ok(mg__pass_seek(r.pass, 1, 0, 0, set->count, 0.01f));
    return r;
}

static inline void free_rig(rig *r)
{
    mg__pass_free(r->pass);
    mg__net_free(r->net);
    mg__device_data_free(&r->data);
    backend->ops->release(backend, (void *)r->feed.order);
    backend->ops->release(backend, r->feed.state);
    backend->ops->release(backend, r->feed.stats);
    backend->ops->release(backend, (void *)r->feed.lr);
    backend->ops->release(backend, r->feed.predictions);
}

/* Copies in host memory, malloc'd. */
static inline float *rig_params(const rig *r)
{
    return to_host(r->net->params, r->model->arena_length * sizeof(float));
}

static inline mg_step_stat *rig_stats(const rig *r)
{
    return to_host(r->feed.stats, r->slots * sizeof(mg_step_stat));
}

static inline mg_step_state rig_state(const rig *r)
{
    mg_step_state *copy = to_host(r->feed.state, sizeof *copy), state = *copy;
    free(copy);
    return state;
}

static inline mg_model *parse_model(const char *text)
{
    mg_model *model = NULL;
    assert_ok(mg_model_parse(&model, text, "test"));
    return model;
}

#endif
