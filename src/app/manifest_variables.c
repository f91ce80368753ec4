/*
 * manifest_variables.c: reads the variables of the application and of its components. Their values may be secret: no
 * message shows one.
 */
#include "app/manifest_reader.h"

#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Spin's crates/manifest/src/schema/common.rs, Variable. */
static const weir_key_rule_t VARIABLE_KEYS[] = {
    {"description", WEIR_SHAPE_STRING, WEIR_KEY_IGNORED, NULL},
    {"required", WEIR_SHAPE_BOOLEAN, WEIR_KEY_READ, NULL},
    {"default", WEIR_SHAPE_SECRET, WEIR_KEY_READ, "put its value in quotes"},
    {"secret", WEIR_SHAPE_BOOLEAN, WEIR_KEY_READ, NULL},
};

static bool is_true(const weir_toml_t *table, const char *key)
{
    const weir_toml_t *member = weir_toml_member(table, key);
    return member != NULL && member->boolean;
}

static bool read_variable(weir_reader_t *reader, const weir_toml_t *table, weir_application_variable_t *variable)
{
    weir_text_t where = {0};
    weir_text_format(&where, "[variables.%s]", weir_shown(table->key).text);
    bool known = !where.failed && weir_reader_check(reader, table, where.bytes, VARIABLE_KEYS, COUNT(VARIABLE_KEYS));
    weir_text_free(&where);
    if (!known)
        return false;
    const weir_toml_t *value = weir_toml_member(table, "default");
    bool required = is_true(table, "required");
    /* Spin's crates/loader/src/local.rs, locked_variable */
    if (required && value != NULL)
        return weir_reader_fail(reader, value->key_place,
            "variable %s is required and has a default, too; remove one of them", weir_quote(table->key).text);
    if (!required && value == NULL)
        return weir_reader_fail(reader, table->key_place,
            "variable %s has no value; add default = \"...\" or required = true", weir_quote(table->key).text);
    variable->name = weir_text_copy(table->key);
    variable->default_value = value != NULL ? weir_text_copy(value->string) : NULL;
    variable->secret = is_true(table, "secret");
    variable->place = table->key_place;
    return variable->name != NULL && (value == NULL || variable->default_value != NULL);
}

bool weir_reader_variables(weir_reader_t *reader, const weir_toml_t *root)
{
    static const char WHERE[] = "[variables]";
    weir_manifest_t *manifest = &reader->manifest;
    const weir_toml_t *variables = weir_toml_member(root, "variables");
    if (variables == NULL || variables->child_count == 0)
        return true;
    if (!weir_reader_check_count(reader, variables, "the top-level table", "variables", WEIR_VARIABLES_MAX))
        return false;
    manifest->variables = calloc(variables->child_count, sizeof *manifest->variables);
    if (manifest->variables == NULL)
        return false;
    for (size_t i = 0; i < variables->child_count; i++) {
        const weir_toml_t *table = &variables->children[i];
        if (!weir_reader_check_variable_name(reader, table, WHERE))
            return false;
        if (table->type != WEIR_TOML_TABLE)
            return weir_reader_fail(reader, table->place,
                "variable %s must be a table, not %s; write %s = { default = \"...\" }", weir_quote(table->key).text,
                weir_toml_type_name(table->type), weir_shown(table->key).text);
        if (!read_variable(reader, table, &manifest->variables[manifest->variable_count++]))
            return false;
    }
    return true;
}

bool weir_reader_component_variables(
    weir_reader_t *reader, const weir_toml_t *table, const char *where, weir_component_t *component)
{
    const weir_toml_t *variables = weir_toml_member(table, "variables");
    if (variables == NULL || variables->child_count == 0)
        return true;
    if (!weir_reader_check_count(reader, variables, where, "variables", WEIR_VARIABLES_MAX))
        return false;
    component->variables = calloc(variables->child_count, sizeof *component->variables);
    if (component->variables == NULL)
        return false;
    for (size_t i = 0; i < variables->child_count; i++) {
        const weir_toml_t *member = &variables->children[i];
        if (!weir_reader_check_variable_name(reader, member, where))
            return false;
        weir_template_variable_t *variable = &component->variables[component->variable_count++];
        variable->name = weir_text_copy(member->key);
        variable->value = (weir_placed_text_t){weir_text_copy(member->string), member->place};
        if (variable->name == NULL || variable->value.text == NULL)
            return false;
    }
    return true;
}
