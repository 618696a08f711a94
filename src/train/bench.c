#include "train/bench.h"
#include "philox.h"
#include "train/augment.h"
#include "train/evaluate.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MIN_SAMPLES = 5, MAX_SAMPLES = 1000, MAX_IMAGES = 60000, MAX_PIXELS = 64 << 20 };

/* Seconds that a sample should take, so that waking threads and launching do not count. */
#define STEP_SAMPLE  0.02
#define STAGE_SAMPLE 0.002

/* Something that is timed again and again. */
typedef struct meter {
    mg_status (*time)(struct meter *m, mg_timing *out); /* `repeats` runs, one of the three below */
    mg_backend *backend;
    mg_recording **recording;
    mg_enqueue_fn *fn;
    void *ctx;
    int repeats, count;          /* runs in a sample, samples taken */
    double seconds[MAX_SAMPLES]; /* of one run */
    int launches;
} meter;

typedef struct stage_run {
    mg_pass *pass;
    const mg_stage *stage;
    mg_recording *recording;
    meter meter;
} stage_run;

typedef struct bench_run {
    mg_backend *backend;
    const mg_model *model;
    mg_net *net;
    mg_device_data data;
    mg_feed feed;
    mg_pass *pass;
    stage_run *stages; /* [pass->stage_count], or NULL */
    uint64_t seed;
    int steps; /* that the images are enough for */
} bench_run;

/* ---- images that are made up ---- */

/* Strokes of 16 pixels, one in five: about as much ink as MNIST has. */
static void draw(uint8_t *pixels, size_t size, uint64_t seed)
{
    for (size_t i = 0; i < size; i += 16) {
        const mg_philox word = mg__philox(seed, i / 16, 0, 0, 0x64726177u /* "draw" */);
        const size_t left = size - i, count = left < 16 ? left : 16;
        if (word.v[3] % 5 == 0)
            memcpy(pixels + i, word.v, count);
        else
            memset(pixels + i, 0, count);
    }
}

static mg_status make_images(bench_run *r, int batch)
{
    mg_status st;
    const mg_shape in = mg__model_input(r->model)->shape;
    const size_t size = mg_shape_size(in), fitting = MAX_PIXELS / size;
    size_t count = fitting < MAX_IMAGES ? fitting : MAX_IMAGES;
    count = count > (size_t)batch ? count - count % (size_t)batch : (size_t)batch;
    uint8_t *pixels = malloc(count * size), *labels = malloc(count);
    if (!pixels || !labels) MG_FAIL(MG_ERR_MEMORY, "out of memory for %zu images", count);
    draw(pixels, count * size, r->seed);
    for (size_t i = 0; i < count; i++) labels[i] = (uint8_t)(i % (size_t)r->model->classes);
    const mg_dataset set = {.count = (uint32_t)count,
                            .channels = (uint32_t)in.c,
                            .height = (uint32_t)in.h,
                            .width = (uint32_t)in.w,
                            .classes = (uint32_t)r->model->classes,
                            .pixels = pixels,
                            .labels = labels};
    r->steps = (int)(count / (size_t)batch);
    MG_TRY(mg__device_data_create(&r->data, r->backend, r->model, &set));
out:
    free(pixels);
    free(labels);
    return st;
}

/* ---- making and freeing ---- */

static mg_status upload_order(bench_run *r)
{
    assert(r->data.count > 0);
    uint32_t *order = malloc(r->data.count * sizeof *order);
    if (!order) return mg__fail(MG_ERR_MEMORY, "out of memory for the order of images");
    mg__epoch_order(order, r->data.count, r->seed, 0);
    const mg_status st = r->backend->ops->upload(r->backend, (void *)r->feed.order, order,
                                                 r->data.count * sizeof *order);
    free(order);
    return st;
}

static mg_status make_feed(bench_run *r)
{
    mg_status st;
    mg_backend *be = r->backend;
    void *state, *stats, *lr, *order;
    MG_TRY(be->ops->alloc(be, &state, sizeof(mg_step_state)));
    r->feed.state = state;
    MG_TRY(be->ops->alloc(be, &stats, (size_t)r->steps * sizeof(mg_step_stat)));
    r->feed.stats = stats;
    MG_TRY(be->ops->alloc(be, &lr, (size_t)r->steps * sizeof(float)));
    r->feed.lr = lr;
    MG_TRY(be->ops->alloc(be, &order, r->data.count * sizeof(uint32_t)));
    r->feed.order = order;
    r->feed.pixels = r->data.pixels;
    r->feed.labels = r->data.labels;
    MG_TRY(upload_order(r));
out:
    return st;
}

static mg_status init_params(bench_run *r)
{
    const size_t bytes = r->model->arena_length * sizeof(float);
    float *params = malloc(bytes);
    if (!params) return mg__fail(MG_ERR_MEMORY, "out of memory for the initial weights");
    mg__model_init(r->model, params, r->seed);
    const mg_status st = r->backend->ops->upload(r->backend, r->net->params, params, bytes);
    free(params);
    return st;
}

static mg_status make_pass(bench_run *r, const mg_train_options *options)
{
    mg_status st;
    mg_optimizer_spec optimizer;
    MG_TRY(mg__optimizer_read(&optimizer, options));
    MG_TRY(make_images(r, options->batch));
    MG_TRY(make_feed(r));
    MG_TRY(
        mg__augment_ranges(&r->feed.augment, &options->augment, mg__model_input(r->model)->shape));
    MG_TRY(mg__net_create(&r->net, r->backend, r->model));
    MG_TRY(init_params(r));
    MG_TRY(mg__pass_create(&r->pass, r->net, options->batch, &r->feed, &optimizer, true));
out:
    return st;
}

static void free_run(bench_run *r)
{
    mg_backend *be = r->backend;
    for (int i = 0; r->stages && i < r->pass->stage_count; i++)
        be->ops->recording_free(be, r->stages[i].recording);
    free(r->stages);
    mg__pass_free(r->pass);
    mg__net_free(r->net);
    mg__device_data_free(&r->data);
    be->ops->release(be, r->feed.state);
    be->ops->release(be, r->feed.stats);
    be->ops->release(be, (void *)r->feed.lr);
    be->ops->release(be, (void *)r->feed.order);
}

/* ---- measuring ---- */

/* The first batch again, which steps of an epoch and repeated stages have moved on from. */
static mg_status rewind_pass(bench_run *r)
{
    return mg__pass_seek(r->pass, r->seed, 0, 0, r->data.count, 0);
}

static mg_status time_as_training(meter *m, mg_timing *out)
{
    return m->backend->ops->time(m->backend, m->recording, m->fn, m->ctx, m->repeats, out);
}

/* The repeats that a recording is asked for one by one cannot be in one graph. */
static mg_status time_singly(meter *m, mg_timing *out)
{
    mg_status st;
    const mg_backend_ops *ops = m->backend->ops;
    const double start = mg__seconds();
    for (int i = 0; i < m->repeats; i++)
        MG_TRY(ops->repeat(m->backend, m->recording, m->fn, m->ctx, 1));
    MG_TRY(ops->sync(m->backend));
    *out = (mg_timing){.seconds = mg__seconds() - start};
out:
    return st;
}

static mg_status time_eagerly(meter *m, mg_timing *out)
{
    mg_status st;
    const double start = mg__seconds();
    for (int i = 0; i < m->repeats; i++) MG_TRY(m->fn(m->ctx));
    MG_TRY(m->backend->ops->sync(m->backend));
    *out = (mg_timing){.seconds = mg__seconds() - start};
out:
    return st;
}

static mg_status take_sample(meter *m)
{
    mg_timing t;
    const mg_status st = m->time(m, &t);
    if (st) return st;
    m->seconds[m->count++] = t.seconds / m->repeats;
    m->launches = t.launches;
    return MG_OK;
}

/* Sets how often to repeat for a sample of so many seconds; what comes first loads libraries and
 * records. */
static mg_status size_samples(bench_run *r, meter *m, double seconds, int most)
{
    mg_status st;
    m->repeats = 1;
    for (int i = 0; i < 3; i++) {
        MG_TRY(rewind_pass(r));
        MG_TRY(take_sample(m));
    }
    const double once = fmin(m->seconds[1], m->seconds[2]);
    m->repeats = once * most <= seconds ? most : (int)fmax(1, seconds / once);
    m->count = 0;
out:
    return st;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static mg_bench_time read_meter(meter *m)
{
    qsort(m->seconds, (size_t)m->count, sizeof *m->seconds, by_size);
    return (mg_bench_time){.min = m->seconds[0],
                           .median =
                               (m->seconds[(m->count - 1) / 2] + m->seconds[m->count / 2]) / 2,
                           .p90 = m->seconds[(m->count * 9 + 9) / 10 - 1],
                           .samples = m->count,
                           .repeats = m->repeats};
}

/* Takes samples of all the meters in turn, for so many seconds. */
static mg_status take_samples(bench_run *r, meter **meters, int count, double seconds, int least)
{
    mg_status st;
    const double start = mg__seconds();
    for (int i = 0; i < count; i++) meters[i]->count = 0;
    do {
        MG_TRY(rewind_pass(r));
        for (int i = 0; i < count; i++) MG_TRY(take_sample(meters[i]));
    } while (meters[0]->count < least ||
             (mg__seconds() - start < seconds && meters[0]->count < MAX_SAMPLES));
out:
    return st;
}

static mg_status measure(bench_run *r, meter **meters, int count, double seconds)
{
    mg_status st;
    MG_TRY(take_samples(r, meters, count, seconds / 4, 1)); /* the warm-up: dropped */
    MG_TRY(take_samples(r, meters, count, seconds, MIN_SAMPLES));
out:
    return st;
}

static mg_status measure_step_as(bench_run *r, meter *m, mg_bench_time *out, double seconds)
{
    mg_status st;
    MG_TRY(size_samples(r, m, STEP_SAMPLE, r->steps));
    MG_TRY(measure(r, &m, 1, seconds));
    *out = read_meter(m);
out:
    return st;
}

static mg_status measure_step(bench_run *r, mg_bench *b, double seconds)
{
    mg_status st;
    mg_recording *single = NULL;
    meter *m = malloc(sizeof *m);
    if (!m) return mg__fail(MG_ERR_MEMORY, "out of memory for the measurements");
    *m = (meter){.time = time_as_training,
                 .backend = r->backend,
                 .recording = &r->pass->recording,
                 .fn = mg__step_enqueue,
                 .ctx = r->pass};
    MG_TRY(measure_step_as(r, m, &b->step, seconds));
    b->launches = m->launches;
    if (!b->launches) goto out; /* no GPU: there is one way only */
    m->time = time_singly;
    m->recording = &single;
    MG_TRY(measure_step_as(r, m, &b->single, seconds));
    m->time = time_eagerly;
    MG_TRY(measure_step_as(r, m, &b->eager, seconds));
out:
    r->backend->ops->recording_free(r->backend, single);
    free(m);
    return st;
}

static mg_status enqueue_stage(void *ctx)
{
    const stage_run *s = ctx;
    return s->stage->enqueue(s->pass, s->stage);
}

static mg_status measure_stages(bench_run *r, mg_bench *b, double seconds)
{
    mg_status st;
    const int count = r->pass->stage_count;
    meter **meters = calloc((size_t)count, sizeof *meters);
    r->stages = calloc((size_t)count, sizeof *r->stages);
    b->stages = calloc((size_t)count, sizeof *b->stages);
    if (!meters || !r->stages || !b->stages)
        MG_FAIL(MG_ERR_MEMORY, "out of memory for the measurements");
    for (int i = 0; i < count; i++) {
        stage_run *s = &r->stages[i];
        s->pass = r->pass;
        s->stage = &r->pass->plan[i];
        s->meter.time = time_as_training;
        s->meter.backend = r->backend;
        s->meter.recording = &s->recording;
        s->meter.fn = enqueue_stage;
        s->meter.ctx = s;
        meters[i] = &s->meter;
        MG_TRY(size_samples(r, &s->meter, STAGE_SAMPLE, 1000));
    }
    MG_TRY(measure(r, meters, count, seconds));
    b->stage_count = count;
    for (int i = 0; i < count; i++) {
        const mg_stage *stage = &r->pass->plan[i];
        b->stages[i].flops = mg__stage_flops(r->pass, stage);
        b->stages[i].time = read_meter(meters[i]);
        memcpy(b->stages[i].name, stage->name, sizeof stage->name);
        b->flops += b->stages[i].flops;
    }
out:
    free(meters);
    return st;
}

mg_status mg__bench_run(mg_bench **out, mg_backend *backend, const mg_model *model,
                        const mg_train_options *options, double seconds)
{
    mg_status st;
    bench_run run = {.backend = backend, .model = model, .seed = options->seed};
    mg_bench *b = calloc(1, sizeof *b);
    if (!b) return mg__fail(MG_ERR_MEMORY, "out of memory for the measurements");
    b->batch = options->batch;
    MG_TRY(make_pass(&run, options));
    MG_TRY(measure_step(&run, b, seconds));
    MG_TRY(measure_stages(&run, b, seconds));
    *out = b;
    b = NULL;
out:
    free_run(&run);
    mg__bench_free(b);
    return st;
}

void mg__bench_free(mg_bench *b)
{
    if (!b) return;
    free(b->stages);
    free(b);
}

/* ---- start-up ---- */

/* The lap ends when the device is done. */
static mg_status end_lap(mg_laps *laps, const bench_run *r, const char *name)
{
    const mg_status st = r->backend->ops->sync(r->backend);
    if (!st) mg__lap(laps, name);
    return st;
}

static mg_status run_startup(mg_laps *laps, bench_run *r, const mg_dataset *set,
                             const mg_train_options *options)
{
    static const char *const steps[] = {MG_LAP_FIRST_STEP, "second step (GPU: recorded as a graph)",
                                        "third step"};
    mg_status st;
    mg_optimizer_spec optimizer;
    r->steps = (int)((set->count - 1) / (uint32_t)options->batch + 1);
    MG_TRY(mg__optimizer_read(&optimizer, options));
    MG_TRY(mg__device_data_create(&r->data, r->backend, r->model, set));
    MG_TRY(end_lap(laps, r, "images to the device"));
    MG_TRY(make_feed(r));
    MG_TRY(
        mg__augment_ranges(&r->feed.augment, &options->augment, mg__model_input(r->model)->shape));
    MG_TRY(mg__net_create(&r->net, r->backend, r->model));
    MG_TRY(init_params(r));
    MG_TRY(end_lap(laps, r, "order of images, initial weights"));
    MG_TRY(mg__pass_create(&r->pass, r->net, options->batch, &r->feed, &optimizer, true));
    MG_TRY(end_lap(laps, r, "memory, plan (GPU: library handles)"));
    MG_TRY(rewind_pass(r));
    for (int i = 0; i < MG_COUNT_OF(steps) && i < r->steps; i++) {
        MG_TRY(mg__pass_run(r->pass, 1));
        MG_TRY(end_lap(laps, r, steps[i]));
    }
out:
    return st;
}

mg_status mg__bench_startup(mg_laps *laps, mg_backend *backend, const mg_model *model,
                            const mg_dataset *set, const mg_train_options *options)
{
    bench_run run = {.backend = backend, .model = model, .seed = options->seed};
    const mg_status st = run_startup(laps, &run, set, options);
    free_run(&run);
    return st;
}
