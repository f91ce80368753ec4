/*
 * facts.c: reads the machine.
 */
#include "allocator/facts.h"

#include "allocator/cgroup.h"
#include "allocator/child.h"
#include "allocator/procfs.h"

#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { FILE_BYTES = 64 * 1024, EXECUTABLE_DEADLINE_MILLISECONDS = 2000 };

/* ---- The real machine -------------------------------------------------------------------------------------------- */

static bool real_processors(uint64_t *ret_count)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) {
        *ret_count = (uint64_t)CPU_COUNT(&set);
        return true;
    }
    long count = sysconf(_SC_NPROCESSORS_ONLN); /* more than 1024 processors, or no such system call */
    if (count <= 0) {
        return false;
    }
    *ret_count = (uint64_t)count;
    return true;
}

static bool real_page_size(uint64_t *ret_bytes)
{
    long bytes = sysconf(_SC_PAGESIZE);
    if (bytes <= 0) {
        return false;
    }
    *ret_bytes = (uint64_t)bytes;
    return true;
}

static bool real_resource_limit(int resource, uint64_t *ret_bytes, bool *ret_unlimited)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) != 0) {
        return false;
    }
    *ret_unlimited = limit.rlim_cur == RLIM_INFINITY;
    *ret_bytes = *ret_unlimited ? 0 : (uint64_t)limit.rlim_cur;
    return true;
}

/* In a child, since a seccomp filter may answer with a signal. Written first: that is what a compiler does. */
static int try_executable_memory(int report, void *context)
{
    (void)context;
    char answer = 'n';
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    char *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        return 1;
    }
    page[0] = 1;
    if (mprotect(page, size, PROT_READ | PROT_EXEC) == 0) {
        answer = 'y';
    }
    return write(report, &answer, 1) == 1 ? 0 : 1;
}

static bool real_executable_memory(bool *ret_granted)
{
    char answer = 0;
    weir_child_result_t result;
    weir_child_run(try_executable_memory, NULL, EXECUTABLE_DEADLINE_MILLISECONDS, &answer, 1, &result);
    if (result.end == WEIR_CHILD_SIGNAL) {
        *ret_granted = false;
        return true;
    }
    if (result.end != WEIR_CHILD_REPORTED || (answer != 'y' && answer != 'n')) {
        return false;
    }
    *ret_granted = answer == 'y';
    return true;
}

const weir_machine_t *weir_machine_real(void)
{
    static const weir_machine_t machine = {
        "", real_processors, real_page_size, real_resource_limit, real_executable_memory};
    return &machine;
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

static weir_fact_t fact(bool known, uint64_t value, const char *source)
{
    return (weir_fact_t){known ? WEIR_KNOWN : WEIR_UNKNOWN, known ? value : 0, source};
}

static void read_memory(const char *root, weir_facts_t *facts)
{
    char text[FILE_BYTES];
    if (!weir_procfs_read(root, "/proc/meminfo", text, sizeof text)) {
        text[0] = '\0';
    }
    const struct {
        weir_fact_t *fact;
        const char *name;
        const char *source;
    } fields[] = {
        {&facts->memory_total, "MemTotal", "/proc/meminfo MemTotal"},
        {&facts->memory_available, "MemAvailable", "/proc/meminfo MemAvailable"},
        {&facts->commit_limit, "CommitLimit", "/proc/meminfo CommitLimit"},
        {&facts->commit_used, "Committed_AS", "/proc/meminfo Committed_AS"},
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        uint64_t bytes = 0;
        bool known = weir_procfs_kibibytes(text, fields[i].name, &bytes);
        *fields[i].fact = fact(known, bytes, fields[i].source);
    }
    /* No machine has no memory: such a file is not to be believed. */
    if (facts->memory_total.value == 0) {
        facts->memory_total.knowledge = WEIR_UNKNOWN;
    }
}

static weir_fact_t read_number(const char *root, const char *path, uint64_t most)
{
    char text[256];
    uint64_t value = 0;
    bool known = weir_procfs_read(root, path, text, sizeof text) && weir_procfs_number(text, &value) && value <= most;
    return fact(known, value, path);
}

/* In mode 2 the kernel leaves these out of the limit for all but the administrator (mm/util.c, __vm_enough_memory). */
static weir_fact_t read_commit_reserve(const char *root)
{
    static const char source[] = "/proc/sys/vm/user_reserve_kbytes + admin_reserve_kbytes";
    weir_fact_t user = read_number(root, "/proc/sys/vm/user_reserve_kbytes", UINT64_MAX / 4096);
    weir_fact_t admin = read_number(root, "/proc/sys/vm/admin_reserve_kbytes", UINT64_MAX / 4096);
    bool known = user.knowledge == WEIR_KNOWN && admin.knowledge == WEIR_KNOWN;
    return fact(known, (user.value + admin.value) * 1024, source);
}

static weir_fact_t read_limit(const weir_machine_t *machine, int resource, const char *source)
{
    uint64_t bytes = 0;
    bool unlimited = false;
    if (!machine->resource_limit(resource, &bytes, &unlimited)) {
        return fact(false, 0, source);
    }
    return unlimited ? (weir_fact_t){WEIR_UNLIMITED, 0, source} : fact(true, bytes, source);
}

/*
 * A user-mode emulator shows the guest its own picture of /proc/self, in which `exe` is the guest's program.
 * /proc/thread-self is the kernel's, and names the emulator. (qemu's linux-user/syscall.c treats /proc/self and
 * /proc/<pid> alone.)
 */
static weir_fact_t read_emulated(const char *root)
{
    bool same = true;
    bool known = weir_procfs_same_link(root, "/proc/self/exe", "/proc/thread-self/exe", &same);
    return fact(known, same ? 0 : 1, "/proc/self/exe against /proc/thread-self/exe");
}

/* The stack lies at the top of what user space has, so the bits of its end are the bits that there are. */
static weir_fact_t address_bits(uint64_t stack_end)
{
    unsigned bits = 0;
    for (uint64_t last = stack_end == 0 ? 0 : stack_end - 1; last != 0; last >>= 1) {
        bits++;
    }
    return fact(bits >= 30 && bits <= 57, bits, "/proc/thread-self/maps [stack]");
}

void weir_usage_read(const char *root, weir_usage_t *ret_usage)
{
    char text[FILE_BYTES];
    weir_procfs_maps_t maps = {0, 0};
    uint64_t bytes = 0;
    if (!weir_procfs_read(root, "/proc/self/status", text, sizeof text)) {
        text[0] = '\0';
    }
    bool known = weir_procfs_kibibytes(text, "VmSize", &bytes);
    ret_usage->address_space = fact(known, bytes, "/proc/self/status VmSize");
    known = weir_procfs_kibibytes(text, "VmData", &bytes);
    ret_usage->data = fact(known, bytes, "/proc/self/status VmData");
    known = weir_procfs_maps_read(root, "/proc/thread-self/maps", &maps);
    ret_usage->mappings = fact(known, maps.count, "/proc/thread-self/maps");
}

void weir_facts_read(const weir_machine_t *machine, weir_facts_t *ret_facts)
{
    weir_facts_t facts = {.size = sizeof facts};
    const char *root = machine->root;
    uint64_t value = 0;
    bool known = machine->processors(&value) && value > 0;
    facts.processors = fact(known, value, "sched_getaffinity");
    known = machine->page_size(&value) && value > 0 && (value & (value - 1)) == 0;
    facts.page_size = fact(known, value, "sysconf _SC_PAGESIZE");
    read_memory(root, &facts);
    facts.commit_reserve = read_commit_reserve(root);
    facts.overcommit_mode = read_number(root, "/proc/sys/vm/overcommit_memory", 2);
    facts.mappings_limit = read_number(root, "/proc/sys/vm/max_map_count", UINT64_MAX);
    facts.address_space_limit = read_limit(machine, RLIMIT_AS, "RLIMIT_AS");
    facts.data_limit = read_limit(machine, RLIMIT_DATA, "RLIMIT_DATA");
    weir_usage_t usage;
    weir_usage_read(root, &usage);
    facts.address_space_used = usage.address_space;
    facts.data_used = usage.data;
    facts.mappings_used = usage.mappings;
    weir_procfs_maps_t maps = {0, 0};
    if (!weir_procfs_maps_read(root, "/proc/thread-self/maps", &maps)) {
        maps.stack_end = 0;
    }
    facts.address_bits = address_bits(maps.stack_end);
    weir_cgroup_read(root, &facts.cgroup_limit, &facts.cgroup_used);
    facts.emulated = read_emulated(root);
    facts.executable_memory = fact(false, 0, "mprotect PROT_EXEC in a child");
    *ret_facts = facts;
}
void weir_facts_read_executable(const weir_machine_t *machine, weir_facts_t *facts)
{
    bool granted = false;
    bool known = machine->executable_memory(&granted);
    facts->executable_memory = fact(known, granted ? 1 : 0, "mprotect PROT_EXEC in a child");
}
uint64_t weir_facts_fingerprint(const weir_facts_t *facts)
{
    return facts->memory_total.value ^ facts->address_space_limit.value ^ facts->emulated.value;
}

/* ---- Names ------------------------------------------------------------------------------------------------------- */

const weir_fact_name_t *weir_fact_names(size_t *ret_count)
{
    static const weir_fact_name_t names[] = {
        {"processors", offsetof(weir_facts_t, processors), WEIR_FACT_COUNT, "processors that this process may use"},
        {"page_size", offsetof(weir_facts_t, page_size), WEIR_FACT_BYTES, "page size"},
        {"memory_total", offsetof(weir_facts_t, memory_total), WEIR_FACT_BYTES, "memory"},
        {"memory_available", offsetof(weir_facts_t, memory_available), WEIR_FACT_BYTES, "memory available"},
        {"commit_limit", offsetof(weir_facts_t, commit_limit), WEIR_FACT_BYTES, "commit limit (binds in mode 2)"},
        {"commit_used", offsetof(weir_facts_t, commit_used), WEIR_FACT_BYTES, "committed"},
        {"commit_reserve", offsetof(weir_facts_t, commit_reserve), WEIR_FACT_BYTES,
            "commit kept by the kernel (in mode 2)"},
        {"overcommit_mode", offsetof(weir_facts_t, overcommit_mode), WEIR_FACT_COUNT, "overcommit mode"},
        {"address_space_limit", offsetof(weir_facts_t, address_space_limit), WEIR_FACT_BYTES, "address space limit"},
        {"address_space_used", offsetof(weir_facts_t, address_space_used), WEIR_FACT_BYTES, "address space in use"},
        {"data_limit", offsetof(weir_facts_t, data_limit), WEIR_FACT_BYTES, "data limit"},
        {"data_used", offsetof(weir_facts_t, data_used), WEIR_FACT_BYTES, "data in use"},
        {"address_bits", offsetof(weir_facts_t, address_bits), WEIR_FACT_COUNT, "bits of a user-space address"},
        {"cgroup_limit", offsetof(weir_facts_t, cgroup_limit), WEIR_FACT_BYTES, "control group's memory limit"},
        {"cgroup_used", offsetof(weir_facts_t, cgroup_used), WEIR_FACT_BYTES, "control group's memory in use"},
        {"mappings_limit", offsetof(weir_facts_t, mappings_limit), WEIR_FACT_COUNT, "mappings a process may have"},
        {"mappings_used", offsetof(weir_facts_t, mappings_used), WEIR_FACT_COUNT, "mappings in use"},
        {"executable_memory", offsetof(weir_facts_t, executable_memory), WEIR_FACT_FLAG, "executable memory"},
        {"emulated", offsetof(weir_facts_t, emulated), WEIR_FACT_FLAG, "user-mode emulator (qemu-user)"},
    };
    *ret_count = sizeof names / sizeof names[0];
    return names;
}

const weir_fact_t *weir_fact_get(const weir_facts_t *facts, const weir_fact_name_t *name)
{
    return (const weir_fact_t *)(const void *)((const char *)facts + name->offset);
}
