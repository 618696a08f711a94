#define _POSIX_C_SOURCE 200809L /* strnlen */
#include "options.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_OPTIONS = 64, MAX_WORD = 63 };

/* ---- the nearest word ---- */

/* Levenshtein's distance, of the words' first MAX_WORD characters. */
static int edit_distance(const char *a, const char *b)
{
    const int m = (int)strnlen(a, MAX_WORD), n = (int)strnlen(b, MAX_WORD);
    int row[MAX_WORD + 1];
    for (int j = 0; j <= n; j++) row[j] = j;
    for (int i = 1; i <= m; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= n; j++) {
            const int replaced = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            const int inserted = row[j - 1] + 1, deleted = row[j] + 1;
            row[j] = inserted < deleted ? inserted : deleted;
            if (replaced < row[j]) row[j] = replaced;
        }
    }
    return row[n];
}

const char *cli_nearest(const char *word, const char *const *words)
{
    const char *best = NULL;
    int best_distance = 0;
    for (; *words; words++) {
        const bool begins = *word && !strncmp(*words, word, strlen(word));
        const int distance = begins ? 0 : edit_distance(word, *words);
        if (best && distance >= best_distance) continue;
        best = *words;
        best_distance = distance;
    }
    return best;
}

/* ---- values ---- */

/* "from 1 to 10", "above 0", "from 0 to below 1" */
static const char *range_text(char out[80], const cli_option *o)
{
    const char *from = o->bounds & CLI_ABOVE_MIN ? "above" : "from";
    const char *below = o->bounds & CLI_BELOW_MAX ? "below " : "";
    if (o->max >= 1e30)
        snprintf(out, 80, "%s %.15g%s", from, o->min, o->bounds & CLI_ABOVE_MIN ? "" : " up");
    else
        snprintf(out, 80, "%s %.15g to %s%.20g", from, o->min, below, o->max);
    return out;
}

static bool in_range(const cli_option *o, double value)
{
    const bool low = o->bounds & CLI_ABOVE_MIN ? value > o->min : value >= o->min;
    const bool high = o->bounds & CLI_BELOW_MAX ? value < o->max : value <= o->max;
    return low && high;
}

static mg_status bad_number(const cli_option *o, const char *kind, const char *found)
{
    char range[80];
    return mg__fail(MG_ERR_INVALID, "--%s: expected %s %s, found \"%s\"", o->name, kind,
                    range_text(range, o), found);
}

static mg_status read_whole(const cli_option *o, const char *text)
{
    const bool negative = *text == '-';
    const char *digits = text + negative;
    errno = 0;
    const unsigned long long size = strtoull(digits, NULL, 10);
    const double value = negative ? -(double)size : (double)size;
    if (!*digits || digits[strspn(digits, "0123456789")] || errno || !in_range(o, value))
        return bad_number(o, "a whole number", text);
    if (o->kind == CLI_INT)
        *o->target.i = (int)value;
    else
        *o->target.u64 = size;
    return MG_OK;
}

/* Decimal notation only: strtod would also take "inf", "nan" and hexadecimal. LC_NUMERIC is never
 * set, so the point is a point. */
static mg_status read_double(const cli_option *o, const char *text)
{
    char *end;
    const double value = strtod(text, &end);
    if (end == text || text[strspn(text, "0123456789+-.eE")] || *end || !isfinite(value) ||
        !in_range(o, value))
        return bad_number(o, "a number", text);
    *o->target.d = value;
    return MG_OK;
}

static mg_status read_choice(const cli_option *o, const char *text)
{
    char known[200];
    for (const char *const *c = o->choices; *c; c++)
        if (!strcmp(*c, text)) {
            *o->target.text = *c;
            return MG_OK;
        }
    return mg__fail(MG_ERR_INVALID, "--%s: no choice \"%s\" (nearest: %s; known: %s)", o->name,
                    text, cli_nearest(text, o->choices),
                    cli_join(known, sizeof known, o->choices, ", "));
}

static mg_status read_value(cli_option *o, const char *text)
{
    o->given = true;
    switch (o->kind) {
    case CLI_FLAG:
        *o->target.flag = true;
        return MG_OK;
    case CLI_INT:
    case CLI_U64:
        return read_whole(o, text);
    case CLI_DOUBLE:
        return read_double(o, text);
    case CLI_TEXT:
        if (!*text) return mg__fail(MG_ERR_INVALID, "--%s: the value is empty", o->name);
        *o->target.text = text;
        return MG_OK;
    case CLI_CHOICE:
        return read_choice(o, text);
    case CLI_HEADING:
        break;
    }
    return MG_OK;
}

/* ---- words ---- */

static cli_option *find_option(const cli_syntax *s, const char *name, size_t length)
{
    for (int i = 0; i < s->option_count; i++) {
        cli_option *o = &s->options[i];
        if (o->kind == CLI_HEADING) continue;
        if (strlen(o->name) == length && !memcmp(o->name, name, length)) return o;
        if (o->alias && strlen(o->alias) == length && !memcmp(o->alias, name, length)) return o;
    }
    return NULL;
}

static mg_status unknown_option(const cli_syntax *s, const char *word)
{
    const char *names[MAX_OPTIONS + 2] = {"help"};
    char name[MAX_WORD + 1];
    for (int i = 0, n = 1; i < s->option_count && n <= MAX_OPTIONS; i++)
        if (s->options[i].kind != CLI_HEADING) names[n++] = s->options[i].name;
    word += strspn(word, "-");
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word, "="), word);
    return mg__fail(MG_ERR_INVALID, "unknown option \"--%s\" (nearest: --%s)", name,
                    cli_nearest(name, names));
}

/* Reads the option at argv[*at], with its value if that is the next word, and moves *at past it. */
static mg_status read_option(const cli_syntax *s, int argc, char **argv, int *at)
{
    const char *word = argv[(*at)++];
    const char *name = word + 2;
    const size_t length = strcspn(name, "=");
    cli_option *o = word[1] == '-' ? find_option(s, name, length) : NULL;
    if (!o) return unknown_option(s, word);
    const char *value = name[length] ? name + length + 1 : NULL;
    if (o->kind == CLI_FLAG && value)
        return mg__fail(MG_ERR_INVALID, "--%s takes no value, found \"%s\"", o->name, value);
    if (o->kind != CLI_FLAG && !value) {
        if (*at == argc) return mg__fail(MG_ERR_INVALID, "--%s: the value is missing", o->name);
        value = argv[(*at)++];
    }
    return read_value(o, value);
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--"); i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) return true;
    return false;
}

static mg_status check_count(const cli_syntax *s, int count, char **args)
{
    if (count < s->min_args)
        return mg__fail(MG_ERR_INVALID, "an argument is missing: %s", s->arguments);
    if (count > s->max_args)
        return mg__fail(MG_ERR_INVALID, "one argument too many: \"%s\"", args[s->max_args]);
    return MG_OK;
}

mg_status cli_parse(const cli_syntax *s, int argc, char **argv, int *arg_count)
{
    mg_status st = MG_OK;
    int count = 0;
    if (wants_help(argc, argv)) {
        cli_print_help(s);
        return CLI_HELP_SHOWN;
    }
    bool options_end = false;
    for (int i = 0; i < argc && !st;) {
        const bool is_option = !options_end && argv[i][0] == '-' && argv[i][1];
        if (!is_option)
            argv[count++] = argv[i++];
        else if (!strcmp(argv[i], "--"))
            options_end = ++i;
        else
            st = read_option(s, argc, argv, &i);
    }
    if (!st) st = check_count(s, count, argv);
    if (st) {
        mg__fail_in(st, "%s", s->command);
        return mg__fail(st, "%s; see mnist_gpu %s --help", mg_last_error(), s->command);
    }
    if (arg_count) *arg_count = count;
    return MG_OK;
}

bool cli_given(const cli_syntax *s, const char *name)
{
    const cli_option *o = find_option(s, name, strlen(name));
    return o && o->given;
}
