/*
 * logs.c: the directory of the logs, and who is followed.
 */
#include "cli/logs.h"

#include "allocator/translate.h"
#include "app/text.h"
#include "cli/overrides.h"
#include "cli/ownership.h"
#include "observe/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first that was given, or NULL. */
static const char *first(const char *option, const char *config)
{
    return option != NULL ? option : config;
}

char *weir_logs_directory(const weir_up_options_t *options, const weir_runtime_config_t *config,
    const weir_manifest_t *manifest, bool *ret_failed)
{
    const char *log_dir = first(options->log_dir, config->log_dir);
    const char *state_dir = first(options->state_dir, config->state_dir);
    char *directory = NULL;
    *ret_failed = false;
    if (log_dir != NULL) {
        if (log_dir[0] == '\0') {
            return NULL;
        }
        directory = strdup(log_dir);
    } else if (state_dir != NULL) {
        if (state_dir[0] == '\0') {
            return NULL;
        }
        *ret_failed = asprintf(&directory, "%s/logs", state_dir) < 0;
    } else {
        if (manifest->is_wasm) {
            return NULL;
        }
        *ret_failed = asprintf(&directory, "%s/.spin/logs", manifest->directory) < 0;
    }
    *ret_failed = *ret_failed || directory == NULL;
    return *ret_failed ? NULL : directory;
}

static bool is_shown(const weir_up_options_t *options, const char *id)
{
    for (size_t i = 0; i < options->follow.count; i++) {
        if (strcmp(options->follow.items[i], id) == 0) {
            return true;
        }
    }
    return !options->quiet && options->follow.count == 0;
}

static bool is_named(const weir_up_options_t *options, const weir_runtime_config_t *config)
{
    return first(options->log_dir, config->log_dir) != NULL || first(options->state_dir, config->state_dir) != NULL;
}

weir_component_logs_t *weir_logs_open(const weir_up_options_t *options, const weir_runtime_config_t *config,
    const weir_manifest_t *manifest, char **ret_message)
{
    bool failed;
    *ret_message = NULL;
    if (!weir_overrides_known(manifest, "--follow", &options->follow, ret_message)) {
        return NULL;
    }
    char *directory = weir_logs_directory(options, config, manifest, &failed);
    weir_component_logs_t *logs = failed ? NULL : weir_component_logs_new(directory, manifest->component_count);
    /* What was asked for by name must work, as in Spin; a directory of the application's may be read-only. */
    if (logs != NULL && is_named(options, config) && !weir_component_logs_make_directory(logs)) {
        const char *reason = strerror(errno);
        char *whose = errno == EACCES ? weir_ownership_explain(directory, WEIR_OWNERSHIP_DIRECTORY) : NULL;
        if (asprintf(ret_message,
                "logs cannot be kept in \"%s\": %s; --log-dir DIRECTORY names another place, --log-dir '' keeps none",
                weir_shown(directory).text, whose == NULL ? reason : whose) < 0) {
            *ret_message = NULL;
        }
        free(whose);
        weir_component_logs_free(logs);
        logs = NULL;
    }
    free(directory);
    for (size_t i = 0; logs != NULL && i < manifest->component_count; i++) {
        const char *id = manifest->components[i].id;
        weir_component_logs_add(logs, i, id, is_shown(options, id));
    }
    if (logs != NULL && options->truncate_logs) {
        weir_component_logs_truncate(logs);
    }
    return logs;
}

void weir_logs_warn(const weir_up_options_t *options, const weir_runtime_config_t *config,
    const weir_manifest_t *manifest, const weir_component_logs_t *logs)
{
    bool failed;
    if (options->user == NULL || is_named(options, config) || weir_component_logs_make_directory(logs) ||
        errno != EACCES) {
        return;
    }
    char *directory = weir_logs_directory(options, config, manifest, &failed);
    char *whose = directory == NULL ? NULL : weir_ownership_explain(directory, WEIR_OWNERSHIP_DIRECTORY);
    if (directory != NULL) {
        weir_log(WEIR_LOG_WARNING,
            weir_translate("what components write goes to no file: \"%s\": %s; --state-dir DIRECTORY names another "
                           "place, --log-dir '' keeps none"),
            weir_shown(directory).text, whose == NULL ? strerror(EACCES) : whose);
    }
    free(whose);
    free(directory);
}
