/*
 * test_facts.c: what is read from /proc and /sys, from directory trees that stand in for machines, healthy and not.
 */
#include "allocator/cgroup.h"
#include "allocator/facts.h"
#include "allocator/procfs.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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

/* ---- A tree that stands in for a machine ------------------------------------------------------------------------- */

static char tree[64];

static int make_tree(void **state)
{
    (void)state;
    snprintf(tree, sizeof tree, "/tmp/weir-facts-XXXXXX");
    return mkdtemp(tree) == NULL ? -1 : 0;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

static int remove_tree(void **state)
{
    (void)state;
    return nftw(tree, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *in_tree(const char *path)
{
    static char full[512];
    snprintf(full, sizeof full, "%s%s", tree, path);
    return full;
}

static void make_parents(const char *path)
{
    char full[512];
    snprintf(full, sizeof full, "%s", in_tree(path));
    for (char *slash = strchr(full + strlen(tree) + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(full, 0755);
        *slash = '/';
    }
}

static void put_bytes(const char *path, const char *bytes, size_t size)
{
    make_parents(path);
    int descriptor = open(in_tree(path), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, bytes, size), size);
    close(descriptor);
}

static void put(const char *path, const char *text)
{
    put_bytes(path, text, strlen(text));
}

static void put_link(const char *path, const char *target)
{
    make_parents(path);
    unlink(in_tree(path));
    assert_int_equal(symlink(target, in_tree(path)), 0);
}

/* ---- A machine --------------------------------------------------------------------------------------------------- */

static bool two(uint64_t *ret_value)
{
    *ret_value = 2;
    return true;
}

static bool four_thousand(uint64_t *ret_value)
{
    *ret_value = 4096;
    return true;
}

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

static bool limits(int resource, uint64_t *ret_bytes, bool *ret_unlimited)
{
    *ret_unlimited = resource == RLIMIT_DATA;
    *ret_bytes = 12345;
    return true;
}

static bool no_limits(int resource, uint64_t *ret_bytes, bool *ret_unlimited)
{
    (void)resource;
    *ret_bytes = 7;
    *ret_unlimited = true;
    return false;
}

static bool granted(bool *ret_granted)
{
    *ret_granted = true;
    return true;
}

static bool not_known(bool *ret_granted)
{
    *ret_granted = true;
    return false;
}

static weir_machine_t machine(void)
{
    return (weir_machine_t){tree, two, four_thousand, limits, granted};
}

static void put_healthy_machine(void)
{
    put("/proc/meminfo",
        "MemTotal:       24684084 kB\nMemFree:  1 kB\nMemAvailable:   24369152 kB\nCommitLimit:    12342040 kB\n"
        "Committed_AS:     331776 kB\n");
    put("/proc/sys/vm/overcommit_memory", "2\n");
    put("/proc/sys/vm/max_map_count", "65530\n");
    put("/proc/sys/vm/user_reserve_kbytes", "131072\n");
    put("/proc/sys/vm/admin_reserve_kbytes", "8192\n");
    put("/proc/self/status",
        "Name:\tweir\nVmPeak:\t  40000 kB\nVmSize:\t   30000 kB\nVmData:\t    2000 kB\nThreads:\t1\n");
    put("/proc/thread-self/maps",
        "55ff24ba0000-55ff24ba1000 r--p 00000000 fe:00 10002469                   /usr/bin/weir\n"
        "7ffd1c5e1000-7ffd1c602000 rw-p 00000000 00:00 0                          [stack]\n"
        "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n");
    put("/proc/self/cgroup", "0::/user.slice/app\n");
    put("/proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n");
    put("/sys/fs/cgroup/user.slice/app/memory.max", "268435456\n");
    put("/sys/fs/cgroup/user.slice/app/memory.current", "20000000\n");
    put("/sys/fs/cgroup/user.slice/app/memory.stat", "anon 1\ninactive_file 5000000\nactive_file 3\n");
    put_link("/proc/self/exe", "/usr/bin/weir");
    put_link("/proc/thread-self/exe", "/usr/bin/weir");
}

static void assert_known(weir_fact_t fact, uint64_t value)
{
    assert_int_equal(fact.knowledge, WEIR_KNOWN);
    assert_int_equal(fact.value, value);
    assert_non_null(fact.source);
}

/* ---- Numbers ----------------------------------------------------------------------------------------------------- */

static void a_number_is_read_only_when_the_whole_text_is_one(void **state)
{
    static const struct {
        const char *text;
        bool valid;
        uint64_t value;
    } cases[] = {
        {"0", true, 0},
        {"42\n", true, 42},
        {"  7 \n", true, 7},
        {"18446744073709551615", true, UINT64_MAX},
        {"18446744073709551616", false, 0},
        {"99999999999999999999999999", false, 0},
        {"", false, 0},
        {"\n", false, 0},
        {"-1", false, 0},
        {"+1", false, 0},
        {"1 2", false, 0},
        {"max", false, 0},
        {"0x10", false, 0},
        {"1e3", false, 0},
        {"12a", false, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t value = 4711;
        bool valid = weir_procfs_number(cases[i].text, &value);
        if (valid != cases[i].valid || value != (valid ? cases[i].value : 4711)) {
            fail_msg("'%s': %d, %llu", cases[i].text, valid, (unsigned long long)value);
        }
    }
}

static void a_field_in_kibibytes_is_read_only_when_its_line_is_whole(void **state)
{
    static const struct {
        const char *text;
        bool valid;
        uint64_t value;
    } cases[] = {
        {"MemTotal:       3 kB\n", true, 3072},
        {"A: 1 kB\nMemTotal:\t3 kB", true, 3072},
        {"\n\nMemTotal: 0 kB\n", true, 0},
        {"MemTotal: 18014398509481983 kB\n", true, UINT64_C(18014398509481983) * 1024},
        {"MemTotal: 18014398509481984 kB\n", false, 0},
        {"MemTotal: 3\n", false, 0},
        {"MemTotal: 3 MB\n", false, 0},
        {"MemTotal: 3 kBx\n", false, 0},
        {"MemTotal: -3 kB\n", false, 0},
        {"MemTotal: kB\n", false, 0},
        {"MemTotal:", false, 0},
        {"MemTotal", false, 0},
        {"xMemTotal: 3 kB\n", false, 0},
        {"MemTotalX: 3 kB\n", false, 0},
        {"", false, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t value = 4711;
        bool valid = weir_procfs_kibibytes(cases[i].text, "MemTotal", &value);
        if (valid != cases[i].valid || value != (valid ? cases[i].value : 4711)) {
            fail_msg("'%s': %d, %llu", cases[i].text, valid, (unsigned long long)value);
        }
    }
}

static void a_statistic_is_read_from_its_own_line(void **state)
{
    uint64_t value = 4711;
    (void)state;
    assert_true(weir_procfs_statistic("anon 1\ninactive_file 17\n", "inactive_file", &value));
    assert_int_equal(value, 17);
    assert_false(weir_procfs_statistic("total_inactive_file 18\n", "inactive_file", &value));
    assert_false(weir_procfs_statistic("inactive_file 18 x\n", "inactive_file", &value));
    assert_false(weir_procfs_statistic("inactive_file\n", "inactive_file", &value));
    assert_int_equal(value, 17);
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

static void a_file_that_is_not_a_small_text_is_not_read(void **state)
{
    char buffer[16];
    (void)state;
    put("/whole", "fifteen letters");
    put("/too-long", "sixteen letters.");
    put_bytes("/nul", "a\0b", 3);
    put("/directory/file", "");
    assert_int_equal(mkfifo(in_tree("/fifo"), 0600), 0);
    assert_true(weir_procfs_read(tree, "/whole", buffer, sizeof buffer));
    assert_string_equal(buffer, "fifteen letters");
    assert_false(weir_procfs_read(tree, "/too-long", buffer, sizeof buffer));
    assert_false(weir_procfs_read(tree, "/nul", buffer, sizeof buffer));
    assert_false(weir_procfs_read(tree, "/directory", buffer, sizeof buffer));
    assert_false(weir_procfs_read(tree, "/missing", buffer, sizeof buffer));
    assert_true(weir_procfs_read(tree, "/fifo", buffer, sizeof buffer)); /* nobody writes: its end, at once */
    assert_string_equal(buffer, "");
    assert_true(weir_procfs_read(tree, "/directory/file", buffer, sizeof buffer));
    assert_string_equal(buffer, "");
}

static void a_maps_file_is_counted_or_not_understood(void **state)
{
    static const struct {
        const char *text;
        bool valid;
        uint64_t count;
        uint64_t stack_end;
    } cases[] = {
        {"1000-2000 r--p 0 0:0 0\n", true, 1, 0},
        {"1000-2000 r--p 0 0:0 0\n3000-4000 rw-p 0 0:0 0 [stack]\n", true, 2, 0x4000},
        {"1000-2000 r--p 0 0:0 0 no newline at the end", true, 1, 0},
        {"FFFFFFFFFF600000-ffffffffff601000 --xp 0 0:0 0 [vsyscall]\n", true, 1, 0},
        {"", false, 0, 0},
        {"\n", false, 0, 0},
        {"hello\n", false, 0, 0},
        {"2000-1000 r--p\n", false, 0, 0},
        {"1000-2000\n", false, 0, 0},
        {"1000- r--p\n", false, 0, 0},
        {"00000000000000001-2000 r--p\n", false, 0, 0},
        {"1000-2000 r--p 0 0:0 0\ngarbage\n", false, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        weir_procfs_maps_t maps = {4711, 4712};
        put("/maps", cases[i].text);
        bool valid = weir_procfs_maps_read(tree, "/maps", &maps);
        bool as_expected = valid ? maps.count == cases[i].count && maps.stack_end == cases[i].stack_end
                                 : maps.count == 4711 && maps.stack_end == 4712;
        if (valid != cases[i].valid || !as_expected) {
            fail_msg("'%s': %d, %llu", cases[i].text, valid, (unsigned long long)maps.count);
        }
    }
}

static void a_mapping_with_a_long_path_counts_once(void **state)
{
    char text[2048];
    weir_procfs_maps_t maps;
    (void)state;
    snprintf(text, sizeof text, "1000-2000 r--p 0 0:0 0 /%01500d\n3000-4000 r--p 0 0:0 0\n", 0);
    put("/maps", text);
    assert_true(weir_procfs_maps_read(tree, "/maps", &maps));
    assert_int_equal(maps.count, 2);
}

/* ---- Facts ------------------------------------------------------------------------------------------------------- */

static void a_healthy_machine_is_known(void **state)
{
    weir_machine_t probes = machine();
    weir_facts_t facts;
    (void)state;
    put_healthy_machine();
    weir_facts_read(&probes, &facts);
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
    assert_known(facts.data_used, UINT64_C(2000) * 1024);
    assert_known(facts.address_bits, 47);
    assert_known(facts.cgroup_limit, 268435456);
    assert_known(facts.cgroup_used, 15000000);
    assert_known(facts.emulated, 0);
    assert_known(facts.executable_memory, 1);
}

static void nothing_that_cannot_be_read_is_known_or_unlimited(void **state)
{
    weir_machine_t probes = {tree, no_number, no_number, no_limits, not_known};
    weir_facts_t facts;
    size_t count;
    const weir_fact_name_t *names = weir_fact_names(&count);
    (void)state;
    weir_facts_read(&probes, &facts);
    for (size_t i = 0; i < count; i++) {
        const weir_fact_t *fact = weir_fact_get(&facts, &names[i]);
        if (fact->knowledge != WEIR_UNKNOWN || fact->value != 0 || fact->source == NULL) {
            fail_msg("%s: %d, %llu", names[i].name, fact->knowledge, (unsigned long long)fact->value);
        }
    }
}

static void damaged_files_make_facts_unknown(void **state)
{
    static const char *const files[] = {"/proc/meminfo", "/proc/sys/vm/overcommit_memory", "/proc/sys/vm/max_map_count",
        "/proc/sys/vm/admin_reserve_kbytes", "/proc/self/status", "/proc/thread-self/maps", "/proc/self/cgroup",
        "/proc/self/mountinfo"};
    weir_machine_t probes = machine();
    size_t huge_size = 2 << 20;
    char *huge = malloc(huge_size);
    (void)state;
    assert_non_null(huge);
    memset(huge, '9', huge_size);
    for (unsigned damage = 0; damage < 4; damage++) {
        weir_facts_t facts;
        put_healthy_machine();
        for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
            const char *const damages[] = {"", "\xff\xfe:\n:\n:::\n- - -\n", "1\0002", huge};
            const size_t sizes[] = {0, 15, 3, huge_size};
            put_bytes(files[i], damages[damage], sizes[damage]);
        }
        weir_facts_read(&probes, &facts);
        const weir_fact_t *unknown[] = {&facts.memory_total, &facts.memory_available, &facts.commit_limit,
            &facts.commit_used, &facts.commit_reserve, &facts.overcommit_mode, &facts.mappings_limit,
            &facts.mappings_used, &facts.address_space_used, &facts.data_used, &facts.address_bits, &facts.cgroup_limit,
            &facts.cgroup_used};
        for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
            if (unknown[i]->knowledge != WEIR_UNKNOWN) {
                fail_msg("damage %u: %s is %d, %llu", damage, unknown[i]->source, unknown[i]->knowledge,
                    (unsigned long long)unknown[i]->value);
            }
        }
    }
    free(huge);
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
    weir_facts_read(&probes, &facts);
    assert_int_equal(facts.page_size.knowledge, WEIR_UNKNOWN);
    assert_int_equal(facts.overcommit_mode.knowledge, WEIR_UNKNOWN);
    assert_int_equal(facts.memory_total.knowledge, WEIR_UNKNOWN);
    assert_int_equal(facts.memory_available.knowledge, WEIR_UNKNOWN);
    assert_int_equal(facts.address_bits.knowledge, WEIR_UNKNOWN);
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
        weir_facts_read(&probes, &facts);
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
    weir_facts_read(&probes, &facts);
    assert_known(facts.emulated, 1);
    unlink(in_tree("/proc/thread-self/exe"));
    weir_facts_read(&probes, &facts);
    assert_int_equal(facts.emulated.knowledge, WEIR_UNKNOWN);
}

/* ---- Control groups ---------------------------------------------------------------------------------------------- */

static void read_group(weir_knowledge_t *ret_knowledge, uint64_t *ret_limit, uint64_t *ret_used)
{
    weir_fact_t limit;
    weir_fact_t used;
    weir_cgroup_read(tree, &limit, &used);
    *ret_knowledge = limit.knowledge;
    *ret_limit = limit.value;
    *ret_used = used.value;
}

static void assert_group(weir_knowledge_t knowledge, uint64_t limit, uint64_t used)
{
    weir_knowledge_t got_knowledge;
    uint64_t got_limit;
    uint64_t got_used;
    read_group(&got_knowledge, &got_limit, &got_used);
    assert_int_equal(got_knowledge, knowledge);
    assert_int_equal(got_limit, limit);
    assert_int_equal(got_used, used);
}

static void an_ancestors_limit_binds_when_it_is_tighter(void **state)
{
    (void)state;
    put_healthy_machine();
    put("/sys/fs/cgroup/user.slice/memory.max", "100000000\n");
    put("/sys/fs/cgroup/user.slice/memory.current", "90000000\n");
    assert_group(WEIR_KNOWN, 100000000, 90000000);
    put("/sys/fs/cgroup/user.slice/memory.current", "1\n");
    assert_group(WEIR_KNOWN, 100000000, 1);
    put("/sys/fs/cgroup/user.slice/memory.max", "100000000000\n");
    assert_group(WEIR_KNOWN, 268435456, 15000000);
}

static void no_limit_at_any_level_is_unlimited(void **state)
{
    (void)state;
    put_healthy_machine();
    put("/sys/fs/cgroup/user.slice/app/memory.max", "max\n");
    put("/sys/fs/cgroup/user.slice/memory.max", "max\n");
    assert_group(WEIR_UNLIMITED, 0, 0);
}

static void the_root_of_v2_is_unlimited_only_with_the_memory_controller(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "0::/\n");
    put("/proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    assert_group(WEIR_UNKNOWN, 0, 0);
    put("/sys/fs/cgroup/cgroup.controllers", "cpu io memory pids\n");
    assert_group(WEIR_UNLIMITED, 0, 0);
    put("/sys/fs/cgroup/cgroup.controllers", "cpu io pids\n");
    assert_group(WEIR_UNKNOWN, 0, 0);
}

static void a_container_sees_its_group_at_the_mount(void **state)
{
    (void)state;
    /* Without a namespace of its own: the path is the host's, and the mount shows a part of it. */
    put("/proc/self/cgroup", "0::/docker/abc\n");
    put("/proc/self/mountinfo", "30 23 0:26 /docker/abc /sys/fs/cgroup ro,relatime - cgroup2 cgroup rw\n");
    put("/sys/fs/cgroup/memory.max", "1000000\n");
    put("/sys/fs/cgroup/memory.current", "1000\n");
    assert_group(WEIR_KNOWN, 1000000, 1000);
    /* With one whose root lies beside it. */
    put("/proc/self/cgroup", "0::/../elsewhere\n");
    assert_group(WEIR_KNOWN, 1000000, 1000);
    /* The prefix of a name is not a prefix of a path. */
    put("/proc/self/cgroup", "0::/docker/abcdef\n");
    put("/sys/fs/cgroup/def/memory.max", "5\n");
    assert_group(WEIR_KNOWN, 1000000, 1000);
}

static void v1_is_read_like_v2(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "9:name=systemd:/\n4:cpu,memory:/a/b\n0::/\n");
    put("/proc/self/mountinfo",
        "20 1 0:5 / /sys rw - sysfs sysfs rw\n31 23 0:27 / /sys/fs/cgroup/cpu\\040memory rw shared:9 - cgroup cgroup "
        "rw,cpu,memory\n");
    put("/sys/fs/cgroup/cpu memory/a/b/memory.limit_in_bytes", "9223372036854771712\n");
    put("/sys/fs/cgroup/cpu memory/a/memory.limit_in_bytes", "300000000\n");
    put("/sys/fs/cgroup/cpu memory/a/memory.usage_in_bytes", "50000000\n");
    put("/sys/fs/cgroup/cpu memory/a/memory.stat", "inactive_file 7\ntotal_inactive_file 10000000\n");
    assert_group(WEIR_KNOWN, 300000000, 40000000);
    put("/sys/fs/cgroup/cpu memory/a/memory.limit_in_bytes", "9223372036854771712\n");
    assert_group(WEIR_UNLIMITED, 0, 0);
}

static void the_tighter_of_v1_and_v2_binds(void **state)
{
    (void)state;
    put_healthy_machine();
    put("/proc/self/cgroup", "4:memory:/x\n0::/user.slice/app\n");
    put("/proc/self/mountinfo",
        "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n31 23 0:27 / /v1 rw - cgroup cgroup rw,memory\n");
    put("/v1/x/memory.limit_in_bytes", "1000000\n");
    put("/v1/x/memory.usage_in_bytes", "10\n");
    assert_group(WEIR_KNOWN, 1000000, 10);
    put("/v1/x/memory.limit_in_bytes", "900000000000\n");
    assert_group(WEIR_KNOWN, 268435456, 15000000);
}

static void damaged_group_files_are_unknown(void **state)
{
    static const char *const groups[] = {
        "", ":", "::", ":::", "0:", "0::", "0::x", "4:memory", "4:memoryx:/a\n", "garbage\n\n\n", "0::/a\n", "\n0::"};
    static const char *const mounts[] = {"", "-", " - cgroup2 x y\n", "1 2 3 4 5 6 - cgroup2 x\n",
        "1 2 3 / /missing rw - cgroup2 c rw\n", "1 2 3 / /bad\\777 rw - cgroup2 c rw\n",
        "1 2 3 / / rw a b c d e f g h i j k l m n o p q r s t u v w x y z - cgroup2 c rw\n"};
    (void)state;
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        for (size_t j = 0; j < sizeof mounts / sizeof mounts[0]; j++) {
            weir_fact_t limit;
            weir_fact_t used;
            put("/proc/self/cgroup", groups[i]);
            put("/proc/self/mountinfo", mounts[j]);
            weir_cgroup_read(tree, &limit, &used);
            if (limit.knowledge != WEIR_UNKNOWN || used.knowledge != WEIR_UNKNOWN) {
                fail_msg("'%s' and '%s': %d", groups[i], mounts[j], limit.knowledge);
            }
        }
    }
    /* A limit that is no number is not known; one whose usage is not known still binds. */
    put_healthy_machine();
    put("/sys/fs/cgroup/user.slice/app/memory.max", "many\n");
    assert_group(WEIR_UNKNOWN, 0, 0);
    put("/sys/fs/cgroup/user.slice/app/memory.max", "5000000\n");
    put("/sys/fs/cgroup/user.slice/app/memory.current", "?\n");
    assert_group(WEIR_KNOWN, 5000000, 0);
}

/* ---- This machine ------------------------------------------------------------------------------------------------ */

static void this_machine_is_read_truthfully(void **state)
{
    weir_facts_t facts;
    struct rlimit limit;
    (void)state;
    weir_facts_read(weir_machine_real(), &facts);
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
#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, make_tree, remove_tree)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_read_only_when_the_whole_text_is_one),
        cmocka_unit_test(a_field_in_kibibytes_is_read_only_when_its_line_is_whole),
        cmocka_unit_test(a_statistic_is_read_from_its_own_line),
        IN_TREE(a_file_that_is_not_a_small_text_is_not_read),
        IN_TREE(a_maps_file_is_counted_or_not_understood),
        IN_TREE(a_mapping_with_a_long_path_counts_once),
        IN_TREE(a_healthy_machine_is_known),
        IN_TREE(nothing_that_cannot_be_read_is_known_or_unlimited),
        IN_TREE(damaged_files_make_facts_unknown),
        IN_TREE(absurd_values_are_not_believed),
        IN_TREE(the_bits_of_an_address_are_those_of_the_stack),
        IN_TREE(an_emulator_is_seen_by_its_own_name_behind_the_guests),
        IN_TREE(an_ancestors_limit_binds_when_it_is_tighter),
        IN_TREE(no_limit_at_any_level_is_unlimited),
        IN_TREE(the_root_of_v2_is_unlimited_only_with_the_memory_controller),
        IN_TREE(a_container_sees_its_group_at_the_mount),
        IN_TREE(v1_is_read_like_v2),
        IN_TREE(the_tighter_of_v1_and_v2_binds),
        IN_TREE(damaged_group_files_are_unknown),
        cmocka_unit_test(this_machine_is_read_truthfully),
        cmocka_unit_test(what_a_process_uses_follows_what_it_maps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
