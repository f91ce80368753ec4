/*
 * configure.c: a rung as Wasmtime's configuration.
 */
#include "allocator/configure.h"

#include "weir_bridge.h"

#include <malloc.h>
#include <sys/prctl.h>

/* Bounds on what an instance's own bookkeeping may take. They limit guests, they reserve nothing. */
static const size_t instance_bytes_max = (size_t)16 << 20;

/* Half of a fiber's stack is the guest's, but not more than Wasmtime's default; the rest is for host functions. */
static const size_t guest_stack_bytes_max = (size_t)512 << 10;

bool weir_search_is_sound(void)
{
    enum { GET_MEMORY_MERGE = 68 /* PR_GET_MEMORY_MERGE, Linux 6.4 */ };
    return weir_written_pages_are_found() && prctl(GET_MEMORY_MERGE, 0, 0, 0, 0) != 1;
}

static uint32_t times(uint32_t slots, uint32_t each)
{
    uint64_t product = (uint64_t)slots * (each == 0 ? 1 : each);
    return product > UINT32_MAX ? UINT32_MAX : (uint32_t)product;
}

/* Every total scales with the slots: what is left at its default would be refused first, or reserved for nothing. */
static weir_status_t configure_pool(const weir_rung_t *rung, wasm_config_t *config)
{
    wasmtime_pooling_allocation_config_t *pool = wasmtime_pooling_allocation_config_new();
    if (pool == NULL) {
        return WEIR_ERROR_MEMORY;
    }
    uint32_t slots = rung->slots + rung->spare_slots;
    wasmtime_pooling_allocation_config_total_memories_set(pool, times(slots, rung->memories_per_slot));
    wasmtime_pooling_allocation_config_total_tables_set(pool, times(slots, rung->tables_per_slot));
    wasmtime_pooling_allocation_config_total_core_instances_set(pool, times(slots, rung->core_instances_per_slot));
    wasmtime_pooling_allocation_config_total_component_instances_set(pool, slots);
    wasmtime_pooling_allocation_config_total_stacks_set(pool, times(slots, rung->stacks_per_slot));
    wasmtime_pooling_allocation_config_total_gc_heaps_set(pool, slots);
    wasmtime_pooling_allocation_config_max_memories_per_module_set(pool, times(1, rung->memories_per_slot));
    wasmtime_pooling_allocation_config_max_tables_per_module_set(pool, times(1, rung->tables_per_slot));
    wasmtime_pooling_allocation_config_max_memory_size_set(pool, (size_t)rung->slot_bytes);
    wasmtime_pooling_allocation_config_table_elements_set(pool, rung->table_elements);
    wasmtime_pooling_allocation_config_max_core_instance_size_set(pool, instance_bytes_max);
    wasmtime_pooling_allocation_config_max_component_instance_size_set(pool, instance_bytes_max);
    wasmtime_pooling_allocation_config_linear_memory_keep_resident_set(pool, (size_t)rung->memory_keep_resident_bytes);
    wasmtime_pooling_allocation_config_table_keep_resident_set(pool, (size_t)rung->table_keep_resident_bytes);
    wasmtime_pooling_allocation_config_async_stack_keep_resident_set(pool, (size_t)rung->stack_keep_resident_bytes);
    wasmtime_pooling_allocation_config_decommit_batch_size_set(
        pool, rung->decommit_batch == 0 ? 1 : rung->decommit_batch);
    wasmtime_pooling_allocation_config_max_unused_warm_slots_set(pool, rung->warm_slots);
    weir_pooling_config_pagemap_scan_set(pool, rung->pagemap_scan && weir_search_is_sound());
    wasmtime_pooling_allocation_strategy_set(config, pool);
    wasmtime_pooling_allocation_config_delete(pool);
    return WEIR_OK;
}

weir_status_t weir_rung_configure(const weir_rung_t *rung, wasm_config_t *config)
{
    if (rung->pulley) {
        wasmtime_error_t *error = wasmtime_config_target_set(config, "pulley64");
        if (error != NULL) {
            wasmtime_error_delete(error);
            return WEIR_ERROR_UNAVAILABLE;
        }
    }
    size_t stack = (size_t)rung->stack_bytes;
    wasmtime_config_max_wasm_stack_set(config, stack / 2 < guest_stack_bytes_max ? stack / 2 : guest_stack_bytes_max);
    wasmtime_config_async_stack_size_set(config, stack);
    wasmtime_config_memory_reservation_set(config, rung->slot_bytes);
    wasmtime_config_memory_guard_size_set(config, rung->guard_bytes);
    wasmtime_config_memory_reservation_for_growth_set(config, rung->growth_bytes);
    return rung->tier == WEIR_TIER_ONDEMAND ? WEIR_OK : configure_pool(rung, config);
}

#ifdef __GLIBC__
void weir_limit_arenas(unsigned arenas)
{
    if (arenas > 0) {
        mallopt(M_ARENA_MAX, (int)arenas);
    }
}
#else
void weir_limit_arenas(unsigned arenas)
{
    (void)arenas;
}
#endif
