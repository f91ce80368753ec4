/*
 * cgroup.c: the memory limit of the control groups that this process is in.
 *
 * /proc/self/cgroup names the group within its hierarchy, /proc/self/mountinfo says where a hierarchy, or the part of
 * it that a container may see, is mounted (proc(5), cgroups(7)). A limit binds all groups below it, so every ancestor
 * that is visible is asked.
 */
#include "allocator/cgroup.h"

#include "allocator/procfs.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 64, LIST_BYTES = 64 * 1024, MOUNTS_BYTES = 512 * 1024, STATISTICS_BYTES = 16 * 1024 };

/* In v1 no limit reads as the largest number of whole pages. */
static const uint64_t v1_unlimited = UINT64_C(1) << 62;

typedef struct hierarchy {
    bool v2;
    const char *limit_file;
    const char *usage_file;
    const char *cache_field; /* of memory.stat: page cache that is given up first */
    const char *limit_source;
    const char *usage_source;
} hierarchy_t;

static const hierarchy_t hierarchies[] = {
    {true, "memory.max", "memory.current", "inactive_file", "cgroup v2 memory.max",
        "cgroup v2 memory.current without inactive_file"},
    {false, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file", "cgroup v1 memory.limit_in_bytes",
        "cgroup v1 memory.usage_in_bytes without total_inactive_file"},
};

typedef struct finding {
    weir_knowledge_t knowledge;
    uint64_t limit;
    uint64_t used;
    bool used_known;
    const hierarchy_t *hierarchy;
} finding_t;

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

/* The process's path in a hierarchy: from a line "4:memory:/path", or "0::/path" for v2. */
static bool group_path(const char *text, const hierarchy_t *hierarchy, char *path, size_t size)
{
    for (const char *line = text; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        const char *first = memchr(line, ':', length);
        const char *second = first == NULL ? NULL : memchr(first + 1, ':', length - (size_t)(first + 1 - line));
        if (second != NULL) {
            size_t controllers = (size_t)(second - first - 1);
            bool match = hierarchy->v2 ? controllers == 0 : list_contains(first + 1, controllers, "memory");
            size_t path_length = length - (size_t)(second + 1 - line);
            if (match && path_length > 0 && second[1] == '/' && path_length < size) {
                memcpy(path, second + 1, path_length);
                path[path_length] = '\0';
                return true;
            }
        }
        line += length;
        line += *line == '\n' ? 1 : 0;
    }
    return false;
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
static bool mount_matches(
    const char *line, size_t length, const hierarchy_t *hierarchy, char *mount_root, char *mount_at)
{
    field_t fields[32];
    size_t count = 0;
    size_t dash = 0;
    for (size_t at = 0; at < length && count < sizeof fields / sizeof fields[0];) {
        size_t end = at;
        while (end < length && line[end] != ' ') {
            end++;
        }
        fields[count] = (field_t){line + at, end - at};
        if (count >= 6 && dash == 0 && field_is(fields[count], "-")) {
            dash = count;
        }
        count++;
        at = end + 1;
    }
    if (dash == 0 || count < dash + 4) {
        return false;
    }
    if (!field_is(fields[dash + 1], hierarchy->v2 ? "cgroup2" : "cgroup")) {
        return false;
    }
    if (!hierarchy->v2 && !list_contains(fields[dash + 3].start, fields[dash + 3].length, "memory")) {
        return false;
    }
    return unescape(fields[3].start, fields[3].length, mount_root, PATH_MAX) &&
           unescape(fields[4].start, fields[4].length, mount_at, PATH_MAX);
}

static bool find_mount(const char *text, const hierarchy_t *hierarchy, char *mount_root, char *mount_at)
{
    for (const char *line = text; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        if (mount_matches(line, length, hierarchy, mount_root, mount_at)) {
            return true;
        }
        line += length;
        line += *line == '\n' ? 1 : 0;
    }
    return false;
}

/* Cut `path` down to what lies below the mount: a container sees only a part of the hierarchy. */
static void make_relative(char *path, const char *mount_root)
{
    size_t length = strcmp(mount_root, "/") == 0 ? 0 : strlen(mount_root);
    bool below = strncmp(path, mount_root, length) == 0 && (path[length] == '/' || path[length] == '\0');
    if (!below || strstr(path, "/..") != NULL) {
        path[0] = '\0';
        return;
    }
    memmove(path, path + length, strlen(path + length) + 1);
    if (strcmp(path, "/") == 0) {
        path[0] = '\0';
    }
}

static bool read_in_group(
    const char *root, const char *mount_at, const char *path, const char *file, char *buffer, size_t size)
{
    char full[PATH_MAX];
    int length = snprintf(full, sizeof full, "%s%s/%s", mount_at, path, file);
    return length > 0 && (size_t)length < sizeof full && weir_procfs_read(root, full, buffer, size);
}

static void ask_group(const char *root, const char *mount_at, const char *path, finding_t *finding)
{
    char text[STATISTICS_BYTES];
    uint64_t limit;
    if (!read_in_group(root, mount_at, path, finding->hierarchy->limit_file, text, sizeof text)) {
        return;
    }
    if (strcmp(text, "max\n") == 0 || (weir_procfs_number(text, &limit) && limit >= v1_unlimited)) {
        finding->knowledge = finding->knowledge == WEIR_UNKNOWN ? WEIR_UNLIMITED : finding->knowledge;
        return;
    }
    if (!weir_procfs_number(text, &limit)) {
        return;
    }
    uint64_t used = 0;
    uint64_t cache = 0;
    bool used_known = read_in_group(root, mount_at, path, finding->hierarchy->usage_file, text, sizeof text) &&
                      weir_procfs_number(text, &used);
    if (used_known && read_in_group(root, mount_at, path, "memory.stat", text, sizeof text) &&
        weir_procfs_statistic(text, finding->hierarchy->cache_field, &cache)) {
        used -= cache < used ? cache : used;
    }
    uint64_t left = limit > used ? limit - used : 0;
    uint64_t tightest = finding->limit > finding->used ? finding->limit - finding->used : 0;
    if (finding->knowledge != WEIR_KNOWN || left < tightest) {
        finding->knowledge = WEIR_KNOWN;
        finding->limit = limit;
        finding->used = used;
        finding->used_known = used_known;
    }
}

static void ask_hierarchy(const char *root, const char *groups, const char *mounts, finding_t *finding)
{
    char path[PATH_MAX];
    char mount_root[PATH_MAX];
    char mount_at[PATH_MAX];
    if (!group_path(groups, finding->hierarchy, path, sizeof path) ||
        !find_mount(mounts, finding->hierarchy, mount_root, mount_at)) {
        return;
    }
    make_relative(path, mount_root);
    for (unsigned depth = 0; depth < DEPTH_MAX; depth++) {
        ask_group(root, mount_at, path, finding);
        char *slash = strrchr(path, '/');
        if (slash == NULL) {
            break;
        }
        *slash = '\0';
    }
    /* The root of the v2 hierarchy has no limit, and so no file for it. */
    char controllers[1024];
    if (finding->knowledge == WEIR_UNKNOWN && finding->hierarchy->v2 && strcmp(mount_root, "/") == 0 &&
        read_in_group(root, mount_at, "", "cgroup.controllers", controllers, sizeof controllers) &&
        strstr(controllers, "memory") != NULL) {
        finding->knowledge = WEIR_UNLIMITED;
    }
}

void weir_cgroup_read(const char *root, weir_fact_t *ret_limit, weir_fact_t *ret_used)
{
    *ret_limit = (weir_fact_t){WEIR_UNKNOWN, 0, "cgroup"};
    *ret_used = (weir_fact_t){WEIR_UNKNOWN, 0, "cgroup"};
    char *groups = malloc(LIST_BYTES);
    char *mounts = malloc(MOUNTS_BYTES);
    if (groups != NULL && mounts != NULL && weir_procfs_read(root, "/proc/self/cgroup", groups, LIST_BYTES) &&
        weir_procfs_read(root, "/proc/self/mountinfo", mounts, MOUNTS_BYTES)) {
        uint64_t tightest = 0;
        for (size_t i = 0; i < sizeof hierarchies / sizeof hierarchies[0]; i++) {
            finding_t finding = {.hierarchy = &hierarchies[i]};
            ask_hierarchy(root, groups, mounts, &finding);
            uint64_t left = finding.limit > finding.used ? finding.limit - finding.used : 0;
            if (finding.knowledge == WEIR_KNOWN && (ret_limit->knowledge != WEIR_KNOWN || left < tightest)) {
                tightest = left;
                *ret_limit = (weir_fact_t){WEIR_KNOWN, finding.limit, hierarchies[i].limit_source};
                *ret_used = (weir_fact_t){
                    finding.used_known ? WEIR_KNOWN : WEIR_UNKNOWN, finding.used, hierarchies[i].usage_source};
            } else if (finding.knowledge == WEIR_UNLIMITED && ret_limit->knowledge == WEIR_UNKNOWN) {
                *ret_limit = (weir_fact_t){WEIR_UNLIMITED, 0, hierarchies[i].limit_source};
            }
        }
    }
    free(groups);
    free(mounts);
}
