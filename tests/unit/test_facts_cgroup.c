/*
 * test_facts_cgroup.c: what control groups say, from directory trees that stand in for machines.
 */
#include "allocator/cgroup.h"
#include "facts_support.h"

static weir_cgroup_reading_t read_groups(void)
{
    static weir_cgroups_t groups;
    weir_cgroup_reading_t reading;
    weir_cgroup_find(tree, &groups);
    weir_cgroup_read(tree, &groups, &reading);
    return reading;
}

static void read_group(weir_knowledge_t *ret_knowledge, uint64_t *ret_limit, uint64_t *ret_used)
{
    weir_cgroup_reading_t reading = read_groups();
    *ret_knowledge = reading.limit.knowledge;
    *ret_limit = reading.limit.value;
    *ret_used = reading.used.value;
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

static weir_fact_t kills_group(void)
{
    static weir_cgroups_t groups;
    weir_cgroup_find(tree, &groups);
    return weir_cgroup_kills_group(tree, &groups);
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

static void a_group_that_is_slowed_down_beyond_a_limit_has_that_limit(void **state)
{
    (void)state;
    put_healthy_machine();
    put("/sys/fs/cgroup/user.slice/app/memory.high", "max\n");
    assert_group(WEIR_KNOWN, 268435456, 15000000);
    put("/sys/fs/cgroup/user.slice/app/memory.high", "50000000\n");
    assert_group(WEIR_KNOWN, 50000000, 15000000);
    assert_string_equal(read_groups().limit.source, "cgroup v2 memory.high");
    put("/sys/fs/cgroup/user.slice/app/memory.max", "max\n");
    assert_group(WEIR_KNOWN, 50000000, 15000000);
    put("/sys/fs/cgroup/user.slice/app/memory.max", "40000000\n");
    assert_group(WEIR_KNOWN, 40000000, 15000000);
    assert_string_equal(read_groups().limit.source, "cgroup v2 memory.max");
    put("/sys/fs/cgroup/user.slice/memory.high", "30000000\n");
    put("/sys/fs/cgroup/user.slice/memory.current", "20000000\n");
    assert_group(WEIR_KNOWN, 30000000, 20000000);
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
            put("/proc/self/cgroup", groups[i]);
            put("/proc/self/mountinfo", mounts[j]);
            weir_cgroup_reading_t reading = read_groups();
            if (reading.limit.knowledge != WEIR_UNKNOWN || reading.used.knowledge != WEIR_UNKNOWN) {
                fail_msg("'%s' and '%s': %d", groups[i], mounts[j], reading.limit.knowledge);
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

static void a_limit_that_cannot_be_understood_is_not_taken_for_none(void **state)
{
    (void)state;
    put_healthy_machine();
    put("/sys/fs/cgroup/user.slice/app/memory.max", "max\n");
    put("/sys/fs/cgroup/user.slice/memory.max", "-5\n");
    assert_group(WEIR_UNKNOWN, 0, 0);
    put("/sys/fs/cgroup/user.slice/memory.max", "7000000\n");
    assert_group(WEIR_KNOWN, 7000000, 0);
}

static void a_machine_with_a_megabyte_of_mounts_is_understood(void **state)
{
    enum { LINES = 8000, LONGEST = 9000 };
    size_t size = LINES * 160 + LONGEST + 200;
    char *mounts = malloc(size);
    size_t used = 0;
    (void)state;
    assert_non_null(mounts);
    put_healthy_machine();
    for (unsigned i = 0; i < LINES; i++) {
        used += (size_t)snprintf(mounts + used, size - used,
            "%u 23 0:%u / /var/lib/containers/%u/merged rw,relatime shared:%u - overlay overlay rw,lowerdir=/a:/b\n", i,
            i, i, i);
    }
    /* One that is longer than what is kept of a line. */
    used += (size_t)snprintf(mounts + used, size - used, "9 23 0:9 / /%0*d rw - overlay overlay rw\n", LONGEST, 0);
    snprintf(mounts + used, size - used, "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    put("/proc/self/mountinfo", mounts);
    free(mounts);
    assert_group(WEIR_KNOWN, 268435456, 15000000);
}

static void a_group_that_is_killed_whole_is_known_at_any_level(void **state)
{
    (void)state;
    put_healthy_machine();
    assert_known(kills_group(), 1);
    put("/sys/fs/cgroup/user.slice/app/memory.oom.group", "0\n");
    assert_known(kills_group(), 0);
    put("/sys/fs/cgroup/user.slice/memory.oom.group", "1\n");
    assert_known(kills_group(), 1);
    put("/sys/fs/cgroup/user.slice/memory.oom.group", "2\n");
    assert_int_equal(kills_group().knowledge, WEIR_UNKNOWN);
    put("/sys/fs/cgroup/user.slice/app/memory.oom.group", "1\n");
    assert_known(kills_group(), 1);
    /* v1 has no such thing. */
    put("/proc/self/cgroup", "4:memory:/x\n");
    put("/proc/self/mountinfo", "31 23 0:27 / /v1 rw - cgroup cgroup rw,memory\n");
    put("/v1/x/memory.limit_in_bytes", "1000000\n");
    assert_known(kills_group(), 0);
}

static void pressure_is_that_of_the_group_with_the_limit(void **state)
{
    (void)state;
    put_healthy_machine();
    put("/sys/fs/cgroup/user.slice/memory.pressure", "some avg10=50.00 avg60=0.00 avg300=0.00 total=1\n"
                                                     "full avg10=40.00 avg60=0.00 avg300=0.00 total=1\n");
    assert_known(read_groups().stall_some, 1234);
    assert_known(read_groups().stall_full, 7);
    put("/sys/fs/cgroup/user.slice/memory.max", "5000000\n");
    assert_known(read_groups().stall_some, 5000);
    assert_known(read_groups().stall_full, 4000);
    /* Without any limit, our own. */
    put("/sys/fs/cgroup/user.slice/memory.max", "max\n");
    put("/sys/fs/cgroup/user.slice/app/memory.max", "max\n");
    assert_known(read_groups().stall_some, 1234);
}

/* ---- Processes --------------------------------------------------------------------------------------------------- */

static void assert_processes(weir_knowledge_t knowledge, uint64_t limit, uint64_t used)
{
    static weir_cgroups_t groups;
    weir_fact_t got_limit;
    weir_fact_t got_used;
    weir_cgroup_find(tree, &groups);
    weir_cgroup_read_processes(tree, &groups, &got_limit, &got_used);
    assert_int_equal(got_limit.knowledge, knowledge);
    assert_int_equal(got_limit.value, limit);
    assert_int_equal(got_used.value, used);
}

static void of_all_groups_the_one_with_room_for_the_fewest_processes_counts(void **state)
{
    (void)state;
    put_healthy_machine();
    assert_processes(WEIR_KNOWN, 100, 7);
    put("/sys/fs/cgroup/user.slice/pids.max", "1000\n");
    put("/sys/fs/cgroup/user.slice/pids.current", "998\n");
    assert_processes(WEIR_KNOWN, 1000, 998);
    put("/sys/fs/cgroup/user.slice/pids.max", "max\n");
    assert_processes(WEIR_KNOWN, 100, 7);
    put("/sys/fs/cgroup/user.slice/app/pids.max", "max\n");
    assert_processes(WEIR_UNLIMITED, 0, 0);
    put("/sys/fs/cgroup/user.slice/pids.max", "lots\n");
    assert_processes(WEIR_UNKNOWN, 0, 0);
}

static void processes_have_a_hierarchy_of_their_own_in_v1(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "9:memory:/m\n8:pids:/p\n0::/\n");
    put("/proc/self/mountinfo", "31 23 0:27 / /v1/memory rw - cgroup cgroup rw,memory\n"
                                "32 23 0:28 / /v1/pids rw - cgroup cgroup rw,pids\n");
    put("/v1/pids/p/pids.max", "20\n");
    put("/v1/pids/p/pids.current", "4\n");
    put("/v1/memory/m/memory.limit_in_bytes", "1000000\n");
    put("/v1/memory/m/memory.usage_in_bytes", "1000\n");
    assert_processes(WEIR_KNOWN, 20, 4);
    assert_group(WEIR_KNOWN, 1000000, 1000);
    /* The root of v1 has no such file; a place of which nothing is known is no root. */
    put("/proc/self/cgroup", "8:pids:/\n");
    assert_processes(WEIR_UNKNOWN, 0, 0);
    put("/v1/pids/cgroup.procs", "1\n");
    assert_processes(WEIR_UNLIMITED, 0, 0);
    put("/v1/pids/pids.max", "30\n");
    put("/v1/pids/pids.current", "5\n");
    assert_processes(WEIR_KNOWN, 30, 5);
}

static void the_root_of_v2_has_no_limit_on_processes_only_with_their_controller(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "0::/\n");
    put("/proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    put("/sys/fs/cgroup/cgroup.controllers", "cpu io memory\n");
    assert_processes(WEIR_UNKNOWN, 0, 0);
    put("/sys/fs/cgroup/cgroup.controllers", "cpu io memory pids\n");
    assert_processes(WEIR_UNLIMITED, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_TREE(an_ancestors_limit_binds_when_it_is_tighter),
        IN_TREE(a_group_that_is_slowed_down_beyond_a_limit_has_that_limit),
        IN_TREE(no_limit_at_any_level_is_unlimited),
        IN_TREE(the_root_of_v2_is_unlimited_only_with_the_memory_controller),
        IN_TREE(a_container_sees_its_group_at_the_mount),
        IN_TREE(v1_is_read_like_v2),
        IN_TREE(the_tighter_of_v1_and_v2_binds),
        IN_TREE(damaged_group_files_are_unknown),
        IN_TREE(a_limit_that_cannot_be_understood_is_not_taken_for_none),
        IN_TREE(a_machine_with_a_megabyte_of_mounts_is_understood),
        IN_TREE(a_group_that_is_killed_whole_is_known_at_any_level),
        IN_TREE(pressure_is_that_of_the_group_with_the_limit),
        IN_TREE(of_all_groups_the_one_with_room_for_the_fewest_processes_counts),
        IN_TREE(processes_have_a_hierarchy_of_their_own_in_v1),
        IN_TREE(the_root_of_v2_has_no_limit_on_processes_only_with_their_controller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
