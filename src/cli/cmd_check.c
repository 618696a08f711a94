/* mnist_gpu check: this machine's device against the reference, op by op. */
#include "check/check.h"
#include "cli.h"
#include "device.h"
#include "options.h"
#include "term.h"
#include <float.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* What came of the comparisons: of an op's, and of all. */
typedef struct tally {
    const char *op; /* NULL: none yet */
    int passed, failed;
    double abs_error, rel_error, ratio; /* the largest */
} tally;

typedef struct check_run {
    mg_check_options options;
    bool json, verbose;
    tally op, all;
    json_t *records; /* or NULL */
} check_run;

/* ---- for people ---- */

static void print_title(void)
{
    printf("\n%-14s %7s %7s %11s %11s %11s\n", "Op", "Passed", "Failed", "Max abs", "Max rel",
           "Of allowed");
}

/* An op's line, once the next op has begun; error as a share of the tolerance in the last column.
 */
static void print_op(check_run *run)
{
    const tally *t = &run->op;
    if (!t->op || run->json || run->verbose) return;
    printf("%-14s %7d %7d %11.3g %11.3g %10.0f %%\n", t->op, t->passed, t->failed, t->abs_error,
           t->rel_error, 100 * t->ratio);
    fflush(stdout);
}

static void print_record(const check_run *run, const mg_check_record *r)
{
    char command[640];
    if (*r->problem)
        printf("%s  %s: %s: %s\n", r->passed ? "ok    " : "FAILED", r->op, r->name, r->problem);
    else
        printf("%s  %s: %s: %s: max abs %.3g, max rel %.3g, %.0f %% of the tolerance\n",
               r->passed ? "ok    " : "FAILED", r->op, r->name, r->tensor, r->abs_error,
               r->rel_error, 100 * r->ratio);
    if (r->passed) return;
    if (!*r->problem)
        printf("        at [%zu]: found %.9g, expected %.9g, tolerance %.3g\n", r->worst, r->found,
               r->expected, r->tolerance);
    mg__check_command(command, sizeof command, r, &run->options);
    printf("        again: %s\n", command);
}

/* ---- for programs ---- */

static json_t *record_json(const check_run *run, const mg_check_record *r)
{
    char command[640];
    mg__check_command(command, sizeof command, r, &run->options);
    return json_pack("{s:s, s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:s, s:s}", "op",
                     r->op, "case", r->name, "tensor", r->tensor, "passed", r->passed, "max_abs",
                     cli_json_number(r->abs_error), "max_rel", cli_json_number(r->rel_error),
                     "of_tolerance", cli_json_number(r->ratio), "tolerance",
                     cli_json_number(r->tolerance), "worst", (json_int_t)r->worst, "found",
                     cli_json_number(r->found), "expected", cli_json_number(r->expected), "problem",
                     r->problem, "command", command);
}

static mg_status print_json(const check_run *run, const mg_backend *device,
                            const mg_backend *reference)
{
    return cli_print_json(json_pack(
        "{s:s, s:s, s:s, s:s, s:I, s:i, s:i, s:o}", "device", mg_backend_name(device),
        "description", mg_backend_description(device), "no_gpu", mg_backend_fallback_reason(device),
        "against", mg_backend_name(reference), "seed", (json_int_t)run->options.seed, "passed",
        run->all.passed, "failed", run->all.failed, "records", json_incref(run->records)));
}

/* ---- the command ---- */

static void add(tally *t, const mg_check_record *r)
{
    (r->passed ? &t->passed : &t->failed)[0]++;
    if (r->abs_error > t->abs_error) t->abs_error = r->abs_error;
    if (r->rel_error > t->rel_error) t->rel_error = r->rel_error;
    if (r->ratio > t->ratio) t->ratio = r->ratio;
}

static void take_record(void *user, const mg_check_record *r)
{
    check_run *run = user;
    if (!run->op.op || strcmp(run->op.op, r->op)) {
        print_op(run);
        run->op = (tally){.op = r->op};
    }
    add(&run->op, r);
    add(&run->all, r);
    if (run->json)
        json_array_append_new(run->records, record_json(run, r));
    else if (run->verbose || !r->passed)
        print_record(run, r);
    term_draw("%s: %s", r->op, r->name);
}

static mg_status check(check_run *run, mg_backend *device, mg_backend *reference)
{
    if (!run->json) {
        const char *reason = mg_backend_fallback_reason(device);
        const bool is_ref = !strcmp(mg_backend_name(device), "ref");
        printf("Device:  %s\n", mg_backend_description(device));
        if (*reason) printf("No GPU:  %s\n", reason);
        printf("Against: %s\n", is_ref ? "central differences" : mg_backend_description(reference));
        if (!run->verbose) print_title();
    }
    mg_status st = mg__check_run(device, reference, &run->options, take_record, run);
    term_clear();
    if (st) return st;
    print_op(run);
    if (run->json)
        st = print_json(run, device, reference);
    else
        printf("\n%d passed, %d failed\n", run->all.passed, run->all.failed);
    if (st) return st;
    if (!run->all.failed) return MG_OK;
    return mg__fail(MG_ERR_NUMERIC, "%d of %d checks failed on %s", run->all.failed,
                    run->all.passed + run->all.failed, mg_backend_description(device));
}

static mg_status parse(check_run *run, const char **against, int *threads, int argc, char **argv)
{
    static const char *const references[] = {"ref", "cpu", NULL};
    static const char *const kernels[] = {"auto", "cudnn", NULL};
    cli_option options[] = {
        CLI_OPT_DEVICE(&run->options.device, ""),
        CLI_OPT_CHOICE("against", references, against, "what to compare with"),
        CLI_OPT_TEXT("only", "PATTERN", &run->options.only,
                     "the cases of this name (*, ? and [] as in the shell) or op"),
        CLI_OPT_U64("seed", "N", &run->options.seed, UINT64_MAX, "of values and random networks"),
        CLI_OPT_INT("random-nets", "N", &run->options.random_nets, 0, 1000000,
                    "random networks to try"),
        CLI_OPT_THREADS(threads, ""),
        CLI_OPT_CHOICE("kernels", kernels, &run->options.kernels,
                       "as of train; auto checks fused kernels and, of single layers, the others"),
        CLI_OPT_FLAG("json", &run->json, "all comparisons as JSON"),
        CLI_OPT_FLAG("verbose", &run->verbose, "a line for every comparison"),
    };
    const cli_syntax syntax = {
        .command = "check",
        .arguments = "",
        .about = "Checks a device against the reference: every layer and optimizer over a range of "
                 "shapes, networks with their fused stages, ten training steps, and that the same "
                 "seed gives the same bytes. Prints the largest errors of each op, absolute, "
                 "relative to the largest number, and as a share of what is allowed; every failure "
                 "with a command that repeats it. The exit status is 1 if any check fails. The "
                 "device `ref` itself is checked against central differences.",
        .options = options,
        .option_count = MG_COUNT_OF(options),
    };
    return cli_parse(&syntax, argc, argv, NULL);
}

mg_status cmd_check(int argc, char **argv)
{
    mg_status st;
    check_run run = {
        .options = {.seed = 1, .random_nets = 200, .device = "auto", .kernels = "auto"}};
    const char *against = "ref";
    int threads = 0;
    mg_backend *device = NULL, *reference = NULL;
    MG_TRY(parse(&run, &against, &threads, argc, argv));
    MG_TRY(cli_open_device(&device, run.options.device, threads, run.options.kernels));
    MG_TRY(mg_backend_open(&reference, against, threads));
    if (run.json && !(run.records = json_array())) MG_FAIL(MG_ERR_MEMORY, "out of memory");
    MG_TRY(check(&run, device, reference));
out:
    json_decref(run.records);
    mg_backend_close(device);
    mg_backend_close(reference);
    return st;
}
