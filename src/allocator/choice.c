/*
 * choice.c: how a choice comes about: facts, placement, ladder, search; or what was decided before, proved again.
 */
#include "allocator/choice.h"

#include "allocator/child.h"
#include "allocator/configure.h"
#include "allocator/options.h"
#include "allocator/placement.h"
#include "allocator/process.h"
#include "allocator/remember.h"
#include "allocator/report.h"
#include "allocator/share.h"
#include "allocator/timing.h"
#include "allocator/translate.h"
#include "allocator/trial.h"
#include "allocator/trial_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a choice is made with. */
typedef struct making {
    const weir_machine_t *machine;
    const weir_tester_t *tester;
    const weir_choose_options_t *options;
    weir_choice_t *choice;
    bool later; /* what was decided before may be proved while the caller goes on */
} making_t;

static void real_trial(void *context, const weir_facts_t *facts, const weir_plan_t *plan, weir_verdict_t *ret_verdict)
{
    weir_trial_server_t *server = context;
    if (server != NULL) {
        weir_trial_server_run(server, facts, plan, ret_verdict);
    } else {
        weir_trial_run(facts, plan, ret_verdict);
    }
}

/* ---- Deciding ---------------------------------------------------------------------------------------------------- */

/* Search the ladder for some needs; stores the ladder with its verdicts. False without memory. */
static bool search(const making_t *making, const weir_needs_t *needs, weir_strategy_t strategy, weir_decided_t *decided)
{
    weir_choice_t *choice = making->choice;
    weir_ladder_t *ladder = malloc(sizeof *ladder);
    if (ladder == NULL) {
        return false;
    }
    weir_needs_complete(&choice->facts, needs, &decided->needs);
    weir_ladder_make(&choice->facts, &decided->needs, strategy, ladder);
    weir_search_report_t report;
    decided->index = weir_search_run(&choice->facts, &decided->needs, making->options->trial_milliseconds,
        making->tester, &choice->codes, ladder, &report);
    decided->trials = report.trials;
    decided->sure = report.sure;
    decided->arenas = ladder->budgets.arenas;
    decided->count = ladder->count;
    for (size_t i = 0; i < ladder->count; i++) {
        decided->ladder[i] = ladder->steps[i].result;
    }
    free(ladder);
    return true;
}

/* Trials of what is to be there beside a pool. */
typedef struct beside {
    const weir_tester_t *tester;
    const weir_decided_t *pool;
} beside_t;

static void trial_beside(void *context, const weir_facts_t *facts, const weir_plan_t *plan, weir_verdict_t *ret_verdict)
{
    const beside_t *beside = context;
    const weir_decided_t *pool = beside->pool;
    weir_plan_t copy = *plan;
    weir_share_hold(facts, &pool->ladder[pool->index].rung, &pool->needs, &copy);
    beside->tester->trial(beside->tester->context, facts, &copy, ret_verdict);
}

static double milliseconds_beside(void *context)
{
    const beside_t *beside = context;
    return beside->tester->milliseconds(beside->tester->context);
}

static bool search_rest(const making_t *making, const weir_needs_t *needs)
{
    weir_decision_t *decision = &making->choice->decision;
    beside_t beside = {making->tester, &decision->pool};
    const weir_tester_t tester = {trial_beside, milliseconds_beside, &beside};
    const making_t making_rest = {making->machine, &tester, making->options, making->choice, false};
    return search(&making_rest, needs, WEIR_STRATEGY_ONDEMAND, &decision->rest);
}

static bool decide_placed(const making_t *making, const weir_placement_t *placement)
{
    weir_choice_t *choice = making->choice;
    weir_decision_t *decision = &choice->decision;
    memset(decision, 0, sizeof *decision);
    decision->strategy = making->options->strategy;
    decision->apart_count = placement->apart_count;
    memcpy(decision->apart, placement->apart, sizeof decision->apart);
    if (placement->apart_count > 0) {
        decision->rest.needs = placement->rest;
        decision->rest.index = SIZE_MAX;
    }
    const weir_facts_t facts = choice->facts;
    weir_share_facts(&facts, decision, &decision->pool, &choice->facts);
    bool good = search(making, &placement->pool, decision->strategy, &decision->pool);
    if (good && placement->apart_count > 0 && decision->pool.index != SIZE_MAX) {
        weir_share_facts(&facts, decision, &decision->rest, &choice->facts);
        good = search_rest(making, &placement->rest);
    }
    choice->facts = facts;
    return good;
}

static bool works(const weir_decision_t *decision)
{
    return decision->pool.index != SIZE_MAX && (decision->apart_count == 0 || decision->rest.index != SIZE_MAX);
}

static bool decide(const making_t *making)
{
    weir_choice_t *choice = making->choice;
    weir_placement_t *placement = malloc(sizeof *placement);
    if (placement == NULL) {
        return false;
    }
    weir_facts_read_executable(making->machine, &choice->facts);
    weir_placement_make(&choice->facts, making->options, placement);
    bool good = decide_placed(making, placement);
    if (good && placement->apart_count > 0 && !works(&choice->decision)) {
        /* There is not room for both: without a pool, instances of all of them can take turns. */
        weir_placement_join(making->options, placement);
        good = decide_placed(making, placement);
    }
    free(placement);
    return good;
}

/* ---- Remembering ------------------------------------------------------------------------------------------------- */

/* A quarter more, and one at the least: less of a difference is not worth another decision. */
static uint32_t quarter_more(uint32_t slots)
{
    return slots > UINT32_MAX / 2 ? slots : slots + (slots < 4 ? 1 : slots / 4);
}

static bool is_concurrency_stated(const weir_choose_options_t *options)
{
    bool stated = options->needs.concurrency != 0;
    for (size_t i = 0; i < options->guest_count; i++) {
        stated = stated || options->guests[i].concurrency != 0;
    }
    return stated;
}

/* Whether there is clearly more now, by these facts, than when this was decided: for more instances than were thought
 * of, or for a rung that arithmetic ruled out. */
static bool is_outgrown(const making_t *making, const weir_facts_t *facts, const weir_decided_t *decided)
{
    weir_needs_t needs = decided->needs;
    weir_budgets_t budgets;
    if (!is_concurrency_stated(making->options)) {
        needs.concurrency = 0;
        weir_needs_complete(facts, &needs, &needs);
        if (needs.concurrency >= quarter_more(decided->needs.concurrency)) {
            return true;
        }
    }
    weir_budgets_make(facts, &decided->needs, making->options->strategy == WEIR_STRATEGY_POOLING, &budgets);
    for (size_t i = 0; i < decided->count; i++) {
        const weir_verdict_t *verdict = &decided->ladder[i].verdict;
        weir_rung_t rung = decided->ladder[i].rung;
        uint64_t asked;
        const char *what;
        rung.slots = quarter_more(rung.slots);
        if (verdict->outcome == WEIR_OUTCOME_NOT_TRIED && verdict->limit != WEIR_LIMIT_NONE &&
            weir_rung_overdraws(&rung, &decided->needs, weir_facts_page_size(facts), &budgets, &asked, &what) == NULL) {
            return true;
        }
    }
    return false;
}

/* What was decided while others had the memory must not last longer than that. */
static bool there_is_more_now(const making_t *making)
{
    const weir_decision_t *decision = &making->choice->decision;
    const weir_facts_t *machine = &making->choice->facts;
    weir_facts_t facts;
    weir_share_facts(machine, decision, &decision->pool, &facts);
    if (is_outgrown(making, &facts, &decision->pool)) {
        return true;
    }
    weir_share_facts(machine, decision, &decision->rest, &facts);
    return decision->apart_count > 0 && is_outgrown(making, &facts, &decision->rest);
}

/* How much memory is left differs from start to start, and what instances need of it is an estimate. */
static uint64_t eighth_more(uint64_t bytes)
{
    return weir_add(bytes, bytes / 8);
}

/* See whether a rung that was decided on before still works. */
static bool prove_again(const making_t *making, weir_decided_t *decided)
{
    weir_choice_t *choice = making->choice;
    const weir_rung_t *rung = &decided->ladder[decided->index].rung;
    weir_budgets_t budgets;
    weir_verdict_t verdict;
    weir_plan_t plan;
    uint64_t asked;
    const char *what;
    weir_budgets_make(&choice->facts, &decided->needs, true, &budgets);
    const weir_budget_t *overdrawn =
        weir_rung_overdraws(rung, &decided->needs, weir_facts_page_size(&choice->facts), &budgets, &asked, &what);
    /* There is less than there was; the last resort is tried against arithmetic, as long as there is anything. */
    bool little = overdrawn == &budgets.resident && asked <= eighth_more(overdrawn->bytes);
    if (overdrawn != NULL && !little && (rung->slots > 1 || overdrawn->bytes == 0)) {
        return false;
    }
    weir_plan_make(
        &choice->facts, &decided->needs, &budgets, rung, WEIR_DEPTH_QUICK, making->options->trial_milliseconds, &plan);
    plan.code = weir_codes_file(&choice->codes, rung, &decided->needs);
    const weir_decided_t *pool = &choice->decision.pool;
    if (decided != pool) {
        weir_share_hold(&choice->facts, &pool->ladder[pool->index].rung, &pool->needs, &plan);
    }
    bool alone = choice->decision.apart_count == 0 && choice->server == NULL;
    if (making->later && alone && !weir_fact_is(choice->facts.emulated, 1) &&
        weir_plan_is_roomy(&choice->facts, &decided->needs, &budgets, rung)) {
        choice->proof = weir_trial_begin(&plan);
    }
    if (choice->proof != NULL) {
        return true;
    }
    making->tester->trial(making->tester->context, &choice->facts, &plan, &verdict);
    return verdict.outcome == WEIR_OUTCOME_PASSED;
}

static bool remember(const making_t *making)
{
    weir_choice_t *choice = making->choice;
    void *code = NULL;
    size_t size = 0;
    if (choice->memory_directory == NULL ||
        !weir_memory_load(choice->memory_directory, choice->memory_key, &choice->decision, &code, &size)) {
        return false;
    }
    if (there_is_more_now(making)) {
        free(code);
        return false;
    }
    weir_decided_t *pool = &choice->decision.pool;
    const weir_rung_t *rung = &pool->ladder[pool->index].rung;
    if (code != NULL) {
        weir_codes_write(&choice->codes, rung, &pool->needs, code, size);
    }
    free(code);
    if (rung->pulley) {
        /* It would work, but no better than need be, where native code may run by now. */
        weir_facts_read_executable(making->machine, &choice->facts);
        if (!weir_fact_is(choice->facts.executable_memory, 0)) {
            return false;
        }
    } else {
        /* It runs native code, so that need not be tried by itself. */
        choice->facts.executable_memory.knowledge = WEIR_KNOWN;
        choice->facts.executable_memory.value = 1;
    }
    choice->remembered =
        prove_again(making, pool) && (choice->decision.apart_count == 0 || prove_again(making, &choice->decision.rest));
    return choice->remembered;
}

/*
 * Whether a failure will be there the next time, too: it is the module's contents, or a limit that is part of the key.
 * Any other may have passed by then, and must not cost this machine its better choice for good.
 */
static bool is_lasting(const weir_verdict_t *verdict)
{
    switch (verdict->outcome) {
    case WEIR_OUTCOME_NOT_TRIED:
    case WEIR_OUTCOME_PASSED:
    case WEIR_OUTCOME_CONTENTS:
        return true;
    case WEIR_OUTCOME_REFUSED:
        return verdict->limit == WEIR_LIMIT_ADDRESS_SPACE || verdict->limit == WEIR_LIMIT_DATA ||
               verdict->limit == WEIR_LIMIT_MAPPINGS || verdict->limit == WEIR_LIMIT_EXECUTABLE;
    case WEIR_OUTCOME_DEADLINE:
    case WEIR_OUTCOME_SIGNAL:
    case WEIR_OUTCOME_EXIT:
    case WEIR_OUTCOME_REPORT:
    case WEIR_OUTCOME_SYSTEM:
        break;
    }
    return false;
}

static bool all_lasts(const weir_decided_t *decided)
{
    for (size_t i = 0; i < decided->count; i++) {
        if (!is_lasting(&decided->ladder[i].verdict)) {
            return false;
        }
    }
    return true;
}

void weir_choice_keep(weir_choice_t *choice)
{
    void *code = NULL;
    size_t size = 0;
    const weir_decided_t *pool = &choice->decision.pool;
    if (choice->memory_directory == NULL || !works(&choice->decision)) {
        return;
    }
    if (!all_lasts(pool) || !all_lasts(&choice->decision.rest)) {
        snprintf(choice->memory_note, sizeof choice->memory_note, "%s",
            WEIR_TRANSLATABLE("a trial failed for a reason that may have passed at the next start"));
        return;
    }
    if (!pool->sure || (choice->decision.apart_count > 0 && !choice->decision.rest.sure)) {
        snprintf(choice->memory_note, sizeof choice->memory_note, "%s",
            WEIR_TRANSLATABLE("the machine was too busy for timings that agree with each other"));
        return;
    }
    weir_codes_read(&choice->codes, &pool->ladder[pool->index].rung, &pool->needs, &code, &size);
    const char *trouble = weir_memory_save(choice->memory_directory, choice->memory_key, &choice->decision, code, size);
    snprintf(choice->memory_note, sizeof choice->memory_note, "%s", trouble == NULL ? "" : trouble);
    free(code);
}

/* ---- The whole --------------------------------------------------------------------------------------------------- */

weir_status_t weir_allocator_choose_with(const weir_machine_t *machine, const weir_tester_t *tester,
    const weir_choose_options_t *options, weir_choice_t **ret_choice)
{
    weir_choose_options_t complete;
    weir_status_t status = weir_choose_options_read(options, &complete);
    if (status != WEIR_OK) {
        return status;
    }
    options = &complete;
    weir_choice_t *choice = calloc(1, sizeof *choice);
    if (choice == NULL) {
        return WEIR_ERROR_MEMORY;
    }
    const making_t making = {
        machine, tester, options, choice, options->prove_later != 0 && tester->trial == real_trial};
    double started = tester->milliseconds(tester->context);
    choice->server = options->server;
    choice->stated = is_concurrency_stated(options);
    weir_facts_read(machine, &choice->facts, NULL);
    choice->memory_directory = weir_memory_directory(options->cache_directory);
    choice->memory_key = weir_memory_key(&choice->facts, options);
    if (options->decide_anew != 0 && choice->memory_directory != NULL) {
        choice->forgotten = weir_memory_forget(choice->memory_directory, choice->memory_key);
    }
    if (options->decide_anew != 0 || !remember(&making)) {
        if (!decide(&making)) {
            weir_choice_free(choice);
            return WEIR_ERROR_MEMORY;
        }
        weir_choice_keep(choice);
    }
    choice->milliseconds = tester->milliseconds(tester->context) - started;
    weir_report_write(choice);
    *ret_choice = choice;
    return works(&choice->decision) ? WEIR_OK : WEIR_ERROR_UNAVAILABLE;
}

static double real_milliseconds(void *context)
{
    (void)context;
    return weir_clock_milliseconds();
}

weir_status_t weir_allocator_choose(const weir_choose_options_t *options, weir_choice_t **ret_choice)
{
    weir_choose_options_t complete;
    weir_status_t status = ret_choice == NULL ? WEIR_ERROR_INVALID : weir_choose_options_read(options, &complete);
    if (status != WEIR_OK) {
        return status;
    }
    weir_trial_server_t *server = complete.server;
    const weir_tester_t tester = {real_trial, real_milliseconds, server};
    if (server == NULL && weir_process_has_threads()) {
        return WEIR_ERROR_THREADS;
    }
    return weir_allocator_choose_with(weir_machine_real(), &tester, &complete, ret_choice);
}

/* ---- What is asked of a choice ----------------------------------------------------------------------------------- */

bool weir_choice_await(weir_choice_t *choice)
{
    weir_verdict_t verdict;
    if (choice->proof == NULL) {
        return !choice->proof_failed && works(&choice->decision);
    }
    double began = weir_clock_milliseconds();
    weir_trial_end(choice->proof, &choice->facts, &verdict);
    choice->proof = NULL;
    choice->milliseconds += weir_clock_milliseconds() - began;
    weir_report_write(choice);
    choice->proof_failed = verdict.outcome != WEIR_OUTCOME_PASSED;
    return !choice->proof_failed;
}

void weir_choice_free(weir_choice_t *own_choice)
{
    if (own_choice != NULL) {
        if (own_choice->proof != NULL) {
            weir_choice_await(own_choice);
        }
        weir_codes_free(&own_choice->codes);
        free(own_choice->memory_directory);
        free(own_choice);
    }
}

const weir_rung_t *weir_choice_rung(const weir_choice_t *choice)
{
    const weir_decided_t *pool = &choice->decision.pool;
    return works(&choice->decision) ? &pool->ladder[pool->index].rung : NULL;
}

const weir_facts_t *weir_choice_facts(const weir_choice_t *choice)
{
    return &choice->facts;
}

const weir_needs_t *weir_choice_needs(const weir_choice_t *choice)
{
    return &choice->decision.pool.needs;
}

const weir_trial_result_t *weir_choice_ladder(const weir_choice_t *choice, size_t *ret_count)
{
    *ret_count = choice->decision.pool.count;
    return choice->decision.pool.ladder;
}

size_t weir_choice_index(const weir_choice_t *choice)
{
    return works(&choice->decision) ? choice->decision.pool.index : SIZE_MAX;
}

double weir_choice_milliseconds(const weir_choice_t *choice)
{
    return choice->milliseconds;
}

bool weir_choice_is_remembered(const weir_choice_t *choice)
{
    return choice->remembered;
}

bool weir_choice_is_reduced(const weir_choice_t *choice)
{
    const weir_decided_t *pool = &choice->decision.pool;
    if (!works(&choice->decision)) {
        return true;
    }
    /* Not reduced either when what was wanted works, and something else was merely faster. */
    for (size_t i = 0; i < pool->count; i++) {
        if (weir_rung_is_full(&pool->ladder[i].rung, &pool->needs, choice->decision.strategy) &&
            (i == pool->index || pool->ladder[i].verdict.outcome == WEIR_OUTCOME_PASSED)) {
            return weir_report_is_lessened(choice);
        }
    }
    return true;
}

bool weir_choice_is_apart(const weir_choice_t *choice, size_t guest)
{
    return guest < WEIR_GUESTS_MAX && choice->decision.apart[guest];
}

const weir_rung_t *weir_choice_rung_apart(const weir_choice_t *choice)
{
    const weir_decided_t *rest = &choice->decision.rest;
    return choice->decision.apart_count > 0 && works(&choice->decision) ? &rest->ladder[rest->index].rung : NULL;
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

static weir_status_t configure(const weir_rung_t *rung, wasm_config_t *config)
{
    return rung == NULL ? WEIR_ERROR_INVALID : weir_rung_configure(rung, config);
}

weir_status_t weir_choice_configure(const weir_choice_t *choice, wasm_config_t *config)
{
    return configure(weir_choice_rung(choice), config);
}

weir_status_t weir_choice_configure_apart(const weir_choice_t *choice, wasm_config_t *config)
{
    return configure(weir_choice_rung_apart(choice), config);
}

void weir_choice_prepare_process(const weir_choice_t *choice)
{
    const weir_rung_t *rung = weir_choice_rung(choice);
    weir_limit_arenas(choice->decision.pool.arenas);
    weir_huge_pages_set(rung != NULL && rung->huge_pages_off);
}
