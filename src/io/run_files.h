/* The files of a run directory, for run*.c. */
#ifndef MG_RUN_FILES_H
#define MG_RUN_FILES_H

#include "error.h"

#define MG_RUN_CONFIG  "config.json"
#define MG_RUN_STATE   "state.safetensors"
#define MG_RUN_LAST    "last.safetensors"
#define MG_RUN_BEST    "best.safetensors"
#define MG_RUN_METRICS "metrics.csv"

/* "<dir>/<name>"; *out is malloc'd. MG_ERR_MEMORY. */
mg_status mg__run_file(char **out, const char *dir, const char *name);

/* Removes the temporary files of killed processes. */
void mg__run_remove_leftovers(const char *dir);

#endif
