/*
 * facts_support.h: directory trees and functions that stand in for machines.
 */
#ifndef WEIR_TESTS_FACTS_SUPPORT_H
#define WEIR_TESTS_FACTS_SUPPORT_H

#include "allocator/facts.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* cmocka.h wants the others before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
/* clang-format on */

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* A test that has a tree of its own. */
#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, make_tree, remove_tree)

static char tree[64];

static inline int make_tree(void **state)
{
    (void)state;
    snprintf(tree, sizeof tree, "/tmp/weir-facts-XXXXXX");
    return mkdtemp(tree) == NULL ? -1 : 0;
}

static inline int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

static inline int remove_tree(void **state)
{
    (void)state;
    return nftw(tree, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static inline const char *in_tree(const char *path)
{
    static char full[512];
    snprintf(full, sizeof full, "%s%s", tree, path);
    return full;
}

static inline void make_parents(const char *path)
{
    char full[512];
    snprintf(full, sizeof full, "%s", in_tree(path));
    for (char *slash = strchr(full + strlen(tree) + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(full, 0755);
        *slash = '/';
    }
}

static inline void put_bytes(const char *path, const char *bytes, size_t size)
{
    make_parents(path);
    int descriptor = open(in_tree(path), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, bytes, size), size);
    close(descriptor);
}

static inline void put(const char *path, const char *text)
{
    put_bytes(path, text, strlen(text));
}

static inline void put_link(const char *path, const char *target)
{
    make_parents(path);
    unlink(in_tree(path));
    assert_int_equal(symlink(target, in_tree(path)), 0);
}

static inline void assert_known(weir_fact_t fact, uint64_t value)
{
    assert_int_equal(fact.knowledge, WEIR_KNOWN);
    assert_int_equal(fact.value, value);
    assert_non_null(fact.source);
}

/* ---- A processor ------------------------------------------------------------------------------------------------- */

/* One answer to CPUID. */
typedef struct answer {
    uint32_t leaf;
    uint32_t subleaf;
    weir_cpuid_t registers;
} answer_t;

static const answer_t *answers; /* what the processor says; NULL: it has no such instruction */
static size_t answer_count;
static uint64_t vector_state;

static inline bool ask_processor(uint32_t leaf, uint32_t subleaf, weir_cpuid_t *ret_registers)
{
    if (answers == NULL) {
        return false;
    }
    *ret_registers = (weir_cpuid_t){0, 0, 0, 0};
    for (size_t i = 0; i < answer_count; i++) {
        if (answers[i].leaf == leaf && answers[i].subleaf == subleaf) {
            *ret_registers = answers[i].registers;
        }
    }
    return true;
}

static inline bool read_vector_state(uint64_t *ret_state)
{
    *ret_state = vector_state;
    return true;
}

/* Bits of a processor of 2013, and what its kernel keeps of it */
#define LEAF_1_ECX 0x18983201u     /* sse3 ssse3 fma cx16 sse4_1 sse4_2 popcnt osxsave avx */
#define LEAF_7_EBX 0x00000328u     /* bmi1 avx2 bmi2 erms */
#define EXTENDED_1_ECX 0x00000020u /* lzcnt */
#define HYPERVISOR_BIT 0x80000000u

/* Twelve bytes of a signature, as they lie in ebx, ecx and edx */
#define FOUR(a, b, c, d) ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)
#define SIGNATURE(highest, t)                                                                                          \
    {highest, FOUR((t)[0], (t)[1], (t)[2], (t)[3]), FOUR((t)[4], (t)[5], (t)[6], (t)[7]),                              \
        FOUR((t)[8], (t)[9], (t)[10], (t)[11])}

static inline void set_processor(const answer_t *own_answers, size_t count)
{
    answers = own_answers;
    answer_count = count;
    vector_state = 7;
}

/* ---- A machine --------------------------------------------------------------------------------------------------- */

static inline bool two(uint64_t *ret_value)
{
    *ret_value = 2;
    return true;
}

static inline bool four_thousand(uint64_t *ret_value)
{
    *ret_value = 4096;
    return true;
}

static inline bool limits(int resource, uint64_t *ret_bytes, bool *ret_unlimited)
{
    *ret_unlimited = resource == RLIMIT_DATA;
    *ret_bytes = resource == RLIMIT_MEMLOCK ? 65536 : 12345;
    return true;
}

static inline bool hard_limits(int resource, uint64_t *ret_bytes, bool *ret_unlimited)
{
    *ret_unlimited = resource == RLIMIT_DATA;
    *ret_bytes = 67890;
    return true;
}

static const char *kernel_name = "6.1.85-cloud-amd64";

static inline bool name_kernel(char *ret_name, size_t size)
{
    snprintf(ret_name, size, "%s", kernel_name);
    return true;
}

static inline void grant_some(weir_features_t *ret_features)
{
    *ret_features =
        (weir_features_t){{WEIR_GRANT_YES, WEIR_GRANT_NO, WEIR_GRANT_UNKNOWN, WEIR_GRANT_YES, WEIR_GRANT_NO}};
}

static inline weir_machine_t machine(void)
{
    static const answer_t plain[] = {
        {0, 0, SIGNATURE(7, "GenuntelineI")},
        {1, 0, {0, 0, LEAF_1_ECX, 0}},
        {7, 0, {0, LEAF_7_EBX, 0, 0}},
        {0x80000000, 0, {0x80000001, 0, 0, 0}},
        {0x80000001, 0, {0, 0, EXTENDED_1_ECX, 0}},
    };
    set_processor(plain, COUNT(plain));
    return (weir_machine_t){
        .root = tree,
        .processors = two,
        .page_size = four_thousand,
        .resource_limit = limits,
        .resource_hard_limit = hard_limits,
        .kernel_name = name_kernel,
        .cpuid = ask_processor,
        .vector_state = read_vector_state,
        .try_features = grant_some,
    };
}

/* Everything that is read, on a machine that is in good health. */
static inline void put_healthy_machine(void)
{
    put("/proc/meminfo",
        "MemTotal:       24684084 kB\nMemFree:  1 kB\nMemAvailable:   24369152 kB\nSwapTotal:  2097148 kB\n"
        "SwapFree:   2000000 kB\nCommitLimit:    12342040 kB\nCommitted_AS:     331776 kB\n");
    put("/proc/sys/vm/overcommit_memory", "2\n");
    put("/proc/sys/vm/overcommit_ratio", "50\n");
    put("/proc/sys/vm/overcommit_kbytes", "0\n");
    put("/proc/sys/vm/max_map_count", "65530\n");
    put("/proc/sys/vm/user_reserve_kbytes", "131072\n");
    put("/proc/sys/vm/admin_reserve_kbytes", "8192\n");
    put("/proc/buddyinfo",
        "Node 0, zone      DMA      0      0      0      0      0      0      0      0      1      1      3 \n"
        "Node 0, zone   Normal     24      0      0      0      0      0      0      0      0      0      0 \n");
    put("/proc/pressure/memory", "some avg10=1.25 avg60=0.00 avg300=0.00 total=77\n"
                                 "full avg10=0.50 avg60=0.00 avg300=0.00 total=33\n");
    put("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
    put("/proc/self/status",
        "Name:\tweir\nVmPeak:\t  40000 kB\nVmSize:\t   30000 kB\nVmData:\t    2000 kB\nThreads:\t1\n"
        "Uid:\t1000\t1000\t1000\t1000\nCapEff:\t0000000000000000\n");
    put("/proc/4242/status", "Name:\tweir\nUid:\t1000\t0\t0\t0\nThreads:\t3\n");
    put("/proc/thread-self/maps",
        "55ff24ba0000-55ff24ba1000 r--p 00000000 fe:00 10002469                   /usr/bin/weir\n"
        "7ffd1c5e1000-7ffd1c602000 rw-p 00000000 00:00 0                          [stack]\n"
        "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n");
    put("/proc/self/cgroup", "0::/user.slice/app\n");
    put("/proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n");
    put("/sys/fs/cgroup/user.slice/app/memory.max", "268435456\n");
    put("/sys/fs/cgroup/user.slice/app/memory.current", "20000000\n");
    put("/sys/fs/cgroup/user.slice/app/memory.stat", "anon 1\ninactive_file 5000000\nactive_file 3\n");
    put("/sys/fs/cgroup/user.slice/app/memory.oom.group", "1\n");
    put("/sys/fs/cgroup/user.slice/app/memory.pressure", "some avg10=12.34 avg60=0.00 avg300=0.00 total=1\n"
                                                         "full avg10=0.07 avg60=0.00 avg300=0.00 total=1\n");
    put("/sys/fs/cgroup/user.slice/app/pids.max", "100\n");
    put("/sys/fs/cgroup/user.slice/app/pids.current", "7\n");
    put_link("/proc/self/exe", "/usr/bin/weir");
    put_link("/proc/thread-self/exe", "/usr/bin/weir");
    put_link("/proc/self/ns/pid", "pid:[4026531836]");
    put_link("/proc/self/ns/user", "user:[4026531837]");
    put_link("/proc/self/ns/ipc", "ipc:[4026531839]");
    put_link("/proc/self/ns/uts", "uts:[4026531838]");
    put_link("/proc/self/ns/cgroup", "cgroup:[4026531835]");
}

#endif
