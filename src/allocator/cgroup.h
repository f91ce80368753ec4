/*
 * cgroup.h: the limits on memory and on processes of the control groups that this process is in, cgroup v1 and v2.
 */
#ifndef WEIR_ALLOCATOR_CGROUP_H
#define WEIR_ALLOCATOR_CGROUP_H

#include "allocator/lines.h"
#include "weir/allocator.h"

#include <limits.h>

/* This process's place in a hierarchy of control groups. */
typedef struct weir_cgroup_place {
    char path[PATH_MAX];      /* the group as /proc/self/cgroup names it; "" when it does not */
    char directory[PATH_MAX]; /* where its files are; "" when that is not known */
    size_t top;               /* length of the part of `directory` that is the mount point */
    bool whole;               /* the mount shows the hierarchy from its root */
} weir_cgroup_place_t;

/* v2 has all controllers; of v1, those of memory and of processes, which may have hierarchies of their own. */
enum { WEIR_CGROUP_V2 = 0, WEIR_CGROUP_V1 = 1, WEIR_CGROUP_V1_PIDS = 2, WEIR_CGROUP_HIERARCHIES = 3 };

/* Where the groups are that limit this process. A process stays where it is unless somebody moves it. */
typedef struct weir_cgroups {
    weir_cgroup_place_t places[WEIR_CGROUP_HIERARCHIES];
} weir_cgroups_t;

/* What the groups say at this moment. */
typedef struct weir_cgroup_reading {
    weir_fact_t limit;
    weir_fact_t used;
    weir_fact_t stall_some; /* memory.pressure avg10, hundredths of a percent */
    weir_fact_t stall_full;
} weir_cgroup_reading_t;

/* Find the places, from /proc/self/cgroup and /proc/self/mountinfo. What is not found stays "". `root` stands before
 * /proc and the mount points. */
void weir_cgroup_find(const char *root, weir_cgroups_t *ret_groups);

/* The same from the texts of the two files. False, with the result undefined, when one of them is not to be believed.
 */
bool weir_cgroup_parse(weir_lines_t *groups, weir_lines_t *mounts, weir_cgroups_t *ret_groups);

/*
 * Find, over all groups from this process's own up to the mount's root, the one with the least memory left, and store
 * its limit, its usage without the page cache that the kernel would give up first, and its pressure (without a limit
 * that of the process's own group). A limit that is not there is WEIR_UNLIMITED; what cannot be read or understood is
 * WEIR_UNKNOWN. Allocates nothing; any thread.
 */
void weir_cgroup_read(const char *root, const weir_cgroups_t *groups, weir_cgroup_reading_t *ret_reading);

/*
 * The same for the number of processes and threads: the group that has room for the fewest more, with its limit
 * (pids.max) and how many there are in it and below (pids.current).
 */
void weir_cgroup_read_processes(
    const char *root, const weir_cgroups_t *groups, weir_fact_t *ret_limit, weir_fact_t *ret_used);

/*
 * 1 when running out of memory ends all processes of a group that this one is in, 0 when it does not. The kernel ends
 * the topmost group with memory.oom.group below the limit that was reached, and that may be the machine's own limit
 * (mm/memcontrol.c, mem_cgroup_get_oom_group); so any group with it counts, and those that cannot be understood leave
 * it unknown.
 */
weir_fact_t weir_cgroup_kills_group(const char *root, const weir_cgroups_t *groups);

#endif
