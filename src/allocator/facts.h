/*
 * facts.h: reads the machine. Everything that is read comes through weir_machine_t, so that a directory tree and a few
 * functions can stand in for a machine.
 */
#ifndef WEIR_ALLOCATOR_FACTS_H
#define WEIR_ALLOCATOR_FACTS_H

#include "weir/allocator.h"

/* Where facts come from. A function that does not know returns false. */
typedef struct weir_machine {
    const char *root; /* stands before /proc and /sys; "" for the real ones */
    bool (*processors)(uint64_t *ret_count);
    bool (*page_size)(uint64_t *ret_bytes);
    /* `resource` is one of RLIMIT_*. */
    bool (*resource_limit)(int resource, uint64_t *ret_bytes, bool *ret_unlimited);
    bool (*executable_memory)(bool *ret_granted);
} weir_machine_t;

/* The machine that this process runs on. Its executable_memory forks: see weir_child_run. */
const weir_machine_t *weir_machine_real(void);

/* Read all facts. Never fails: what cannot be read is WEIR_UNKNOWN. */
void weir_facts_read(const weir_machine_t *machine, weir_facts_t *ret_facts);

/* What this process uses at this moment. */
typedef struct weir_usage {
    weir_fact_t address_space;
    weir_fact_t data;
    weir_fact_t mappings;
} weir_usage_t;

/* Read again what changes as a process maps memory. */
void weir_usage_read(const char *root, weir_usage_t *ret_usage);

/* A fact by name, for reports. */
typedef struct weir_fact_name {
    const char *name;
    size_t offset; /* in weir_facts_t */
    enum { WEIR_FACT_COUNT, WEIR_FACT_BYTES, WEIR_FACT_FLAG } unit;
    const char *meaning;
} weir_fact_name_t;

/* All facts, in the order of weir_facts_t; `*ret_count` is their number. Constant. */
const weir_fact_name_t *weir_fact_names(size_t *ret_count);

/* The fact that a name stands for. */
const weir_fact_t *weir_fact_get(const weir_facts_t *facts, const weir_fact_name_t *name);

/*TMP*/ void weir_facts_read_executable(const weir_machine_t *machine, weir_facts_t *facts);
uint64_t weir_facts_fingerprint(const weir_facts_t *facts);
#endif
