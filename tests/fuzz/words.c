/* The command line: an option a line, recipes, and what is short text of its own. */
#include "fuzz.h"
#include "io/run_files.h"
#include "mnist_gpu/augment.h"
#include "options.h"
#include "recipes.h"

enum { WORDS = 32 };

static int split_lines(char *words[WORDS], char *text)
{
    int count = 0;
    for (char *rest = text, *word; count < WORDS && (word = strsep(&rest, "\n"));)
        words[count++] = word;
    return count;
}

static void parse_options(int argc, char **argv)
{
    static const char *const colours[] = {"red", "green", "blue", NULL};
    bool flag = false;
    int whole = 1, count = -1;
    uint64_t seed = 1;
    double number = 1;
    const char *text = NULL, *colour = "red";
    cli_option options[] = {
        CLI_OPT_FLAG("quiet", &flag, "flag"),
        CLI_OPT_HEADING("numbers"),
        CLI_OPT_INT("epochs", "N", &whole, -5, INT_MAX, "whole"),
        CLI_OPT_U64("seed", "N", &seed, UINT64_MAX, "large"),
        CLI_OPT_DOUBLE("lr", "X", &number, 0, 1e30, CLI_ABOVE_MIN, "number"),
        CLI_OPT_DOUBLE("val-split", "X", &number, 0, 1, CLI_BELOW_MAX, "share"),
        CLI_OPT_TEXT("data", "DIR", &text, "text"),
        CLI_OPT_CHOICE("colour", colours, &colour, "choice"),
    };
    const cli_syntax syntax = {.command = "fuzz",
                               .arguments = "[A] [B]",
                               .max_args = 2,
                               .about = "a command",
                               .options = options,
                               .option_count = MG_COUNT_OF(options)};
    const mg_status st = cli_parse(&syntax, argc, argv, &count);
    if (st && st != CLI_HELP_SHOWN) fuzz_check_refusal(st);
    if (st) return;
    FUZZ_CHECK(count >= 0 && count <= 2 && whole >= -5 && number >= 0 && number <= 1e30);
    FUZZ_CHECK(!text || *text);
}

static void parse_augmentation(const char *text)
{
    mg_augmentation a, b;
    char back[128];
    const mg_status st = mg_augmentation_parse(&a, text);
    if (st) {
        fuzz_check_refusal(st);
        return;
    }
    mg_augmentation_text(back, sizeof back, &a);
    if (!*back) return; /* all strengths are 0 */
    FUZZ_CHECK(mg_augmentation_parse(&b, back) == MG_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = strndup((const char *)data, size), *argv[WORDS + 1] = {NULL}, **all = NULL;
    static bool quiet;
    if (!quiet) FUZZ_CHECK(freopen("/dev/null", "w", stdout)); /* --help */
    quiet = true;
    int argc = split_lines(argv, text);
    for (int i = 0; i < argc; i++) {
        parse_augmentation(argv[i]);
        FUZZ_CHECK(mg__run_epoch_of(argv[i]) >= 0);
    }
    char *recipe = NULL;
    const mg_status st = cli_recipe_expand(&all, &argc, &recipe, argc, argv);
    if (st)
        fuzz_check_refusal(st);
    else
        parse_options(argc, all);
    free(all);
    free(recipe);
    free(text);
    return 0;
}
