#define _POSIX_C_SOURCE 200809L /* strdup, strtok_r */
#include "recipes.h"
#include "options.h"
#include <stdlib.h>
#include <string.h>

/* Where the original does not tell a figure, the usual one of its time stands. */
static const cli_recipe recipes[] = {
    {"go-lenet", "a LeNet in Go: mean squared error over linear outputs", "96.82 % (test)",
     "--model lenet-valid --loss mse --normalize unit --optimizer adam --lr 0.001 --batch 100 "
     "--epochs 20 --val-split 0"},
    {"keras-lenet5", "LeNet-5 in Keras, on pixels of 0 to 255", "98.72 % (validation)",
     "--model lenet5 --normalize raw --optimizer adam --lr 0.001 --batch 32 --epochs 30 "
     "--val-split 0.1"},
    {"pytorch-lenet", "LeNet-5 in PyTorch, on standardised pixels", "98.9 % (test)",
     "--model lenet-61k --normalize standard --optimizer sgd --lr 0.01 --momentum 0.9 --batch 64 "
     "--epochs 20 --val-split 0"},
    {"keras-mlp-tanh", "two hidden layers with tanh in Keras, biases from 1", NULL,
     "--model mlp-tanh --normalize unit --optimizer adam --lr 0.001 --batch 32 --epochs 5 "
     "--val-split 0"},
    {"keras-mlp-512", "one hidden layer of 512 in Keras", "98 % (test)",
     "--model mlp-512 --normalize unit --optimizer rmsprop --lr 0.001 --batch 128 --epochs 5 "
     "--val-split 0"},
    {"keras-cnn-dropout", "four convolutions with dropout in Keras", NULL,
     "--model cnn-dropout --normalize unit --optimizer adam --lr 0.001 --batch 128 --epochs 10 "
     "--val-split 0.1"},
    {"speedrun", "LeNet-5 to 99 % in the fewest seconds, see mnist_gpu speedrun", NULL,
     "--model lenet5 --optimizer adam --beta1 0.7 --beta2 0.9 --lr 0.01 --schedule linear "
     "--warmup 70 --batch 256 --epochs 1.5 --val-split 0"},
};

const cli_recipe *cli_recipe_at(int index)
{
    return index >= 0 && index < MG_COUNT_OF(recipes) ? &recipes[index] : NULL;
}

static mg_status find(const cli_recipe **out, const char *name)
{
    const char *names[MG_COUNT_OF(recipes) + 1] = {NULL};
    char known[200];
    for (int i = 0; i < MG_COUNT_OF(recipes); i++) {
        names[i] = recipes[i].name;
        if (strcmp(name, names[i])) continue;
        *out = &recipes[i];
        return MG_OK;
    }
    return mg__fail(MG_ERR_INVALID,
                    "train: --recipe: no recipe \"%s\" (nearest: %s; known: %s); see mnist_gpu "
                    "recipes",
                    name, cli_nearest(name, names), cli_join(known, sizeof known, names, ", "));
}

/* The name that goes with the last --recipe, or NULL. */
static const char *named(int argc, char **argv)
{
    static const char option[] = "--recipe";
    const size_t length = sizeof option - 1;
    const char *name = NULL;
    for (int i = 0; i < argc && strcmp(argv[i], "--"); i++) {
        if (strncmp(argv[i], option, length)) continue;
        if (argv[i][length] == '=') name = argv[i] + length + 1;
        if (!argv[i][length] && i + 1 < argc) name = argv[i + 1];
    }
    return name;
}

mg_status cli_recipe_prepend(char ***out, int *out_argc, char **words, const char *name, int argc,
                             char **argv)
{
    mg_status st = MG_OK;
    const cli_recipe *recipe = NULL;
    if (name) MG_TRY(find(&recipe, name));
    *words = strdup(recipe ? recipe->options : "");
    if (!*words) MG_FAIL(MG_ERR_MEMORY, "out of memory");
    int count = 0;
    const size_t most = strlen(*words) / 2 + 1; /* a word and a space take two characters */
    char **all = calloc(most + (size_t)argc, sizeof *all), *rest;
    if (!all) MG_FAIL(MG_ERR_MEMORY, "out of memory");
    for (char *w = strtok_r(*words, " ", &rest); w; w = strtok_r(NULL, " ", &rest))
        all[count++] = w;
    memcpy(all + count, argv, (size_t)argc * sizeof *argv);
    *out = all;
    *out_argc = count + argc;
out:
    return st;
}

mg_status cli_recipe_expand(char ***out, int *out_argc, char **words, int argc, char **argv)
{
    return cli_recipe_prepend(out, out_argc, words, named(argc, argv), argc, argv);
}
