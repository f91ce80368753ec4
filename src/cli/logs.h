/*
 * logs.h: where what components write goes, from the options of `weir up`.
 */
#ifndef WEIR_CLI_LOGS_H
#define WEIR_CLI_LOGS_H

#include "app/manifest.h"
#include "app/runtime_config.h"
#include "cli/options.h"
#include "observe/component_log.h"

/*
 * The directory for files, to be freed with free(3), or NULL when there shall be none. --log-dir, else log_dir of the
 * runtime configuration, else "logs" in --state-dir, in state_dir of it, or in ".spin" beside the manifest; a wasm file
 * alone has no such place (Spin, crates/runtime-config/src/lib.rs, log_dir). `*ret_failed`: memory ran out.
 */
char *weir_logs_directory(const weir_up_options_t *options, const weir_runtime_config_t *config,
    const weir_manifest_t *manifest, bool *ret_failed);

/*
 * The logs of all components, to be freed with weir_component_logs_free; they borrow the components' ids. On failure,
 * an id of --follow that is unknown, returns NULL and stores a one-line message, NULL when memory ran out.
 */
weir_component_logs_t *weir_logs_open(const weir_up_options_t *options, const weir_runtime_config_t *config,
    const weir_manifest_t *manifest, char **ret_message);

/*
 * Under --user: warn of a directory that nobody named, and that this user may not use; one that is read-only for all is
 * none. One that was named is refused by weir_logs_open.
 */
void weir_logs_warn(const weir_up_options_t *options, const weir_runtime_config_t *config,
    const weir_manifest_t *manifest, const weir_component_logs_t *logs);

#endif
