/*
 * memory_reading.c: the allocator's readings in the policy's words.
 */
#include "cli/memory_reading.h"

#include "allocator/facts.h"
#include "allocator/pressure.h"

#include <stdlib.h>

struct weir_memory_reader {
    weir_cgroups_t groups;
    weir_fact_t total;
};

weir_memory_reader_t *weir_memory_reader_new(void)
{
    weir_memory_reader_t *reader = calloc(1, sizeof(*reader));
    if (reader != NULL) {
        weir_facts_t facts = {.size = sizeof facts};
        weir_facts_read_memory(weir_machine_real(), &facts, &reader->groups);
        reader->total = facts.memory_total;
    }
    return reader;
}

void weir_memory_reader_read(const weir_memory_reader_t *reader, weir_memory_reading_t *ret_reading)
{
    weir_pressure_t pressure;
    weir_pressure_read(weir_machine_real(), &reader->groups, &pressure);
    *ret_reading = (weir_memory_reading_t){
        .total = reader->total,
        .available = pressure.memory_available,
        .swap_free = pressure.swap_free,
        .group_limit = pressure.cgroup_limit,
        .group_used = pressure.cgroup_used,
        .stall_some = pressure.stall_some,
        .stall_full = pressure.stall_full,
        .group_stall_some = pressure.cgroup_stall_some,
        .group_stall_full = pressure.cgroup_stall_full,
    };
}

void weir_memory_reader_free(weir_memory_reader_t *own_reader)
{
    free(own_reader);
}
