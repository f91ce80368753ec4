/*
 * test_facts.c: what is read from /proc and /sys, from directory trees that stand in for machines, healthy and not.
 */
#include "facts_support.h"

#include <sys/mman.h>

/* ---- Machines that know less ------------------------------------------------------------------------------------- */

static bool odd_page(uint64_t *ret_value)
{
    *ret_value = 4095;
    return true;
}

static bool no_number(uint64_t *ret_value)
{
    *ret_value = 99;
    return false;
}

static bool no_limits(int resource, uint64_t *ret_bytes, bool *ret_unlimited)
{
    (void)resource;
    *ret_bytes = 7;
    *ret_unlimited = true;
    return false;
}

static bool no_name(char *ret_name, size_t size)
{
    snprintf(ret_name, size, "6.1.2");
    return false;
}

static bool no_capabilities(uint64_t ret_words[2])
{
    ret_words[0] = UINT64_MAX;
    return false;
}

static void try_nothing(weir_features_t *ret_features)
{
    *ret_features = (weir_features_t){{WEIR_GRANT_UNKNOWN}};
}

/* ---- Facts ------------------------------------------------------------------------------------------------------- */

static void a_healthy_machine_is_known(void **state)
{
    weir_machine_t probes = machine();
    weir_facts_t facts;
    (void)state;
    put_healthy_machine();
    weir_facts_read_all(&probes, &facts);
    assert_int_equal(facts.size, sizeof facts);
    assert_known(facts.processors, 2);
    assert_known(facts.page_size, 4096);
    assert_known(facts.memory_total, UINT64_C(24684084) * 1024);
    assert_known(facts.memory_available, UINT64_C(24369152) * 1024);
    assert_known(facts.commit_limit, UINT64_C(12342040) * 1024);
    assert_known(facts.commit_used, UINT64_C(331776) * 1024);
    assert_known(facts.commit_reserve, UINT64_C(139264) * 1024);
    assert_known(facts.overcommit_mode, 2);
    assert_known(facts.mappings_limit, 65530);
    assert_known(facts.mappings_used, 3);
    assert_known(facts.address_space_limit, 12345);
    assert_known(facts.address_space_used, UINT64_C(30000) * 1024);
    assert_int_equal(facts.data_limit.knowledge, WEIR_UNLIMITED);
    assert_known(facts.address_space_hard_limit, 67890);
    assert_int_equal(facts.data_hard_limit.knowledge, WEIR_UNLIMITED);
    assert_known(facts.data_used, UINT64_C(2000) * 1024);
    assert_known(facts.address_bits, 47);
    assert_known(facts.cgroup_limit, 268435456);
    assert_known(facts.cgroup_used, 15000000);
    assert_known(facts.emulated, 0);
    assert_known(facts.executable_memory, 1);
    assert_known(facts.swap_total, UINT64_C(2097148) * 1024);
    assert_known(facts.swap_free, UINT64_C(2000000) * 1024);
    assert_known(facts.overcommit_ratio, 50);
    assert_known(facts.overcommit_bytes, 0);
    assert_known(facts.memory_lock_limit, 65536);
    assert_known(facts.cgroup_kills_group, 1);
    assert_known(facts.stall_some, 125);
    assert_known(facts.stall_full, 50);
    assert_known(facts.cgroup_stall_some, 1234);
    assert_known(facts.cgroup_stall_full, 7);
    assert_known(facts.free_block_largest, 4 << 20);
    assert_known(facts.free_large_share, 9275); /* 3 x 1024 + 512 of 3864 pages */
    assert_known(facts.huge_pages, WEIR_HUGE_PAGES_MADVISE);
    assert_known(facts.kernel_release, 6001085);
    assert_string_equal(facts.kernel_name, "6.1.85-cloud-amd64");
    assert_known(facts.pagemap_scan, 0);
    assert_int_equal(facts.process_madvise.knowledge, WEIR_UNKNOWN);
    assert_known(facts.protection_keys, 1);
    assert_known(facts.memory_files, 0);
    assert_known(facts.processor_flags, 0x100fff);
    assert_known(facts.hypervisor, WEIR_HYPERVISOR_NONE);
    assert_known(facts.container, WEIR_CONTAINER_NONE);
    assert_known(facts.gvisor, 0);
    assert_known(facts.wsl, WEIR_WSL_NONE);
    assert_known(facts.android, 0);
    assert_known(facts.processes_limit, 12345);
    assert_known(facts.processes_used, 3);
    assert_known(facts.cgroup_processes_limit, 100);
    assert_known(facts.cgroup_processes_used, 7);
    assert_known(facts.file_size_limit, 12345);
    assert_known(facts.file_size_hard_limit, 67890);
}

static void nothing_that_cannot_be_read_is_known_or_unlimited(void **state)
{
    const weir_machine_t machines[] = {
        {.root = tree},
        {.root = "/nonexistent",
            .processors = no_number,
            .page_size = no_number,
            .resource_limit = no_limits,
            .resource_hard_limit = no_limits,
            .kernel_name = no_name,
            .cpuid = ask_processor,
            .vector_state = read_vector_state,
            .capabilities = no_capabilities,
            .try_features = try_nothing},
    };
    weir_facts_t facts;
    size_t count;
    const weir_fact_name_t *names = weir_fact_names(&count);
    (void)state;
    set_processor(NULL, 0);
    for (size_t i = 0; i < COUNT(machines) * count; i++) {
        weir_facts_read_all(&machines[i / count], &facts);
        const weir_fact_t *fact = weir_fact_get(&facts, &names[i % count]);
        if (fact->knowledge != WEIR_UNKNOWN || fact->value != 0 || fact->source == NULL) {
            fail_msg("%s: %d, %llu", names[i % count].name, fact->knowledge, (unsigned long long)fact->value);
        }
    }
    assert_string_equal(facts.kernel_name, "");
    assert_string_equal(facts.hypervisor_signature, "");
}

/* ---- Damage ------------------------------------------------------------------------------------------------------ */

/* A file, and the facts that come from it alone. */
static const struct {
    const char *path;
    const char *facts[7];
    bool link;
} files[] = {
    {"/proc/meminfo", {"memory_total", "memory_available", "swap_total", "swap_free", "commit_limit", "commit_used"},
        false},
    {"/proc/sys/vm/overcommit_memory", {"overcommit_mode"}, false},
    {"/proc/sys/vm/overcommit_ratio", {"overcommit_ratio"}, false},
    {"/proc/sys/vm/overcommit_kbytes", {"overcommit_bytes"}, false},
    {"/proc/sys/vm/max_map_count", {"mappings_limit"}, false},
    {"/proc/sys/vm/user_reserve_kbytes", {"commit_reserve"}, false},
    {"/proc/sys/vm/admin_reserve_kbytes", {"commit_reserve"}, false},
    {"/proc/buddyinfo", {"free_block_largest", "free_large_share"}, false},
    {"/proc/pressure/memory", {"stall_some", "stall_full"}, false},
    {"/sys/kernel/mm/transparent_hugepage/enabled", {"huge_pages"}, false},
    {"/proc/self/status", {"address_space_used", "data_used", "processes_used"}, false},
    {"/proc/4242/status", {"processes_used"}, false},
    {"/proc/thread-self/maps", {"mappings_used", "address_bits"}, false},
    {"/proc/self/cgroup",
        {"cgroup_limit", "cgroup_used", "cgroup_kills_group", "cgroup_stall_some", "cgroup_stall_full",
            "cgroup_processes_limit", "cgroup_processes_used"},
        false},
    {"/proc/self/mountinfo",
        {"cgroup_limit", "cgroup_used", "cgroup_kills_group", "cgroup_stall_some", "cgroup_stall_full",
            "cgroup_processes_limit", "cgroup_processes_used"},
        false},
    {"/sys/fs/cgroup/user.slice/app/memory.max", {"cgroup_limit", "cgroup_used"}, false},
    {"/sys/fs/cgroup/user.slice/app/memory.current", {"cgroup_used"}, false},
    {"/sys/fs/cgroup/user.slice/app/memory.oom.group", {"cgroup_kills_group"}, false},
    {"/sys/fs/cgroup/user.slice/app/memory.pressure", {"cgroup_stall_some", "cgroup_stall_full"}, false},
    {"/proc/self/exe", {"emulated"}, true},
    {"/proc/thread-self/exe", {"emulated"}, true},
    {"/proc/self/ns/pid", {"container", "processes_used"}, true},
    {"/proc/self/ns/user", {"processes_used"}, true},
    {"/sys/fs/cgroup/user.slice/app/pids.max", {"cgroup_processes_limit", "cgroup_processes_used"}, false},
    {"/sys/fs/cgroup/user.slice/app/pids.current", {"cgroup_processes_used"}, false},
};

static const struct {
    const char *name;
    const char *bytes; /* NULL: `kind` says what stands there instead */
    size_t size;
    enum { TEXT, MISSING, DIRECTORY, FIFO, DANGLING, HUGE_FILE } kind;
} damages[] = {
    {"missing", NULL, 0, MISSING},
    {"a directory", NULL, 0, DIRECTORY},
    {"a FIFO", NULL, 0, FIFO},
    {"a link to nowhere", NULL, 0, DANGLING},
    {"huge", NULL, 2 << 20, HUGE_FILE},
    {"empty", "", 0, TEXT},
    {"blank", "   \n", 4, TEXT},
    {"a NUL byte", "1\0002", 3, TEXT},
    {"NUL bytes", "\0\0\0\0", 4, TEXT},
    {"garbage", "\xff\xfe:\n:\n:::\n- - -\n", 15, TEXT},
    {"negative", "-1\n", 3, TEXT},
    {"overflow", "99999999999999999999999999\n", 27, TEXT},
    {"2^64", "18446744073709551616\n", 21, TEXT},
    {"hexadecimal", "0x10\n", 5, TEXT},
    {"two numbers", "1 2\n", 4, TEXT},
    {"a word", "lots\n", 5, TEXT},
    {"HTML", "<html>404</html>", 16, TEXT},
};

static void damage(size_t file, size_t kind)
{
    const char *path = files[file].path;
    unlink(in_tree(path));
    switch (damages[kind].kind) {
    case TEXT:
        put_bytes(path, damages[kind].bytes, damages[kind].size);
        break;
    case MISSING:
        break;
    case DIRECTORY:
        assert_int_equal(mkdir(in_tree(path), 0755), 0);
        break;
    case FIFO:
        assert_int_equal(mkfifo(in_tree(path), 0600), 0);
        break;
    case DANGLING:
        put_link(path, "nowhere");
        break;
    case HUGE_FILE: {
        char *huge = malloc(damages[kind].size);
        assert_non_null(huge);
        memset(huge, '9', damages[kind].size);
        put_bytes(path, huge, damages[kind].size);
        free(huge);
        break;
    }
    }
}

static void repair(size_t file)
{
    if (unlink(in_tree(files[file].path)) != 0) {
        rmdir(in_tree(files[file].path));
    }
}

static bool comes_from(size_t file, const char *name)
{
    for (size_t i = 0; i < COUNT(files[file].facts) && files[file].facts[i] != NULL; i++) {
        if (strcmp(files[file].facts[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static void damage_to_a_file_makes_its_facts_unknown_and_no_others(void **state)
{
    size_t count;
    const weir_fact_name_t *names = weir_fact_names(&count);
    weir_machine_t probes = machine();
    weir_facts_t healthy;
    (void)state;
    put_healthy_machine();
    weir_facts_read_all(&probes, &healthy);
    for (size_t file = 0; file < COUNT(files); file++) {
        for (size_t kind = 0; kind < COUNT(damages); kind++) {
            weir_facts_t facts;
            if (files[file].link && damages[kind].kind == DANGLING) {
                continue; /* that is what it is */
            }
            damage(file, kind);
            weir_facts_read_all(&probes, &facts);
            for (size_t i = 0; i < count; i++) {
                const weir_fact_t *fact = weir_fact_get(&facts, &names[i]);
                const weir_fact_t *before = weir_fact_get(&healthy, &names[i]);
                bool lost = comes_from(file, names[i].name);
                bool right = lost ? fact->knowledge == WEIR_UNKNOWN && fact->value == 0
                                  : fact->knowledge == before->knowledge && fact->value == before->value;
                if (!right || fact->source == NULL) {
                    fail_msg("%s is %s: %s is %d, %llu", files[file].path, damages[kind].name, names[i].name,
                        fact->knowledge, (unsigned long long)fact->value);
                }
            }
            repair(file);
            put_healthy_machine();
        }
    }
}

/* What the cache takes is not known then, so usage is taken for more than it is. */
static void without_statistics_a_group_uses_all_that_it_has(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < COUNT(damages); kind++) {
        if (damages[kind].kind == TEXT) {
            weir_machine_t probes = machine();
            weir_facts_t facts;
            put_healthy_machine();
            put_bytes("/sys/fs/cgroup/user.slice/app/memory.stat", damages[kind].bytes, damages[kind].size);
            weir_facts_read_all(&probes, &facts);
            assert_known(facts.cgroup_limit, 268435456);
            assert_known(facts.cgroup_used, 20000000);
        }
    }
}

static void absurd_values_are_not_believed(void **state)
{
    weir_machine_t probes = machine();
    weir_facts_t facts;
    (void)state;
    put_healthy_machine();
    probes.page_size = odd_page;
    put("/proc/sys/vm/overcommit_memory", "7\n");
    put("/proc/meminfo", "MemTotal: 0 kB\nMemAvailable: 99999999999999999999 kB\n");
    put("/proc/thread-self/maps", "1000-2000 rw-p 0 0:0 0 [stack]\n");
    weir_facts_read_all(&probes, &facts);
    assert_int_equal(facts.page_size.knowledge, WEIR_UNKNOWN);
    assert_int_equal(facts.overcommit_mode.knowledge, WEIR_UNKNOWN);
    assert_int_equal(facts.memory_total.knowledge, WEIR_UNKNOWN);
    assert_int_equal(facts.memory_available.knowledge, WEIR_UNKNOWN);
    assert_int_equal(facts.address_bits.knowledge, WEIR_UNKNOWN);
}

static void a_kernels_release_is_a_number_or_unknown(void **state)
{
    static const struct {
        const char *name;
        uint64_t number; /* 0: unknown */
    } cases[] = {
        {"6.1.85-cloud-amd64", 6001085},
        {"6.18.44", 6018044},
        {"4.4.0", 4004000},
        {"7.0", 7000000},
        {"5.15.153.1-microsoft-standard-WSL2", 5015153},
        {"6.9-rc3", 6009000},
        {"6.7.0-rc1+", 6007000},
        {"", 0},
        {"linux", 0},
        {"6.", 0},
        {"6.x", 0},
        {"0.0.0", 0},
        {"1000.0.0", 0},
        {"6.99999999999999999999.1", 0},
        {"-6.1", 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        weir_machine_t probes = machine();
        weir_facts_t facts;
        kernel_name = cases[i].name;
        weir_facts_read_all(&probes, &facts);
        bool known = facts.kernel_release.knowledge == WEIR_KNOWN;
        if (known != (cases[i].number != 0) || facts.kernel_release.value != cases[i].number) {
            fail_msg("'%s': %llu", cases[i].name, (unsigned long long)facts.kernel_release.value);
        }
        assert_string_equal(facts.kernel_name, cases[i].name);
    }
    kernel_name = "6.1\x1b[31m\n\xff 5";
    weir_machine_t probes = machine();
    weir_facts_t facts;
    weir_facts_read_all(&probes, &facts);
    assert_string_equal(facts.kernel_name, "6.1 [31m 5");
    kernel_name = "6.1.85-cloud-amd64";
}

static void the_bits_of_an_address_are_those_of_the_stack(void **state)
{
    static const struct {
        const char *end;
        unsigned bits;
    } cases[] = {
        {"7ffffffff000", 47},
        {"7ff8f1a000", 39},
        {"fffff7ffe000", 48},
        {"ffc000000", 36},
        {"100000000000000", 56},
    };
    weir_machine_t probes = machine();
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[128];
        weir_facts_t facts;
        put_healthy_machine();
        snprintf(text, sizeof text, "1000-%s rw-p 0 0:0 0 [stack]\n", cases[i].end);
        put("/proc/thread-self/maps", text);
        weir_facts_read_all(&probes, &facts);
        assert_known(facts.address_bits, cases[i].bits);
    }
}

static void an_emulator_is_seen_by_its_own_name_behind_the_guests(void **state)
{
    weir_machine_t probes = machine();
    weir_facts_t facts;
    (void)state;
    put_healthy_machine();
    put_link("/proc/thread-self/exe", "/usr/bin/qemu-x86_64");
    weir_facts_read_all(&probes, &facts);
    assert_known(facts.emulated, 1);
    unlink(in_tree("/proc/thread-self/exe"));
    weir_facts_read_all(&probes, &facts);
    assert_int_equal(facts.emulated.knowledge, WEIR_UNKNOWN);
}

/* ---- This machine ------------------------------------------------------------------------------------------------ */

static void this_machine_is_read_truthfully(void **state)
{
    weir_facts_t facts;
    struct rlimit limit;
    (void)state;
    weir_facts_read_all(weir_machine_real(), &facts);
    assert_known(facts.page_size, (uint64_t)sysconf(_SC_PAGESIZE));
    assert_int_equal(facts.processors.knowledge, WEIR_KNOWN);
    assert_in_range(facts.processors.value, 1, (uint64_t)sysconf(_SC_NPROCESSORS_CONF));
    assert_int_equal(getrlimit(RLIMIT_AS, &limit), 0);
    if (limit.rlim_cur == RLIM_INFINITY) {
        assert_int_equal(facts.address_space_limit.knowledge, WEIR_UNLIMITED);
    } else {
        assert_known(facts.address_space_limit, limit.rlim_cur);
    }
    /* /proc is there wherever this test runs; whether code may be made executable can be told everywhere. */
    assert_int_equal(facts.memory_total.knowledge, WEIR_KNOWN);
    assert_in_range(facts.address_bits.value, 30, 57);
    assert_in_range(facts.mappings_used.value, 5, 100000);
    assert_int_equal(facts.executable_memory.knowledge, WEIR_KNOWN);
    assert_int_equal(facts.emulated.knowledge, WEIR_KNOWN);
}

static void what_a_process_uses_follows_what_it_maps(void **state)
{
    weir_usage_t before;
    weir_usage_t after;
    (void)state;
    weir_usage_read("", &before);
    void *block = mmap(NULL, 64 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(block, MAP_FAILED);
    weir_usage_read("", &after);
    munmap(block, 64 << 20);
    assert_in_range(after.address_space.value - before.address_space.value, 64 << 20, 66 << 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_TREE(a_healthy_machine_is_known),
        IN_TREE(nothing_that_cannot_be_read_is_known_or_unlimited),
        IN_TREE(damage_to_a_file_makes_its_facts_unknown_and_no_others),
        IN_TREE(without_statistics_a_group_uses_all_that_it_has),
        IN_TREE(absurd_values_are_not_believed),
        IN_TREE(a_kernels_release_is_a_number_or_unknown),
        IN_TREE(the_bits_of_an_address_are_those_of_the_stack),
        IN_TREE(an_emulator_is_seen_by_its_own_name_behind_the_guests),
        cmocka_unit_test(this_machine_is_read_truthfully),
        cmocka_unit_test(what_a_process_uses_follows_what_it_maps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
