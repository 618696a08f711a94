/* The figures of a training's epochs as text: in its state, in metrics.csv and metrics.jsonl. */
#ifndef MG_HISTORY_H
#define MG_HISTORY_H

#include "mnist_gpu/train.h"

struct json_t;

/* Numbers as JSON: NaN is null, infinity the text "inf" or "-inf"; with MG_EXACT_DIGITS they come
 * back as the same double. Never in the locale's way. */
enum { MG_EXACT_DIGITS = 17, MG_NUMBER_SIZE = 40 };
void mg__number_text(char out[MG_NUMBER_SIZE], double value, size_t digits);
bool mg__number_read(double *out, const struct json_t *value); /* false: none of these */

/* [{"epoch": 1, "loss": ..., ...}, ...], exact; malloc'd, NULL when out of memory. */
char *mg__history_text(const mg_train_state *state);
/* Sets state->history: epochs 1, 2, ... up to state->epoch. text may be NULL. MG_ERR_FORMAT. */
mg_status mg__history_read(mg_train_state *state, const char *text);

/* A header and a line per epoch, empty where there is no figure; and a JSON object a line, null
 * there. The file is replaced as a whole (mg__file_replace). MG_ERR_IO, MG_ERR_MEMORY. */
mg_status mg__history_write_csv(const char *path, const mg_train_state *state);
mg_status mg__history_write_jsonl(const char *path, const mg_train_state *state);

#endif
