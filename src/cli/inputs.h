/*
 * inputs.h: what `weir up` is given besides the application: its options, the environment and the files that these
 * name; and the application as they say.
 */
#ifndef WEIR_CLI_INPUTS_H
#define WEIR_CLI_INPUTS_H

#include "app/runtime_config.h"
#include "cli/application.h"
#include "cli/options.h"
#include "weir/allocator.h"
#include "weir_bridge.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct weir_inputs {
    weir_up_options_t options;
    weir_runtime_config_t config;
    char *cache_directory; /* of compiled code; NULL: the user's */
    weir_strategy_t strategy;
    char *strategy_warning; /* or NULL, as the next one */
    weir_tls_config_t *tls; /* or NULL */
    int64_t tls_not_after;  /* until when its certificate is valid, in seconds since 1970; 0: unknown */
    char *variables_note;   /* on environment variables that have no meaning here */
} weir_inputs_t;

/*
 * Read what the options do not hold themselves; `inputs` has options, and is zeroed otherwise. On failure returns false
 * and stores a one-line message to be freed with free(3), NULL when memory ran out; what was read until then is freed
 * with weir_inputs_free.
 */
bool weir_inputs_read(weir_inputs_t *inputs, char **ret_message);

/*
 * Load the application: its manifest as the command line changes it, its files, its logs and what its guests are given.
 * On failure returns false and stores a message, as weir_inputs_read does; what was made until then is in
 * `*ret_application`, to be freed in every case. That must stay where it is from then on.
 */
bool weir_inputs_load(const weir_inputs_t *inputs, weir_application_t *ret_application, char **ret_message);

/* weir_application_keep_code; where that fails, log why, with the directory. */
void weir_inputs_keep_code(const weir_inputs_t *inputs, weir_application_t *application);

/* Log what people should know of what was read. */
void weir_inputs_log_warnings(const weir_inputs_t *inputs);

/* Free what it owns, and zero it. */
void weir_inputs_free(weir_inputs_t *inputs);

#endif
