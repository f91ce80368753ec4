/*
 * manifest_build.c: reads how a component is built, and checks what else is for tools: targets and profiles.
 */
#include "app/manifest_reader.h"

#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Spin's crates/manifest/src/schema/common.rs, ComponentBuildConfig. */
static const weir_key_rule_t BUILD_KEYS[] = {
    {"command", WEIR_SHAPE_STRING_OR_STRINGS, WEIR_KEY_READ, NULL},
    {"workdir", WEIR_SHAPE_STRING, WEIR_KEY_READ, NULL},
    {"watch", WEIR_SHAPE_STRINGS, WEIR_KEY_IGNORED, NULL},
};

/* A profile counts only for who asks for it by name, which weir has no option for. */
static const weir_key_rule_t PROFILE_KEYS[] = {
    {"source", WEIR_SHAPE_STRING_OR_TABLE, WEIR_KEY_IGNORED, NULL},
    {"environment", WEIR_SHAPE_TABLE_OF_STRINGS, WEIR_KEY_IGNORED, NULL},
    {"dependencies", WEIR_SHAPE_TABLE, WEIR_KEY_IGNORED, NULL},
    {"build", WEIR_SHAPE_TABLE, WEIR_KEY_READ, "write build = { command = \"...\" }"},
};

static const weir_key_rule_t PROFILE_BUILD_KEYS[] = {
    {"command", WEIR_SHAPE_STRING_OR_STRINGS, WEIR_KEY_READ, NULL},
};

static const weir_key_rule_t TARGET_KEYS[] = {
    {"url", WEIR_SHAPE_STRING, WEIR_KEY_READ, NULL},
    {"path", WEIR_SHAPE_STRING, WEIR_KEY_READ, NULL},
};

bool weir_reader_check_targets(weir_reader_t *reader, const weir_toml_t *table, const char *where)
{
    const weir_toml_t *targets = weir_toml_member(table, "targets");
    for (size_t i = 0; targets != NULL && i < targets->child_count; i++) {
        const weir_toml_t *target = &targets->children[i];
        if (target->type != WEIR_TOML_TABLE)
            continue;
        if (!weir_reader_check_inner(reader, target, where, "targets", TARGET_KEYS, COUNT(TARGET_KEYS)))
            return false;
        if (target->child_count != 1)
            return weir_reader_fail(
                reader, target->place, "a target in %s is a string, { url = \"...\" } or { path = \"...\" }", where);
    }
    return true;
}

static bool check_profiles(weir_reader_t *reader, const weir_toml_t *table, const char *where)
{
    const weir_toml_t *profiles = weir_toml_member(table, "profile");
    for (size_t i = 0; profiles != NULL && i < profiles->child_count; i++) {
        const weir_toml_t *profile = &profiles->children[i], *build = weir_toml_member(profile, "build");
        if (!weir_reader_check_inner(reader, profile, where, profile->key, PROFILE_KEYS, COUNT(PROFILE_KEYS)))
            return false;
        if (build == NULL)
            continue;
        if (build->type == WEIR_TOML_TABLE && weir_toml_member(build, "command") == NULL)
            return weir_reader_fail(reader, build->place.line > 0 ? build->place : build->key_place,
                "\"command\" is missing in \"build\" of profile %s of %s; add command = \"...\"",
                weir_quote(profile->key).text, where);
        if (!weir_reader_check_inner(reader, build, where, "build", PROFILE_BUILD_KEYS, COUNT(PROFILE_BUILD_KEYS)))
            return false;
    }
    return true;
}

static bool add_command(weir_build_t *build, const char *command)
{
    char *copy = weir_text_copy(command);
    if (copy != NULL)
        build->commands[build->command_count++] = copy;
    return copy != NULL;
}

static bool read_build(weir_reader_t *reader, const weir_toml_t *table, const char *where, weir_build_t *build)
{
    if (!weir_reader_check_inner(reader, table, where, "build", BUILD_KEYS, COUNT(BUILD_KEYS)))
        return false;
    const weir_toml_t *command = weir_toml_member(table, "command");
    if (command == NULL)
        return weir_reader_fail(
            reader, table->place, "\"command\" is missing in \"build\" of %s; add command = \"...\"", where);
    if (!weir_reader_check_count(reader, command, where, "command", WEIR_TEXTS_MAX))
        return false;
    build->place = command->place;
    const weir_toml_t *workdir = weir_toml_member(table, "workdir");
    if (workdir != NULL)
        build->workdir_place = workdir->place;
    if (!weir_reader_copy(table, "workdir", &build->workdir))
        return false;
    build->commands = calloc(command->child_count + 1, sizeof *build->commands);
    if (build->commands == NULL)
        return false;
    if (command->type == WEIR_TOML_STRING)
        return add_command(build, command->string);
    for (size_t i = 0; i < command->child_count; i++) {
        if (!add_command(build, command->children[i].string))
            return false;
    }
    return true;
}

bool weir_reader_build(weir_reader_t *reader, const weir_toml_t *table, const char *where, weir_component_t *component)
{
    const weir_toml_t *build = weir_toml_member(table, "build");
    return (build == NULL || read_build(reader, build, where, &component->build)) &&
           check_profiles(reader, table, where) && weir_reader_check_targets(reader, table, where);
}
