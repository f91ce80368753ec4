/*
 * trial.h: a trial is a child process that proves and times one rung; its end is a verdict.
 */
#ifndef WEIR_ALLOCATOR_TRIAL_H
#define WEIR_ALLOCATOR_TRIAL_H

#include "allocator/child.h"
#include "allocator/facts.h"
#include "allocator/plan.h"
#include "allocator/probe.h"

/* The message of a verdict on a report that is whole and wrong; any other says that it was cut short. */
#define WEIR_REPORT_MAKES_NO_SENSE "the trial's report makes no sense"

/* Run the trial of a plan: see weir_child_run for what it forks. Always gives a verdict. */
void weir_trial_run(const weir_facts_t *facts, const weir_plan_t *plan, weir_verdict_t *ret_verdict);

/* A trial that runs while its parent does something else. */
typedef struct weir_trial weir_trial_t;

/* Begin the trial of a plan, of which a copy is kept. NULL: memory ran out, and nothing was begun. */
weir_trial_t *weir_trial_begin(const weir_plan_t *plan);

/* Wait for its end, and give its verdict, as weir_trial_run does. `facts` are those that the plan was made by. */
void weir_trial_end(weir_trial_t *own_trial, const weir_facts_t *facts, weir_verdict_t *ret_verdict);

/*
 * The verdict on how a child ended, and on its report when it gave one. Pure: reads no more than its arguments, and
 * trusts nothing in the report.
 */
void weir_trial_judge(const weir_facts_t *facts, const weir_plan_t *plan, const weir_child_result_t *result,
    const weir_probe_report_t *report, weir_verdict_t *ret_verdict);

/* Whether a trial passed its deadline after it hardly had a processor: that says nothing of the rung. */
bool weir_verdict_is_starved(const weir_verdict_t *verdict);

#endif
