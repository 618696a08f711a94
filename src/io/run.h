/* A run directory: what one training leaves behind.
 *
 *     config.json            options, model, data, versions
 *     state.safetensors      all that --resume needs: weights, optimizer, position, history
 *     last.safetensors       the weights after the last epoch (or at the interruption)
 *     best.safetensors       the weights of the best epoch
 *     metrics.csv            one line per epoch
 *
 * Every file is replaced by rename, so none is ever half written. state.safetensors is written
 * first and is the only truth: a kill between two files is mended at resume, which rewrites the
 * others from it. */
#ifndef MG_RUN_H
#define MG_RUN_H

#include "mnist_gpu/train.h"

typedef struct mg_run_config {
    mg_train_options options;
    char *model_name, *model_text; /* malloc'd */
    char *data;                    /* directory, malloc'd */
    char *device;                  /* name of the backend, malloc'd */
    double val_split;              /* 0 .. <1: the last part of the training images */
    uint32_t limit;                /* only the first so many training images; 0 = all */
    uint32_t train_count, val_count;
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

mg_status mg__run_save_config(const char *dir, const mg_run_config *config);
mg_status mg__run_load_config(mg_run_config *out, const char *dir);

/* Writes state, last, best (if the state's last epoch is its best, and it has just ended) and
 * metrics. */
mg_status mg__run_save(const char *dir, const mg_model *model, const mg_train_state *state);
/* Reads the state back and mends the other files. MG_ERR_MISMATCH names the difference to `model`.
 */
mg_status mg__run_load(mg_train_state **out, const char *dir, const mg_model *model);

/* The weights file that RUN|WEIGHTS|NULL names: a directory's best.safetensors (else last), a file
 * itself, the latest run for NULL. *out malloc'd; *out_dir (malloc'd) the run directory or NULL. */
mg_status mg__run_weights_path(char **out, char **out_dir, const char *run_or_file);

#endif
