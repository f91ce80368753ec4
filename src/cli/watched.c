/*
 * watched.c: lists what the manifest and the options name, and mixes what stat(2) says of it.
 */
#include "cli/watched.h"

#include "app/file_walk.h"
#include "app/manifest.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- The list ---------------------------------------------------------------------------------------------------- */

void weir_watched_init(weir_watched_t *watched, const weir_up_options_t *options)
{
    *watched = (weir_watched_t){.options = options};
}

static void free_paths(weir_watched_path_t *paths, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(paths[i].path);
        free(paths[i].pattern);
    }
    free(paths);
}

void weir_watched_free(weir_watched_t *watched)
{
    free_paths(watched->paths, watched->count);
    *watched = (weir_watched_t){.options = NULL};
}

/* Takes both texts; where memory runs out the path is not watched. */
static void add(weir_watched_t *watched, char *own_path, char *own_pattern)
{
    weir_watched_path_t *paths =
        own_path == NULL ? NULL : realloc(watched->paths, (watched->count + 1) * sizeof(*paths));
    if (paths == NULL) {
        free(own_path);
        free(own_pattern);
        return;
    }
    paths[watched->count++] = (weir_watched_path_t){own_path, own_pattern};
    watched->paths = paths;
}

static void add_file(weir_watched_t *watched, const char *path)
{
    if (path != NULL && path[0] != '\0') {
        add(watched, strdup(path), NULL);
    }
}

static char *join(const char *directory, const char *path)
{
    char *joined;
    if (path[0] == '/') {
        return strdup(path);
    }
    return asprintf(&joined, "%s/%s", directory, path) < 0 ? NULL : joined;
}

/* How much of a pattern is before the first component with a wildcard: "assets" of "assets/x*.png". */
static size_t plain_size(const char *pattern)
{
    size_t wildcard = strcspn(pattern, "*?[");
    while (wildcard > 0 && pattern[wildcard] != '\0' && pattern[wildcard - 1] != '/') {
        wildcard--;
    }
    return wildcard;
}

static void add_component_files(weir_watched_t *watched, const weir_manifest_t *manifest, const weir_files_t *files)
{
    size_t plain = plain_size(files->source);
    if (files->destination != NULL || files->source[plain] == '\0') {
        add(watched, join(manifest->directory, files->source), NULL);
        return;
    }
    char *top = strndup(files->source, plain);
    if (top != NULL) {
        add(watched, join(manifest->directory, top), strdup(files->source + plain));
    }
    free(top);
}

static void add_manifest(weir_watched_t *watched, const weir_manifest_t *manifest)
{
    add_file(watched, manifest->path);
    if (!manifest->is_wasm) {
        add(watched, join(manifest->directory, ".env"), NULL);
    }
    for (size_t i = 0; i < manifest->component_count; i++) {
        const weir_component_t *component = &manifest->components[i];
        if (component->source_url == NULL) {
            add_file(watched, component->source);
        }
        for (size_t k = 0; k < component->files_count; k++) {
            add_component_files(watched, manifest, &component->files[k]);
        }
    }
}

static void add_options(weir_watched_t *watched)
{
    const weir_up_options_t *options = watched->options;
    add_file(watched, options->runtime_config_file);
    add_file(watched, options->cache);
    add_file(watched, options->tls_certificate);
    add_file(watched, options->tls_key);
    for (size_t i = 0; i < options->variables.count; i++) {
        /* NAME=@FILE, or @FILE */
        const char *text = options->variables.items[i];
        const char *equals = strchr(text, '=');
        const char *value = text[0] == '@' ? text : equals == NULL ? "" : equals + 1;
        if (value[0] == '@') {
            add_file(watched, value + 1);
        }
    }
}

void weir_watched_list(weir_watched_t *watched)
{
    weir_manifest_t manifest;
    char *message = NULL;
    if (weir_manifest_load(watched->options->application, &manifest, &message)) {
        weir_watched_t listed = {.options = watched->options};
        add_manifest(&listed, &manifest);
        add_options(&listed);
        weir_manifest_free(&manifest);
        free_paths(watched->paths, watched->count);
        *watched = listed;
        return;
    }
    free(message);
    if (watched->count == 0) {
        /* A directory that holds it, or the file: that of the two which it is not does not change. */
        add_file(watched, watched->options->application);
        add(watched, join(watched->options->application, "spin.toml"), NULL);
        add_options(watched);
    }
}

/* ---- Looking ----------------------------------------------------------------------------------------------------- */

typedef struct looking {
    void (*directory)(void *context, const char *path);
    void *context;
    uint64_t state;
    size_t left;     /* files that may be looked at */
    bool lists_only; /* directories are told of, and nothing is mixed */
} looking_t;

static void mix(looking_t *looking, uint64_t value)
{
    looking->state = (looking->state ^ value) * 0x9e3779b97f4a7c15U;
    looking->state ^= looking->state >> 29;
}

static void mix_file(looking_t *looking, const char *path)
{
    struct stat status;
    for (const char *at = path; *at != '\0'; at++) {
        mix(looking, (unsigned char)*at);
    }
    if (stat(path, &status) != 0) {
        mix(looking, 0);
        return;
    }
    mix(looking, (uint64_t)status.st_dev);
    mix(looking, (uint64_t)status.st_ino);
    mix(looking, (uint64_t)status.st_mode);
    mix(looking, (uint64_t)status.st_size);
    mix(looking, (uint64_t)status.st_mtim.tv_sec);
    mix(looking, (uint64_t)status.st_mtim.tv_nsec);
}

/* The directory that a path is in, or the nearest one above it that is there. */
static void tell_parent(const looking_t *looking, const char *path)
{
    struct stat status;
    char parent[PATH_MAX];
    size_t size = strlen(path);
    if (size >= sizeof(parent)) {
        return;
    }
    memcpy(parent, path, size + 1);
    do {
        char *slash = strrchr(parent, '/');
        if (slash == NULL) {
            strcpy(parent, ".");
        } else {
            slash[slash == parent ? 1 : 0] = '\0';
        }
    } while (stat(parent, &status) != 0 && strcmp(parent, ".") != 0 && strcmp(parent, "/") != 0);
    looking->directory(looking->context, parent);
}

/* A file as it is named, and where links lead from there. */
static void tell_parents(const looking_t *looking, const char *path)
{
    tell_parent(looking, path);
    char *real = realpath(path, NULL);
    if (real != NULL && strcmp(real, path) != 0) {
        tell_parent(looking, real);
    }
    free(real);
}

/* What weir and version control write themselves. */
static bool is_passed_over(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, ".git") == 0 || strcmp(name, ".spin") == 0;
}

static void look_at_tree(looking_t *looking, const char *top, unsigned depth);

static void look_at_entry(looking_t *looking, const char *path, unsigned depth)
{
    struct stat status;
    looking->left--;
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
        look_at_tree(looking, path, depth + 1);
    } else if (!looking->lists_only) {
        mix_file(looking, path);
    }
}

static void look_at_tree(looking_t *looking, const char *top, unsigned depth)
{
    struct dirent **entries = NULL;
    if (depth > WEIR_WATCHED_DEPTH_MAX) {
        return;
    }
    looking->directory(looking->context, top);
    int count = scandir(top, &entries, NULL, alphasort); /* always in the same order */
    for (int i = 0; i < count; i++) {
        char *path = is_passed_over(entries[i]->d_name) || looking->left == 0 ? NULL : join(top, entries[i]->d_name);
        if (path != NULL) {
            look_at_entry(looking, path, depth);
        }
        free(path);
        free(entries[i]);
    }
    free(entries);
}

typedef struct walking {
    looking_t *looking;
    const char *top;
} walking_t;

static bool mix_match(void *context, const char *path)
{
    const walking_t *walking = context;
    char *joined = walking->looking->left == 0 ? NULL : join(walking->top, path);
    if (joined == NULL) {
        return false;
    }
    walking->looking->left--;
    mix_file(walking->looking, joined);
    free(joined);
    return true;
}

/* Files that a pattern describes; a directory that is new may get some. */
static void look_at_matches(looking_t *looking, const weir_watched_path_t *path)
{
    static const struct stat nothing; /* is skipped */
    char *fault = NULL;
    walking_t walking = {looking, path->path};
    looking_t directories = *looking;
    directories.lists_only = true;
    tell_parents(looking, path->path);
    if (strchr(path->pattern, '/') != NULL || strstr(path->pattern, "**") != NULL) {
        look_at_tree(&directories, path->path, 0);
    } else {
        looking->directory(looking->context, path->path);
    }
    if (!weir_file_walk(path->path, path->pattern, &nothing, mix_match, &walking, &fault)) {
        free(fault); /* loading it says what is wrong */
    }
}

uint64_t weir_watched_look(
    const weir_watched_t *watched, void (*directory)(void *context, const char *path), void *context)
{
    looking_t looking = {.directory = directory, .context = context, .left = WEIR_WATCHED_FILES_MAX};
    for (size_t i = 0; i < watched->count; i++) {
        const weir_watched_path_t *path = &watched->paths[i];
        struct stat status;
        if (path->pattern != NULL) {
            look_at_matches(&looking, path);
            continue;
        }
        tell_parents(&looking, path->path);
        if (stat(path->path, &status) == 0 && S_ISDIR(status.st_mode)) {
            look_at_tree(&looking, path->path, 0);
        } else {
            mix_file(&looking, path->path);
        }
    }
    return looking.state;
}
