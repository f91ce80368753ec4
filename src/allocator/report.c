/*
 * report.c: what is said of a choice. Every cost in it was measured by a trial; every limit was read.
 */
#include "allocator/report.h"

#include "allocator/least.h"
#include "allocator/phrases.h"
#include "allocator/placement.h"
#include "allocator/plan.h"
#include "allocator/remedy.h"
#include "allocator/share.h"
#include "allocator/text.h"
#include "allocator/translate.h"
#include "allocator/trial.h"

#include <stdio.h>
#include <string.h>

/* ---- What is worth saying ---------------------------------------------------------------------------------------- */

static const weir_trial_result_t *chosen_result(const weir_choice_t *choice)
{
    return &choice->decision.pool.ladder[choice->decision.pool.index];
}

const weir_trial_result_t *weir_report_wanted(const weir_choice_t *choice)
{
    const weir_decided_t *pool = &choice->decision.pool;
    for (size_t i = 0; i < pool->count; i++) {
        if (weir_rung_is_full(&pool->ladder[i].rung, &pool->needs, choice->decision.strategy)) {
            return &pool->ladder[i];
        }
    }
    return NULL;
}

bool weir_report_usual(const weir_choice_t *choice, weir_limit_t *ret_limit, uint32_t *ret_usual)
{
    const weir_decision_t *decision = &choice->decision;
    weir_facts_t facts;
    weir_share_facts(&choice->facts, decision, &decision->pool, &facts);
    return !choice->stated && weir_needs_are_lessened(&facts, &decision->pool.needs, ret_limit, ret_usual);
}

bool weir_report_is_lessened(const weir_choice_t *choice)
{
    const weir_decided_t *pool = &choice->decision.pool;
    weir_limit_t limit = WEIR_LIMIT_NONE;
    bool works = false;
    for (size_t i = 0; i < pool->count && !works; i++) {
        works = weir_rung_is_full(&pool->ladder[i].rung, &pool->needs, choice->decision.strategy) &&
                (i == pool->index || pool->ladder[i].verdict.outcome == WEIR_OUTCOME_PASSED);
    }
    return works && weir_report_usual(choice, &limit, NULL) && limit == WEIR_LIMIT_CGROUP;
}

const weir_trial_result_t *weir_report_obstacle(const weir_choice_t *choice)
{
    const weir_decided_t *pool = &choice->decision.pool;
    const weir_trial_result_t *wanted = weir_report_wanted(choice);
    if (wanted != NULL && wanted->verdict.limit != WEIR_LIMIT_NONE) {
        return wanted;
    }
    for (size_t i = 0; i < pool->count; i++) {
        if (pool->ladder[i].verdict.limit != WEIR_LIMIT_NONE) {
            return &pool->ladder[i];
        }
    }
    return NULL;
}

const weir_trial_result_t *weir_report_runner_up(const weir_choice_t *choice, bool other_tier)
{
    const weir_decided_t *pool = &choice->decision.pool;
    const weir_trial_result_t *best = NULL;
    for (size_t i = 0; i < pool->count; i++) {
        const weir_trial_result_t *result = &pool->ladder[i];
        bool same_tier = pool->index != SIZE_MAX && result->rung.tier == pool->ladder[pool->index].rung.tier;
        bool comparable =
            i != pool->index && result->verdict.outcome == WEIR_OUTCOME_PASSED && !(other_tier && same_tier);
        if (comparable &&
            (best == NULL || result->verdict.instance_microseconds < best->verdict.instance_microseconds)) {
            best = result;
        }
    }
    return best;
}

/* Nothing works for the guests that share the pool, or for those beside it. */
static bool is_unavailable(const weir_choice_t *choice)
{
    return weir_choice_rung(choice) == NULL;
}

static bool is_interpreted(const weir_choice_t *choice)
{
    return weir_fact_is(choice->facts.executable_memory, 0);
}

weir_limit_t weir_report_limit(const weir_choice_t *choice)
{
    const weir_trial_result_t *result = weir_report_obstacle(choice);
    if (weir_choice_rung(choice) != NULL && weir_report_is_lessened(choice)) {
        return WEIR_LIMIT_CGROUP;
    }
    if (is_interpreted(choice)) {
        return WEIR_LIMIT_EXECUTABLE;
    }
    return result == NULL ? WEIR_LIMIT_UNKNOWN : result->verdict.limit;
}

uint32_t weir_report_variant(const weir_choice_t *choice)
{
    const weir_trial_result_t *chosen = chosen_result(choice);
    weir_knobs_t knobs = weir_rung_knobs(&chosen->rung);
    for (uint32_t i = 0; i < chosen->verdict.variant_count; i++) {
        if (weir_knobs_are_equal(&chosen->verdict.variants[i].knobs, &knobs)) {
            return i;
        }
    }
    return UINT32_MAX;
}

double weir_report_cost(const weir_choice_t *choice)
{
    const weir_verdict_t *verdict = &chosen_result(choice)->verdict;
    uint32_t variant = weir_report_variant(choice);
    double cost = variant == UINT32_MAX ? 0 : verdict->variants[variant].instance_microseconds;
    return cost > 0 ? cost : verdict->instance_microseconds;
}

bool weir_report_joined_pool(const weir_choice_t *choice, weir_rung_t *ret_rung)
{
    const weir_decision_t *decision = &choice->decision;
    if (decision->apart_count == 0) {
        return false;
    }
    weir_needs_t needs = weir_needs_join(&decision->pool.needs, &decision->rest.needs);
    needs.concurrency = decision->pool.needs.concurrency;
    return weir_placement_first_pool(&choice->facts, &needs, decision->strategy, ret_rung);
}

const char *weir_report_obstacle_text(const weir_choice_t *choice, const weir_decided_t *part,
    const weir_trial_result_t *result, char *buffer, size_t size)
{
    const weir_decision_t *decision = &choice->decision;
    weir_strategy_t strategy = part == &decision->rest ? WEIR_STRATEGY_ONDEMAND : decision->strategy;
    weir_facts_t facts;
    weir_share_facts(&choice->facts, decision, part, &facts);
    return weir_phrase_obstacle(&facts, &part->needs, strategy, result, buffer, size);
}

const char *weir_report_wish(const weir_choice_t *choice)
{
    return choice->wish[0] != '\0' ? choice->wish : weir_strategy_name(choice->decision.strategy);
}

void weir_report_name_wish(weir_choice_t *choice, const char *wish)
{
    snprintf(choice->wish, sizeof choice->wish, "%s", wish);
    weir_report_write(choice);
}

/* ---- The summary and the reason ---------------------------------------------------------------------------------- */

static void append_how(weir_choice_t *choice)
{
    const weir_decision_t *decision = &choice->decision;
    char *text = choice->summary;
    size_t size = sizeof choice->summary;
    if (decision->strategy != WEIR_STRATEGY_AUTO) {
        weir_text_append(text, size, weir_translate("asked for: %s; "), weir_report_wish(choice));
    }
    if (choice->remembered) {
        weir_text_append(
            text, size, weir_translate("as decided before, proved again in %.0f ms"), choice->milliseconds);
    } else if (decision->pool.trials == 1) {
        weir_text_append(text, size, weir_translate("chosen by trial in %.0f ms"), choice->milliseconds);
    } else {
        weir_text_append(text, size, weir_translate("chosen among %u by trial in %.0f ms"), decision->pool.trials,
            choice->milliseconds);
    }
}

static void write_summary(weir_choice_t *choice)
{
    const weir_decision_t *decision = &choice->decision;
    char rung[WEIR_PHRASE_MAX];
    char *text = choice->summary;
    size_t size = sizeof choice->summary;
    if (is_unavailable(choice)) {
        snprintf(text, size, weir_translate("allocator: none works (asked for: %s; %u tried in %.0f ms)"),
            weir_report_wish(choice), decision->pool.trials, choice->milliseconds);
        return;
    }
    weir_phrase_rung(&chosen_result(choice)->rung, rung, sizeof rung);
    snprintf(
        text, size, weir_translate("allocator: %s (measured: %.1f us per instance"), rung, weir_report_cost(choice));
    if (decision->tuned_count > 0) {
        weir_text_append(text, size, weir_translate(", %.1f us to run its own components"),
            decision->tuned_variants[decision->tuned].instance_microseconds);
    }
    weir_text_append(text, size, "%s", weir_translate("; "));
    append_how(choice);
    weir_text_append(text, size, "%s", weir_translate(")"));
}

/* Whether all others were tried, or cannot be had. */
static bool is_all_there_is(const weir_choice_t *choice)
{
    const weir_decided_t *pool = &choice->decision.pool;
    for (size_t i = 0; i < pool->count; i++) {
        const weir_verdict_t *verdict = &pool->ladder[i].verdict;
        if (verdict->outcome == WEIR_OUTCOME_NOT_TRIED && verdict->limit == WEIR_LIMIT_NONE) {
            return false;
        }
    }
    return true;
}

static void write_reason(weir_choice_t *choice)
{
    char rung[WEIR_PHRASE_MAX];
    char knobs_text[WEIR_PHRASE_MAX];
    size_t size = sizeof choice->reason;
    if (is_unavailable(choice)) {
        snprintf(choice->reason, size, "%s", weir_translate("nothing that was asked for works here"));
        return;
    }
    const weir_verdict_t *verdict = &chosen_result(choice)->verdict;
    const weir_trial_result_t *other = weir_report_runner_up(choice, false);
    if (other == NULL) {
        snprintf(choice->reason, size, "%s",
            is_all_there_is(choice) ? weir_translate("the only one that works")
                                    : weir_translate("the first that works in the order of preference"));
        return;
    }
    weir_knobs_t knobs = weir_rung_knobs(&other->rung);
    weir_phrase_rung(&other->rung, rung, sizeof rung);
    weir_phrase_knobs(&knobs, knobs_text, sizeof knobs_text);
    double cost = verdict->instance_microseconds;
    double other_cost = other->verdict.instance_microseconds;
    if (cost < other_cost) {
        snprintf(choice->reason, size,
            weir_translate("the cheapest that works: %.1f us per instance; the runner-up is %s (%s) at %.1f us"), cost,
            rung, knobs_text, other_cost);
    } else {
        snprintf(choice->reason, size,
            weir_translate("as cheap as any within noise, and preferred: %.1f us per instance; the runner-up is %s "
                           "(%s) at %.1f us"),
            cost, rung, knobs_text, other_cost);
    }
}

/* ---- The notice -------------------------------------------------------------------------------------------------- */

/* The last of what was preferred and failed its trial, if anything did: it explains what arithmetic does not. */
static const weir_trial_result_t *find_failed(const weir_choice_t *choice)
{
    const weir_decided_t *pool = &choice->decision.pool;
    const weir_trial_result_t *failed = NULL;
    for (size_t i = 0; i < pool->index && i < pool->count; i++) {
        weir_outcome_t outcome = pool->ladder[i].verdict.outcome;
        bool is_failed = outcome != WEIR_OUTCOME_NOT_TRIED && outcome != WEIR_OUTCOME_PASSED;
        failed = is_failed ? &pool->ladder[i] : failed;
    }
    return failed;
}

/* Why it is not what was wanted: a clause. */
static void append_why(weir_choice_t *choice)
{
    const weir_trial_result_t *result = weir_report_obstacle(choice);
    char *text = choice->notice;
    size_t size = sizeof choice->notice;
    char phrase[WEIR_PHRASE_MAX];
    if (is_interpreted(choice)) {
        weir_text_append(text, size, "%s", weir_translate("executable memory is refused here, so code is interpreted"));
        return;
    }
    if (result == NULL) {
        weir_text_append(text, size, "%s", weir_translate("native code did not work"));
        return;
    }
    if (result != weir_report_wanted(choice)) {
        weir_text_append(
            text, size, weir_translate("%s cannot be had: "), weir_phrase_rung(&result->rung, phrase, sizeof phrase));
    }
    weir_text_append(
        text, size, "%s", weir_report_obstacle_text(choice, &choice->decision.pool, result, phrase, sizeof phrase));
    const weir_trial_result_t *failed = find_failed(choice);
    if (failed != NULL && failed != result) {
        char rung[WEIR_PHRASE_MAX];
        weir_report_obstacle_text(choice, &choice->decision.pool, failed, phrase, sizeof phrase);
        weir_text_append(text, size, weir_translate("; %s was tried: %s"),
            weir_phrase_rung(&failed->rung, rung, sizeof rung), phrase);
    }
}

/* Of the rungs that were tried, the one that asks for least: native where there is one, since interpreting is for other
 * troubles. */
static const weir_trial_result_t *least_tried(const weir_decided_t *decided)
{
    const weir_trial_result_t *least = NULL;
    for (size_t i = 0; i < decided->count; i++) {
        const weir_trial_result_t *result = &decided->ladder[i];
        if (result->verdict.outcome == WEIR_OUTCOME_NOT_TRIED) {
            continue;
        }
        bool alike = least != NULL && least->rung.pulley == result->rung.pulley;
        bool less = alike && weir_rung_address_bytes(&result->rung, &decided->needs) <=
                                 weir_rung_address_bytes(&least->rung, &decided->needs);
        if (least == NULL || less || (!alike && !result->rung.pulley)) {
            least = result;
        }
    }
    return least;
}

/* What to do about it when nothing works, where this was tried last, if anything. */
static weir_remedy_t remedy_for(const weir_choice_t *choice, const weir_trial_result_t *tried)
{
    bool explained =
        tried != NULL && tried->verdict.limit != WEIR_LIMIT_NONE && tried->verdict.limit != WEIR_LIMIT_UNKNOWN;
    return (weir_remedy_t){
        .limit = explained ? tried->verdict.limit : weir_report_limit(choice),
        .starved = tried != NULL && weir_verdict_is_starved(&tried->verdict),
    };
}

static void append_tried(weir_choice_t *choice, const weir_decided_t *part, const weir_trial_result_t *tried)
{
    char rung[WEIR_PHRASE_MAX];
    char phrase[WEIR_PHRASE_MAX];
    weir_report_obstacle_text(choice, part, tried, phrase, sizeof phrase);
    weir_text_append(choice->notice, sizeof choice->notice, weir_translate(" The least that was tried is %s: %s"),
        weir_phrase_rung(&tried->rung, rung, sizeof rung), phrase);
}

/* Nothing works at all: the least that was tried, or else what would ask for least; and what would be enough. */
static weir_remedy_t append_least(weir_choice_t *choice, const weir_trial_result_t *tried)
{
    char *text = choice->notice;
    size_t size = sizeof choice->notice;
    char rung[WEIR_PHRASE_MAX];
    char phrase[WEIR_PHRASE_MAX];
    const weir_decided_t *pool = &choice->decision.pool;
    weir_remedy_t remedy = remedy_for(choice, tried);
    weir_facts_t facts;
    weir_least_t least;
    weir_share_facts(&choice->facts, &choice->decision, pool, &facts);
    bool found = weir_least_find(&facts, &pool->needs, choice->decision.strategy, pool->ladder, pool->count, &least);
    if (tried != NULL) {
        append_tried(choice, pool, tried);
        found = found && least.limit == remedy.limit && !remedy.starved;
    } else if (found) {
        const weir_trial_result_t result = {.rung = least.rung, .verdict = {.limit = least.limit}};
        weir_phrase_obstacle(&facts, &pool->needs, choice->decision.strategy, &result, phrase, sizeof phrase);
        weir_text_append(text, size, weir_translate(" What asks for least is %s: %s"),
            weir_phrase_rung(&least.rung, rung, sizeof rung), phrase);
        remedy.limit = least.limit;
    }
    if (found && least.limit_bytes != 0) {
        weir_text_append(
            text, size, weir_translate("; with a limit of %s it would fit"), weir_size_text(least.limit_bytes).text);
    }
    weir_text_append(text, size, "%s", tried != NULL || found ? weir_translate(".") : "");
    return remedy;
}

static weir_remedy_t write_unavailable(weir_choice_t *choice)
{
    char *text = choice->notice;
    size_t size = sizeof choice->notice;
    bool no_pool = choice->decision.pool.index == SIZE_MAX;
    const weir_decided_t *part = no_pool ? &choice->decision.pool : &choice->decision.rest;
    const weir_trial_result_t *tried = least_tried(part);
    if (tried != NULL && weir_verdict_is_starved(&tried->verdict)) {
        weir_text_append(text, size, "%s",
            weir_translate("This machine is too busy: no allocation strategy could be proved to work in time."));
    } else if (!no_pool) {
        weir_text_append(text, size, "%s",
            weir_translate("There is a pool, but nothing beside it for the components that do not fit its slots."));
    } else if (choice->decision.strategy == WEIR_STRATEGY_AUTO) {
        weir_text_append(text, size, "%s", weir_translate("No allocation strategy works on this machine."));
    } else {
        weir_text_append(text, size,
            weir_translate("The allocation strategy that was asked for (%s) cannot be had on this machine, and is "
                           "not replaced by another."),
            weir_report_wish(choice));
    }
    if (no_pool) {
        return append_least(choice, tried);
    }
    if (tried != NULL) {
        append_tried(choice, part, tried);
        weir_text_append(text, size, "%s", weir_translate("."));
    }
    return remedy_for(choice, tried);
}

/* What was wanted works, and would have been more without the control group's limit. */
static void append_lessened(weir_choice_t *choice)
{
    weir_limit_t limit = WEIR_LIMIT_NONE;
    uint32_t usual = 0;
    char phrase[WEIR_PHRASE_MAX];
    weir_report_usual(choice, &limit, &usual);
    weir_text_append(choice->notice, sizeof choice->notice,
        weir_translate(". %u at a time are usual; %s has room for the memory of %u."), usual,
        weir_phrase_limit(&choice->facts, limit, phrase, sizeof phrase), choice->decision.pool.needs.concurrency);
}

/* What was done, instead of what, and why. */
static void append_deed(weir_choice_t *choice)
{
    char *text = choice->notice;
    size_t size = sizeof choice->notice;
    char phrase[WEIR_PHRASE_MAX];
    const weir_rung_t *chosen = &chosen_result(choice)->rung;
    const weir_trial_result_t *wanted = weir_report_wanted(choice);
    weir_phrase_rung(chosen, phrase, sizeof phrase);
    if (chosen->tier != WEIR_TIER_ONDEMAND) {
        weir_text_append(text, size, weir_translate("The pooling allocator was reduced automatically: %s"), phrase);
    } else if (choice->decision.strategy == WEIR_STRATEGY_ONDEMAND || weir_report_is_lessened(choice)) {
        weir_text_append(text, size, weir_translate("Allocation on demand was reduced automatically: %s"), phrase);
    } else {
        weir_text_append(text, size, weir_translate("The pooling allocator was disabled automatically: %s"), phrase);
    }
    if (weir_report_is_lessened(choice)) {
        append_lessened(choice);
        return;
    }
    if (wanted != NULL) {
        weir_text_append(
            text, size, weir_translate(". Wanted: %s"), weir_phrase_rung(&wanted->rung, phrase, sizeof phrase));
    } else {
        weir_text_append(text, size, "%s", weir_translate(". Wanted: native code"));
    }
    weir_text_append(text, size, "%s", weir_translate("; "));
    append_why(choice);
    weir_text_append(text, size, "%s", weir_translate("."));
}

/* What it means, and what it costs. */
static void append_meaning(weir_choice_t *choice)
{
    char *text = choice->notice;
    size_t size = sizeof choice->notice;
    char phrase[WEIR_PHRASE_MAX];
    const weir_rung_t *chosen = &chosen_result(choice)->rung;
    const weir_trial_result_t *wanted = weir_report_wanted(choice);
    const weir_trial_result_t *other = weir_report_runner_up(choice, true);
    weir_text_append(text, size,
        weir_translate_count("\nThis is normal and changes no behaviour within its bounds: at most %u request at a "
                             "time, others wait",
            "\nThis is normal and changes no behaviour within its bounds: at most %u requests at a time, others wait",
            chosen->slots),
        chosen->slots);
    if (chosen->tier == WEIR_TIER_COMPACT) {
        weir_text_append(text, size,
            weir_remedy_trades_slots(choice)
                ? weir_translate(", and a memory grows to %s at most (more when fewer at a time are wanted)")
                : weir_translate(", and a memory grows to %s at most"),
            weir_size_text(chosen->slot_bytes).text);
    }
    weir_text_append(text, size, weir_translate(". A new instance takes %.1f us"), weir_report_cost(choice));
    if (other != NULL) {
        weir_text_append(text, size, weir_translate(", against %.1f us with %s"), other->verdict.instance_microseconds,
            weir_phrase_rung(&other->rung, phrase, sizeof phrase));
    }
    if (wanted == NULL || wanted->verdict.outcome != WEIR_OUTCOME_PASSED) {
        weir_text_append(text, size, "%s", weir_translate("; what was wanted could not be measured here"));
    }
    weir_text_append(text, size, "%s", weir_translate("."));
}

void weir_report_write(weir_choice_t *choice)
{
    choice->notice[0] = '\0';
    choice->advice[0] = '\0';
    write_summary(choice);
    write_reason(choice);
    if (!weir_choice_is_reduced(choice)) {
        return;
    }
    const weir_trial_result_t *obstacle = weir_report_obstacle(choice);
    weir_remedy_t remedy = {weir_report_limit(choice), obstacle != NULL && weir_verdict_is_starved(&obstacle->verdict)};
    if (is_unavailable(choice)) {
        remedy = write_unavailable(choice);
    } else {
        append_deed(choice);
        append_meaning(choice);
    }
    weir_remedy_text(choice, &remedy, choice->advice, sizeof choice->advice);
    if (choice->advice[0] != '\0') {
        weir_text_append(choice->notice, sizeof choice->notice, weir_translate("\nRemedy: %s"), choice->advice);
    }
}
