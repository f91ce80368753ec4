/*
 * overrides.c: components and triggers that are not wanted are taken out of the manifest, as if they had not been
 * written.
 */
#include "cli/overrides.h"

#include "app/outbound_hosts.h"
#include "app/text.h"

#include <stdlib.h>
#include <string.h>

static bool is_among(const weir_texts_t *texts, const char *text)
{
    for (size_t i = 0; i < texts->count; i++) {
        if (strcmp(texts->items[i], text) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_component(const weir_manifest_t *manifest, const char *id)
{
    for (size_t i = 0; i < manifest->component_count; i++) {
        if (strcmp(manifest->components[i].id, id) == 0) {
            return true;
        }
    }
    return false;
}

bool weir_overrides_known(
    const weir_manifest_t *manifest, const char *option, const weir_texts_t *ids, char **ret_message)
{
    for (size_t i = 0; i < ids->count; i++) {
        if (has_component(manifest, ids->items[i])) {
            continue;
        }
        weir_text_t text = {0};
        weir_text_format(&text, "%s: there is no component %s in %s; there %s ", option, weir_quote(ids->items[i]).text,
            weir_shown(manifest->path).text, manifest->component_count == 1 ? "is" : "are");
        for (size_t k = 0; k < manifest->component_count; k++) {
            weir_text_format(&text, "%s%s", k == 0 ? "" : ", ", manifest->components[k].id);
        }
        *ret_message = weir_text_take(&text);
        return false;
    }
    return true;
}

/* Whether those that are kept may call only each other. */
static bool check_chaining(const weir_manifest_t *manifest, const weir_texts_t *ids, char **ret_message)
{
    bool *kept = calloc(manifest->component_count + 1, sizeof(*kept));
    bool fine = kept != NULL;
    for (size_t i = 0; fine && i < manifest->component_count; i++) {
        kept[i] = is_among(ids, manifest->components[i].id);
    }
    for (size_t i = 0; fine && i < manifest->component_count; i++) {
        fine = !kept[i] || weir_outbound_hosts_check_selection(manifest, i, kept, ret_message);
    }
    free(kept);
    return fine;
}

/* ---- Keeping ----------------------------------------------------------------------------------------------------- */

static bool is_triggered(const weir_manifest_t *manifest, const char *id)
{
    for (size_t i = 0; i < manifest->trigger_count; i++) {
        size_t component = manifest->triggers[i].component;
        if (component != WEIR_NO_COMPONENT && strcmp(manifest->components[component].id, id) == 0) {
            return true;
        }
    }
    return false;
}

static bool check(const weir_manifest_t *manifest, const weir_texts_t *ids, char **ret_message)
{
    if (!weir_overrides_known(manifest, "--component-id", ids, ret_message) ||
        !check_chaining(manifest, ids, ret_message)) {
        return false;
    }
    for (size_t i = 0; i < ids->count; i++) {
        if (!is_triggered(manifest, ids->items[i])) {
            return weir_arguments_refuse(ret_message,
                "--component-id: component %s has no trigger, so nothing can reach it; add a [[trigger.http]] with "
                "component = \"%s\" to %s",
                ids->items[i], ids->items[i], weir_shown(manifest->path).text);
        }
    }
    return true;
}

bool weir_overrides_keep(weir_manifest_t *manifest, const weir_texts_t *ids, char **ret_message)
{
    *ret_message = NULL;
    if (ids->count == 0) {
        return true;
    }
    if (!check(manifest, ids, ret_message)) {
        return false;
    }
    /* What is not kept goes into a manifest of its own, which frees it. */
    weir_manifest_t dropped = {.components = calloc(manifest->component_count + 1, sizeof(*dropped.components)),
        .triggers = calloc(manifest->trigger_count + 1, sizeof(*dropped.triggers))};
    size_t *places = calloc(manifest->component_count + 1, sizeof(*places));
    if (dropped.components == NULL || dropped.triggers == NULL || places == NULL) {
        free(places);
        weir_manifest_free(&dropped);
        return false;
    }
    size_t count = 0;
    for (size_t i = 0; i < manifest->component_count; i++) {
        weir_component_t *component = &manifest->components[i];
        bool kept = is_among(ids, component->id);
        places[i] = kept ? count : WEIR_NO_COMPONENT;
        *(kept ? &manifest->components[count++] : &dropped.components[dropped.component_count++]) = *component;
    }
    manifest->component_count = count;
    count = 0;
    for (size_t i = 0; i < manifest->trigger_count; i++) {
        weir_http_trigger_t trigger = manifest->triggers[i];
        size_t place = trigger.component == WEIR_NO_COMPONENT ? WEIR_NO_COMPONENT : places[trigger.component];
        trigger.component = place;
        *(place != WEIR_NO_COMPONENT ? &manifest->triggers[count++] : &dropped.triggers[dropped.trigger_count++]) =
            trigger;
    }
    manifest->trigger_count = count;
    free(places);
    weir_manifest_free(&dropped);
    return true;
}

/* ---- The environment --------------------------------------------------------------------------------------------- */

static bool set_variable(weir_component_t *component, const char *text)
{
    size_t size = strcspn(text, "=");
    char *value = weir_text_copy(text + size + 1);
    if (value == NULL) {
        return false;
    }
    for (size_t i = 0; i < component->environment_count; i++) {
        weir_variable_t *variable = &component->environment[i];
        if (strlen(variable->name) == size && strncmp(variable->name, text, size) == 0) {
            free(variable->value);
            variable->value = value;
            return true;
        }
    }
    weir_variable_t *environment =
        realloc(component->environment, (component->environment_count + 1) * sizeof(*environment));
    char *name = strndup(text, size);
    if (environment != NULL) {
        component->environment = environment;
    }
    if (environment == NULL || name == NULL) {
        free(name);
        free(value);
        return false;
    }
    environment[component->environment_count++] = (weir_variable_t){name, value};
    return true;
}

bool weir_overrides_environment(weir_manifest_t *manifest, const weir_texts_t *environment)
{
    for (size_t i = 0; i < manifest->component_count; i++) {
        for (size_t k = 0; k < environment->count; k++) {
            if (!set_variable(&manifest->components[i], environment->items[k])) {
                return false;
            }
        }
    }
    return true;
}
