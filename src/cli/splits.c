#include "splits.h"
#include "io/text_stream.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

mg_status cli_splits_add(cli_splits *s, const char *name, mg_backend *backend,
                         const cli_network *network, const mg_dataset *set)
{
    mg_evaluation *e = NULL;
    const mg_status st = mg_evaluate(&e, backend, network->model, network->params, set);
    if (st) return st;
    assert(s->count < MG_COUNT_OF(s->split));
    s->split[s->count++] = (cli_split){name, e->count, e->correct, e->loss, e->accuracy};
    mg_evaluation_free(e);
    return MG_OK;
}

/* Train minus test; false where one of them is missing. */
static bool find_gap(double *loss, double *accuracy, const cli_splits *s)
{
    const cli_split *train = &s->split[0], *test = &s->split[s->count - 1];
    if (s->count < 2 || strcmp(train->name, "train") || strcmp(test->name, "test")) return false;
    *loss = train->loss - test->loss;
    *accuracy = train->accuracy - test->accuracy;
    return true;
}

char *cli_splits_text(const cli_splits *s)
{
    char *text = NULL;
    size_t size;
    double loss, accuracy;
    FILE *out = mg__open_text(&text, &size);
    if (!out) return NULL;
    fprintf(out, "%-12s %8s %10s %12s\n", "", "Images", "Loss", "Accuracy");
    for (int i = 0; i < s->count; i++) {
        const cli_split *p = &s->split[i];
        fprintf(out, "%-12s %8u %10.4f %10.2f %%\n", p->name, p->count, p->loss, 100 * p->accuracy);
    }
    if (find_gap(&loss, &accuracy, s))
        fprintf(out, "%-21s %+10.4f %+10.2f points\n", "train - test", loss, 100 * accuracy);
    if (fclose(out) == 0) return text;
    free(text);
    return NULL;
}

json_t *cli_splits_json(const cli_splits *s)
{
    double loss, accuracy;
    json_t *list = json_array();
    for (int i = 0; i < s->count; i++) {
        const cli_split *p = &s->split[i];
        json_array_append_new(list, json_pack("{s:s, s:i, s:i, s:o, s:o}", "split", p->name,
                                              "count", (int)p->count, "correct", (int)p->correct,
                                              "accuracy", cli_json_number(p->accuracy), "loss",
                                              cli_json_number(p->loss)));
    }
    json_t *gap = find_gap(&loss, &accuracy, s)
                      ? json_pack("{s:o, s:o}", "accuracy", cli_json_number(accuracy), "loss",
                                  cli_json_number(loss))
                      : json_null();
    return json_pack("{s:o, s:o}", "splits", list, "gap", gap);
}
