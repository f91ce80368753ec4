/*
 * choice.h: tries a ladder and takes the best rung. The trials come through a function, so that a table can stand in
 * for the machine.
 */
#ifndef WEIR_ALLOCATOR_CHOICE_H
#define WEIR_ALLOCATOR_CHOICE_H

#include "allocator/facts.h"
#include "allocator/ladder.h"
#include "allocator/plan.h"
#include "weir/allocator.h"

/* What tries a rung, and what knows the time; both are replaced in tests. */
typedef struct weir_tester {
    void (*trial)(void *context, const weir_facts_t *facts, const weir_plan_t *plan, weir_verdict_t *ret_verdict);
    double (*milliseconds)(void *context);
    void *context;
} weir_tester_t;

struct weir_choice {
    weir_facts_t facts;
    weir_needs_t needs;
    weir_strategy_t strategy;
    unsigned arenas;
    size_t count;
    size_t index; /* SIZE_MAX: nothing works */
    unsigned trials;
    double milliseconds;
    weir_trial_result_t ladder[WEIR_LADDER_MAX];
    char summary[256];
    char reason[256];
    char notice[2048];
    char advice[512];
};

/*
 * Try the steps of a ladder and write their verdicts into it. Stores how many steps were tried, and returns the index
 * of the best step, or SIZE_MAX when none works. `deadline` is one trial's, in milliseconds; 0: a default.
 */
size_t weir_choose_step(const weir_facts_t *facts, const weir_needs_t *needs, uint32_t deadline,
    const weir_tester_t *tester, weir_ladder_t *ladder, unsigned *ret_trials);

/* weir_allocator_choose for another machine and other trials. */
weir_status_t weir_allocator_choose_with(const weir_machine_t *machine, const weir_tester_t *tester,
    const weir_choose_options_t *options, weir_choice_t **ret_choice);

#endif
