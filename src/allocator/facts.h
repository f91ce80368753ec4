/*
 * facts.h: reads the machine. Everything that is read comes through weir_machine_t, so that a directory tree and a few
 * functions can stand in for a machine.
 */
#ifndef WEIR_ALLOCATOR_FACTS_H
#define WEIR_ALLOCATOR_FACTS_H

#include "allocator/cgroup.h"
#include "allocator/features.h"
#include "allocator/processor.h"
#include "weir/allocator.h"

/* Where facts come from. A function that does not know returns false; one that is NULL does not know either. */
typedef struct weir_machine {
    const char *root; /* stands before /proc, /sys, /run and the like; "" for the real ones */
    bool (*processors)(uint64_t *ret_count);
    bool (*page_size)(uint64_t *ret_bytes);
    /* `resource` is one of RLIMIT_*. */
    bool (*resource_limit)(int resource, uint64_t *ret_bytes, bool *ret_unlimited);
    bool (*resource_hard_limit)(int resource, uint64_t *ret_bytes, bool *ret_unlimited);
    /* The kernel's release, terminated within `size` bytes. */
    bool (*kernel_name)(char *ret_name, size_t size);
    weir_cpuid_function_t cpuid;                 /* x86 alone */
    bool (*vector_state)(uint64_t *ret_state);   /* XCR0; called only where CPUID says that it can be read */
    bool (*capabilities)(uint64_t ret_words[2]); /* AArch64 alone: AT_HWCAP and AT_HWCAP2 */
    void (*try_features)(weir_features_t *ret_features);
} weir_machine_t;

/* The machine that this process runs on. Its try_features forks: see weir_features_try. */
const weir_machine_t *weir_machine_real(void);

/*
 * Read all facts but those that weir_facts_read_executable reads, which are WEIR_UNKNOWN. Never fails: what cannot be
 * read is WEIR_UNKNOWN. Takes some tenths of a millisecond, reads no file twice but for a cgroup.controllers, starts no
 * process, allocates nothing, and needs about 96 KiB of stack. Any thread. `ret_groups`, which may be NULL, gets where
 * the process's control groups are, for weir_pressure_read.
 */
void weir_facts_read(const weir_machine_t *machine, weir_facts_t *ret_facts, weir_cgroups_t *ret_groups);

/* Read those of the machine's memory alone, and where the control groups are. */
void weir_facts_read_memory(const weir_machine_t *machine, weir_facts_t *facts, weir_cgroups_t *ret_groups);

/*
 * Read executable_memory, pagemap_scan, process_madvise, protection_keys and memory_files, which are tried in a child
 * process, and processes_used where that is not known yet: some milliseconds. See weir_child_run for when that may be
 * called.
 */
void weir_facts_read_executable(const weir_machine_t *machine, weir_facts_t *facts);

/* Both. */
void weir_facts_read_all(const weir_machine_t *machine, weir_facts_t *ret_facts);

/*
 * A number for what stays the same from one start to the next: the facts whose name is marked stable, with their
 * knowledge, and kernel_name and hypervisor_signature. Limits, modes, sizes and kinds are; what is in use, free or
 * waited for is not, nor is what weir_facts_read_executable reads. memory_total, swap_total and commit_limit count in
 * steps of 64 MiB, since a kernel's share of memory differs a little from boot to boot. 64-bit FNV-1a; it is no defence
 * against forgery.
 */
uint64_t weir_facts_fingerprint(const weir_facts_t *facts);

/* What this process uses at this moment. */
typedef struct weir_usage {
    weir_fact_t address_space;
    weir_fact_t data;
    weir_fact_t mappings;
} weir_usage_t;

/* Read again what changes as a process maps memory. */
void weir_usage_read(const char *root, weir_usage_t *ret_usage);

/* ---- Names ------------------------------------------------------------------------------------------------------- */

/* What a fact's value counts. */
typedef enum weir_fact_unit {
    WEIR_FACT_COUNT = 0,
    WEIR_FACT_BYTES = 1,
    WEIR_FACT_FLAG = 2,       /* 0 or 1 */
    WEIR_FACT_PERCENT = 3,    /* whole percents */
    WEIR_FACT_HUNDREDTHS = 4, /* hundredths of a percent */
    WEIR_FACT_WORD = 5,       /* one of several words: weir_fact_word */
    WEIR_FACT_SET = 6,        /* of words: weir_processor_flag_name names the bits */
    WEIR_FACT_TEXT = 7,       /* a text: weir_fact_word */
} weir_fact_unit_t;

typedef enum weir_fact_group {
    WEIR_FACTS_MEMORY = 0,
    WEIR_FACTS_LIMITS = 1,
    WEIR_FACTS_KERNEL = 2,
    WEIR_FACTS_PROCESSOR = 3,
    WEIR_FACTS_PLACE = 4, /* where it runs */
    WEIR_FACT_GROUPS = 5,
} weir_fact_group_t;

/* A fact by name, for reports. */
typedef struct weir_fact_name {
    const char *name;
    size_t offset; /* in weir_facts_t */
    weir_fact_unit_t unit;
    weir_fact_group_t group;
    bool stable; /* part of the fingerprint */
    const char *meaning;
} weir_fact_name_t;

/* All facts, in the order of weir_facts_t; `*ret_count` is their number. Constant. */
const weir_fact_name_t *weir_fact_names(size_t *ret_count);

/* The fact that a name stands for. */
const weir_fact_t *weir_fact_get(const weir_facts_t *facts, const weir_fact_name_t *name);

/* "bytes", "count", ...: for programs. Constant. */
const char *weir_fact_unit_name(weir_fact_unit_t unit);

/* "Memory", "Limits", ...: a heading. Constant. */
const char *weir_fact_group_name(weir_fact_group_t group);

/*
 * A fact's value for a person: "15.5 GiB", "yes", "0.25 %", "madvise", "avx avx2", "6.1.0-13-amd64", "unknown",
 * "unlimited". Cut when it does not fit; `size` is not 0.
 */
void weir_fact_text(const weir_facts_t *facts, const weir_fact_name_t *name, char *buffer, size_t size);

/* The word or text of a fact whose unit is WEIR_FACT_WORD or WEIR_FACT_TEXT and that is known; otherwise "". Constant,
 * or as long as the facts. */
const char *weir_fact_word(const weir_facts_t *facts, const weir_fact_name_t *name);

#endif
