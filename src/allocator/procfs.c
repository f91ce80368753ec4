/*
 * procfs.c: reads the small text files of /proc and /sys below a root directory.
 */
#include "allocator/procfs.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool path_join(char *buffer, size_t size, const char *root, const char *path)
{
    int length = snprintf(buffer, size, "%s%s", root, path);
    return length > 0 && (size_t)length < size;
}

int weir_procfs_open(const char *root, const char *path)
{
    char full[PATH_MAX];
    if (!path_join(full, sizeof full, root, path)) {
        return -1;
    }
    return open(full, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

bool weir_procfs_read_bytes(const char *root, const char *path, char *buffer, size_t size, size_t *ret_length)
{
    int descriptor = size == 0 ? -1 : weir_procfs_open(root, path);
    if (descriptor < 0) {
        return false;
    }
    size_t used = 0;
    bool ended = false;
    while (used < size) {
        ssize_t got = read(descriptor, buffer + used, size - used);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            ended = got == 0;
            break;
        }
        used += (size_t)got;
    }
    close(descriptor);
    if (!ended || used == size) {
        return false;
    }
    buffer[used] = '\0';
    *ret_length = used;
    return true;
}

bool weir_procfs_read(const char *root, const char *path, char *buffer, size_t size)
{
    size_t length;
    return weir_procfs_read_bytes(root, path, buffer, size, &length) && memchr(buffer, '\0', length) == NULL;
}

int weir_procfs_exists(const char *root, const char *path)
{
    char full[PATH_MAX];
    if (!path_join(full, sizeof full, root, path)) {
        return -1;
    }
    /* Not faccessat, for which the C library may use a call that older seccomp filters refuse. */
    if (access(full, F_OK) == 0) {
        return 1;
    }
    return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
}

bool weir_procfs_take_number(const char **text, uint64_t *ret_value)
{
    const char *at = *text;
    uint64_t value = 0;
    if (!isdigit((unsigned char)*at)) {
        return false;
    }
    for (; isdigit((unsigned char)*at); at++) {
        unsigned digit = (unsigned)(*at - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *text = at;
    *ret_value = value;
    return true;
}

bool weir_procfs_number(const char *text, uint64_t *ret_value)
{
    uint64_t value;
    text += strspn(text, " \t\n");
    if (!weir_procfs_take_number(&text, &value)) {
        return false;
    }
    if (text[strspn(text, " \t\n")] != '\0') {
        return false;
    }
    *ret_value = value;
    return true;
}

const char *weir_procfs_line(const char *text, const char *name, char separator)
{
    size_t length = strlen(name);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n' ? 1 : 0;
        if (strncmp(line, name, length) == 0 && line[length] == separator) {
            return line + length + 1;
        }
    }
    return NULL;
}

bool weir_procfs_kibibytes(const char *text, const char *name, uint64_t *ret_bytes)
{
    uint64_t value;
    const char *at = weir_procfs_line(text, name, ':');
    if (at == NULL) {
        return false;
    }
    at += strspn(at, " \t");
    if (!weir_procfs_take_number(&at, &value) || value > UINT64_MAX / 1024) {
        return false;
    }
    if (strncmp(at, " kB", 3) != 0 || (at[3] != '\n' && at[3] != '\0')) {
        return false;
    }
    *ret_bytes = value * 1024;
    return true;
}

bool weir_procfs_statistic(const char *text, const char *name, uint64_t *ret_value)
{
    uint64_t value;
    const char *at = weir_procfs_line(text, name, ' ');
    if (at == NULL || !weir_procfs_take_number(&at, &value) || (*at != '\n' && *at != '\0')) {
        return false;
    }
    *ret_value = value;
    return true;
}

bool weir_procfs_link(const char *root, const char *path, char *buffer, size_t size)
{
    char full[PATH_MAX];
    if (!path_join(full, sizeof full, root, path)) {
        return false;
    }
    ssize_t length = readlink(full, buffer, size);
    if (length <= 0 || (size_t)length >= size) {
        return false;
    }
    buffer[length] = '\0';
    return true;
}

bool weir_procfs_same_link(const char *root, const char *first, const char *second, bool *ret_same)
{
    char one[PATH_MAX];
    char other[PATH_MAX];
    if (!weir_procfs_link(root, first, one, sizeof one) || !weir_procfs_link(root, second, other, sizeof other)) {
        return false;
    }
    *ret_same = strcmp(one, other) == 0;
    return true;
}
