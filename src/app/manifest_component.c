/*
 * manifest_component.c: reads [component.ID] tables, and those written inline in a trigger.
 */
#include "app/manifest_reader.h"
#include "app/words.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Spin's crates/manifest/src/schema/v2.rs, Component. */
static const weir_key_rule_t COMPONENT_KEYS[] = {
    {"source", WEIR_SHAPE_STRING_OR_TABLE, WEIR_KEY_READ, "write source = \"FILE.wasm\""},
    {"description", WEIR_SHAPE_STRING, WEIR_KEY_READ, NULL},
    {"environment", WEIR_SHAPE_TABLE, WEIR_KEY_READ, "write environment = { NAME = \"value\" }"},
    {"variables", WEIR_SHAPE_TABLE_OF_STRINGS, WEIR_KEY_READ, "write variables = { name = \"{{ name }}\" }"},
    {"files", WEIR_SHAPE_STRINGS_OR_TABLES, WEIR_KEY_READ, "write files = [\"PATTERN\"]"},
    {"exclude_files", WEIR_SHAPE_STRINGS, WEIR_KEY_READ, "write exclude_files = [\"PATTERN\"]"},
    {"allowed_outbound_hosts", WEIR_SHAPE_STRINGS, WEIR_KEY_READ, "write allowed_outbound_hosts = [\"https://HOST\"]"},
    {"allowed_http_hosts", WEIR_SHAPE_STRINGS, WEIR_KEY_READ, "write allowed_outbound_hosts = [\"https://HOST\"]"},
    {"key_value_stores", WEIR_SHAPE_STRINGS, WEIR_KEY_READ, "write key_value_stores = [\"default\"]"},
    {"sqlite_databases", WEIR_SHAPE_STRINGS, WEIR_KEY_WARNED, WEIR_WORDS("SQLite databases are not provided yet")},
    {"ai_models", WEIR_SHAPE_STRINGS, WEIR_KEY_WARNED, WEIR_WORDS("AI models are not provided")},
    {"targets", WEIR_SHAPE_STRINGS_OR_TABLES, WEIR_KEY_IGNORED, NULL},
    {"build", WEIR_SHAPE_TABLE, WEIR_KEY_READ, "write build = { command = \"...\" }"},
    {"tool", WEIR_SHAPE_TABLE_OF_TABLES, WEIR_KEY_IGNORED, NULL},
    {"dependencies_inherit_configuration", WEIR_SHAPE_BOOLEAN, WEIR_KEY_IGNORED, NULL},
    {"dependencies", WEIR_SHAPE_TABLE, WEIR_KEY_UNSUPPORTED, "its imports would not be satisfied"},
    {"profile", WEIR_SHAPE_TABLE_OF_TABLES, WEIR_KEY_READ, NULL},
};

static bool read_environment(
    weir_reader_t *reader, const weir_toml_t *table, const char *where, weir_component_t *component)
{
    const weir_toml_t *environment = weir_toml_member(table, "environment");
    if (environment == NULL || environment->child_count == 0)
        return true;
    if (environment->child_count > WEIR_ENVIRONMENT_MAX)
        return weir_reader_fail(reader, environment->place, "\"environment\" in %s has %zu variables; the most is %d",
            where, environment->child_count, (int)WEIR_ENVIRONMENT_MAX);
    component->environment = calloc(environment->child_count, sizeof *component->environment);
    if (component->environment == NULL)
        return false;
    for (size_t i = 0; i < environment->child_count; i++) {
        const weir_toml_t *member = &environment->children[i];
        if (member->key[0] == '\0' || strchr(member->key, '=') != NULL)
            return weir_reader_fail(reader, member->key_place,
                "environment variable %s in %s: a name is not empty and has no \"=\"", weir_quote(member->key).text,
                where);
        if (member->type != WEIR_TOML_STRING)
            return weir_reader_fail(reader, member->place,
                "environment variable %s in %s must be a string, not %s; put its value in quotes",
                weir_quote(member->key).text, where, weir_toml_type_name(member->type));
        weir_variable_t *variable = &component->environment[component->environment_count++];
        variable->name = weir_text_copy(member->key);
        variable->value = weir_text_copy(member->string);
        if (variable->name == NULL || variable->value == NULL)
            return false;
    }
    return true;
}

/* Store labels are kebab-case or snake_case. */
static bool check_labels(weir_reader_t *reader, const weir_toml_t *table, const char *where, const char *key)
{
    const weir_toml_t *labels = weir_toml_member(table, key);
    for (size_t i = 0; labels != NULL && i < labels->child_count; i++) {
        const weir_toml_t *label = &labels->children[i];
        if (weir_identifier_fault(label->string, '-', false).text[0] != '\0' &&
            weir_identifier_fault(label->string, '_', false).text[0] != '\0')
            return weir_reader_fail(reader, label->place,
                "label %s of \"%s\" in %s is neither kebab-case nor snake_case", weir_quote(label->string).text, key,
                where);
    }
    return true;
}

static bool read_key_value_stores(
    weir_reader_t *reader, const weir_toml_t *table, const char *where, weir_component_t *component)
{
    const weir_toml_t *labels = weir_toml_member(table, "key_value_stores");
    if (labels == NULL || labels->child_count == 0)
        return true;
    if (!weir_reader_check_count(reader, labels, where, "key_value_stores", WEIR_TEXTS_MAX))
        return false;
    component->key_value_stores = calloc(labels->child_count, sizeof *component->key_value_stores);
    for (size_t i = 0; component->key_value_stores != NULL && i < labels->child_count; i++) {
        char *label = weir_text_copy(labels->children[i].string);
        if (label == NULL)
            return false;
        component->key_value_stores[component->key_value_store_count++] =
            (weir_placed_text_t){label, labels->children[i].place};
    }
    return component->key_value_stores != NULL;
}

bool weir_reader_add_component(weir_reader_t *reader, const weir_toml_t *table, const char *id, const char *where)
{
    weir_manifest_t *manifest = &reader->manifest;
    if (!weir_reader_check(reader, table, where, COMPONENT_KEYS, COUNT(COMPONENT_KEYS)) ||
        !check_labels(reader, table, where, "key_value_stores") ||
        !check_labels(reader, table, where, "sqlite_databases"))
        return false;
    /* Counted first, so that what it owns is freed with the manifest whatever comes. */
    weir_component_t *component = &manifest->components[manifest->component_count++];
    component->id = weir_text_copy(id);
    component->place = table->key_place.line > 0 ? table->key_place : table->place;
    return component->id != NULL && weir_reader_copy(table, "description", &component->description) &&
           weir_reader_source(reader, table, where, component) && read_environment(reader, table, where, component) &&
           weir_reader_component_variables(reader, table, where, component) &&
           weir_reader_files(reader, table, where, component) && weir_reader_hosts(reader, table, where, component) &&
           read_key_value_stores(reader, table, where, component) &&
           weir_reader_build(reader, table, where, component) &&
           weir_reader_limits(reader, table, where, true, &component->limits);
}

bool weir_reader_components(weir_reader_t *reader, const weir_toml_t *root, size_t more)
{
    const weir_toml_t *components = weir_toml_member(root, "component");
    size_t count = components != NULL ? components->child_count : 0;
    if (count > WEIR_COMPONENTS_MAX)
        return weir_reader_fail(reader, components->children[WEIR_COMPONENTS_MAX].key_place,
            "the manifest has %zu components; the most is %d", count, (int)WEIR_COMPONENTS_MAX);
    if (count + more == 0)
        return true;
    reader->manifest.components = calloc(count + more, sizeof *reader->manifest.components);
    if (reader->manifest.components == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        const weir_toml_t *table = &components->children[i];
        if (!weir_reader_check_component_id(reader, table->key_place, "component id", table->key))
            return false;
        weir_text_t where = {0};
        weir_text_format(&where, "[component.%s]", weir_shown(table->key).text);
        bool read = !where.failed && weir_reader_add_component(reader, table, table->key, where.bytes);
        weir_text_free(&where);
        if (!read)
            return false;
    }
    return true;
}
