/*
 * fact_names.c: the facts by name: for reports, and for the fingerprint.
 */
#include "allocator/facts.h"
#include "allocator/text.h"
#include "allocator/translate.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FACT(name) #name, offsetof(weir_facts_t, name)

enum { CHANGES = false, STABLE = true };

static const weir_fact_name_t fact_names[] = {
    {FACT(processors), WEIR_FACT_COUNT, WEIR_FACTS_PROCESSOR, STABLE,
        WEIR_TRANSLATABLE("processors that this process may use")},
    {FACT(page_size), WEIR_FACT_BYTES, WEIR_FACTS_PROCESSOR, STABLE, WEIR_TRANSLATABLE("page size")},
    {FACT(memory_total), WEIR_FACT_BYTES, WEIR_FACTS_MEMORY, STABLE, WEIR_TRANSLATABLE("memory")},
    {FACT(memory_available), WEIR_FACT_BYTES, WEIR_FACTS_MEMORY, CHANGES, WEIR_TRANSLATABLE("memory available")},
    {FACT(commit_limit), WEIR_FACT_BYTES, WEIR_FACTS_MEMORY, STABLE,
        WEIR_TRANSLATABLE("commit limit (binds in mode 2)")},
    {FACT(commit_used), WEIR_FACT_BYTES, WEIR_FACTS_MEMORY, CHANGES, WEIR_TRANSLATABLE("committed")},
    {FACT(commit_reserve), WEIR_FACT_BYTES, WEIR_FACTS_MEMORY, STABLE,
        WEIR_TRANSLATABLE("commit kept by the kernel (in mode 2)")},
    {FACT(overcommit_mode), WEIR_FACT_COUNT, WEIR_FACTS_MEMORY, STABLE, WEIR_TRANSLATABLE("overcommit mode")},
    {FACT(address_space_limit), WEIR_FACT_BYTES, WEIR_FACTS_LIMITS, STABLE, WEIR_TRANSLATABLE("address space limit")},
    {FACT(address_space_used), WEIR_FACT_BYTES, WEIR_FACTS_LIMITS, CHANGES, WEIR_TRANSLATABLE("address space in use")},
    {FACT(data_limit), WEIR_FACT_BYTES, WEIR_FACTS_LIMITS, STABLE, WEIR_TRANSLATABLE("data limit")},
    {FACT(data_used), WEIR_FACT_BYTES, WEIR_FACTS_LIMITS, CHANGES, WEIR_TRANSLATABLE("data in use")},
    {FACT(address_bits), WEIR_FACT_COUNT, WEIR_FACTS_PROCESSOR, STABLE,
        WEIR_TRANSLATABLE("bits of a user-space address")},
    {FACT(cgroup_limit), WEIR_FACT_BYTES, WEIR_FACTS_LIMITS, STABLE, WEIR_TRANSLATABLE("control group's memory limit")},
    {FACT(cgroup_used), WEIR_FACT_BYTES, WEIR_FACTS_LIMITS, CHANGES,
        WEIR_TRANSLATABLE("control group's memory in use")},
    {FACT(mappings_limit), WEIR_FACT_COUNT, WEIR_FACTS_LIMITS, STABLE,
        WEIR_TRANSLATABLE("mappings a process may have")},
    {FACT(mappings_used), WEIR_FACT_COUNT, WEIR_FACTS_LIMITS, CHANGES, WEIR_TRANSLATABLE("mappings in use")},
    {FACT(executable_memory), WEIR_FACT_FLAG, WEIR_FACTS_LIMITS, CHANGES, WEIR_TRANSLATABLE("executable memory")},
    {FACT(emulated), WEIR_FACT_FLAG, WEIR_FACTS_PLACE, STABLE, WEIR_TRANSLATABLE("user-mode emulator (qemu-user)")},
    {FACT(swap_total), WEIR_FACT_BYTES, WEIR_FACTS_MEMORY, STABLE, WEIR_TRANSLATABLE("swap")},
    {FACT(swap_free), WEIR_FACT_BYTES, WEIR_FACTS_MEMORY, CHANGES, WEIR_TRANSLATABLE("swap free")},
    {FACT(overcommit_ratio), WEIR_FACT_PERCENT, WEIR_FACTS_MEMORY, STABLE,
        WEIR_TRANSLATABLE("memory that may be committed (in mode 2)")},
    {FACT(overcommit_bytes), WEIR_FACT_BYTES, WEIR_FACTS_MEMORY, STABLE,
        WEIR_TRANSLATABLE("the same in bytes (0: the share counts)")},
    {FACT(memory_lock_limit), WEIR_FACT_BYTES, WEIR_FACTS_LIMITS, STABLE, WEIR_TRANSLATABLE("locked memory limit")},
    {FACT(cgroup_kills_group), WEIR_FACT_FLAG, WEIR_FACTS_LIMITS, STABLE,
        WEIR_TRANSLATABLE("out of memory ends the whole group")},
    {FACT(stall_some), WEIR_FACT_HUNDREDTHS, WEIR_FACTS_MEMORY, CHANGES,
        WEIR_TRANSLATABLE("time some task waited for memory (10 s)")},
    {FACT(stall_full), WEIR_FACT_HUNDREDTHS, WEIR_FACTS_MEMORY, CHANGES,
        WEIR_TRANSLATABLE("time all tasks waited for memory (10 s)")},
    {FACT(cgroup_stall_some), WEIR_FACT_HUNDREDTHS, WEIR_FACTS_LIMITS, CHANGES,
        WEIR_TRANSLATABLE("group: some task waited (10 s)")},
    {FACT(cgroup_stall_full), WEIR_FACT_HUNDREDTHS, WEIR_FACTS_LIMITS, CHANGES,
        WEIR_TRANSLATABLE("group: all tasks waited (10 s)")},
    {FACT(free_block_largest), WEIR_FACT_BYTES, WEIR_FACTS_MEMORY, CHANGES, WEIR_TRANSLATABLE("largest free block")},
    {FACT(free_large_share), WEIR_FACT_HUNDREDTHS, WEIR_FACTS_MEMORY, CHANGES,
        WEIR_TRANSLATABLE("free memory in blocks of 2 MiB or more")},
    {FACT(huge_pages), WEIR_FACT_WORD, WEIR_FACTS_KERNEL, STABLE, WEIR_TRANSLATABLE("transparent huge pages")},
    {FACT(kernel_release), WEIR_FACT_TEXT, WEIR_FACTS_KERNEL, STABLE, WEIR_TRANSLATABLE("kernel")},
    {FACT(pagemap_scan), WEIR_FACT_FLAG, WEIR_FACTS_KERNEL, CHANGES,
        WEIR_TRANSLATABLE("finds written pages (PAGEMAP_SCAN)")},
    {FACT(process_madvise), WEIR_FACT_FLAG, WEIR_FACTS_KERNEL, CHANGES,
        WEIR_TRANSLATABLE("takes pages back in batches")},
    {FACT(protection_keys), WEIR_FACT_FLAG, WEIR_FACTS_KERNEL, CHANGES, WEIR_TRANSLATABLE("protection keys")},
    {FACT(memory_files), WEIR_FACT_FLAG, WEIR_FACTS_KERNEL, CHANGES,
        WEIR_TRANSLATABLE("files in memory (copy-on-write images)")},
    {FACT(processor_flags), WEIR_FACT_SET, WEIR_FACTS_PROCESSOR, STABLE, WEIR_TRANSLATABLE("processor can")},
    {FACT(hypervisor), WEIR_FACT_WORD, WEIR_FACTS_PLACE, STABLE, WEIR_TRANSLATABLE("hypervisor")},
    {FACT(container), WEIR_FACT_WORD, WEIR_FACTS_PLACE, STABLE, WEIR_TRANSLATABLE("container")},
    {FACT(gvisor), WEIR_FACT_FLAG, WEIR_FACTS_PLACE, STABLE, WEIR_TRANSLATABLE("gVisor")},
    {FACT(wsl), WEIR_FACT_WORD, WEIR_FACTS_PLACE, STABLE, WEIR_TRANSLATABLE("Windows Subsystem for Linux")},
    {FACT(android), WEIR_FACT_FLAG, WEIR_FACTS_PLACE, STABLE, WEIR_TRANSLATABLE("Android")},
    {FACT(address_space_hard_limit), WEIR_FACT_BYTES, WEIR_FACTS_LIMITS, CHANGES,
        WEIR_TRANSLATABLE("address space limit, hard")},
    {FACT(data_hard_limit), WEIR_FACT_BYTES, WEIR_FACTS_LIMITS, CHANGES, WEIR_TRANSLATABLE("data limit, hard")},
    {FACT(processes_limit), WEIR_FACT_COUNT, WEIR_FACTS_LIMITS, CHANGES,
        WEIR_TRANSLATABLE("processes this user may have")},
    {FACT(processes_used), WEIR_FACT_COUNT, WEIR_FACTS_LIMITS, CHANGES,
        WEIR_TRANSLATABLE("processes and threads of this user")},
    {FACT(cgroup_processes_limit), WEIR_FACT_COUNT, WEIR_FACTS_LIMITS, CHANGES,
        WEIR_TRANSLATABLE("processes the control group may have")},
    {FACT(cgroup_processes_used), WEIR_FACT_COUNT, WEIR_FACTS_LIMITS, CHANGES,
        WEIR_TRANSLATABLE("processes and threads in the group")},
    {FACT(file_size_limit), WEIR_FACT_BYTES, WEIR_FACTS_LIMITS, STABLE, WEIR_TRANSLATABLE("file size limit")},
    {FACT(file_size_hard_limit), WEIR_FACT_BYTES, WEIR_FACTS_LIMITS, CHANGES,
        WEIR_TRANSLATABLE("file size limit, hard")},
};

const weir_fact_name_t *weir_fact_names(size_t *ret_count)
{
    *ret_count = sizeof fact_names / sizeof fact_names[0];
    return fact_names;
}

const weir_fact_t *weir_fact_get(const weir_facts_t *facts, const weir_fact_name_t *name)
{
    return (const weir_fact_t *)(const void *)((const char *)facts + name->offset);
}

const char *weir_fact_unit_name(weir_fact_unit_t unit)
{
    switch (unit) {
    case WEIR_FACT_COUNT:
        return "count";
    case WEIR_FACT_BYTES:
        return "bytes";
    case WEIR_FACT_FLAG:
        return "flag";
    case WEIR_FACT_PERCENT:
        return "percent";
    case WEIR_FACT_HUNDREDTHS:
        return "hundredths of a percent";
    case WEIR_FACT_WORD:
        return "word";
    case WEIR_FACT_SET:
        return "set";
    case WEIR_FACT_TEXT:
        return "text";
    }
    return "unknown";
}

const char *weir_fact_group_name(weir_fact_group_t group)
{
    switch (group) {
    case WEIR_FACTS_MEMORY:
        return WEIR_TRANSLATABLE("Memory");
    case WEIR_FACTS_LIMITS:
        return WEIR_TRANSLATABLE("Limits");
    case WEIR_FACTS_KERNEL:
        return WEIR_TRANSLATABLE("Kernel");
    case WEIR_FACTS_PROCESSOR:
        return WEIR_TRANSLATABLE("Processor");
    case WEIR_FACTS_PLACE:
        return WEIR_TRANSLATABLE("Where it runs");
    case WEIR_FACT_GROUPS:
        break;
    }
    return "";
}

/* ---- Values ------------------------------------------------------------------------------------------------------ */

const char *weir_fact_word(const weir_facts_t *facts, const weir_fact_name_t *name)
{
    const weir_fact_t *fact = weir_fact_get(facts, name);
    if (fact->knowledge != WEIR_KNOWN) {
        return "";
    }
    if (fact == &facts->huge_pages) {
        return weir_huge_pages_name(fact->value);
    }
    if (fact == &facts->hypervisor) {
        return weir_hypervisor_name(fact->value);
    }
    if (fact == &facts->container) {
        return weir_container_name(fact->value);
    }
    if (fact == &facts->wsl) {
        return weir_wsl_name(fact->value);
    }
    return fact == &facts->kernel_release ? facts->kernel_name : "";
}

static void append_set(uint64_t value, char *buffer, size_t size)
{
    for (unsigned bit = 0; bit < 64; bit++) {
        const char *word = weir_processor_flag_name(bit);
        if ((value >> bit & 1) != 0 && word != NULL) {
            weir_text_append(buffer, size, "%s%s", buffer[0] == '\0' ? "" : " ", word);
        }
    }
}

void weir_fact_text(const weir_facts_t *facts, const weir_fact_name_t *name, char *buffer, size_t size)
{
    const weir_fact_t *fact = weir_fact_get(facts, name);
    buffer[0] = '\0';
    if (fact->knowledge != WEIR_KNOWN) {
        weir_text_append(buffer, size, "%s",
            fact->knowledge == WEIR_UNLIMITED ? WEIR_TRANSLATABLE("unlimited") : WEIR_TRANSLATABLE("unknown"));
        return;
    }
    switch (name->unit) {
    case WEIR_FACT_COUNT:
        weir_text_append(buffer, size, "%" PRIu64, fact->value);
        break;
    case WEIR_FACT_BYTES:
        weir_text_append(buffer, size, "%s", weir_size_text(fact->value).text);
        break;
    case WEIR_FACT_FLAG:
        weir_text_append(buffer, size, "%s", fact->value != 0 ? WEIR_TRANSLATABLE("yes") : WEIR_TRANSLATABLE("no"));
        break;
    case WEIR_FACT_PERCENT:
        weir_text_append(buffer, size, "%" PRIu64 " %%", fact->value);
        break;
    case WEIR_FACT_HUNDREDTHS:
        weir_text_append(buffer, size, "%" PRIu64 ".%02u %%", fact->value / 100, (unsigned)(fact->value % 100));
        break;
    case WEIR_FACT_SET:
        append_set(fact->value, buffer, size);
        break;
    case WEIR_FACT_WORD:
    case WEIR_FACT_TEXT:
        weir_text_append(buffer, size, "%s", weir_fact_word(facts, name));
        if (fact == &facts->hypervisor && facts->hypervisor_signature[0] != '\0' &&
            fact->value == WEIR_HYPERVISOR_OTHER) {
            weir_text_append(buffer, size, " (%s)", facts->hypervisor_signature);
        }
        break;
    }
}

/* ---- Fingerprint ------------------------------------------------------------------------------------------------- */

/* FNV-1a (draft-eastlake-fnv) */
static uint64_t mix(uint64_t hash, const void *bytes, size_t size)
{
    const unsigned char *byte = bytes;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ byte[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static uint64_t mix_number(uint64_t hash, uint64_t number)
{
    return mix(hash, &number, sizeof number);
}

uint64_t weir_facts_fingerprint(const weir_facts_t *facts)
{
    static const uint64_t step = UINT64_C(64) << 20;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < sizeof fact_names / sizeof fact_names[0]; i++) {
        const weir_fact_t *fact = weir_fact_get(facts, &fact_names[i]);
        bool coarse = fact == &facts->memory_total || fact == &facts->swap_total || fact == &facts->commit_limit;
        if (fact_names[i].stable) {
            hash = mix_number(hash, fact->knowledge);
            hash = mix_number(hash, coarse ? fact->value / step : fact->value);
        }
    }
    /* With their ends, so that a byte of one cannot be taken for a byte of the other. */
    hash = mix(hash, facts->kernel_name, strnlen(facts->kernel_name, sizeof facts->kernel_name - 1) + 1);
    return mix(hash, facts->hypervisor_signature,
        strnlen(facts->hypervisor_signature, sizeof facts->hypervisor_signature - 1) + 1);
}
