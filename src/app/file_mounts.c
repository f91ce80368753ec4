/*
 * file_mounts.c: follows paths as the kernel does, and sees whether anything on the way is looked up where guests may
 * write.
 */
#include "app/file_mounts.h"

#include "app/complaint.h"
#include "app/text.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINKS_MAX = 40 }; /* path_resolution(7) */

/* A mount; directories are the same when device and inode are, whatever their paths. */
typedef struct mount {
    const char *path;
    const weir_files_t *files;
    dev_t device;
    ino_t inode;
} mount_t;

typedef struct mounts {
    mount_t *list; /* own */
    size_t count;
} mounts_t;

/* The mount that the directory `here`, without links in it, is or is below; NULL: none. */
static const mount_t *find_mount(const mounts_t *mounts, weir_text_t *here)
{
    for (size_t size = here->size;; size--) {
        struct stat status;
        char behind = here->bytes[size];
        here->bytes[size] = '\0';
        bool found = stat(size > 0 ? here->bytes : "/", &status) == 0;
        here->bytes[size] = behind;
        for (size_t i = 0; found && i < mounts->count; i++) {
            if (mounts->list[i].device == status.st_dev && mounts->list[i].inode == status.st_ino)
                return &mounts->list[i];
        }
        while (size > 0 && here->bytes[size - 1] != '/')
            size--;
        if (size == 0)
            return NULL;
    }
}

/* Put the target of a link before the rest of a path. */
static void follow(weir_text_t *rest, size_t at, const char *target, size_t size)
{
    weir_text_t whole = {0};
    weir_text_add(&whole, target, size);
    weir_text_format(&whole, "/%s", rest->bytes + at);
    weir_text_free(rest);
    *rest = whole;
}

/*
 * The first mount that the way to `path` passes: below which a name on it is looked up. What is not there is taken for
 * no link. False: memory ran out.
 */
static bool find_on_way(const mounts_t *mounts, const char *path, const mount_t **ret_mount)
{
    weir_text_t here = {0}, rest = {0};
    char *start = path[0] == '/' ? weir_text_copy("") : getcwd(NULL, 0);
    weir_text_add(&here, "", 0);
    weir_text_format(&rest, "%s/%s", start != NULL ? start : "", path);
    const mount_t *mount = NULL;
    unsigned links = 0;
    for (size_t at = 0; start != NULL && mount == NULL && !here.failed && !rest.failed && rest.bytes[at] != '\0';) {
        const char *name = rest.bytes + at;
        size_t size = strcspn(name, "/"), above = here.size;
        at += size + (name[size] == '/' ? 1 : 0);
        if (size == 0 || (size == 1 && name[0] == '.'))
            continue;
        if (size == 2 && memcmp(name, "..", 2) == 0) {
            const char *slash = strrchr(here.bytes, '/');
            weir_text_truncate(&here, slash == NULL ? 0 : (size_t)(slash - here.bytes));
            continue;
        }
        mount = find_mount(mounts, &here);
        weir_text_add(&here, "/", 1);
        weir_text_add(&here, name, size);
        char target[PATH_MAX];
        ssize_t target_size = here.failed ? -1 : readlink(here.bytes, target, sizeof target);
        if (target_size > 0 && (size_t)target_size < sizeof target && links++ < LINKS_MAX) {
            weir_text_truncate(&here, target[0] == '/' ? 0 : above);
            follow(&rest, at, target, (size_t)target_size);
            at = 0;
        }
    }
    bool success = start != NULL && !here.failed && !rest.failed;
    if (success)
        *ret_mount = mount;
    free(start);
    weir_text_free(&here);
    weir_text_free(&rest);
    return success;
}

static bool list_mounts(const weir_manifest_t *manifest, const weir_component_files_t *components, mounts_t *ret_mounts)
{
    size_t count = 0;
    for (size_t i = 0; i < manifest->component_count; i++)
        count += components[i].mount_count;
    mounts_t mounts = {calloc(count + 1, sizeof *mounts.list), 0};
    for (size_t i = 0; mounts.list != NULL && i < manifest->component_count; i++) {
        for (size_t j = 0; j < components[i].mount_count; j++) {
            const char *path = components[i].mounts[j].host_path;
            struct stat status;
            if (stat(path, &status) == 0)
                mounts.list[mounts.count++] =
                    (mount_t){path, &manifest->components[i].files[j], status.st_dev, status.st_ino};
        }
    }
    *ret_mounts = mounts;
    return mounts.list != NULL;
}

#define ELSE "or leave out --allow-transient-write"

static bool check_mounts(const weir_manifest_t *manifest, const mounts_t *mounts, char **ret_message)
{
    for (size_t i = 0; i < mounts->count; i++) {
        const mount_t *passed, *mount = &mounts->list[i];
        if (!find_on_way(mounts, mount->path, &passed))
            return false;
        if (passed != NULL)
            return weir_complain(ret_message, manifest->path, passed->files->place,
                "%s in \"files\" contains the way to %s, which is mounted too (line %u): a guest that may write could "
                "put a link to anywhere in its place; mount directories that are not within one another, " ELSE,
                weir_quote(passed->files->source).text, weir_quote(mount->files->source).text,
                (unsigned)mount->files->place.line);
    }
    return true;
}

static bool check_kept(
    const weir_manifest_t *manifest, const mounts_t *mounts, const weir_kept_directory_t *kept, char **ret_message)
{
    weir_text_t within = {0};
    const mount_t *passed = NULL;
    weir_text_format(&within, "%s/_", kept->path); /* as for what is in it */
    bool success = !within.failed && find_on_way(mounts, within.bytes, &passed);
    weir_text_free(&within);
    if (success && passed != NULL)
        return weir_complain(ret_message, manifest->path, passed->files->place,
            "%s in \"files\" contains the way to %s, where weir keeps %s: a guest that may write could put a link to "
            "anywhere in its place; %s, mount another directory, " ELSE,
            weir_quote(passed->files->source).text, weir_quote(kept->path).text, kept->what, kept->remedy);
    return success;
}

bool weir_file_mounts_check(const weir_manifest_t *manifest, const weir_files_settings_t *settings,
    const weir_component_files_t *components, char **ret_message)
{
    mounts_t mounts;
    bool success = list_mounts(manifest, components, &mounts) && check_mounts(manifest, &mounts, ret_message);
    for (size_t i = 0; success && i < settings->kept_count; i++)
        success = check_kept(manifest, &mounts, &settings->kept[i], ret_message);
    free(mounts.list);
    return success;
}
