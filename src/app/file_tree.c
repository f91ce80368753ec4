/*
 * file_tree.c: makes, fills and removes a private directory. Its name says whose it is, and a lock whether that one
 * still lives, so that what a killed process left behind is found.
 */
#include "app/file_tree.h"

#include "app/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_PREFIX "weir-files-"

/* What became of an entry of a directory. */
typedef enum removal {
    REMOVAL_DONE = 1,
    REMOVAL_NOT_EMPTY, /* a directory */
    REMOVAL_REFUSED,   /* errno says why */
} removal_t;

static removal_t remove_entry(int directory, const char *name)
{
    if (unlinkat(directory, name, 0) == 0 || errno == ENOENT)
        return REMOVAL_DONE;
    if (errno != EISDIR && errno != EPERM)
        return REMOVAL_REFUSED;
    if (unlinkat(directory, name, AT_REMOVEDIR) == 0)
        return REMOVAL_DONE;
    return errno == ENOTEMPTY || errno == EEXIST ? REMOVAL_NOT_EMPTY : REMOVAL_REFUSED;
}

/* Remove entries of a directory until there are none (`*ret_next` is then -1) or one is a directory that is not empty:
 * it is then opened. False with errno. */
static bool remove_entries(int descriptor, int *ret_next)
{
    int listed = openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = listed < 0 ? NULL : fdopendir(listed);
    if (directory == NULL) {
        int error = errno;
        if (listed >= 0)
            close(listed);
        errno = error;
        return false;
    }
    int next = -1;
    bool success = true, removed = true;
    while (success && next < 0 && removed) {
        struct dirent *entry;
        /* Again after each time that something was removed: what was there meanwhile may not have been listed. */
        removed = false;
        rewinddir(directory);
        while (success && next < 0 && (errno = 0, entry = readdir(directory)) != NULL) {
            if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                continue;
            removal_t removal = remove_entry(descriptor, entry->d_name);
            removed = true;
            if (removal == REMOVAL_NOT_EMPTY)
                next = openat(descriptor, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            success = removal == REMOVAL_DONE || next >= 0;
        }
        success = success && (next >= 0 || errno == 0);
    }
    int error = errno;
    closedir(directory);
    errno = error;
    *ret_next = next;
    return success;
}

/* Remove all that is in a directory, which is ours alone. It walks with few descriptors, however deep the tree is:
 * guests that may write could have made it so. What still runs could move the directory that it is in: the way up from
 * there ends at the top all the same, and goes up no more often than it went down. */
static bool empty(int descriptor)
{
    struct stat top, here = {0};
    if (fstat(descriptor, &top) != 0)
        return false;
    size_t depth = 0;
    int current = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    while (current >= 0) {
        int next = -1;
        bool success = fstat(current, &here) == 0 && remove_entries(current, &next);
        bool is_top = here.st_dev == top.st_dev && here.st_ino == top.st_ino;
        bool done = success && next < 0 && is_top;
        if (is_top)
            depth = 0;
        if (success && next >= 0) {
            depth++;
        } else if (success && !is_top && depth == 0) {
            errno = EBUSY;
            success = false;
        } else if (success && !is_top) {
            depth--;
            next = openat(current, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        }
        int error = errno;
        close(current);
        errno = error;
        if (done || !success)
            return done;
        current = next;
    }
    return false;
}

/* Open a directory of this user's that nobody else can enter, and lock it; -1 when it is none or somebody uses it.
 * Where directories cannot be locked (some network file systems), `is_own` says that it is ours all the same. */
static int claim(int parent, const char *name, bool is_own)
{
    struct stat status;
    int descriptor = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (descriptor < 0)
        return -1;
    bool is_private = fstat(descriptor, &status) == 0 && status.st_uid == geteuid() && (status.st_mode & 0777) == 0700;
    bool is_claimed = is_private && (flock(descriptor, LOCK_EX | LOCK_NB) == 0 || (is_own && errno != EWOULDBLOCK));
    if (is_claimed && fstat(descriptor, &status) == 0 && status.st_nlink > 0)
        return descriptor;
    close(descriptor);
    return -1;
}

/* Remove what processes left behind that are no more. */
static void sweep(const char *parent)
{
    DIR *directory = opendir(parent);
    if (directory == NULL)
        return;
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        if (strncmp(entry->d_name, NAME_PREFIX, sizeof NAME_PREFIX - 1) != 0)
            continue;
        int descriptor = claim(dirfd(directory), entry->d_name, false);
        if (descriptor < 0)
            continue;
        if (empty(descriptor))
            unlinkat(dirfd(directory), entry->d_name, AT_REMOVEDIR);
        close(descriptor);
    }
    closedir(directory);
}

bool weir_file_tree_make(const char *parent, weir_file_tree_t *ret_tree)
{
    sweep(parent);
    /* Another process's sweep may take a directory between its making and its locking. */
    for (int attempt = 0; attempt < 8; attempt++) {
        weir_text_t path = {0};
        weir_text_format(&path, "%s/" NAME_PREFIX "XXXXXX", parent);
        if (path.failed) {
            errno = ENOMEM;
            return false;
        }
        if (mkdtemp(path.bytes) == NULL) {
            int error = errno;
            weir_text_free(&path);
            errno = error;
            return false;
        }
        int descriptor = claim(AT_FDCWD, path.bytes, true);
        if (descriptor >= 0) {
            *ret_tree = (weir_file_tree_t){weir_text_take(&path), descriptor};
            return true;
        }
        rmdir(path.bytes);
        weir_text_free(&path);
    }
    errno = EBUSY;
    return false;
}

bool weir_file_tree_remove(weir_file_tree_t *tree)
{
    if (tree->path == NULL)
        return true;
    bool removed = empty(tree->descriptor) && rmdir(tree->path) == 0;
    int error = errno;
    close(tree->descriptor);
    free(tree->path);
    *tree = (weir_file_tree_t){0};
    errno = error;
    return removed;
}

bool weir_file_tree_add_directory(const weir_file_tree_t *tree, const char *path)
{
    char *copy = weir_text_copy(path);
    if (copy == NULL) {
        errno = ENOMEM;
        return false;
    }
    bool success = true;
    size_t depth = 0;
    for (char *slash = copy; success && slash != NULL;) {
        slash = strchr(slash, '/');
        if (slash != NULL)
            *slash = '\0';
        struct stat status;
        if (++depth > WEIR_TREE_DEPTH_MAX) {
            errno = ENAMETOOLONG;
            success = false;
        } else if (mkdirat(tree->descriptor, copy, 0700) != 0) {
            success = errno == EEXIST && fstatat(tree->descriptor, copy, &status, AT_SYMLINK_NOFOLLOW) == 0;
            if (success && !S_ISDIR(status.st_mode)) {
                errno = ENOTDIR;
                success = false;
            }
        }
        if (slash != NULL)
            *slash++ = '/';
    }
    int error = errno;
    free(copy);
    errno = error;
    return success;
}

/* Copy from where `from` is to where `to` is, until its end. */
static bool copy_bytes(int from, int to, uint64_t limit, uint64_t *ret_size)
{
    uint64_t size = 0;
    bool in_kernel = true;
    char buffer[1 << 16];
    for (;;) {
        ssize_t count;
        if (in_kernel) {
            count = copy_file_range(from, NULL, to, NULL, 1 << 30, 0);
            /* Some file systems cannot, and some say so by copying nothing. */
            if (count < 0 || (count == 0 && size == 0)) {
                if (count < 0 && errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP &&
                    errno != EPERM && errno != EBADF && errno != ETXTBSY)
                    return false;
                in_kernel = false;
                continue;
            }
        } else {
            count = read(from, buffer, sizeof buffer);
            if (count < 0 && errno == EINTR)
                continue;
            for (ssize_t written = 0; count > 0 && written < count;) {
                ssize_t more = write(to, buffer + written, (size_t)(count - written));
                if (more < 0 && errno != EINTR)
                    return false;
                written += more > 0 ? more : 0;
            }
        }
        if (count < 0)
            return false;
        if (count == 0)
            break;
        size += (uint64_t)count;
        if (size > limit) {
            errno = EFBIG;
            return false;
        }
    }
    *ret_size = size;
    return true;
}

static bool copy(int from, int to, uint64_t limit, uint64_t *ret_size)
{
    struct stat status;
    if (fstat(from, &status) != 0)
        return false;
    if (!S_ISREG(status.st_mode)) {
        errno = EINVAL;
        return false;
    }
    if ((uint64_t)status.st_size > limit) {
        errno = EFBIG;
        return false;
    }
    /* What a guest may do with it is for the mount to say; its owner can always remove it. */
    if (fchmod(to, (status.st_mode & 0777) | 0600) != 0)
        return false;
    if (ioctl(to, FICLONE, from) == 0 && fstat(to, &status) == 0) {
        *ret_size = (uint64_t)status.st_size;
        return true;
    }
    return copy_bytes(from, to, limit, ret_size);
}

bool weir_file_tree_add_file(
    const weir_file_tree_t *tree, const char *source, const char *path, uint64_t limit, uint64_t *ret_size)
{
    /* Not blocking, so that a FIFO does not hold up the start before it is seen to be one. */
    int from = open(source, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (from < 0)
        return false;
    /* In place of what is there, which may be read-only. */
    bool success = unlinkat(tree->descriptor, path, 0) == 0 || errno == ENOENT;
    if (!success && errno == EPERM)
        errno = EISDIR;
    int to = !success ? -1 : openat(tree->descriptor, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    success = to >= 0 && copy(from, to, limit, ret_size);
    int error = errno;
    if (to >= 0)
        close(to);
    if (to >= 0 && !success)
        unlinkat(tree->descriptor, path, 0);
    close(from);
    errno = error;
    return success;
}
