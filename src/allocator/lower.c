/*
 * lower.c: the next lower choice, for a program that runs already: one that reserves and keeps less, and for which the
 * code that the program has compiled is good.
 *
 * First the unused slots give up what they keep, since that costs nothing but time; then the slots are halved. The size
 * of a slot stays: it is in the code. The last is an engine without a pool, which reserves as much for each memory as a
 * slot had, and so runs the same code: it is there beside a pool that has all address space, since it takes none before
 * it has instances.
 *
 * Guests that are placed apart have no pool: step by step with it, fewer of their instances may be there at once.
 */
#include "allocator/child.h"
#include "allocator/choice.h"
#include "allocator/report.h"
#include "allocator/share.h"
#include "allocator/trial_server.h"

#include <stdlib.h>
#include <string.h>

/* Fewer instances than this for each processor would leave processors idle while guests wait. */
enum { SLOTS_LEAST_EACH = 2 };

/* Make a choice less than it is. False when it cannot be. */
typedef bool (*step_t)(weir_choice_t *choice);

static weir_rung_t *rung_of(weir_choice_t *choice)
{
    return &choice->decision.pool.ladder[choice->decision.pool.index].rung;
}

/* Of the guests that are placed apart, or NULL. */
static weir_rung_t *rung_apart_of(weir_choice_t *choice)
{
    weir_decided_t *rest = &choice->decision.rest;
    return choice->decision.apart_count > 0 ? &rest->ladder[rest->index].rung : NULL;
}

static uint32_t least_slots(const weir_choice_t *choice)
{
    return SLOTS_LEAST_EACH * weir_facts_processors(&choice->facts);
}

/* Half as many slots, but for the least. False when there are no more than that. */
static bool halve(const weir_choice_t *choice, weir_rung_t *rung)
{
    if (rung->slots <= least_slots(choice)) {
        return false;
    }
    rung->slots = rung->slots / 2 > least_slots(choice) ? rung->slots / 2 : least_slots(choice);
    rung->warm_slots = rung->warm_slots < rung->slots ? rung->warm_slots : rung->slots;
    return true;
}

/* False when there is nothing lower of its kind. */
static bool lower_rung(const weir_choice_t *choice, weir_rung_t *rung)
{
    uint32_t processors = weir_facts_processors(&choice->facts);
    bool keeps = rung->memory_keep_resident_bytes > 0 || rung->warm_slots > processors;
    if (rung->tier != WEIR_TIER_ONDEMAND && keeps) {
        rung->memory_keep_resident_bytes = 0;
        rung->table_keep_resident_bytes = 0;
        rung->pagemap_scan = false;
        rung->warm_slots = processors < rung->slots ? processors : rung->slots;
        return true;
    }
    return halve(choice, rung);
}

/* Do without the pool. Its settings for memories stay, for the code that is there depends on them. */
static bool drop_pool(weir_choice_t *choice)
{
    weir_rung_t *rung = rung_of(choice);
    const weir_needs_t *needs = &choice->decision.pool.needs;
    weir_budgets_t budgets;
    /* A strategy that was asked for by name is not replaced by another. */
    if (rung->tier == WEIR_TIER_ONDEMAND || choice->decision.strategy != WEIR_STRATEGY_AUTO) {
        return false;
    }
    halve(choice, rung);
    rung->tier = WEIR_TIER_ONDEMAND;
    rung->memory_keep_resident_bytes = 0;
    rung->table_keep_resident_bytes = 0;
    rung->decommit_batch = 0;
    rung->pagemap_scan = false;
    rung->warm_slots = 0;
    rung->spare_slots = 0;
    weir_budgets_make(&choice->facts, needs, false, &budgets);
    uint32_t fits = weir_rung_fit(rung, needs, weir_facts_page_size(&choice->facts), &budgets, rung->slots);
    rung->slots = fits > 0 ? fits : 1;
    return true;
}

static bool lower_apart(weir_choice_t *choice)
{
    weir_rung_t *rung = rung_apart_of(choice);
    return rung != NULL && halve(choice, rung);
}

/* What is short is not always what one of the two engines takes: so both give way, as far as each can. */
static bool lower_by_one(weir_choice_t *choice)
{
    bool apart = lower_apart(choice);
    return lower_rung(choice, rung_of(choice)) || apart || drop_pool(choice);
}

static bool drop_pool_and_lower(weir_choice_t *choice)
{
    if (!drop_pool(choice)) {
        return false;
    }
    lower_apart(choice);
    return true;
}

static weir_outcome_t prove_part(weir_choice_t *choice, weir_decided_t *part, weir_trial_server_t *server)
{
    weir_rung_t *rung = &part->ladder[part->index].rung;
    weir_budgets_t budgets;
    weir_plan_t plan;
    weir_verdict_t verdict;
    weir_facts_t facts;
    weir_share_facts(&choice->facts, &choice->decision, part, &facts);
    weir_budgets_make(&facts, &part->needs, true, &budgets);
    weir_plan_make(&facts, &part->needs, &budgets, rung, WEIR_DEPTH_QUICK, 0, &plan);
    plan.code = weir_codes_file(&choice->codes, rung, &part->needs);
    if (part != &choice->decision.pool) {
        weir_share_hold(&facts, rung_of(choice), &choice->decision.pool.needs, &plan);
    }
    weir_trial_server_run(server, &facts, &plan, &verdict);
    return verdict.outcome;
}

/* Prove a choice's rungs as the machine is now. Returns how the trial ended, or the first of them that failed. */
static weir_outcome_t prove(weir_choice_t *choice, weir_trial_server_t *server)
{
    weir_outcome_t outcome = prove_part(choice, &choice->decision.pool, server);
    if (outcome != WEIR_OUTCOME_PASSED || choice->decision.apart_count == 0) {
        return outcome;
    }
    return prove_part(choice, &choice->decision.rest, server);
}

/* Whether a lower rung would fare no better: there is nobody who tries it, or no time in which a trial ends. Each more
 * would be waited for in vain, and by whoever wants the program to stop, too. */
static bool is_hopeless(weir_outcome_t outcome)
{
    return outcome == WEIR_OUTCOME_SYSTEM || outcome == WEIR_OUTCOME_DEADLINE;
}

weir_status_t weir_choice_prove(weir_choice_t *choice, weir_trial_server_t *server)
{
    if (weir_choice_rung(choice) == NULL || server == NULL) {
        return WEIR_ERROR_INVALID;
    }
    return prove(choice, server) == WEIR_OUTCOME_PASSED ? WEIR_OK : WEIR_ERROR_UNAVAILABLE;
}

/* The first that is proved, beginning with `first`, of the choices that are lower than this one. */
static weir_status_t descend(
    const weir_choice_t *choice, weir_trial_server_t *server, step_t first, weir_choice_t **ret_lower)
{
    double started = weir_clock_milliseconds();
    if (weir_choice_rung(choice) == NULL || server == NULL) {
        return WEIR_ERROR_INVALID;
    }
    weir_choice_t *lower = malloc(sizeof *lower);
    if (lower == NULL) {
        return WEIR_ERROR_MEMORY;
    }
    *lower = *choice;
    /* What belongs to the other stays with it; and what is lower for now is not to be remembered. */
    memset(&lower->codes, 0, sizeof lower->codes);
    lower->memory_directory = NULL;
    lower->proof = NULL;
    weir_outcome_t outcome = WEIR_OUTCOME_REFUSED;
    step_t step = first;
    while (outcome != WEIR_OUTCOME_PASSED && !is_hopeless(outcome) && step(lower)) {
        outcome = prove(lower, server);
        step = lower_by_one;
    }
    if (outcome != WEIR_OUTCOME_PASSED) {
        weir_choice_free(lower);
        return WEIR_ERROR_UNAVAILABLE;
    }
    lower->milliseconds = weir_clock_milliseconds() - started;
    weir_report_write(lower);
    *ret_lower = lower;
    return WEIR_OK;
}

weir_status_t weir_choice_lower(const weir_choice_t *choice, weir_trial_server_t *server, weir_choice_t **ret_lower)
{
    return descend(choice, server, lower_by_one, ret_lower);
}

weir_status_t weir_choice_lower_ondemand(
    const weir_choice_t *choice, weir_trial_server_t *server, weir_choice_t **ret_lower)
{
    return descend(choice, server, drop_pool_and_lower, ret_lower);
}
