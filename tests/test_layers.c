/* The suite of src/check on one backend, and the suite itself on backends that are wrong.
 * Usage: test_layers cuda|cpu|ref */
#define _DEFAULT_SOURCE /* setenv */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "check/check.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *device_name;

/* ---- the suite ---- */

typedef struct tally {
    const mg_check_options *options;
    int passed, failed;
    mg_check_record first_failure;
} tally;

static void count(void *user, const mg_check_record *r)
{
    tally *t = user;
    if (r->passed) {
        t->passed++;
        return;
    }
    if (t->failed++ == 0) t->first_failure = *r;
}

static void show_and_count(void *user, const mg_check_record *r)
{
    tally *t = user;
    char command[600];
    count(user, r);
    if (r->passed || t->failed > 20) return;
    mg__check_command(command, sizeof command, r, t->options);
    if (*r->problem)
        print_error("%s: %s\n  %s\n", r->name, r->problem, command);
    else
        print_error("%s: %s[%zu]: found %.9g, expected %.9g, tolerance %.3g\n  %s\n", r->name,
                    r->tensor, r->worst, r->found, r->expected, r->tolerance, command);
}

static tally run_suite(mg_backend *device, const mg_check_options *options,
                       mg_check_report_fn *report)
{
    mg_backend *reference = NULL;
    tally t = {.options = options};
    if (mg_backend_open(&reference, "ref", 0)) fail_msg("%s", mg_last_error());
    if (mg__check_run(device, reference, options, report, &t)) fail_msg("%s", mg_last_error());
    mg_backend_close(reference);
    return t;
}

static void whole_suite(void **state)
{
    const mg_check_options options = {.seed = 1, .random_nets = 200, .device = device_name};
    const tally t = run_suite(*state, &options, show_and_count);
    print_message("%d passed, %d failed\n", t.passed, t.failed);
    assert_int_equal(t.failed, 0);
    assert_true(t.passed > 100);
}

int main(int argc, char **argv)
{
    mg_backend *device = NULL;
    if (argc != 2) {
        fprintf(stderr, "usage: %s BACKEND\n", argv[0]);
        return 2;
    }
    device_name = argv[1];
    const mg_status st = mg_backend_open(&device, device_name, 2);
    if (st == MG_ERR_DEVICE) {
        printf("skipped: %s\n", mg_last_error());
        return 77;
    }
    if (st) {
        fprintf(stderr, "%s\n", mg_last_error());
        return 1;
    }
    const struct CMUnitTest suite[] = {cmocka_unit_test_prestate(whole_suite, device)};
    const int failures = cmocka_run_group_tests_name(device_name, suite, NULL, NULL);
    mg_backend_close(device);
    return failures ? 1 : 0;
}
