/* Runs the whole suite. */
#include "check/case.h"
#include <string.h>

typedef mg_status part(mg_check *c);

mg_status mg__check_run(mg_backend *device, mg_backend *reference, const mg_check_options *options,
                        mg_check_report_fn *report, void *user)
{
    static part *const against_reference[] = {mg__check_layers, mg__check_optimizers,
                                              mg__check_nets, mg__check_training, NULL};
    static part *const by_differences[] = {mg__check_differences, NULL};
    mg_status st;
    mg_check c = {.device = device,
                  .reference = reference,
                  .options = options,
                  .report = report,
                  .user = user};
    c.slack = strcmp(mg_backend_name(reference), "ref") ? 2 : 1;
    const bool is_ref = !strcmp(mg_backend_name(device), "ref");
    MG_TRY(mg_backend_open(&c.loops, "ref", 0));
    for (part *const *p = is_ref ? by_differences : against_reference; *p; p++) MG_TRY((*p)(&c));
    if (!c.cases)
        MG_FAIL(MG_ERR_NOT_FOUND, "no case is named \"%s\"", options->only ? options->only : "");
out:
    mg_backend_close(c.loops);
    return st;
}
