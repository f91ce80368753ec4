/*
 * facts.c: reads the machine.
 */
#include "allocator/facts.h"

#include "allocator/maps.h"
#include "allocator/memory.h"
#include "allocator/platform.h"
#include "allocator/pressure.h"
#include "allocator/procfs.h"
#include "allocator/tasks.h"
#include "allocator/text.h"
#include "allocator/translate.h"

#include <string.h>
#include <sys/resource.h>

enum { STATUS_BYTES = 16 * 1024 };

static weir_fact_t fact(bool known, uint64_t value, const char *source)
{
    return (weir_fact_t){known ? WEIR_KNOWN : WEIR_UNKNOWN, known ? value : 0, source};
}

/* ---- The machine's own functions --------------------------------------------------------------------------------- */

static weir_fact_t read_limit(
    bool (*read)(int resource, uint64_t *ret_bytes, bool *ret_unlimited), int resource, const char *source)
{
    uint64_t bytes = 0;
    bool unlimited = false;
    if (read == NULL || !read(resource, &bytes, &unlimited)) {
        return fact(false, 0, source);
    }
    return unlimited ? (weir_fact_t){WEIR_UNLIMITED, 0, source} : fact(true, bytes, source);
}

/* "6.1.85-cloud": 6,001,085. A version that is only two numbers ends in zeros. */
static bool parse_release(const char *name, uint64_t *ret_number)
{
    uint64_t parts[3] = {0, 0, 0};
    for (unsigned i = 0; i < 3; i++) {
        if (!weir_procfs_take_number(&name, &parts[i]) || parts[i] > 999) {
            return false;
        }
        if (*name != '.') {
            break;
        }
        name++;
    }
    *ret_number = parts[0] * 1000000 + parts[1] * 1000 + parts[2];
    return parts[0] > 0;
}

static void read_machine(const weir_machine_t *machine, weir_facts_t *facts)
{
    uint64_t value = 0;
    bool known = machine->processors != NULL && machine->processors(&value) && value > 0;
    facts->processors = fact(known, value, "sched_getaffinity");
    known = machine->page_size != NULL && machine->page_size(&value) && value > 0 && (value & (value - 1)) == 0;
    facts->page_size = fact(known, value, "sysconf _SC_PAGESIZE");
    facts->address_space_limit = read_limit(machine->resource_limit, RLIMIT_AS, "RLIMIT_AS");
    facts->address_space_hard_limit =
        read_limit(machine->resource_hard_limit, RLIMIT_AS, WEIR_TRANSLATABLE("RLIMIT_AS, hard"));
    facts->data_limit = read_limit(machine->resource_limit, RLIMIT_DATA, "RLIMIT_DATA");
    facts->data_hard_limit =
        read_limit(machine->resource_hard_limit, RLIMIT_DATA, WEIR_TRANSLATABLE("RLIMIT_DATA, hard"));
    facts->file_size_limit = read_limit(machine->resource_limit, RLIMIT_FSIZE, "RLIMIT_FSIZE");
    facts->file_size_hard_limit =
        read_limit(machine->resource_hard_limit, RLIMIT_FSIZE, WEIR_TRANSLATABLE("RLIMIT_FSIZE, hard"));
    facts->memory_lock_limit = read_limit(machine->resource_limit, RLIMIT_MEMLOCK, "RLIMIT_MEMLOCK");
    char name[sizeof facts->kernel_name];
    if (machine->kernel_name != NULL && machine->kernel_name(name, sizeof name)) {
        weir_text_one_line(facts->kernel_name, sizeof facts->kernel_name, name, strlen(name));
    }
    known = parse_release(facts->kernel_name, &value);
    facts->kernel_release = fact(known, value, "uname");
    facts->processor_flags = fact(false, 0, "CPUID");
    facts->hypervisor = fact(false, 0, "CPUID");
    weir_processor_read_x86(machine->cpuid, machine->vector_state, facts);
    uint64_t words[2] = {0, 0};
    if (machine->capabilities != NULL && machine->capabilities(words)) {
        weir_processor_read_arm(words[0], words[1], facts);
    }
    if (facts->hypervisor.knowledge == WEIR_UNKNOWN) {
        weir_platform_read_hypervisor(machine->root, facts);
    }
}

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

static weir_fact_t read_number(const char *root, const char *path, uint64_t most)
{
    char text[256];
    uint64_t value = 0;
    bool known = weir_procfs_read(root, path, text, sizeof text) && weir_procfs_number(text, &value) && value <= most;
    return fact(known, value, path);
}

static weir_fact_t read_kibibytes(const char *root, const char *path)
{
    weir_fact_t kibibytes = read_number(root, path, UINT64_MAX / 4096);
    kibibytes.value *= 1024;
    return kibibytes;
}

/* In mode 2 the kernel leaves these out of the limit for all but the administrator (mm/util.c, __vm_enough_memory). */
static weir_fact_t read_commit_reserve(const char *root)
{
    static const char source[] = "/proc/sys/vm/user_reserve_kbytes + admin_reserve_kbytes";
    weir_fact_t user = read_kibibytes(root, "/proc/sys/vm/user_reserve_kbytes");
    weir_fact_t admin = read_kibibytes(root, "/proc/sys/vm/admin_reserve_kbytes");
    bool known = user.knowledge == WEIR_KNOWN && admin.knowledge == WEIR_KNOWN;
    return fact(known, user.value + admin.value, source);
}

static void read_free_blocks(const char *root, weir_facts_t *facts)
{
    static const char path[] = "/proc/buddyinfo";
    weir_lines_t lines;
    weir_free_blocks_t blocks = {0, 0};
    bool known = false;
    if (facts->page_size.knowledge == WEIR_KNOWN && weir_lines_open(&lines, root, path, '\n', UINT64_C(1) << 20)) {
        known = weir_free_blocks_parse(&lines, facts->page_size.value, &blocks);
        weir_lines_close(&lines);
    }
    facts->free_block_largest = fact(known, blocks.largest_bytes, path);
    facts->free_large_share = fact(known, blocks.large_share, path);
}

static void read_memory(const char *root, weir_facts_t *facts)
{
    static const char huge_pages[] = "/sys/kernel/mm/transparent_hugepage/enabled";
    weir_memory_t memory;
    weir_memory_read(root, &memory);
    facts->memory_total = memory.total;
    facts->memory_available = memory.available;
    facts->swap_total = memory.swap_total;
    facts->swap_free = memory.swap_free;
    facts->commit_limit = memory.commit_limit;
    facts->commit_used = memory.commit_used;
    facts->commit_reserve = read_commit_reserve(root);
    facts->overcommit_mode = read_number(root, "/proc/sys/vm/overcommit_memory", 2);
    facts->overcommit_ratio = read_number(root, "/proc/sys/vm/overcommit_ratio", INT32_MAX);
    facts->overcommit_bytes = read_kibibytes(root, "/proc/sys/vm/overcommit_kbytes");
    facts->mappings_limit = read_number(root, "/proc/sys/vm/max_map_count", INT32_MAX);
    read_free_blocks(root, facts);
    char text[64];
    weir_huge_pages_t state = WEIR_HUGE_PAGES_NEVER;
    bool known = weir_procfs_read(root, huge_pages, text, sizeof text) && weir_huge_pages_parse(text, &state);
    facts->huge_pages = fact(known, state, huge_pages);
}

static void read_groups(const char *root, const weir_cgroups_t *groups, weir_facts_t *facts)
{
    weir_cgroup_reading_t group;
    char text[512];
    weir_cgroup_read(root, groups, &group);
    facts->cgroup_limit = group.limit;
    facts->cgroup_used = group.used;
    facts->cgroup_kills_group = weir_cgroup_kills_group(root, groups);
    facts->cgroup_stall_some = group.stall_some;
    facts->cgroup_stall_full = group.stall_full;
    facts->stall_some = fact(false, 0, "/proc/pressure/memory some avg10");
    facts->stall_full = fact(false, 0, "/proc/pressure/memory full avg10");
    if (weir_procfs_read(root, "/proc/pressure/memory", text, sizeof text)) {
        weir_stall_parse(text, &facts->stall_some, &facts->stall_full);
    }
}

/* ---- This process ------------------------------------------------------------------------------------------------ */

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

static void read_usage(const char *root, const char *status, weir_usage_t *ret_usage, weir_maps_t *ret_maps)
{
    uint64_t bytes = 0;
    bool known = weir_procfs_kibibytes(status, "VmSize", &bytes);
    ret_usage->address_space = fact(known, bytes, "/proc/self/status VmSize");
    known = weir_procfs_kibibytes(status, "VmData", &bytes);
    ret_usage->data = fact(known, bytes, "/proc/self/status VmData");
    *ret_maps = (weir_maps_t){0, 0};
    known = weir_maps_read(root, "/proc/thread-self/maps", ret_maps);
    ret_usage->mappings = fact(known, ret_maps->count, "/proc/thread-self/maps");
}

static void read_status(const char *root, char *text, size_t size)
{
    if (!weir_procfs_read(root, "/proc/self/status", text, size)) {
        text[0] = '\0';
    }
}

void weir_usage_read(const char *root, weir_usage_t *ret_usage)
{
    char status[STATUS_BYTES];
    weir_maps_t maps;
    read_status(root, status, sizeof status);
    read_usage(root, status, ret_usage, &maps);
}

static void read_process(const weir_machine_t *machine, const weir_cgroups_t *groups, weir_facts_t *facts)
{
    char status[STATUS_BYTES];
    weir_usage_t usage;
    weir_maps_t maps;
    weir_tasks_t tasks;
    read_status(machine->root, status, sizeof status);
    read_usage(machine->root, status, &usage, &maps);
    facts->address_space_used = usage.address_space;
    facts->data_used = usage.data;
    facts->mappings_used = usage.mappings;
    facts->address_bits = address_bits(maps.stack_end);
    facts->emulated = read_emulated(machine->root);
    weir_tasks_read(machine, groups, status, false, &tasks);
    facts->processes_limit = tasks.limit;
    facts->processes_used = tasks.used;
    facts->cgroup_processes_limit = tasks.group_limit;
    facts->cgroup_processes_used = tasks.group_used;
}

/* ---- All of it --------------------------------------------------------------------------------------------------- */

static void take_grants(const weir_features_t *features, weir_facts_t *facts)
{
    weir_fact_t *const taken[WEIR_FEATURES] = {
        [WEIR_FEATURE_EXECUTABLE_MEMORY] = &facts->executable_memory,
        [WEIR_FEATURE_PAGEMAP_SCAN] = &facts->pagemap_scan,
        [WEIR_FEATURE_PROCESS_MADVISE] = &facts->process_madvise,
        [WEIR_FEATURE_PROTECTION_KEYS] = &facts->protection_keys,
        [WEIR_FEATURE_MEMORY_FILES] = &facts->memory_files,
    };
    static const char *const sources[WEIR_FEATURES] = {
        [WEIR_FEATURE_EXECUTABLE_MEMORY] = WEIR_TRANSLATABLE("mprotect PROT_EXEC in a child"),
        [WEIR_FEATURE_PAGEMAP_SCAN] = WEIR_TRANSLATABLE("ioctl PAGEMAP_SCAN in a child"),
        [WEIR_FEATURE_PROCESS_MADVISE] = WEIR_TRANSLATABLE("process_madvise in a child"),
        [WEIR_FEATURE_PROTECTION_KEYS] = WEIR_TRANSLATABLE("pkey_alloc in a child"),
        [WEIR_FEATURE_MEMORY_FILES] = WEIR_TRANSLATABLE("memfd_create in a child"),
    };
    for (size_t i = 0; i < WEIR_FEATURES; i++) {
        bool known = features->grants[i] == WEIR_GRANT_YES || features->grants[i] == WEIR_GRANT_NO;
        *taken[i] = fact(known, features->grants[i] == WEIR_GRANT_YES ? 1 : 0, sources[i]);
    }
}

void weir_facts_read(const weir_machine_t *machine, weir_facts_t *ret_facts, weir_cgroups_t *ret_groups)
{
    weir_facts_t facts = {.size = sizeof facts};
    weir_features_t none = {{WEIR_GRANT_UNKNOWN}};
    weir_cgroups_t own_groups;
    weir_cgroups_t *groups = ret_groups != NULL ? ret_groups : &own_groups;
    weir_cgroup_find(machine->root, groups);
    read_machine(machine, &facts);
    read_memory(machine->root, &facts);
    read_groups(machine->root, groups, &facts);
    read_process(machine, groups, &facts);
    weir_platform_read(machine->root, groups, &facts);
    take_grants(&none, &facts);
    *ret_facts = facts;
}

void weir_facts_read_memory(const weir_machine_t *machine, weir_facts_t *facts, weir_cgroups_t *ret_groups)
{
    weir_cgroup_find(machine->root, ret_groups);
    read_memory(machine->root, facts);
}

void weir_facts_read_executable(const weir_machine_t *machine, weir_facts_t *facts)
{
    weir_features_t features = {{WEIR_GRANT_UNKNOWN}};
    if (machine->try_features != NULL) {
        machine->try_features(&features);
    }
    take_grants(&features, facts);
    if (facts->processes_used.knowledge == WEIR_UNKNOWN) {
        weir_tasks_read_user(machine, NULL, true, &facts->processes_limit, &facts->processes_used);
    }
}

void weir_facts_read_all(const weir_machine_t *machine, weir_facts_t *ret_facts)
{
    weir_facts_read(machine, ret_facts, NULL);
    weir_facts_read_executable(machine, ret_facts);
}
