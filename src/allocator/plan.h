/*
 * plan.h: how far a trial of one rung goes. A pure function: what is promised must be proved, but never beyond what the
 * machine can spare.
 */
#ifndef WEIR_ALLOCATOR_PLAN_H
#define WEIR_ALLOCATOR_PLAN_H

#include "allocator/budget.h"
#include "weir/allocator.h"

typedef struct weir_plan {
    weir_rung_t rung;
    weir_needs_t needs;
    uint32_t hold;            /* instances that are held at once, each with memory touched */
    double hold_milliseconds; /* no more are added after this */
    double time_milliseconds; /* for the timing */
    uint64_t reserve_address; /* kept from the trial, in place of what the program will need beside instances */
    uint64_t reserve_commit;  /* the same of writable memory */
    unsigned arenas;          /* malloc arenas; 0: as many as malloc likes */
    uint32_t deadline;        /* milliseconds for the whole trial */
} weir_plan_t;

/* Make the plan. `deadline` in milliseconds; 0: a default by the facts. */
void weir_plan_make(const weir_facts_t *facts, const weir_needs_t *needs, const weir_budgets_t *budgets,
    const weir_rung_t *rung, uint32_t deadline, weir_plan_t *ret_plan);

#endif
