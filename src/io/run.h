/* A run directory: what one training leaves behind.
 *
 *     config.json              options, model, data, versions
 *     state.safetensors        all that --resume needs: weights, optimizer, position, history
 *     last.safetensors         the weights after the last epoch (or at the interruption)
 *     best.safetensors         the weights of the best epoch
 *     epoch-0001.safetensors   the weights after that epoch, for each one that is kept
 *     metrics.csv              one line per epoch
 *     metrics.jsonl            the same, each line a JSON object
 *     curves.svg, .png         their curves, if asked for (draw/curves.h)
 *     train, validation        the same for TensorBoard (io/tensorboard.h)
 *     log.txt                  what was printed (cli/train_log.h)
 *
 * The last two grow; every other file is replaced by rename, so none is ever half written, not even
 * where the power goes: the new content is on the disk before its name is, and the name before the
 * program goes on. state.safetensors is written first and is the only truth: a kill between two
 * files is mended at resume, which rewrites the others from it. What grows is not forced to the
 * disk: after a loss of power its end may be missing. Event files are then replaced at resume;
 * log.txt lacks those lines, but for that of the last epoch. */
#ifndef MG_RUN_H
#define MG_RUN_H

#include "mnist_gpu/train.h"

/* What a run writes beside its state and metrics. */
typedef struct mg_run_outputs {
    bool best, last, epoch; /* weights: of the best epoch, the last, each one */
    int keep;               /* only the latest so many of each epoch's; 0 = all */
    bool tensorboard;       /* event files */
    double started;         /* when the run began, Unix time; event files count from it */
    const char *settings;   /* mg__run_settings() of the run, which its state repeats; or NULL;
                               borrowed */
    const char *data;       /* "data" in the metadata of the weights, or NULL for none; borrowed */
} mg_run_outputs;

typedef struct mg_run_config {
    mg_train_options options;
    mg_run_outputs outputs;
    char *model_name, *model_text; /* malloc'd */
    char *data;                    /* directory, malloc'd */
    char *device;                  /* name of the backend, malloc'd */
    char kernels[8];               /* see mg_backend_set_kernels */
    double val_split;              /* 0 .. <1: the last part of the training images */
    uint32_t limit;                /* only the first so many training images; 0 = all */
    uint32_t train_count, val_count;
    uint32_t data_crc32; /* mg__dataset_crc32() of them all; 0: not known */
    char *later;         /* after reading: the keys that the file, of an older version, lacks, with
                            ", " between, malloc'd; or NULL */
} mg_run_config;
void mg__run_config_free(mg_run_config *config); /* frees the members, not the struct */

/* runs/<YYYYmmdd-HHMMSS>-<model> under the current directory, made new (a number is added if it is
 * there). *out malloc'd. */
mg_status mg__run_new_dir(char **out, const char *model_name);
/* Makes `dir` and its parents; MG_ERR_INVALID if it already holds a run (one that was killed before
 * its first state was saved does not count). */
mg_status mg__run_make_dir(const char *dir);
/* The latest run under runs/ that has weights; MG_ERR_NOT_FOUND says what to do. *out malloc'd. */
mg_status mg__run_latest(char **out);

/* One process at a time trains in `dir`: takes its lock (flock on the directory, which needs no
 * file). *lock: close() releases it, as the end of the process does, however it comes.
 * MG_ERR_NOT_FOUND; MG_ERR_IO: another process has it, the message says which. */
mg_status mg__run_lock(int *lock, const char *dir);

mg_status mg__run_save_config(const char *dir, const mg_run_config *config);
/* MG_ERR_FORMAT names the key, also one that is not known; MG_ERR_UNSUPPORTED: a later format.
 * What the file lacks because it is older has its default, and is listed in out->later. */
mg_status mg__run_load_config(mg_run_config *out, const char *dir);

/* What of the config a training's numbers depend on, as JSON. *out malloc'd. */
mg_status mg__run_settings(char **out, const mg_run_config *config);
/* MG_ERR_MISMATCH names the first of the settings that differs, with both values. */
mg_status mg__run_check_settings(const char *found, const char *expected);

/* Writes state and metrics, and of the outputs: last; best, if the state's last epoch is its best
 * and has just ended; epoch, if one has just ended; event files. */
mg_status mg__run_save(const char *dir, const mg_model *model, const mg_train_state *state,
                       const mg_run_outputs *outputs);
/* Reads the state back and mends the other files. MG_ERR_MISMATCH names the difference to `model`,
 * or to outputs->settings. */
mg_status mg__run_load(mg_train_state **out, const char *dir, const mg_model *model,
                       const mg_run_outputs *outputs);

/* The weights file that RUN|WEIGHTS|NULL names: a directory's best.safetensors (else last, else the
 * latest epoch's), a file itself, the latest run for NULL. *out malloc'd; *out_dir (malloc'd) the
 * run directory or NULL. MG_ERR_NOT_FOUND: there is none. */
mg_status mg__run_weights_path(char **out, char **out_dir, const char *run_or_file);

#endif
