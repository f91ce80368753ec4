/*
 * placement.h: which guests share the pool, and which are better off in an engine of their own. A pure function.
 */
#ifndef WEIR_ALLOCATOR_PLACEMENT_H
#define WEIR_ALLOCATOR_PLACEMENT_H

#include "weir/allocator.h"

#include <stdbool.h>
#include <stddef.h>

enum { WEIR_GUESTS_MAX = 1024 };

typedef struct weir_placement {
    size_t apart_count;
    bool apart[WEIR_GUESTS_MAX]; /* by the guests' index */
    weir_needs_t pool;           /* of those that share it, not complete */
    weir_needs_t rest;           /* of those that are placed apart, not complete */
} weir_placement_t;

/*
 * Place the guests of `options`, at most WEIR_GUESTS_MAX: a guest goes apart when by arithmetic the pool without it has
 * larger slots, or at least twice as many. Without guests, or with a strategy that knows no pool, none does.
 */
void weir_placement_make(
    const weir_facts_t *facts, const weir_choose_options_t *options, weir_placement_t *ret_placement);

/* Place all of them together, where that has led nowhere. */
void weir_placement_join(const weir_choose_options_t *options, weir_placement_t *ret_placement);

/*
 * The first pool that arithmetic allows for some needs, which may be incomplete, with as many slots as are wanted of
 * it. Returns false when there is none, or no memory to look for it.
 */
bool weir_placement_first_pool(
    const weir_facts_t *facts, const weir_needs_t *needs, weir_strategy_t strategy, weir_rung_t *ret_rung);

/* What two guests need of one slot that has to suit both. */
weir_needs_t weir_needs_join(const weir_needs_t *a, const weir_needs_t *b);

#endif
