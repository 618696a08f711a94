/* mnist_gpu recipes: the trainings that `train --recipe` knows. */
#include "cli.h"
#include "options.h"
#include "recipes.h"
#include <stdio.h>

static json_t *all_as_json(void)
{
    json_t *list = json_array();
    const cli_recipe *r;
    for (int i = 0; (r = cli_recipe_at(i)); i++)
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s?, s:s}", "name", r->name, "about", r->about,
                                        "published", r->published, "options", r->options));
    return list;
}

mg_status cmd_recipes(int argc, char **argv)
{
    mg_status st;
    bool json = false;
    cli_option options[] = {CLI_OPT_FLAG("json", &json, "JSON for programs")};
    const cli_syntax syntax = {
        .command = "recipes",
        .arguments = "",
        .about =
            "Lists the recipes of train --recipe: each does the training of a system that "
            "this program follows, with its model, optimizer, loss and normalisation; speedrun "
            "is its own. "
            "Options that are given beside --recipe override it.",
        .options = options,
        .option_count = MG_COUNT_OF(options),
    };
    MG_TRY(cli_parse(&syntax, argc, argv, NULL));
    if (json) {
        st = cli_print_json(all_as_json());
        goto out;
    }
    const cli_recipe *r;
    for (int i = 0; (r = cli_recipe_at(i)); i++) {
        printf("%s%s: %s", i ? "\n" : "", r->name, r->about);
        if (r->published) printf("; published: %s", r->published);
        printf("\n    ");
        cli_print_wrapped(r->options, 4);
    }
out:
    return st;
}
