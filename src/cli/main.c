/* mnist_gpu: finds the command, runs it, and turns its status into the exit code. */
#define _POSIX_C_SOURCE 200809L /* O_RDONLY, fcntl */
#include "cli.h"
#include "clock.h"
#include "io/json.h"
#include "options.h"
#include "signals.h"
#include "term.h"
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct command {
    const char *name;
    mg_status (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"train", cmd_train, "train a network, or go on with a training"},
    {"eval", cmd_eval, "evaluate weights: accuracy, loss, per class, confusion matrix"},
    {"predict", cmd_predict, "say what pictures show"},
    {"plot", cmd_plot, "draw the curves of runs"},
    {"grid", cmd_grid, "draw test images with what a network takes them for"},
    {"features", cmd_features, "draw the feature maps of a picture, and the filters"},
    {"summary", cmd_summary, "show a model's layers, their work and memory, and the training step"},
    {"recipes", cmd_recipes, "list the trainings of other systems that train can repeat"},
    {"speedrun", cmd_speedrun,
     "train to 99 % in the fewest seconds, with one seed after the other"},
    {"check", cmd_check, "check this machine's GPU or CPU against the reference, op by op"},
    {"bench", cmd_bench, "time a training step and its stages"},
    {"info", cmd_info, "show version, features, CPU and GPUs"},
    {"data", cmd_data, "make, fetch, check and convert image sets"},
};

static void print_help(void)
{
    printf("Usage: mnist_gpu COMMAND [OPTION]...\n\n");
    cli_print_wrapped("Trains small networks on MNIST and other IDX image sets, on an NVIDIA GPU "
                      "or on the CPU.",
                      0);
    printf("\nCommands:\n");
    for (int i = 0; i < MG_COUNT_OF(commands); i++)
        printf("  %-10s%s\n", commands[i].name, commands[i].help);
    printf("\nOptions:\n  --help    this text (also -h); with a command: its options\n"
           "  --version the version\n");
}

static mg_status unknown_command(const char *word)
{
    const char *words[MG_COUNT_OF(commands) + 3] = {"--help", "--version"};
    const int skip = *word == '-' ? 0 : 2;
    for (int i = 0; i < MG_COUNT_OF(commands); i++) words[i + 2] = commands[i].name;
    if (*word == '-') words[2] = NULL;
    return mg__fail(MG_ERR_INVALID, "unknown %s \"%s\" (nearest: %s); see mnist_gpu --help",
                    skip ? "command" : "option", word, cli_nearest(word, words + skip));
}

static mg_status run(int argc, char **argv)
{
    if (argc < 2) return mg__fail(MG_ERR_INVALID, "no command given; see mnist_gpu --help");
    const char *word = argv[1];
    if (!strcmp(word, "--version")) {
        printf("mnist_gpu %s\n", MG_VERSION_STRING);
        return MG_OK;
    }
    if (!strcmp(word, "--help") || !strcmp(word, "-h")) {
        print_help();
        return MG_OK;
    }
    for (int i = 0; i < MG_COUNT_OF(commands); i++)
        if (!strcmp(word, commands[i].name)) return commands[i].run(argc - 2, argv + 2);
    return unknown_command(word);
}

/* ---- the outside world ---- */

/* A file opened while descriptor 0, 1 or 2 is free would get it, and then our output. They are
 * filled so that using them fails. */
static void fill_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            (void)!open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

void cli_report(const char *message)
{
    term_clear();
    fprintf(stderr, "mnist_gpu: %s\n", message);
}

static bool output_closed; /* nobody reads it any more, as in `mnist_gpu ... | head -1` */

mg_status cli_flush(void)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) return MG_OK;
    output_closed = signals_pipe_closed();
    return mg__fail(MG_ERR_IO, "standard output: cannot write%s%s", errno ? ": " : "",
                    errno ? strerror(errno) : "");
}

/* Where a signal ended it, what a shell makes of that. */
static int exit_code(mg_status st)
{
    const int signal = signals_noted();
    switch (st) {
    case MG_OK:
        return CLI_EXIT_OK;
    case MG_ERR_INVALID:
        return CLI_EXIT_USAGE;
    case MG_ERR_INTERRUPTED:
        return CLI_EXIT_SIGNAL + (signal ? signal : SIGPIPE);
    default:
        return CLI_EXIT_FAILURE;
    }
}

int main(int argc, char **argv)
{
    mg__process_seconds();
    signals_begin();
    fill_standard_descriptors();
    setlocale(LC_CTYPE, ""); /* for the bars; numbers stay in the C locale */

    mg__json_lacks(); /* begins to count */
    mg_status st = run(argc, argv);
    if (st == CLI_HELP_SHOWN) st = MG_OK;
    if (st == MG_OK) st = cli_flush();
    if (st == MG_ERR_IO && output_closed) return CLI_EXIT_SIGNAL + SIGPIPE; /* without a word */
    if (st != MG_OK) cli_report(mg_last_error());
    return exit_code(st);
}
