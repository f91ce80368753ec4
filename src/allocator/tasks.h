/*
 * tasks.h: how many processes and threads there may be, and how many there are: RLIMIT_NPROC and pids.max.
 */
#ifndef WEIR_ALLOCATOR_TASKS_H
#define WEIR_ALLOCATOR_TASKS_H

#include "allocator/cgroup.h"
#include "allocator/facts.h"

/* Processes and threads, which the kernel counts alike: four facts of weir_facts_t. */
typedef struct weir_tasks {
    weir_fact_t limit; /* RLIMIT_NPROC; unlimited also for those whom it does not bind */
    weir_fact_t used;  /* of this user's, on the whole machine */
    weir_fact_t group_limit;
    weir_fact_t group_used;
} weir_tasks_t;

/* Up to here a limit is low enough that all processes are looked at in any case. */
enum { WEIR_TASKS_FEW = 4096 };

/*
 * Read them. What the user has running takes a look at each process of the machine (some microseconds each): it is
 * counted where a limit up to WEIR_TASKS_FEW makes it worth that, and with `all` under any limit; else it is unknown,
 * and also where not all that count can be seen, as in a container. `status` is the text of /proc/self/status; NULL: it
 * is read. Never fails, allocates nothing; any thread.
 */
void weir_tasks_read(
    const weir_machine_t *machine, const weir_cgroups_t *groups, const char *status, bool all, weir_tasks_t *ret_tasks);

/* The first two of them alone. */
void weir_tasks_read_user(
    const weir_machine_t *machine, const char *status, bool all, weir_fact_t *ret_limit, weir_fact_t *ret_used);

#endif
