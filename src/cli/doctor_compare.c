/*
 * doctor_compare.c: a choice is timed against the best in turns, on as many threads as both have slots for.
 */
#include "cli/doctor_compare.h"

#include "allocator/child.h"
#include "allocator/choice.h"
#include "allocator/phrases.h"
#include "allocator/plan.h"
#include "allocator/process.h"
#include "allocator/remember.h"
#include "allocator/report.h"
#include "allocator/translate.h"
#include "allocator/trial.h"
#include "cli/status_line.h"

#include <stdlib.h>
#include <sys/resource.h>

enum { ROUNDS = 5, ROUNDS_EMULATED = 3 };

/* ---- Choosing ---------------------------------------------------------------------------------------------------- */

/* A trial, shown to who waits for it. */
static void run_trial(void *context, const weir_facts_t *facts, const weir_plan_t *plan, weir_verdict_t *ret_verdict)
{
    char rung[WEIR_PHRASE_MAX];
    (void)context;
    weir_status_show(weir_translate("trying %s"), weir_phrase_rung(&plan->rung, rung, sizeof rung));
    weir_trial_run(facts, plan, ret_verdict);
}

static void run_trial_beyond(
    void *context, const weir_facts_t *facts, const weir_plan_t *plan, weir_verdict_t *ret_verdict)
{
    weir_plan_t beyond = *plan;
    beyond.raise_limits = true;
    if (plan->rung.tier == WEIR_TIER_STANDARD) {
        run_trial(context, facts, &beyond, ret_verdict);
    } else {
        *ret_verdict = (weir_verdict_t){.outcome = WEIR_OUTCOME_SYSTEM};
    }
}

static double read_clock(void *context)
{
    (void)context;
    return weir_clock_milliseconds();
}

static bool unlimited(int resource, uint64_t *ret_value, bool *ret_unlimited)
{
    if (resource != RLIMIT_AS && resource != RLIMIT_DATA) {
        return weir_machine_real()->resource_limit(resource, ret_value, ret_unlimited);
    }
    *ret_value = 0;
    *ret_unlimited = true;
    return true;
}

/*
 * Chooses a standard pool as if there were no limits on address space and data; trials raise them. Where they may not,
 * nothing is found.
 */
static weir_status_t choose_beyond(const weir_choose_options_t *options, weir_choice_t **ret_choice)
{
    static const weir_tester_t beyond_trials = {run_trial_beyond, read_clock, NULL};
    weir_machine_t machine = *weir_machine_real();
    machine.resource_limit = unlimited;
    return weir_allocator_choose_with(&machine, &beyond_trials, options, ret_choice);
}

weir_status_t weir_doctor_choose(const weir_choose_options_t *options, weir_choice_t **ret_choice)
{
    static const weir_tester_t shown_trials = {run_trial, read_clock, NULL};
    if (weir_process_has_threads()) {
        return WEIR_ERROR_THREADS;
    }
    return weir_allocator_choose_with(weir_machine_real(), &shown_trials, options, ret_choice);
}

/* ---- Comparing --------------------------------------------------------------------------------------------------- */

/* What a choice is compared with, and the facts that its trial is planned by. */
typedef struct best {
    weir_facts_t facts;
    weir_needs_t needs;
    weir_rung_t rung;
    bool beyond; /* see weir_comparison_t */
} best_t;

/* A rung as it is, timed as the ladder's rungs are, with the one setting that it has. */
static void plan_rung(const weir_facts_t *facts, const weir_needs_t *needs, const weir_rung_t *rung, weir_plan_t *plan)
{
    weir_budgets_t budgets;
    weir_budgets_make(facts, needs, true, &budgets);
    weir_plan_make(facts, needs, &budgets, rung, WEIR_DEPTH_FULL, 0, plan);
    plan->knobs[0] = weir_rung_knobs(rung);
    plan->knob_count = 1;
}

static void plan_best(const best_t *best, weir_plan_t *plan)
{
    plan_rung(&best->facts, &best->needs, &best->rung, plan);
    plan->raise_limits = best->beyond;
}

static bool is_limited(const weir_facts_t *facts)
{
    return facts->address_space_limit.knowledge == WEIR_KNOWN || facts->data_limit.knowledge == WEIR_KNOWN;
}

/* The pool that is chosen when as many instances are wanted as there are processors. */
static bool find_pool(best_t *best)
{
    weir_choose_options_t options;
    weir_choice_t *reference = NULL;
    weir_choose_options_init(&options);
    options.strategy = WEIR_STRATEGY_POOLING;
    options.needs = best->needs;
    options.needs.concurrency = weir_facts_processors(&best->facts);
    options.cache_directory = "";
    weir_status_t status =
        best->beyond ? choose_beyond(&options, &reference) : weir_doctor_choose(&options, &reference);
    bool found = status == WEIR_OK && !weir_choice_rung(reference)->pulley;
    if (found) {
        best->facts = *weir_choice_facts(reference);
        best->needs = *weir_choice_needs(reference);
        best->rung = *weir_choice_rung(reference);
    }
    weir_choice_free(reference);
    return found;
}

/* What the choice is to be compared with. False: there is nothing. */
static bool find_best(const weir_diagnosis_t *diagnosis, best_t *ret_best)
{
    const weir_choice_t *choice = diagnosis->choice;
    const weir_trial_result_t *wanted = weir_report_wanted(choice);
    *ret_best = (best_t){.facts = *weir_choice_facts(choice), .needs = *weir_choice_needs(choice)};
    if (diagnosis->strategy == WEIR_STRATEGY_AUTO && wanted != NULL && wanted->verdict.outcome == WEIR_OUTCOME_PASSED) {
        ret_best->rung = wanted->rung;
        return true;
    }
    ret_best->beyond = is_limited(&ret_best->facts);
    if (ret_best->beyond && find_pool(ret_best)) {
        return true;
    }
    ret_best->beyond = false;
    return find_pool(ret_best);
}

/* As many threads for both, and no more instances than are in use: otherwise they would be timed at different work. */
static uint32_t share_threads(weir_plan_t *one, weir_plan_t *other)
{
    uint32_t threads = one->threads < other->threads ? one->threads : other->threads;
    one->threads = other->threads = threads;
    one->hold = other->hold = threads;
    return threads;
}

/* Keeps the lesser of what it costs and `*cost`. */
static bool time_plan(const weir_facts_t *facts, const weir_plan_t *plan, double *cost)
{
    weir_verdict_t verdict;
    weir_trial_run(facts, plan, &verdict);
    if (verdict.outcome != WEIR_OUTCOME_PASSED) {
        return false;
    }
    *cost = *cost == 0 || verdict.instance_microseconds < *cost ? verdict.instance_microseconds : *cost;
    return true;
}

static void compare_in_turns(const weir_diagnosis_t *diagnosis, const best_t *best, weir_comparison_t *comparison)
{
    const weir_choice_t *choice = diagnosis->choice;
    const weir_facts_t *facts = weir_choice_facts(choice);
    weir_plan_t plan;
    weir_plan_t best_plan;
    plan_rung(facts, weir_choice_needs(choice), weir_choice_rung(choice), &plan);
    plan_best(best, &best_plan);
    comparison->threads = share_threads(&plan, &best_plan);
    comparison->rounds = weir_fact_is(facts->emulated, 1) ? ROUNDS_EMULATED : ROUNDS;
    for (unsigned round = 0; round < comparison->rounds && comparison->measured; round++) {
        weir_status_show(weir_translate("comparing with the best, round %u of %u"), round + 1, comparison->rounds);
        comparison->measured = time_plan(facts, &plan, &comparison->choice_microseconds) &&
                               time_plan(&best->facts, &best_plan, &comparison->best_microseconds);
    }
}

void weir_doctor_compare(weir_diagnosis_t *diagnosis)
{
    const weir_rung_t *rung = weir_choice_rung(diagnosis->choice);
    best_t best;
    if (rung == NULL || !find_best(diagnosis, &best)) {
        return;
    }
    weir_comparison_t comparison = {.measured = true, .best = best.rung, .beyond = best.beyond};
    comparison.same = rung->tier == best.rung.tier && rung->slots == best.rung.slots;
    if (comparison.same) {
        const weir_decided_t *pool = &diagnosis->choice->decision.pool;
        const weir_verdict_t *verdict = &pool->ladder[weir_choice_index(diagnosis->choice)].verdict;
        comparison.choice_microseconds = comparison.best_microseconds = verdict->instance_microseconds;
        comparison.threads = verdict->threads;
    } else {
        compare_in_turns(diagnosis, &best, &comparison);
    }
    diagnosis->comparison = comparison;
}

/* ---- Remembering ------------------------------------------------------------------------------------------------- */

static void compare_remembered(const weir_rung_t *chosen, weir_remembered_t *remembered)
{
    const weir_rung_t *rung = &remembered->rung;
    weir_knobs_t knobs = weir_rung_knobs(rung);
    weir_knobs_t chosen_knobs = weir_rung_knobs(chosen);
    remembered->same_size = rung->tier == chosen->tier && rung->slots == chosen->slots &&
                            rung->slot_bytes == chosen->slot_bytes && rung->pulley == chosen->pulley;
    remembered->same = remembered->same_size && weir_knobs_are_equal(&knobs, &chosen_knobs);
}

void weir_doctor_recall(weir_diagnosis_t *diagnosis)
{
    weir_remembered_t *remembered = &diagnosis->remembered;
    const weir_rung_t *chosen = weir_choice_rung(diagnosis->choice);
    weir_decision_t *decision = malloc(sizeof *decision);
    diagnosis->memory_directory = weir_memory_directory(NULL);
    if (diagnosis->memory_directory != NULL) {
        diagnosis->memory_trouble = weir_memory_trouble(diagnosis->memory_directory);
    }
    if (decision != NULL && diagnosis->memory_directory != NULL && diagnosis->has_application &&
        weir_memory_look(diagnosis->memory_directory, diagnosis->choice->memory_key, decision, &remembered->since)) {
        remembered->found = true;
        remembered->rung = decision->pool.ladder[decision->pool.index].rung;
        if (chosen != NULL) {
            compare_remembered(chosen, remembered);
        }
    }
    free(decision);
}
