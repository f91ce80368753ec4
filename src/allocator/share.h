/*
 * share.h: how the pool and the guests that are placed apart divide a machine between them. Pure functions.
 */
#ifndef WEIR_ALLOCATOR_SHARE_H
#define WEIR_ALLOCATOR_SHARE_H

#include "allocator/choice.h"
#include "allocator/plan.h"

/* The pool must leave room for the guests that are placed apart, of these needs: for as many instances as there are
 * processors. Counts what those take as used. */
void weir_share_leave(weir_facts_t *facts, const weir_needs_t *rest);

/* What a pool has is not there for the guests that are placed apart. Counts it as used. */
void weir_share_take(weir_facts_t *facts, const weir_rung_t *pool, const weir_needs_t *needs);

/* The facts that a part of a decision (its `pool` or its `rest`) goes by: the machine, without the other's share. */
void weir_share_facts(
    const weir_facts_t *facts, const weir_decision_t *decision, const weir_decided_t *part, weir_facts_t *ret_facts);

/*
 * Let the trial of a plan for guests that are placed apart go without what the pool will have, where a limit counts
 * that: the trial has no pool beside it, and the program will.
 */
void weir_share_hold(const weir_facts_t *facts, const weir_rung_t *pool, const weir_needs_t *needs, weir_plan_t *plan);

#endif
