/* One file of a well-known set from mirrors of the caller's choice; mg_dataset_download is four of
 * these. */
#ifndef MG_DOWNLOAD_H
#define MG_DOWNLOAD_H

#include "data/files.h"
#include "mnist_gpu/dataset.h"

typedef struct mg_mirrors {
    const char *const *urls; /* [count] base URLs, tried in turn */
    int count;
    mg_download_progress *progress; /* or NULL */
    void *user;
} mg_mirrors;

/* Leaves <name>.gz in `dir`, which exists, unless the set's file is there under any name.
 * Errors as mg_dataset_download. */
mg_status mg__download_file(const char *dir, const mg_known_set *set, mg_set_file file,
                            const mg_mirrors *mirrors);

#endif
