/*
 * pressure.c: what of a machine's memory changes from second to second.
 */
#include "allocator/pressure.h"

#include "allocator/memory.h"
#include "allocator/procfs.h"

#include <ctype.h>
#include <string.h>

enum { ALL_OF_THE_TIME = 100 * 100 };

/* "1.23" at `text`, as hundredths. Up to a blank. */
static bool take_hundredths(const char *text, uint64_t *ret_value)
{
    uint64_t whole;
    if (!weir_procfs_take_number(&text, &whole) || whole > 100 || *text != '.') {
        return false;
    }
    if (!isdigit((unsigned char)text[1]) || !isdigit((unsigned char)text[2]) || text[3] != ' ') {
        return false;
    }
    uint64_t value = whole * 100 + (uint64_t)(text[1] - '0') * 10 + (uint64_t)(text[2] - '0');
    if (value > ALL_OF_THE_TIME) {
        return false;
    }
    *ret_value = value;
    return true;
}

static void take_line(const char *text, const char *kind, weir_fact_t *fact)
{
    static const char average[] = "avg10=";
    const char *line = weir_procfs_line(text, kind, ' ');
    fact->knowledge = WEIR_UNKNOWN;
    fact->value = 0;
    if (line != NULL && strncmp(line, average, sizeof average - 1) == 0 &&
        take_hundredths(line + sizeof average - 1, &fact->value)) {
        fact->knowledge = WEIR_KNOWN;
    }
}

void weir_stall_parse(const char *text, weir_fact_t *some, weir_fact_t *full)
{
    take_line(text, "some", some);
    take_line(text, "full", full);
}

void weir_pressure_read(const weir_machine_t *machine, const weir_cgroups_t *groups, weir_pressure_t *ret_pressure)
{
    weir_memory_t memory;
    weir_cgroup_reading_t group;
    weir_memory_read(machine->root, &memory);
    weir_cgroup_read(machine->root, groups, &group);
    *ret_pressure = (weir_pressure_t){
        .memory_available = memory.available,
        .swap_free = memory.swap_free,
        .cgroup_limit = group.limit,
        .cgroup_used = group.used,
        .stall_some = {WEIR_UNKNOWN, 0, "/proc/pressure/memory some avg10"},
        .stall_full = {WEIR_UNKNOWN, 0, "/proc/pressure/memory full avg10"},
        .cgroup_stall_some = group.stall_some,
        .cgroup_stall_full = group.stall_full,
    };
    char text[512];
    if (weir_procfs_read(machine->root, "/proc/pressure/memory", text, sizeof text)) {
        weir_stall_parse(text, &ret_pressure->stall_some, &ret_pressure->stall_full);
    }
}
