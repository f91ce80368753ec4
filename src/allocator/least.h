/*
 * least.h: where nothing works, what would ask for least, and how much more there would have to be for it.
 */
#ifndef WEIR_ALLOCATOR_LEAST_H
#define WEIR_ALLOCATOR_LEAST_H

#include "weir/allocator.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct weir_least {
    weir_rung_t rung;     /* one instance at a time */
    weir_limit_t limit;   /* that it does not fit */
    uint64_t limit_bytes; /* the least value of that limit with which it would, in whole MiB; 0: that is not known */
} weir_least_t;

/*
 * The rung that asks for least address space among some results of a ladder, natively if there is such a one, with one
 * slot, and what stands in its way by arithmetic. False when nothing does, or there are no results. Pure. `needs` must
 * be complete; they and `strategy` are those that the ladder was made with.
 */
bool weir_least_find(const weir_facts_t *facts, const weir_needs_t *needs, weir_strategy_t strategy,
    const weir_trial_result_t *results, size_t count, weir_least_t *ret_least);

#endif
