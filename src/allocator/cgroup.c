/*
 * cgroup.c: what the control groups say that this process is in (Documentation/admin-guide/cgroup-v2.rst,
 * cgroup-v1/memory.rst). A limit binds all groups below it, so every ancestor that is visible is asked.
 */
#include "allocator/cgroup.h"

#include "allocator/pressure.h"
#include "allocator/procfs.h"

#include <stdio.h>
#include <string.h>

enum { DEPTH_MAX = 64, STATISTICS_BYTES = 16 * 1024 };

/* In v1 no limit reads as the largest number of whole pages. */
static const uint64_t v1_unlimited = UINT64_C(1) << 62;

typedef struct hierarchy {
    bool v2;
    bool says_max; /* where there is no limit */
    const char *controller;
    const char *limit_file;
    const char *usage_file;
    const char *cache_field; /* of memory.stat: page cache that is given up first; or NULL */
    const char *limit_source;
    const char *throttle_file; /* a limit beyond which nobody is killed, but everybody is made to wait; or NULL */
    const char *throttle_source;
    const char *usage_source;
} hierarchy_t;

/* In the order of WEIR_CGROUP_V2 and so on; NULL: the controller is elsewhere */
static const hierarchy_t memory_hierarchies[WEIR_CGROUP_HIERARCHIES] = {
    {true, true, "memory", "memory.max", "memory.current", "inactive_file", "cgroup v2 memory.max", "memory.high",
        "cgroup v2 memory.high", "cgroup v2 memory.current without inactive_file"},
    {false, false, "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file",
        "cgroup v1 memory.limit_in_bytes", NULL, NULL, "cgroup v1 memory.usage_in_bytes without total_inactive_file"},
    {.controller = NULL},
};
static const hierarchy_t process_hierarchies[WEIR_CGROUP_HIERARCHIES] = {
    {true, true, "pids", "pids.max", "pids.current", NULL, "cgroup v2 pids.max", NULL, NULL, "cgroup v2 pids.current"},
    {.controller = NULL},
    {false, true, "pids", "pids.max", "pids.current", NULL, "cgroup v1 pids.max", NULL, NULL, "cgroup v1 pids.current"},
};

/* What was found in one hierarchy. */
typedef struct finding {
    const char *root;
    const hierarchy_t *hierarchy;
    const weir_cgroup_place_t *place;
    weir_knowledge_t knowledge;
    bool doubtful; /* a group has a limit that cannot be understood: then none is no longer known */
    bool used_known;
    uint64_t limit;
    const char *limit_source;
    uint64_t used;
    size_t tightest; /* length of the part of the directory that is the group with the limit */
} finding_t;

static uint64_t left(const finding_t *finding)
{
    return finding->limit > finding->used ? finding->limit - finding->used : 0;
}

/* Read a file of the group that the first `length` bytes of the directory name. */
static bool read_in_group(const finding_t *finding, size_t length, const char *file, char *buffer, size_t size)
{
    char full[PATH_MAX];
    int written = snprintf(full, sizeof full, "%.*s/%s", (int)length, finding->place->directory, file);
    return written > 0 && (size_t)written < sizeof full && weir_procfs_read(finding->root, full, buffer, size);
}

static bool is_in_group(const finding_t *finding, size_t length, const char *file)
{
    char full[PATH_MAX];
    int written = snprintf(full, sizeof full, "%.*s/%s", (int)length, finding->place->directory, file);
    return written > 0 && (size_t)written < sizeof full && weir_procfs_exists(finding->root, full) != 0;
}

static void ask_usage(const finding_t *finding, size_t length, uint64_t *ret_used, bool *ret_known)
{
    char text[STATISTICS_BYTES];
    uint64_t used = 0;
    uint64_t cache = 0;
    bool known = read_in_group(finding, length, finding->hierarchy->usage_file, text, sizeof text) &&
                 weir_procfs_number(text, &used);
    if (known && finding->hierarchy->cache_field != NULL &&
        read_in_group(finding, length, "memory.stat", text, sizeof text) &&
        weir_procfs_statistic(text, finding->hierarchy->cache_field, &cache)) {
        used -= cache < used ? cache : used;
    }
    *ret_used = known ? used : 0;
    *ret_known = known;
}

static void ask_limit(finding_t *finding, size_t length, const char *file, const char *source)
{
    char text[64];
    finding_t here = *finding;
    if (!read_in_group(finding, length, file, text, sizeof text)) {
        finding->doubtful = finding->doubtful || is_in_group(finding, length, file);
        return;
    }
    bool none = finding->hierarchy->says_max && strcmp(text, "max\n") == 0;
    if (!none && !weir_procfs_number(text, &here.limit)) {
        finding->doubtful = true;
        return;
    }
    if (none || (!finding->hierarchy->says_max && here.limit >= v1_unlimited)) {
        finding->knowledge = finding->knowledge == WEIR_UNKNOWN ? WEIR_UNLIMITED : finding->knowledge;
        return;
    }
    ask_usage(finding, length, &here.used, &here.used_known);
    if (finding->knowledge != WEIR_KNOWN || left(&here) < left(finding)) {
        finding->knowledge = WEIR_KNOWN;
        finding->limit = here.limit;
        finding->limit_source = source;
        finding->used = here.used;
        finding->used_known = here.used_known;
        finding->tightest = length;
    }
}

/* The length of the parent's directory; `length` itself at the top. */
static size_t parent(const weir_cgroup_place_t *place, size_t length)
{
    if (length <= place->top) {
        return length;
    }
    do {
        length--;
    } while (length > place->top && place->directory[length] != '/');
    return length;
}

/* The root of a hierarchy has no limit, and so no files for it; of v1 this is asked of processes alone. */
static bool is_root_with_controller(const finding_t *finding)
{
    char controllers[1024];
    if (!finding->hierarchy->v2) {
        return finding->hierarchy->says_max && finding->place->whole &&
               is_in_group(finding, finding->place->top, "cgroup.procs") &&
               !is_in_group(finding, finding->place->top, finding->hierarchy->limit_file);
    }
    return finding->place->whole &&
           read_in_group(finding, finding->place->top, "cgroup.controllers", controllers, sizeof controllers) &&
           strstr(controllers, finding->hierarchy->controller) != NULL;
}

static void ask_hierarchy(finding_t *finding)
{
    const hierarchy_t *hierarchy = finding->hierarchy;
    size_t length = strlen(finding->place->directory);
    finding->tightest = length;
    for (unsigned depth = 0; depth < DEPTH_MAX; depth++) {
        ask_limit(finding, length, hierarchy->limit_file, hierarchy->limit_source);
        if (hierarchy->throttle_file != NULL) {
            ask_limit(finding, length, hierarchy->throttle_file, hierarchy->throttle_source);
        }
        if (length <= finding->place->top) {
            break;
        }
        length = parent(finding->place, length);
    }
    if (finding->knowledge == WEIR_UNKNOWN && is_root_with_controller(finding)) {
        finding->knowledge = WEIR_UNLIMITED;
    }
}

static void ask_stall(const finding_t *finding, weir_cgroup_reading_t *reading)
{
    char text[512];
    if (read_in_group(finding, finding->tightest, "memory.pressure", text, sizeof text)) {
        weir_stall_parse(text, &reading->stall_some, &reading->stall_full);
    }
}

static void take_limit(const finding_t *finding, weir_cgroup_reading_t *reading)
{
    const hierarchy_t *hierarchy = finding->hierarchy;
    if (finding->knowledge == WEIR_UNLIMITED && reading->limit.knowledge == WEIR_UNKNOWN) {
        reading->limit = (weir_fact_t){WEIR_UNLIMITED, 0, hierarchy->limit_source};
    }
    if (finding->knowledge != WEIR_KNOWN) {
        return;
    }
    uint64_t least = reading->limit.value > reading->used.value ? reading->limit.value - reading->used.value : 0;
    if (reading->limit.knowledge != WEIR_KNOWN || left(finding) < least) {
        reading->limit = (weir_fact_t){WEIR_KNOWN, finding->limit, finding->limit_source};
        reading->used = (weir_fact_t){finding->used_known ? WEIR_KNOWN : WEIR_UNKNOWN,
            finding->used_known ? finding->used : 0, hierarchy->usage_source};
    }
}

static void read_hierarchies(
    const char *root, const weir_cgroups_t *groups, const hierarchy_t *hierarchies, weir_cgroup_reading_t *reading)
{
    bool doubtful = false;
    for (size_t i = 0; i < WEIR_CGROUP_HIERARCHIES; i++) {
        if (groups->places[i].directory[0] == '\0' || hierarchies[i].controller == NULL) {
            continue;
        }
        finding_t finding = {.root = root, .hierarchy = &hierarchies[i], .place = &groups->places[i]};
        ask_hierarchy(&finding);
        take_limit(&finding, reading);
        doubtful = doubtful || finding.doubtful;
        if (hierarchies == memory_hierarchies && finding.hierarchy->v2) {
            ask_stall(&finding, reading);
        }
    }
    if (doubtful && reading->limit.knowledge == WEIR_UNLIMITED) {
        reading->limit.knowledge = WEIR_UNKNOWN;
    }
}

void weir_cgroup_read(const char *root, const weir_cgroups_t *groups, weir_cgroup_reading_t *ret_reading)
{
    weir_cgroup_reading_t reading = {
        .limit = {WEIR_UNKNOWN, 0, "cgroup"},
        .used = {WEIR_UNKNOWN, 0, "cgroup"},
        .stall_some = {WEIR_UNKNOWN, 0, "cgroup v2 memory.pressure some avg10"},
        .stall_full = {WEIR_UNKNOWN, 0, "cgroup v2 memory.pressure full avg10"},
    };
    read_hierarchies(root, groups, memory_hierarchies, &reading);
    *ret_reading = reading;
}

void weir_cgroup_read_processes(
    const char *root, const weir_cgroups_t *groups, weir_fact_t *ret_limit, weir_fact_t *ret_used)
{
    weir_cgroup_reading_t reading = {
        .limit = {WEIR_UNKNOWN, 0, "cgroup pids.max"}, .used = {WEIR_UNKNOWN, 0, "cgroup pids.current"}};
    read_hierarchies(root, groups, process_hierarchies, &reading);
    *ret_limit = reading.limit;
    *ret_used = reading.used;
}

weir_fact_t weir_cgroup_kills_group(const char *root, const weir_cgroups_t *groups)
{
    static const char file[] = "memory.oom.group";
    weir_fact_t kills = {WEIR_UNKNOWN, 0, "cgroup memory.oom.group"};
    const weir_cgroup_place_t *place = &groups->places[WEIR_CGROUP_V2];
    finding_t finding = {.root = root, .hierarchy = &memory_hierarchies[WEIR_CGROUP_V2], .place = place};
    bool doubtful = false;
    size_t length = strlen(place->directory);
    for (unsigned depth = 0; depth < DEPTH_MAX && length > 0; depth++) {
        char text[64];
        uint64_t value;
        if (!read_in_group(&finding, length, file, text, sizeof text)) {
            doubtful = doubtful || is_in_group(&finding, length, file);
        } else if (!weir_procfs_number(text, &value) || value > 1) {
            doubtful = true;
        } else {
            kills.knowledge = WEIR_KNOWN;
            kills.value |= value;
        }
        if (length <= place->top) {
            break;
        }
        length = parent(place, length);
    }
    /* v1 has no such thing, and neither has the root of v2. */
    bool cannot =
        groups->places[WEIR_CGROUP_V1].directory[0] != '\0' || (length > 0 && is_root_with_controller(&finding));
    if (doubtful && kills.value == 0) {
        kills.knowledge = WEIR_UNKNOWN;
    } else if (kills.knowledge == WEIR_UNKNOWN && cannot) {
        kills.knowledge = WEIR_KNOWN;
    }
    return kills;
}
