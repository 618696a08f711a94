/* The files of a run directory, for those who write them. */
#ifndef MG_RUN_FILES_H
#define MG_RUN_FILES_H

#include "mnist_gpu/train.h"

#define MG_RUN_CONFIG     "config.json"
#define MG_RUN_STATE      "state.safetensors"
#define MG_RUN_LAST       "last.safetensors"
#define MG_RUN_BEST       "best.safetensors"
#define MG_RUN_EPOCH      "epoch-%04d.safetensors"
#define MG_RUN_CSV        "metrics.csv"
#define MG_RUN_JSONL      "metrics.jsonl"
#define MG_RUN_LOG        "log.txt"
#define MG_RUN_TRAIN      "train"      /* TensorBoard's runs, each with its */
#define MG_RUN_VALIDATION "validation" /* MG_RUN_EVENTS */
#define MG_RUN_EVENTS     "events.out.tfevents"

enum { MG_RUN_EPOCH_SIZE = 40 };

/* The epoch whose weights a file of this name holds; 0 if it is another file. */
int mg__run_epoch_of(const char *name);

/* "<dir>/<name>"; *out is malloc'd. MG_ERR_MEMORY. */
mg_status mg__run_file(char **out, const char *dir, const char *name);

/* state.safetensors (run_state.c), of a run with these settings (mg__run_settings), or NULL; older
 * files have none. Reading: MG_ERR_NOT_FOUND, MG_ERR_FORMAT, MG_ERR_NUMERIC, MG_ERR_MISMATCH names
 * the difference to `model` or `settings`. *out: mg_train_state_free. */
mg_status mg__state_write(const char *path, const mg_model *model, const mg_train_state *state,
                          const char *settings);
mg_status mg__state_read(mg_train_state **out, const char *path, const mg_model *model,
                         const char *settings);

/* Removes the temporary files of killed processes. */
void mg__run_remove_leftovers(const char *dir);

#endif
