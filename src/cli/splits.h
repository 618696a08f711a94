/* A network's figures on the parts of its data, side by side: how much better it is on the images
 * that it was trained on shows how far it overfits. */
#ifndef CLI_SPLITS_H
#define CLI_SPLITS_H

#include "cli.h"

typedef struct cli_split {
    const char *name; /* "train", "val", "test" */
    uint32_t count, correct;
    double loss, accuracy; /* mean per image; 0 .. 1 */
} cli_split;

typedef struct cli_splits {
    int count;
    cli_split split[3]; /* training images first, test images last */
} cli_splits;

/* Evaluates the network on `set` and adds its row. */
mg_status cli_splits_add(cli_splits *splits, const char *name, mg_backend *backend,
                         const cli_network *network, const mg_dataset *set);

/* The table, and below it the gap (train minus test) where both are there: lines of text, malloc'd,
 * or JSON {"splits": [...], "gap": {...} or null}; NULL when out of memory. */
char *cli_splits_text(const cli_splits *splits);
json_t *cli_splits_json(const cli_splits *splits);

#endif
