/* Command lines: one table of options per command, from which it is parsed and its help printed.
 *
 *     bool quiet = false;
 *     int epochs = 30;
 *     cli_option options[] = {
 *         CLI_OPT_FLAG("quiet", &quiet, "no progress"),
 *         CLI_OPT_INT("epochs", "N", &epochs, 1, INT_MAX, "passes over the images"),
 *     };
 *
 * GNU style: --name value, --name=value, flags without a value, options and arguments in any order,
 * `--` ends the options, `-` is an argument, the last of equals wins. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum cli_kind {
    CLI_FLAG,
    CLI_INT,
    CLI_U64,
    CLI_DOUBLE,
    CLI_TEXT,   /* never empty */
    CLI_CHOICE, /* one of `choices` */
    CLI_HEADING /* no option: a line of the help above those that follow */
} cli_kind;

/* Bounds are part of the range unless they are named here. */
typedef enum cli_bounds { CLI_CLOSED = 0, CLI_ABOVE_MIN = 1, CLI_BELOW_MAX = 2 } cli_bounds;

typedef struct cli_option {
    const char *name, *alias; /* without the dashes; alias may be NULL */
    cli_kind kind;
    const char *value; /* what the help calls the value: "N", "DIR"; NULL for flags and choices */
    const char *help;
    union {
        bool *flag;
        int *i;
        uint64_t *u64;
        double *d;
        const char **text; /* CLI_TEXT, CLI_CHOICE: points into argv or `choices` */
    } target;              /* what it points to before parsing is the default that the help shows */
    double min, max;
    cli_bounds bounds;
    const char *const *choices; /* ends with NULL */
    bool given;                 /* set by cli_parse */
} cli_option;

#define CLI_OPT_FLAG(n, t, h)                                                                      \
    {                                                                                              \
        .name = (n), .kind = CLI_FLAG, .target.flag = (t), .help = (h)                             \
    }
#define CLI_OPT_INT(n, v, t, lo, hi, h)                                                            \
    {                                                                                              \
        .name = (n), .kind = CLI_INT, .value = (v), .target.i = (t), .min = (lo), .max = (hi),     \
        .help = (h)                                                                                \
    }
#define CLI_OPT_U64(n, v, t, hi, h)                                                                \
    {                                                                                              \
        .name = (n), .kind = CLI_U64, .value = (v), .target.u64 = (t), .max = (double)(hi),        \
        .help = (h)                                                                                \
    }
#define CLI_OPT_DOUBLE(n, v, t, lo, hi, b, h)                                                      \
    {                                                                                              \
        .name = (n), .kind = CLI_DOUBLE, .value = (v), .target.d = (t), .min = (lo), .max = (hi),  \
        .bounds = (b), .help = (h)                                                                 \
    }
#define CLI_OPT_TEXT(n, v, t, h)                                                                   \
    {                                                                                              \
        .name = (n), .kind = CLI_TEXT, .value = (v), .target.text = (t), .help = (h)               \
    }
#define CLI_OPT_CHOICE(n, c, t, h)                                                                 \
    {                                                                                              \
        .name = (n), .kind = CLI_CHOICE, .choices = (c), .target.text = (t), .help = (h)           \
    }

#define CLI_OPT_HEADING(h)                                                                         \
    {                                                                                              \
        .name = "", .kind = CLI_HEADING, .help = (h)                                               \
    }

typedef struct cli_syntax {
    const char *command;   /* "train" */
    const char *arguments; /* "[RUN|WEIGHTS]"; "" if it takes none */
    int min_args, max_args;
    const char *about; /* what it does, a paragraph; wrapped by the help */
    cli_option *options;
    int option_count;
} cli_syntax;

/* Not a failure, but the end of the command all the same: the help was asked for and printed. */
#define CLI_HELP_SHOWN ((mg_status)1)

/* Parses the words after the command's name. The arguments that are not options are moved to
 * argv[0 .. *arg_count-1]; arg_count may be NULL where max_args is 0.
 * MG_ERR_INVALID: unknown option (the message names the nearest), missing or malformed value, value
 * out of range, too few or too many arguments. CLI_HELP_SHOWN. */
mg_status cli_parse(const cli_syntax *syntax, int argc, char **argv, int *arg_count);

/* Was the option in the command line? */
bool cli_given(const cli_syntax *syntax, const char *name);

/* The word of `words` (NULL ends them) that `word` was probably meant to be: one that begins with
 * it, else the one of least edit distance. NULL if there are no words. */
const char *cli_nearest(const char *word, const char *const *words);

/* Prints the help of a command on stdout (help.c). */
void cli_print_help(const cli_syntax *syntax);
/* "adam, sgd" with the separator given; cut if it does not fit. Returns `out`. */
const char *cli_join(char *out, size_t size, const char *const *words, const char *separator);
/* Prints text wrapped at 80 columns, every line but the first indented by `indent`, where the
 * cursor must be already; ends the line. */
void cli_print_wrapped(const char *text, int indent);

#endif
