/*
 * test_facts_cost.c: what reading the machine costs: which files are opened, and that nothing is allocated and no
 * process started. The linker sends the calls of weir's own code here.
 */
#include "allocator/pressure.h"
#include "facts_support.h"

enum { PATHS_MAX = 256, PATH_SIZE = 256 };

static bool counting;
static unsigned allocations;
static unsigned forks;
static size_t path_count;
static char paths[PATHS_MAX][PATH_SIZE];

/* The linker makes these names. NOLINTBEGIN(cert-dcl37-c) */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
FILE *__real_fopen(const char *path, const char *mode);
pid_t __real_fork(void);
int __real_open(const char *path, int flags, ...);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
FILE *__wrap_fopen(const char *path, const char *mode);
pid_t __wrap_fork(void);
int __wrap_open(const char *path, int flags, ...);

void *__wrap_malloc(size_t size)
{
    allocations += counting ? 1 : 0;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    allocations += counting ? 1 : 0;
    return __real_calloc(count, size);
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
    allocations += counting ? 1 : 0;
    return __real_fopen(path, mode);
}

pid_t __wrap_fork(void)
{
    forks += counting ? 1 : 0;
    return __real_fork();
}

int __wrap_open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    int mode = (flags & O_CREAT) != 0 ? va_arg(arguments, int) : 0;
    va_end(arguments);
    if (counting) {
        assert_true(path_count < PATHS_MAX);
        snprintf(paths[path_count++], PATH_SIZE, "%s", path);
    }
    return __real_open(path, flags, mode);
}

/* NOLINTEND(cert-dcl37-c) */

static void begin(void)
{
    allocations = 0;
    forks = 0;
    path_count = 0;
    counting = true;
}

static void assert_cheap(void)
{
    counting = false;
    assert_true(path_count > 0);
    assert_int_equal(allocations, 0);
    assert_int_equal(forks, 0);
    for (size_t i = 0; i < path_count; i++) {
        if (strstr(paths[i], "/cgroup.controllers") != NULL) {
            continue; /* at the root of v2: once for memory, once for processes */
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(paths[i], paths[j]) == 0) {
                fail_msg("%s is read twice", paths[i]);
            }
        }
    }
}

static bool was_read(const char *path)
{
    for (size_t i = 0; i < path_count; i++) {
        if (strcmp(paths[i], in_tree(path)) == 0) {
            return true;
        }
    }
    return false;
}

static void facts_are_read_from_each_file_once_and_in_no_child(void **state)
{
    static weir_cgroups_t groups;
    weir_machine_t probes = machine();
    weir_facts_t facts;
    (void)state;
    put_healthy_machine();
    begin();
    weir_facts_read(&probes, &facts, &groups);
    assert_cheap();
    assert_true(was_read("/proc/meminfo") && was_read("/proc/thread-self/maps") && was_read("/proc/self/mountinfo"));
    assert_int_equal(facts.executable_memory.knowledge, WEIR_UNKNOWN);
    assert_known(facts.cgroup_limit, 268435456);
    /* Where nothing is found at once, all that could tell is asked. */
    put_link("/proc/self/ns/pid", "pid:[4026532501]");
    put("/proc/self/environ", "");
    put("/proc/1/environ", "");
    set_processor(NULL, 0);
    begin();
    weir_facts_read(&probes, &facts, NULL);
    assert_cheap();
    assert_true(was_read("/proc/1/environ") && was_read("/sys/class/dmi/id/sys_vendor"));
    /* And the real one */
    begin();
    weir_facts_read(weir_machine_real(), &facts, NULL);
    assert_cheap();
}

static void pressure_is_read_from_what_changes_alone(void **state)
{
    static weir_cgroups_t groups;
    weir_machine_t probes = machine();
    weir_pressure_t pressure;
    (void)state;
    put_healthy_machine();
    weir_cgroup_find(tree, &groups);
    begin();
    weir_pressure_read(&probes, &groups, &pressure);
    assert_cheap();
    assert_in_range(path_count, 1, 12);
    assert_true(was_read("/proc/meminfo") && was_read("/proc/pressure/memory"));
    assert_false(was_read("/proc/self/cgroup") || was_read("/proc/self/mountinfo") || was_read("/proc/self/status"));
    assert_known(pressure.memory_available, UINT64_C(24369152) * 1024);
    assert_known(pressure.swap_free, UINT64_C(2000000) * 1024);
    assert_known(pressure.cgroup_limit, 268435456);
    assert_known(pressure.cgroup_used, 15000000);
    assert_known(pressure.stall_some, 125);
    assert_known(pressure.stall_full, 50);
    assert_known(pressure.cgroup_stall_some, 1234);
    assert_known(pressure.cgroup_stall_full, 7);
    put("/proc/meminfo", "MemTotal: 24684084 kB\nMemAvailable: 1000 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n");
    put("/sys/fs/cgroup/user.slice/app/memory.max", "20000000\n");
    put("/proc/pressure/memory", "some avg10=99.00 avg60=0.00 avg300=0.00 total=1\n");
    weir_pressure_read(&probes, &groups, &pressure);
    assert_known(pressure.memory_available, 1024000);
    assert_known(pressure.swap_free, 0);
    assert_known(pressure.cgroup_limit, 20000000);
    assert_known(pressure.stall_some, 9900);
    assert_int_equal(pressure.stall_full.knowledge, WEIR_UNKNOWN);
}

static void pressure_that_cannot_be_read_is_unknown(void **state)
{
    static weir_cgroups_t groups;
    const weir_machine_t probes = {.root = tree};
    weir_pressure_t pressure;
    (void)state;
    weir_cgroup_find(tree, &groups);
    weir_pressure_read(&probes, &groups, &pressure);
    const weir_fact_t *all[] = {&pressure.memory_available, &pressure.swap_free, &pressure.cgroup_limit,
        &pressure.cgroup_used, &pressure.stall_some, &pressure.stall_full, &pressure.cgroup_stall_some,
        &pressure.cgroup_stall_full};
    for (size_t i = 0; i < COUNT(all); i++) {
        assert_int_equal(all[i]->knowledge, WEIR_UNKNOWN);
        assert_int_equal(all[i]->value, 0);
        assert_non_null(all[i]->source);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_TREE(facts_are_read_from_each_file_once_and_in_no_child),
        IN_TREE(pressure_is_read_from_what_changes_alone),
        IN_TREE(pressure_that_cannot_be_read_is_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
