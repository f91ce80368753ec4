/*
 * file_walk.c: walks component by component; a component without wildcards is looked up, for others a directory is
 * read.
 */
#include "app/file_walk.h"

#include "app/glob.h"
#include "app/text.h"
#include "observe/escape.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct component {
    const char *text;
    size_t size;
    bool has_wildcards;
    bool is_recursive;
} component_t;

/* A directory that the walk is in, and those that it is in. */
typedef struct level {
    const struct level *above;
    dev_t device;
    ino_t inode;
} level_t;

typedef struct walk {
    component_t components[WEIR_WALK_COMPONENTS_MAX];
    size_t count;
    bool only_directories; /* the pattern ends in a slash: no file matches */
    weir_text_t path;      /* as it can be opened */
    size_t base_size;      /* of the directory and its slash in it */
    size_t entries;
    const struct stat *skipped;
    weir_walk_file_t file;
    void *context;
    char *fault;
} walk_t;

static bool fail(walk_t *walk, const char *what, int error)
{
    weir_text_t text = {0};
    weir_text_add_escaped(&text, walk->path.bytes, walk->path.size);
    weir_text_format(&text, " %s%s%s", what, error != 0 ? ": " : "", error != 0 ? strerror(error) : "");
    walk->fault = weir_text_take(&text);
    return false;
}

/* Add a name to the path; what it was before is restored with weir_text_truncate. */
static bool enter(walk_t *walk, const char *name, size_t size)
{
    if (walk->path.size > walk->base_size)
        weir_text_add(&walk->path, "/", 1);
    weir_text_add(&walk->path, name, size);
    return !walk->path.failed;
}

static bool visit(walk_t *walk, size_t index, const level_t *above);

/* The path matches all components before `index`: go on with that one, or give the file away. */
static bool advance(walk_t *walk, size_t index, const level_t *above)
{
    struct stat status;
    if (index < walk->count)
        return visit(walk, index, above);
    if (walk->only_directories || stat(walk->path.bytes, &status) != 0 || !S_ISREG(status.st_mode))
        return true;
    return walk->file(walk->context, walk->path.bytes + walk->base_size);
}

static bool read_directory(walk_t *walk, size_t index, const level_t *above);

/* An entry that was found where the component `index` was looked for, with its name. */
static bool consider(walk_t *walk, size_t index, const char *name, bool is_directory, const level_t *above)
{
    if (walk->components[index].is_recursive) {
        size_t last = index;
        while (last + 1 < walk->count && walk->components[last + 1].is_recursive)
            last++;
        if (is_directory && !read_directory(walk, last, above))
            return false;
        if (last + 1 == walk->count)
            return true; /* "**" at the end is directories alone */
        index = last + 1;
    }
    const component_t *component = &walk->components[index];
    if (!weir_glob_matches(component->text, component->size, name, strlen(name)))
        return true;
    return advance(walk, index + 1, above);
}

static int by_name(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static void free_names(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

/* The names in a directory, sorted. */
static bool list(walk_t *walk, char ***ret_names, size_t *ret_count)
{
    char **names = NULL;
    size_t count = 0;
    bool success = true;
    DIR *directory = opendir(walk->path.bytes);
    if (directory == NULL)
        return fail(walk, "cannot be read", errno);
    struct dirent *entry;
    while (success && (errno = 0, entry = readdir(directory)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            !weir_utf8_is_valid(entry->d_name, strlen(entry->d_name)))
            continue;
        if (++walk->entries > WEIR_WALK_ENTRIES_MAX) {
            success = fail(walk, "is more than a pattern may look at: there are over 1048576 files", 0);
            break;
        }
        /* Capacities are powers of two. */
        if ((count & (count - 1)) == 0) {
            char **grown = realloc(names, (count == 0 ? 1 : count * 2) * sizeof *names);
            if (grown == NULL) {
                success = false;
                break;
            }
            names = grown;
        }
        names[count] = weir_text_copy(entry->d_name);
        success = names[count] != NULL;
        count += success ? 1 : 0;
    }
    if (success && errno != 0)
        success = fail(walk, "cannot be read", errno);
    closedir(directory);
    if (!success) {
        free_names(names, count);
        return false;
    }
    if (count > 1)
        qsort(names, count, sizeof *names, by_name);
    *ret_names = names;
    *ret_count = count;
    return true;
}

/* Look for the component `index`, which has wildcards, in the directory that is the path. */
static bool read_directory(walk_t *walk, size_t index, const level_t *above)
{
    struct stat status;
    size_t depth = 0;
    if (stat(walk->path.bytes, &status) != 0)
        return fail(walk, "cannot be read", errno);
    if (status.st_dev == walk->skipped->st_dev && status.st_ino == walk->skipped->st_ino)
        return true;
    for (const level_t *level = above; level != NULL; level = level->above, depth++)
        if (level->device == status.st_dev && level->inode == status.st_ino && walk->components[index].is_recursive)
            return true; /* a symbolic link to where the walk is */
    if (depth >= WEIR_WALK_DEPTH_MAX)
        return fail(walk, "is deeper than 128 directories", 0);
    level_t here = {above, status.st_dev, status.st_ino};
    char **names = NULL;
    size_t count = 0;
    if (!list(walk, &names, &count))
        return false;
    bool success = true;
    for (size_t i = 0; success && i < count; i++) {
        size_t size = walk->path.size;
        success = enter(walk, names[i], strlen(names[i]));
        bool is_directory = success && stat(walk->path.bytes, &status) == 0 && S_ISDIR(status.st_mode);
        success = success && consider(walk, index, names[i], is_directory, &here);
        weir_text_truncate(&walk->path, size);
    }
    free_names(names, count);
    return success;
}

static bool visit(walk_t *walk, size_t index, const level_t *above)
{
    const component_t *component = &walk->components[index];
    struct stat status;
    bool is_directory = stat(walk->path.bytes, &status) == 0 && S_ISDIR(status.st_mode);
    if (!is_directory)
        return true;
    if (component->has_wildcards)
        return read_directory(walk, index, above);
    size_t size = walk->path.size;
    bool success = enter(walk, component->text, component->size);
    if (success && lstat(walk->path.bytes, &status) == 0)
        success = advance(walk, index + 1, above);
    weir_text_truncate(&walk->path, size);
    return success;
}

static bool split(walk_t *walk, const char *pattern)
{
    while (*pattern != '\0') {
        size_t size = strcspn(pattern, "/");
        walk->only_directories = pattern[size] == '/' && pattern[size + 1] == '\0';
        if (size > 0 && !(size == 1 && pattern[0] == '.')) {
            if (walk->count == WEIR_WALK_COMPONENTS_MAX)
                return false;
            component_t component = {.text = pattern, .size = size};
            for (size_t i = 0; i < size; i++)
                component.has_wildcards = component.has_wildcards || strchr("?*[", pattern[i]) != NULL;
            component.is_recursive = size == 2 && memcmp(pattern, "**", 2) == 0;
            walk->components[walk->count++] = component;
        }
        pattern += size + (pattern[size] == '/' ? 1 : 0);
    }
    return true;
}

bool weir_file_walk(const char *directory, const char *pattern, const struct stat *skipped, weir_walk_file_t file,
    void *context, char **ret_fault)
{
    walk_t walk = {.skipped = skipped, .file = file, .context = context};
    weir_text_format(&walk.path, "%s/", directory);
    walk.base_size = walk.path.size;
    bool success = !walk.path.failed;
    if (success && !split(&walk, pattern))
        success = fail(&walk, "is looked through with a pattern of more than 128 components", 0);
    if (success && walk.count > 0)
        success = advance(&walk, 0, NULL);
    weir_text_free(&walk.path);
    if (!success && walk.fault != NULL)
        *ret_fault = walk.fault;
    return success;
}
