/*
 * choice_support.h: for the tests of choices: a machine of tables, in which trials come out as rules say, machines that
 * are busy, and what is decided there.
 */
#ifndef WEIR_TESTS_CHOICE_SUPPORT_H
#define WEIR_TESTS_CHOICE_SUPPORT_H

#include "allocator/choice.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

/* cmocka.h wants the others before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
/* clang-format on */

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

#define PASS WEIR_OUTCOME_PASSED
#define REFUSE WEIR_OUTCOME_REFUSED
#define STANDARD WEIR_TIER_STANDARD
#define COMPACT WEIR_TIER_COMPACT
#define ONDEMAND WEIR_TIER_ONDEMAND

/* ---- A machine of tables ----------------------------------------------------------------------------------------- */

/* How one kind of rung fares: the first rule that matches. Zero in a field matches everything. */
typedef struct rule {
    weir_tier_t tier;
    uint32_t slots_above; /* matches rungs with more slots than that */
    int keep;             /* 1: only those that keep pages, -1: only those that do not */
    int pulley;           /* 1: only interpreted ones, -1: only native ones */
    weir_outcome_t outcome;
    double cost;
    weir_limit_t limit;
} rule_t;

typedef struct world {
    const rule_t *rules;
    double now;
    double trial_takes;
    unsigned trials;
    double works;             /* that it uses of a processor; 0: that is not known */
    unsigned disturbed;       /* this trial, counted from 1, measures twice the cost */
    double least_share;       /* of the cost in the quickest round; 0: all of it */
    unsigned spoiled;         /* this one fails */
    uint64_t held_from_pools; /* address space that a trial on each tier had to go without, the most */
    uint64_t held_from_ondemand;
} world_t;

static inline const rule_t *rule_of(const world_t *world, const weir_rung_t *rung, const weir_knobs_t *knobs)
{
    bool kept = knobs->memory_keep_resident_bytes > 0;
    for (const rule_t *rule = world->rules;; rule++) {
        if ((rule->tier == 0 || rule->tier == rung->tier) && rung->slots > rule->slots_above &&
            (rule->keep == 0 || (rule->keep > 0) == kept) &&
            (rule->pulley == 0 || (rule->pulley > 0) == rung->pulley)) {
            return rule;
        }
    }
}

static inline void stand_in(
    void *context, const weir_facts_t *facts, const weir_plan_t *plan, weir_verdict_t *ret_verdict)
{
    world_t *world = context;
    (void)facts;
    uint64_t *held = plan->rung.tier == WEIR_TIER_ONDEMAND ? &world->held_from_ondemand : &world->held_from_pools;
    *held = plan->reserve_address > *held ? plan->reserve_address : *held;
    world->trials++;
    world->now += world->trial_takes;
    const rule_t *first = rule_of(world, &plan->rung, &plan->knobs[0]);
    weir_verdict_t verdict = {.outcome = first->outcome, .limit = first->limit, .processor_milliseconds = world->works};
    if (world->trials == world->spoiled) {
        verdict.outcome = WEIR_OUTCOME_REFUSED;
    }
    if (verdict.outcome == WEIR_OUTCOME_PASSED) {
        verdict.engine_milliseconds = 1;
        verdict.variant_count = plan->knob_count;
        for (uint32_t i = 0; i < plan->knob_count; i++) {
            double cost =
                rule_of(world, &plan->rung, &plan->knobs[i])->cost * (world->trials == world->disturbed ? 2 : 1);
            verdict.variants[i] = (weir_variant_t){plan->knobs[i], cost};
            if (i == 0 || cost < verdict.instance_microseconds) {
                verdict.instance_microseconds = cost;
                verdict.least_microseconds = cost * (world->least_share == 0 ? 1 : world->least_share);
                verdict.variant = i;
            }
        }
    } else {
        snprintf(verdict.message, sizeof verdict.message, "mmap of 3.9 TiB for memories was refused");
        snprintf(verdict.call, sizeof verdict.call, "mmap");
        verdict.refused_bytes = UINT64_C(0x3efd2000000);
        verdict.error_number = ENOMEM;
    }
    *ret_verdict = verdict;
}

static inline double stand_in_clock(void *context)
{
    return ((world_t *)context)->now;
}

static inline weir_fact_t known(uint64_t value)
{
    return (weir_fact_t){WEIR_KNOWN, value, "test"};
}

static inline weir_facts_t generous(void)
{
    weir_fact_t unlimited = {WEIR_UNLIMITED, 0, "test"};
    return (weir_facts_t){
        .size = sizeof(weir_facts_t),
        .processors = known(2),
        .page_size = known(4096),
        .memory_total = known(24 * GIB),
        .memory_available = known(23 * GIB),
        .overcommit_mode = known(0),
        .address_space_limit = unlimited,
        .address_space_used = known(30 * MIB),
        .data_limit = unlimited,
        .data_used = known(4 * MIB),
        .address_bits = known(47),
        .cgroup_limit = unlimited,
        .mappings_limit = known(65530),
        .mappings_used = known(60),
        .executable_memory = known(1),
        .emulated = known(0),
    };
}

static inline size_t decide_with(const weir_facts_t *facts, weir_strategy_t strategy, world_t *world,
    weir_ladder_t *ladder, weir_search_report_t *ret_report)
{
    const weir_tester_t tester = {stand_in, stand_in_clock, world};
    weir_needs_t needs = {0};
    weir_needs_complete(facts, &needs, &needs);
    weir_ladder_make(facts, &needs, strategy, ladder);
    weir_codes_t codes = {.count = 0};
    size_t index = weir_search_run(facts, &needs, 0, &tester, &codes, ladder, ret_report);
    weir_codes_free(&codes);
    assert_true(ret_report->trials <= world->trials);
    return index;
}

static inline size_t decide(const weir_facts_t *facts, weir_strategy_t strategy, world_t *world, weir_ladder_t *ladder)
{
    weir_search_report_t report;
    return decide_with(facts, strategy, world, ladder, &report);
}

/* ---- A busy machine ---------------------------------------------------------------------------------------------- */

/* A machine that gives a trial this share of a processor. */
typedef struct busy {
    double share;
    bool told; /* how much it was is known */
    double now;
    unsigned trials;
    weir_plan_t last;
} busy_t;

/* What a trial has to do, in milliseconds of a processor. */
static inline double work_of(const weir_plan_t *plan)
{
    double each = plan->rung.tier == ONDEMAND ? 0.05 : 0.1;
    return 10 + plan->hold * each + plan->threads * plan->time_milliseconds * (plan->knob_count + 1);
}

static inline void busy_trial(
    void *context, const weir_facts_t *facts, const weir_plan_t *plan, weir_verdict_t *ret_verdict)
{
    busy_t *busy = context;
    double takes = work_of(plan) / busy->share;
    bool done = takes <= plan->deadline;
    (void)facts;
    busy->trials++;
    busy->last = *plan;
    takes = done ? takes : plan->deadline;
    busy->now += takes;
    *ret_verdict = (weir_verdict_t){
        .outcome = done ? PASS : WEIR_OUTCOME_DEADLINE,
        .limit = done ? WEIR_LIMIT_NONE : WEIR_LIMIT_UNKNOWN,
        .instance_microseconds = done ? 10 : 0,
        .least_microseconds = done ? 10 : 0,
        .detail = done ? 0 : (int)plan->deadline,
        .processor_milliseconds = busy->told ? takes * busy->share : 0,
    };
}

static inline double busy_clock(void *context)
{
    return ((busy_t *)context)->now;
}

/* ---- What is chosen ---------------------------------------------------------------------------------------------- */

static const weir_facts_t *table_facts; /* what the machine of tables is */
static const char *machine_root = "/nonexistent";

static inline bool table_processors(uint64_t *ret_value)
{
    *ret_value = table_facts->processors.value;
    return true;
}

static inline bool table_page_size(uint64_t *ret_value)
{
    *ret_value = 4096;
    return true;
}

static inline bool table_limit(int resource, uint64_t *ret_bytes, bool *ret_unlimited)
{
    *ret_bytes = table_facts->address_space_limit.value;
    *ret_unlimited = resource != RLIMIT_AS || table_facts->address_space_limit.knowledge == WEIR_UNLIMITED;
    return true;
}

static inline void table_features(weir_features_t *ret_features)
{
    *ret_features = (weir_features_t){{WEIR_GRANT_UNKNOWN}};
    ret_features->grants[WEIR_FEATURE_EXECUTABLE_MEMORY] =
        table_facts->executable_memory.value == 1 ? WEIR_GRANT_YES : WEIR_GRANT_NO;
}

static inline weir_choice_t *choose_in(
    world_t *world, const weir_facts_t *facts, const weir_choose_options_t *options, weir_status_t expected)
{
    const weir_machine_t machine = {
        .root = machine_root,
        .processors = table_processors,
        .page_size = table_page_size,
        .resource_limit = table_limit,
        .try_features = table_features,
    };
    const weir_tester_t tester = {stand_in, stand_in_clock, world};
    weir_choice_t *choice = NULL;
    table_facts = facts;
    assert_int_equal(weir_allocator_choose_with(&machine, &tester, options, &choice), expected);
    assert_non_null(choice);
    return choice;
}

static inline weir_choice_t *choose_for(const weir_facts_t *facts, const weir_choose_options_t *options,
    const rule_t *rules, weir_status_t expected, unsigned *ret_trials)
{
    world_t world = {.rules = rules, .trial_takes = 20};
    weir_choice_t *choice = choose_in(&world, facts, options, expected);
    if (ret_trials != NULL) {
        *ret_trials = world.trials;
    }
    return choice;
}

static inline weir_choice_t *choose(
    const weir_facts_t *facts, weir_strategy_t strategy, const rule_t *rules, weir_status_t expected)
{
    weir_choose_options_t options;
    weir_choose_options_init(&options);
    options.strategy = strategy;
    options.cache_directory = "";
    return choose_for(facts, &options, rules, expected, NULL);
}

static inline void assert_says(const char *text, const char *words)
{
    if (strstr(text, words) == NULL) {
        fail_msg("'%s' lacks '%s'", text, words);
    }
}

static const rule_t everything_passes[] = {{0, 0, 0, 0, PASS, 10, 0}};

#endif
