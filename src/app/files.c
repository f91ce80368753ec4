/*
 * files.c: what each entry of "files" means: a pattern, a file or a directory; and where its files go.
 */
#include "app/files.h"

#include "app/complaint.h"
#include "app/file_links.h"
#include "app/file_mounts.h"
#include "app/file_path.h"
#include "app/file_walk.h"
#include "app/glob.h"
#include "app/text.h"
#include "app/words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define START "paths start from the manifest's directory; build the component first, if its build makes it"

/* Files that are being prepared. */
typedef struct preparation {
    const weir_manifest_t *manifest;
    const weir_files_settings_t *settings;
    weir_files_prepared_t files;
    size_t file_count;
    uint64_t bytes;
    weir_file_links_t links;
    char *message;
} preparation_t;

/* An entry that is being copied. */
typedef struct entry {
    preparation_t *preparation;
    const weir_component_t *component;
    const weir_files_t *files;
    const char *source; /* the directory that the walk begins in, as it can be opened */
    const char *below;  /* the same as seen from the manifest's directory, which is "": what is excluded is seen so */
    const char *target; /* where in the guest */
    bool keeps_paths;   /* from the manifest's directory; otherwise from `source` */
    bool found;         /* a file, which may be excluded */
    bool *used;         /* for each of exclude_files, whether it excludes a file of any entry */
} entry_t;

static bool fail(preparation_t *preparation, const weir_files_t *files, const char *what, const char *remedy)
{
    return weir_complain(&preparation->message, preparation->manifest->path, files->place, "%s in \"files\" %s; %s",
        weir_quote(files->source).text, what, remedy);
}

static bool fail_errno(preparation_t *preparation, const weir_files_t *files, const char *what)
{
    return weir_complain(&preparation->message, preparation->manifest->path, files->place, "%s in \"files\" %s: %m",
        weir_quote(files->source).text, what);
}

/* Add a warning; false when memory ran out. */
__attribute__((format(printf, 3, 4))) static bool warn(
    preparation_t *preparation, weir_place_t place, const char *format, ...)
{
    weir_files_prepared_t *prepared = &preparation->files;
    char **warnings = realloc(prepared->warnings, (prepared->warning_count + 1) * sizeof *warnings);
    if (warnings == NULL)
        return false;
    prepared->warnings = warnings;
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    weir_complain_list(&text, preparation->manifest->path, place, format, arguments);
    va_end(arguments);
    if (text == NULL)
        return false;
    warnings[prepared->warning_count++] = text;
    return true;
}

/* A path of the manifest as it can be opened; to be freed with free(3), NULL when memory ran out. */
static char *find_path(const preparation_t *preparation, const char *path)
{
    weir_text_t found = {0};
    if (path[0] == '/')
        weir_text_add(&found, path, strlen(path));
    else
        weir_text_format(&found, "%s/%s", preparation->manifest->directory, path);
    return weir_text_take(&found);
}

/* Where `path` of the guest is in the tree, to be freed with free(3); NULL with a message. `*ret_is_root` says whether
 * it is the guest's root itself. */
static char *find_target(entry_t *entry, const char *path, bool *ret_is_root)
{
    weir_text_t inner = {0}, target = {0};
    bool success = weir_path_add(&inner, path, WEIR_PARENTS_BOUNDED);
    if (success)
        weir_text_format(
            &target, "%s%s%s", entry->component->id, inner.size > 0 ? "/" : "", inner.size > 0 ? inner.bytes : "");
    else if (!inner.failed)
        fail(entry->preparation, entry->files, "leads out of what the guest sees",
            "write { source = \"...\", destination = \"/...\" }, with a destination that has no ..");
    *ret_is_root = inner.size == 0;
    weir_text_free(&inner);
    return success ? weir_text_take(&target) : NULL;
}

/* Make the directory `path` of the tree. */
static bool make_directory(entry_t *entry, const char *path)
{
    return weir_file_tree_add_directory(&entry->preparation->files.tree, path) ||
           fail_errno(entry->preparation, entry->files, "needs a directory that cannot be made");
}

/* Say why a file was not copied to `path` in the guest; errno is why. Always false. */
static bool fail_copy(entry_t *entry, const char *path)
{
    preparation_t *preparation = entry->preparation;
    const weir_files_t *files = entry->files;
    if (errno == EISDIR)
        return weir_complain(&preparation->message, preparation->manifest->path, files->place,
            "%s in \"files\": %s is not a valid destination file name, but a directory; add the file's name",
            weir_quote(files->source).text, weir_quote(path).text);
    if (errno == EFBIG)
        return fail(preparation, files, "is more than 8 GiB, with the files before it",
            "leave some out with exclude_files, or use --direct-mounts");
    if (errno == EINVAL)
        return fail(preparation, files, "is neither a file nor a directory", "only these can be given to a component");
    return fail_errno(preparation, files, "cannot be copied");
}

/* Copy the file `from` to `guest_path`. */
static bool copy_file(entry_t *entry, const char *from, const char *guest_path)
{
    preparation_t *preparation = entry->preparation;
    bool is_root;
    if (preparation->file_count++ >= WEIR_FILES_COUNT_MAX)
        return fail(preparation, entry->files, "is more than 262144 files, with those before it",
            "leave some out with exclude_files, or use --direct-mounts");
    if (!weir_file_links_check(&preparation->links, preparation->manifest, entry->files, from, &preparation->files))
        return false;
    char *target = find_target(entry, guest_path, &is_root);
    if (target == NULL)
        return false;
    /* A target has at least the component's directory before its name, but for the root. */
    char *slash = strrchr(target, '/');
    bool success = true;
    if (is_root || slash == NULL) {
        errno = EISDIR;
        success = fail_copy(entry, guest_path);
    } else {
        *slash = '\0';
        success = make_directory(entry, target);
        *slash = '/';
    }
    uint64_t size = 0;
    if (success && !weir_file_tree_add_file(
                       &preparation->files.tree, from, target, WEIR_FILES_BYTES_MAX - preparation->bytes, &size))
        success = fail_copy(entry, guest_path);
    preparation->bytes += size;
    free(target);
    return success;
}

/* A file that a walk found: a weir_walk_file_t. */
static bool take_file(void *context, const char *path)
{
    entry_t *entry = context;
    const weir_component_t *component = entry->component;
    weir_text_t seen = {0}, source = {0}, target = {0};
    weir_text_format(&seen, "%s%s%s", entry->below, entry->below[0] != '\0' ? "/" : "", path);
    weir_text_format(&source, "%s/%s", entry->source, path);
    weir_text_format(&target, "%s/%s", entry->target, entry->keeps_paths && !seen.failed ? seen.bytes : path);
    bool success = !seen.failed && !source.failed && !target.failed;
    bool excluded = false;
    entry->found = true;
    for (size_t i = 0; success && i < component->exclude_files_count; i++) {
        const char *pattern = component->exclude_files[i].text;
        if (excluded && entry->used[i])
            continue;
        if (weir_glob_matches(pattern, strlen(pattern), seen.bytes, seen.size))
            excluded = entry->used[i] = true;
    }
    if (success && !excluded)
        success = copy_file(entry, source.bytes, target.bytes);
    weir_text_free(&seen);
    weir_text_free(&source);
    weir_text_free(&target);
    return success;
}

/* Copy what a pattern finds. */
static bool copy_found(entry_t *entry, const char *pattern)
{
    char *fault = NULL;
    bool is_root;
    struct stat tree;
    if (fstat(entry->preparation->files.tree.descriptor, &tree) != 0)
        return fail_errno(entry->preparation, entry->files, "cannot be copied");
    char *target = find_target(entry, entry->target, &is_root);
    bool made = target != NULL && make_directory(entry, target);
    free(target);
    if (!made)
        return false;
    if (weir_file_walk(entry->source, pattern, &tree, take_file, entry, &fault))
        return true;
    preparation_t *preparation = entry->preparation;
    if (fault != NULL)
        weir_complain(&preparation->message, preparation->manifest->path, entry->files->place,
            "%s in \"files\" cannot be looked through: %s", weir_quote(entry->files->source).text, fault);
    free(fault);
    return false;
}

/* Copy what is below a directory. */
static bool copy_directory(entry_t *entry, const char *path, const char *below, const char *target, bool keeps_paths)
{
    entry->source = path;
    entry->below = below;
    entry->target = target;
    entry->keeps_paths = keeps_paths;
    return copy_found(entry, "**/*");
}

/* Say that a pattern finds nothing, which Spin is silent about. False when memory ran out. */
static bool warn_of_none(entry_t *entry)
{
    return warn(entry->preparation, entry->files->place,
        weir_words("%s in \"files\" finds no file; correct it, or build the component first, if its build makes them"),
        weir_quote(entry->files->source).text);
}

/* The same of patterns for what is left out; `used` is of the component, NULL when it has no files. */
static bool warn_of_unused(preparation_t *preparation, const weir_component_t *component, const bool *used)
{
    bool success = true;
    for (size_t i = 0; success && i < component->exclude_files_count; i++) {
        const weir_placed_text_t *pattern = &component->exclude_files[i];
        success = (used != NULL && used[i]) ||
                  warn(preparation, pattern->place,
                      weir_words("%s in \"exclude_files\" excludes no file that a pattern or directory of \"files\" "
                                 "finds; correct it, or leave it out"),
                      weir_quote(pattern->text).text);
    }
    return success;
}

/* What no file or directory is: a pattern. `below` is the same, from the manifest's directory on. */
static bool copy_matches(entry_t *entry, const char *below)
{
    const char *pattern = entry->files->source;
    if (!weir_glob_is_pattern(pattern))
        return fail(entry->preparation, entry->files, "does not exist", START);
    const char *fault = weir_glob_fault(pattern, strlen(pattern));
    if (fault != NULL)
        return fail(entry->preparation, entry->files, fault, "patterns are those of Rust's crate glob");
    if (pattern[strlen(pattern) - 1] == '/')
        return warn_of_none(entry); /* only directories */
    entry->source = entry->preparation->manifest->directory;
    entry->below = "";
    entry->target = "";
    entry->keeps_paths = true;
    return copy_found(entry, below) && (entry->found || warn_of_none(entry));
}

/* Say what Spin says of patterns that are rarely meant. False when memory ran out. */
static bool warn_of_all(entry_t *entry)
{
    const char *pattern = entry->files->source;
    if (strcmp(pattern, "*") == 0)
        return warn(entry->preparation, entry->files->place,
            weir_words("%s in \"files\" is all of the manifest's directory, which is rarely meant; write \"./*\" if it "
                       "is"),
            weir_quote(pattern).text);
    if (strcmp(pattern, "**/*") == 0)
        return warn(entry->preparation, entry->files->place,
            weir_words("%s in \"files\" is all below the manifest's directory, which is rarely meant; write \"./**/*\" "
                       "if it is"),
            weir_quote(pattern).text);
    return true;
}

/* A directory, a file or a pattern, whose files keep their paths (copy_glob_or_path). */
static bool copy_pattern(entry_t *entry)
{
    preparation_t *preparation = entry->preparation;
    const char *pattern = entry->files->source;
    const char *slash = strrchr(pattern, '/');
    const char *last = slash == NULL ? pattern : slash + 1;
    if (strcmp(last, "..") == 0 || strcmp(last, ".") == 0)
        return fail(preparation, entry->files, "ends in a directory that has no name of its own",
            "write { source = \"...\", destination = \"/...\" }, or a pattern that ends in **/*");
    if (!warn_of_all(entry))
        return false;
    char *found = find_path(preparation, pattern), *below = NULL;
    weir_below_t where = weir_path_below(preparation->manifest->directory, pattern, &below);
    bool success = found != NULL && where == WEIR_BELOW_YES;
    struct stat status;
    bool exists = found != NULL && stat(found, &status) == 0;
    if (where == WEIR_BELOW_ELSEWHERE || (success && exists && pattern[0] == '/'))
        success = fail(preparation, entry->files, "is absolute", "write it relative to the manifest's directory");
    else if (success && exists && S_ISDIR(status.st_mode))
        /* In Spin, such files have the directory in their paths twice; who uses it there looks for them so. */
        success = warn(preparation, entry->files->place,
                      weir_words("%s in \"files\" is a directory, which will be in the paths of its files twice, as in "
                                 "Spin; write { source = \"...\", destination = \"/...\" }, or a pattern that ends in "
                                 "**/*"),
                      weir_quote(pattern).text) &&
                  copy_directory(entry, found, below, pattern, true);
    else if (success && exists)
        success = copy_file(entry, found, pattern);
    else if (success)
        success = copy_matches(entry, below);
    free(found);
    free(below);
    return success;
}

/* { source = "file or directory", destination = "/in/guest" } (copy_file_or_directory) */
static bool copy_placement(entry_t *entry)
{
    preparation_t *preparation = entry->preparation;
    const weir_files_t *files = entry->files;
    char *path = find_path(preparation, files->source), *below = NULL;
    weir_below_t where = weir_path_below(preparation->manifest->directory, files->source, &below);
    bool success = path != NULL && where == WEIR_BELOW_YES;
    struct stat status;
    if (where == WEIR_BELOW_ELSEWHERE) {
        fail(preparation, files, "is absolute, and not below the manifest's directory",
            "write it relative to that directory");
    } else if (success && stat(path, &status) != 0) {
        success = false;
        if (errno == ENOENT || errno == ENOTDIR)
            fail(preparation, files, "does not exist", START);
        else
            fail_errno(preparation, files, "cannot be read");
    } else if (success && S_ISDIR(status.st_mode)) {
        success = copy_directory(entry, path, below, files->destination, false);
    } else if (success) {
        success = copy_file(entry, path, files->destination);
    }
    free(path);
    free(below);
    return success;
}

/* Add a mount, of copies of the strings. */
static bool add_mount(preparation_t *preparation, size_t index, const char *host_path, const char *guest_path)
{
    weir_component_files_t *files = &preparation->files.components[index];
    weir_files_mount_t *mounts = realloc(files->mounts, (files->mount_count + 1) * sizeof *mounts);
    if (mounts == NULL)
        return false;
    files->mounts = mounts;
    mounts[files->mount_count] =
        (weir_files_mount_t){weir_text_copy(host_path), weir_text_copy(guest_path), preparation->settings->writable};
    files->mount_count++;
    return mounts[files->mount_count - 1].host_path != NULL && mounts[files->mount_count - 1].guest_path != NULL;
}

/* Mount directories in place (resolve_direct_mount). */
static bool mount_directly(preparation_t *preparation, size_t index)
{
    const weir_component_t *component = &preparation->manifest->components[index];
    if (component->exclude_files_count > 0)
        return weir_complain(&preparation->message, preparation->manifest->path, component->exclude_files[0].place,
            "[component.%s] has exclude_files, which does not go with --direct-mounts; leave out one of them",
            weir_shown(component->id).text);
    for (size_t i = 0; i < component->files_count; i++) {
        const weir_files_t *files = &component->files[i];
        struct stat status;
        char *path = find_path(preparation, files->source);
        bool success = path != NULL;
        if (success && (stat(path, &status) != 0 || !S_ISDIR(status.st_mode)))
            success = fail(preparation, files, "is not a directory", "only directories go with --direct-mounts");
        success = success &&
                  add_mount(preparation, index, path, files->destination != NULL ? files->destination : files->source);
        free(path);
        if (!success)
            return false;
    }
    return true;
}

static bool make_tree(preparation_t *preparation, const weir_files_t *files)
{
    if (preparation->files.tree.path != NULL)
        return true;
    const char *parent = preparation->settings->temporary_directory;
    bool is_given = parent != NULL && parent[0] != '\0';
    if (!is_given)
        parent = getenv("TMPDIR");
    if (parent == NULL || parent[0] == '\0')
        parent = "/tmp";
    if (weir_file_tree_make(parent, &preparation->files.tree))
        return true;
    return weir_complain(&preparation->message, preparation->manifest->path, files->place,
        "a directory for copies of \"files\" cannot be made in %s: %m; %s one that can be written to",
        weir_quote(parent).text, is_given ? "give --temp" : "set TMPDIR to");
}

/* Copy a component's files, and mount the copy as its root. */
static bool copy_files(preparation_t *preparation, size_t index)
{
    const weir_component_t *component = &preparation->manifest->components[index];
    for (size_t i = 0; i < component->exclude_files_count; i++) {
        const weir_placed_text_t *pattern = &component->exclude_files[i];
        const char *fault = weir_glob_fault(pattern->text, strlen(pattern->text));
        if (fault != NULL)
            return weir_complain(&preparation->message, preparation->manifest->path, pattern->place,
                "%s in \"exclude_files\" %s", weir_quote(pattern->text).text, fault);
    }
    if (!make_tree(preparation, &component->files[0]))
        return false;
    if (!weir_file_tree_add_directory(&preparation->files.tree, component->id))
        return fail_errno(preparation, &component->files[0], "needs a directory that cannot be made");
    bool *used = calloc(component->exclude_files_count + 1, sizeof *used);
    bool success = used != NULL;
    for (size_t i = 0; success && i < component->files_count; i++) {
        entry_t entry = {
            .preparation = preparation, .component = component, .files = &component->files[i], .used = used};
        success = entry.files->destination == NULL ? copy_pattern(&entry) : copy_placement(&entry);
    }
    success = success && warn_of_unused(preparation, component, used);
    free(used);
    weir_text_t path = {0};
    weir_text_format(&path, "%s/%s", preparation->files.tree.path, component->id);
    success = success && !path.failed && add_mount(preparation, index, path.bytes, "/");
    weir_text_free(&path);
    return success;
}

static bool prepare(preparation_t *preparation)
{
    const weir_manifest_t *manifest = preparation->manifest;
    const weir_files_settings_t *settings = preparation->settings;
    preparation->files.components =
        calloc(manifest->component_count > 0 ? manifest->component_count : 1, sizeof *preparation->files.components);
    if (preparation->files.components == NULL)
        return false;
    preparation->files.component_count = manifest->component_count;
    for (size_t i = 0; i < manifest->component_count; i++) {
        const weir_component_t *component = &manifest->components[i];
        if (settings->selected != NULL && !settings->selected[i])
            continue;
        if (component->files_count == 0 && !warn_of_unused(preparation, component, NULL))
            return false;
        if (component->files_count > 0 &&
            !(settings->direct_mounts ? mount_directly(preparation, i) : copy_files(preparation, i)))
            return false;
    }
    if (!settings->direct_mounts || !settings->writable)
        return true;
    char *message = NULL;
    bool apart = weir_file_mounts_check(manifest, settings, preparation->files.components, &message);
    preparation->message = message;
    return apart;
}

bool weir_files_prepare(const weir_manifest_t *manifest, const weir_files_settings_t *settings,
    weir_files_prepared_t *ret_files, char **ret_message)
{
    preparation_t preparation = {.manifest = manifest, .settings = settings};
    bool success = prepare(&preparation);
    weir_file_links_free(&preparation.links);
    if (success) {
        *ret_files = preparation.files;
        return true;
    }
    weir_files_remove(&preparation.files);
    *ret_message = preparation.message;
    return false;
}

bool weir_files_remove(weir_files_prepared_t *files)
{
    bool removed = weir_file_tree_remove(&files->tree);
    for (size_t i = 0; i < files->component_count; i++) {
        for (size_t j = 0; j < files->components[i].mount_count; j++) {
            free(files->components[i].mounts[j].host_path);
            free(files->components[i].mounts[j].guest_path);
        }
        free(files->components[i].mounts);
    }
    for (size_t i = 0; i < files->warning_count; i++)
        free(files->warnings[i]);
    free(files->components);
    free(files->warnings);
    *files = (weir_files_prepared_t){0};
    return removed;
}
