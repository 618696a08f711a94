/* The parser of model text. One pass over the lines: a layer's name finds its type, the type's
 * argument table reads the rest of the line, the type's infer() turns the input shape into the
 * output shape. */
#include "model/spec.h"
#include "io/file.h"
#include "io/text_stream.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bounds that keep every product of sizes far from overflow. */
#define MAX_ACTIVATIONS ((size_t)1 << 26) /* floats of one layer's output for one image */
#define MAX_PARAMS      ((size_t)1 << 31)
#define TENSOR_ALIGN    64 /* floats: 256 bytes */

typedef struct parser {
    const char *name; /* of the text, for messages */
    int line;
    mg_model *model;
} parser;

static mg_status fail_at(const parser *p, const char *layer)
{
    return layer ? mg__fail_in(MG_ERR_FORMAT, "%s:%d: %s", p->name, p->line, layer)
                 : mg__fail_in(MG_ERR_FORMAT, "%s:%d", p->name, p->line);
}

/* ---- values ---- */

static bool parse_number(const char *text, double *value)
{
    /* strtod follows the locale; model text does not: only plain C numbers are let through to it.
     */
    if (!*text || text[strspn(text, "0123456789+-.eE")]) return false;
    char *end;
    *value = strtod(text, &end);
    return !*end && isfinite(*value);
}

static mg_status set_number(mg_layer *l, const mg_arg *arg, const char *text)
{
    void *target = (char *)&l->args + arg->offset;
    for (const mg_arg_word *w = arg->words; w && w->word; w++)
        if (!strcmp(text, w->word)) {
            *(int *)target = w->value;
            return MG_OK;
        }
    double value;
    const bool is_int = arg->kind == MG_ARG_INT;
    if (!parse_number(text, &value) || (is_int && text[strspn(text, "0123456789-")]))
        return mg__fail(MG_ERR_FORMAT, "%s=%s: expected %s%s", arg->key, text,
                        is_int ? "a whole number" : "a number", arg->words ? " or a word" : "");
    if (value < arg->min || value > arg->max)
        return mg__fail(MG_ERR_FORMAT, "%s=%s: expected %g to %g", arg->key, text, arg->min,
                        arg->max);
    if (is_int)
        *(int *)target = (int)value;
    else
        *(double *)target = value;
    return MG_OK;
}

static mg_status set_shape(mg_layer *l, const mg_arg *arg, const char *text)
{
    int v[3], used = 0;
    mg_shape *shape = (mg_shape *)((char *)&l->args + arg->offset);
    if (text[strspn(text, "0123456789x")] ||
        sscanf(text, "%5dx%5dx%5d%n", &v[0], &v[1], &v[2], &used) != 3 || text[used])
        return mg__fail(MG_ERR_FORMAT,
                        "expected channels x height x width, such as 1x28x28, found \"%s\"", text);
    for (int i = 0; i < 3; i++)
        if (v[i] < arg->min || v[i] > arg->max)
            return mg__fail(MG_ERR_FORMAT, "%s: each size must be %g to %g", text, arg->min,
                            arg->max);
    *shape = (mg_shape){v[0], v[1], v[2]};
    return MG_OK;
}

/* "expected a number, normal:DEVIATION, torch" */
static mg_status unknown_init(const mg_arg *arg, const char *text)
{
    char known[160] = "a number";
    for (const mg_arg_word *w = arg->words; w->word; w++) {
        const size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, ", %s%s", w->word,
                 w->value == MG_INIT_NORMAL ? ":DEVIATION" : "");
    }
    return mg__fail(MG_ERR_FORMAT, "%s=%s: expected %s", arg->key, text, known);
}

static mg_status set_init(mg_layer *l, const mg_arg *arg, const char *text)
{
    static const char normal[] = "normal:";
    mg_init *init = (mg_init *)((char *)&l->args + arg->offset);
    for (const mg_arg_word *w = arg->words; w->word; w++)
        if (!strcmp(text, w->word) && w->value != MG_INIT_NORMAL) {
            *init = (mg_init){.kind = (mg_init_kind)w->value};
            return MG_OK;
        }
    const bool is_normal = !strncmp(text, normal, sizeof normal - 1);
    const double min = is_normal ? 0 : arg->min;
    if (!parse_number(is_normal ? text + sizeof normal - 1 : text, &init->value))
        return unknown_init(arg, text);
    if (init->value < min || init->value > arg->max)
        return mg__fail(MG_ERR_FORMAT, "%s=%s: expected %g to %g", arg->key, text, min, arg->max);
    init->kind = is_normal ? MG_INIT_NORMAL : MG_INIT_CONSTANT;
    return MG_OK;
}

static void list_keys(const mg_layer_type *type, char *out, size_t size)
{
    size_t used = 0;
    out[0] = 0;
    for (int i = 0; i < type->arg_count; i++)
        if (type->args[i].key && used < size)
            used += (size_t)snprintf(out + used, size - used, "%s%s", used ? ", " : "",
                                     type->args[i].key);
}

static mg_status unknown_key(const mg_layer_type *type, const char *key)
{
    char known[256];
    list_keys(type, known, sizeof known);
    if (!known[0]) return mg__fail(MG_ERR_FORMAT, "takes no keys, found \"%s\"", key);
    return mg__fail(MG_ERR_FORMAT, "unknown key \"%s\" (known: %s)", key, known);
}

/* Reads one word of a layer's line: "key=value", or a shape. `seen` has a bit per argument. */
static mg_status parse_word(mg_layer *l, const mg_layer_type *type, char *word, unsigned *seen)
{
    char *value = strchr(word, '=');
    if (value) *value++ = 0;
    for (int i = 0; i < type->arg_count; i++) {
        const mg_arg *arg = &type->args[i];
        const bool is_shape = arg->kind == MG_ARG_SHAPE;
        if (is_shape ? value != NULL || !isdigit((unsigned char)*word)
                     : strcmp(word, arg->key) != 0)
            continue;
        if (*seen & 1u << i)
            return mg__fail(MG_ERR_FORMAT, "%s is given twice", is_shape ? "the shape" : arg->key);
        *seen |= 1u << i;
        if (is_shape) return set_shape(l, arg, word);
        if (!value) return mg__fail(MG_ERR_FORMAT, "%s needs a value: %s=...", word, word);
        return arg->kind == MG_ARG_INIT ? set_init(l, arg, value) : set_number(l, arg, value);
    }
    return unknown_key(type, word);
}

static mg_status parse_args(mg_layer *l, const mg_layer_type *type, char **rest)
{
    unsigned seen = 0;
    for (int i = 0; i < type->arg_count; i++) { /* defaults first */
        const mg_arg *arg = &type->args[i];
        void *target = (char *)&l->args + arg->offset;
        if (arg->kind == MG_ARG_INT) *(int *)target = (int)arg->value;
        if (arg->kind == MG_ARG_FLOAT) *(double *)target = arg->value;
        if (arg->kind == MG_ARG_INIT) ((mg_init *)target)->kind = (mg_init_kind)arg->value;
    }
    for (char *word; (word = strtok_r(NULL, " \t\r", rest));) {
        const mg_status st = parse_word(l, type, word, &seen);
        if (st) return st;
    }
    for (int i = 0; i < type->arg_count; i++)
        if (type->args[i].required && !(seen & 1u << i))
            return mg__fail(MG_ERR_FORMAT, "%s is missing",
                            type->args[i].key ? type->args[i].key : "the shape");
    return MG_OK;
}

/* ---- layers ---- */

static mg_status find_type(const char *word, mg_layer_kind *kind)
{
    char known[256] = "";
    for (int i = 0; i < MG_LAYER_COUNT; i++) {
        if (!strcmp(word, mg_layer_types[i]->name)) {
            *kind = (mg_layer_kind)i;
            return MG_OK;
        }
        const size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "",
                 mg_layer_types[i]->name);
    }
    return mg__fail(MG_ERR_FORMAT, "unknown layer \"%s\" (known: %s)", word, known);
}

/* The order of layers: input first and only there, nothing after a loss. */
static mg_status check_place(const mg_model *m, mg_layer_kind kind)
{
    if ((m->layer_count == 0) != (kind == MG_LAYER_INPUT))
        return mg__fail(MG_ERR_FORMAT, "the first layer, and only the first, must be input");
    if (m->layer_count && mg_layer_types[m->layers[m->layer_count - 1].kind]->is_loss)
        return mg__fail(MG_ERR_FORMAT, "nothing may follow the loss");
    if (m->layer_count == MG_MAX_LAYERS)
        return mg__fail(MG_ERR_FORMAT, "more than %d layers", MG_MAX_LAYERS);
    return MG_OK;
}

static size_t aligned(size_t floats)
{
    return (floats + TENSOR_ALIGN - 1) / TENSOR_ALIGN * TENSOR_ALIGN;
}

static void count_tensors(mg_model *m, const mg_layer *l)
{
    for (int i = 0; i < l->tensor_count; i++) {
        const mg_tensor *t = &l->tensors[i];
        m->arena_length += aligned(t->count);
        if (!t->trainable) continue;
        m->param_count += t->count;
        m->trainable_length += aligned(t->count);
    }
}

static void place_tensors(mg_model *m)
{
    size_t trainable = 0, other = m->trainable_length;
    for (int i = 0; i < m->layer_count; i++)
        for (int t = 0; t < m->layers[i].tensor_count; t++) {
            mg_tensor *tensor = &m->layers[i].tensors[t];
            size_t *end = tensor->trainable ? &trainable : &other;
            tensor->offset = *end;
            *end += aligned(tensor->count);
        }
}

static mg_status add_layer(parser *p, char *text)
{
    mg_model *m = p->model;
    char *rest;
    const char *word = strtok_r(text, " \t\r", &rest);
    if (!word) return MG_OK; /* an empty line */
    mg_layer_kind kind;
    if (find_type(word, &kind)) return fail_at(p, NULL);
    if (check_place(m, kind)) return fail_at(p, word);

    mg_layer *l = &m->layers[m->layer_count];
    *l = (mg_layer){.kind = kind, .line = p->line, .index = m->layer_count};
    if (m->layer_count) l->in = l[-1].out;
    int ordinal = 1;
    for (int i = 0; i < m->layer_count; i++) ordinal += m->layers[i].kind == kind;
    snprintf(l->name, sizeof l->name, "%s%d", word, ordinal);

    const mg_layer_type *type = mg_layer_types[kind];
    if (parse_args(l, type, &rest) || type->infer(l)) return fail_at(p, word);
    if (mg_shape_size(l->out) > MAX_ACTIVATIONS) {
        mg__fail(MG_ERR_FORMAT, "output of %dx%dx%d is larger than %zu numbers", l->out.c, l->out.h,
                 l->out.w, MAX_ACTIVATIONS);
        return fail_at(p, word);
    }
    count_tensors(m, l);
    if (m->arena_length > MAX_PARAMS) {
        mg__fail(MG_ERR_FORMAT, "more than %zu parameters", MAX_PARAMS);
        return fail_at(p, word);
    }
    m->layer_count++;
    return MG_OK;
}

static mg_status check_end(parser *p)
{
    mg_model *m = p->model;
    const mg_layer *last = m->layer_count ? &m->layers[m->layer_count - 1] : NULL;
    if (!last) return mg__fail(MG_ERR_FORMAT, "%s: no layers", p->name);
    if (!mg_layer_types[last->kind]->is_loss)
        return mg__fail(MG_ERR_FORMAT,
                        "%s:%d: the last layer must be a loss, such as softmax_xent, found %s",
                        p->name, last->line, mg_layer_types[last->kind]->name);
    m->classes = last->in.c;
    if (m->classes < 2 || m->classes > MG_MAX_CLASSES)
        return mg__fail(MG_ERR_FORMAT, "%s:%d: the loss expects 2 to %d classes, found %d", p->name,
                        last->line, MG_MAX_CLASSES, m->classes);
    if (!m->param_count) return mg__fail(MG_ERR_FORMAT, "%s: nothing to train", p->name);
    return MG_OK;
}

/* ---- the canonical text ---- */

/* The shortest of %.{1..17}g that reads back as the same double. */
static void print_double(FILE *out, double v)
{
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v) break;
    }
    fputs(text, out);
}

static void print_word(FILE *out, const mg_arg *arg, int value)
{
    for (const mg_arg_word *w = arg->words; w && w->word; w++)
        if (w->value == value) {
            fputs(w->word, out);
            return;
        }
    fprintf(out, "%d", value);
}

static void print_init(FILE *out, const mg_arg *arg, const mg_init *init)
{
    if (init->kind != MG_INIT_CONSTANT) print_word(out, arg, (int)init->kind);
    if (init->kind == MG_INIT_NORMAL) fputc(':', out);
    if (init->kind <= MG_INIT_NORMAL) print_double(out, init->value);
}

static void print_arg(FILE *out, const mg_layer *l, const mg_arg *arg)
{
    const void *value = (const char *)&l->args + arg->offset;
    if (arg->kind == MG_ARG_SHAPE) {
        const mg_shape *s = value;
        fprintf(out, " %dx%dx%d", s->c, s->h, s->w);
        return;
    }
    fprintf(out, " %s=", arg->key);
    if (arg->kind == MG_ARG_INIT)
        print_init(out, arg, value);
    else if (arg->kind == MG_ARG_FLOAT)
        print_double(out, *(const double *)value);
    else
        print_word(out, arg, *(const int *)value);
}

static mg_status write_text(mg_model *m)
{
    size_t size;
    FILE *out = mg__open_text(&m->text, &size);
    if (!out) return mg__fail(MG_ERR_MEMORY, "out of memory for the model text");
    for (int i = 0; i < m->layer_count; i++) {
        const mg_layer_type *type = mg_layer_types[m->layers[i].kind];
        fputs(type->name, out);
        for (int a = 0; a < type->arg_count; a++) print_arg(out, &m->layers[i], &type->args[a]);
        fputc('\n', out);
    }
    return fclose(out) ? mg__fail(MG_ERR_MEMORY, "out of memory for the model text") : MG_OK;
}

/* ---- public ---- */

mg_status mg_model_parse(mg_model **out, const char *text, const char *name)
{
    mg_status st = MG_ERR_MEMORY;
    char *copy = strdup(text);
    mg_model *m = calloc(1, sizeof *m);
    parser p = {.name = name, .model = m};
    if (!copy || !m) MG_FAIL(MG_ERR_MEMORY, "out of memory for model %s", name);
    m->name = strdup(name);
    m->layers = calloc(MG_MAX_LAYERS, sizeof *m->layers);
    if (!m->name || !m->layers) MG_FAIL(MG_ERR_MEMORY, "out of memory for model %s", name);

    for (char *line = copy, *next; line; line = next) {
        if ((next = strchr(line, '\n'))) *next++ = 0;
        char *comment = strchr(line, '#');
        if (comment) *comment = 0;
        p.line++;
        MG_TRY(add_layer(&p, line));
    }
    MG_TRY(check_end(&p));
    place_tensors(m);
    MG_TRY(write_text(m));
    *out = m;
    m = NULL;
    st = MG_OK;
out:
    free(copy);
    mg_model_free(m);
    return st;
}

void mg_model_free(mg_model *m)
{
    if (!m) return;
    free(m->name);
    free(m->text);
    free(m->layers);
    free(m);
}

const char *mg_model_text(const mg_model *m) { return m->text; }
const char *mg_model_name(const mg_model *m) { return m->name; }
size_t mg_model_param_count(const mg_model *m) { return m->param_count; }
size_t mg_model_arena_length(const mg_model *m) { return m->arena_length; }
int mg_model_classes(const mg_model *m) { return m->classes; }

void mg_model_input_size(const mg_model *m, uint32_t *channels, uint32_t *height, uint32_t *width)
{
    const mg_shape s = mg__model_input(m)->shape;
    *channels = (uint32_t)s.c;
    *height = (uint32_t)s.h;
    *width = (uint32_t)s.w;
}

int mg__model_tensor_count(const mg_model *m)
{
    int count = 0;
    for (int i = 0; i < m->layer_count; i++) count += m->layers[i].tensor_count;
    return count;
}

const mg_tensor *mg__model_tensor(const mg_model *m, int index)
{
    int i = 0;
    while (index >= m->layers[i].tensor_count) index -= m->layers[i++].tensor_count;
    return &m->layers[i].tensors[index];
}

mg_status mg__model_check_finite(const mg_model *m, const float *arena)
{
    for (int i = 0; i < mg__model_tensor_count(m); i++) {
        const mg_tensor *t = mg__model_tensor(m, i);
        for (size_t j = 0; j < t->count; j++)
            if (!isfinite(arena[t->offset + j]))
                return mg__fail(MG_ERR_NUMERIC, "tensor \"%s\": value %zu is not finite (%g)",
                                t->name, j, fabs((double)arena[t->offset + j]));
    }
    return MG_OK;
}
