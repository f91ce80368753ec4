/*
 * cgroup_find.c: finds the control groups that this process is in.
 *
 * /proc/self/cgroup names the group within its hierarchy, /proc/self/mountinfo says where a hierarchy, or the part of
 * it that a container may see, is mounted (proc(5), cgroups(7)).
 */
#include "allocator/cgroup.h"

#include <string.h>

/* A machine with thousands of containers has megabytes of mounts. */
static const uint64_t groups_bytes_max = UINT64_C(1) << 20;
static const uint64_t mounts_bytes_max = UINT64_C(1) << 26;

/* What a line of a hierarchy names, in the order of WEIR_CGROUP_V2 and so on; NULL: it is that of v2. */
static const char *const controllers[WEIR_CGROUP_HIERARCHIES] = {
    [WEIR_CGROUP_V2] = NULL, [WEIR_CGROUP_V1] = "memory", [WEIR_CGROUP_V1_PIDS] = "pids"};

/* Whether `word` is one of the words of a list that commas separate. */
static bool list_contains(const char *list, size_t length, const char *word)
{
    size_t word_length = strlen(word);
    while (length > 0) {
        const char *comma = memchr(list, ',', length);
        size_t part = comma == NULL ? length : (size_t)(comma - list);
        if (part == word_length && memcmp(list, word, part) == 0) {
            return true;
        }
        part += comma == NULL ? 0 : 1;
        list += part;
        length -= part;
    }
    return false;
}

/* The process's path in a hierarchy, from its line "4:memory:/path", or "0::/path" for v2. */
static void take_path(const weir_line_t *line, const char *controller, char *path)
{
    const char *end = line->text + line->length;
    const char *first = memchr(line->text, ':', line->length);
    const char *second = first == NULL ? NULL : memchr(first + 1, ':', (size_t)(end - (first + 1)));
    if (second == NULL || line->cut) {
        return;
    }
    size_t named = (size_t)(second - first - 1);
    bool first_is_zero = first == line->text + 1 && line->text[0] == '0';
    bool match = controller == NULL ? first_is_zero && named == 0 : list_contains(first + 1, named, controller);
    size_t length = (size_t)(end - (second + 1));
    if (!match || length == 0 || second[1] != '/' || length >= PATH_MAX) {
        return;
    }
    memcpy(path, second + 1, length);
    path[length] = '\0';
}

static bool find_paths(weir_lines_t *lines, weir_cgroups_t *groups)
{
    weir_line_t line;
    while (weir_lines_next(lines, &line)) {
        if (memchr(line.text, '\0', line.length) != NULL) {
            return false;
        }
        for (size_t i = 0; i < WEIR_CGROUP_HIERARCHIES; i++) {
            if (groups->places[i].path[0] == '\0') {
                take_path(&line, controllers[i], groups->places[i].path);
            }
        }
    }
    return !lines->failed;
}

/* Copy a field of mountinfo, in which \040 and the like stand for white space. */
static bool unescape(const char *from, size_t length, char *to, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        char byte = from[i];
        if (byte == '\\' && length - i > 3 && from[i + 1] >= '0' && from[i + 1] <= '3' && from[i + 2] >= '0' &&
            from[i + 2] <= '7' && from[i + 3] >= '0' && from[i + 3] <= '7') {
            byte = (char)((from[i + 1] - '0') << 6 | (from[i + 2] - '0') << 3 | (from[i + 3] - '0'));
            i += 3;
        }
        if (used + 1 >= size || byte == '\0') {
            return false;
        }
        to[used++] = byte;
    }
    to[used] = '\0';
    return true;
}

typedef struct field {
    const char *start;
    size_t length;
} field_t;

static bool field_is(field_t field, const char *word)
{
    return field.length == strlen(word) && memcmp(field.start, word, field.length) == 0;
}

/* One line of mountinfo: id, parent, device, root, mount point, options, optional fields, "-", type, source, options.
 */
static bool mount_matches(const weir_line_t *line, const char *controller, char *mount_root, char *mount_at)
{
    field_t fields[32];
    size_t count = 0;
    size_t dash = 0;
    for (size_t at = 0; at < line->length && count < sizeof fields / sizeof fields[0];) {
        const char *start = line->text + at;
        const char *blank = memchr(start, ' ', line->length - at);
        size_t length = blank == NULL ? line->length - at : (size_t)(blank - start);
        fields[count] = (field_t){start, length};
        if (count >= 6 && dash == 0 && field_is(fields[count], "-")) {
            dash = count;
        }
        count++;
        at += length + 1;
    }
    if (dash == 0 || count < dash + 4 || !field_is(fields[dash + 1], controller == NULL ? "cgroup2" : "cgroup")) {
        return false;
    }
    if (controller != NULL && !list_contains(fields[dash + 3].start, fields[dash + 3].length, controller)) {
        return false;
    }
    return unescape(fields[3].start, fields[3].length, mount_root, PATH_MAX) &&
           unescape(fields[4].start, fields[4].length, mount_at, PATH_MAX);
}

/* What of `path` lies below the mount: a container sees only a part of the hierarchy. */
static const char *relative(const char *path, const char *mount_root)
{
    size_t length = strcmp(mount_root, "/") == 0 ? 0 : strlen(mount_root);
    bool below = strncmp(path, mount_root, length) == 0 && (path[length] == '/' || path[length] == '\0');
    if (!below || strstr(path, "/..") != NULL || strcmp(path + length, "/") == 0) {
        return "";
    }
    return path + length;
}

/* Where the files of this process's group are, when the line is the hierarchy's mount. */
static void take_mount(const weir_line_t *line, const char *controller, weir_cgroup_place_t *place)
{
    char mount_root[PATH_MAX];
    char mount_at[PATH_MAX];
    if (!mount_matches(line, controller, mount_root, mount_at)) {
        return;
    }
    size_t top = strlen(mount_at);
    const char *below = relative(place->path, mount_root);
    size_t length = strlen(below);
    if (top + length >= sizeof place->directory) {
        return;
    }
    memcpy(place->directory, mount_at, top);
    memcpy(place->directory + top, below, length + 1);
    place->top = top;
    place->whole = strcmp(mount_root, "/") == 0;
}

static bool find_mounts(weir_lines_t *lines, weir_cgroups_t *groups)
{
    weir_line_t line;
    for (;;) {
        bool wanting = false;
        for (size_t i = 0; i < WEIR_CGROUP_HIERARCHIES; i++) {
            wanting = wanting || (groups->places[i].path[0] != '\0' && groups->places[i].directory[0] == '\0');
        }
        if (!wanting || !weir_lines_next(lines, &line)) {
            return !lines->failed;
        }
        if (memchr(line.text, '\0', line.length) != NULL) {
            return false;
        }
        for (size_t i = 0; i < WEIR_CGROUP_HIERARCHIES; i++) {
            weir_cgroup_place_t *place = &groups->places[i];
            if (place->path[0] != '\0' && place->directory[0] == '\0') {
                take_mount(&line, controllers[i], place);
            }
        }
    }
}

static void forget_all(weir_cgroups_t *groups)
{
    for (size_t i = 0; i < WEIR_CGROUP_HIERARCHIES; i++) {
        groups->places[i].path[0] = '\0';
        groups->places[i].directory[0] = '\0';
        groups->places[i].top = 0;
        groups->places[i].whole = false;
    }
}

bool weir_cgroup_parse(weir_lines_t *groups, weir_lines_t *mounts, weir_cgroups_t *ret_groups)
{
    forget_all(ret_groups);
    return find_paths(groups, ret_groups) && find_mounts(mounts, ret_groups);
}

void weir_cgroup_find(const char *root, weir_cgroups_t *ret_groups)
{
    weir_lines_t lines;
    forget_all(ret_groups);
    if (!weir_lines_open(&lines, root, "/proc/self/cgroup", '\n', groups_bytes_max)) {
        return;
    }
    bool found = find_paths(&lines, ret_groups);
    weir_lines_close(&lines);
    if (!found) {
        forget_all(ret_groups);
        return;
    }
    if (!weir_lines_open(&lines, root, "/proc/self/mountinfo", '\n', mounts_bytes_max)) {
        return;
    }
    found = find_mounts(&lines, ret_groups);
    weir_lines_close(&lines);
    for (size_t i = 0; i < WEIR_CGROUP_HIERARCHIES && !found; i++) {
        ret_groups->places[i].directory[0] = '\0';
    }
}
