/*
 * variable_list.c: variables of the command line, and the files that it names.
 */
#include "app/variable_list.h"

#include "app/complaint.h"
#include "app/read_file.h"
#include "app/text.h"
#include "app/toml.h"
#include "app/toml_json.h"

#include <stdlib.h>
#include <string.h>

static char *copy_bytes(const char *bytes, size_t size)
{
    char *copy = malloc(size + 1);
    if (copy == NULL)
        return NULL;
    if (size > 0)
        memcpy(copy, bytes, size);
    copy[size] = '\0';
    return copy;
}

bool weir_variable_list_add(
    weir_variable_list_t *list, const char *name, size_t name_size, const char *value, size_t value_size)
{
    if (list->count >= WEIR_VARIABLE_LIST_MAX)
        return false;
    /* Capacities are powers of two, so that the count tells when one is used up. */
    if ((list->count & (list->count - 1)) == 0) {
        size_t capacity = list->count == 0 ? 1 : list->count * 2;
        weir_variable_t *variables = realloc(list->variables, capacity * sizeof *variables);
        if (variables == NULL)
            return false;
        list->variables = variables;
    }
    weir_variable_t variable = {copy_bytes(name, name_size), copy_bytes(value, value_size)};
    if (variable.name == NULL || variable.value == NULL) {
        free(variable.name);
        free(variable.value);
        return false;
    }
    list->variables[list->count++] = variable;
    return true;
}

const char *weir_variable_list_find(const weir_variable_list_t *list, const char *name, size_t name_size)
{
    for (size_t i = list->count; i-- > 0;) {
        const weir_variable_t *variable = &list->variables[i];
        if (strlen(variable->name) == name_size && memcmp(variable->name, name, name_size) == 0)
            return variable->value;
    }
    return NULL;
}

/* Drop all behind the first `count`. */
static void cut(weir_variable_list_t *list, size_t count)
{
    while (list->count > count) {
        weir_variable_t *variable = &list->variables[--list->count];
        free(variable->name);
        free(variable->value);
    }
}

void weir_variable_list_free(weir_variable_list_t *list)
{
    cut(list, 0);
    free(list->variables);
    *list = (weir_variable_list_t){0};
}

static const weir_place_t NOWHERE = {0, 0};

/* Add, or say why that is not possible. */
static bool add(weir_variable_list_t *list, const char *name, size_t name_size, const char *value, size_t value_size,
    char **ret_message)
{
    if (weir_variable_list_add(list, name, name_size, value, value_size))
        return true;
    *ret_message = NULL;
    if (list->count >= WEIR_VARIABLE_LIST_MAX)
        weir_complain(
            ret_message, NULL, NOWHERE, "--variable gives more than %d variables", (int)WEIR_VARIABLE_LIST_MAX);
    return false;
}

static bool read_file(const char *path, char **ret_text, size_t *ret_size, char **ret_message)
{
    switch (weir_read_file(path, WEIR_VARIABLE_FILE_BYTES_MAX, ret_text, ret_size, ret_message)) {
    case WEIR_READ_OK:
        return true;
    case WEIR_READ_MISSING:
        return weir_complain(
            ret_message, path, NOWHERE, "does not exist, and --variable wants to read it; paths start from here");
    case WEIR_READ_FAILED:
        break;
    }
    return false;
}

/* Add the members of a table, which must be strings. */
static bool add_members(weir_variable_list_t *list, const char *path, const weir_toml_t *table, char **ret_message)
{
    for (size_t i = 0; i < table->child_count; i++) {
        const weir_toml_t *member = &table->children[i];
        if (member->type != WEIR_TOML_STRING)
            return weir_complain(ret_message, path, member->place,
                "%s is %s, and the value of a variable is a string; put it in quotes", weir_quote(member->key).text,
                weir_toml_type_name(member->type));
        if (memchr(member->string, '\0', member->string_size) != NULL ||
            memchr(member->key, '\0', member->key_size) != NULL)
            return weir_complain(ret_message, path, member->place, "%s has a NUL character, which no variable can have",
                weir_quote(member->key).text);
        if (!add(list, member->key, member->key_size, member->string, member->string_size, ret_message))
            return false;
    }
    return true;
}

static bool add_json(weir_variable_list_t *list, const char *path, char *text, char **ret_message)
{
    weir_toml_t document = {.key = NULL};
    weir_place_t place;
    switch (weir_json_read_document(text, &document, &place)) {
    case WEIR_JSON_OK:
        break;
    case WEIR_JSON_OUT_OF_MEMORY:
        *ret_message = NULL;
        return false;
    case WEIR_JSON_MALFORMED:
        return weir_complain(ret_message, path, place, "is not JSON from here on");
    }
    bool added = document.type == WEIR_TOML_TABLE
                     ? add_members(list, path, &document, ret_message)
                     : weir_complain(ret_message, path, NOWHERE, "holds %s, and not an object as {\"name\": \"value\"}",
                           weir_toml_type_name(document.type));
    weir_json_free_children(&document);
    return added;
}

static bool add_toml(weir_variable_list_t *list, const char *path, const char *text, size_t size, char **ret_message)
{
    weir_toml_document_t document;
    weir_text_t shown = {0};
    weir_text_add_escaped(&shown, path, strlen(path));
    *ret_message = NULL;
    if (shown.failed)
        return false;
    bool added = weir_toml_parse(shown.bytes, text, size, WEIR_TOML_PRIVATE, &document, ret_message);
    if (added) {
        added = add_members(list, path, &document.root, ret_message);
        weir_toml_free(&document);
    }
    weir_text_free(&shown);
    return added;
}

/* "@FILE" */
static bool add_file(weir_variable_list_t *list, const char *path, char **ret_message)
{
    /* As Rust's Path::extension: what stands behind the last dot of the name, unless that is its first character. */
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    const char *dot = strrchr(name, '.');
    const char *extension = dot == NULL || dot == name ? "" : dot + 1;
    bool is_json = strcmp(extension, "json") == 0;
    if (!is_json && strcmp(extension, "toml") != 0)
        return weir_complain(ret_message, path, NOWHERE,
            "is given to --variable as a file of variables, and its name must end in .json or .toml; for one value "
            "write NAME=@FILE");
    char *text;
    size_t size;
    if (!read_file(path, &text, &size, ret_message))
        return false;
    size_t count = list->count;
    bool added = is_json ? add_json(list, path, text, ret_message) : add_toml(list, path, text, size, ret_message);
    if (!added)
        cut(list, count);
    free(text);
    return added;
}

/* Refuse what has another form. Nothing of it is shown: without a name it may be a secret. Always false. */
static bool fail_form(const char *argument, char **ret_message)
{
    return weir_complain(ret_message, NULL, NOWHERE,
        "what --variable gives %s; write NAME=VALUE, NAME=@FILE, @FILE.json or @FILE.toml",
        argument[0] == '\0'  ? "is empty"
        : argument[0] == '=' ? "has no name before its '='"
                             : "has no '='");
}

bool weir_variable_list_add_argument(weir_variable_list_t *list, const char *argument, char **ret_message)
{
    if (argument[0] == '@')
        return add_file(list, argument + 1, ret_message);
    const char *equals = strchr(argument, '=');
    if (equals == NULL || equals == argument)
        return fail_form(argument, ret_message);
    size_t name_size = (size_t)(equals - argument);
    if (equals[1] != '@')
        return add(list, argument, name_size, equals + 1, strlen(equals + 1), ret_message);
    char *text;
    size_t size;
    if (!read_file(equals + 2, &text, &size, ret_message))
        return false;
    bool added = add(list, argument, name_size, text, size, ret_message);
    free(text);
    return added;
}
