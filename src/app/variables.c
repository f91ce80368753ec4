/*
 * variables.c: where values come from, and templates that they are put into.
 */
#include "app/variables.h"

#include "app/complaint.h"
#include "app/dotenv.h"
#include "app/manifest_reader.h"
#include "app/near.h"
#include "app/read_file.h"
#include "app/template.h"
#include "app/text.h"
#include "app/variables_warn.h"
#include "observe/escape.h"

#include <stdlib.h>
#include <string.h>

#define DOTENV_NAME ".env"

enum { NAMES_SHOWN_MAX = 16 }; /* required variables in one message */

/* Variables that are being resolved. */
typedef struct resolver {
    const weir_manifest_t *manifest;
    const weir_variable_list_t *overrides;
    char *const *environment;
    bool has_read_dotenv;
    weir_variable_list_t dotenv;
    weir_variables_t variables;
    char *message;
} resolver_t;

/* Read .env, unless that has been done. A missing one has no variables. */
static bool read_dotenv(resolver_t *resolver)
{
    if (resolver->has_read_dotenv || resolver->manifest->is_wasm)
        return true;
    resolver->has_read_dotenv = true;
    weir_text_t path = {0};
    weir_text_format(&path, "%s/" DOTENV_NAME, resolver->manifest->directory);
    if (path.failed)
        return false;
    char *text;
    size_t size;
    bool success = false;
    switch (weir_read_file(path.bytes, WEIR_VARIABLE_FILE_BYTES_MAX, &text, &size, &resolver->message)) {
    case WEIR_READ_OK:
        success = weir_dotenv_parse(path.bytes, text, resolver->environment, &resolver->dotenv, &resolver->message);
        explicit_bzero(text, size);
        free(text);
        break;
    case WEIR_READ_MISSING:
        success = true;
        break;
    case WEIR_READ_FAILED:
        break;
    }
    weir_text_free(&path);
    return success;
}

/* Find the value of a variable, NULL when nothing gives it one. False when looking for it failed. */
static bool find_value(resolver_t *resolver, const weir_application_variable_t *variable, const char **ret_value)
{
    *ret_value = weir_variable_list_find(resolver->overrides, variable->name, strlen(variable->name));
    if (*ret_value != NULL)
        return true;
    char *name = weir_variable_environment_name(variable->name);
    if (name == NULL)
        return false;
    bool success = true;
    *ret_value = weir_environment_find(resolver->environment, name, strlen(name));
    if (*ret_value != NULL && !weir_utf8_is_valid(*ret_value, strlen(*ret_value)))
        success = weir_complain(&resolver->message, NULL, variable->place, "%s in the environment is not UTF-8", name);
    if (success && *ret_value == NULL) {
        success = read_dotenv(resolver);
        *ret_value = success ? weir_variable_list_find(&resolver->dotenv, name, strlen(name)) : NULL;
    }
    free(name);
    if (success && *ret_value == NULL)
        *ret_value = variable->default_value;
    return success;
}

/* Say which required variables have no value, all in one message. Always false. */
static bool fail_missing(resolver_t *resolver, size_t first, size_t count)
{
    const weir_manifest_t *manifest = resolver->manifest;
    const weir_application_variable_t *variable = &manifest->variables[first];
    char *name = weir_variable_environment_name(variable->name);
    weir_text_t names = {0};
    size_t shown = 0;
    for (size_t i = first; i < manifest->variable_count; i++) {
        if (resolver->variables.values[i] != NULL || shown == NAMES_SHOWN_MAX)
            continue;
        shown++;
        weir_text_format(&names, "%s%s", shown > 1 ? ", " : "", weir_quote(manifest->variables[i].name).text);
    }
    if (shown < count)
        weir_text_format(&names, " and %zu more", count - shown);
    char *meant = weir_variables_find_meant(
        manifest, variable->name, resolver->overrides, resolver->environment, &resolver->dotenv);
    if (name != NULL && !names.failed)
        weir_complain(&resolver->message, manifest->path, variable->place,
            "the required variable%s %s %s no value%s%s%s; give %s with --variable %s=VALUE, or as %s in the "
            "environment "
            "or in a file .env beside the manifest",
            count == 1 ? "" : "s", names.bytes, count == 1 ? "has" : "have", meant == NULL ? "" : " (was it meant by ",
            meant == NULL ? "" : meant, meant == NULL ? "" : "?)", count == 1 ? "it one" : "each one", variable->name,
            name);
    free(meant);
    weir_text_free(&names);
    free(name);
    return false;
}

static bool resolve_application(resolver_t *resolver)
{
    const weir_manifest_t *manifest = resolver->manifest;
    if (manifest->variable_count == 0)
        return true;
    resolver->variables.values = calloc(manifest->variable_count, sizeof *resolver->variables.values);
    if (resolver->variables.values == NULL)
        return false;
    size_t missing = 0, first = 0;
    for (size_t i = manifest->variable_count; i-- > 0;) {
        const char *value = NULL;
        if (!find_value(resolver, &manifest->variables[i], &value))
            return false;
        if (value == NULL) {
            missing++;
            first = i;
        } else {
            resolver->variables.values[i] = weir_text_copy(value);
            if (resolver->variables.values[i] == NULL)
                return false;
        }
    }
    return missing == 0 || fail_missing(resolver, first, missing);
}

static const char *find_variable(const weir_variables_t *variables, const char *name, size_t size)
{
    const weir_manifest_t *manifest = variables->manifest;
    for (size_t i = 0; i < manifest->variable_count; i++) {
        const char *known = manifest->variables[i].name;
        if (strlen(known) == size && memcmp(known, name, size) == 0)
            return variables->values[i];
    }
    return NULL;
}

/* Say that a template names no variable of the application. Nothing else of it is shown: what stands beside names may
 * be a secret. Always false. */
static bool fail_unknown(const weir_variables_t *variables, const weir_placed_text_t *template, const char *what,
    const char *bytes, size_t size, char **ret_message)
{
    const weir_manifest_t *manifest = variables->manifest;
    weir_text_t name = {0};
    weir_text_add(&name, bytes, size);
    if (name.failed)
        return false;
    if (strspn(name.bytes, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != size || size == 0) {
        weir_text_free(&name);
        return weir_complain(ret_message, manifest->path, template->place,
            "%s has {{ and }} around what is no name of a variable; write {{ NAME }}", what);
    }
    weir_near_t near = weir_near_start(name.bytes);
    for (size_t i = 0; i < manifest->variable_count; i++)
        weir_near_offer(&near, manifest->variables[i].name);
    weir_quote_t fault = weir_identifier_fault(name.bytes, '_', true);
    if (near.best != NULL)
        weir_complain(ret_message, manifest->path, template->place,
            "%s names the variable %s, which is not in [variables]; did you mean %s?", what,
            weir_quote(name.bytes).text, weir_quote(near.best).text);
    else if (fault.text[0] != '\0')
        weir_complain(ret_message, manifest->path, template->place,
            "%s names the variable %s, which is not in [variables], and none can be called so: %s", what,
            weir_quote(name.bytes).text, fault.text);
    else
        weir_complain(ret_message, manifest->path, template->place,
            "%s names the variable %s, which is not in [variables]; add it there", what, weir_quote(name.bytes).text);
    weir_text_free(&name);
    return false;
}

bool weir_variables_expand(const weir_variables_t *variables, const weir_placed_text_t *text, const char *what,
    char **ret_text, char **ret_message)
{
    const char *path = variables->manifest->path;
    weir_text_t expanded = {0};
    weir_template_part_t part;
    const char *bytes;
    size_t size, at = 0;
    bool success = true;
    *ret_message = NULL;
    while (success && (part = weir_template_next(text->text, &at, &bytes, &size)) != WEIR_TEMPLATE_END) {
        if (part == WEIR_TEMPLATE_UNMATCHED) {
            success = weir_complain(ret_message, path, text->place, "%s has {{ without }}; write {{ NAME }}", what);
            continue;
        }
        if (part == WEIR_TEMPLATE_NAME) {
            const char *value = find_variable(variables, bytes, size);
            success = value != NULL || fail_unknown(variables, text, what, bytes, size, ret_message);
            size = value == NULL ? 0 : strlen(value);
            bytes = value;
        }
        if (success && size > WEIR_VARIABLES_BYTES_MAX - variables->bytes - expanded.size)
            success = weir_complain(ret_message, path, text->place,
                "%s is too much: with their values, all variables may have %zu MiB", what,
                WEIR_VARIABLES_BYTES_MAX >> 20);
        if (success)
            weir_text_add(&expanded, bytes, size);
        success = success && !expanded.failed;
    }
    char *taken = success ? weir_text_take(&expanded) : NULL;
    weir_text_free(&expanded);
    if (taken == NULL)
        return false;
    *ret_text = taken;
    return true;
}

static bool resolve_component(resolver_t *resolver, size_t index)
{
    weir_variables_t *variables = &resolver->variables;
    const weir_component_t *component = &resolver->manifest->components[index];
    weir_component_variables_t *resolved = &variables->components[index];
    if (component->variable_count == 0)
        return true;
    resolved->variables = calloc(component->variable_count, sizeof *resolved->variables);
    if (resolved->variables == NULL)
        return false;
    bool success = true;
    for (size_t i = 0; success && i < component->variable_count; i++) {
        const weir_template_variable_t *template = &component->variables[i];
        weir_variable_t *variable = &resolved->variables[resolved->count++];
        weir_text_t what = {0};
        weir_text_format(&what, "%s of \"variables\" in [component.%s]", weir_quote(template->name).text,
            weir_shown(component->id).text);
        variable->name = weir_text_copy(template->name);
        success = !what.failed && variable->name != NULL &&
                  weir_variables_expand(variables, &template->value, what.bytes, &variable->value, &resolver->message);
        weir_text_free(&what);
        if (success)
            variables->bytes += strlen(variable->value);
    }
    return success;
}

static bool resolve(resolver_t *resolver)
{
    size_t count = resolver->manifest->component_count;
    if (!resolve_application(resolver))
        return false;
    if (count == 0)
        return true;
    resolver->variables.components = calloc(count, sizeof *resolver->variables.components);
    if (resolver->variables.components == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!resolve_component(resolver, i))
            return false;
    return true;
}

bool weir_variables_resolve(const weir_manifest_t *manifest, const weir_variable_list_t *overrides,
    char *const *environment, weir_variables_t *ret_variables, char **ret_message)
{
    resolver_t resolver = {
        .manifest = manifest, .overrides = overrides, .environment = environment, .variables = {.manifest = manifest}};
    bool success = resolve(&resolver);
    if (success)
        weir_variables_warn(&resolver.variables, overrides, environment, &resolver.dotenv);
    weir_variable_list_free(&resolver.dotenv);
    if (success) {
        *ret_variables = resolver.variables;
        return true;
    }
    weir_variables_free(&resolver.variables);
    *ret_message = resolver.message;
    return false;
}

static void forget(char *value)
{
    if (value != NULL)
        explicit_bzero(value, strlen(value));
    free(value);
}

void weir_variables_free(weir_variables_t *variables)
{
    const weir_manifest_t *manifest = variables->manifest;
    for (size_t i = 0; variables->values != NULL && i < manifest->variable_count; i++)
        forget(variables->values[i]);
    for (size_t i = 0; variables->components != NULL && i < manifest->component_count; i++) {
        weir_component_variables_t *component = &variables->components[i];
        for (size_t j = 0; j < component->count; j++) {
            free(component->variables[j].name);
            forget(component->variables[j].value);
        }
        free(component->variables);
    }
    for (size_t i = 0; i < variables->warning_count; i++)
        free(variables->warnings[i]);
    free(variables->warnings);
    free(variables->values);
    free(variables->components);
    *variables = (weir_variables_t){0};
}

/* Whether a secret variable is in a template. */
static bool has_secret(const weir_manifest_t *manifest, const char *template)
{
    const char *bytes;
    size_t size, at = 0;
    weir_template_part_t part;
    while ((part = weir_template_next(template, &at, &bytes, &size)) != WEIR_TEMPLATE_END) {
        for (size_t i = 0; part == WEIR_TEMPLATE_NAME && i < manifest->variable_count; i++) {
            const weir_application_variable_t *variable = &manifest->variables[i];
            if (variable->secret && strlen(variable->name) == size && memcmp(variable->name, bytes, size) == 0)
                return true;
        }
    }
    return false;
}

bool weir_variables_outbound_hosts(
    const weir_variables_t *variables, size_t component, weir_outbound_hosts_t *ret_hosts, char **ret_message)
{
    const weir_component_t *asking = &variables->manifest->components[component];
    size_t count = asking->allowed_outbound_hosts_count, expanded = 0;
    weir_outbound_text_t *texts = calloc(count > 0 ? count : 1, sizeof *texts);
    char **values = calloc(count > 0 ? count : 1, sizeof *values);
    *ret_message = NULL;
    bool success = texts != NULL && values != NULL;
    for (; success && expanded < count && expanded <= WEIR_OUTBOUND_HOSTS_MAX; expanded++) {
        const weir_placed_text_t *entry = &asking->allowed_outbound_hosts[expanded];
        success = weir_variables_expand(
            variables, entry, "an entry of allowed_outbound_hosts", &values[expanded], ret_message);
        texts[expanded] = (weir_outbound_text_t){
            entry->text, values[expanded], entry->place, has_secret(variables->manifest, entry->text)};
    }
    success = success && weir_outbound_hosts_parse(variables->manifest, texts, count, ret_hosts, ret_message);
    for (size_t i = 0; values != NULL && i < expanded; i++)
        forget(values[i]);
    free(texts);
    free(values);
    return success;
}
