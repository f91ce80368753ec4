/*
 * search.h: tries a ladder and finds the best rung. The trials come through a function, so that a table can stand in
 * for the machine.
 */
#ifndef WEIR_ALLOCATOR_SEARCH_H
#define WEIR_ALLOCATOR_SEARCH_H

#include "allocator/code.h"
#include "allocator/ladder.h"
#include "allocator/plan.h"
#include "weir/allocator.h"

/* What tries a rung, and what knows the time; both are replaced in tests. */
typedef struct weir_tester {
    void (*trial)(void *context, const weir_facts_t *facts, const weir_plan_t *plan, weir_verdict_t *ret_verdict);
    double (*milliseconds)(void *context);
    void *context;
} weir_tester_t;

/* What there is to say about a search. */
typedef struct weir_search_report {
    unsigned trials; /* steps that were tried */
    bool sure;       /* an earlier step that works was not given up on timings that contradict each other */
} weir_search_report_t;

/*
 * Try the steps of a ladder, write their verdicts into it, and set the knobs of those that passed to the best ones.
 * Returns the index of the best step, or SIZE_MAX when none works. `deadline` is one trial's, in milliseconds; 0: a
 * default. The trials share `codes`.
 */
size_t weir_search_run(const weir_facts_t *facts, const weir_needs_t *needs, uint32_t deadline,
    const weir_tester_t *tester, weir_codes_t *codes, weir_ladder_t *ladder, weir_search_report_t *ret_report);

#endif
