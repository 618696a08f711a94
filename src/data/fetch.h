/* One transfer from a URL into a file. */
#ifndef MG_FETCH_H
#define MG_FETCH_H

#include "error.h"
#include "mnist_gpu/dataset.h"
#include <stdint.h>

typedef struct mg_fetch {
    const char *url;
    int fd;                         /* the file, positioned at `offset` */
    uint64_t offset;                /* bytes of it that are there already */
    uint64_t limit;                 /* refuse to let the file grow larger */
    const char *file;               /* its name for `progress` */
    mg_download_progress *progress; /* or NULL */
    void *user;
} mg_fetch;

/* Waits for the transfer. A server that cannot start at `offset` makes the file start anew; one
 * that has nothing from there on leaves it as it is, and that is MG_OK.
 * MG_ERR_NETWORK: the message is the reason alone, and what has arrived stays for another try.
 * MG_ERR_FORMAT: the file would grow beyond `limit`; the message is the reason alone.
 * MG_ERR_IO: the file cannot be written. MG_ERR_UNSUPPORTED: built without libcurl. */
mg_status mg__fetch(mg_fetch *fetch);

#endif
