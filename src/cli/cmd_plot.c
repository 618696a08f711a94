/* mnist_gpu plot: the curves of one or several runs. */
#include "cli.h"
#include "draw/curves.h"
#include "options.h"
#include "term_picture.h"
#include "term.h"
#include <stdio.h>
#include <stdlib.h>

mg_status cmd_plot(int argc, char **argv)
{
    mg_status st;
    const char *out = NULL, *metric = NULL, *title = NULL;
    bool show = false;
    int count;
    char *latest = NULL;
    mg_curves curves = {0};
    cli_option options[] = {
        CLI_OPT_TEXT("out", "FILE", &out,
                     "the picture, .svg or .png [curves.svg, or none with --show]"),
        CLI_OPT_TEXT("metric", "NAME", &metric,
                     "a column of metrics.csv: loss, accuracy, lr, seconds, images_per_sec ... "
                     "[loss and accuracy]"),
        CLI_OPT_TEXT("title", "TEXT", &title, "above the curves [the run's name]"),
        CLI_OPT_FLAG("show", &show, "print the curves in characters"),
    };
    const cli_syntax syntax = {
        .command = "plot",
        .arguments = "[RUN]...",
        .max_args = MG_CHART_RUNS,
        .about = "Draws the curves of up to 7 runs over each other, as wide as a column of a "
                 "paper: of the training images as lines, of the validation images dashed, with "
                 "a disc at the epoch of the best validation accuracy. Without RUN the latest "
                 "run's.",
        .options = options,
        .option_count = MG_COUNT_OF(options),
    };
    MG_TRY(cli_parse(&syntax, argc, argv, &count));
    if (!out && !show) out = "curves.svg";
    if (out) MG_TRY(mg__canvas_check_path(out, MG_CONTENT_DRAWING));
    if (!count) MG_TRY(mg__run_latest(&latest));
    MG_TRY(mg__curves_load(&curves, count ? argv : &latest, count ? count : 1, metric, title));
    if (show) term_chart(&curves.chart);
    if (out) {
        MG_TRY(mg__chart_save(&curves.chart, out));
        term_print("saved: %s\n", out);
    }
out:
    mg__curves_free(&curves);
    free(latest);
    return st;
}
