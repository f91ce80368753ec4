/*
 * test_facts_tasks.c: whom RLIMIT_NPROC binds, and what a user has running, from directory trees that stand in for
 * machines.
 */
#include "allocator/tasks.h"
#include "facts_support.h"

static uint64_t limit_value;

static bool limit_processes(int resource, uint64_t *ret_value, bool *ret_unlimited)
{
    *ret_unlimited = resource != RLIMIT_NPROC || limit_value == 0;
    *ret_value = limit_value;
    return true;
}

static weir_tasks_t read_tasks(uint64_t limit, bool all)
{
    static weir_cgroups_t groups;
    weir_machine_t probes = machine();
    weir_tasks_t tasks;
    limit_value = limit;
    probes.resource_limit = limit_processes;
    weir_cgroup_find(tree, &groups);
    weir_tasks_read(&probes, &groups, NULL, all, &tasks);
    return tasks;
}

static void put_user(const char *user, const char *capabilities)
{
    char text[256];
    snprintf(text, sizeof text, "Name:\tweir\nThreads:\t1\nUid:\t%s\t0\t0\t0\nCapEff:\t%s\n", user, capabilities);
    put("/proc/self/status", text);
}

static void threads_of_the_user_alone_are_counted(void **state)
{
    (void)state;
    put_healthy_machine();
    put("/proc/1/status", "Uid:\t0\t0\t0\t0\nThreads:\t9\n");
    put("/proc/99/status", "Uid:\t1000\t1000\t1000\t1000\nThreads:\t40\n");
    put("/proc/7x/status", "Uid:\t1000\t1000\t1000\t1000\nThreads:\t500\n");
    assert_known(read_tasks(50, false).used, 43);
    assert_known(read_tasks(50, false).limit, 50);
    put("/proc/99/status", "Uid:\t1000\t1000\t1000\t1000\n");
    assert_int_equal(read_tasks(50, false).used.knowledge, WEIR_UNKNOWN);
}

static void all_processes_are_looked_at_where_the_limit_is_low_or_that_is_asked_for(void **state)
{
    (void)state;
    put_healthy_machine();
    assert_known(read_tasks(WEIR_TASKS_FEW, false).used, 3);
    assert_int_equal(read_tasks(WEIR_TASKS_FEW + 1, false).used.knowledge, WEIR_UNKNOWN);
    assert_known(read_tasks(WEIR_TASKS_FEW + 1, false).limit, WEIR_TASKS_FEW + 1);
    assert_known(read_tasks(WEIR_TASKS_FEW + 1, true).used, 3);
    assert_int_equal(read_tasks(0, true).limit.knowledge, WEIR_UNLIMITED);
    assert_int_equal(read_tasks(0, true).used.knowledge, WEIR_UNKNOWN);
}

static void root_and_those_with_a_capability_for_it_are_exempt(void **state)
{
    static const struct {
        const char *user;
        const char *capabilities;
        bool exempt;
    } cases[] = {
        {"0", "0000000000000000", true},
        {"1000", "0000000001000000", true}, /* CAP_SYS_RESOURCE */
        {"1000", "0000000000200000", true}, /* CAP_SYS_ADMIN */
        {"1000", "000001fffedfffff", false},
        {"1000", "", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        put_healthy_machine();
        put_user(cases[i].user, cases[i].capabilities);
        weir_tasks_t tasks = read_tasks(50, false);
        assert_int_equal(tasks.limit.knowledge, cases[i].exempt ? WEIR_UNLIMITED : WEIR_KNOWN);
        assert_int_equal(strcmp(tasks.limit.source, "RLIMIT_NPROC") != 0, cases[i].exempt);
    }
}

static void in_a_namespace_nobody_is_exempt_and_not_all_processes_are_seen(void **state)
{
    (void)state;
    put_healthy_machine();
    put_user("0", "000001ffffffffff");
    put_link("/proc/self/ns/user", "user:[4026532000]");
    assert_known(read_tasks(50, true).limit, 50);
    assert_int_equal(read_tasks(50, true).used.knowledge, WEIR_UNKNOWN);
    put_healthy_machine();
    put_link("/proc/self/ns/pid", "pid:[4026532000]");
    assert_known(read_tasks(50, true).limit, 50);
    assert_int_equal(read_tasks(50, true).used.knowledge, WEIR_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_TREE(threads_of_the_user_alone_are_counted),
        IN_TREE(all_processes_are_looked_at_where_the_limit_is_low_or_that_is_asked_for),
        IN_TREE(root_and_those_with_a_capability_for_it_are_exempt),
        IN_TREE(in_a_namespace_nobody_is_exempt_and_not_all_processes_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
