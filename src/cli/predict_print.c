#include "options.h"
#include "predict.h"
#include "term.h"
#include "term_picture.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double best_probability(const predict_digit *d) { return d->probabilities[d->order[0]]; }

static bool is_sure(const predict_digit *d, const predict_args *a)
{
    return best_probability(d) >= a->min_confidence;
}

/* ---- for people ---- */

static void print_class(const predict_digit *d, const predict_shape *s, int class)
{
    enum { CELLS = 40 };
    char bar[TERM_BAR_SIZE], style[16], number[12];
    const double probability = d->probabilities[class];
    const bool best = class == d->order[0];
    term_bar(bar, sizeof bar, 1, probability, CELLS);
    fputs(best ? term_style(style, 1, "1;32") : "", stdout);
    term_print("%4s  %s  %6.2f %%", class_name(number, &s->names, class), bar, 100 * probability);
    printf("%s\n", best ? term_style(style, 1, "0") : "");
}

static void print_best(const predict_digit *d, const predict_shape *s, const predict_args *a)
{
    char number[12];
    const bool sure = is_sure(d, a);
    term_print("%s%s %s%.2f %%)", sure ? "" : "not sure (",
               class_name(number, &s->names, d->order[0]), sure ? "(" : "at ",
               100 * best_probability(d));
}

/* As the network sees it, ink on paper. */
static mg_status show(const predict_digit *d, const predict_shape *s)
{
    mg_image image = {.width = s->width, .height = s->height, .channels = s->channels};
    image.pixels = malloc((size_t)s->channels * s->height * s->width);
    if (!image.pixels) return mg__fail(MG_ERR_MEMORY, "out of memory for a picture");
    cli_ink_on_paper(image.pixels, s->model, d->pixels);
    term_picture(&image);
    free(image.pixels);
    return MG_OK;
}

static mg_status print_single(const predict_picture *p, const predict_shape *s,
                              const predict_args *a)
{
    const predict_digit *d = p->digits;
    const mg_status st = a->show ? show(d, s) : MG_OK;
    if (st) return st;
    for (int i = 0; !a->list && i < s->classes && (!a->top || i < a->top); i++)
        print_class(d, s, a->top ? d->order[i] : i);
    term_print("%s: ", p->path);
    print_best(d, s, a);
    printf("\n");
    return MG_OK;
}

/* What a row of digits says, malloc'd: the classes' names one after another, ? where not sure. */
static char *row_text(const predict_picture *p, const predict_shape *s, const predict_args *a)
{
    char number[12];
    size_t size = 1;
    for (int i = 0; i < p->count; i++)
        size += strlen(class_name(number, &s->names, p->digits[i].order[0])) + 1;
    char *text = calloc(size, 1), *end = text;
    for (int i = 0; text && i < p->count; i++) {
        const predict_digit *d = &p->digits[i];
        const char *name = is_sure(d, a) ? class_name(number, &s->names, d->order[0]) : "?";
        end += snprintf(end, size - (size_t)(end - text), "%s", name);
    }
    return text;
}

static mg_status print_row(const predict_picture *p, const predict_shape *s, const predict_args *a)
{
    for (int i = 0; i < p->count; i++) {
        const predict_digit *d = &p->digits[i];
        const mg_status st = a->show ? show(d, s) : MG_OK;
        if (st) return st;
        printf("  %ux%u at %u,%u: ", d->width, d->height, d->x, d->y);
        print_best(d, s, a);
        printf("\n");
    }
    char *text = row_text(p, s, a);
    if (!text) return mg__fail(MG_ERR_MEMORY, "out of memory");
    term_print("%s: %s\n", p->path, text);
    free(text);
    return MG_OK;
}

/* ---- for programs ---- */

static json_t *class_json(const predict_digit *d, const predict_shape *s, int class)
{
    return json_pack("{s:i, s:o*, s:o}", "class", class, "name",
                     s->names.count ? cli_json_text(s->names.names[class]) : NULL, "probability",
                     cli_json_number(d->probabilities[class]));
}

/* Adds the answer to `object`. */
static void put_digit(json_t *object, const predict_digit *d, const predict_shape *s,
                      const predict_args *a)
{
    json_t *best = class_json(d, s, d->order[0]), *list = json_array();
    for (int i = 0; i < s->classes; i++)
        json_array_append_new(list, cli_json_number(d->probabilities[i]));
    json_object_update(object, best);
    json_decref(best);
    if (a->min_confidence > 0) json_object_set_new(object, "sure", json_boolean(is_sure(d, a)));
    if (a->multi)
        json_object_set_new(
            object, "box",
            json_pack("[i, i, i, i]", (int)d->x, (int)d->y, (int)d->width, (int)d->height));
    json_object_set_new(object, "probabilities", list);
    if (!a->top) return;
    json_t *ranked = json_array();
    for (int i = 0; i < a->top && i < s->classes; i++)
        json_array_append_new(ranked, class_json(d, s, d->order[i]));
    json_object_set_new(object, "top", ranked);
}

/* NULL: out of memory; what jansson lacks is known to cli_print_json. */
static json_t *picture_json(const predict_picture *p, const predict_shape *s, const predict_args *a)
{
    json_t *object = json_pack("{s:o}", "image", cli_json_text(p->path));
    if (p->error) {
        json_object_set_new(object, "error", cli_json_text(p->error));
    } else if (!a->multi) {
        put_digit(object, p->digits, s, a);
    } else {
        char *text = row_text(p, s, a);
        if (!text) {
            json_decref(object);
            return NULL;
        }
        json_t *digits = json_array();
        for (int i = 0; i < p->count; i++) {
            json_t *digit = json_object();
            put_digit(digit, &p->digits[i], s, a);
            json_array_append_new(digits, digit);
        }
        json_object_set_new(object, "text", cli_json_text(text));
        json_object_set_new(object, "digits", digits);
        free(text);
    }
    return object;
}

mg_status predict_print(const predict_picture *pictures, int count, const predict_shape *s,
                        const predict_args *a)
{
    mg_status st = MG_OK;
    json_t *list = a->json ? json_array() : NULL;
    int unread = 0;
    bool lacking = false;
    for (int i = 0; i < count && !st; i++) {
        const predict_picture *p = &pictures[i];
        unread += p->error != NULL;
        if (a->json)
            lacking |= json_array_append_new(list, picture_json(p, s, a)) != 0;
        else if (!p->error)
            st = a->multi ? print_row(p, s, a) : print_single(p, s, a);
        if (p->error && count > 1) cli_report(p->error);
    }
    if (lacking) {
        json_decref(list);
        return mg__fail(MG_ERR_MEMORY, "out of memory for the JSON text");
    }
    if (a->json) st = cli_print_json(list);
    if (st || !unread) return st;
    return count == 1
               ? mg__fail(MG_ERR_FORMAT, "%s", pictures[0].error)
               : mg__fail(MG_ERR_FORMAT, "%d of %d pictures could not be read", unread, count);
}
