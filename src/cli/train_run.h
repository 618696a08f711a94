/* A training and the directory that keeps it: the trainer makes states, the run directory stores
 * them, and a signal ends it in order. */
#ifndef CLI_TRAIN_RUN_H
#define CLI_TRAIN_RUN_H

#include "cli.h"
#include "train_log.h"

typedef struct train_run {
    mg_run_config config;
    mg_model *model;
    mg_backend *backend;
    mg_trainer *trainer;
    char *settings; /* mg__run_settings() of the config, once the data is loaded */
    char *dir;      /* NULL until train_run_create */
    int lock;       /* on it (mg__run_lock); -1 until then */
    train_log log;
    mg_train_state *saved; /* last, or loaded; NULL before */
    int verbose;           /* 0: the test result only; 1: a bar and a line per epoch; 2: no bar */
    bool resumed;
} train_run;

typedef struct train_data {
    mg_dataset *all, *test; /* test: NULL if the set has no test files */
    mg_dataset train, val;  /* views of `all` */
} train_data;

/* Makes and locks the run directory, `dir` or a new one under runs/ if it is NULL, and saves the
 * trainer's initial state in it, so that a run can be resumed from its very beginning.
 * MG_ERR_INVALID: `dir` holds a run already. */
mg_status train_run_create(train_run *run, const char *dir);

/* Takes the trainer to where the run in run->dir was saved, and saves the present config. */
mg_status train_run_resume(train_run *run);

/* Trains to the end, saving after every epoch and at the end. SIGINT or SIGTERM: finishes the step,
 * saves, MG_ERR_INTERRUPTED; a second one kills. MG_ERR_NUMERIC, MG_ERR_DEVICE: the message says
 * which epoch is kept, that last saved; of the first also where a number first was not finite. */
mg_status train_run_go(train_run *run);

/* Writes the log's last line, which says how `st` came; returns `st`, with its message. */
mg_status train_run_end(train_run *run, mg_status st);

void train_run_free(train_run *run); /* frees the members */

#endif
