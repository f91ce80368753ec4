/*
 * provisions.c: puts together what the rooms of the application read and judge.
 */
#include "cli/provisions.h"

#include "app/text.h"
#include "app/variable_list.h"
#include "cache/store.h"
#include "cli/logs.h"
#include "observe/log.h"

#include <stdlib.h>
#include <string.h>

static bool resolve_variables(const weir_manifest_t *manifest, const weir_texts_t *texts, char *const *environment,
    weir_variables_t *ret_variables, char **ret_message)
{
    weir_variable_list_t list = {.variables = NULL};
    bool resolved = true;
    for (size_t i = 0; resolved && i < texts->count; i++) {
        resolved = weir_variable_list_add_argument(&list, texts->items[i], ret_message);
    }
    resolved = resolved && weir_variables_resolve(manifest, &list, environment, ret_variables, ret_message);
    weir_variable_list_free(&list);
    for (size_t i = 0; resolved && i < ret_variables->warning_count; i++) {
        weir_log(WEIR_LOG_WARNING, "%s", ret_variables->warnings[i]);
    }
    return resolved;
}

/* Read the networks, each alone first: so that what is wrong can be named with its place. */
static bool read_networks(const weir_runtime_config_t *config, weir_block_networks_t *ret_networks, char **ret_message)
{
    const char **texts = calloc(config->block_network_count + 1, sizeof(char *));
    bool read = texts != NULL;
    for (size_t i = 0; read && i < config->block_network_count; i++) {
        const weir_placed_text_t *network = &config->block_networks[i];
        weir_block_networks_t alone;
        char *message = NULL;
        texts[i] = network->text;
        read = weir_block_networks_parse(&texts[i], 1, &alone, &message);
        if (read) {
            weir_block_networks_free(&alone);
        } else if (message != NULL) {
            weir_arguments_refuse(ret_message, "%s:%u:%u: %s", weir_shown(config->path).text,
                (unsigned)network->place.line, (unsigned)network->place.column, message);
        }
        free(message);
    }
    read = read && weir_block_networks_parse(texts, config->block_network_count, ret_networks, ret_message);
    free(texts);
    return read;
}

/* The directories of each component, as guests take them. */
static bool list_mounts(weir_provisions_t *provisions)
{
    const weir_files_prepared_t *files = &provisions->files;
    provisions->mounts = calloc(files->component_count + 1, sizeof(weir_mount_t *));
    for (size_t i = 0; provisions->mounts != NULL && i < files->component_count; i++) {
        const weir_component_files_t *of = &files->components[i];
        provisions->mounts[i] = calloc(of->mount_count + 1, sizeof(weir_mount_t));
        if (provisions->mounts[i] == NULL) {
            return false;
        }
        for (size_t k = 0; k < of->mount_count; k++) {
            provisions->mounts[i][k] =
                (weir_mount_t){of->mounts[k].host_path, of->mounts[k].guest_path, of->mounts[k].writable};
        }
    }
    return provisions->mounts != NULL;
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

enum { KEPT_MAX = 5 };

static void add_kept(
    weir_files_settings_t *settings, weir_kept_directory_t *kept, char *own_path, const char *what, const char *remedy)
{
    if (own_path != NULL) {
        weir_kept_directory_t *next = &kept[settings->kept_count++];
        next->path = own_path;
        next->what = what;
        next->remedy = remedy;
    }
}

/* What weir writes to itself; each path is to be freed. */
static void list_kept(const weir_manifest_t *manifest, const weir_runtime_config_t *config,
    const weir_up_options_t *options, const char *cache_directory, weir_files_settings_t *settings,
    weir_kept_directory_t *kept)
{
    static const char elsewhere[] = "name another directory with XDG_CACHE_HOME";
    bool failed;
    char *logs = weir_logs_directory(options, config, manifest, &failed);
    settings->kept = kept;
    add_kept(settings, kept, logs, "logs", "name another directory with --log-dir, or none ('')");
    add_kept(settings, kept, weir_store_directory("."), "what it remembers", elsewhere);
    add_kept(settings, kept, weir_store_directory("code"), "compiled code", elsewhere);
    add_kept(settings, kept, weir_store_directory("source"), "what it has fetched", elsewhere);
    add_kept(settings, kept, cache_directory == NULL ? NULL : weir_text_copy(cache_directory), "compiled code",
        "name another directory in the file of --cache");
}

static bool prepare_files(const weir_manifest_t *manifest, const weir_runtime_config_t *config,
    const weir_up_options_t *options, const char *cache_directory, weir_files_prepared_t *ret_files, char **ret_message)
{
    weir_files_settings_t settings = {.direct_mounts = options->direct_mounts,
        .writable = options->allow_transient_write,
        .temporary_directory = options->temp};
    weir_kept_directory_t kept[KEPT_MAX];
    if (settings.direct_mounts && settings.writable) {
        list_kept(manifest, config, options, cache_directory, &settings, kept);
    }
    bool prepared = weir_files_prepare(manifest, &settings, ret_files, ret_message);
    for (size_t i = 0; i < settings.kept_count; i++) {
        free(kept[i].path);
    }
    return prepared;
}

/* ---- All of it --------------------------------------------------------------------------------------------------- */

bool weir_provisions_prepare(const weir_manifest_t *manifest, const weir_runtime_config_t *config,
    const weir_up_options_t *options, const char *cache_directory, char *const *environment,
    weir_provisions_t *ret_provisions, char **ret_message)
{
    weir_provisions_t provisions = {.component_count = 0};
    *ret_message = NULL;
    provisions.hosts = calloc(manifest->component_count + 1, sizeof(*provisions.hosts));
    bool prepared = provisions.hosts != NULL &&
                    resolve_variables(manifest, &options->variables, environment, &provisions.variables, ret_message) &&
                    read_networks(config, &provisions.block_networks, ret_message) &&
                    weir_key_value_stores_make(manifest, config, options, &provisions.stores, ret_message);
    while (prepared && provisions.component_count < manifest->component_count) {
        size_t component = provisions.component_count;
        prepared =
            weir_variables_outbound_hosts(&provisions.variables, component, &provisions.hosts[component], ret_message);
        provisions.component_count += prepared ? 1 : 0;
    }
    if (!prepared || !prepare_files(manifest, config, options, cache_directory, &provisions.files, ret_message) ||
        !list_mounts(&provisions)) {
        weir_provisions_free(&provisions);
        return false;
    }
    *ret_provisions = provisions;
    return true;
}

void weir_provisions_free(weir_provisions_t *provisions)
{
    for (size_t i = 0; i < provisions->component_count; i++) {
        weir_outbound_hosts_free(&provisions->hosts[i]);
    }
    free(provisions->hosts);
    for (size_t i = 0; provisions->mounts != NULL && i < provisions->files.component_count; i++) {
        free(provisions->mounts[i]);
    }
    free(provisions->mounts);
    weir_block_networks_free(&provisions->block_networks);
    weir_key_value_stores_free(&provisions->stores);
    weir_variables_free(&provisions->variables);
    if (!weir_files_remove(&provisions->files)) {
        weir_log(WEIR_LOG_WARNING, "copies of components' files stay behind; the next start with files removes them");
    }
    memset(provisions, 0, sizeof(*provisions));
}
