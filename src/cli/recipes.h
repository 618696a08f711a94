/* Recipes: the trainings of the systems that this program follows, as options of `train`. */
#ifndef CLI_RECIPES_H
#define CLI_RECIPES_H

#include "error.h"

typedef struct cli_recipe {
    const char *name, *about;
    const char *published; /* the figure that the original gives; NULL: none that is known */
    const char *options;   /* as they would be typed */
} cli_recipe;

const cli_recipe *cli_recipe_at(int index); /* NULL past the last */

/* Puts the options of the last --recipe in argv before all others, so that what is typed overrides
 * them. *out: malloc'd, [*out_argc]; *words: what the new ones point into; the caller frees both.
 * MG_ERR_INVALID: no such recipe. */
mg_status cli_recipe_expand(char ***out, int *out_argc, char **words, int argc, char **argv);

#endif
