/*
 * application.c: loading an application's parts in order.
 */
#include "cli/application.h"

#include "allocator/translate.h"
#include "cli/source.h"
#include "serve/chain.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A guest is called in one way. */
static bool has_one_executor(const weir_manifest_t *manifest, const weir_http_trigger_t *trigger,
    const weir_guest_file_t *before, const weir_guest_file_t *now, char **ret_message)
{
    if (before->facts.kind == 0 || before->executor == now->executor) {
        return true;
    }
    if (asprintf(ret_message,
            "%s:%u:%u: component \"%s\" is used with the executor \"http\" and with \"wagi\"; define it twice, "
            "once for each",
            manifest->path, trigger->route_place.line, trigger->route_place.column,
            manifest->components[trigger->component].id) < 0) {
        *ret_message = NULL;
    }
    return false;
}

/* Which of a component's triggers it is does not matter: they have the same executor. */
static weir_executor_t executor_of(const weir_manifest_t *manifest, size_t component)
{
    for (size_t i = 0; i < manifest->trigger_count; i++) {
        if (manifest->triggers[i].component == component) {
            return manifest->triggers[i].executor;
        }
    }
    return WEIR_EXECUTOR_HTTP;
}

weir_executor_t weir_application_executor(const weir_application_t *application, size_t component)
{
    return application->manifest.is_wasm ? 0 : executor_of(&application->manifest, component);
}

static bool load_files(weir_application_t *application, char **ret_message)
{
    const weir_manifest_t *manifest = &application->manifest;
    for (size_t i = 0; i < manifest->trigger_count; i++) {
        weir_http_trigger_t *trigger = &manifest->triggers[i];
        if (trigger->component == WEIR_NO_COMPONENT) {
            continue;
        }
        weir_guest_file_t *file = &application->files[trigger->component];
        weir_guest_file_t loaded;
        /* Once for each trigger: two that want a component in different ways cannot both be right. */
        weir_executor_t executor = manifest->is_wasm ? 0 : trigger->executor;
        if (!weir_code_cache_load_file(application->cache, manifest, &manifest->components[trigger->component],
                executor, &loaded, &application->digests[trigger->component], ret_message)) {
            return false;
        }
        if (!has_one_executor(manifest, trigger, file, &loaded, ret_message)) {
            weir_guest_file_free(&loaded);
            return false;
        }
        application->needs_concurrency = application->needs_concurrency || loaded.facts.needs_concurrency;
        if (manifest->is_wasm) {
            trigger->executor = weir_guest_file_executor(&loaded);
        }
        weir_guest_file_free(file);
        *file = loaded;
        weir_guest_code_t **code = &application->codes[trigger->component];
        if (*code == NULL && (*code = weir_guest_code_new()) == NULL) {
            return false;
        }
    }
    return true;
}

static bool make_room(weir_application_t *application)
{
    size_t count = application->manifest.component_count + 1;
    application->files = calloc(count, sizeof(*application->files));
    application->digests = calloc(count, sizeof(*application->digests));
    application->codes = calloc(count, sizeof(weir_guest_code_t *));
    application->keys = calloc(count, sizeof(*application->keys));
    application->kept = calloc(count, sizeof(*application->kept));
    application->apart = calloc(count, sizeof(*application->apart));
    application->linked = calloc(count, sizeof(*application->linked));
    return application->files != NULL && application->digests != NULL && application->codes != NULL &&
           application->keys != NULL && application->kept != NULL && application->apart != NULL &&
           application->linked != NULL;
}

bool weir_application_load(const char *path, weir_application_t *ret_application, char **ret_message)
{
    weir_manifest_t manifest;
    *ret_message = NULL;
    return weir_manifest_load(path, &manifest, ret_message) &&
           weir_application_from_manifest(&manifest, NULL, ret_application, ret_message);
}

bool weir_application_from_manifest(
    weir_manifest_t *take_manifest, weir_store_t *take_cache, weir_application_t *ret_application, char **ret_message)
{
    weir_application_t application = {.manifest = *take_manifest, .cache = take_cache, .standard_error = -1};
    *take_manifest = (weir_manifest_t){.path = NULL};
    *ret_message = NULL;
    if (!make_room(&application) || !weir_sources_fetch(&application.manifest, NULL, ret_message) ||
        !weir_routes_build(&application.manifest, &application.routes, ret_message) ||
        !load_files(&application, ret_message)) {
        weir_application_free(&application);
        return false;
    }
    *ret_application = application;
    return true;
}

weir_limits_t weir_application_limits(const weir_application_t *application, size_t component)
{
    const weir_manifest_t *manifest = &application->manifest;
    return weir_limits_resolve(&application->option_limits, &manifest->limits,
        component == WEIR_NO_COMPONENT ? NULL : &manifest->components[component].limits);
}

uint64_t weir_application_max_memory(const weir_application_t *application)
{
    uint64_t most = application->manifest.component_count == 0
                        ? application->option_limits.values[WEIR_SERVING_INSTANCE_MEMORY]
                        : 0;
    for (size_t i = 0; i < application->manifest.component_count; i++) {
        uint64_t own = weir_application_limits(application, i).values[WEIR_SERVING_INSTANCE_MEMORY];
        if (own == 0) {
            return 0;
        }
        most = own > most ? own : most;
    }
    return most;
}

bool weir_application_fits(const weir_application_t *application, char **ret_message)
{
    for (size_t i = 0; i < application->manifest.component_count; i++) {
        uint64_t initial = application->files[i].facts.initial_memory_bytes;
        weir_limits_t limits = weir_application_limits(application, i);
        uint64_t most = limits.values[WEIR_SERVING_INSTANCE_MEMORY];
        if (most != 0 && initial > most) {
            static const weir_serving_limit_t limit = WEIR_SERVING_INSTANCE_MEMORY;
            const char *id = application->manifest.components[i].id;
            char sizes[2][24];
            char setter[WEIR_LIMIT_WORDS_BYTES];
            char place[16] = "";
            if (limits.lines[limit] != 0) {
                snprintf(place, sizeof(place), ":%lu: ", (unsigned long)limits.lines[limit]);
            }
            if (asprintf(ret_message,
                    weir_translate(
                        "%s%scomponent %s begins with %s of memory, and %s allows %s; raise it to that at the least"),
                    place[0] == '\0' ? "" : application->manifest.path, place, id,
                    weir_limit_write_size(sizes[0], sizeof(sizes[0]), initial),
                    weir_limit_setter(&limits, limit, id, setter),
                    weir_limit_write_size(sizes[1], sizeof(sizes[1]), most)) < 0) {
                *ret_message = NULL;
            }
            return false;
        }
    }
    return true;
}

weir_needs_t *weir_application_guest_needs(const weir_application_t *application, size_t *ret_count)
{
    size_t count = 0;
    weir_needs_t *needs = calloc(application->manifest.component_count + 1, sizeof(*needs));
    for (size_t i = 0; needs != NULL && i < application->manifest.component_count; i++) {
        if (application->codes[i] != NULL) {
            weir_guest_file_add_needs(&application->files[i], &needs[count]);
            count++;
        }
    }
    *ret_count = count;
    return needs;
}

void weir_application_place(weir_application_t *application, const weir_choice_t *choice)
{
    size_t guest = 0;
    for (size_t i = 0; i < application->manifest.component_count; i++) {
        application->apart[i] = application->codes[i] != NULL && weir_choice_is_apart(choice, guest);
        guest += application->codes[i] != NULL ? 1 : 0;
    }
}

wasm_config_t *weir_config_new(bool needs_concurrency)
{
    wasm_config_t *config = wasm_config_new();
    if (config != NULL) {
        wasmtime_config_epoch_interruption_set(config, true);
        wasmtime_config_concurrency_support_set(config, needs_concurrency);
    }
    return config;
}

wasm_config_t *weir_application_config_new(const weir_application_t *application)
{
    return weir_config_new(application->needs_concurrency);
}

bool weir_application_find_code(
    weir_application_t *application, const wasm_engine_t *engine, const wasm_engine_t *apart)
{
    bool all = true;
    for (size_t i = 0; i < application->manifest.component_count; i++) {
        weir_guest_code_t *code = application->codes[i];
        const wasm_engine_t *its_engine = application->apart[i] && apart != NULL ? apart : engine;
        if (code == NULL) {
            continue;
        }
        if (application->cache != NULL) {
            weir_store_key_t key = weir_code_cache_key(its_engine, &application->digests[i]);
            bool same = memcmp(&key, &application->keys[i], sizeof(key)) == 0;
            application->keys[i] = key;
            application->kept[i] =
                (same && application->kept[i]) ||
                (!weir_guest_code_is_there(code) && weir_code_cache_find(application->cache, &key, code));
        }
        all = all && weir_guest_code_is_there(code);
    }
    return all;
}

const char *weir_application_keep_code(weir_application_t *application)
{
    const char *why = NULL;
    for (size_t i = 0; application->cache != NULL && i < application->manifest.component_count; i++) {
        const weir_guest_code_t *code = application->codes[i];
        if (code != NULL && !application->kept[i] && weir_guest_code_is_there(code)) {
            const char *its_why = weir_code_cache_put(application->cache, &application->keys[i], code);
            application->kept[i] = its_why == NULL;
            why = its_why != NULL ? its_why : why;
        }
    }
    return why;
}

void weir_application_keep_standard_error(weir_application_t *application)
{
    application->standard_error = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

void weir_application_drop_standard_error(weir_application_t *application)
{
    if (application->standard_error >= 0) {
        close(application->standard_error);
        application->standard_error = -1;
    }
}

static bool make_guest(const weir_application_t *application, size_t index, weir_guest_engine_t its_engine,
    weir_guest_output_t output, weir_guest_t **ret_guest, char **ret_message)
{
    const wasm_engine_t *engine = its_engine.engine;
    const weir_manifest_t *manifest = &application->manifest;
    const weir_provisions_t *provisions = &application->provisions;
    weir_guest_settings_t settings = {.output = output,
        .max_memory_bytes = weir_application_limits(application, index).values[WEIR_SERVING_INSTANCE_MEMORY],
        .trap_unknown_imports = application->trap_unknown_imports,
        .log = application->logs == NULL ? NULL : weir_component_logs_at(application->logs, index),
        .executor = executor_of(manifest, index),
        .relinked = application->linked[index]};
    if (its_engine.instances > 0) {
        settings.reuse = application->reuse;
        settings.reuse.max_instances = its_engine.instances;
    }
    bool are_prepared = provisions->component_count > 0;
    if (are_prepared) {
        settings.variables = provisions->variables.components[index].variables;
        settings.variable_count = provisions->variables.components[index].count;
    }
    /* Trials are made where there are no files and no network. */
    if (are_prepared && output == WEIR_GUEST_OUTPUT_LOGGED) {
        settings.mounts = provisions->mounts[index];
        settings.mount_count = provisions->files.components[index].mount_count;
        settings.outbound = (weir_outbound_settings_t){
            .hosts = &provisions->hosts[index],
            .block_networks = &provisions->block_networks,
            .begin = weir_chain_take,
        };
        settings.stores = provisions->stores.components[index].items;
        settings.store_count = provisions->stores.components[index].count;
    }
    const weir_component_t *component = &manifest->components[index];
    const weir_guest_code_t *code = application->codes[index];
    if (weir_guest_code_is_there(code)) {
        if (weir_guest_new(engine, manifest, component, code, &settings, ret_guest, ret_message)) {
            return true;
        }
        /* It may be that it was compiled for an engine of another kind; what else it is shows again. */
        free(*ret_message);
        *ret_message = NULL;
    }
    application->kept[index] = false;
    return weir_application_compile_one(application, index, engine, ret_message) &&
           weir_guest_new(engine, manifest, component, code, &settings, ret_guest, ret_message);
}

bool weir_application_link(const weir_application_t *application, weir_guest_engine_t pool, weir_guest_engine_t apart,
    weir_guest_output_t output, weir_guest_t **guests, char **ret_message)
{
    size_t count = application->manifest.component_count;
    memset(guests, 0, count * sizeof(guests[0]));
    for (size_t i = 0; i < count; i++) {
        weir_guest_engine_t its_engine = application->apart[i] ? apart : pool;
        if (application->codes[i] != NULL && its_engine.engine != NULL &&
            !make_guest(application, i, its_engine, output, &guests[i], ret_message)) {
            while (i-- > 0) {
                weir_guest_free(guests[i]);
                guests[i] = NULL;
            }
            return false;
        }
        application->linked[i] = application->linked[i] || output == WEIR_GUEST_OUTPUT_LOGGED;
    }
    return true;
}

void weir_application_free_files(weir_application_t *application)
{
    for (size_t i = 0; i < application->manifest.component_count; i++) {
        weir_guest_file_free(&application->files[i]);
    }
}

void weir_application_free(weir_application_t *application)
{
    for (size_t i = 0; i < application->manifest.component_count; i++) {
        if (application->files != NULL) {
            weir_guest_file_free(&application->files[i]);
        }
        if (application->codes != NULL) {
            weir_guest_code_free(application->codes[i]);
        }
    }
    free(application->codes);
    free(application->digests);
    free(application->keys);
    free(application->kept);
    free(application->apart);
    free(application->linked);
    free(application->files);
    weir_store_free(application->cache);
    weir_component_logs_free(application->logs);
    weir_provisions_free(&application->provisions);
    weir_routes_free(application->routes);
    weir_manifest_free(&application->manifest);
    memset(application, 0, sizeof(*application));
}
