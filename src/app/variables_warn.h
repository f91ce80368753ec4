/*
 * variables_warn.h: names that are given a value, and that no variable of the application has. Private to this room.
 */
#ifndef WEIR_APP_VARIABLES_WARN_H
#define WEIR_APP_VARIABLES_WARN_H

#include "app/variables.h"

#define WEIR_VARIABLE_PREFIX "SPIN_VARIABLE_"

/* Whether the application has a variable of that name. */
bool weir_variable_is_declared(const weir_manifest_t *manifest, const char *name);

/* The name that a variable has in the environment; to be freed with free(3), NULL when memory ran out. */
char *weir_variable_environment_name(const char *name);

/*
 * Add to `variables` a warning for each name that --variable gives a value in vain, and for each of the environment and
 * of the file .env that is near the name of a variable. None holds a value. What memory runs out for is left out.
 */
void weir_variables_warn(weir_variables_t *variables, const weir_variable_list_t *overrides, char *const *environment,
    const weir_variable_list_t *dotenv);

/*
 * Where the variable `name`, which has no value, was given one under a misspelt name: "--variable tokne",
 * "SPIN_VARIABLE_TOKNE", "TOKEN in the file .env". To be freed with free(3); NULL for nowhere, or when memory ran out.
 */
char *weir_variables_find_meant(const weir_manifest_t *manifest, const char *name,
    const weir_variable_list_t *overrides, char *const *environment, const weir_variable_list_t *dotenv);

#endif
