/*
 * placement.c: which guests share the pool.
 *
 * Every slot of a pool is as large as its largest guest needs. One guest that begins with half a GiB would leave a
 * machine of little address space with a handful of slots for all the others.
 */
#include "allocator/placement.h"

#include "allocator/ladder.h"

#include <stdlib.h>
#include <string.h>

enum { APART_MOST = 16 }; /* an application with more of them than that is all of a kind */

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

weir_needs_t weir_needs_join(const weir_needs_t *a, const weir_needs_t *b)
{
    return (weir_needs_t){
        .minimum_memory_bytes =
            a->minimum_memory_bytes > b->minimum_memory_bytes ? a->minimum_memory_bytes : b->minimum_memory_bytes,
        .maximum_memory_bytes =
            a->maximum_memory_bytes > b->maximum_memory_bytes ? a->maximum_memory_bytes : b->maximum_memory_bytes,
        .wasm_bytes = weir_add(a->wasm_bytes, b->wasm_bytes),
        .memories = larger(a->memories, b->memories),
        .tables = larger(a->tables, b->tables),
        .table_elements = larger(a->table_elements, b->table_elements),
        .core_instances = larger(a->core_instances, b->core_instances),
        .stacks = larger(a->stacks, b->stacks),
        .concurrency = larger(a->concurrency, b->concurrency),
    };
}

/* What a slot costs that suits this guest: the order in which guests are taken out. */
static uint64_t weight(const weir_needs_t *needs)
{
    uint64_t memories = needs->memories == 0 ? 1 : needs->memories;
    return weir_add(weir_multiply(memories, needs->minimum_memory_bytes),
        weir_multiply(needs->tables, weir_multiply(needs->table_elements, 8)));
}

static weir_needs_t join_all(const weir_choose_options_t *options, const bool *apart, bool which)
{
    weir_needs_t joined = {
        .concurrency = options->needs.concurrency, .maximum_memory_bytes = options->needs.maximum_memory_bytes};
    for (size_t i = 0; i < options->guest_count; i++) {
        if (apart[i] == which) {
            joined = weir_needs_join(&joined, &options->guests[i]);
        }
    }
    return joined;
}

bool weir_placement_first_pool(
    const weir_facts_t *facts, const weir_needs_t *needs, weir_strategy_t strategy, weir_rung_t *ret_rung)
{
    weir_needs_t complete;
    weir_ladder_t *ladder = malloc(sizeof *ladder);
    bool found = false;
    if (ladder == NULL) {
        return false;
    }
    weir_needs_complete(facts, needs, &complete);
    weir_ladder_make(facts, &complete, strategy, ladder);
    for (size_t i = 0; i < ladder->count && !found; i++) {
        const weir_step_t *step = &ladder->steps[i];
        if (step->possible && step->result.rung.tier != WEIR_TIER_ONDEMAND) {
            *ret_rung = step->result.rung;
            found = true;
        }
    }
    free(ladder);
    return found;
}

static bool is_much_better(const weir_rung_t *with, const weir_rung_t *without)
{
    return without->slots >= with->slots &&
           (without->slot_bytes > with->slot_bytes || without->slots >= 2 * (uint64_t)with->slots);
}

static size_t heaviest(const weir_choose_options_t *options, const bool *apart)
{
    size_t found = SIZE_MAX;
    for (size_t i = 0; i < options->guest_count; i++) {
        if (!apart[i] && (found == SIZE_MAX || weight(&options->guests[i]) > weight(&options->guests[found]))) {
            found = i;
        }
    }
    return found;
}

void weir_placement_join(const weir_choose_options_t *options, weir_placement_t *ret_placement)
{
    memset(ret_placement, 0, sizeof *ret_placement);
    ret_placement->pool = options->guest_count == 0 ? options->needs : join_all(options, ret_placement->apart, false);
}

void weir_placement_make(
    const weir_facts_t *facts, const weir_choose_options_t *options, weir_placement_t *ret_placement)
{
    weir_placement_t *placement = ret_placement;
    weir_rung_t with;
    weir_placement_join(options, placement);
    if (options->guest_count == 0) {
        return;
    }
    bool pools = options->strategy != WEIR_STRATEGY_ONDEMAND;
    bool found = pools && weir_placement_first_pool(facts, &placement->pool, options->strategy, &with);
    /* The heaviest first. One alone may not help, when the next is nearly as heavy: so a few are looked at together. */
    bool tried[WEIR_GUESTS_MAX];
    memcpy(tried, placement->apart, sizeof tried);
    for (size_t count = 1; pools && count < options->guest_count && count <= APART_MOST; count++) {
        weir_rung_t without;
        tried[heaviest(options, tried)] = true;
        weir_needs_t needs = join_all(options, tried, false);
        if (weir_placement_first_pool(facts, &needs, options->strategy, &without) &&
            (!found || is_much_better(&with, &without))) {
            memcpy(placement->apart, tried, sizeof tried);
            placement->apart_count = count;
            placement->pool = needs;
            with = without;
            found = true;
        }
    }
    placement->rest = join_all(options, placement->apart, true);
}
