/*
 * variables.h: the variables of an application with their values, and those of its components, as Spin resolves them
 * (its crates/expressions and crates/variables-env).
 */
#ifndef WEIR_APP_VARIABLES_H
#define WEIR_APP_VARIABLES_H

#include "app/manifest.h"
#include "app/outbound_hosts.h"
#include "app/variable_list.h"

/* The most bytes that all values of all components have together. */
#define WEIR_VARIABLES_BYTES_MAX ((size_t)64 << 20)

/* What a component sees. */
typedef struct weir_component_variables {
    weir_variable_t *variables; /* own; in the order of the manifest */
    size_t count;
} weir_component_variables_t;

/* In the order of the manifest, which must live on. */
typedef struct weir_variables {
    const weir_manifest_t *manifest;
    char **values;                          /* own: of the application's variables */
    weir_component_variables_t *components; /* own: for each component */
    size_t bytes;
    char *
        *warnings; /* own: of names that were given a value and stand for no variable, without the value; at most 16 */
    size_t warning_count;
} weir_variables_t;

/*
 * Give every variable of the application its value: the last of `overrides` (--variable), else SPIN_VARIABLE_<NAME> of
 * `environment` (as environ, ended by NULL), else the same from the file .env in the manifest's directory (which is
 * read when it is needed), else its default; then expand the components' variables.
 *
 * On success returns true and fills `*ret_variables`, to be freed with weir_variables_free. On failure (a required
 * variable has no value, a template is wrong, .env cannot be read) returns false, leaves it untouched and stores a
 * one-line message in `*ret_message`, to be freed with free(3); NULL when memory ran out. No message holds a value.
 * Not while another thread changes `environment`.
 */
bool weir_variables_resolve(const weir_manifest_t *manifest, const weir_variable_list_t *overrides,
    char *const *environment, weir_variables_t *ret_variables, char **ret_message);

/* Free what it owns, with the values overwritten first, and zero it. */
void weir_variables_free(weir_variables_t *variables);

/*
 * Put values into a template. `what` names for people what it is: "an entry of allowed_outbound_hosts"; the template
 * itself is not shown, for what stands beside the names may be a secret. On success returns true and
 * stores the text in `*ret_text`, to be freed with free(3). On failure returns false, leaves it untouched and stores a
 * message, as weir_variables_resolve does. Any thread.
 */
bool weir_variables_expand(const weir_variables_t *variables, const weir_placed_text_t *text, const char *what,
    char **ret_text, char **ret_message);

/* Read a component's allowed_outbound_hosts, with values put in: see weir_outbound_hosts_parse. Any thread. */
bool weir_variables_outbound_hosts(
    const weir_variables_t *variables, size_t component, weir_outbound_hosts_t *ret_hosts, char **ret_message);

#endif
