/*
 * allocator_facts.c: fuzzes the reading of a whole machine: an input is the contents of its files, parted by bytes
 * 0xfe, which a directory tree then holds. An empty part is a file that is missing.
 */
#include "allocator/facts.h"
#include "allocator/pressure.h"
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const files[] = {
    "/proc/self/cgroup",
    "/proc/self/mountinfo",
    "/sys/fs/cgroup/a/b/memory.max",
    "/sys/fs/cgroup/a/b/memory.current",
    "/sys/fs/cgroup/a/b/memory.stat",
    "/sys/fs/cgroup/a/b/memory.oom.group",
    "/sys/fs/cgroup/a/b/memory.pressure",
    "/sys/fs/cgroup/a/memory.max",
    "/sys/fs/cgroup/a/memory.current",
    "/sys/fs/cgroup/a/memory.limit_in_bytes",
    "/sys/fs/cgroup/a/memory.usage_in_bytes",
    "/sys/fs/cgroup/cgroup.controllers",
    "/proc/meminfo",
    "/proc/self/status",
    "/proc/thread-self/maps",
    "/proc/buddyinfo",
    "/proc/pressure/memory",
    "/proc/sys/vm/overcommit_memory",
    "/proc/sys/vm/overcommit_ratio",
    "/proc/sys/vm/overcommit_kbytes",
    "/proc/sys/vm/max_map_count",
    "/proc/sys/vm/user_reserve_kbytes",
    "/proc/sys/vm/admin_reserve_kbytes",
    "/sys/kernel/mm/transparent_hugepage/enabled",
    "/proc/self/environ",
    "/proc/1/environ",
    "/run/systemd/container",
    "/run/host/container-manager",
    "/proc/device-tree/hypervisor/compatible",
    "/proc/device-tree/compatible",
    "/sys/class/dmi/id/sys_vendor",
    "/sys/class/dmi/id/product_name",
    /* More at the end, so that the corpus keeps its meaning. */
    "/sys/fs/cgroup/a/b/pids.max",
    "/sys/fs/cgroup/a/b/pids.current",
    "/sys/fs/cgroup/a/pids.max",
    "/proc/7/status",
};

enum { FILES = sizeof files / sizeof files[0] };

static char root[64];
static bool there[FILES];

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

static void remove_tree(void)
{
    nftw(root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void make_tree(void)
{
    /* In memory, where there is such a place: this is the most of what an input costs. */
    snprintf(root, sizeof root, "%s/weir-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    must_hold(mkdtemp(root) != NULL);
    atexit(remove_tree);
    for (size_t i = 0; i < FILES; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s%s", root, files[i]);
        for (char *slash = strchr(path + strlen(root) + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
            *slash = '\0';
            must_hold(mkdir(path, 0755) == 0 || errno == EEXIST);
            *slash = '/';
        }
    }
}

static void put(size_t index, const uint8_t *bytes, size_t size)
{
    char path[256];
    if (size == 0 && !there[index]) {
        return;
    }
    snprintf(path, sizeof path, "%s%s", root, files[index]);
    if (size == 0) {
        must_hold(unlink(path) == 0);
        there[index] = false;
        return;
    }
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    must_hold(descriptor >= 0 && write(descriptor, bytes, size) == (ssize_t)size);
    close(descriptor);
    there[index] = true;
}

static bool page_size(uint64_t *ret_bytes)
{
    *ret_bytes = 4096;
    return true;
}

static void check_facts(const weir_facts_t *facts)
{
    size_t count;
    const weir_fact_name_t *names = weir_fact_names(&count);
    for (size_t i = 0; i < count; i++) {
        char text[512];
        const weir_fact_t *fact = weir_fact_get(facts, &names[i]);
        must_hold(fact->source != NULL);
        must_hold(fact->knowledge == WEIR_KNOWN || fact->value == 0);
        bool of_group = fact == &facts->cgroup_limit || fact == &facts->cgroup_processes_limit;
        must_hold(fact->knowledge != WEIR_UNLIMITED || of_group); /* the others come of calls that are not there */
        weir_fact_text(facts, &names[i], text, sizeof text);
        must_hold(fact->knowledge != WEIR_KNOWN || strcmp(text, "unknown") != 0);
        must_hold(names[i].unit != WEIR_FACT_FLAG || fact->value <= 1);
        must_hold(names[i].unit != WEIR_FACT_HUNDREDTHS || fact->value <= 10000);
    }
    must_hold(facts->cgroup_used.knowledge == WEIR_UNKNOWN || facts->cgroup_limit.knowledge == WEIR_KNOWN);
    must_hold(facts->overcommit_mode.value <= 2);
    must_hold(facts->memory_available.value <= facts->memory_total.value);
}

static void check_same(const weir_facts_t *facts, const weir_facts_t *again)
{
    size_t count;
    const weir_fact_name_t *names = weir_fact_names(&count);
    for (size_t i = 0; i < count; i++) {
        const weir_fact_t *one = weir_fact_get(facts, &names[i]);
        const weir_fact_t *other = weir_fact_get(again, &names[i]);
        must_hold(one->knowledge == other->knowledge && one->value == other->value && one->source == other->source);
    }
    must_hold(strcmp(facts->hypervisor_signature, again->hypervisor_signature) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static weir_cgroups_t groups;
    const weir_machine_t machine = {.root = root, .page_size = page_size};
    weir_facts_t facts;
    weir_facts_t again;
    weir_pressure_t pressure;
    if (root[0] == '\0') {
        make_tree();
    }
    for (size_t i = 0; i < FILES; i++) {
        const uint8_t *part;
        size_t length = take_part(&data, &size, 0xfe, &part);
        put(i, part, length);
    }
    weir_facts_read(&machine, &facts, &groups);
    check_facts(&facts);
    weir_facts_read(&machine, &again, NULL);
    check_same(&facts, &again);
    must_hold(weir_facts_fingerprint(&facts) == weir_facts_fingerprint(&again));
    weir_pressure_read(&machine, &groups, &pressure);
    must_hold(pressure.memory_available.value == facts.memory_available.value);
    must_hold(pressure.cgroup_limit.knowledge == facts.cgroup_limit.knowledge);
    must_hold(pressure.cgroup_used.value == facts.cgroup_used.value);
    return 0;
}
