/*
 * pressure.h: what of a machine's memory changes from second to second.
 */
#ifndef WEIR_ALLOCATOR_PRESSURE_H
#define WEIR_ALLOCATOR_PRESSURE_H

#include "allocator/cgroup.h"
#include "allocator/facts.h"

/* Memory at one moment. Bytes; stalls are shares of the last ten seconds in hundredths of a percent. */
typedef struct weir_pressure {
    weir_fact_t memory_available;
    weir_fact_t swap_free;
    weir_fact_t cgroup_limit;
    weir_fact_t cgroup_used;
    weir_fact_t stall_some; /* the machine's: some task waited for memory */
    weir_fact_t stall_full; /* all tasks did */
    weir_fact_t cgroup_stall_some;
    weir_fact_t cgroup_stall_full;
} weir_pressure_t;

/*
 * Read what changes. `groups` is what weir_cgroup_find found, once; it is not looked for again. Never fails: what
 * cannot be read is WEIR_UNKNOWN. Opens, reads and closes some small files (well below a millisecond), allocates
 * nothing, starts no process, and needs about 48 KiB of stack. Any thread.
 */
void weir_pressure_read(const weir_machine_t *machine, const weir_cgroups_t *groups, weir_pressure_t *ret_pressure);

/*
 * The avg10 of the lines "some" and "full" of a pressure file (Documentation/accounting/psi.rst): each becomes known
 * when its line is there and can be understood. Sources stay as they are.
 */
void weir_stall_parse(const char *text, weir_fact_t *some, weir_fact_t *full);

#endif
