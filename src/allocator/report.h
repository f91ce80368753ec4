/*
 * report.h: what is said of a choice, and what in it is worth saying.
 */
#ifndef WEIR_ALLOCATOR_REPORT_H
#define WEIR_ALLOCATOR_REPORT_H

#include "allocator/choice.h"

/* Write the summary, the reason, the notice and the advice of a choice that has everything else. */
void weir_report_write(weir_choice_t *choice);

/* Say from now on in what is written of a choice what asked for its strategy ("SPIN_WASMTIME_POOLING=0"); "": by the
 * strategy's name. */
void weir_report_name_wish(weir_choice_t *choice, const char *wish);

/* What asked for the strategy: that, or its name. As long as the choice is not changed. */
const char *weir_report_wish(const weir_choice_t *choice);

/* The result in the ladder that would have been all that was wanted: native code, for AUTO and POOLING the standard
 * pool with all its slots. NULL when there is none. */
const weir_trial_result_t *weir_report_wanted(const weir_choice_t *choice);

/* The result that shows what stands in the way of it: a refusal, or what arithmetic ruled out. NULL: nothing does. */
const weir_trial_result_t *weir_report_obstacle(const weir_choice_t *choice);

/*
 * Whether it is all that was wanted, and no more was wanted for a limit's sake: of a control group, which somebody set,
 * not of a machine that is small. The choice must have a rung.
 */
bool weir_report_is_lessened(const weir_choice_t *choice);

/* How many instances would be wanted at once if memory did not leave room for fewer, and which limit of memory that is.
 * False when it was said how many, or there is room for as many as are usual. */
bool weir_report_usual(const weir_choice_t *choice, weir_limit_t *ret_limit, uint32_t *ret_usual);

/*
 * Why a rung of a part of the decision (its `pool` or its `rest`) cannot be had: see weir_phrase_obstacle. What the
 * other part has is not there for this one.
 */
const char *weir_report_obstacle_text(const weir_choice_t *choice, const weir_decided_t *part,
    const weir_trial_result_t *result, char *buffer, size_t size);

/* The cheapest that was measured beside the choice; of another tier, if `other_tier`. NULL: nothing else was. */
const weir_trial_result_t *weir_report_runner_up(const weir_choice_t *choice, bool other_tier);

/* The limit that a person must change for the choice to be better. */
weir_limit_t weir_report_limit(const weir_choice_t *choice);

/* Which of the settings that its trial timed the choice has; UINT32_MAX when it has one that only the tuning timed. The
 * choice must have a rung, as for the next. */
uint32_t weir_report_variant(const weir_choice_t *choice);

/* Microseconds that an instance costs with the choice, by its trial. */
double weir_report_cost(const weir_choice_t *choice);

/*
 * The pool that there would be if the guests that are placed apart shared it: by arithmetic, untried. False when there
 * are no such guests, or there would be none.
 */
bool weir_report_joined_pool(const weir_choice_t *choice, weir_rung_t *ret_rung);

#endif
