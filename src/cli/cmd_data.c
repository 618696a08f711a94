/* mnist_gpu data: the table of its actions. */
#include "data.h"
#include "options.h"
#include <stdio.h>
#include <string.h>

static const struct action {
    const char *name;
    mg_status (*run)(int argc, char **argv);
    const char *help;
} actions[] = {
    {"download", data_download, "fetch MNIST, Fashion-MNIST or KMNIST"},
    {"synth", data_synth, "draw digits by rule"},
    {"verify", data_verify, "check files: headers, counts, labels, known checksums"},
    {"stats", data_stats, "images per class, mean and deviation, a sheet of images"},
    {"import", data_import, "make IDX files of pictures, CSV, mnist.npz or EMNIST"},
    {"export", data_export, "make pictures of IDX files"},
    {"preview", data_preview, "a sheet of augmented images"},
};

static void print_help(void)
{
    printf("Usage: mnist_gpu data ACTION [OPTION]...\n\nMakes, fetches and checks image sets. "
           "Actions, each with --help:\n");
    for (int i = 0; i < MG_COUNT_OF(actions); i++)
        printf("  %-10s%s\n", actions[i].name, actions[i].help);
}

mg_status cmd_data(int argc, char **argv)
{
    const char *words[MG_COUNT_OF(actions) + 1] = {NULL};
    const char *word = argc ? argv[0] : NULL;
    if (!word)
        return mg__fail(MG_ERR_INVALID,
                        "data: an argument is missing: ACTION; see mnist_gpu data --help");
    if (!strcmp(word, "--help") || !strcmp(word, "-h")) {
        print_help();
        return MG_OK;
    }
    for (int i = 0; i < MG_COUNT_OF(actions); i++) {
        words[i] = actions[i].name;
        if (!strcmp(word, actions[i].name)) return actions[i].run(argc - 1, argv + 1);
    }
    return mg__fail(MG_ERR_INVALID, "data: unknown action \"%s\" (nearest: %s)", word,
                    cli_nearest(word, words));
}
