/*
 * plan.h: how far a trial of one rung goes. A pure function: what is promised must be proved, but never beyond what the
 * machine can spare.
 */
#ifndef WEIR_ALLOCATOR_PLAN_H
#define WEIR_ALLOCATOR_PLAN_H

#include "allocator/budget.h"
#include "weir/allocator.h"

typedef struct weir_plan {
    weir_rung_t rung; /* its knobs do not matter when `knobs` has some */
    weir_needs_t needs;
    weir_knobs_t knobs[WEIR_VARIANTS_MAX]; /* to be proved and timed against each other, the preferred ones first */
    uint32_t knob_count;                   /* 0: the rung as it is */
    uint32_t threads;                      /* that use instances at once */
    uint32_t hold;                         /* instances that are held at once, each with memory touched */
    double hold_milliseconds;              /* no more are added after this */
    double time_milliseconds;              /* for the timing; 0: nothing is timed */
    uint64_t reserve_address; /* kept from the trial, in place of what the program will need beside instances */
    uint64_t reserve_commit;  /* the same of writable memory */
    unsigned arenas;          /* malloc arenas; 0: as many as malloc likes */
    uint32_t deadline;        /* milliseconds for the whole trial */
    bool checks_little;       /* of contents: what is kept was filled and looked at when the rung was first proved */
    bool raise_limits;        /* on address space and data, in the trial alone; it fails where it may not */
    int code;                 /* where compiled code is shared between trials: see weir_subject_load; -1: nowhere */
} weir_plan_t;

/* How thorough a trial is. */
typedef enum weir_depth {
    WEIR_DEPTH_FULL,  /* prove all that is promised, and time it */
    WEIR_DEPTH_QUICK, /* it was proved and timed before on such a machine: see that as much can still be had */
    /* With little processor time: timed, and as many held as for QUICK unless limits are near. The deadline is long. */
    WEIR_DEPTH_BRIEF,
} weir_depth_t;

/* Make the plan, without code. `deadline` in milliseconds; 0: a default by the facts. */
void weir_plan_make(const weir_facts_t *facts, const weir_needs_t *needs, const weir_budgets_t *budgets,
    const weir_rung_t *rung, weir_depth_t depth, uint32_t deadline, weir_plan_t *ret_plan);

/*
 * The settings of the knobs that are worth timing for a rung, the preferred first, and how many: at least 1, at most
 * WEIR_VARIANTS_MAX. `dirty_bytes` is what an instance writes of its memory, from the start of that; 0: unknown.
 */
uint32_t weir_plan_knobs(const weir_facts_t *facts, const weir_needs_t *needs, const weir_budgets_t *budgets,
    const weir_rung_t *rung, uint64_t dirty_bytes, weir_knobs_t knobs[WEIR_VARIANTS_MAX]);

/* Whether a rung, with all its slots, takes less than half of everything that is bounded. */
bool weir_plan_is_roomy(
    const weir_facts_t *facts, const weir_needs_t *needs, const weir_budgets_t *budgets, const weir_rung_t *rung);

/* Set a rung's knobs, and with them how many unused slots may stay warm within the budgets. */
void weir_rung_set_knobs(weir_rung_t *rung, const weir_knobs_t *knobs, const weir_budgets_t *budgets);

/* Whether two settings are the same. */
bool weir_knobs_are_equal(const weir_knobs_t *a, const weir_knobs_t *b);

/* The knobs of a rung. */
weir_knobs_t weir_rung_knobs(const weir_rung_t *rung);

#endif
