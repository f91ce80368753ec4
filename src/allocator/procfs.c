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

enum { MAPS_LINES_MAX = 4 << 20 };

static bool path_join(char *buffer, size_t size, const char *root, const char *path)
{
    int length = snprintf(buffer, size, "%s%s", root, path);
    return length > 0 && (size_t)length < size;
}

bool weir_procfs_read(const char *root, const char *path, char *buffer, size_t size)
{
    char full[PATH_MAX];
    if (size == 0 || !path_join(full, sizeof full, root, path)) {
        return false;
    }
    /* O_NONBLOCK: a FIFO in the place of a file must not hold the program up. */
    int descriptor = open(full, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
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
    return memchr(buffer, '\0', used) == NULL;
}

/* Decimal digits at `*text`, which is moved behind them. */
static bool take_number(const char **text, uint64_t *ret_value)
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
    if (!take_number(&text, &value)) {
        return false;
    }
    if (text[strspn(text, " \t\n")] != '\0') {
        return false;
    }
    *ret_value = value;
    return true;
}

/* What follows `name` and `separator` on the line that begins with them, or NULL. */
static const char *line_value(const char *text, const char *name, char separator)
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
    const char *at = line_value(text, name, ':');
    if (at == NULL) {
        return false;
    }
    at += strspn(at, " \t");
    if (!take_number(&at, &value) || value > UINT64_MAX / 1024) {
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
    const char *at = line_value(text, name, ' ');
    if (at == NULL || !take_number(&at, &value) || (*at != '\n' && *at != '\0')) {
        return false;
    }
    *ret_value = value;
    return true;
}

/* "55ff24ba0000-55ff24ba1000 r--p ...": the second address. */
static bool maps_line_end(const char *line, uint64_t *ret_end)
{
    uint64_t address[2] = {0, 0};
    for (unsigned i = 0; i < 2; i++) {
        unsigned digits = 0;
        for (; isxdigit((unsigned char)*line); line++, digits++) {
            unsigned char byte = (unsigned char)*line;
            unsigned digit = (unsigned)(isdigit(byte) ? byte - '0' : tolower(byte) - 'a' + 10);
            address[i] = address[i] << 4 | digit;
        }
        if (digits == 0 || digits > 16 || *line != (i == 0 ? '-' : ' ')) {
            return false;
        }
        line++;
    }
    *ret_end = address[1];
    return address[0] < address[1];
}

static bool maps_parse(FILE *file, weir_procfs_maps_t *maps)
{
    char line[512];
    bool begins = true; /* a line longer than the buffer comes in parts, and only its first counts */
    while (fgets(line, sizeof line, file) != NULL) {
        size_t length = strlen(line);
        bool ends = length > 0 && line[length - 1] == '\n';
        uint64_t end;
        if (begins) {
            if (!maps_line_end(line, &end) || ++maps->count > MAPS_LINES_MAX) {
                return false;
            }
            if (ends && length > 8 && strcmp(line + length - 8, "[stack]\n") == 0) {
                maps->stack_end = end;
            }
        }
        begins = ends;
    }
    return !ferror(file) && maps->count > 0;
}

bool weir_procfs_maps_read(const char *root, const char *path, weir_procfs_maps_t *ret_maps)
{
    char full[PATH_MAX];
    weir_procfs_maps_t maps = {0, 0};
    if (!path_join(full, sizeof full, root, path)) {
        return false;
    }
    int descriptor = open(full, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (descriptor < 0) {
        return false;
    }
    FILE *file = fdopen(descriptor, "r");
    if (file == NULL) {
        close(descriptor);
        return false;
    }
    bool understood = maps_parse(file, &maps);
    fclose(file);
    if (understood) {
        *ret_maps = maps;
    }
    return understood;
}

static bool link_read(const char *root, const char *path, char *buffer, size_t size)
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
    if (!link_read(root, first, one, sizeof one) || !link_read(root, second, other, sizeof other)) {
        return false;
    }
    *ret_same = strcmp(one, other) == 0;
    return true;
}
