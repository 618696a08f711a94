/* A model with another first or last line: its text is changed and parsed again. */
#include "model/spec.h"
#include "io/text_stream.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Parses the three parts of a text as one. */
static mg_status parse_parts(mg_model **out, const char *first, const char *middle,
                             size_t middle_length, const char *last, const char *name)
{
    char *text = NULL;
    size_t size;
    FILE *parts = mg__open_text(&text, &size);
    if (!parts) return mg__fail(MG_ERR_MEMORY, "out of memory for the model text");
    fprintf(parts, "%s%.*s%s\n", first, (int)middle_length, middle, last);
    mg_status st = fclose(parts) ? mg__fail(MG_ERR_MEMORY, "out of memory for the model text")
                                 : mg_model_parse(out, text, name);
    free(text);
    return st;
}

mg_status mg_model_with_normalization(mg_model **out, const mg_model *model, double mean,
                                      double std)
{
    char input[128];
    const mg_shape s = mg__model_input(model)->shape;
    const char *rest = strchr(model->text, '\n') + 1;
    snprintf(input, sizeof input, "input %dx%dx%d mean=%.17g std=%.17g\n", s.c, s.h, s.w, mean,
             std);
    return parse_parts(out, input, rest, strlen(rest), "", model->name);
}

mg_status mg_model_with_loss(mg_model **out, const mg_model *model, const char *loss)
{
    if (strchr(loss, '\n'))
        return mg__fail(MG_ERR_INVALID, "loss: expected one line of model text, found more");
    size_t length = strlen(model->text) - 1; /* of all lines but the last, each ends with \n */
    while (model->text[length - 1] != '\n') length--;
    return parse_parts(out, "", model->text, length, loss, model->name);
}
