/*
 * inputs.c: reads and loads, one thing after the other, and stops at the first that is wrong.
 */
#include "cli/inputs.h"

#include "allocator/translate.h"
#include "app/cache_config.h"
#include "app/text.h"
#include "cache/store.h"
#include "cli/logs.h"
#include "cli/overrides.h"
#include "cli/ownership.h"
#include "cli/spin_variables.h"
#include "cli/strategy.h"
#include "cli/tls_files.h"
#include "observe/log.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool read_inputs(weir_inputs_t *inputs, char **ret_message)
{
    weir_up_options_t *options = &inputs->options;
    char *warning;
    uint32_t instances;
    if (!weir_strategy_from_environment(options->disable_pooling, &inputs->strategy, &warning)) {
        *ret_message = warning;
        return false;
    }
    inputs->strategy_warning = warning;
    if (!weir_spin_variables_read(environ, &instances, &inputs->variables_note, ret_message)) {
        return false;
    }
    options->max_concurrency = options->max_concurrency != 0 ? options->max_concurrency : instances;
    if (options->runtime_config_file != NULL &&
        !weir_runtime_config_load(options->runtime_config_file, &inputs->config, ret_message)) {
        return false;
    }
    if (options->cache != NULL && !weir_cache_config_load(options->cache, &inputs->cache_directory, ret_message)) {
        return false;
    }
    if (options->max_instance_memory_bytes == 0 && inputs->config.max_instance_memory != 0) {
        options->max_instance_memory_bytes = inputs->config.max_instance_memory;
        options->limits.values[WEIR_SERVING_INSTANCE_MEMORY] = inputs->config.max_instance_memory;
        options->limits.are_set[WEIR_SERVING_INSTANCE_MEMORY] = true;
        options->limits.sources[WEIR_SERVING_INSTANCE_MEMORY] = WEIR_LIMIT_RUNTIME_CONFIG;
    }
    if (options->tls_certificate != NULL) {
        return weir_tls_files_load(
            options->tls_certificate, options->tls_key, &inputs->tls, &inputs->tls_not_after, ret_message);
    }
    return true;
}

/* Add to why something is refused that it is no longer root who reads. */
static bool tell_user(const weir_inputs_t *inputs, bool fine, char **message)
{
    if (!fine && inputs->options.user != NULL) {
        weir_ownership_add_user(message);
    }
    return fine;
}

bool weir_inputs_read(weir_inputs_t *inputs, char **ret_message)
{
    return tell_user(inputs, read_inputs(inputs, ret_message), ret_message);
}

static char *cache_directory(const weir_inputs_t *inputs)
{
    return inputs->cache_directory != NULL ? strdup(inputs->cache_directory) : weir_store_directory("code");
}

static weir_store_t *open_cache(const weir_inputs_t *inputs)
{
    const weir_up_options_t *options = &inputs->options;
    const char *why;
    weir_store_t *cache = options->disable_cache ? NULL : weir_code_cache_open(inputs->cache_directory, &why);
    if (!options->disable_cache && cache == NULL && why != NULL) {
        char *directory = cache_directory(inputs);
        char *whose = directory == NULL ? NULL : weir_ownership_explain(directory, WEIR_OWNERSHIP_DIRECTORY);
        weir_log(WEIR_LOG_INFO,
            weir_translate("compiled code is not kept: the cache's directory cannot be used: %s: %s; XDG_CACHE_HOME or "
                           "--cache names another"),
            directory == NULL ? "" : weir_shown(directory).text, whose == NULL ? why : whose);
        free(whose);
        free(directory);
    }
    return cache;
}

/*
 * Whether a name is that of something in a registry, as in "ghcr.io/user/app:v1", and of no file here: Spin takes such
 * a name for one (src/commands/up/app_source.rs).
 */
static bool is_reference(const char *name)
{
    size_t host = strcspn(name, "/");
    bool has_host = name[host] == '/' && host > 0 && name[0] != '.' &&
                    (memchr(name, '.', host) != NULL || memchr(name, ':', host) != NULL);
    return has_host && access(name, F_OK) != 0;
}

static bool load_inputs(const weir_inputs_t *inputs, weir_application_t *ret_application, char **ret_message)
{
    const weir_up_options_t *options = &inputs->options;
    weir_manifest_t manifest;
    if (is_reference(options->application)) {
        return weir_arguments_refuse(ret_message,
            "%s: there is no such file, and weir reads no registry; give a spin.toml, its directory or a .wasm file",
            options->application);
    }
    if (!weir_manifest_load(options->application, &manifest, ret_message)) {
        return false;
    }
    *ret_message = NULL;
    if (!weir_overrides_keep(&manifest, &options->components, ret_message) ||
        !weir_overrides_environment(&manifest, &options->environment)) {
        weir_manifest_free(&manifest);
        return false;
    }
    weir_component_logs_t *logs = weir_logs_open(options, &inputs->config, &manifest, ret_message);
    if (logs == NULL) {
        weir_manifest_free(&manifest);
        return false;
    }
    if (!weir_application_from_manifest(&manifest, open_cache(inputs), ret_application, ret_message)) {
        weir_component_logs_free(logs);
        return false;
    }
    ret_application->logs = logs;
    ret_application->trap_unknown_imports = options->trap_unknown_imports;
    ret_application->option_limits = options->limits;
    ret_application->reuse = options->reuse;
    return weir_provisions_prepare(&ret_application->manifest, &inputs->config, options, inputs->cache_directory,
               environ, &ret_application->provisions, ret_message) &&
           weir_application_fits(ret_application, ret_message);
}

bool weir_inputs_load(const weir_inputs_t *inputs, weir_application_t *ret_application, char **ret_message)
{
    return tell_user(inputs, load_inputs(inputs, ret_application, ret_message), ret_message);
}

void weir_inputs_keep_code(const weir_inputs_t *inputs, weir_application_t *application)
{
    const char *why = weir_application_keep_code(application);
    if (why != NULL) {
        char *directory = cache_directory(inputs);
        weir_log(WEIR_LOG_INFO, weir_translate("the compiled code is not kept for the next start: %s: %s"),
            directory == NULL ? "" : weir_shown(directory).text, why);
        free(directory);
    }
}

void weir_inputs_log_warnings(const weir_inputs_t *inputs)
{
    if (inputs->strategy_warning != NULL) {
        weir_log(WEIR_LOG_WARNING, "%s", inputs->strategy_warning);
    }
    if (inputs->variables_note != NULL) {
        weir_log(WEIR_LOG_WARNING, "%s", inputs->variables_note);
    }
    if (inputs->options.tls_certificate != NULL) {
        weir_tls_files_log_expiry(inputs->options.tls_certificate, inputs->tls_not_after);
        if (inputs->options.user != NULL) { /* who may have less than root, who has read them */
            weir_tls_files_log_unreadable(inputs->options.tls_certificate, inputs->options.tls_key);
        }
    }
    if (inputs->options.direct_mounts && inputs->options.allow_transient_write) {
        weir_log(WEIR_LOG_WARNING, "%s",
            weir_translate("--direct-mounts with --allow-transient-write: guests can change and remove the "
                           "application's own files, and that stays"));
    }
    for (size_t i = 0; i < inputs->config.warning_count; i++) {
        weir_log(WEIR_LOG_WARNING, "%s", inputs->config.warnings[i]);
    }
}

void weir_inputs_free(weir_inputs_t *inputs)
{
    weir_up_options_free(&inputs->options);
    weir_runtime_config_free(&inputs->config);
    free(inputs->cache_directory);
    free(inputs->strategy_warning);
    free(inputs->variables_note);
    weir_tls_config_free(inputs->tls);
    memset(inputs, 0, sizeof(*inputs));
}
