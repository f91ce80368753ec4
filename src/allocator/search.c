/*
 * search.c: tries a ladder and finds the best rung.
 *
 * Within a group, whose steps differ in size alone, the first that works ends the search: a smaller pool of the same
 * kind is no faster. Between groups the measured cost decides, and where costs are equal within noise, the order.
 */
#include "allocator/search.h"

#include "allocator/module.h"

#include <stdio.h>
#include <string.h>

/* Two costs this close are the same. */
static const double noise = 1.05;

/* A cost that is more than so many times another's is no accident. */
static const double doubtful = 3;

/* Once something works, no trial is begun that would last beyond so many milliseconds; more where trials take long. */
static const double enough_milliseconds = 200;
static const double enough_milliseconds_slow = 4000;
static const double enough_milliseconds_failing = 30000;
static const double slow_trial_milliseconds = 400;

typedef struct search {
    const weir_facts_t *facts;
    const weir_needs_t *needs;
    const weir_tester_t *tester;
    weir_codes_t *codes;
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
    /* Also when nothing works there is an end to it: trials that hang last until their deadline, each of them. */
    return elapsed(search) + trials * search->longest > (search->works ? enough : enough_milliseconds_failing);
}

/* Try a rung with all settings of its knobs that are worth it, and set the best. */
static void try_step(search_t *search, weir_rung_t *rung, weir_verdict_t *ret_verdict)
{
    const weir_budgets_t *budgets = &search->ladder->budgets;
    weir_knobs_t knobs[WEIR_VARIANTS_MAX];
    weir_module_shape_t shape;
    weir_plan_t plan;
    weir_module_shape_make(search->needs, &shape);
    uint32_t count =
        weir_plan_knobs(search->facts, search->needs, budgets, rung, weir_module_dirty_bytes(&shape), knobs);
    weir_rung_set_knobs(rung, &knobs[0], budgets);
    weir_plan_make(search->facts, search->needs, budgets, rung, WEIR_DEPTH_FULL, search->deadline, &plan);
    plan.knob_count = count;
    plan.code = weir_codes_file(search->codes, rung, search->needs);
    memcpy(plan.knobs, knobs, sizeof knobs);
    double before = elapsed(search);
    search->tester->trial(search->tester->context, search->facts, &plan, ret_verdict);
    double took = elapsed(search) - before;
    search->longest = took > search->longest ? took : search->longest;
    if (ret_verdict->outcome == WEIR_OUTCOME_PASSED && ret_verdict->variant < ret_verdict->variant_count) {
        weir_rung_set_knobs(rung, &ret_verdict->variants[ret_verdict->variant].knobs, budgets);
    }
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
    bool ondemand = step->result.rung.tier == WEIR_TIER_ONDEMAND;
    if (ondemand && search->pool_works && !is_slow(search)) {
        return "a pool works";
    }
    if (time_is_up(search, 1)) {
        return search->works ? "the time for deciding is used up, and something works"
                             : "the time for deciding is used up";
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
    weir_rung_t rung = step->result.rung;
    weir_verdict_t verdict;
    try_step(search, &rung, &verdict);
    /* What works once and not twice does not work. */
    if (verdict.outcome != WEIR_OUTCOME_PASSED || verdict.instance_microseconds < cost_of(step)) {
        step->result.verdict = verdict;
        step->result.rung = rung;
    }
}

size_t weir_search_run(const weir_facts_t *facts, const weir_needs_t *needs, uint32_t deadline,
    const weir_tester_t *tester, weir_codes_t *codes, weir_ladder_t *ladder, unsigned *ret_trials)
{
    search_t search = {
        .facts = facts,
        .needs = needs,
        .tester = tester,
        .codes = codes,
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
