/* The commands, and what they share. A command returns its status; main() prints the message of a
 * failure and turns the status into the exit code. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "error.h"
#include "io/run.h"
#include <jansson.h>
#include <stdbool.h>

typedef enum cli_exit {
    CLI_EXIT_OK = 0,
    CLI_EXIT_FAILURE = 1,
    CLI_EXIT_USAGE = 2,   /* MG_ERR_INVALID: what was asked for is wrong in itself */
    CLI_EXIT_SIGNAL = 128 /* and the number of the signal that ended it */
} cli_exit;

/* argv: the words after the command's name. Each parses them, works, and prints its results. */
mg_status cmd_train(int argc, char **argv);
mg_status cmd_eval(int argc, char **argv);
mg_status cmd_predict(int argc, char **argv);
mg_status cmd_plot(int argc, char **argv);
mg_status cmd_grid(int argc, char **argv);
mg_status cmd_features(int argc, char **argv);
mg_status cmd_summary(int argc, char **argv);
mg_status cmd_recipes(int argc, char **argv);
mg_status cmd_speedrun(int argc, char **argv);
mg_status cmd_check(int argc, char **argv);
mg_status cmd_bench(int argc, char **argv);
mg_status cmd_info(int argc, char **argv);
mg_status cmd_data(int argc, char **argv);

/* A line on stderr, "mnist_gpu: ...", clear of any progress line. message: as mg_last_error has it.
 */
void cli_report(const char *message);

/* Hands over what was printed on stdout. MG_ERR_IO if that fails: disk full, pipe or file closed.
 */
mg_status cli_flush(void);

/* What --data names: "synth" is MG_SYNTHETIC, the built-in digits; "mnist" or NULL is what
 * mg_dataset_find finds, or MNIST, fetched to the cache directory, which is said on stderr; all
 * else is a directory. *out is MG_SYNTHETIC or an absolute path, malloc'd. */
mg_status cli_find_data(char **out, const char *name);
/* The same for a new training: where nothing was named, found or to be fetched, the built-in
 * digits, which is said on stderr. */
mg_status cli_find_training_data(char **out, const char *name);

/* Prints JSON and ends the line; takes the reference. MG_ERR_MEMORY if `root` is NULL. */
mg_status cli_print_json(json_t *root);
/* A number, or null where it is not finite; text, made readable where it is not UTF-8. */
json_t *cli_json_number(double value);
json_t *cli_json_text(const char *text);
/* What `mnist_gpu info` says of CUDA, a line each, if that is the backend's; else NULL. */
mg_status cli_cuda_json(json_t **out, const mg_backend *backend);

/* A trained network: model, weights, and where they came from. */
typedef struct cli_network {
    mg_model *model;
    float *params;        /* [mg_model_arena_length()] */
    char *path;           /* the weights file */
    char *run;            /* its run directory, or NULL if a file was named */
    mg_run_config config; /* of the run; all zero where there is none */
} cli_network;
/* run_or_file: NULL is the latest run. model: a preset or file of model text, NULL for the model in
 * the weights file. */
mg_status cli_network_load(cli_network *out, const char *run_or_file, const char *model);
void cli_network_free(cli_network *network); /* frees the members */

/* A picture as input of the model: pixels [c][h][w], the caller's; path "-" is standard input. */
mg_status cli_read_picture(uint8_t *pixels, const mg_model *model, const char *path);
/* An input as a picture to be shown, [h][w][c]: grey ones are turned to dark on light. */
void cli_ink_on_paper(uint8_t *out, const mg_model *model, const uint8_t *pixels);

#endif
