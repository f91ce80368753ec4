/*
 * weir/allocator.h: libweir, an instance allocator for Wasmtime that fits the machine it finds itself on.
 *
 * It reads the machine (facts), lists the configurations worth trying (the ladder), proves and times them in child
 * processes (trials), and takes the best (the choice). Nothing in it aborts, exits or hangs: every failure is a
 * verdict or a status.
 *
 * Threads: what runs trials forks: in a process with one thread directly, else through a trial server that was started
 * before there was a second thread. A choice is constant once made and tuned, and may then be read by any thread.
 */
#ifndef WEIR_ALLOCATOR_H
#define WEIR_ALLOCATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wasm.h>
#include <wasmtime.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum weir_status {
    WEIR_OK = 0,
    WEIR_ERROR_INVALID = 1,     /* an argument that cannot be */
    WEIR_ERROR_MEMORY = 2,      /* the host program's own memory ran out */
    WEIR_ERROR_UNAVAILABLE = 3, /* nothing that the strategy allows works on this machine */
    WEIR_ERROR_SYSTEM = 4,      /* the system refused something that a choice cannot be made without */
    WEIR_ERROR_THREADS = 5,     /* the process has threads already, and no trial server was started before them */
    WEIR_ERROR_VERSION = 6,     /* a structure is larger than this library knows it: the program is for a later one */
} weir_status_t;

/*
 * Structures that a program fills begin with their size, which their initialiser sets: to the size that the program was
 * compiled with. Later versions add members at the end, and none is ever moved. A library takes every size from the
 * first version's to its own, and the defaults for members that the program does not know; of a larger structure it
 * does not know what is asked for, and refuses it: WEIR_ERROR_VERSION.
 *
 * Structures without a size (needs, rungs, knobs, verdicts) stay as they are for as long as the name of the shared
 * library does: they are members of others, and elements of arrays.
 */

/* ---- Facts ------------------------------------------------------------------------------------------------------ */

typedef enum weir_knowledge {
    WEIR_UNKNOWN = 0, /* could not be read; never taken for unlimited */
    WEIR_KNOWN = 1,
    WEIR_UNLIMITED = 2,
} weir_knowledge_t;

/* A number that was read from the machine, and where. `source` is a constant string. */
typedef struct weir_fact {
    weir_knowledge_t knowledge;
    uint64_t value;
    const char *source;
} weir_fact_t;

/* What the kernel does with transparent huge pages: value of the fact `huge_pages`. */
typedef enum weir_huge_pages {
    WEIR_HUGE_PAGES_NEVER = 0,
    WEIR_HUGE_PAGES_MADVISE = 1, /* where a program asks for them */
    WEIR_HUGE_PAGES_ALWAYS = 2,
} weir_huge_pages_t;

/* What runs the machine: value of the fact `hypervisor`. */
typedef enum weir_hypervisor {
    WEIR_HYPERVISOR_NONE = 0,
    WEIR_HYPERVISOR_KVM = 1,
    WEIR_HYPERVISOR_TCG = 2, /* QEMU's emulator: every instruction is translated */
    WEIR_HYPERVISOR_HYPER_V = 3,
    WEIR_HYPERVISOR_VMWARE = 4,
    WEIR_HYPERVISOR_XEN = 5,
    WEIR_HYPERVISOR_QEMU = 6,  /* a QEMU machine that does not say whether KVM or TCG runs it */
    WEIR_HYPERVISOR_OTHER = 7, /* hypervisor_signature says which */
} weir_hypervisor_t;

/* What keeps this process apart from others on the same kernel: value of the fact `container`. */
typedef enum weir_container {
    WEIR_CONTAINER_NONE = 0,
    WEIR_CONTAINER_DOCKER = 1,
    WEIR_CONTAINER_PODMAN = 2,
    WEIR_CONTAINER_KUBERNETES = 3,
    WEIR_CONTAINER_LXC = 4,
    WEIR_CONTAINER_NSPAWN = 5, /* systemd-nspawn */
    WEIR_CONTAINER_OTHER = 6,
} weir_container_t;

/* The Windows Subsystem for Linux: value of the fact `wsl`. */
typedef enum weir_wsl {
    WEIR_WSL_NONE = 0,
    WEIR_WSL_1 = 1, /* Linux's system calls on the kernel of Windows */
    WEIR_WSL_2 = 2, /* a Linux kernel in a virtual machine */
} weir_wsl_t;

/* What a processor can do that code made for it may use, or that concerns memory: bits of the fact `processor_flags`.
 */
typedef enum weir_processor_flag {
    WEIR_X86_CMPXCHG16B = 0,
    WEIR_X86_SSE3 = 1,
    WEIR_X86_SSSE3 = 2,
    WEIR_X86_SSE4_1 = 3,
    WEIR_X86_SSE4_2 = 4,
    WEIR_X86_POPCNT = 5,
    WEIR_X86_LZCNT = 6,
    WEIR_X86_BMI1 = 7,
    WEIR_X86_BMI2 = 8,
    WEIR_X86_FMA = 9,
    WEIR_X86_AVX = 10, /* those of AVX count only where the kernel keeps their registers */
    WEIR_X86_AVX2 = 11,
    WEIR_X86_AVX_VNNI = 12,
    WEIR_X86_AVX512F = 13,
    WEIR_X86_AVX512DQ = 14,
    WEIR_X86_AVX512BW = 15,
    WEIR_X86_AVX512VL = 16,
    WEIR_X86_AVX512VBMI = 17,
    WEIR_X86_AVX512BITALG = 18,
    WEIR_X86_AVX512VNNI = 19,
    WEIR_X86_ERMS = 20,    /* fast string stores: how pages are cleared */
    WEIR_X86_PKU = 21,     /* protection keys, in the processor */
    WEIR_X86_OSPKE = 22,   /* and switched on by the kernel */
    WEIR_ARM_ASIMD = 32,   /* Advanced SIMD */
    WEIR_ARM_ATOMICS = 33, /* LSE */
    WEIR_ARM_FP16 = 34,
    WEIR_ARM_DOTPROD = 35,
    WEIR_ARM_SVE = 36,
    WEIR_ARM_PACA = 37, /* pointer authentication */
    WEIR_ARM_PACG = 38,
    WEIR_ARM_BTI = 39,
    WEIR_ARM_MTE = 40,
    WEIR_ARM_POE = 41, /* permission overlays: Arm's protection keys */
} weir_processor_flag_t;

/*
 * What was read from the machine. Bytes unless the comment says otherwise. docs/facts.md describes each, with its unit
 * and where it comes from.
 *
 * It is the library's, which hands out a pointer; a program makes none. Members are added at the end and none is moved,
 * so an older program finds all that it knows. One that was compiled for a later library than it runs with finds fewer:
 * a member is there if `size` is at least its offset and its own size.
 */
typedef struct weir_facts {
    size_t size;                   /* sizeof(weir_facts_t) of the library that filled it: see above */
    char kernel_name[72];          /* the kernel's release, printable ASCII; "" when unknown */
    char hypervisor_signature[16]; /* how the hypervisor calls itself, printable ASCII; "" when it says nothing */
    weir_fact_t processors;        /* usable by this process */
    weir_fact_t page_size;
    weir_fact_t memory_total;        /* MemTotal */
    weir_fact_t memory_available;    /* MemAvailable */
    weir_fact_t commit_limit;        /* CommitLimit: binding only in overcommit mode 2 */
    weir_fact_t commit_used;         /* Committed_AS */
    weir_fact_t commit_reserve;      /* what the kernel keeps of it: vm.user_reserve_kbytes, vm.admin_reserve_kbytes */
    weir_fact_t overcommit_mode;     /* vm.overcommit_memory: 0, 1 or 2 */
    weir_fact_t address_space_limit; /* RLIMIT_AS */
    weir_fact_t address_space_used;  /* VmSize of this process */
    weir_fact_t data_limit;          /* RLIMIT_DATA */
    weir_fact_t data_used;           /* VmData of this process */
    weir_fact_t address_bits;        /* bits of virtual address that user space has */
    weir_fact_t cgroup_limit;        /* the tightest memory limit over all ancestors, cgroup v1 and v2 */
    weir_fact_t cgroup_used;         /* the usage that goes with it */
    weir_fact_t mappings_limit;      /* vm.max_map_count, a count */
    weir_fact_t mappings_used;       /* a count */
    weir_fact_t executable_memory;   /* 1 when code may be made executable, 0 when that is refused */
    weir_fact_t emulated;            /* 1 under qemu-user, 0 otherwise */
    weir_fact_t swap_total;          /* SwapTotal */
    weir_fact_t swap_free;           /* SwapFree */
    weir_fact_t overcommit_ratio;    /* vm.overcommit_ratio, percent of memory; commit_limit is what comes of it */
    weir_fact_t overcommit_bytes;    /* vm.overcommit_kbytes; 0: the ratio counts */
    weir_fact_t memory_lock_limit;   /* RLIMIT_MEMLOCK */
    weir_fact_t cgroup_kills_group;  /* 1 when running out of memory ends all processes of a group around this one */
    weir_fact_t stall_some;          /* of the last 10 s, tasks waited for memory: hundredths of a percent (PSI) */
    weir_fact_t stall_full;          /* all of them did */
    weir_fact_t cgroup_stall_some;   /* the same within the group whose limit is cgroup_limit, else within our own */
    weir_fact_t cgroup_stall_full;
    weir_fact_t free_block_largest;       /* the largest free block of physical memory */
    weir_fact_t free_large_share;         /* of free memory, in blocks of at least 2 MiB: hundredths of a percent */
    weir_fact_t huge_pages;               /* a weir_huge_pages_t */
    weir_fact_t kernel_release;           /* 6.1.85 is 6,001,085; kernel_name has all of it */
    weir_fact_t pagemap_scan;             /* 1 when the ioctl PAGEMAP_SCAN works, 0 when not; so the next four */
    weir_fact_t process_madvise;          /* process_madvise(PIDFD_SELF, MADV_DONTNEED) */
    weir_fact_t protection_keys;          /* pkey_alloc */
    weir_fact_t memory_files;             /* memfd_create, for images that are mapped copy-on-write */
    weir_fact_t processor_flags;          /* a set: bit n stands for the weir_processor_flag_t of value n */
    weir_fact_t hypervisor;               /* a weir_hypervisor_t */
    weir_fact_t container;                /* a weir_container_t */
    weir_fact_t gvisor;                   /* 1 under gVisor, 0 otherwise */
    weir_fact_t wsl;                      /* a weir_wsl_t */
    weir_fact_t android;                  /* 1 on Android, 0 otherwise */
    weir_fact_t address_space_hard_limit; /* RLIMIT_AS: as far as its user may raise it; so the next one */
    weir_fact_t data_hard_limit;          /* RLIMIT_DATA */
    weir_fact_t processes_limit;          /* RLIMIT_NPROC, a count; unlimited for those whom it does not bind */
    weir_fact_t processes_used;           /* processes and threads of this user's, a count */
    weir_fact_t cgroup_processes_limit;   /* the tightest pids.max over all ancestors, a count */
    weir_fact_t cgroup_processes_used;    /* the pids.current that goes with it, a count */
    weir_fact_t file_size_limit;          /* RLIMIT_FSIZE */
    weir_fact_t file_size_hard_limit;     /* the same, as far as its user may raise it */
} weir_facts_t;

/* ---- Needs ------------------------------------------------------------------------------------------------------- */

/* What the guests ask of a slot. A zeroed structure means "unknown": modest defaults are taken. */
typedef struct weir_needs {
    uint64_t minimum_memory_bytes; /* the largest minimum memory among the guests */
    uint64_t maximum_memory_bytes; /* what an operator lets a linear memory grow to; 0: not stated */
    uint64_t wasm_bytes;           /* of all guests' files together: compiling them takes memory; 0: unknown */
    uint32_t memories;             /* per instance, the largest among the guests, as are the next four */
    uint32_t tables;
    uint32_t table_elements;
    uint32_t core_instances;
    uint32_t stacks;      /* likewise: fibers, more than one where guests define async functions */
    uint32_t concurrency; /* instances wanted at once, up to 1,000,000; 0: decided from the memory that is there */
} weir_needs_t;

/* ---- Strategies, tiers, rungs --------------------------------------------------------------------------------------
 */

typedef enum weir_strategy {
    WEIR_STRATEGY_AUTO = 0,     /* the best that works */
    WEIR_STRATEGY_POOLING = 1,  /* the standard pool, with any number of slots */
    WEIR_STRATEGY_COMPACT = 2,  /* the compact pool */
    WEIR_STRATEGY_ONDEMAND = 3, /* no pool */
    WEIR_STRATEGY_ANY_POOL = 4, /* standard or compact: what SPIN_WASMTIME_POOLING=1 asks for */
} weir_strategy_t;

typedef enum weir_tier {
    WEIR_TIER_STANDARD = 1,
    WEIR_TIER_COMPACT = 2,
    WEIR_TIER_ONDEMAND = 3,
} weir_tier_t;

/* One complete candidate configuration. */
typedef struct weir_rung {
    weir_tier_t tier;
    uint32_t slots;      /* instances at once; for on-demand the admission limit, nothing is reserved */
    uint64_t slot_bytes; /* a pool's slot for one linear memory; for on-demand the reservation per memory */
    uint64_t guard_bytes;
    uint64_t growth_bytes;               /* on-demand: reserved beyond the memory for growth; 0 in pools */
    uint64_t memory_keep_resident_bytes; /* per memory slot, kept when it is reset */
    uint64_t table_keep_resident_bytes;
    uint64_t stack_keep_resident_bytes;
    uint32_t table_elements; /* per table slot */
    uint32_t memories_per_slot;
    uint32_t tables_per_slot;
    uint32_t core_instances_per_slot;
    uint32_t stacks_per_slot;
    uint64_t stack_bytes;    /* of a fiber's stack */
    bool pulley;             /* interpreted byte code instead of native code */
    uint32_t decommit_batch; /* slots whose memory goes back to the system together; 0 and 1: each by itself */
    uint32_t warm_slots;     /* unused slots that may keep memory resident; 0: none */
    bool huge_pages_off;     /* the process does without transparent huge pages: prctl(2), PR_SET_THP_DISABLE */
    bool pagemap_scan;    /* pages that were written are searched for, and they alone are reset: PAGEMAP_SCAN(2const) */
    uint32_t spare_slots; /* reserved beyond `slots` and never used: a pool of 128 or more is divided among threads */
} weir_rung_t;

/* Settings of a pool that change neither what it reserves nor the code that runs in it, only what an instance costs. */
typedef struct weir_knobs {
    uint64_t memory_keep_resident_bytes;
    uint32_t decommit_batch;
    bool huge_pages_off;
    bool pagemap_scan;
} weir_knobs_t;

/* One setting of the knobs, and what an instance cost with it: microseconds; 0: it did not work. */
typedef struct weir_variant {
    weir_knobs_t knobs;
    double instance_microseconds;
} weir_variant_t;

enum { WEIR_VARIANTS_MAX = 10 };

typedef enum weir_outcome {
    WEIR_OUTCOME_NOT_TRIED = 0, /* the ladder ended before it, or arithmetic ruled it out: see the message */
    WEIR_OUTCOME_PASSED = 1,
    WEIR_OUTCOME_REFUSED = 2,  /* the engine or an instance was refused: call, bytes and errno say by what */
    WEIR_OUTCOME_CONTENTS = 3, /* a fresh instance saw what an earlier one had written */
    WEIR_OUTCOME_DEADLINE = 4, /* it was not done in time and was killed */
    WEIR_OUTCOME_SIGNAL = 5,   /* the child died of a signal: `detail` is its number */
    WEIR_OUTCOME_EXIT = 6,     /* the child exited without a report: `detail` is its status */
    WEIR_OUTCOME_REPORT = 7,   /* the child's report was cut short, or makes no sense: see the message */
    WEIR_OUTCOME_SYSTEM = 8,   /* the trial itself could not be set up: `error_number` says why */
} weir_outcome_t;

/* What stands behind a refusal, as far as it can be told: the remedy depends on it. */
typedef enum weir_limit {
    WEIR_LIMIT_NONE = 0,          /* nothing was refused */
    WEIR_LIMIT_UNKNOWN = 1,       /* refused, but no limit that was read explains it */
    WEIR_LIMIT_ADDRESS_SPACE = 2, /* RLIMIT_AS */
    WEIR_LIMIT_ADDRESS_BITS = 3,  /* the processor's or kernel's virtual addresses */
    WEIR_LIMIT_COMMIT = 4,        /* vm.overcommit_memory=2 and CommitLimit */
    WEIR_LIMIT_DATA = 5,          /* RLIMIT_DATA */
    WEIR_LIMIT_CGROUP = 6,        /* the control group's memory limit */
    WEIR_LIMIT_MEMORY = 7,        /* the machine's memory */
    WEIR_LIMIT_MAPPINGS = 8,      /* vm.max_map_count */
    WEIR_LIMIT_EXECUTABLE = 9,    /* executable memory is refused */
    WEIR_LIMIT_EMULATION = 10,    /* a user-mode emulator pays for every page that is reserved */
    WEIR_LIMIT_PROCESSES = 11,    /* RLIMIT_NPROC, TasksMax=, pids.max: no process could be had for a trial */
    WEIR_LIMIT_FILE_SIZE = 12,    /* RLIMIT_FSIZE: what a file may hold, also one in memory */
    WEIR_LIMIT_LAST = WEIR_LIMIT_FILE_SIZE,
} weir_limit_t;

/* What a trial found. */
typedef struct weir_verdict {
    weir_outcome_t outcome;
    weir_limit_t limit; /* what refused; also set where arithmetic ruled the rung out */
    double
        instance_microseconds;  /* create, touch, call, drop, per instance: the lower quartile of rounds; when passed */
    double engine_milliseconds; /* to create the engine; when passed */
    int error_number;           /* errno of the call that refused, or 0 */
    int detail;                 /* signal number, exit status or deadline in milliseconds, by the outcome */
    uint64_t refused_bytes;     /* what the refused call asked for, or 0 when unknown */
    uint32_t held;              /* instances that were held at once, each with memory touched */
    uint32_t threads;           /* that took part */
    uint32_t variant;           /* the best of the settings of the knobs: the rung has it */
    uint32_t variant_count;     /* how many were timed */
    weir_variant_t variants[WEIR_VARIANTS_MAX];
    char call[32];             /* the system call that refused, or "" */
    char message[224];         /* one line for a person */
    double least_microseconds; /* instance_microseconds of the quickest round: close to it where nothing disturbed */
    double processor_milliseconds; /* that the trial used, on all processors; 0 when that is not known */
} weir_verdict_t;

typedef struct weir_trial_result {
    weir_rung_t rung;
    weir_verdict_t verdict;
} weir_trial_result_t;

/* ---- Choosing
 * -------------------------------------------------------------------------------------------------------- */

typedef struct weir_choose_options {
    size_t size; /* sizeof(weir_choose_options_t) */
    weir_strategy_t strategy;
    weir_needs_t needs;
    uint32_t trial_milliseconds; /* deadline of one trial; 0: chosen by the library (longer under emulation) */
    /*
     * Each guest by itself, borrowed, instead of `needs` for all of them: then one that would make the pool worse for
     * the others is placed in an engine of its own (weir_choice_is_apart). Of `needs` concurrency and
     * maximum_memory_bytes alone are used. NULL: `needs` says it all.
     */
    const weir_needs_t *guests;
    size_t guest_count;
    /*
     * Where choices are remembered, so that the next start proves the chosen rung alone: a directory that belongs to
     * this user alone, made if need be. NULL: $XDG_CACHE_HOME/weir, or ~/.cache/weir. "": nothing is remembered.
     */
    const char *cache_directory;
    struct weir_trial_server *server; /* borrowed: where trials fork; NULL: from this process. See below. */
    uint64_t decide_anew;             /* other than 0: forget what is remembered of this choice, and make it anew */
    /* Other than 0: what was decided before is tried while the caller goes on (weir_choice_await). */
    uint64_t prove_later;
} weir_choose_options_t;

/* The rung in use, how it was decided, and everything that was tried. Opaque; see the functions below. */
typedef struct weir_choice weir_choice_t;

/* ---- Trial servers ---------------------------------------------------------------------------------------------- */

/*
 * Trials fork, and the children of a process with many threads inherit locks that nobody releases. A trial server is a
 * small process that was forked before there were threads, and forks trials from then on; it ends with its parent.
 */
typedef struct weir_trial_server weir_trial_server_t;

/*
 * Start one, while this process has one thread, and as early as may be: it keeps a copy of what the process has then.
 * WEIR_ERROR_THREADS: there are threads already. WEIR_ERROR_SYSTEM: no process or socket could be had.
 */
weir_status_t weir_trial_server_start(weir_trial_server_t **ret_server);

/* End it. Nobody may use it any more. NULL is allowed. */
void weir_trial_server_stop(weir_trial_server_t *own_server);

/* ---- Choosing: the functions ------------------------------------------------------------------------------------- */

/* Zero as much of the structure as the caller knows, and set its size to that. Use the macro: it knows the size. */
void weir_choose_options_init_sized(weir_choose_options_t *options, size_t size);
#define weir_choose_options_init(options) weir_choose_options_init_sized((options), sizeof(weir_choose_options_t))

/*
 * Read the machine, try the ladder and choose. `options` may be NULL for the defaults.
 *
 * WEIR_OK and WEIR_ERROR_UNAVAILABLE both store a choice (to be freed with weir_choice_free): the latter has no rung,
 * but says what was tried and why it failed. Other failures leave `*ret_choice` untouched. Blocks for as long as the
 * trials take: some tenths of a second natively, some seconds under emulation; milliseconds when an earlier start made
 * the same decision. In a process with a second thread it needs a trial server: without one it returns
 * WEIR_ERROR_THREADS. WEIR_ERROR_INVALID: options that cannot be, or `ret_choice` is NULL; WEIR_ERROR_VERSION: they are
 * for a later library.
 */
weir_status_t weir_allocator_choose(const weir_choose_options_t *options, weir_choice_t **ret_choice);

/*
 * Wait for the trial of a choice that was made with `prove_later`, at most until its deadline. True: it passed, or
 * there was none to wait for. False, then and whenever it is asked again: the choice does not work any more; whatever
 * was made by it is to be freed, it as well, and another to be made without that option. A choice is proved later where
 * it was decided before, natively, with more than twice of what it takes at hand, and without a trial server; in any
 * other case it has been proved when it is stored.
 */
bool weir_choice_await(weir_choice_t *choice);

/* Free a choice. NULL is allowed. A trial that runs still is waited for. */
void weir_choice_free(weir_choice_t *own_choice);

/*
 * A program's own work on an instance, to be timed in the child of a trial in place of a made-up module. Every function
 * is called in that child alone.
 */
typedef struct weir_workload {
    size_t size; /* sizeof(weir_workload_t) */
    void *context;
    /* A configuration as the program makes it, before weir_choice_configure. NULL: memory ran out. */
    wasm_config_t *(*config_new)(void *context);
    /* Get ready for an engine; called once for each engine, one after the other. An error ends the tuning. */
    wasmtime_error_t *(*prepare)(void *context, wasm_engine_t *engine, void **ret_prepared);
    /* One instance: create it, use it, drop it. From several threads at once, numbered from 0; false: it failed. */
    bool (*cycle)(void *prepared, unsigned thread);
    void (*release)(void *prepared);
    /* Stands for what is run, so that the result can be remembered with the choice; 0: it is not. */
    uint64_t fingerprint;
} weir_workload_t;

/* Zero as much of the structure as the caller knows, and set its size to that. Use the macro: it knows the size. */
void weir_workload_init_sized(weir_workload_t *workload, size_t size);
#define weir_workload_init(workload) weir_workload_init_sized((workload), sizeof(weir_workload_t))

/*
 * Time a program's own work with the knobs that the chosen rung could have, in a child process, and set the best. The
 * rung's size and the code that it needs stay as they are. What the trial found best is timed as well, so the result is
 * the best of all that was looked at. `milliseconds` is a deadline, within which prepare may have
 * to compile; what is not done then leaves the choice as it was, with WEIR_ERROR_UNAVAILABLE. A choice whose trial
 * still runs is awaited first: that status stands for its failure as well, which weir_choice_await then tells.
 *
 * It forks from this process, never through a trial server, which knows nothing of the program's functions: in a
 * process with a second thread it returns WEIR_ERROR_THREADS, and the choice is as it was. WEIR_ERROR_INVALID: there is
 * no rung; WEIR_ERROR_VERSION: the work is for a later library.
 */
weir_status_t weir_choice_tune(weir_choice_t *choice, const weir_workload_t *workload, uint32_t milliseconds);

/*
 * The next lower choice for a program that runs already, to be freed with weir_choice_free: a pool that keeps nothing
 * resident in unused slots, then one with half the slots, and so on down to two for each processor; and at last, where
 * no strategy was asked for by name, no pool: see the next function. Of guests that are placed apart, half as many
 * instances may be there at once with each step, down to as many. The code that was compiled for `choice` is good for
 * each of them. It is proved through the server, as the machine is now; one that does not work is passed over.
 * WEIR_ERROR_UNAVAILABLE: there is nothing lower, or a trial could not be made or did not end in time. Blocks for a few
 * trials; any thread.
 */
weir_status_t weir_choice_lower(const weir_choice_t *choice, weir_trial_server_t *server, weir_choice_t **ret_lower);

/*
 * The same without a pool: instances on demand, half as many at once as `choice` has slots, or fewer where there is not
 * room for them, in an engine that reserves for each memory what a slot had. It takes nothing before it has instances,
 * and so can be had beside a pool that holds nearly all address space, as the other lower choices cannot.
 * WEIR_ERROR_UNAVAILABLE also where there is no pool to do without, or a strategy was asked for by name: that is not
 * replaced by another.
 */
weir_status_t weir_choice_lower_ondemand(
    const weir_choice_t *choice, weir_trial_server_t *server, weir_choice_t **ret_lower);

/*
 * Whether a choice still works, as the machine is now: WEIR_OK, or WEIR_ERROR_UNAVAILABLE. To be asked before a program
 * goes back to it from a lower one. Blocks for a trial; any thread, but one at a time for one choice.
 */
weir_status_t weir_choice_prove(weir_choice_t *choice, weir_trial_server_t *server);

/*
 * Whether a guest, by its index in the options, is placed in an engine of its own, beside the pool's: the engine is
 * configured with weir_choice_configure_apart and holds as many instances as weir_choice_rung_apart has slots.
 */
bool weir_choice_is_apart(const weir_choice_t *choice, size_t guest);

/* The rung of the guests that are placed apart: on demand; or NULL when there are none. It lives as long as the choice.
 */
const weir_rung_t *weir_choice_rung_apart(const weir_choice_t *choice);

/* The rung that was chosen, or NULL when nothing worked. It lives as long as the choice. */
const weir_rung_t *weir_choice_rung(const weir_choice_t *choice);

/* What the machine was found to be. It lives as long as the choice. */
const weir_facts_t *weir_choice_facts(const weir_choice_t *choice);

/* The needs as they were used, with the defaults filled in. */
const weir_needs_t *weir_choice_needs(const weir_choice_t *choice);

/* The whole ladder in order, with verdicts; `*ret_count` is its length. It lives as long as the choice. */
const weir_trial_result_t *weir_choice_ladder(const weir_choice_t *choice, size_t *ret_count);

/* The index in the ladder of the chosen rung, or SIZE_MAX. */
size_t weir_choice_index(const weir_choice_t *choice);

/* How long the caller waited for the decision, in milliseconds: facts and trials together, but for the part of a trial
 * that ran while it went on (weir_choice_await). */
double weir_choice_milliseconds(const weir_choice_t *choice);

/*
 * What a rung reserves in full, in bytes: address space, and the part of it that is writable and so counts against
 * commit and RLIMIT_DATA (stacks, tables and the memories of as many instances as it has slots). `needs` as
 * weir_choice_needs returns them.
 */
uint64_t weir_rung_address_bytes(const weir_rung_t *rung, const weir_needs_t *needs);
uint64_t weir_rung_commit_bytes(const weir_rung_t *rung, const weir_needs_t *needs);

/* True when the decision was made at an earlier start, and only proved again now. */
bool weir_choice_is_remembered(const weir_choice_t *choice);

/*
 * True when, for want of something on this machine, the choice is less than the standard pool with the slots wanted, or
 * fewer than usual were wanted because of a control group's memory limit. A machine's own size is no such thing.
 */
bool weir_choice_is_reduced(const weir_choice_t *choice);

/* One line: tier, slots, slot size, how it was decided. Lives as long as the choice. */
const char *weir_choice_summary(const weir_choice_t *choice);

/* Why this rung: one line. */
const char *weir_choice_reason(const weir_choice_t *choice);

/*
 * For a person, after a fallback or a failure: what was disabled or reduced automatically, why, what it costs as
 * measured here, and the remedy for the limit that refused. Several lines; "" when there is nothing to say.
 */
const char *weir_choice_notice(const weir_choice_t *choice);

/* The remedy alone, one line; "" when there is nothing to remedy. */
const char *weir_choice_advice(const weir_choice_t *choice);

/*
 * Apply the choice to a configuration that is otherwise the caller's: allocation strategy, memory reservation, guard,
 * stack size and target. The choice must have a rung. The configuration must not be in use by another thread.
 */
weir_status_t weir_choice_configure(const weir_choice_t *choice, wasm_config_t *config);

/* The same for the engine of the guests that are placed apart. There must be such guests. */
weir_status_t weir_choice_configure_apart(const weir_choice_t *choice, wasm_config_t *config);

/*
 * Set for this process what the trials had set for theirs: where address space is tight, fewer malloc arenas (glibc
 * reserves 64 MiB for each, and instances cost many times more where those reservations keep failing), and no
 * transparent huge pages, if the rung says so; if it does not, they are there again where an earlier call had taken
 * them away. Call it before the process has a second thread, and again when the choice was tuned after it.
 */
void weir_choice_prepare_process(const weir_choice_t *choice);

/* ---- Words
 * -------------------------------------------------------------------------------------------------------------- */

/* "standard", "compact", "ondemand". A constant string; for a value that is none, "unknown". */
const char *weir_tier_name(weir_tier_t tier);

/* "auto", "pooling", "compact", "ondemand", "any pool". A constant string; for a value that is none, "unknown". */
const char *weir_strategy_name(weir_strategy_t strategy);

/*
 * The strategy that a word of SPIN_ALLOCATOR stands for: auto, pooling, compact or ondemand. Returns false and leaves
 * `*ret_strategy` untouched for any other word.
 */
bool weir_strategy_from_name(const char *name, weir_strategy_t *ret_strategy);

/* "passed", "refused", "wrong contents", "deadline", ... A constant string. */
const char *weir_outcome_name(weir_outcome_t outcome);

/* What the value of an enumerated fact is called: "madvise", "kvm", "docker", "wsl2", ... Constant strings; for a value
 * that is none, "unknown". */
const char *weir_huge_pages_name(uint64_t value);
const char *weir_hypervisor_name(uint64_t value);
const char *weir_container_name(uint64_t value);
const char *weir_wsl_name(uint64_t value);

/* What a bit of processor_flags is called, as Linux calls it: "avx2", "atomics". A constant string; NULL for a bit that
 * stands for nothing. */
const char *weir_processor_flag_name(unsigned bit);

/* "RLIMIT_AS", "the commit limit", ...: a constant string to be used within a sentence; "" for WEIR_LIMIT_NONE. */
const char *weir_limit_name(weir_limit_t limit);

/* ---- Language ---------------------------------------------------------------------------------------------------- */

/*
 * Set the language of what is said of choices that are made or tuned from then on: summary, reason, notice and advice.
 * It is English until this is called, whatever the environment says, so that a program which knows one language is not
 * mixed with another. NULL: the one that LC_ALL, LC_MESSAGES or LANG names, with LANGUAGE as gettext(3) has it, or
 * English; no locale need be installed for that, and setlocale(3) is not called. Otherwise "en" or "zh_CN": returns
 * false, and changes nothing, for a language that there is not. Names and verdicts' messages are English always. Any
 * thread.
 */
bool weir_language_set(const char *language);

/* The language in use: "en" or "zh_CN". A constant string. */
const char *weir_language(void);

#ifdef __cplusplus
}
#endif
#endif
