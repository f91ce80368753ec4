/*
 * pressure_policy.c: bounds with a gap between "tight" and "relieved", counts of readings in a row, and a wait before a
 * raise that doubles each time a raise turns out to have been too early.
 */
#include "cli/pressure_policy.h"

#include <stddef.h>

/* All figures of the policy. A reading is a second. */
enum {
    /* Memory that should be left, as a part of the limit or of the machine: below a sixteenth the kernel reclaims for
     * most allocations (its own watermarks are some percent); above an eighth there is room for a rung more. */
    TIGHT_PART = 16,
    RELIEVED_PART = 8,
    /* But no more than this: on a large machine a sixteenth is much. */
    TIGHT_MOST_MIB = 1024,
    /* "full" is time in which nothing ran for want of memory: lost altogether. "some" counts also a single task that
     * waits for its page cache, which is no harm to others; so much of it is. */
    STALL_FULL_TIGHT = 1000,
    STALL_SOME_TIGHT = 4000,
    STALL_FULL_RELIEVED = 100,
    STALL_SOME_RELIEVED = 1000,
    /* Where the kernel measures no stalls: so much written to swap in a second is thrashing on most disks. */
    SWAPPING_TIGHT_MIB = 16,
    /* Not for a peak: five seconds are half of the average that stalls are measured over. */
    LOWER_AFTER = 5,
    /* The average takes ten seconds to forget, and old engines end with their last requests. */
    SETTLE_AFTER = 15,
    /* Refusals of the old engine may still come in; and a rung that is refused as well must be left soon. */
    DEAF_AFTER = 3,
    /* Nothing lower could be had: so long until it is tried again. */
    RETRY_AFTER = 30,
    /* A raise costs an engine and cold slots, and is worth it only where the pressure does not return: two minutes, an
     * hour at most. */
    RAISE_AFTER = 120,
    RAISE_AFTER_MOST = 3840,
    /* A lowering so soon after a raise says that the raise was too early; a raise that stands longer was right. */
    RAISE_TEST = 600,
};

static bool known(weir_fact_t fact)
{
    return fact.knowledge == WEIR_KNOWN;
}

/* A part of the whole; but no more than the most that may count as tight, or, for a larger part, as much more. */
static uint64_t part_of(uint64_t whole, unsigned part)
{
    uint64_t most = ((uint64_t)TIGHT_MOST_MIB << 20) * (TIGHT_PART / part);
    uint64_t bytes = whole / part;
    return bytes < most ? bytes : most;
}

static weir_pressure_verdict_t because(weir_pressure_cause_t cause, uint64_t value, uint64_t bound)
{
    return (weir_pressure_verdict_t){.cause = cause, .value = value, .bound = bound};
}

static uint64_t group_left(const weir_memory_reading_t *reading)
{
    uint64_t limit = reading->group_limit.value;
    uint64_t used = reading->group_used.value;
    return used < limit ? limit - used : 0;
}

/* What is tight; its cause is WEIR_CAUSE_NONE when nothing is. What is unknown is not tight. */
static weir_pressure_verdict_t judge(const weir_memory_reading_t *reading, uint64_t swapped)
{
    if (known(reading->group_limit) && known(reading->group_used)) {
        uint64_t bound = part_of(reading->group_limit.value, TIGHT_PART);
        if (group_left(reading) < bound) {
            return because(WEIR_CAUSE_GROUP_LEFT, group_left(reading), bound);
        }
    }
    if (known(reading->total) && known(reading->available)) {
        uint64_t bound = part_of(reading->total.value, TIGHT_PART);
        if (reading->available.value < bound) {
            return because(WEIR_CAUSE_AVAILABLE, reading->available.value, bound);
        }
    }
    const struct {
        weir_fact_t stall;
        uint64_t bound;
        weir_pressure_cause_t cause;
    } stalls[] = {
        {reading->group_stall_full, STALL_FULL_TIGHT, WEIR_CAUSE_GROUP_STALL},
        {reading->group_stall_some, STALL_SOME_TIGHT, WEIR_CAUSE_GROUP_STALL},
        {reading->stall_full, STALL_FULL_TIGHT, WEIR_CAUSE_STALL},
        {reading->stall_some, STALL_SOME_TIGHT, WEIR_CAUSE_STALL},
    };
    for (size_t i = 0; i < sizeof(stalls) / sizeof(stalls[0]); i++) {
        if (known(stalls[i].stall) && stalls[i].stall.value >= stalls[i].bound) {
            return because(stalls[i].cause, stalls[i].stall.value, stalls[i].bound);
        }
    }
    uint64_t bound = (uint64_t)SWAPPING_TIGHT_MIB << 20;
    if (!known(reading->stall_some) && swapped >= bound) {
        return because(WEIR_CAUSE_SWAPPING, swapped, bound);
    }
    return because(WEIR_CAUSE_NONE, 0, 0);
}

/* Whether there is room for a rung more. What is unknown does not stand in its way: then it was not the cause either.
 */
static bool is_relieved(const weir_memory_reading_t *reading, uint64_t swapped)
{
    const weir_fact_t fulls[] = {reading->group_stall_full, reading->stall_full};
    const weir_fact_t somes[] = {reading->group_stall_some, reading->stall_some};
    bool relieved = reading->refusals == 0 && swapped == 0;
    for (size_t i = 0; i < sizeof(fulls) / sizeof(fulls[0]); i++) {
        relieved = relieved && (!known(fulls[i]) || fulls[i].value < STALL_FULL_RELIEVED) &&
                   (!known(somes[i]) || somes[i].value < STALL_SOME_RELIEVED);
    }
    if (known(reading->group_limit) && known(reading->group_used)) {
        relieved = relieved && group_left(reading) >= part_of(reading->group_limit.value, RELIEVED_PART);
    }
    if (known(reading->total) && known(reading->available)) {
        relieved = relieved && reading->available.value >= part_of(reading->total.value, RELIEVED_PART);
    }
    return relieved;
}

static uint64_t count_swapped(weir_pressure_policy_t *policy, const weir_memory_reading_t *reading)
{
    bool comparable = known(reading->swap_free) && policy->swap_free != 0;
    uint64_t before = policy->swap_free;
    uint64_t now = reading->swap_free.value;
    policy->swap_free = known(reading->swap_free) ? now : 0;
    return comparable && now < before ? before - now : 0;
}

static void count_down(uint32_t *counter)
{
    *counter -= *counter > 0 ? 1 : 0;
}

static uint32_t raise_wait(const weir_pressure_policy_t *policy)
{
    return policy->raise_wait == 0 ? RAISE_AFTER : policy->raise_wait;
}

static void count_time(weir_pressure_policy_t *policy)
{
    count_down(&policy->settling);
    count_down(&policy->deaf);
    if (policy->raised_ago > 0 && ++policy->raised_ago > RAISE_TEST) {
        policy->raised_ago = 0;
        policy->raise_wait = 0;
    }
}

weir_pressure_verdict_t weir_pressure_policy_step(weir_pressure_policy_t *policy, const weir_memory_reading_t *reading)
{
    count_time(policy);
    uint64_t swapped = count_swapped(policy, reading);
    weir_pressure_verdict_t verdict = judge(reading, swapped);
    policy->tight = verdict.cause != WEIR_CAUSE_NONE && policy->settling == 0 ? policy->tight + 1 : 0;
    policy->relieved = verdict.cause == WEIR_CAUSE_NONE && is_relieved(reading, swapped) ? policy->relieved + 1 : 0;
    if (reading->refusals > 0 && policy->deaf == 0) {
        verdict = because(WEIR_CAUSE_REFUSAL, reading->refusals, 0);
        verdict.decision = WEIR_PRESSURE_LOWER;
    } else if (policy->tight >= LOWER_AFTER) {
        verdict.decision = WEIR_PRESSURE_LOWER;
        verdict.seconds = policy->tight;
    } else if (policy->level > 0 && policy->relieved >= raise_wait(policy)) {
        verdict = (weir_pressure_verdict_t){.decision = WEIR_PRESSURE_RAISE, .seconds = policy->relieved};
    } else {
        verdict = (weir_pressure_verdict_t){.decision = WEIR_PRESSURE_STAY};
    }
    return verdict;
}

static void wait_longer(weir_pressure_policy_t *policy)
{
    uint32_t doubled = raise_wait(policy) * 2;
    policy->raise_wait = doubled < RAISE_AFTER_MOST ? doubled : RAISE_AFTER_MOST;
}

void weir_pressure_policy_done(weir_pressure_policy_t *policy, weir_pressure_decision_t decision, bool succeeded)
{
    policy->tight = 0;
    policy->relieved = 0;
    if (decision == WEIR_PRESSURE_LOWER && succeeded) {
        policy->level++;
        policy->settling = SETTLE_AFTER;
        policy->deaf = DEAF_AFTER;
        if (policy->raised_ago > 0) {
            policy->raised_ago = 0;
            wait_longer(policy);
        }
    } else if (decision == WEIR_PRESSURE_LOWER) {
        policy->settling = RETRY_AFTER;
        policy->deaf = RETRY_AFTER;
    } else if (succeeded) {
        policy->level--;
        policy->raised_ago = 1;
    } else {
        wait_longer(policy);
    }
}
