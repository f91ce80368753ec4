/*
 * ladder.h: the candidates, in the order in which they are to be tried. A pure function of facts, needs and strategy:
 * it reads nothing and proves nothing.
 */
#ifndef WEIR_ALLOCATOR_LADDER_H
#define WEIR_ALLOCATOR_LADDER_H

#include "allocator/budget.h"
#include "weir/allocator.h"

#include <stdbool.h>
#include <stddef.h>

enum { WEIR_LADDER_MAX = 24 };

/* One step of the ladder. */
typedef struct weir_step {
    /* The verdict is WEIR_OUTCOME_NOT_TRIED; where arithmetic rules the rung out, with the limit and a message. */
    weir_trial_result_t result;
    unsigned group;   /* steps of one group differ in size alone: the first that works makes the rest needless */
    bool possible;    /* false: arithmetic rules it out */
    bool last_resort; /* tried only when nothing before it works */
} weir_step_t;

typedef struct weir_ladder {
    weir_step_t steps[WEIR_LADDER_MAX];
    size_t count;
    weir_budgets_t budgets;
} weir_ladder_t;

/* Make the ladder. `needs` must be complete (weir_needs_complete). */
void weir_ladder_make(
    const weir_facts_t *facts, const weir_needs_t *needs, weir_strategy_t strategy, weir_ladder_t *ret_ladder);

/* Whether a rung is all that a strategy could want: native code, and for AUTO and POOLING the standard pool in full. */
bool weir_rung_is_full(const weir_rung_t *rung, const weir_needs_t *needs, weir_strategy_t strategy);

/* "standard pool, 256 slots of 4 GiB": a rung in words. Returns `buffer`. */
const char *weir_rung_text(const weir_rung_t *rung, char *buffer, size_t size);

#endif
