/*
 * manifest.c: reads a manifest's text from the top down, and frees what was read.
 */
#include "app/manifest.h"

#include "app/manifest_reader.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const weir_key_rule_t TOP_KEYS[] = {
    {"spin_manifest_version", WEIR_SHAPE_ANY, WEIR_KEY_READ, NULL},
    {"application", WEIR_SHAPE_TABLE, WEIR_KEY_READ, "write [application]"},
    {"variables", WEIR_SHAPE_TABLE_OF_TABLES, WEIR_KEY_UNSUPPORTED, "guests could not read these variables"},
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

/* Before anything else: the keys of version 1 are others, and complaining about them one by one would mislead. */
static bool check_version(weir_reader_t *reader, const weir_toml_t *root)
{
    const weir_toml_t *version = weir_toml_member(root, "spin_manifest_version");
    const weir_toml_t *old = weir_toml_member(root, "spin_version");
    bool is_first = version != NULL && ((version->type == WEIR_TOML_STRING && strcmp(version->string, "1") == 0) ||
                                           (version->type == WEIR_TOML_INTEGER && version->integer == 1));
    if (is_first || (version == NULL && old != NULL))
        return weir_reader_fail(reader, (is_first ? version : old)->key_place,
            "this is a manifest of version 1, and weir reads version 2: write spin_manifest_version = 2, move name and "
            "version to [application], each [[component]] to [component.ID] and its trigger to [[trigger.http]]; or "
            "run \"spin doctor\"");
    if (version == NULL)
        return weir_reader_fail(reader, (weir_place_t){0, 0},
            "\"spin_manifest_version\" is missing; add spin_manifest_version = 2 at the top");
    if (version->type != WEIR_TOML_INTEGER)
        return weir_reader_fail(reader, version->place,
            "\"spin_manifest_version\" must be the integer 2, not %s; write spin_manifest_version = 2",
            weir_toml_type_name(version->type));
    if (version->integer != 2)
        return weir_reader_fail(reader, version->place, "\"spin_manifest_version\" is %lld, and weir reads version 2",
            (long long)version->integer);
    return true;
}

static bool read_application(weir_reader_t *reader, const weir_toml_t *root)
{
    static const char WHERE[] = "[application]";
    weir_manifest_t *manifest = &reader->manifest;
    const weir_toml_t *application = weir_toml_member(root, "application");
    if (application == NULL)
        return weir_reader_fail(reader, (weir_place_t){0, 0}, "[application] is missing; add it with name = \"...\"");
    if (!weir_reader_check(reader, application, WHERE, APPLICATION_KEYS, COUNT(APPLICATION_KEYS)))
        return false;
    const weir_toml_t *name = weir_toml_member(application, "name");
    if (name == NULL)
        return weir_reader_fail_missing(reader, application, WHERE, "name", "add name = \"...\"");
    manifest->name = weir_text_copy(name->string); /* may be empty, for Spin too */
    return manifest->name != NULL && weir_reader_copy(application, "version", &manifest->version) &&
           weir_reader_copy(application, "description", &manifest->description) &&
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
    return check_version(reader, root) &&
           weir_reader_check(reader, root, "the top-level table", TOP_KEYS, COUNT(TOP_KEYS)) &&
           read_application(reader, root) &&
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
    if (!weir_toml_parse(reader->path, text, text_size, &document, &reader->message))
        return false;
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

void weir_manifest_free(weir_manifest_t *manifest)
{
    for (size_t i = 0; i < manifest->component_count; i++) {
        weir_component_t *component = &manifest->components[i];
        for (size_t j = 0; j < component->environment_count; j++) {
            free(component->environment[j].name);
            free(component->environment[j].value);
        }
        free(component->environment);
        free(component->id);
        free(component->description);
        free(component->source);
    }
    for (size_t i = 0; i < manifest->trigger_count; i++) {
        free(manifest->triggers[i].id);
        free(manifest->triggers[i].route);
        free(manifest->triggers[i].wagi_argv);
    }
    for (size_t i = 0; i < manifest->warning_count; i++)
        free(manifest->warnings[i]);
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
