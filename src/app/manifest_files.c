/*
 * manifest_files.c: reads which files a component is given (Spin's crates/manifest/src/schema/common.rs,
 * WasiFilesMount).
 */
#include "app/manifest_reader.h"

#include <stdlib.h>
#include <string.h>

static const weir_key_rule_t PLACEMENT_KEYS[] = {
    {"source", WEIR_SHAPE_STRING, WEIR_KEY_READ, NULL},
    {"destination", WEIR_SHAPE_STRING, WEIR_KEY_READ, NULL},
};

/* Whether a path has ".." as one of its segments. */
static bool leads_upwards(const char *path)
{
    for (const char *segment = path; *segment != '\0';) {
        size_t size = strcspn(segment, "/");
        if (size == 2 && memcmp(segment, "..", 2) == 0)
            return true;
        segment += size;
        segment += strspn(segment, "/");
    }
    return false;
}

/* A destination is absolute; Spin takes "data" for "/data" (crates/loader/src/local.rs, copy_file_mounts). */
static char *copy_destination(const char *destination)
{
    weir_text_t text = {0};
    if (destination[0] != '/')
        weir_text_add(&text, "/", 1);
    weir_text_add(&text, destination, strlen(destination));
    return weir_text_take(&text);
}

static bool read_placement(weir_reader_t *reader, const weir_toml_t *table, const char *where, weir_files_t *files)
{
    if (!weir_reader_check_inner(reader, table, where, "files", PLACEMENT_KEYS, 2))
        return false;
    const weir_toml_t *source = weir_toml_member(table, "source");
    const weir_toml_t *destination = weir_toml_member(table, "destination");
    if (source == NULL || destination == NULL)
        return weir_reader_fail(reader, table->place,
            "\"%s\" is missing in \"files\" of %s; write { source = \"DIRECTORY\", destination = \"/DIRECTORY\" }",
            source == NULL ? "source" : "destination", where);
    if (leads_upwards(destination->string))
        return weir_reader_fail(reader, destination->place,
            "destination %s of \"files\" in %s leads out of the guest's directory; write it without \"..\"",
            weir_quote(destination->string).text, where);
    files->source = weir_text_copy(source->string[0] != '\0' ? source->string : "."); /* the manifest's directory */
    files->destination = copy_destination(destination->string);
    return files->source != NULL && files->destination != NULL;
}

static bool read_pattern(weir_reader_t *reader, const weir_toml_t *pattern, const char *where, weir_files_t *files)
{
    if (pattern->string[0] == '\0')
        return weir_reader_fail(reader, pattern->place,
            "a pattern of \"files\" in %s is empty; write a path or a pattern like \"assets/**/*\"", where);
    files->source = weir_text_copy(pattern->string);
    return files->source != NULL;
}

bool weir_reader_files(weir_reader_t *reader, const weir_toml_t *table, const char *where, weir_component_t *component)
{
    const weir_toml_t *files = weir_toml_member(table, "files");
    const weir_toml_t *excluded = weir_toml_member(table, "exclude_files");
    if ((files != NULL && !weir_reader_check_count(reader, files, where, "files", WEIR_TEXTS_MAX)) ||
        (excluded != NULL && !weir_reader_check_count(reader, excluded, where, "exclude_files", WEIR_TEXTS_MAX)))
        return false;
    if (files != NULL && files->child_count > 0) {
        component->files = calloc(files->child_count, sizeof *component->files);
        if (component->files == NULL)
            return false;
    }
    for (size_t i = 0; files != NULL && i < files->child_count; i++) {
        const weir_toml_t *element = &files->children[i];
        weir_files_t *read = &component->files[component->files_count++];
        read->place = element->place;
        if (!(element->type == WEIR_TOML_TABLE ? read_placement(reader, element, where, read)
                                               : read_pattern(reader, element, where, read)))
            return false;
    }
    return excluded == NULL ||
           weir_reader_copy_texts(excluded, &component->exclude_files, &component->exclude_files_count);
}
