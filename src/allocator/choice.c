/*
 * choice.c: tries a ladder and takes the best rung.
 *
 * Within a group, whose steps differ in size alone, the first that works ends the search: a smaller pool of the same
 * kind is no faster. Between groups the measured cost decides, and where costs are equal within noise, the order.
 */
#include "allocator/choice.h"

#include "allocator/child.h"
#include "allocator/configure.h"
#include "allocator/report.h"
#include "allocator/trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Two costs this close are the same. */
static const double noise = 1.10;

/* A cost that is more than so many times another's is no accident. */
static const double doubtful = 3;

/* Once something works, no trial is begun that would last beyond so many milliseconds; more where trials take long. */
static const double enough_milliseconds = 200;
static const double enough_milliseconds_slow = 4000;
static const double slow_trial_milliseconds = 150;

typedef struct search {
    const weir_facts_t *facts;
    const weir_needs_t *needs;
    const weir_tester_t *tester;
    weir_ladder_t *ladder;
    uint32_t deadline;
    double started;
    double longest;  /* trial so far, in milliseconds */
    unsigned trials; /* rungs that were tried */
    bool works;      /* something does */
    bool pool_works; /* a pool does */
} search_t;

static void say(weir_step_t *step, const char *words)
{
    snprintf(step->result.verdict.message, sizeof step->result.verdict.message, "not tried: %s", words);
}

static weir_outcome_t outcome_of(const weir_step_t *step)
{
    return step->result.verdict.outcome;
}

static double cost_of(const weir_step_t *step)
{
    return step->result.verdict.instance_microseconds;
}

static bool is_slow(const search_t *search)
{
    return weir_fact_is(search->facts->emulated, 1) || search->longest > slow_trial_milliseconds;
}

static double elapsed(const search_t *search)
{
    return search->tester->milliseconds(search->tester->context) - search->started;
}

/* Whether there is no time for so many trials more. */
static bool time_is_up(const search_t *search, unsigned trials)
{
    double enough = is_slow(search) ? enough_milliseconds_slow : enough_milliseconds;
    return search->works && elapsed(search) + trials * search->longest > enough;
}

static void try_step(search_t *search, const weir_rung_t *rung, weir_verdict_t *ret_verdict)
{
    weir_plan_t plan;
    weir_plan_make(search->facts, search->needs, &search->ladder->budgets, rung, search->deadline, &plan);
    double before = elapsed(search);
    search->tester->trial(search->tester->context, search->facts, &plan, ret_verdict);
    double took = elapsed(search) - before;
    search->longest = took > search->longest ? took : search->longest;
}

/* Whether the same reservation failed already: other bytes kept resident will not make it succeed. */
static bool refused_before(const search_t *search, const weir_step_t *step)
{
    const weir_rung_t *rung = &step->result.rung;
    for (const weir_step_t *other = search->ladder->steps; other < step; other++) {
        const weir_rung_t *seen = &other->result.rung;
        bool failed = outcome_of(other) != WEIR_OUTCOME_NOT_TRIED && outcome_of(other) != WEIR_OUTCOME_PASSED &&
                      outcome_of(other) != WEIR_OUTCOME_CONTENTS;
        if (failed && seen->tier == rung->tier && seen->slots == rung->slots && seen->slot_bytes == rung->slot_bytes &&
            seen->pulley == rung->pulley && rung->tier != WEIR_TIER_ONDEMAND) {
            return true;
        }
    }
    return false;
}

/* Why a step is passed over, or NULL. */
static const char *needless(const search_t *search, const weir_step_t *step, bool group_works)
{
    if (group_works) {
        return "a larger one of its kind works";
    }
    if (step->last_resort && search->works) {
        return "native code works";
    }
    if (refused_before(search, step)) {
        return "the same reservation failed above";
    }
    bool ondemand = step->result.rung.tier == WEIR_TIER_ONDEMAND;
    if (ondemand && search->pool_works && !is_slow(search)) {
        return "a pool works";
    }
    if (time_is_up(search, 1)) {
        return "the time for deciding is used up, and something works";
    }
    return NULL;
}

static void try_all(search_t *search)
{
    weir_ladder_t *ladder = search->ladder;
    bool group_works = false;
    for (size_t i = 0; i < ladder->count; i++) {
        weir_step_t *step = &ladder->steps[i];
        if (i > 0 && step->group != ladder->steps[i - 1].group) {
            group_works = false;
        }
        if (!step->possible) {
            continue;
        }
        const char *words = needless(search, step, group_works);
        if (words != NULL) {
            say(step, words);
            continue;
        }
        try_step(search, &step->result.rung, &step->result.verdict);
        search->trials++;
        if (outcome_of(step) == WEIR_OUTCOME_PASSED) {
            group_works = true;
            search->works = true;
            search->pool_works = search->pool_works || step->result.rung.tier != WEIR_TIER_ONDEMAND;
        }
    }
}

/* The earliest step whose cost is the least, within noise. */
static size_t select_step(const weir_ladder_t *ladder)
{
    double least = 0;
    for (size_t i = 0; i < ladder->count; i++) {
        const weir_step_t *step = &ladder->steps[i];
        if (outcome_of(step) == WEIR_OUTCOME_PASSED && (least == 0 || cost_of(step) < least)) {
            least = cost_of(step);
        }
    }
    for (size_t i = 0; i < ladder->count; i++) {
        const weir_step_t *step = &ladder->steps[i];
        if (outcome_of(step) == WEIR_OUTCOME_PASSED && cost_of(step) <= least * noise) {
            return i;
        }
    }
    return SIZE_MAX;
}

/* Time a step again; the lesser of two medians is the one that was less disturbed. */
static void try_again(search_t *search, size_t index)
{
    weir_step_t *step = &search->ladder->steps[index];
    weir_verdict_t verdict;
    try_step(search, &step->result.rung, &verdict);
    if (verdict.outcome != WEIR_OUTCOME_PASSED) {
        step->result.verdict = verdict; /* what works once and not twice does not work */
    } else if (verdict.instance_microseconds < cost_of(step)) {
        step->result.verdict = verdict;
    }
}

size_t weir_choose_step(const weir_facts_t *facts, const weir_needs_t *needs, uint32_t deadline,
    const weir_tester_t *tester, weir_ladder_t *ladder, unsigned *ret_trials)
{
    search_t search = {
        .facts = facts,
        .needs = needs,
        .tester = tester,
        .ladder = ladder,
        .deadline = deadline,
        .started = tester->milliseconds(tester->context),
    };
    try_all(&search);
    size_t chosen = select_step(ladder);
    /* Somebody else's work at the wrong moment must not cost a preferred rung its place. */
    bool again = false;
    for (size_t i = 0; chosen != SIZE_MAX && i < chosen && !time_is_up(&search, 2); i++) {
        if (outcome_of(&ladder->steps[i]) == WEIR_OUTCOME_PASSED &&
            cost_of(&ladder->steps[i]) < doubtful * cost_of(&ladder->steps[chosen])) {
            try_again(&search, i);
            again = true;
        }
    }
    if (again) {
        try_again(&search, chosen);
        chosen = select_step(ladder);
    }
    *ret_trials = search.trials;
    return chosen;
}

/* ---- The real thing ---------------------------------------------------------------------------------------------- */

static void real_trial(void *context, const weir_facts_t *facts, const weir_plan_t *plan, weir_verdict_t *ret_verdict)
{
    (void)context;
    weir_trial_run(facts, plan, ret_verdict);
}

static double real_milliseconds(void *context)
{
    (void)context;
    return weir_clock_milliseconds();
}

void weir_choose_options_init(weir_choose_options_t *options)
{
    memset(options, 0, sizeof *options);
    options->size = sizeof *options;
}

static bool options_are_valid(const weir_choose_options_t *options)
{
    return options->size == sizeof *options && options->strategy <= WEIR_STRATEGY_ANY_POOL &&
           options->needs.minimum_memory_bytes <= UINT64_C(4) << 30 && options->needs.concurrency <= 1000000 &&
           options->needs.memories <= 1000 && options->needs.tables <= 1000 && options->needs.core_instances <= 10000 &&
           options->needs.table_elements <= 10000000;
}

weir_status_t weir_allocator_choose_with(const weir_machine_t *machine, const weir_tester_t *tester,
    const weir_choose_options_t *options, weir_choice_t **ret_choice)
{
    weir_choose_options_t defaults;
    weir_choose_options_init(&defaults);
    options = options == NULL ? &defaults : options;
    if (!options_are_valid(options)) {
        return WEIR_ERROR_INVALID;
    }
    weir_choice_t *choice = calloc(1, sizeof *choice);
    weir_ladder_t *ladder = malloc(sizeof *ladder);
    if (choice == NULL || ladder == NULL) {
        free(choice);
        free(ladder);
        return WEIR_ERROR_MEMORY;
    }
    double started = tester->milliseconds(tester->context);
    choice->strategy = options->strategy;
    weir_facts_read(machine, &choice->facts);
    weir_needs_complete(&choice->facts, &options->needs, &choice->needs);
    weir_ladder_make(&choice->facts, &choice->needs, choice->strategy, ladder);
    choice->index =
        weir_choose_step(&choice->facts, &choice->needs, options->trial_milliseconds, tester, ladder, &choice->trials);
    choice->arenas = ladder->budgets.arenas;
    choice->count = ladder->count;
    for (size_t i = 0; i < ladder->count; i++) {
        choice->ladder[i] = ladder->steps[i].result;
    }
    free(ladder);
    choice->milliseconds = tester->milliseconds(tester->context) - started;
    weir_report_write(choice);
    *ret_choice = choice;
    return choice->index == SIZE_MAX ? WEIR_ERROR_UNAVAILABLE : WEIR_OK;
}

weir_status_t weir_allocator_choose(const weir_choose_options_t *options, weir_choice_t **ret_choice)
{
    static const weir_tester_t tester = {real_trial, real_milliseconds, NULL};
    return weir_allocator_choose_with(weir_machine_real(), &tester, options, ret_choice);
}

/* ---- What is asked of a choice ----------------------------------------------------------------------------------- */

void weir_choice_free(weir_choice_t *own_choice)
{
    free(own_choice);
}

const weir_rung_t *weir_choice_rung(const weir_choice_t *choice)
{
    return choice->index == SIZE_MAX ? NULL : &choice->ladder[choice->index].rung;
}

const weir_facts_t *weir_choice_facts(const weir_choice_t *choice)
{
    return &choice->facts;
}

const weir_needs_t *weir_choice_needs(const weir_choice_t *choice)
{
    return &choice->needs;
}

const weir_trial_result_t *weir_choice_ladder(const weir_choice_t *choice, size_t *ret_count)
{
    *ret_count = choice->count;
    return choice->ladder;
}

size_t weir_choice_index(const weir_choice_t *choice)
{
    return choice->index;
}

double weir_choice_milliseconds(const weir_choice_t *choice)
{
    return choice->milliseconds;
}

bool weir_choice_is_reduced(const weir_choice_t *choice)
{
    if (choice->index == SIZE_MAX) {
        return true;
    }
    /* Not reduced either when what was wanted works, and something else was merely faster. */
    for (size_t i = 0; i < choice->count; i++) {
        if (weir_rung_is_full(&choice->ladder[i].rung, &choice->needs, choice->strategy) &&
            (i == choice->index || choice->ladder[i].verdict.outcome == WEIR_OUTCOME_PASSED)) {
            return false;
        }
    }
    return true;
}

const char *weir_choice_summary(const weir_choice_t *choice)
{
    return choice->summary;
}

const char *weir_choice_reason(const weir_choice_t *choice)
{
    return choice->reason;
}

const char *weir_choice_notice(const weir_choice_t *choice)
{
    return choice->notice;
}

const char *weir_choice_advice(const weir_choice_t *choice)
{
    return choice->advice;
}

weir_status_t weir_choice_configure(const weir_choice_t *choice, wasm_config_t *config)
{
    const weir_rung_t *rung = weir_choice_rung(choice);
    return rung == NULL ? WEIR_ERROR_INVALID : weir_rung_configure(rung, config);
}

void weir_choice_limit_arenas(const weir_choice_t *choice)
{
    weir_limit_arenas(choice->arenas);
}
