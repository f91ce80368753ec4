/*
 * phrases.h: what is said of rungs, limits and verdicts, in the language of weir_language_set. Each writes into a
 * buffer of the caller's, of which PHRASE_MAX bytes are always enough for a whole text; any thread.
 */
#ifndef WEIR_ALLOCATOR_PHRASES_H
#define WEIR_ALLOCATOR_PHRASES_H

#include "weir/allocator.h"

#include <stddef.h>

enum { WEIR_PHRASE_MAX = 512, WEIR_REMEDY_MAX = 1024 };

/* "compact pool, 16 slots of 16 MiB", "on demand, 64 instances, nothing reserved". Returns `buffer`, as do they all. */
const char *weir_phrase_rung(const weir_rung_t *rung, char *buffer, size_t size);

/* "keeps 128 KiB per memory", "keeps nothing, gives back 32 at once". */
const char *weir_phrase_knobs(const weir_knobs_t *knobs, char *buffer, size_t size);

/* "RLIMIT_AS (400 MiB)", "the control group's memory limit (256 MiB)"; without a value where it has none. */
const char *weir_phrase_limit(const weir_facts_t *facts, weir_limit_t limit, char *buffer, size_t size);

/*
 * Why a rung cannot be had: a clause, without a stop, that can follow "because" or a colon. `strategy` and `needs` are
 * those that the ladder was made with.
 */
const char *weir_phrase_obstacle(const weir_facts_t *facts, const weir_needs_t *needs, weir_strategy_t strategy,
    const weir_trial_result_t *result, char *buffer, size_t size);

/* Why a step that could have been tried was not: from its verdict's message. A constant string. */
const char *weir_phrase_untried(const weir_verdict_t *verdict);

/* What a person can do where trials hardly had a processor. A constant string. */
const char *weir_phrase_more_time(void);

/* What a person can do about a limit, by the hard limits among the facts: whole sentences, one line; "" when there is
 * nothing. WEIR_REMEDY_MAX bytes are enough. */
const char *weir_phrase_remedy(const weir_facts_t *facts, weir_limit_t limit, char *buffer, size_t size);

#endif
