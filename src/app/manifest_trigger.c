/*
 * manifest_trigger.c: reads [[trigger.http]] and ties each trigger to its component, as Spin's
 * crates/manifest/src/normalize.rs and crates/http/src/config.rs do.
 */
#include "app/manifest_reader.h"
#include "app/words.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define WHERE "[[trigger.http]]"

static const weir_key_rule_t TRIGGER_KEYS[] = {
    {"id", WEIR_SHAPE_STRING, WEIR_KEY_READ, NULL},
    {"route", WEIR_SHAPE_STRING_OR_TABLE, WEIR_KEY_READ, "write route = \"/...\""},
    {"component", WEIR_SHAPE_STRING_OR_TABLE, WEIR_KEY_READ, "write component = \"ID\""},
    {"executor", WEIR_SHAPE_TABLE, WEIR_KEY_READ, "write executor = { type = \"http\" } or { type = \"wagi\" }"},
    {"static_response", WEIR_SHAPE_TABLE, WEIR_KEY_READ, "write static_response = { body = \"...\" }"},
    {"components", WEIR_SHAPE_TABLE, WEIR_KEY_UNSUPPORTED, "only \"component\" is"},
    {"dependencies", WEIR_SHAPE_TABLE, WEIR_KEY_UNSUPPORTED, "these components would not be called"},
};

static const weir_key_rule_t PRIVATE_ROUTE_KEYS[] = {
    {"private", WEIR_SHAPE_BOOLEAN, WEIR_KEY_READ, NULL},
};

static const weir_key_rule_t HTTP_EXECUTOR_KEYS[] = {
    {"type", WEIR_SHAPE_STRING, WEIR_KEY_READ, NULL},
};

static const weir_key_rule_t WAGI_EXECUTOR_KEYS[] = {
    {"type", WEIR_SHAPE_STRING, WEIR_KEY_READ, NULL},
    {"argv", WEIR_SHAPE_STRING, WEIR_KEY_READ, NULL},
    {"entrypoint", WEIR_SHAPE_STRING, WEIR_KEY_READ, NULL},
};

static const weir_key_rule_t SETTINGS_KEYS[] = {
    {"base", WEIR_SHAPE_STRING, WEIR_KEY_READ, NULL},
};

/* Spin's crates/routes/src/lib.rs, Router::build: named by its component. */
static bool fail_not_private(weir_reader_t *reader, const weir_toml_t *table, const weir_toml_t *route)
{
    const weir_toml_t *component = weir_toml_member(table, "component");
    bool is_named = component != NULL && component->type == WEIR_TOML_STRING;
    return weir_reader_fail(reader, route->place,
        "\"route\" in " WHERE "%s%s must be a path or { private = true }, not { private = false }",
        is_named ? " of component " : "", is_named ? weir_quote(component->string).text : "");
}

static bool read_route(weir_reader_t *reader, const weir_toml_t *table, weir_http_trigger_t *trigger)
{
    const weir_toml_t *route = weir_toml_member(table, "route");
    if (route == NULL)
        return weir_reader_fail_missing(reader, table, WHERE, "route", "add route = \"/...\" or another path");
    trigger->route_place = route->place;
    if (route->type == WEIR_TOML_TABLE) {
        if (!weir_reader_check(reader, route, "\"route\" of " WHERE, PRIVATE_ROUTE_KEYS, COUNT(PRIVATE_ROUTE_KEYS)))
            return false;
        const weir_toml_t *is_private = weir_toml_member(route, "private");
        if (is_private == NULL)
            return weir_reader_fail_missing(
                reader, route, "\"route\" of " WHERE, "private", "write { private = true }");
        return is_private->boolean || fail_not_private(reader, table, route);
    }
    trigger->route = weir_text_copy(route->string);
    return trigger->route != NULL;
}

static bool read_executor(weir_reader_t *reader, const weir_toml_t *table, weir_http_trigger_t *trigger)
{
    static const char EXECUTOR_WHERE[] = "\"executor\" of " WHERE;
    trigger->executor = WEIR_EXECUTOR_HTTP;
    const weir_toml_t *executor = weir_toml_member(table, "executor");
    if (executor == NULL)
        return true;
    const weir_toml_t *type = weir_toml_member(executor, "type");
    if (type == NULL)
        return weir_reader_fail_missing(
            reader, executor, EXECUTOR_WHERE, "type", "add type = \"http\" or type = \"wagi\"");
    if (type->type != WEIR_TOML_STRING)
        return weir_reader_fail(reader, type->place, "\"type\" in %s must be a string, not %s", EXECUTOR_WHERE,
            weir_toml_type_name(type->type));
    if (strcmp(type->string, "http") == 0 || strcmp(type->string, "spin") == 0) {
        for (size_t i = 0; i < executor->child_count; i++) {
            const char *key = executor->children[i].key;
            if (strcmp(key, "argv") == 0 || strcmp(key, "entrypoint") == 0)
                return weir_reader_fail(reader, executor->children[i].key_place,
                    "\"%s\" in %s is for type = \"wagi\" only; remove it or change the type", key, EXECUTOR_WHERE);
        }
        return weir_reader_check(reader, executor, EXECUTOR_WHERE, HTTP_EXECUTOR_KEYS, COUNT(HTTP_EXECUTOR_KEYS));
    }
    if (strcmp(type->string, "wagi") != 0)
        return weir_reader_fail(reader, type->place, "unknown executor type %s; the types are \"http\" and \"wagi\"",
            weir_quote(type->string).text);
    if (!weir_reader_check(reader, executor, EXECUTOR_WHERE, WAGI_EXECUTOR_KEYS, COUNT(WAGI_EXECUTOR_KEYS)))
        return false;
    const weir_toml_t *entrypoint = weir_toml_member(executor, "entrypoint");
    if (entrypoint != NULL && strcmp(entrypoint->string, "_start") != 0)
        return weir_reader_fail(reader, entrypoint->place,
            "\"entrypoint\" in %s is deprecated and cannot be %s; remove it: \"_start\" is called", EXECUTOR_WHERE,
            weir_quote(entrypoint->string).text);
    trigger->executor = WEIR_EXECUTOR_WAGI;
    const weir_toml_t *argv = weir_toml_member(executor, "argv");
    trigger->wagi_argv = weir_text_copy(argv != NULL ? argv->string : "${SCRIPT_NAME} ${ARGS}");
    return trigger->wagi_argv != NULL;
}

static const weir_http_trigger_t *find_trigger(const weir_manifest_t *manifest, const char *id)
{
    for (size_t i = 0; i < manifest->trigger_count; i++) {
        if (manifest->triggers[i].id != NULL && strcmp(manifest->triggers[i].id, id) == 0)
            return &manifest->triggers[i];
    }
    return NULL;
}

static size_t find_component(const weir_manifest_t *manifest, const char *id)
{
    size_t index = 0;
    while (index < manifest->component_count && strcmp(manifest->components[index].id, id) != 0)
        index++;
    return index;
}

/* Give a trigger the id that Spin gives it. `*counter` is kept over all triggers. */
static bool name_trigger(weir_reader_t *reader, const weir_toml_t *table, weir_http_trigger_t *trigger, size_t *counter)
{
    const weir_toml_t *component = weir_toml_member(table, "component");
    weir_text_t id = {0};
    if (component != NULL && component->type == WEIR_TOML_STRING) {
        weir_text_format(&id, "%s-http-trigger", component->string);
        if (!id.failed && find_trigger(&reader->manifest, id.bytes) != NULL)
            weir_text_truncate(&id, 0);
    }
    while (!id.failed && id.size == 0) {
        weir_text_format(&id, "http-trigger%zu", *counter);
        if (!id.failed && find_trigger(&reader->manifest, id.bytes) != NULL) {
            weir_text_truncate(&id, 0);
            ++*counter;
        }
    }
    trigger->id = weir_text_take(&id);
    return trigger->id != NULL;
}

static bool fail_no_component(weir_reader_t *reader, const weir_toml_t *reference)
{
    const weir_manifest_t *manifest = &reader->manifest;
    weir_near_t near = weir_near_start(reference->string);
    for (size_t i = 0; i < manifest->component_count; i++)
        weir_near_offer(&near, manifest->components[i].id);
    weir_text_t hint = {0};
    if (near.best != NULL) {
        weir_text_format(&hint, "did you mean \"%s\"?", near.best);
    } else if (manifest->component_count == 0) {
        weir_text_format(&hint, "there are no components; add [component.%s]", weir_shown(reference->string).text);
    } else if (manifest->component_count <= 8) {
        weir_text_format(&hint, "the components are ");
        for (size_t i = 0; i < manifest->component_count; i++)
            weir_text_format(&hint, "%s%s", i > 0 ? ", " : "", weir_quote(manifest->components[i].id).text);
    } else {
        weir_text_format(&hint, "none of the %zu components has this id", manifest->component_count);
    }
    if (!hint.failed)
        weir_reader_fail(
            reader, reference->place, "there is no component %s; %s", weir_quote(reference->string).text, hint.bytes);
    weir_text_free(&hint);
    return false;
}

/* Add the component that is written inline, under the id that Spin gives it. `*counter` is kept over all triggers. */
static bool add_inline_component(
    weir_reader_t *reader, const weir_toml_t *table, weir_http_trigger_t *trigger, size_t *counter)
{
    weir_manifest_t *manifest = &reader->manifest;
    if (manifest->component_count >= WEIR_COMPONENTS_MAX)
        return weir_reader_fail(
            reader, table->place, "the manifest has more than %d components", (int)WEIR_COMPONENTS_MAX);
    weir_text_t id = {0};
    weir_text_format(&id, "%s-component", trigger->id);
    while (!id.failed && (weir_identifier_fault(id.bytes, '-', false).text[0] != '\0' ||
                             find_component(manifest, id.bytes) < manifest->component_count)) {
        weir_text_truncate(&id, 0);
        weir_text_format(&id, "inline-component%zu", (*counter)++);
    }
    trigger->component = manifest->component_count;
    bool added = !id.failed && weir_reader_add_component(reader, table, id.bytes, "\"component\" of " WHERE);
    weir_text_free(&id);
    return added;
}

static bool tie_component(
    weir_reader_t *reader, const weir_toml_t *table, weir_http_trigger_t *trigger, size_t *counter)
{
    const weir_toml_t *component = weir_toml_member(table, "component");
    if (component == NULL)
        return true; /* a static response */
    if (component->type == WEIR_TOML_TABLE)
        return add_inline_component(reader, component, trigger, counter);
    trigger->component = find_component(&reader->manifest, component->string);
    if (trigger->component < reader->manifest.component_count)
        return true;
    return weir_reader_check_component_id(reader, component->place, "component id", component->string) &&
           fail_no_component(reader, component);
}

static bool read_static(weir_reader_t *reader, const weir_toml_t *table, weir_http_trigger_t *trigger)
{
    if (trigger->route == NULL &&
        !weir_reader_warn(reader, trigger->route_place,
            weir_words("nobody reaches a static_response with a private route; give it a path")))
        return false;
    return weir_reader_static_response(reader, table, trigger);
}

static bool read_trigger(weir_reader_t *reader, const weir_toml_t *table)
{
    weir_manifest_t *manifest = &reader->manifest;
    if (!weir_reader_check(reader, table, WHERE, TRIGGER_KEYS, COUNT(TRIGGER_KEYS)))
        return false;
    const weir_toml_t *id = weir_toml_member(table, "id");
    if (id != NULL && id->string[0] != '\0' && find_trigger(manifest, id->string) != NULL &&
        !weir_reader_warn(
            reader, id->place, weir_words("another trigger has the id %s too"), weir_quote(id->string).text))
        return false;
    weir_http_trigger_t *trigger = &manifest->triggers[manifest->trigger_count++];
    if (!weir_reader_copy(table, "id", &trigger->id) || !read_route(reader, table, trigger) ||
        !read_executor(reader, table, trigger))
        return false;
    /* Spin's crates/http/src/config.rs, lookup_key: exactly one of them. */
    const weir_toml_t *component = weir_toml_member(table, "component");
    const weir_toml_t *response = weir_toml_member(table, "static_response");
    if (component == NULL && response == NULL)
        return weir_reader_fail_missing(
            reader, table, WHERE, "component", "add component = \"ID\", or static_response = { body = \"...\" }");
    if (component != NULL && response != NULL)
        return weir_reader_fail(reader, response->key_place,
            "a trigger has a component or a static_response, and this one has both; remove one of them");
    return response == NULL || read_static(reader, table, trigger);
}

/* The type T of a line that is "[trigger.T]", and where it stands in it; 0: the line is something else. */
static size_t find_single_brackets(const char *line, size_t size, const char **ret_type)
{
    static const char *const BEFORE[] = {"[", "trigger", "."};
    static const char SPACES[] = " \t";
    const char *at = line, *end = line + size;
    for (size_t i = 0; i < COUNT(BEFORE); i++) {
        while (at < end && strchr(SPACES, *at) != NULL)
            at++;
        size_t before = strlen(BEFORE[i]);
        if ((size_t)(end - at) < before || memcmp(at, BEFORE[i], before) != 0)
            return 0;
        at += before;
    }
    while (at < end && strchr(SPACES, *at) != NULL)
        at++;
    const char *type = at;
    while (at < end && strchr(SPACES, *at) == NULL && *at != ']' && *at != '.')
        at++;
    size_t type_size = (size_t)(at - type);
    while (at < end && strchr(SPACES, *at) != NULL)
        at++;
    if (at == end || *at != ']')
        return 0;
    *ret_type = type;
    return type_size;
}

static bool fail_single_brackets(weir_reader_t *reader, weir_place_t place, const char *type)
{
    return weir_reader_fail(reader, place,
        "triggers of a type are an array of tables; write [[trigger.%s]] with two brackets", weir_shown(type).text);
}

/* Whether a TOML parser's message is about a key of this name that is there twice. */
static bool is_about_two(const char *message, const char *key)
{
    static const char ABOUT[] = "duplicate key: ";
    const char *found = strstr(message, ABOUT);
    size_t size = strlen(key);
    return found != NULL && strncmp(found + strlen(ABOUT), key, size) == 0 &&
           (found[strlen(ABOUT) + size] == ';' || found[strlen(ABOUT) + size] == '\0');
}

void weir_reader_explain_brackets(weir_reader_t *reader, const char *text, size_t size)
{
    char key[64];
    uint32_t number = 1;
    for (const char *line = text, *end = text + size; line < end && reader->message != NULL; number++) {
        const char *newline = memchr(line, '\n', (size_t)(end - line)), *type = NULL;
        size_t type_size = find_single_brackets(line, (size_t)((newline != NULL ? newline : end) - line), &type);
        if (type_size > 0 && type_size < sizeof key) {
            memcpy(key, type, type_size);
            key[type_size] = '\0';
            if (is_about_two(reader->message, key)) {
                fail_single_brackets(reader, (weir_place_t){number, (uint32_t)(type - line) + 1}, key);
                return;
            }
        }
        line = newline != NULL ? newline + 1 : end;
    }
}

/* Everything under [trigger] must be an array of tables, and weir serves one type. */
static bool check_types(weir_reader_t *reader, const weir_toml_t *types)
{
    for (size_t i = 0; i < types->child_count; i++) {
        const weir_toml_t *type = &types->children[i];
        bool are_tables = type->type == WEIR_TOML_ARRAY;
        for (size_t j = 0; are_tables && j < type->child_count; j++)
            are_tables = type->children[j].type == WEIR_TOML_TABLE;
        if (!are_tables)
            return fail_single_brackets(reader, type->key_place, type->key);
        if (strcmp(type->key, "http") == 0 || type->child_count == 0)
            continue;
        weir_near_t near = weir_near_start(type->key);
        weir_near_offer(&near, "http");
        if (near.best != NULL)
            return weir_reader_fail(
                reader, type->key_place, "unknown trigger type %s; did you mean \"http\"?", weir_quote(type->key).text);
        return weir_reader_fail(reader, type->key_place,
            "trigger type %s is not supported yet; \"http\" is the only one", weir_quote(type->key).text);
    }
    return true;
}

const weir_toml_t *weir_reader_http_triggers(const weir_toml_t *root)
{
    const weir_toml_t *types = weir_toml_member(root, "trigger");
    const weir_toml_t *triggers = types != NULL ? weir_toml_member(types, "http") : NULL;
    return triggers != NULL && triggers->type == WEIR_TOML_ARRAY ? triggers : NULL;
}

bool weir_reader_triggers(weir_reader_t *reader, const weir_toml_t *root)
{
    weir_manifest_t *manifest = &reader->manifest;
    const weir_toml_t *types = weir_toml_member(root, "trigger");
    if (types != NULL && !check_types(reader, types))
        return false;
    const weir_toml_t *triggers = weir_reader_http_triggers(root);
    size_t count = triggers != NULL ? triggers->child_count : 0;
    if (count == 0)
        return weir_reader_fail(reader, types != NULL ? types->key_place : (weir_place_t){0, 0},
            "there is no trigger, so nothing to serve; add " WHERE " with a route and a component");
    if (count > WEIR_TRIGGERS_MAX)
        return weir_reader_fail(reader, triggers->children[WEIR_TRIGGERS_MAX].place,
            "the manifest has %zu triggers; the most is %d", count, (int)WEIR_TRIGGERS_MAX);
    manifest->triggers = calloc(count, sizeof *manifest->triggers);
    if (manifest->triggers == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!read_trigger(reader, &triggers->children[i]))
            return false;
    }
    size_t trigger_counter = 1, inline_counter = 1;
    /* All ids first: an inline component is named after its trigger. */
    for (size_t i = 0; i < count; i++) {
        if (manifest->triggers[i].id == NULL &&
            !name_trigger(reader, &triggers->children[i], &manifest->triggers[i], &trigger_counter))
            return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!tie_component(reader, &triggers->children[i], &manifest->triggers[i], &inline_counter))
            return false;
    }
    return true;
}

bool weir_reader_trigger_settings(weir_reader_t *reader, const weir_toml_t *application)
{
    const weir_toml_t *types = weir_toml_member(application, "trigger");
    const weir_toml_t *http = types != NULL ? weir_toml_member(types, "http") : NULL;
    if (http == NULL)
        return true;
    if (!weir_reader_check(reader, http, "[application.trigger.http]", SETTINGS_KEYS, COUNT(SETTINGS_KEYS)))
        return false;
    const weir_toml_t *base = weir_toml_member(http, "base");
    if (base == NULL)
        return true;
    if (strcmp(base->string, "/") == 0)
        return weir_reader_warn(reader, base->key_place,
            weir_words("\"base\" in [application.trigger.http] is deprecated and changes nothing; remove it"));
    return weir_reader_fail(reader, base->key_place,
        "\"base\" in [application.trigger.http] is deprecated; remove it, and write %s before each route instead",
        weir_quote(base->string).text);
}
