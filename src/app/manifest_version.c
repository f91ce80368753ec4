/*
 * manifest_version.c: tells manifests of version 2 from others. Of version 1, which Spin still migrates
 * (crates/manifest/src/compat.rs), it is said line by line what to change.
 */
#include "app/manifest_reader.h"

#include <string.h>

enum { COMPONENTS_SHOWN = 4 };

/* "; line 3: name goes into [application]" */
static void add_moved_keys(weir_text_t *text, const weir_toml_t *root)
{
    static const char *const KEYS[] = {"name", "version", "description", "authors"};
    for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++) {
        const weir_toml_t *member = weir_toml_member(root, KEYS[i]);
        if (member != NULL)
            weir_text_format(text, "; line %u: %s goes into [application]", (unsigned)member->key_place.line, KEYS[i]);
    }
}

/* The type of the application's trigger, which stands in [trigger] or is the only one that weir knows. */
static const char *trigger_type(const weir_toml_t *root)
{
    const weir_toml_t *trigger = weir_toml_member(root, "trigger");
    const weir_toml_t *type = trigger != NULL ? weir_toml_member(trigger, "type") : NULL;
    return type != NULL && type->type == WEIR_TOML_STRING ? type->string : "http";
}

/* Whether arrays of triggers are in it, [[trigger.http]], and nothing that version 1 has there. */
static bool is_of_version_two(const weir_toml_t *trigger)
{
    bool has_arrays = false;
    for (size_t i = 0; trigger->type == WEIR_TOML_TABLE && i < trigger->child_count; i++) {
        if (trigger->children[i].type != WEIR_TOML_ARRAY)
            return false;
        has_arrays = true;
    }
    return has_arrays;
}

static void add_trigger(weir_text_t *text, const weir_toml_t *root)
{
    const weir_toml_t *trigger = weir_toml_member(root, "trigger");
    if (trigger == NULL || is_of_version_two(trigger))
        return;
    weir_text_format(text, "; line %u: remove [trigger] and its type", (unsigned)trigger->key_place.line);
    const weir_toml_t *base = weir_toml_member(trigger, "base");
    if (base != NULL && base->type == WEIR_TOML_STRING && strcmp(base->string, "/") != 0)
        weir_text_format(text, "; line %u: write the base %s before each route", (unsigned)base->key_place.line,
            weir_quote(base->string).text);
}

/* Whether a table has a header of its own, "[component.build]", which begins before its last key. */
static bool has_header(const weir_toml_t *table)
{
    return table->type == WEIR_TOML_TABLE && table->place.line == table->key_place.line &&
           table->place.column < table->key_place.column;
}

static void add_component(weir_text_t *text, const weir_toml_t *component, const char *type)
{
    const weir_toml_t *id = weir_toml_member(component, "id");
    const weir_toml_t *trigger = weir_toml_member(component, "trigger");
    const weir_toml_t *config = weir_toml_member(component, "config");
    weir_quote_t name = {"ID"};
    if (id != NULL && id->type == WEIR_TOML_STRING) {
        bool is_valid = weir_identifier_fault(id->string, '-', false).text[0] == '\0';
        name = is_valid ? weir_shown(id->string) : weir_identifier_proposal(id->string, '-');
        if (name.text[0] == '\0')
            name = (weir_quote_t){"ID"};
    }
    weir_text_format(text, "; line %u: [[component]] becomes [component.%s] without its id",
        (unsigned)component->place.line, name.text);
    if (trigger != NULL)
        weir_text_format(text, "; line %u: its trigger becomes [[trigger.%s]] with component = \"%s\"",
            (unsigned)trigger->key_place.line, weir_shown(type).text, name.text);
    if (config != NULL)
        weir_text_format(text, "; line %u: its config becomes [component.%s.variables]",
            (unsigned)config->key_place.line, name.text);
    for (size_t i = 0; i < component->child_count; i++) {
        const weir_toml_t *inner = &component->children[i];
        if (inner != trigger && inner != config && has_header(inner))
            weir_text_format(text, "; line %u: [component.%s] becomes [component.%s.%s]",
                (unsigned)inner->key_place.line, weir_shown(inner->key).text, name.text, weir_shown(inner->key).text);
    }
}

static bool fail_version_one(weir_reader_t *reader, const weir_toml_t *root, const weir_toml_t *version)
{
    weir_text_t text = {0};
    weir_text_format(&text,
        "this is a manifest of version 1, and weir reads version 2; run \"spin doctor\", or change it: line %u: write "
        "spin_manifest_version = 2",
        (unsigned)version->key_place.line);
    add_moved_keys(&text, root);
    add_trigger(&text, root);
    const weir_toml_t *components = weir_toml_member(root, "component");
    size_t count = components != NULL && components->type == WEIR_TOML_ARRAY ? components->child_count : 0;
    for (size_t i = 0; i < count && i < COMPONENTS_SHOWN; i++)
        add_component(&text, &components->children[i], trigger_type(root));
    if (count > COMPONENTS_SHOWN)
        weir_text_format(&text, "; and the other %zu components in the same way", count - COMPONENTS_SHOWN);
    if (!text.failed)
        weir_reader_fail(reader, version->key_place, "%s", text.bytes);
    weir_text_free(&text);
    return false;
}

/* The keys of version 1 are others, and complaining about them one by one would mislead. */
bool weir_reader_check_version(weir_reader_t *reader, const weir_toml_t *root)
{
    const weir_toml_t *version = weir_toml_member(root, "spin_manifest_version");
    const weir_toml_t *old = weir_toml_member(root, "spin_version");
    bool is_first = version != NULL && ((version->type == WEIR_TOML_STRING && strcmp(version->string, "1") == 0) ||
                                           (version->type == WEIR_TOML_INTEGER && version->integer == 1));
    if (is_first || (version == NULL && old != NULL))
        return fail_version_one(reader, root, is_first ? version : old);
    if (version == NULL)
        return weir_reader_fail(reader, (weir_place_t){0, 0},
            "\"spin_manifest_version\" is missing; add spin_manifest_version = 2 at the top");
    if (version->type == WEIR_TOML_STRING)
        return weir_reader_fail(reader, version->place,
            "\"spin_manifest_version\" must be the integer 2, not the string %s; write spin_manifest_version = 2",
            weir_quote(version->string).text);
    if (version->type != WEIR_TOML_INTEGER)
        return weir_reader_fail(reader, version->place,
            "\"spin_manifest_version\" must be the integer 2, not %s; write spin_manifest_version = 2",
            weir_toml_type_name(version->type));
    if (version->integer != 2)
        return weir_reader_fail(reader, version->place, "\"spin_manifest_version\" is %lld, and weir reads version 2",
            (long long)version->integer);
    return true;
}
