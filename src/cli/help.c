/* The help of a command, made from its table of options. */
#include "options.h"
#include <stdio.h>
#include <string.h>

enum { WIDTH = 80, INDENT = 26 };

const char *cli_join(char *out, size_t size, const char *const *words, const char *separator)
{
    size_t used = 0;
    out[0] = 0;
    for (int i = 0; words[i] && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? separator : "", words[i]);
    return out;
}

void cli_print_wrapped(const char *text, int indent)
{
    int column = indent;
    while (*text) {
        const int length = (int)strcspn(text, " \n");
        if (column > indent && column + 1 + length > WIDTH) {
            printf("\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            column += printf(" ");
        }
        column += printf("%.*s", length, text);
        text += length;
        text += strspn(text, " \n");
    }
    printf("\n");
}

/* " [30]": the value that the target has before parsing; "" if that is none that could be given. */
static const char *default_text(char out[64], const cli_option *o)
{
    out[0] = 0;
    switch (o->kind) {
    case CLI_FLAG:
    case CLI_HEADING:
        break;
    case CLI_INT:
        if (*o->target.i >= o->min) snprintf(out, 64, " [%d]", *o->target.i);
        break;
    case CLI_U64:
        snprintf(out, 64, " [%llu]", (unsigned long long)*o->target.u64);
        break;
    case CLI_DOUBLE:
        snprintf(out, 64, " [%g]", *o->target.d);
        break;
    case CLI_TEXT:
    case CLI_CHOICE:
        if (*o->target.text) snprintf(out, 64, " [%s]", *o->target.text);
        break;
    }
    return out;
}

static void print_option(const cli_option *o)
{
    char left[120], choices[80], value[64], text[400];
    const char *also = o->alias ? "; also --" : "";
    const char *shown = o->value;
    if (o->kind == CLI_HEADING) {
        printf("\n%s:\n", o->help);
        return;
    }
    if (o->kind == CLI_CHOICE) shown = cli_join(choices, sizeof choices, o->choices, "|");
    snprintf(left, sizeof left, "  --%s%s%s", o->name, shown ? " " : "", shown ? shown : "");
    snprintf(text, sizeof text, "%s%s%s%s", o->help, also, o->alias ? o->alias : "",
             default_text(value, o));
    printf("%-*s", INDENT, left);
    if (strlen(left) > INDENT - 2) printf("\n%*s", INDENT, "");
    cli_print_wrapped(text, INDENT);
}

void cli_print_help(const cli_syntax *s)
{
    static bool unused;
    static const cli_option help = CLI_OPT_FLAG("help", &unused, "this text (also -h)");
    printf("Usage: mnist_gpu %s%s%s%s\n\n", s->command, s->option_count ? " [OPTION]..." : "",
           *s->arguments ? " " : "", s->arguments);
    cli_print_wrapped(s->about, 0);
    printf("\nOptions, with [defaults]:\n");
    print_option(&help);
    for (int i = 0; i < s->option_count; i++) print_option(&s->options[i]);
}
