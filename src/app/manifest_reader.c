/*
 * manifest_reader.c: checks tables against the keys that Spin knows, and words what is wrong with them.
 */
#include "app/manifest_reader.h"

#include "app/complaint.h"
#include "app/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool weir_reader_fail(weir_reader_t *reader, weir_place_t place, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *message;
    weir_complain_list(&message, reader->path, place, format, arguments);
    va_end(arguments);
    free(reader->message);
    reader->message = message;
    return false;
}

bool weir_reader_warn(weir_reader_t *reader, weir_place_t place, const char *format, ...)
{
    weir_manifest_t *manifest = &reader->manifest;
    size_t count = manifest->warning_count;
    /* Grown at each power of two, so that no capacity needs to be kept. */
    if ((count & (count - 1)) == 0) {
        char **warnings = realloc(manifest->warnings, (count == 0 ? 1 : count * 2) * sizeof *warnings);
        if (warnings == NULL)
            return false;
        manifest->warnings = warnings;
    }
    va_list arguments;
    va_start(arguments, format);
    char *message;
    weir_complain_list(&message, reader->path, place, format, arguments);
    va_end(arguments);
    if (message == NULL)
        return false;
    manifest->warnings[manifest->warning_count++] = message;
    return true;
}

static bool is_array_of(const weir_toml_t *value, bool strings, bool tables)
{
    if (value->type != WEIR_TOML_ARRAY)
        return false;
    for (size_t i = 0; i < value->child_count; i++) {
        weir_toml_type_t type = value->children[i].type;
        if (!(strings && type == WEIR_TOML_STRING) && !(tables && type == WEIR_TOML_TABLE))
            return false;
    }
    return true;
}

static bool is_table_of(const weir_toml_t *value, weir_toml_type_t type)
{
    if (value->type != WEIR_TOML_TABLE)
        return false;
    for (size_t i = 0; i < value->child_count; i++) {
        if (value->children[i].type != type)
            return false;
    }
    return true;
}

static bool has_shape(const weir_toml_t *value, weir_shape_t shape)
{
    switch (shape) {
    case WEIR_SHAPE_STRING:
    case WEIR_SHAPE_SECRET:
        return value->type == WEIR_TOML_STRING;
    case WEIR_SHAPE_INTEGER:
        return value->type == WEIR_TOML_INTEGER;
    case WEIR_SHAPE_BOOLEAN:
        return value->type == WEIR_TOML_BOOLEAN;
    case WEIR_SHAPE_TABLE:
        return value->type == WEIR_TOML_TABLE;
    case WEIR_SHAPE_TABLE_OF_TABLES:
        return is_table_of(value, WEIR_TOML_TABLE);
    case WEIR_SHAPE_TABLE_OF_STRINGS:
        return is_table_of(value, WEIR_TOML_STRING);
    case WEIR_SHAPE_STRINGS:
        return is_array_of(value, true, false);
    case WEIR_SHAPE_STRINGS_OR_TABLES:
        return is_array_of(value, true, true);
    case WEIR_SHAPE_STRING_OR_STRINGS:
        return value->type == WEIR_TOML_STRING || is_array_of(value, true, false);
    case WEIR_SHAPE_STRING_OR_TABLE:
        return value->type == WEIR_TOML_STRING || value->type == WEIR_TOML_TABLE;
    case WEIR_SHAPE_ANY:
        return true;
    }
    return false;
}

static const char *shape_name(weir_shape_t shape)
{
    switch (shape) {
    case WEIR_SHAPE_STRING:
    case WEIR_SHAPE_SECRET:
        return "a string";
    case WEIR_SHAPE_INTEGER:
        return "an integer";
    case WEIR_SHAPE_BOOLEAN:
        return "true or false";
    case WEIR_SHAPE_TABLE:
        return "a table";
    case WEIR_SHAPE_TABLE_OF_TABLES:
        return "a table of tables";
    case WEIR_SHAPE_TABLE_OF_STRINGS:
        return "a table of strings";
    case WEIR_SHAPE_STRINGS:
        return "an array of strings";
    case WEIR_SHAPE_STRINGS_OR_TABLES:
        return "an array of strings and tables";
    case WEIR_SHAPE_STRING_OR_STRINGS:
        return "a string or an array of strings";
    case WEIR_SHAPE_STRING_OR_TABLE:
        return "a string or a table";
    case WEIR_SHAPE_ANY:
        break;
    }
    return "something else";
}

/* The first child that keeps `value` from having its shape, or `value` itself. */
static const weir_toml_t *wrong_part(const weir_toml_t *value, weir_shape_t shape)
{
    bool children_count =
        value->type == WEIR_TOML_TABLE
            ? shape == WEIR_SHAPE_TABLE_OF_TABLES || shape == WEIR_SHAPE_TABLE_OF_STRINGS
            : value->type == WEIR_TOML_ARRAY && (shape == WEIR_SHAPE_STRINGS || shape == WEIR_SHAPE_STRINGS_OR_TABLES ||
                                                    shape == WEIR_SHAPE_STRING_OR_STRINGS);
    for (size_t i = 0; children_count && i < value->child_count; i++) {
        weir_toml_type_t type = value->children[i].type;
        bool fits = shape == WEIR_SHAPE_TABLE_OF_TABLES     ? type == WEIR_TOML_TABLE
                    : shape == WEIR_SHAPE_STRINGS_OR_TABLES ? type == WEIR_TOML_STRING || type == WEIR_TOML_TABLE
                                                            : type == WEIR_TOML_STRING;
        if (!fits)
            return &value->children[i];
    }
    return value;
}

/* A value for people, if it is not what it should be: "the integer 7". */
typedef struct words {
    char text[160];
} words_t;

static words_t describe(const weir_toml_t *value)
{
    words_t words;
    switch (value->type) {
    case WEIR_TOML_STRING:
        snprintf(words.text, sizeof words.text, "the string %s", weir_quote(value->string).text);
        break;
    case WEIR_TOML_INTEGER:
        snprintf(words.text, sizeof words.text, "the integer %lld", (long long)value->integer);
        break;
    case WEIR_TOML_BOOLEAN:
        snprintf(words.text, sizeof words.text, "%s", value->boolean ? "true" : "false");
        break;
    default:
        snprintf(words.text, sizeof words.text, "%s", weir_toml_type_name(value->type));
        break;
    }
    return words;
}

static bool fail_shape(weir_reader_t *reader, const weir_toml_t *value, const char *where, const weir_key_rule_t *rule)
{
    const weir_toml_t *part = wrong_part(value, rule->shape);
    const char *type = weir_toml_type_name(part->type);
    if (part != value && part->key != NULL)
        return weir_reader_fail(reader, part->place, "%s of \"%s\" in %s must be %s, not %s",
            weir_quote(part->key).text, rule->name, where,
            rule->shape == WEIR_SHAPE_TABLE_OF_TABLES ? "a table" : "a string", type);
    if (part != value)
        return weir_reader_fail(reader, part->place, "\"%s\" in %s must be %s, but this element is %s", rule->name,
            where, shape_name(rule->shape), describe(part).text);
    const char *remedy = rule->use == WEIR_KEY_READ ? rule->text : NULL;
    return weir_reader_fail(reader, part->place, "\"%s\" in %s must be %s, not %s%s%s", rule->name, where,
        shape_name(rule->shape), rule->shape == WEIR_SHAPE_SECRET ? type : describe(part).text,
        remedy != NULL ? "; " : "", remedy != NULL ? remedy : "");
}

/* Keys that are often written into the wrong table, and where they belong. */
static const struct {
    const char *name;
    const char *home;
} HOMES[] = {
    {"name", "[application]"},
    {"version", "[application]"},
    {"authors", "[application]"},
    {"description", "[application] or [component.ID]"},
    {"source", "[component.ID]"},
    {"environment", "[component.ID]"},
    {"files", "[component.ID]"},
    {"exclude_files", "[component.ID]"},
    {"allowed_outbound_hosts", "[component.ID]"},
    {"allowed_http_hosts", "[component.ID]"},
    {"key_value_stores", "[component.ID]"},
    {"sqlite_databases", "[component.ID]"},
    {"ai_models", "[component.ID]"},
    {"build", "[component.ID]"},
    {"command", "[component.ID.build]"},
    {"workdir", "[component.ID.build]"},
    {"watch", "[component.ID.build]"},
    {"route", "[[trigger.http]]"},
    {"executor", "[[trigger.http]]"},
    {"component", "[[trigger.http]], or at the top level"},
    {"variables", "[component.ID], or at the top level"},
    {"base", "the routes: put it before each of them"},
    {"static_response", "[[trigger.http]]"},
    {"default", "[variables.NAME]"},
    {"required", "[variables.NAME]"},
    {"secret", "[variables.NAME]"},
};

static bool fail_unknown(weir_reader_t *reader, const weir_toml_t *member, const char *where,
    const weir_key_rule_t *rules, size_t rule_count)
{
    weir_near_t near = weir_near_start(member->key);
    for (size_t i = 0; i < rule_count; i++)
        weir_near_offer(&near, rules[i].name);
    for (size_t i = 0; i < sizeof HOMES / sizeof HOMES[0]; i++) {
        if (strcmp(HOMES[i].name, member->key) == 0)
            return weir_reader_fail(reader, member->key_place, "unknown key \"%s\" in %s; it belongs in %s",
                member->key, where, HOMES[i].home);
    }
    if (near.best != NULL)
        return weir_reader_fail(reader, member->key_place, "unknown key %s in %s; did you mean \"%s\"?",
            weir_quote(member->key).text, where, near.best);
    return weir_reader_fail(
        reader, member->key_place, "unknown key %s in %s; remove it", weir_quote(member->key).text, where);
}

static bool is_empty(const weir_toml_t *value)
{
    switch (value->type) {
    case WEIR_TOML_STRING:
        return value->string[0] == '\0';
    case WEIR_TOML_ARRAY:
    case WEIR_TOML_TABLE:
        return value->child_count == 0;
    default:
        return false;
    }
}

bool weir_reader_check_member(
    weir_reader_t *reader, const weir_toml_t *member, const char *where, const weir_key_rule_t *rule)
{
    if (!has_shape(member, rule->shape))
        return fail_shape(reader, member, where, rule);
    switch (rule->use) {
    case WEIR_KEY_READ:
    case WEIR_KEY_IGNORED:
        return true;
    case WEIR_KEY_WARNED:
        if (is_empty(member))
            return true;
        return weir_reader_warn(
            reader, member->key_place, weir_words("\"%s\" in %s: %s"), rule->name, where, weir_words(rule->text));
    case WEIR_KEY_UNSUPPORTED:
        if (is_empty(member))
            return true;
        break;
    case WEIR_KEY_REFUSED:
        break;
    }
    return weir_reader_fail(
        reader, member->key_place, "\"%s\" in %s is not supported yet: %s", rule->name, where, rule->text);
}

bool weir_reader_check(
    weir_reader_t *reader, const weir_toml_t *table, const char *where, const weir_key_rule_t *rules, size_t rule_count)
{
    for (size_t i = 0; i < table->child_count; i++) {
        const weir_toml_t *member = &table->children[i];
        const weir_key_rule_t *rule = NULL;
        for (size_t j = 0; j < rule_count && rule == NULL; j++) {
            if (strcmp(rules[j].name, member->key) == 0)
                rule = &rules[j];
        }
        if (rule == NULL)
            return fail_unknown(reader, member, where, rules, rule_count);
        if (!weir_reader_check_member(reader, member, where, rule))
            return false;
    }
    return true;
}

bool weir_reader_check_inner(weir_reader_t *reader, const weir_toml_t *table, const char *where, const char *key,
    const weir_key_rule_t *rules, size_t rule_count)
{
    weir_text_t inner = {0};
    weir_text_format(&inner, "%s of %s", weir_quote(key).text, where);
    bool known = !inner.failed && weir_reader_check(reader, table, inner.bytes, rules, rule_count);
    weir_text_free(&inner);
    return known;
}

bool weir_reader_check_count(
    weir_reader_t *reader, const weir_toml_t *value, const char *where, const char *key, size_t most)
{
    if (value->child_count <= most)
        return true;
    return weir_reader_fail(
        reader, value->place, "\"%s\" in %s has %zu elements; the most is %zu", key, where, value->child_count, most);
}

bool weir_reader_fail_missing(
    weir_reader_t *reader, const weir_toml_t *table, const char *where, const char *key, const char *remedy)
{
    weir_place_t place = table->place.line > 0 ? table->place : table->key_place;
    return weir_reader_fail(reader, place, "\"%s\" is missing in %s; %s", key, where, remedy);
}

bool weir_reader_copy(const weir_toml_t *table, const char *key, char **ret_copy)
{
    const weir_toml_t *member = weir_toml_member(table, key);
    if (member == NULL || is_empty(member))
        return true;
    char *copy = weir_text_copy(member->string);
    if (copy == NULL)
        return false;
    *ret_copy = copy;
    return true;
}

bool weir_reader_copy_texts(const weir_toml_t *array, weir_placed_text_t **ret_texts, size_t *ret_count)
{
    if (array->child_count == 0)
        return true;
    *ret_texts = calloc(array->child_count, sizeof **ret_texts);
    if (*ret_texts == NULL)
        return false;
    for (size_t i = 0; i < array->child_count; i++) {
        weir_placed_text_t *text = &(*ret_texts)[(*ret_count)++];
        text->place = array->children[i].place;
        text->text = weir_text_copy(array->children[i].string);
        if (text->text == NULL)
            return false;
    }
    return true;
}

char *weir_directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    weir_text_t directory = {0};
    if (slash == NULL)
        weir_text_add(&directory, ".", 1);
    else
        weir_text_add(&directory, path, slash == path ? 1 : (size_t)(slash - path));
    return weir_text_take(&directory);
}
