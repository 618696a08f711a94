/* --resume of a run directory that is not to be trusted: config.json and state.safetensors, through
 * a trainer, which then trains on for a step. */
#include "tensors.h"
#include "io/run.h"
#include "io/run_files.h"
#include "mnist_gpu/device.h"
#include "model/cost.h"
#include "train/pass.h"
#include "train/schedule.h"

#define STATE "folder/" MG_RUN_STATE
enum { IMAGES = 24, MAX_SIZE = 64, MAX_PARAMS = 4096, MAX_FLOPS = 1 << 16 };

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    return fuzz_mutate_parts(data, size, max_size, seed, mend_header_length);
}

static bool is_small(const mg_model *model)
{
    size_t floats = 0;
    for (int i = 0; i < model->layer_count; i++) floats += mg_shape_size(model->layers[i].out);
    return model->layer_count < 16 && floats < MAX_PARAMS && model->arena_length < MAX_PARAMS &&
           mg__model_cost(model, 1, 2).forward_flops < MAX_FLOPS;
}

/* Fewer than a batch can be, so that one of 65536 rows takes no time. */
static mg_dataset images_for(const mg_model *model)
{
    static uint8_t pixels[IMAGES * MAX_PARAMS], labels[IMAGES];
    mg_dataset set = {.count = IMAGES, .classes = 2, .pixels = pixels, .labels = labels};
    mg_model_input_size(model, &set.channels, &set.height, &set.width);
    for (int i = 0; i < IMAGES; i++) labels[i] = (uint8_t)(i % 2);
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(i * i);
    return set;
}

/* After one step. */
static bool stop(void *user)
{
    bool *asked = user, now = *asked;
    *asked = true;
    return now;
}

static mg_status train_on(mg_backend *backend, const mg_model *model, const mg_run_config *config,
                          const mg_train_state *state)
{
    mg_status st;
    mg_trainer *trainer = NULL;
    mg_train_state *saved = NULL;
    bool asked = false;
    const mg_dataset set = images_for(model), val = mg_dataset_slice(&set, 0, 4);
    const mg_train_hooks hooks = {.user = &asked, .stop = stop};
    MG_TRY(mg_trainer_create(&trainer, backend, model, &set, config->val_count ? &val : NULL,
                             &config->options));
    MG_TRY(mg_trainer_restore(trainer, state));
    MG_TRY(mg_trainer_save(trainer, &saved));
    FUZZ_CHECK(saved->step == state->step && saved->cursor == state->cursor);
    FUZZ_CHECK(!memcmp(saved->params, state->params, state->length * sizeof *state->params));
    MG_TRY(mg_trainer_run(trainer, &hooks));
out:
    mg_train_state_free(saved);
    mg_trainer_free(trainer);
    return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {MG_RUN_CONFIG, MG_RUN_STATE};
    static mg_backend *backend;
    mg_status st;
    fuzz_part parts[2];
    mg_run_config config = {0};
    mg_model *model = NULL;
    mg_train_state *state = NULL;
    char *settings = NULL;
    const char *folder = fuzz_folder(names, MG_COUNT_OF(names));
    if (!backend) FUZZ_CHECK(mg_backend_open(&backend, "ref", 1) == MG_OK);
    fuzz_split(parts, data, size);
    for (int i = 0; i < MG_COUNT_OF(parts); i++) fuzz_file(i, parts[i].bytes, parts[i].size);

    MG_TRY(mg__run_load_config(&config, folder));
    MG_TRY(mg__check_options(&config.options));
    MG_TRY(mg_model_parse(&model, config.model_text, config.model_name));
    MG_TRY(mg__run_settings(&settings, &config));
    st = mg__state_read(&state, STATE, model, settings);
    if (st == MG_ERR_MISMATCH) st = mg__state_read(&state, STATE, model, NULL); /* all the same */
    MG_TRY(st);
    if (is_small(model) && config.options.batch <= MAX_SIZE)
        MG_TRY(train_on(backend, model, &config, state));
out:
    if (st) fuzz_check_refusal(st);
    free(settings);
    mg_train_state_free(state);
    mg_model_free(model);
    mg__run_config_free(&config);
    return 0;
}
