/*
 * manifest_free.c: frees what a manifest owns, also one that was read in part only.
 */
#include "app/manifest.h"

#include <stdlib.h>

static void free_variables(weir_variable_t *own_variables, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(own_variables[i].name);
        free(own_variables[i].value);
    }
    free(own_variables);
}

static void free_texts(weir_placed_text_t *own_texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(own_texts[i].text);
    free(own_texts);
}

static void free_component(weir_component_t *component)
{
    free_variables(component->environment, component->environment_count);
    for (size_t i = 0; i < component->variable_count; i++) {
        free(component->variables[i].name);
        free(component->variables[i].value.text);
    }
    free(component->variables);
    for (size_t i = 0; i < component->files_count; i++) {
        free(component->files[i].source);
        free(component->files[i].destination);
    }
    free(component->files);
    free_texts(component->exclude_files, component->exclude_files_count);
    free_texts(component->allowed_outbound_hosts, component->allowed_outbound_hosts_count);
    free_texts(component->key_value_stores, component->key_value_store_count);
    for (size_t i = 0; i < component->build.command_count; i++)
        free(component->build.commands[i]);
    free(component->build.commands);
    free(component->build.workdir);
    free(component->id);
    free(component->description);
    free(component->source);
    free(component->source_url);
    free(component->source_digest);
}

static void free_trigger(weir_http_trigger_t *trigger)
{
    if (trigger->static_response != NULL) {
        free_variables(trigger->static_response->headers, trigger->static_response->header_count);
        free(trigger->static_response->body);
    }
    free(trigger->static_response);
    free(trigger->id);
    free(trigger->route);
    free(trigger->wagi_argv);
}

void weir_manifest_free(weir_manifest_t *manifest)
{
    for (size_t i = 0; i < manifest->variable_count; i++) {
        free(manifest->variables[i].name);
        free(manifest->variables[i].default_value);
    }
    for (size_t i = 0; i < manifest->component_count; i++)
        free_component(&manifest->components[i]);
    for (size_t i = 0; i < manifest->trigger_count; i++)
        free_trigger(&manifest->triggers[i]);
    for (size_t i = 0; i < manifest->warning_count; i++)
        free(manifest->warnings[i]);
    free(manifest->variables);
    free(manifest->components);
    free(manifest->triggers);
    free(manifest->warnings);
    free(manifest->path);
    free(manifest->directory);
    free(manifest->name);
    free(manifest->version);
    free(manifest->description);
    *manifest = (weir_manifest_t){0};
}
