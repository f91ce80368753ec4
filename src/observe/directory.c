/*
 * directory.c: the directories above a path, made one after the other.
 */
#include "observe/directory.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

bool weir_directory_make_parents(const char *path, mode_t mode)
{
    char copy[PATH_MAX];
    size_t size = strlen(path);
    if (size >= sizeof copy) {
        errno = ENAMETOOLONG; /* as the system would say of all of it */
        return false;
    }
    memcpy(copy, path, size + 1);
    for (size_t at = strspn(copy, "/");;) {
        at += strcspn(copy + at, "/");
        size_t next = at + strspn(copy + at, "/");
        if (copy[next] == '\0')
            return true;
        copy[at] = '\0';
        if (mkdir(copy, mode) < 0 && errno != EEXIST)
            return false;
        copy[at] = '/';
        at = next;
    }
}
