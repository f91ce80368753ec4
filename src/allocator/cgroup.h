/*
 * cgroup.h: the memory limit of the control groups that this process is in, cgroup v1 and v2.
 */
#ifndef WEIR_ALLOCATOR_CGROUP_H
#define WEIR_ALLOCATOR_CGROUP_H

#include "weir/allocator.h"

/*
 * Find, over all groups from this process's own up to the mount's root, the one with the least memory left, and store
 * its limit and its usage without the page cache that the kernel would give up first. A limit that is not there is
 * WEIR_UNLIMITED; what cannot be read or understood is WEIR_UNKNOWN. `root` stands before /proc and the mount points.
 */
void weir_cgroup_read(const char *root, weir_fact_t *ret_limit, weir_fact_t *ret_used);

#endif
