/* Resuming is exact: a run that is stopped and gone on with, several times, in the middle of epochs
 * and at their ends, leaves the same files as one that was not, whatever it is made of. As the
 * program does it, by way of the run directory: config.json and state.safetensors are all that one
 * part of a run leaves to the next. Usage: test_resume ref|cpu|cuda */
#define _XOPEN_SOURCE 700 /* mkdtemp, nftw, strdup */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "trainer.h"
#include "io/run.h"
#include "scratch.h"
#include "train/schedule.h"

enum {
    EPOCHS = 4,
    DEVICE_CASES = 6 /* of the cases; the others differ in what the host does alone */
};

#define IN   "input 1x9x8 mean=0.3 std=0.4\n"
#define CONV "conv out=3 kernel=3\n"
#define OUT  "maxpool size=2\ndense out=5\n"
#define XENT "softmax_xent\n"

/* Every optimizer, schedule, monitored figure, kind of layer and of augmentation has to be in one
 * of them at least. What is 0 or NULL is as by default. */
static const struct resumed {
    const char *text;
    mg_train_options set;
    int keep;           /* --save epoch --keep */
    bool grows, orders; /* is begun with fewer epochs; the images in the file's order */
} cases[] = {
    {.text = IN CONV "relu\n" OUT "softmax_xent smoothing=0.1\n",
     .set = {.optimizer = "adamw",
             .schedule = "exponential",
             .weight_decay = 0.1,
             .monitor = "val_loss"},
     .grows = true},
    {.text = IN CONV "leaky_relu\n" OUT "mse\n",
     .set = {.optimizer = "rmsprop",
             .schedule = "step",
             .lr_step = 2,
             .clip_value = 0.01,
             .warmup = 7,
             .rho = 0.8,
             .monitor = "loss"},
     .keep = 2,
     .grows = true},
    {.text = IN CONV "batchnorm\nrelu\n" OUT XENT,
     .set = {.optimizer = "sgd",
             .momentum = 0.9,
             .nesterov = true,
             .schedule = "one-cycle",
             .weight_decay = 0.1}},
    {.text = IN "dropout rate=0.1\n" CONV "tanh\navgpool size=2\ndropout\ndense out=5\n" XENT,
     .set = {.optimizer = "adam",
             .schedule = "cosine",
             .lr_min = 1e-5,
             .clip_norm = 0.1,
             .warmup = 3,
             .weight_decay = 0.01}},
    {.text = IN CONV "relu\n" OUT XENT,
     .set = {.optimizer = "sgd",
             .schedule = "linear",
             .momentum = 0.5,
             .augment = {.affine = 1, .elastic = 1}},
     .keep = 1},
    {.text = IN CONV "batchnorm\ndropout\n" OUT XENT,
     .set = {.optimizer = "rmsprop", .augment = {.stroke = 1, .noise = 1}},
     .grows = true},
    {.text = IN CONV "relu\n" OUT XENT,
     .set = {.optimizer = "adam", .schedule = "constant"},
     .grows = true},
    {.text = IN CONV "sigmoid\n" OUT XENT, /* steps so small that no image is read differently */
     .set = {.optimizer = "sgd",
             .schedule = "plateau",
             .lr = 1e-5,
             .lr_patience = 1,
             .lr_gamma = 0.5,
             .monitor = "accuracy"},
     .orders = true,
     .grows = true},
    {.text = IN CONV "relu\n" OUT XENT, /* no epoch is better by so much: it ends after the third */
     .set = {.optimizer = "adamw",
             .patience = 2,
             .min_delta = 1,
             .beta1 = 0.8,
             .beta2 = 0.9,
             .eps = 1e-6},
     .grows = true},
};

static mg_train_options options_of(const struct resumed *c)
{
    mg_train_options o = mg_train_options_default();
    const mg_train_options *s = &c->set;
#define TAKE_WORD(field)                                                                           \
    if (*s->field) memcpy(o.field, s->field, sizeof o.field)
#define TAKE(field)                                                                                \
    if (s->field != 0) o.field = s->field
    TAKE_WORD(optimizer);
    TAKE_WORD(schedule);
    TAKE_WORD(monitor);
    TAKE(lr);
    TAKE(momentum);
    TAKE(nesterov);
    TAKE(beta1);
    TAKE(beta2);
    TAKE(rho);
    TAKE(eps);
    TAKE(weight_decay);
    TAKE(clip_value);
    TAKE(clip_norm);
    TAKE(lr_gamma);
    TAKE(lr_step);
    TAKE(lr_min);
    TAKE(lr_patience);
    TAKE(warmup);
    TAKE(patience);
    TAKE(min_delta);
    o.augment = s->augment;
    o.shuffle = !c->orders;
    o.epochs = EPOCHS;
    o.batch = BATCH;
    return o;
}

/* ---- parts of a run ---- */

typedef struct part {
    uint64_t max_steps;
    int epochs;
    int interrupt; /* at the so many-th look between chunks of steps, as Ctrl-C does; 0: never */
} part;

typedef struct run {
    const char *dir;
    mg_run_config config;
    mg_trainer *trainer;
    int looks; /* left before the interruption; below 0: none comes */
} run;

static mg_status save_run(run *r)
{
    mg_train_state *state = save(r->trainer);
    assert_ok(mg__run_save(r->dir, model, state, &r->config.outputs));
    mg_train_state_free(state);
    return MG_OK;
}

static mg_status on_epoch(void *user, const mg_epoch *epoch)
{
    (void)epoch;
    return save_run(user);
}

static bool on_stop(void *user)
{
    run *r = user;
    return r->looks-- == 0;
}

static void begin(run *r, const struct resumed *c)
{
    r->config = (mg_run_config){
        .options = options_of(c),
        .outputs = {.best = true, .last = true, .epoch = true, .keep = c->keep, .started = 1.7e9},
        .model_name = strdup("test"),
        .model_text = strdup(c->text),
        .data = strdup("/data"),
        .device = strdup("cpu"),
        .val_split = 0.5,
        .train_count = train.count,
        .val_count = val.count};
    scratch_remove(r->dir);
    assert_ok(mg__run_make_dir(r->dir));
}

/* Trains for the part: a new run, or that in r->dir, of which nothing but the files is known. */
static mg_train_end go_on(run *r, const part *p, bool is_new)
{
    char *settings = NULL;
    mg_train_state *state = NULL;
    if (!is_new) assert_ok(mg__run_load_config(&r->config, r->dir));
    r->config.options.epochs = p->epochs;
    r->config.options.max_steps = p->max_steps;
    assert_ok(mg__run_settings(&settings, &r->config));
    r->config.outputs.settings = settings;
    r->looks = p->interrupt - 1;
    assert_ok(mg_model_parse(&model, r->config.model_text, "test"));
    r->trainer = make_trainer(&r->config.options, &val);
    if (!is_new) {
        assert_ok(mg__run_load(&state, r->dir, model, &r->config.outputs));
        assert_ok(mg_trainer_restore(r->trainer, state));
        mg_train_state_free(state);
    }
    assert_ok(mg__run_save_config(r->dir, &r->config));
    const mg_status st = mg_trainer_run(
        r->trainer, &(mg_train_hooks){.user = r, .epoch = on_epoch, .stop = on_stop});
    assert_int_equal(st, p->interrupt ? MG_ERR_INTERRUPTED : MG_OK);
    save_run(r);
    const mg_train_end end = mg_trainer_end(r->trainer);
    mg_trainer_free(r->trainer);
    mg_model_free(model);
    mg__run_config_free(&r->config);
    free(settings);
    return end;
}

static mg_train_state *load_state(const char *dir, const char *text)
{
    mg_train_state *state = NULL;
    assert_ok(mg_model_parse(&model, text, "test"));
    assert_ok(mg__run_load(&state, dir, model, &(mg_run_outputs){.last = true}));
    mg_model_free(model);
    return state;
}

/* ---- the tests ---- */

/* The stand-in for a GPU takes long: one in four of the stops has to do there, in the cases that
 * are about the device. */
static bool is_slow(void) { return !MG_LONG_TESTS && !strcmp(mg_backend_name(backend), "cuda"); }

static void compare_runs(const char *text)
{
    static const char *const names[] = {"best.safetensors", "last.safetensors"};
    char whole[64], broken[64];
    mg_train_state *l = load_state("whole", text), *r = load_state("broken", text);
    assert_same_state(l, r);
    assert_int_equal(l->epoch, l->history_count);
    for (int i = -MG_COUNT_OF(names); i <= EPOCHS; i++) {
        const char *name = i < 0 ? names[i + MG_COUNT_OF(names)] : "epoch-%04d.safetensors";
        char file[32];
        snprintf(file, sizeof file, name, i);
        snprintf(whole, sizeof whole, "whole/%s", file);
        snprintf(broken, sizeof broken, "broken/%s", file);
        assert_int_equal(scratch_exists(whole), scratch_exists(broken));
        if (scratch_exists(whole)) assert_same_file(whole, broken);
    }
    mg_train_state_free(l);
    mg_train_state_free(r);
}

static void every_kind_of_run_goes_on(void **unused)
{
    (void)unused;
    static const part whole = {.epochs = EPOCHS};
    static const part parts[] = {{.interrupt = 2}, /* after the first step, within an epoch */
                                 {.interrupt = 1}, /* before any other */
                                 {.max_steps = 3},
                                 {.max_steps = STEPS},
                                 {.max_steps = STEPS + 2},
                                 {.max_steps = 2 * STEPS - 1},
                                 {.epochs = 2},
                                 {.max_steps = 3 * STEPS + 4},
                                 {.epochs = EPOCHS}};
    mg_model *const usual = model;
    for (int i = 0; i < (is_slow() ? DEVICE_CASES : MG_COUNT_OF(cases)); i++) {
        const struct resumed *c = &cases[i];
        run w = {.dir = "whole"}, b = {.dir = "broken"};
        begin(&w, c);
        go_on(&w, &whole, true);
        begin(&b, c);
        for (int k = 0; k < MG_COUNT_OF(parts); k++) {
            part p = parts[k];
            if (is_slow() && k % 4 != 0) continue;
            if (p.epochs && p.epochs < EPOCHS && !c->grows) continue; /* another curve */
            if (!p.epochs) p.epochs = c->grows && k < 6 ? 2 : EPOCHS;
            go_on(&b, &p, k == 0);
        }
        compare_runs(c->text);
    }
    model = usual;
}

/* What the options name, and no case does. */
static void nothing_is_missing(void **unused)
{
    (void)unused;
    const struct {
        const char *what;
        const char *const *names;
        size_t offset;
    } words[] = {
        {"optimizer", mg_optimizer_names, offsetof(mg_train_options, optimizer)},
        {"schedule", mg_schedule_names, offsetof(mg_train_options, schedule)},
        {"monitor", mg_monitor_names, offsetof(mg_train_options, monitor)},
    };
    for (int w = 0; w < MG_COUNT_OF(words); w++)
        for (const char *const *name = words[w].names; *name; name++) {
            int found = 0;
            for (int i = 0; i < MG_COUNT_OF(cases); i++) {
                const mg_train_options o = options_of(&cases[i]);
                found += !strcmp((const char *)&o + words[w].offset, *name);
            }
            if (!found) fail_msg("no case has the %s %s", words[w].what, *name);
        }
    mg_augmentation all = {0};
    for (int kind = 0; kind < MG_LAYER_COUNT; kind++) {
        int found = 0;
        char line[40];
        for (int i = 0; i < MG_COUNT_OF(cases); i++) {
            char text[400];
            snprintf(text, sizeof text, "\n%s", cases[i].text);
            for (char *c = text; *c; c++)
                if (*c == ' ') *c = '\n';
            snprintf(line, sizeof line, "\n%s\n", mg_layer_types[kind]->name);
            found += strstr(text, line) != NULL;
        }
        if (!found) fail_msg("no case has the layer %s", mg_layer_types[kind]->name);
    }
    for (int i = 0; i < MG_COUNT_OF(cases); i++)
        for (size_t k = 0; k < sizeof all / sizeof(double); k++)
            ((double *)&all)[k] += ((const double *)&cases[i].set.augment)[k];
    for (size_t k = 0; k < sizeof all / sizeof(double); k++)
        if (((double *)&all)[k] <= 0) fail_msg("no case has augmentation %zu", k);
}

/* The schedules over all epochs follow another curve to another end, from where they are. */
static void more_epochs_than_planned(void **unused)
{
    (void)unused;
    static const char *const schedules[] = {"cosine", "one-cycle"};
    mg_model *const usual = model;
    if (is_slow()) return;
    for (int i = 0; i < MG_COUNT_OF(schedules); i++) {
        struct resumed c = {.text = IN CONV "relu\n" OUT XENT};
        run r = {.dir = "whole"};
        snprintf(c.set.schedule, sizeof c.set.schedule, "%s", schedules[i]);
        begin(&r, &c);
        assert_int_equal(go_on(&r, &(part){.epochs = 2}, true), MG_TRAIN_EPOCHS);
        assert_int_equal(go_on(&r, &(part){.epochs = EPOCHS}, false), MG_TRAIN_EPOCHS);
        mg_train_state *state = load_state("whole", c.text);
        assert_int_equal(state->epoch, EPOCHS);
        for (int e = 0; e < EPOCHS; e++) {
            mg_train_options o = options_of(&c);
            if (e < 2) o.epochs = 2;
            assert_true(state->history[e].lr ==
                        mg__schedule_lr(&o, o.lr, (uint64_t)(STEPS * (e + 1) - 1), STEPS));
        }
        mg_train_state_free(state);
        assert_int_equal(go_on(&r, &(part){.epochs = 3}, false), MG_TRAIN_EPOCHS); /* done more */
    }
    model = usual;
}

static int make_group(void **state)
{
    if (scratch_enter(state) || make_all(state)) return -1;
    val = mg_dataset_slice(&val, 0, 25);
    return 0;
}
static int free_group(void **state) { return free_all(state) || scratch_leave(state); }

int main(int argc, char **argv)
{
    int status;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_missing),
        cmocka_unit_test(every_kind_of_run_goes_on),
        cmocka_unit_test(more_epochs_than_planned),
    };
    /* steps this small only get slower with more threads */
    if (!open_backend(argc, argv, 1, &status)) return status;
    status = cmocka_run_group_tests(tests, make_group, free_group);
    mg_backend_close(backend);
    return status;
}
