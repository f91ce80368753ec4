/*
 * holds.c: compares what guests need with the slots that there are.
 */
#include "allocator/holds.h"

#include <stdbool.h>
#include <stdint.h>

/* All that shapes a slot; how large the files are does not. */
static bool is_same(const weir_needs_t *a, const weir_needs_t *b)
{
    return a->minimum_memory_bytes == b->minimum_memory_bytes && a->maximum_memory_bytes == b->maximum_memory_bytes &&
           a->memories == b->memories && a->tables == b->tables && a->table_elements == b->table_elements &&
           a->core_instances == b->core_instances && a->stacks == b->stacks && a->concurrency == b->concurrency;
}

static bool fits(const weir_rung_t *rung, const weir_needs_t *needs)
{
    /* Where there is no pool a slot is no bound: it is what is reserved for a memory, which may move. */
    return rung->tier == WEIR_TIER_ONDEMAND ||
           (needs->minimum_memory_bytes <= rung->slot_bytes && needs->memories <= rung->memories_per_slot &&
               needs->tables <= rung->tables_per_slot && needs->table_elements <= rung->table_elements &&
               needs->core_instances <= rung->core_instances_per_slot && needs->stacks <= rung->stacks_per_slot);
}

static uint64_t largest(const weir_needs_t *needs, size_t count)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes = needs[i].minimum_memory_bytes > bytes ? needs[i].minimum_memory_bytes : bytes;
    }
    return bytes;
}

weir_holds_t weir_choice_holds(const weir_choice_t *choice, const weir_needs_t *before, size_t before_count,
    const weir_needs_t *now, size_t now_count)
{
    const weir_rung_t *rung = weir_choice_rung(choice);
    bool same = before_count == now_count;
    bool all_fit = true;
    for (size_t i = 0; i < now_count; i++) {
        same = same && is_same(&before[i], &now[i]);
        all_fit = all_fit && fits(rung, &now[i]);
    }
    if (same) {
        return WEIR_HOLDS_WELL;
    }
    /* Who is placed apart was decided for those guests, by their number. */
    if (!all_fit || weir_choice_rung_apart(choice) != NULL) {
        return WEIR_HOLDS_NOT;
    }
    /* Slots of 4 GiB are the best there is. Of others there were fewer, or they were smaller, for what those guests
     * needed: what is nearly the same would not change that. */
    bool similar = largest(now, now_count) >= largest(before, before_count) / 2;
    return rung->tier == WEIR_TIER_STANDARD || similar ? WEIR_HOLDS_WELL : WEIR_HOLDS;
}
