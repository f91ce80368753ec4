/*
 * search.c: tries a ladder and finds the best rung.
 *
 * Within a group, whose steps differ in size alone, the first that works ends the search: a smaller pool of the same
 * kind is no faster. Between groups the measured cost decides, and where costs are equal within noise, the order. What
 * disturbs a machine makes costs larger, never smaller: so an earlier rung is given up only for one whose cost is less
 * than the quickest round of its own, and after it was timed once more.
 */
#include "allocator/search.h"

#include "allocator/module.h"
#include "allocator/trial.h"

#include <stdio.h>
#include <string.h>

/* Two costs this close are the same. */
static const double noise = 1.05;

/* Where trials take long, a cost that is more than so many times another's is taken for no accident. */
static const double doubtful = 3;

/* But two costs that are further apart are never the same, however quick the dearer one's quickest round was. */
static const double far = 1.5;

/* Two timings of one rung that differ by more than this tell of the machine's other work rather than of the rung. */
static const double unsteady = 1.3;

/* So many trials that hardly had a processor until their deadline show that the machine is too busy for them. */
static const unsigned starved_enough = 2;

/* Once something works, no trial is begun that would last beyond so many milliseconds; more where trials take long.
 * needless says so in words. */
static const double enough_milliseconds = 200;
static const double enough_milliseconds_slow = 4000;
static const double enough_milliseconds_again = 250; /* to time once more what is about to be given up */
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
    double longest;   /* trial so far, in milliseconds */
    double most;      /* of that a processor worked, or all of it where that is not known */
    unsigned trials;  /* rungs that were tried */
    unsigned starved; /* of them, those that hardly had a processor until their deadline */
    bool works;       /* something does */
    bool pool_works;  /* a pool does */
    bool steady;      /* what was timed twice took about as long each time */
    bool spoiled;     /* something worked once, and not twice */
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

/* A machine that is merely busy is not slow. */
static bool is_slow(const search_t *search)
{
    return weir_fact_is(search->facts->emulated, 1) || search->most > slow_trial_milliseconds;
}

static double elapsed(const search_t *search)
{
    return search->tester->milliseconds(search->tester->context) - search->started;
}

/* Whether so many trials more would last beyond this, in milliseconds; where trials take long, it is more. */
static bool is_late(const search_t *search, unsigned trials, double enough)
{
    double limit = is_slow(search) ? enough_milliseconds_slow : enough;
    /* Also when nothing works there is an end to it: trials that hang last until their deadline, each of them. */
    return elapsed(search) + trials * search->longest > (search->works ? limit : enough_milliseconds_failing);
}

/* Try a rung with all settings of its knobs that are worth it, or the first alone, and set the best. */
static void try_step(search_t *search, weir_depth_t depth, weir_rung_t *rung, weir_verdict_t *ret_verdict)
{
    const weir_budgets_t *budgets = &search->ladder->budgets;
    weir_knobs_t knobs[WEIR_VARIANTS_MAX];
    weir_module_shape_t shape;
    weir_plan_t plan;
    weir_module_shape_make(search->needs, &shape);
    uint32_t count =
        weir_plan_knobs(search->facts, search->needs, budgets, rung, weir_module_dirty_bytes(&shape), knobs);
    weir_rung_set_knobs(rung, &knobs[0], budgets);
    weir_plan_make(search->facts, search->needs, budgets, rung, depth, search->deadline, &plan);
    plan.knob_count = depth == WEIR_DEPTH_FULL ? count : 1;
    plan.code = weir_codes_file(search->codes, rung, search->needs);
    memcpy(plan.knobs, knobs, sizeof knobs);
    double before = elapsed(search);
    search->tester->trial(search->tester->context, search->facts, &plan, ret_verdict);
    double took = elapsed(search) - before;
    double worked = ret_verdict->processor_milliseconds;
    worked = worked > 0 && worked < took ? worked : took;
    search->longest = took > search->longest ? took : search->longest;
    search->most = worked > search->most ? worked : search->most;
    search->starved += weir_verdict_is_starved(ret_verdict) ? 1 : 0;
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
    if (!search->works && search->starved >= starved_enough) {
        return "the machine is too busy for more trials";
    }
    bool ondemand = step->result.rung.tier == WEIR_TIER_ONDEMAND;
    if (ondemand && search->pool_works && !is_slow(search)) {
        return "a pool works";
    }
    if (is_late(search, 1, enough_milliseconds)) {
        return !search->works    ? "nothing worked within 30 s"
               : is_slow(search) ? "something works, and others are tried only as far as 4 s suffice"
                                 : "something works, and others are tried only as far as 0.2 s suffice";
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
        try_step(search, WEIR_DEPTH_FULL, &step->result.rung, &step->result.verdict);
        search->trials++;
        if (outcome_of(step) == WEIR_OUTCOME_PASSED) {
            group_works = true;
            search->works = true;
            search->pool_works = search->pool_works || step->result.rung.tier != WEIR_TIER_ONDEMAND;
        }
    }
}

/* Whether a step was given up for lack of time. */
static bool lacked_time(const weir_step_t *step)
{
    weir_outcome_t outcome = outcome_of(step);
    return step->possible && !step->last_resort &&
           (outcome == WEIR_OUTCOME_DEADLINE || outcome == WEIR_OUTCOME_NOT_TRIED);
}

/* The step that is proved with the least work: on demand, or else with the fewest slots. SIZE_MAX: there is none. */
static size_t find_easiest(const search_t *search)
{
    const weir_ladder_t *ladder = search->ladder;
    size_t easiest = SIZE_MAX;
    uint64_t least = 0;
    for (size_t i = 0; i < ladder->count; i++) {
        const weir_rung_t *rung = &ladder->steps[i].result.rung;
        bool ondemand = rung->tier == WEIR_TIER_ONDEMAND;
        bool known = easiest != SIZE_MAX && ladder->steps[easiest].result.rung.tier == WEIR_TIER_ONDEMAND;
        uint64_t bytes = weir_rung_address_bytes(rung, search->needs);
        if (lacked_time(&ladder->steps[i]) &&
            (easiest == SIZE_MAX || ondemand > known || (ondemand == known && bytes < least))) {
            easiest = i;
            least = bytes;
        }
    }
    return easiest;
}

/*
 * Nothing was found to work, and for all that is known time alone was short: on a busy machine every trial passes its
 * deadline. What takes the least work gets as much time as a person may be willing to wait.
 */
static void try_easiest(search_t *search)
{
    size_t easiest = find_easiest(search);
    if (search->works || easiest == SIZE_MAX) {
        return;
    }
    weir_step_t *step = &search->ladder->steps[easiest];
    search->trials += outcome_of(step) == WEIR_OUTCOME_NOT_TRIED ? 1 : 0;
    try_step(search, WEIR_DEPTH_BRIEF, &step->result.rung, &step->result.verdict);
    search->works = outcome_of(step) == WEIR_OUTCOME_PASSED;
}

/* The earliest step whose cost is, or may be but for what disturbed it, the least within noise. */
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
        if (outcome_of(step) == WEIR_OUTCOME_PASSED && step->result.verdict.least_microseconds <= least * noise &&
            cost_of(step) <= least * far) {
            return i;
        }
    }
    return SIZE_MAX;
}

/* Time a step again; the lesser of two costs is the one that was less disturbed. */
static void try_again(search_t *search, size_t index)
{
    weir_step_t *step = &search->ladder->steps[index];
    weir_rung_t rung = step->result.rung;
    weir_verdict_t verdict;
    double before = cost_of(step);
    try_step(search, WEIR_DEPTH_FULL, &rung, &verdict);
    double after = verdict.instance_microseconds;
    bool passed = verdict.outcome == WEIR_OUTCOME_PASSED;
    search->spoiled = search->spoiled || !passed;
    search->steady = search->steady && before <= unsteady * after && after <= unsteady * before;
    /* What works once and not twice does not work. */
    if (!passed || after < before) {
        step->result.verdict = verdict;
        step->result.rung = rung;
    }
}

/*
 * Time once more what was preferred to the choice, and then the choice: somebody else's work at the wrong moment must
 * not cost a preferred rung its place. Returns whether all of it that could make a difference was.
 */
static bool compare_again(search_t *search, size_t chosen)
{
    bool all = true;
    bool again = false;
    for (size_t i = 0; i < chosen; i++) {
        const weir_step_t *step = &search->ladder->steps[i];
        if (outcome_of(step) != WEIR_OUTCOME_PASSED ||
            (is_slow(search) && cost_of(step) >= doubtful * cost_of(&search->ladder->steps[chosen]))) {
            continue;
        }
        if (is_late(search, 2, enough_milliseconds_again)) {
            all = false;
            break;
        }
        try_again(search, i);
        again = true;
    }
    if (again) {
        try_again(search, chosen);
    }
    return all;
}

static bool is_first_that_works(const weir_ladder_t *ladder, size_t index)
{
    size_t first = 0;
    while (first < ladder->count && outcome_of(&ladder->steps[first]) != WEIR_OUTCOME_PASSED) {
        first++;
    }
    return index == first;
}

size_t weir_search_run(const weir_facts_t *facts, const weir_needs_t *needs, uint32_t deadline,
    const weir_tester_t *tester, weir_codes_t *codes, weir_ladder_t *ladder, weir_search_report_t *ret_report)
{
    search_t search = {
        .facts = facts,
        .needs = needs,
        .tester = tester,
        .codes = codes,
        .ladder = ladder,
        .deadline = deadline,
        .started = tester->milliseconds(tester->context),
        .steady = true,
    };
    try_all(&search);
    try_easiest(&search);
    size_t chosen = select_step(ladder);
    bool sure = true;
    if (chosen != SIZE_MAX) {
        bool all = compare_again(&search, chosen);
        chosen = select_step(ladder);
        /* Where a trial takes seconds, to be sure would cost more than it is worth. */
        sure = !search.spoiled && (is_slow(&search) || (all && search.steady) || is_first_that_works(ladder, chosen));
    }
    *ret_report = (weir_search_report_t){.trials = search.trials, .sure = sure};
    return chosen;
}
