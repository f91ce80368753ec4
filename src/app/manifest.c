/*
 * manifest.c: reads a manifest's text from the top down.
 */
#include "app/manifest.h"

#include "app/manifest_reader.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const weir_key_rule_t TOP_KEYS[] = {
    {"spin_manifest_version", WEIR_SHAPE_ANY, WEIR_KEY_READ, NULL},
    {"application", WEIR_SHAPE_TABLE, WEIR_KEY_READ, "write [application]"},
    {"variables", WEIR_SHAPE_TABLE, WEIR_KEY_READ, "write [variables]"},
    {"trigger", WEIR_SHAPE_TABLE, WEIR_KEY_READ, "write [[trigger.http]]"},
    {"component", WEIR_SHAPE_TABLE_OF_TABLES, WEIR_KEY_READ, "write [component.ID]"},
};

static const weir_key_rule_t APPLICATION_KEYS[] = {
    {"name", WEIR_SHAPE_STRING, WEIR_KEY_READ, NULL},
    {"version", WEIR_SHAPE_STRING, WEIR_KEY_READ, NULL},
    {"description", WEIR_SHAPE_STRING, WEIR_KEY_READ, NULL},
    {"authors", WEIR_SHAPE_STRINGS, WEIR_KEY_IGNORED, NULL},
    {"targets", WEIR_SHAPE_STRINGS_OR_TABLES, WEIR_KEY_IGNORED, NULL},
    {"trigger", WEIR_SHAPE_TABLE_OF_TABLES, WEIR_KEY_READ, "write [application.trigger.http]"},
    {"tool", WEIR_SHAPE_TABLE_OF_TABLES, WEIR_KEY_IGNORED, NULL},
};

static bool read_application(weir_reader_t *reader, const weir_toml_t *root)
{
    static const char WHERE[] = "[application]";
    weir_manifest_t *manifest = &reader->manifest;
    const weir_toml_t *application = weir_toml_member(root, "application");
    if (application == NULL)
        return weir_reader_fail(reader, (weir_place_t){0, 0}, "[application] is missing; add it with name = \"...\"");
    if (!weir_reader_check(reader, application, WHERE, APPLICATION_KEYS, COUNT(APPLICATION_KEYS)) ||
        !weir_reader_check_targets(reader, application, WHERE))
        return false;
    const weir_toml_t *name = weir_toml_member(application, "name");
    if (name == NULL)
        return weir_reader_fail_missing(reader, application, WHERE, "name", "add name = \"...\"");
    manifest->name = weir_text_copy(name->string); /* may be empty, for Spin too */
    return manifest->name != NULL && weir_reader_copy(application, "version", &manifest->version) &&
           weir_reader_copy(application, "description", &manifest->description) &&
           weir_reader_limits(reader, application, WHERE, false, &manifest->limits) &&
           weir_reader_trigger_settings(reader, application);
}

static size_t count_inline_components(const weir_toml_t *triggers)
{
    size_t count = 0;
    for (size_t i = 0; triggers != NULL && i < triggers->child_count; i++) {
        const weir_toml_t *component = weir_toml_member(&triggers->children[i], "component");
        count += component != NULL && component->type == WEIR_TOML_TABLE ? 1 : 0;
    }
    return count;
}

static bool read_document(weir_reader_t *reader, const weir_toml_t *root)
{
    return weir_reader_check_version(reader, root) &&
           weir_reader_check(reader, root, "the top-level table", TOP_KEYS, COUNT(TOP_KEYS)) &&
           read_application(reader, root) && weir_reader_variables(reader, root) &&
           weir_reader_components(reader, root, count_inline_components(weir_reader_http_triggers(root))) &&
           weir_reader_triggers(reader, root);
}

static bool read_text(weir_reader_t *reader, const char *path, const char *text, size_t text_size)
{
    weir_text_t shown = {0};
    weir_text_add_escaped(&shown, path, strlen(path));
    reader->path = weir_text_take(&shown);
    reader->manifest.path = weir_text_copy(path);
    reader->manifest.directory = weir_directory_of(path);
    if (reader->path == NULL || reader->manifest.path == NULL || reader->manifest.directory == NULL)
        return false;
    if (text_size > WEIR_MANIFEST_BYTES_MAX)
        return weir_reader_fail(reader, (weir_place_t){0, 0}, "larger than 1 MiB; is it a manifest?");
    weir_toml_document_t document;
    if (!weir_toml_parse(reader->path, text, text_size, WEIR_TOML_OPEN, &document, &reader->message)) {
        weir_reader_explain_brackets(reader, text, text_size);
        return false;
    }
    bool success = read_document(reader, &document.root);
    weir_toml_free(&document);
    return success;
}

bool weir_manifest_parse(
    const char *path, const char *text, size_t text_size, weir_manifest_t *ret_manifest, char **ret_message)
{
    weir_reader_t reader = {.path = NULL};
    bool success = read_text(&reader, path, text, text_size);
    free(reader.path);
    if (!success) {
        weir_manifest_free(&reader.manifest);
        *ret_message = reader.message;
        return false;
    }
    *ret_manifest = reader.manifest;
    return true;
}
