/* Recipes: the trainings of the systems that this program follows, and its fastest one, as options
 * of `train`. */
#ifndef CLI_RECIPES_H
#define CLI_RECIPES_H

#include "error.h"

typedef struct cli_recipe {
    const char *name, *about;
    const char *published; /* the figure that the original gives; NULL: none that is known */
    const char *options;   /* as they would be typed */
} cli_recipe;

const cli_recipe *cli_recipe_at(int index); /* NULL past the last */

/* Puts the recipe's options before argv's, so that what is typed overrides them. name: NULL for
 * none. *out: malloc'd, [*out_argc]; *words: what the new ones point into; the caller frees both.
 * MG_ERR_INVALID: no such recipe. */
mg_status cli_recipe_prepend(char ***out, int *out_argc, char **words, const char *name, int argc,
                             char **argv);
/* The same with the recipe that the last --recipe in argv names. */
mg_status cli_recipe_expand(char ***out, int *out_argc, char **words, int argc, char **argv);

#endif
