/* The trainer: epochs of steps, in chunks between which the host looks at the losses. */
#include "train/augment.h"
#include "train/evaluate.h"
#include "clock.h"
#include "philox.h"
#include "train/schedule.h"
#include "train/trace.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Seconds of steps between two looks: often enough for a smooth bar and a quick Ctrl-C. */
#define CHUNK_SECONDS 0.1

struct mg_trainer {
    mg_backend *backend;
    const mg_model *model;
    mg_train_options options;
    mg_net *net;
    mg_device_data data;
    mg_feed feed;
    mg_pass *pass;
    mg_evaluator *validation; /* or NULL */

    uint32_t steps_per_epoch; /* but for the last epoch, see epoch_steps() */
    int epochs;
    uint32_t *h_order;       /* [data.count] */
    float *h_lr;             /* [steps_per_epoch] */
    mg_step_stat *h_stats;   /* [steps_per_epoch] */
    double seconds_per_step; /* the last chunk's; 0 before the first */

    mg_train_state
        at; /* where the run is; params and slots stay NULL here: they are on the device */
};

void mg__epoch_order(uint32_t *order, uint32_t count, uint64_t seed, uint32_t epoch)
{
    for (uint32_t i = 0; i < count; i++) order[i] = i;
    for (uint32_t i = count - 1; i > 0; i--) {
        /* A word times i + 1, shifted down: uniform but for a bias of at most count / 2^32. */
        const uint32_t word = mg__philox(seed, i, 0, epoch, 0x6f726465u /* "orde" */).v[0];
        const uint32_t j = (uint32_t)((uint64_t)word * (i + 1) >> 32), kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
}

/* ---- making one ---- */

static uint32_t steps_for(uint32_t images, int batch) { return (images - 1) / (uint32_t)batch + 1; }

int mg_train_epochs(const mg_train_options *o, uint32_t images)
{
    const uint32_t per_epoch = steps_for(images, o->batch);
    return (int)((mg__train_steps(o, per_epoch) - 1) / per_epoch + 1);
}

/* What decides on the training's course has to be there. */
static mg_status check_course(const mg_trainer *t, const mg_dataset *val)
{
    const mg_train_options *o = &t->options;
    const uint64_t steps = mg__train_steps(o, t->steps_per_epoch);
    const bool compares = o->patience > 0 || strcmp(o->schedule, "plateau") == 0;
    if (o->warmup >= steps && o->warmup > 0)
        return mg__fail(MG_ERR_INVALID,
                        "warmup: expected less than the training's %llu steps, "
                        "found %llu",
                        (unsigned long long)steps, (unsigned long long)o->warmup);
    if (compares && !val && mg__monitors_validation(o))
        return mg__fail(MG_ERR_INVALID,
                        "monitor: %s needs validation images, and there are none "
                        "(without: loss, accuracy)",
                        o->monitor);
    return MG_OK;
}

static mg_status alloc_feed(mg_trainer *t)
{
    mg_status st;
    mg_backend *be = t->backend;
    void *state, *stats, *lr, *order;
    MG_TRY(be->ops->alloc(be, &state, sizeof(mg_step_state)));
    t->feed.state = state;
    MG_TRY(be->ops->alloc(be, &stats, t->steps_per_epoch * sizeof(mg_step_stat)));
    t->feed.stats = stats;
    MG_TRY(be->ops->alloc(be, &lr, t->steps_per_epoch * sizeof(float)));
    t->feed.lr = lr;
    MG_TRY(be->ops->alloc(be, &order, t->data.count * sizeof(uint32_t)));
    t->feed.order = order;
    t->feed.pixels = t->data.pixels;
    t->feed.labels = t->data.labels;
    MG_TRY(mg__augment_ranges(&t->feed.augment, &t->options.augment,
                              mg__model_input(t->model)->shape));
out:
    return st;
}

static mg_status init_params(mg_trainer *t)
{
    float *params = malloc(t->model->arena_length * sizeof *params);
    if (!params) return mg__fail(MG_ERR_MEMORY, "out of memory for the initial weights");
    mg__model_init(t->model, params, t->options.seed);
    const mg_status st = mg_trainer_set_params(t, params);
    free(params);
    return st;
}

mg_status mg_trainer_create(mg_trainer **out, mg_backend *backend, const mg_model *model,
                            const mg_dataset *train, const mg_dataset *val,
                            const mg_train_options *options)
{
    mg_status st;
    mg_optimizer_spec optimizer;
    mg_trainer *t = calloc(1, sizeof *t);
    if (!t) return mg__fail(MG_ERR_MEMORY, "out of memory for the trainer");
    *t = (mg_trainer){.backend = backend, .model = model, .options = *options};
    MG_TRY(mg__check_options(options));
    MG_TRY(mg__optimizer_read(&optimizer, options));
    MG_TRY(mg__device_data_create(&t->data, backend, model, train));
    t->steps_per_epoch = steps_for(train->count, options->batch);
    t->epochs = mg_train_epochs(options, train->count);
    MG_TRY(check_course(t, val));
    t->h_order = malloc(train->count * sizeof *t->h_order);
    t->h_lr = malloc(t->steps_per_epoch * sizeof *t->h_lr);
    t->h_stats = calloc(t->steps_per_epoch, sizeof *t->h_stats);
    t->at.history = calloc((size_t)t->epochs, sizeof *t->at.history);
    if (!t->h_order || !t->h_lr || !t->h_stats || !t->at.history)
        MG_FAIL(MG_ERR_MEMORY, "out of memory for the trainer");
    MG_TRY(alloc_feed(t));
    MG_TRY(mg__net_create(&t->net, backend, model));
    MG_TRY(init_params(t));
    MG_TRY(mg__pass_create(&t->pass, t->net, options->batch, &t->feed, &optimizer, true));
    if (val) MG_TRY(mg__evaluator_create(&t->validation, t->net, val));
    *out = t;
    t = NULL;
out:
    mg_trainer_free(t);
    return st;
}

void mg_trainer_free(mg_trainer *t)
{
    if (!t) return;
    mg_backend *be = t->backend;
    mg__evaluator_free(t->validation);
    mg__pass_free(t->pass);
    mg__net_free(t->net);
    mg__device_data_free(&t->data);
    be->ops->release(be, t->feed.state);
    be->ops->release(be, t->feed.stats);
    be->ops->release(be, (void *)t->feed.lr);
    be->ops->release(be, (void *)t->feed.order);
    free(t->h_order);
    free(t->h_lr);
    free(t->h_stats);
    free(t->at.history);
    free(t);
}

/* ---- running ---- */

/* The steps of epoch 0, 1, ...: the last one ends where the training does. */
static uint32_t epoch_steps(const mg_trainer *t, uint32_t epoch)
{
    const uint64_t before = (uint64_t)epoch * t->steps_per_epoch;
    const bool last = epoch + 1 == (uint32_t)t->epochs;
    return last ? (uint32_t)(mg__train_steps(&t->options, t->steps_per_epoch) - before)
                : t->steps_per_epoch;
}

/* The images that they use. */
static uint32_t epoch_images(const mg_trainer *t, uint32_t epoch)
{
    const uint64_t images = (uint64_t)epoch_steps(t, epoch) * (uint32_t)t->options.batch;
    return images < t->data.count ? (uint32_t)images : t->data.count;
}

/* What the present epoch's learning rates start from. */
static double base_rate(const mg_trainer *t)
{
    return mg__base_lr(&t->options, t->at.history, t->at.history_count);
}

/* The learning rate of step 0, 1, ... of the present epoch. */
static double learning_rate(const mg_trainer *t, double base, uint32_t step)
{
    return mg__schedule_lr(&t->options, base, (uint64_t)t->at.epoch * t->steps_per_epoch + step,
                           t->steps_per_epoch);
}

/* Puts this epoch's order of images and learning rates on the device and the step state at the
 * present place in them. */
static mg_status begin_epoch(mg_trainer *t)
{
    mg_status st;
    const uint32_t count = t->data.count;
    if (t->options.shuffle)
        mg__epoch_order(t->h_order, count, t->options.seed, t->at.epoch);
    else
        for (uint32_t i = 0; i < count; i++) t->h_order[i] = i;
    MG_TRY(t->backend->ops->upload(t->backend, (void *)t->feed.order, t->h_order,
                                   count * sizeof *t->h_order));
    const double base = base_rate(t);
    for (uint32_t i = 0; i < t->steps_per_epoch; i++) t->h_lr[i] = (float)learning_rate(t, base, i);
    MG_TRY(mg__pass_seek_scheduled(t->pass, t->options.seed, (uint32_t)t->at.step, t->at.cursor,
                                   count, t->h_lr));
out:
    return st;
}

/* How many steps to enqueue before the next look: one at first, then by the clock. */
static uint32_t chunk_steps(const mg_trainer *t)
{
    const uint32_t left = epoch_steps(t, t->at.epoch) - t->at.cursor / (uint32_t)t->options.batch;
    double want = t->seconds_per_step > 0 ? CHUNK_SECONDS / t->seconds_per_step : 1;
    if (t->options.max_steps) want = fmin(want, (double)(t->options.max_steps - t->at.step));
    return want >= left ? left : want < 1 ? 1 : (uint32_t)want;
}

/* Adds the chunk's statistics to the epoch's sums, in the order of the steps. */
static mg_status add_stats(mg_trainer *t, uint32_t steps)
{
    const uint32_t batch = (uint32_t)t->options.batch, first = t->at.cursor / batch;
    const mg_status st = t->backend->ops->download(t->backend, t->h_stats, t->feed.stats + first,
                                                   steps * sizeof *t->h_stats);
    if (st) return st;
    for (uint32_t i = 0; i < steps; i++) {
        const double loss = t->h_stats[i].loss;
        t->at.step++;
        if (!isfinite(loss))
            return mg__fail(MG_ERR_NUMERIC,
                            "epoch %u, step %llu: the loss is not finite (%g): try a lower "
                            "learning rate than %g",
                            t->at.epoch + 1, (unsigned long long)t->at.step, fabs(loss),
                            t->options.lr);
        t->at.epoch_loss += loss;
        t->at.epoch_correct += t->h_stats[i].correct;
        t->at.cursor += batch;
        if (t->at.cursor > t->data.count) t->at.cursor = t->data.count;
    }
    return MG_OK;
}

static void report_progress(const mg_trainer *t, const mg_train_hooks *hooks)
{
    if (!hooks || !hooks->progress) return;
    const double seen = t->at.cursor, rate = seen / t->at.epoch_seconds;
    const uint32_t batch = (uint32_t)t->options.batch;
    const mg_progress progress = {.epoch = (int)t->at.epoch + 1,
                                  .epochs = t->epochs,
                                  .step = (t->at.cursor + batch - 1) / batch,
                                  .steps = epoch_steps(t, t->at.epoch),
                                  .loss = t->at.epoch_loss / seen,
                                  .accuracy = (double)t->at.epoch_correct / seen,
                                  .images_per_sec = rate,
                                  .eta_seconds = (epoch_images(t, t->at.epoch) - seen) / rate};
    hooks->progress(hooks->user, &progress);
}

/* Validates, and puts the epoch into the history. */
static mg_status end_epoch(mg_trainer *t)
{
    const double count = epoch_images(t, t->at.epoch), start = mg__seconds();
    mg_epoch e = {.epoch = (int)t->at.epoch + 1,
                  .loss = t->at.epoch_loss / count,
                  .accuracy = (double)t->at.epoch_correct / count,
                  .val_loss = NAN,
                  .val_accuracy = NAN,
                  .lr = learning_rate(t, base_rate(t), epoch_steps(t, t->at.epoch) - 1),
                  .images_per_sec = count / t->at.epoch_seconds};
    if (t->validation) {
        uint32_t correct;
        const mg_status st = mg__evaluator_run(t->validation, &e.val_loss, &correct);
        if (st) return mg__fail_in(st, "validation");
        if (!isfinite(e.val_loss))
            return mg__fail(MG_ERR_NUMERIC,
                            "epoch %d: the loss of the validation images is not finite (%g): try a "
                            "lower learning rate than %g",
                            e.epoch, fabs(e.val_loss), t->options.lr);
        e.val_accuracy = (double)correct / mg__evaluator_count(t->validation);
    }
    e.seconds = t->at.epoch_seconds + mg__seconds() - start;
    t->at.history[t->at.history_count++] = e;
    t->at.best_epoch = mg__best_epoch(&t->options, t->at.history, t->at.history_count);
    t->at.epoch++;
    t->at.cursor = 0;
    t->at.epoch_loss = t->at.epoch_seconds = 0;
    t->at.epoch_correct = 0;
    return MG_OK;
}

static bool at_max_steps(const mg_trainer *t)
{
    return t->options.max_steps && t->at.step >= t->options.max_steps;
}

/* Runs to the end of the epoch, or to where stop() or max_steps end it. */
static mg_status run_steps(mg_trainer *t, const mg_train_hooks *hooks)
{
    mg_status st;
    MG_TRY(begin_epoch(t));
    while (t->at.cursor < epoch_images(t, t->at.epoch) && !at_max_steps(t)) {
        if (hooks && hooks->stop && hooks->stop(hooks->user))
            MG_FAIL(MG_ERR_INTERRUPTED, "interrupted in epoch %u", t->at.epoch + 1);
        const uint32_t steps = chunk_steps(t);
        const double start = mg__seconds();
        MG_TRY(mg__pass_run(t->pass, (int)steps));
        MG_TRY(add_stats(t, steps));
        const double seconds = mg__seconds() - start;
        t->at.epoch_seconds += seconds;
        t->seconds_per_step = seconds / steps;
        report_progress(t, hooks);
    }
out:
    return st;
}

mg_train_end mg_trainer_end(const mg_trainer *t)
{
    const mg_train_options *o = &t->options;
    if (t->at.epoch >= (uint32_t)t->epochs) return MG_TRAIN_EPOCHS;
    if (at_max_steps(t)) return MG_TRAIN_MAX_STEPS;
    const int waited = mg__epochs_waited(o, t->at.history, t->at.history_count);
    return o->patience && waited >= o->patience ? MG_TRAIN_PATIENCE : MG_TRAIN_GOES_ON;
}

mg_status mg_trainer_run(mg_trainer *t, const mg_train_hooks *hooks)
{
    mg_status st = MG_OK;
    while (mg_trainer_end(t) == MG_TRAIN_GOES_ON) {
        MG_TRY(run_steps(t, hooks));
        if (t->at.cursor < epoch_images(t, t->at.epoch)) break; /* max_steps */
        MG_TRY(end_epoch(t));
        if (hooks && hooks->epoch)
            MG_TRY(hooks->epoch(hooks->user, &t->at.history[t->at.history_count - 1]));
    }
out:
    return st;
}

/* ---- state ---- */

mg_status mg_trainer_get_params(mg_trainer *t, float *params)
{
    return t->backend->ops->download(t->backend, params, t->net->params,
                                     t->model->arena_length * sizeof *params);
}

mg_status mg_trainer_set_params(mg_trainer *t, const float *params)
{
    return t->backend->ops->upload(t->backend, t->net->params, params,
                                   t->model->arena_length * sizeof *params);
}

static mg_status copy_history(mg_epoch **out, const mg_epoch *history, int count, int room)
{
    *out = calloc(room > 0 ? (size_t)room : 1, sizeof **out);
    if (!*out) return mg__fail(MG_ERR_MEMORY, "out of memory for the history");
    if (count > 0) memcpy(*out, history, (size_t)count * sizeof *history);
    return MG_OK;
}

mg_status mg_trainer_save(mg_trainer *t, mg_train_state **out)
{
    mg_status st;
    const size_t bytes = t->model->arena_length * sizeof(float);
    mg_train_state *s = malloc(sizeof *s);
    if (!s) return mg__fail(MG_ERR_MEMORY, "out of memory for the training state");
    *s = t->at;
    s->history = NULL;
    s->length = t->model->arena_length;
    MG_TRY(copy_history(&s->history, t->at.history, t->at.history_count, t->at.history_count));
    s->params = malloc(bytes);
    if (!s->params) MG_FAIL(MG_ERR_MEMORY, "out of memory for the training state");
    MG_TRY(mg_trainer_get_params(t, s->params));
    for (int i = 0; i < mg__optimizer_slots(t->pass->update.spec.kind); i++) {
        s->slots[i] = malloc(bytes);
        if (!s->slots[i]) MG_FAIL(MG_ERR_MEMORY, "out of memory for the training state");
        MG_TRY(t->backend->ops->download(t->backend, s->slots[i], t->pass->update.slots[i], bytes));
    }
    *out = s;
    s = NULL;
out:
    mg_train_state_free(s);
    return st;
}

/* The state's position must be one that this trainer can be at. */
static mg_status check_state(const mg_trainer *t, const mg_train_state *s)
{
    if (s->length != t->model->arena_length)
        return mg__fail(MG_ERR_MISMATCH, "the saved state has %zu parameters, the model %zu",
                        s->length, t->model->arena_length);
    for (int i = 0; i < MG_COUNT_OF(s->slots); i++)
        if (!s->slots[i] != !t->pass->update.slots[i])
            return mg__fail(MG_ERR_MISMATCH, "the saved state is another optimizer's, not %s's",
                            t->options.optimizer);
    const uint32_t images = epoch_images(t, s->epoch);
    if (s->cursor >= images || s->cursor % (uint32_t)t->options.batch)
        return mg__fail(
            MG_ERR_MISMATCH,
            "the saved state stands at image %u, which does not fit %u images in batches of %d",
            s->cursor, images, t->options.batch);
    const uint64_t step =
        (uint64_t)s->epoch * t->steps_per_epoch + s->cursor / (uint32_t)t->options.batch;
    if (s->epoch < (uint32_t)t->epochs && s->step != step)
        return mg__fail(MG_ERR_MISMATCH,
                        "the saved state has done %llu steps, not the %llu up to its place: its "
                        "last epoch was a shorter one, after which there is no going on",
                        (unsigned long long)s->step, (unsigned long long)step);
    if (s->history_count != (int)s->epoch || s->best_epoch < 0 || s->best_epoch > s->history_count)
        return mg__fail(MG_ERR_MISMATCH, "the saved state's history does not fit its %u epochs",
                        s->epoch);
    return MG_OK;
}

mg_status mg_trainer_restore(mg_trainer *t, const mg_train_state *s)
{
    mg_status st;
    mg_epoch *history = NULL;
    MG_TRY(check_state(t, s));
    const int room = s->history_count + t->epochs;
    MG_TRY(copy_history(&history, s->history, s->history_count, room));
    MG_TRY(mg_trainer_set_params(t, s->params));
    for (int i = 0; i < MG_COUNT_OF(s->slots); i++)
        if (s->slots[i])
            MG_TRY(t->backend->ops->upload(t->backend, t->pass->update.slots[i], s->slots[i],
                                           s->length * sizeof(float)));
    free(t->at.history);
    t->at = *s;
    t->at.params = t->at.slots[0] = t->at.slots[1] = NULL;
    t->at.history = history;
    history = NULL;
out:
    free(history);
    return st;
}

mg_status mg_trainer_check_state(const mg_trainer *t, const mg_train_state *s)
{
    const float *const arenas[] = {s->params, s->slots[0], s->slots[1]};
    static const char *const names[] = {"the weights", "the optimizer's state",
                                        "the optimizer's state"};
    for (int i = 0; i < MG_COUNT_OF(arenas); i++) {
        const mg_status st = arenas[i] ? mg__model_check_finite(t->model, arenas[i]) : MG_OK;
        if (st)
            return mg__fail_in(st, "after step %llu: %s", (unsigned long long)s->step, names[i]);
    }
    return MG_OK;
}

/* params: before the step */
static mg_status trace_step(mg_trainer *t, const float *params)
{
    const uint64_t step = t->at.step + 1;
    mg_status st = mg__pass_run(t->pass, 1);
    if (st) return st;
    st = mg__trace_step(t->pass);
    if (st != MG_ERR_NUMERIC) return st ? st : add_stats(t, 1);
    mg__fail_in(st, "step %llu", (unsigned long long)step);
    return mg__fail(st, "%s; the largest weight before it is %g", mg_last_error(),
                    (double)mg__largest_weight(t->model, params));
}

mg_status mg_trainer_trace(mg_trainer *t, const mg_train_state *from)
{
    mg_status st;
    const uint64_t end = t->at.step;
    float *params = malloc(t->model->arena_length * sizeof *params);
    if (!params) return mg__fail(MG_ERR_MEMORY, "out of memory for the weights");
    MG_TRY(mg_trainer_restore(t, from));
    MG_TRY(begin_epoch(t));
    while (t->at.step < end && t->at.cursor < t->data.count) {
        MG_TRY(mg_trainer_get_params(t, params));
        MG_TRY(trace_step(t, params));
    }
out:
    free(params);
    return st;
}

void mg_train_state_free(mg_train_state *s)
{
    if (!s) return;
    free(s->params);
    free(s->slots[0]);
    free(s->slots[1]);
    free(s->history);
    free(s);
}
