/*
 * test_choice.c: which rung is taken for which verdicts, how many trials that takes, and what is said of it. The trials
 * are a table here; one test at the end lets this machine decide.
 */
#include "allocator/choice.h"
#include "allocator/options.h"
#include "allocator/phrases.h"
#include "allocator/remedy.h"
#include "allocator/report.h"
#include "allocator/text.h"
#include "allocator/trial.h"
#include "weir_bridge.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* cmocka.h wants the others before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
/* clang-format on */

#include "temporary.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

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

static const rule_t *rule_of(const world_t *world, const weir_rung_t *rung, const weir_knobs_t *knobs)
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

static void stand_in(void *context, const weir_facts_t *facts, const weir_plan_t *plan, weir_verdict_t *ret_verdict)
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

static double stand_in_clock(void *context)
{
    return ((world_t *)context)->now;
}

static weir_fact_t known(uint64_t value)
{
    return (weir_fact_t){WEIR_KNOWN, value, "test"};
}

static weir_facts_t generous(void)
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

static size_t decide_with(const weir_facts_t *facts, weir_strategy_t strategy, world_t *world, weir_ladder_t *ladder,
    weir_search_report_t *ret_report)
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

static size_t decide(const weir_facts_t *facts, weir_strategy_t strategy, world_t *world, weir_ladder_t *ladder)
{
    weir_search_report_t report;
    return decide_with(facts, strategy, world, ladder, &report);
}

/* ---- The decision ------------------------------------------------------------------------------------------------ */

#define PASS WEIR_OUTCOME_PASSED
#define REFUSE WEIR_OUTCOME_REFUSED
#define STANDARD WEIR_TIER_STANDARD
#define COMPACT WEIR_TIER_COMPACT
#define ONDEMAND WEIR_TIER_ONDEMAND

typedef struct decision_case {
    const char *name;
    rule_t rules[8];
    double trial_takes; /* milliseconds */
    bool emulated;
    weir_strategy_t strategy;
    weir_tier_t tier; /* 0: nothing works */
    uint32_t slots;   /* 0: any */
    int keep;         /* as in a rule */
    unsigned trials;  /* at most */
} decision_case_t;

static const decision_case_t decision_cases[] = {
    {"equal costs: the first of all", {{0, 0, 0, 0, PASS, 10, 0}}, 20, false, WEIR_STRATEGY_AUTO, STANDARD, 1000, 1, 4},
    {"within noise: the first of all", {{STANDARD, 0, 0, 0, PASS, 10.4, 0}, {0, 0, 0, 0, PASS, 10, 0}}, 20, false,
        WEIR_STRATEGY_AUTO, STANDARD, 1000, 1, 4},
    {"beyond noise: the cheapest", {{STANDARD, 0, 0, 0, PASS, 20, 0}, {0, 0, 0, 0, PASS, 10, 0}}, 20, false,
        WEIR_STRATEGY_AUTO, COMPACT, 1000, 1, 8},
    {"nothing kept is cheaper", {{0, 0, -1, 0, PASS, 10, 0}, {0, 0, 0, 0, PASS, 40, 0}}, 20, false, WEIR_STRATEGY_AUTO,
        STANDARD, 1000, -1, 4},
    {"fewer slots when more are refused",
        {{STANDARD, 300, 0, 0, REFUSE, 0, WEIR_LIMIT_UNKNOWN}, {0, 0, 0, 0, PASS, 10, 0}}, 20, false,
        WEIR_STRATEGY_AUTO, STANDARD, 250, 1, 6},
    {"compact when standard is refused",
        {{STANDARD, 0, 0, 0, REFUSE, 0, WEIR_LIMIT_UNKNOWN}, {0, 0, 0, 0, PASS, 10, 0}}, 20, false, WEIR_STRATEGY_AUTO,
        COMPACT, 1000, 1, 6},
    {"on demand when no pool works", {{ONDEMAND, 0, 0, 0, PASS, 50, 0}, {0, 0, 0, 0, REFUSE, 0, WEIR_LIMIT_UNKNOWN}},
        20, false, WEIR_STRATEGY_AUTO, ONDEMAND, 1000, 0, 11},
    {"wrong contents are no reason to take a rung",
        {{STANDARD, 0, 0, 0, WEIR_OUTCOME_CONTENTS, 0, WEIR_LIMIT_UNKNOWN},
            {COMPACT, 0, 0, 0, WEIR_OUTCOME_CONTENTS, 0, WEIR_LIMIT_UNKNOWN}, {0, 0, 0, 0, PASS, 50, 0}},
        5, false, WEIR_STRATEGY_AUTO, ONDEMAND, 1000, 0, 18},
    {"interpreted when native code does not run",
        {{0, 0, 0, 1, PASS, 90, 0}, {0, 0, 0, 0, WEIR_OUTCOME_SIGNAL, 0, WEIR_LIMIT_UNKNOWN}}, 20, false,
        WEIR_STRATEGY_AUTO, ONDEMAND, 1000, 0, 20},
    {"nothing works", {{0, 0, 0, 0, WEIR_OUTCOME_DEADLINE, 0, WEIR_LIMIT_UNKNOWN}}, 20, false, WEIR_STRATEGY_AUTO, 0, 0,
        0, 24},
    {"a slow machine is given time: nothing kept is found cheapest",
        {{0, 0, -1, 0, PASS, 421, 0}, {0, 0, 0, 0, PASS, 1616, 0}}, 600, false, WEIR_STRATEGY_AUTO, STANDARD, 1000, -1,
        8},
    {"emulated: a compact pool that keeps nothing",
        {{COMPACT, 0, -1, 0, PASS, 94, 0}, {COMPACT, 0, 1, 0, PASS, 1230, 0}, {ONDEMAND, 0, 0, 0, PASS, 198, 0}}, 300,
        true, WEIR_STRATEGY_AUTO, COMPACT, 64, -1, 5},
    {"emulated: on demand is taken when it is cheaper",
        {{COMPACT, 0, 0, 0, PASS, 500, 0}, {ONDEMAND, 0, 0, 0, PASS, 198, 0}}, 300, true, WEIR_STRATEGY_AUTO, ONDEMAND,
        0, 0, 10},
    {"compact was asked for", {{0, 0, 0, 0, PASS, 10, 0}}, 20, false, WEIR_STRATEGY_COMPACT, COMPACT, 1000, 1, 2},
    {"pooling was asked for, and cannot be had",
        {{STANDARD, 0, 0, 0, REFUSE, 0, WEIR_LIMIT_UNKNOWN}, {0, 0, 0, 0, PASS, 10, 0}}, 20, false,
        WEIR_STRATEGY_POOLING, 0, 0, 0, 12},
};

static void the_best_that_works_is_taken_and_no_trial_is_wasted(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof decision_cases / sizeof decision_cases[0]; i++) {
        const decision_case_t *test = &decision_cases[i];
        weir_facts_t facts = generous();
        world_t world = {.rules = test->rules, .trial_takes = test->trial_takes};
        weir_ladder_t ladder;
        facts.emulated = known(test->emulated ? 1 : 0);
        size_t index = decide(&facts, test->strategy, &world, &ladder);
        if ((index == SIZE_MAX) != (test->tier == 0)) {
            fail_msg("%s: index %zu", test->name, index);
        }
        if (index != SIZE_MAX) {
            const weir_rung_t *rung = &ladder.steps[index].result.rung;
            bool kept = rung->memory_keep_resident_bytes > 0;
            char text[128];
            if (rung->tier != test->tier || (test->slots != 0 && rung->slots != test->slots) ||
                (test->keep != 0 && (test->keep > 0) != kept)) {
                fail_msg("%s: %s", test->name, weir_rung_text(rung, text, sizeof text));
            }
            assert_int_equal(ladder.steps[index].result.verdict.outcome, PASS);
        }
        if (world.trials > test->trials) {
            fail_msg("%s: %u trials", test->name, world.trials);
        }
    }
}

static void assert_steps_say_why(const rule_t *rules, double trial_takes)
{
    weir_facts_t facts = generous();
    world_t world = {.rules = rules, .trial_takes = trial_takes};
    weir_ladder_t ladder;
    decide(&facts, WEIR_STRATEGY_AUTO, &world, &ladder);
    for (size_t i = 0; i < ladder.count; i++) {
        const weir_verdict_t *verdict = &ladder.steps[i].result.verdict;
        if (verdict->outcome == WEIR_OUTCOME_NOT_TRIED) {
            assert_int_equal(strncmp(verdict->message, "not tried: ", 11), 0);
            /* In other languages too. */
            assert_true(weir_language_set("zh_CN"));
            const char *words = weir_phrase_untried(verdict);
            if (verdict->limit == WEIR_LIMIT_NONE && strstr(verdict->message, words) != NULL) {
                fail_msg("'%s' is not in phrases.c", words);
            }
            assert_true(weir_language_set("en"));
        }
    }
}

static void every_step_says_why_it_was_not_tried(void **state)
{
    const rule_t works[] = {{0, 0, 0, 0, PASS, 10, 0}};
    const rule_t hangs[] = {{0, 0, 0, 0, WEIR_OUTCOME_DEADLINE, 0, WEIR_LIMIT_UNKNOWN}};
    (void)state;
    assert_steps_say_why(works, 20);
    assert_steps_say_why(works, 2000);
    assert_steps_say_why(hangs, 6000);
}

static void one_disturbed_trial_does_not_cost_the_preferred_rung_its_place(void **state)
{
    const rule_t rules[] = {{0, 0, 0, 0, PASS, 10, 0}};
    weir_facts_t facts = generous();
    (void)state;
    for (unsigned disturbed = 0; disturbed < 4; disturbed++) {
        world_t world = {.rules = rules, .trial_takes = 10, .disturbed = disturbed};
        weir_ladder_t ladder;
        size_t index = decide(&facts, WEIR_STRATEGY_AUTO, &world, &ladder);
        assert_int_equal(index, 0);
        assert_true(ladder.steps[0].result.verdict.instance_microseconds == 10);
    }
}

static void a_preferred_rung_is_not_given_up_for_what_may_be_a_disturbance(void **state)
{
    static const struct {
        const char *name;
        double standard; /* microseconds; a compact pool takes 10 */
        double least_share;
        double trial_takes;
        unsigned disturbed;
        weir_tier_t tier;
        bool sure;
    } cases[] = {
        {"its quickest round was as fast", 15, 0.65, 20, 0, STANDARD, true},
        {"its quickest round was slower, too", 20, 0.9, 20, 0, COMPACT, true},
        {"its quickest round was as fast, and all others far from it", 16, 0.6, 20, 0, COMPACT, true},
        {"it was disturbed, and not the second time", 10, 1, 30, 1, STANDARD, true},
        {"both times disagree, and the lesser is larger still", 20, 1, 20, 1, COMPACT, false},
        {"the other was disturbed, and is not missed", 20, 1, 20, 2, STANDARD, true},
        {"there is no time to try it again", 10, 1, 99, 1, COMPACT, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const rule_t rules[] = {{STANDARD, 0, 0, 0, PASS, cases[i].standard, 0}, {0, 0, 0, 0, PASS, 10, 0}};
        world_t world = {.rules = rules,
            .trial_takes = cases[i].trial_takes,
            .disturbed = cases[i].disturbed,
            .least_share = cases[i].least_share};
        weir_facts_t facts = generous();
        weir_ladder_t ladder;
        weir_search_report_t report;
        size_t index = decide_with(&facts, WEIR_STRATEGY_AUTO, &world, &ladder, &report);
        assert_int_not_equal(index, SIZE_MAX);
        if (ladder.steps[index].result.rung.tier != cases[i].tier || report.sure != cases[i].sure) {
            fail_msg("%s: tier %d, sure %d", cases[i].name, (int)ladder.steps[index].result.rung.tier, report.sure);
        }
        assert_true(world.now <= 250);
    }
}

static void a_busy_machine_is_not_taken_for_a_slow_one(void **state)
{
    const rule_t rules[] = {{0, 0, 0, 0, PASS, 10, 0}};
    (void)state;
    for (int busy = 0; busy < 2; busy++) {
        world_t world = {.rules = rules, .trial_takes = 500, .works = busy ? 40 : 0};
        weir_facts_t facts = generous();
        weir_ladder_t ladder;
        assert_int_equal(decide(&facts, WEIR_STRATEGY_AUTO, &world, &ladder), 0);
        assert_int_equal(world.trials > 1, !busy);
    }
}

static void what_works_once_and_not_twice_is_not_taken(void **state)
{
    const rule_t rules[] = {{STANDARD, 0, 0, 0, PASS, 20, 0}, {0, 0, 0, 0, PASS, 10, 0}};
    weir_facts_t facts = generous();
    world_t world = {.rules = rules, .trial_takes = 10};
    weir_ladder_t ladder;
    weir_search_report_t report;
    (void)state;
    size_t index = decide(&facts, WEIR_STRATEGY_AUTO, &world, &ladder);
    weir_rung_t before = ladder.steps[index].result.rung;
    unsigned last = world.trials;
    world = (world_t){.rules = rules, .trial_takes = 10, .spoiled = last};
    index = decide_with(&facts, WEIR_STRATEGY_AUTO, &world, &ladder, &report);
    assert_int_not_equal(index, SIZE_MAX);
    const weir_rung_t *after = &ladder.steps[index].result.rung;
    assert_int_not_equal(after->tier, before.tier);
    assert_false(report.sure);
}

static void deciding_ends_when_enough_time_is_spent(void **state)
{
    const rule_t rules[] = {{0, 0, 0, 0, PASS, 10, 0}};
    static const struct {
        double trial_takes;
        bool emulated;
        double most;
    } cases[] = {{10, false, 200}, {60, false, 260}, {140, false, 280}, {400, true, 4000}, {2000, true, 4000},
        {2000, false, 4000}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        weir_facts_t facts = generous();
        world_t world = {.rules = rules, .trial_takes = cases[i].trial_takes};
        weir_ladder_t ladder;
        facts.emulated = known(cases[i].emulated ? 1 : 0);
        assert_int_not_equal(decide(&facts, WEIR_STRATEGY_AUTO, &world, &ladder), SIZE_MAX);
        assert_true(world.now <= cases[i].most);
    }
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
static double work_of(const weir_plan_t *plan)
{
    double each = plan->rung.tier == ONDEMAND ? 0.05 : 0.1;
    return 10 + plan->hold * each + plan->threads * plan->time_milliseconds * (plan->knob_count + 1);
}

static void busy_trial(void *context, const weir_facts_t *facts, const weir_plan_t *plan, weir_verdict_t *ret_verdict)
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

static double busy_clock(void *context)
{
    return ((busy_t *)context)->now;
}

static void a_busy_machine_gets_what_takes_the_least_work_to_prove(void **state)
{
    static const struct {
        const char *name;
        double share;
        bool told;
        weir_strategy_t strategy;
        weir_tier_t tier; /* 0: nothing works */
        unsigned trials_most;
        double most; /* milliseconds */
    } cases[] = {
        {"idle", 1, true, WEIR_STRATEGY_AUTO, STANDARD, 1, 1000},
        {"one of a hundred", 0.01, true, WEIR_STRATEGY_AUTO, ONDEMAND, 3, 25000},
        {"and nobody tells", 0.01, false, WEIR_STRATEGY_AUTO, ONDEMAND, 9, 65000},
        {"a pool was asked for", 0.01, true, WEIR_STRATEGY_POOLING, STANDARD, 3, 25000},
        {"a compact one was asked for", 0.01, true, WEIR_STRATEGY_COMPACT, COMPACT, 3, 25000},
        {"hardly any", 0.0005, true, WEIR_STRATEGY_AUTO, 0, 3, 40000},
        {"and nobody tells that", 0.0005, false, WEIR_STRATEGY_AUTO, 0, 9, 65000},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        weir_facts_t facts = generous();
        busy_t busy = {.share = cases[i].share, .told = cases[i].told};
        const weir_tester_t tester = {busy_trial, busy_clock, &busy};
        weir_needs_t needs = {0};
        weir_ladder_t ladder;
        weir_search_report_t report;
        weir_codes_t codes = {.count = 0};
        weir_needs_complete(&facts, &needs, &needs);
        weir_ladder_make(&facts, &needs, cases[i].strategy, &ladder);
        size_t index = weir_search_run(&facts, &needs, 0, &tester, &codes, &ladder, &report);
        weir_codes_free(&codes);
        weir_tier_t tier = index == SIZE_MAX ? 0 : ladder.steps[index].result.rung.tier;
        if (tier != cases[i].tier || busy.trials > cases[i].trials_most || busy.now > cases[i].most) {
            fail_msg("%s: tier %d after %u trials and %.0f ms", cases[i].name, (int)tier, busy.trials, busy.now);
        }
        assert_true(report.trials <= busy.trials);
        if (cases[i].share < 1) {
            /* The last was timed, too, with time of its own. */
            assert_true(busy.last.deadline >= 20000);
            assert_true(busy.last.time_milliseconds > 0);
            assert_int_equal(busy.last.hold, 2);
        }
    }
}

/* ---- What is said ------------------------------------------------------------------------------------------------ */

static const weir_facts_t *table_facts; /* what the machine of tables is */
static const char *machine_root = "/nonexistent";

static bool table_processors(uint64_t *ret_value)
{
    *ret_value = table_facts->processors.value;
    return true;
}

static bool table_page_size(uint64_t *ret_value)
{
    *ret_value = 4096;
    return true;
}

static bool table_limit(int resource, uint64_t *ret_bytes, bool *ret_unlimited)
{
    *ret_bytes = table_facts->address_space_limit.value;
    *ret_unlimited = resource != RLIMIT_AS || table_facts->address_space_limit.knowledge == WEIR_UNLIMITED;
    return true;
}

static void table_features(weir_features_t *ret_features)
{
    *ret_features = (weir_features_t){{WEIR_GRANT_UNKNOWN}};
    ret_features->grants[WEIR_FEATURE_EXECUTABLE_MEMORY] =
        table_facts->executable_memory.value == 1 ? WEIR_GRANT_YES : WEIR_GRANT_NO;
}

static weir_choice_t *choose_in(
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

static weir_choice_t *choose_for(const weir_facts_t *facts, const weir_choose_options_t *options, const rule_t *rules,
    weir_status_t expected, unsigned *ret_trials)
{
    world_t world = {.rules = rules, .trial_takes = 20};
    weir_choice_t *choice = choose_in(&world, facts, options, expected);
    if (ret_trials != NULL) {
        *ret_trials = world.trials;
    }
    return choice;
}

static weir_choice_t *choose(
    const weir_facts_t *facts, weir_strategy_t strategy, const rule_t *rules, weir_status_t expected)
{
    weir_choose_options_t options;
    weir_choose_options_init(&options);
    options.strategy = strategy;
    options.cache_directory = "";
    return choose_for(facts, &options, rules, expected, NULL);
}

static void assert_says(const char *text, const char *words)
{
    if (strstr(text, words) == NULL) {
        fail_msg("'%s' lacks '%s'", text, words);
    }
}

/* ---- Placed apart, and remembered -------------------------------------------------------------------------------- */

static const rule_t everything_passes[] = {{0, 0, 0, 0, PASS, 10, 0}};

/* What is said of each rung that arithmetic ruled out, with its figures, is what the ladder says. */
static void assert_figures_agree(const weir_choice_t *choice, const weir_decided_t *part, unsigned *ret_count)
{
    for (size_t i = 0; i < part->count; i++) {
        const weir_verdict_t *verdict = &part->ladder[i].verdict;
        char text[WEIR_PHRASE_MAX];
        const char *leaves = strstr(verdict->message, " leaves ");
        if (verdict->outcome == WEIR_OUTCOME_NOT_TRIED && verdict->limit != WEIR_LIMIT_NONE && leaves != NULL) {
            assert_says(weir_report_obstacle_text(choice, part, &part->ladder[i], text, sizeof text), leaves);
            (*ret_count)++;
        }
    }
}

static void both_places_go_by_what_the_other_leaves(void **state)
{
    const weir_needs_t guests[] = {
        {.minimum_memory_bytes = MIB, .memories = 1}, {.minimum_memory_bytes = 100 * MIB, .memories = 1}};
    weir_facts_t facts = generous();
    weir_choose_options_t options;
    unsigned count = 0;
    (void)state;
    facts.address_space_limit = known(2 * GIB);
    weir_choose_options_init(&options);
    options.cache_directory = "";
    options.guests = guests;
    options.guest_count = 2;
    world_t world = {.rules = everything_passes, .trial_takes = 20};
    weir_choice_t *choice = choose_in(&world, &facts, &options, WEIR_OK);
    assert_true(weir_choice_is_apart(choice, 1));
    const weir_rung_t *pool = weir_choice_rung(choice);
    assert_int_not_equal(pool->tier, ONDEMAND);
    assert_figures_agree(choice, &choice->decision.pool, &count);
    assert_figures_agree(choice, &choice->decision.rest, &count);
    assert_true(count >= 3);
    /* The pool is not there while what is apart is tried: the trial goes without as much. */
    assert_true(world.held_from_ondemand >= weir_rung_address_bytes(pool, weir_choice_needs(choice)));
    assert_true(world.held_from_pools < world.held_from_ondemand);
    weir_choice_free(choice);
}

static void a_large_guest_gets_an_engine_of_its_own_and_the_others_keep_their_pool(void **state)
{
    const weir_needs_t guests[] = {{.minimum_memory_bytes = MIB, .memories = 1},
        {.minimum_memory_bytes = 600 * MIB, .memories = 1}, {.minimum_memory_bytes = 2 * MIB, .memories = 1}};
    weir_facts_t facts = generous();
    weir_choose_options_t options;
    (void)state;
    facts.address_space_limit = known(4 * GIB);
    weir_choose_options_init(&options);
    options.cache_directory = "";
    options.guests = guests;
    options.guest_count = 3;
    weir_choice_t *choice = choose_for(&facts, &options, everything_passes, WEIR_OK, NULL);
    assert_false(weir_choice_is_apart(choice, 0));
    assert_true(weir_choice_is_apart(choice, 1));
    assert_false(weir_choice_is_apart(choice, 2));
    assert_false(weir_choice_is_apart(choice, 3));
    assert_false(weir_choice_is_apart(choice, SIZE_MAX));
    const weir_rung_t *apart = weir_choice_rung_apart(choice);
    assert_non_null(apart);
    assert_int_equal(apart->tier, ONDEMAND);
    assert_true(apart->slots >= 1);
    weir_rung_t joined;
    assert_false(weir_report_joined_pool(choice, &joined)); /* with it there would be none */
    assert_int_not_equal(weir_choice_rung(choice)->tier, ONDEMAND);
    assert_true(weir_choice_rung(choice)->slots >= 16);
    wasm_config_t *config = wasm_config_new();
    assert_int_equal(weir_choice_configure_apart(choice, config), WEIR_OK);
    wasm_config_delete(config);
    weir_choice_free(choice);

    /* In more space there would be one with it, but a small one. */
    facts.address_space_limit = known(64 * GIB);
    choice = choose_for(&facts, &options, everything_passes, WEIR_OK, NULL);
    assert_true(weir_choice_is_apart(choice, 1));
    assert_true(weir_report_joined_pool(choice, &joined));
    assert_true(joined.slots < weir_choice_rung(choice)->slots);
    assert_true(joined.slot_bytes >= 600 * MIB);
    weir_choice_free(choice);

    /* With guests that are alike there is nobody apart, and no engine for such. */
    options.guest_count = 1;
    choice = choose_for(&facts, &options, everything_passes, WEIR_OK, NULL);
    assert_null(weir_choice_rung_apart(choice));
    assert_false(weir_report_joined_pool(choice, &joined));
    config = wasm_config_new();
    assert_int_equal(weir_choice_configure_apart(choice, config), WEIR_ERROR_INVALID);
    wasm_config_delete(config);
    weir_choice_free(choice);
}

/* Here there is room for one instance of the large one, and for nothing beside it. */
static void where_there_is_no_room_for_two_engines_all_guests_share_one(void **state)
{
    const weir_needs_t guests[] = {
        {.minimum_memory_bytes = MIB, .memories = 1}, {.minimum_memory_bytes = 400 * MIB, .memories = 1}};
    weir_facts_t facts = generous();
    weir_choose_options_t options;
    (void)state;
    weir_choose_options_init(&options);
    options.cache_directory = "";
    options.guests = guests;
    options.guest_count = 2;
    for (uint64_t limit = 600 * MIB; limit <= 1000 * MIB; limit += 20 * MIB) {
        facts.address_space_limit = known(limit);
        weir_choice_t *choice = choose_for(&facts, &options, everything_passes, WEIR_OK, NULL);
        assert_true((weir_choice_rung_apart(choice) != NULL) == weir_choice_is_apart(choice, 1));
        assert_true(weir_choice_is_apart(choice, 1) || weir_choice_rung(choice)->tier == ONDEMAND);
        weir_choice_free(choice);
    }
    /* And where those beside the pool are refused whatever arithmetic says. */
    const rule_t rules[] = {{ONDEMAND, 2, 0, 0, PASS, 10, 0}, {ONDEMAND, 0, 0, 0, REFUSE, 0, WEIR_LIMIT_UNKNOWN},
        {0, 0, 0, 0, PASS, 10, 0}};
    facts.address_space_limit = known(1000 * MIB);
    weir_choice_t *choice = choose_for(&facts, &options, rules, WEIR_ERROR_UNAVAILABLE, NULL);
    assert_false(weir_choice_is_apart(choice, 1));
    assert_null(weir_choice_rung_apart(choice));
    weir_choice_free(choice);
}

/* On demand, all engines that reserve alike could run the same code, but one guest's module is not another's. */
static void code_is_shared_by_those_alone_that_need_the_same(void **state)
{
    static const weir_needs_t guests[] = {{.minimum_memory_bytes = MIB}, {.minimum_memory_bytes = 100 * MIB},
        {.minimum_memory_bytes = MIB, .tables = 2}, {.minimum_memory_bytes = MIB, .table_elements = 7},
        {.minimum_memory_bytes = MIB, .memories = 2}};
    weir_facts_t facts = generous();
    weir_codes_t codes = {.count = 0};
    (void)state;
    for (size_t i = 0; i < sizeof guests / sizeof guests[0]; i++) {
        weir_rung_t rung = {
            .tier = ONDEMAND, .slots = 4, .guard_bytes = 64 * 1024, .growth_bytes = MIB, .stack_bytes = MIB};
        weir_needs_t needs;
        weir_budgets_t budgets;
        weir_plan_t plan;
        weir_verdict_t verdict;
        weir_needs_complete(&facts, &guests[i], &needs);
        weir_budgets_make(&facts, &needs, false, &budgets);
        weir_plan_make(&facts, &needs, &budgets, &rung, WEIR_DEPTH_QUICK, 60000, &plan);
        plan.code = weir_codes_file(&codes, &rung, &needs);
        assert_true(plan.code >= 0);
        weir_trial_run(&facts, &plan, &verdict);
        if (verdict.outcome != PASS) {
            fail_msg("guest %zu: %s", i, verdict.message);
        }
        rung.slots = 8;
        assert_int_equal(weir_codes_file(&codes, &rung, &needs), plan.code);
        assert_int_equal(codes.count, i + 1);
    }
    weir_codes_free(&codes);
}

static void what_is_to_be_decided_anew_is_forgotten(void **state)
{
    static const rule_t accident[] = {{COMPACT, 0, 0, 0, REFUSE, 0, WEIR_LIMIT_UNKNOWN}, {0, 0, 0, 0, PASS, 10, 0}};
    char directory[] = "/tmp/weir-choice-XXXXXX";
    weir_facts_t facts = generous();
    weir_choose_options_t options;
    unsigned trials = 0;
    (void)state;
    assert_non_null(mkdtemp(directory));
    weir_choose_options_init(&options);
    options.cache_directory = directory;
    static const struct {
        bool anew;
        const rule_t *rules;
        bool remembered;
    } starts[] = {{false, everything_passes, false}, {false, everything_passes, true}, {true, everything_passes, false},
        {false, everything_passes, true}, /* the new one is kept in its place; */
        {true, accident, false},          /* where the new one cannot be kept, the old one is gone all the same */
        {false, everything_passes, false}, {false, everything_passes, true}};
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        options.decide_anew = starts[i].anew ? 1 : 0;
        weir_choice_t *choice = choose_for(&facts, &options, starts[i].rules, WEIR_OK, &trials);
        if (weir_choice_is_remembered(choice) != starts[i].remembered || (trials == 1) != starts[i].remembered) {
            fail_msg("start %zu: %u trials", i, trials);
        }
        weir_choice_free(choice);
    }
    assert_int_equal(temporary_remove(directory), 0);
}

static void a_remembered_choice_is_proved_once_and_nothing_else_is_tried(void **state)
{
    char directory[] = "/tmp/weir-choice-XXXXXX";
    weir_facts_t facts = generous();
    weir_choose_options_t options;
    unsigned trials = 0;
    (void)state;
    assert_non_null(mkdtemp(directory));
    weir_choose_options_init(&options);
    options.cache_directory = directory;
    weir_choice_t *first = choose_for(&facts, &options, everything_passes, WEIR_OK, &trials);
    assert_false(weir_choice_is_remembered(first));
    assert_true(trials > 1);
    weir_choice_t *second = choose_for(&facts, &options, everything_passes, WEIR_OK, &trials);
    assert_true(weir_choice_is_remembered(second));
    assert_int_equal(trials, 1);
    assert_says(weir_choice_summary(second), "as decided before, proved again in ");
    assert_memory_equal(weir_choice_rung(first), weir_choice_rung(second), sizeof(weir_rung_t));
    weir_choice_free(second);

    /* What does not work any more is decided anew, and that is remembered then. */
    static const rule_t no_standard[] = {
        {STANDARD, 0, 0, 0, REFUSE, 0, WEIR_LIMIT_ADDRESS_SPACE}, {0, 0, 0, 0, PASS, 10, 0}};
    weir_choice_t *third = choose_for(&facts, &options, no_standard, WEIR_OK, &trials);
    assert_false(weir_choice_is_remembered(third));
    assert_int_equal(weir_choice_rung(third)->tier, COMPACT);
    weir_choice_free(third);
    third = choose_for(&facts, &options, no_standard, WEIR_OK, &trials);
    assert_true(weir_choice_is_remembered(third));
    assert_int_equal(weir_choice_rung(third)->tier, COMPACT);
    weir_choice_free(third);

    /* But not what may have been an accident. */
    static const rule_t accident[] = {{COMPACT, 0, 0, 0, REFUSE, 0, WEIR_LIMIT_UNKNOWN}, {0, 0, 0, 0, PASS, 10, 0}};
    third = choose_for(&facts, &options, accident, WEIR_OK, &trials);
    assert_false(weir_choice_is_remembered(third));
    weir_choice_free(third);
    third = choose_for(&facts, &options, accident, WEIR_OK, &trials);
    assert_false(weir_choice_is_remembered(third));
    weir_choice_free(third);

    /* Nor what contradicts itself: the preferred rung took twice as long at one time as at another. */
    static const rule_t busy[] = {{STANDARD, 0, 0, 0, PASS, 20, 0}, {0, 0, 0, 0, PASS, 10, 0}};
    facts.processors = known(3);
    for (unsigned disturbed = 1; disturbed < 4; disturbed++) {
        world_t world = {.rules = busy, .trial_takes = 20, .disturbed = disturbed == 3 ? 0 : 1};
        third = choose_in(&world, &facts, &options, WEIR_OK);
        assert_false(weir_choice_is_remembered(third));
        assert_int_equal(third->memory_note[0] != '\0', disturbed < 3);
        weir_choice_free(third);
    }
    third = choose_for(&facts, &options, busy, WEIR_OK, &trials);
    assert_true(weir_choice_is_remembered(third));
    weir_choice_free(third);

    /* What was interpreted where native code was refused is not, where it may run. */
    facts.executable_memory = known(0);
    facts.address_space_limit = known(70 * GIB);
    third = choose_for(&facts, &options, everything_passes, WEIR_OK, &trials);
    assert_true(weir_choice_rung(third)->pulley);
    weir_choice_free(third);
    third = choose_for(&facts, &options, everything_passes, WEIR_OK, &trials);
    assert_true(weir_choice_is_remembered(third));
    assert_true(weir_choice_rung(third)->pulley);
    weir_choice_free(third);
    facts.executable_memory = known(1);
    third = choose_for(&facts, &options, everything_passes, WEIR_OK, &trials);
    assert_false(weir_choice_is_remembered(third));
    assert_false(weir_choice_rung(third)->pulley);
    weir_choice_free(third);

    /* And another machine is another matter. */
    facts.address_space_limit = known(8 * GIB);
    third = choose_for(&facts, &options, everything_passes, WEIR_OK, &trials);
    assert_false(weir_choice_is_remembered(third));
    weir_choice_free(third);
    weir_choice_free(first);
    assert_int_equal(temporary_remove(directory), 0);
}

/* Available memory is no part of the key. */
static void what_was_decided_while_memory_was_short_is_forgotten_when_it_is_not(void **state)
{
    static const struct {
        const char *available; /* KiB */
        bool remembered;
        uint32_t slots_least;
    } starts[] = {
        {"  300000", false, 8},
        {"  300000", true, 8},
        {"  310000", true, 8}, /* not worth a decision */
        {"20000000", false, 1000},
        {"20000000", true, 1000},
        {"21000000", true, 1000},
    };
    char directory[] = "/tmp/weir-choice-XXXXXX";
    char root[] = "/tmp/weir-choice-XXXXXX";
    char path[64];
    weir_facts_t facts = generous();
    weir_choose_options_t options;
    (void)state;
    assert_non_null(mkdtemp(directory));
    assert_non_null(mkdtemp(root));
    snprintf(path, sizeof path, "%s/proc", root);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/proc/meminfo", root);
    weir_choose_options_init(&options);
    options.cache_directory = directory;
    machine_root = root;
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fprintf(file, "MemTotal:       24000000 kB\nMemAvailable:   %s kB\n", starts[i].available);
        assert_int_equal(fclose(file), 0);
        weir_choice_t *choice = choose_for(&facts, &options, everything_passes, WEIR_OK, NULL);
        if (weir_choice_is_remembered(choice) != starts[i].remembered ||
            weir_choice_rung(choice)->slots < starts[i].slots_least) {
            fail_msg("start %zu: %s", i, weir_choice_summary(choice));
        }
        weir_choice_free(choice);
    }
    machine_root = "/nonexistent";
    assert_int_equal(temporary_remove(directory), 0);
    assert_int_equal(unlink(path), 0);
    *strrchr(path, '/') = '\0';
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(root), 0);
}

static unsigned count_lines(const char *text)
{
    unsigned lines = 1;
    for (; *text != '\0'; text++) {
        lines += *text == '\n' ? 1 : 0;
    }
    return lines;
}

static void nothing_is_said_when_all_that_was_wanted_works(void **state)
{
    const rule_t rules[] = {{0, 0, 0, 0, PASS, 11.94, 0}};
    weir_facts_t facts = generous();
    (void)state;
    weir_choice_t *choice = choose(&facts, WEIR_STRATEGY_AUTO, rules, WEIR_OK);
    assert_false(weir_choice_is_reduced(choice));
    assert_string_equal(weir_choice_notice(choice), "");
    assert_string_equal(weir_choice_advice(choice), "");
    assert_says(weir_choice_summary(choice), "allocator: standard pool, 1000 slots of 4 GiB (measured: 11.9 us");
    assert_says(weir_choice_summary(choice), "by trial in ");
    assert_string_not_equal(weir_choice_reason(choice), "");
    assert_int_equal(weir_choice_rung(choice)->tier, STANDARD);
    assert_int_equal(weir_choice_needs(choice)->concurrency, 1000);
    weir_choice_free(choice);
}

/* A control group's limit is somebody's to raise; a machine is as small as it is. */
static void what_a_limit_leaves_no_room_for_is_told_and_a_small_machine_is_not_warned_of(void **state)
{
    weir_facts_t facts = generous();
    const weir_needs_t needs = {.minimum_memory_bytes = MIB, .memories = 1};
    weir_choice_t *choice = calloc(1, sizeof *choice);
    weir_decided_t *pool = &choice->decision.pool;
    weir_limit_t limit;
    uint32_t usual;
    (void)state;
    assert_non_null(choice);
    for (unsigned small = 0; small < 3; small++) {
        choice->facts = facts;
        choice->facts.memory_total = known(small == 1 ? 200 * MIB : 64 * GIB);
        choice->facts.memory_available = known(small == 1 ? 150 * MIB : 60 * GIB);
        choice->facts.cgroup_limit = small == 2 ? known(150 * MIB) : (weir_fact_t){WEIR_UNLIMITED, 0, ""};
        choice->facts.cgroup_used = known(10 * MIB);
        weir_needs_complete(&choice->facts, &needs, &pool->needs);
        pool->count = 1;
        pool->index = 0;
        pool->ladder[0].rung =
            (weir_rung_t){.tier = WEIR_TIER_STANDARD, .slots = pool->needs.concurrency, .slot_bytes = 4 * GIB};
        pool->ladder[0].verdict = (weir_verdict_t){.outcome = WEIR_OUTCOME_PASSED, .instance_microseconds = 10};
        choice->stated = false;
        weir_report_write(choice);
        assert_int_equal(weir_report_usual(choice, &limit, &usual), small != 0);
        assert_int_equal(weir_choice_is_reduced(choice), small == 2);
        assert_int_equal(weir_choice_notice(choice)[0] != '\0', small == 2);
        if (small == 0) {
            assert_int_equal(pool->needs.concurrency, 1000);
            continue;
        }
        assert_true(pool->needs.concurrency < 200);
        assert_int_equal(usual, 1000);
        assert_int_equal(limit, small == 1 ? WEIR_LIMIT_MEMORY : WEIR_LIMIT_CGROUP);
        if (small == 2) {
            assert_says(weir_choice_notice(choice), "reduced automatically: standard pool, ");
            assert_says(
                weir_choice_notice(choice), "1000 at a time are usual; the control group's memory limit (150 MiB)");
            assert_says(weir_choice_advice(choice), "MemoryMax=");
            assert_true(count_lines(weir_choice_notice(choice)) <= 3);
        }
        choice->stated = true;
        weir_report_write(choice);
        assert_false(weir_choice_is_reduced(choice));
        assert_string_equal(weir_choice_notice(choice), "");
    }
    free(choice);
}

static void a_faster_rung_than_the_wanted_one_is_no_fallback(void **state)
{
    const rule_t rules[] = {{STANDARD, 0, 0, 0, PASS, 30, 0}, {0, 0, 0, 0, PASS, 10, 0}};
    weir_facts_t facts = generous();
    (void)state;
    weir_choice_t *choice = choose(&facts, WEIR_STRATEGY_AUTO, rules, WEIR_OK);
    assert_int_equal(weir_choice_rung(choice)->tier, COMPACT);
    assert_false(weir_choice_is_reduced(choice));
    assert_string_equal(weir_choice_notice(choice), "");
    weir_choice_free(choice);
}

static void of_a_busy_machine_it_is_said_that_it_is_busy(void **state)
{
    static const struct {
        double share;
        weir_strategy_t strategy;
        const char *says;
    } cases[] = {
        {0.01, WEIR_STRATEGY_AUTO, "The pooling allocator was disabled automatically: on demand, 1000 instances"},
        {0.0005, WEIR_STRATEGY_AUTO,
            "This machine is too busy: no allocation strategy could be proved to work in time. "
            "The least that was tried is on demand, "},
        {0.0005, WEIR_STRATEGY_POOLING, "too busy"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        weir_facts_t facts = generous();
        busy_t busy = {.share = cases[i].share, .told = true};
        const weir_tester_t tester = {busy_trial, busy_clock, &busy};
        const weir_machine_t machine = {
            .root = machine_root,
            .processors = table_processors,
            .page_size = table_page_size,
            .resource_limit = table_limit,
            .try_features = table_features,
        };
        weir_choose_options_t options;
        weir_choice_t *choice = NULL;
        table_facts = &facts;
        weir_choose_options_init(&options);
        options.strategy = cases[i].strategy;
        options.cache_directory = "";
        weir_status_t status = weir_allocator_choose_with(&machine, &tester, &options, &choice);
        assert_int_equal(status, i == 0 ? WEIR_OK : WEIR_ERROR_UNAVAILABLE);
        assert_says(weir_choice_notice(choice), cases[i].says);
        assert_says(weir_choice_notice(choice), i == 0 ? "its trial was not done in 5 s, of which it had a processor"
                                                       : "its trial was not done in 30 s, of which it had a processor");
        assert_null(strstr(weir_choice_notice(choice), "works on this machine"));
        assert_says(weir_choice_advice(choice), "CPUQuota=");
        weir_choice_free(choice);
    }
}

static void where_a_trial_does_not_explain_itself_the_limit_that_arithmetic_met_is_the_remedy(void **state)
{
    const rule_t dies[] = {{0, 0, 0, 0, WEIR_OUTCOME_REPORT, 0, WEIR_LIMIT_UNKNOWN}};
    weir_facts_t facts = generous();
    (void)state;
    facts.address_space_limit = known(100 * MIB);
    weir_choice_t *choice = choose(&facts, WEIR_STRATEGY_AUTO, dies, WEIR_ERROR_UNAVAILABLE);
    assert_says(weir_choice_notice(choice), "The least that was tried is on demand, ");
    assert_says(weir_choice_advice(choice), "ulimit -v");
    weir_choice_free(choice);
}

static void what_could_be_asked_for_instead_is_part_of_the_remedy(void **state)
{
    static const struct {
        const char *name;
        uint64_t address_space; /* 0: unlimited */
        weir_needs_t needs;
        weir_strategy_t strategy;
        const char *says; /* NULL: none of these */
    } cases[] = {
        {"too many for 4 GiB each", 2000 * GIB, {.concurrency = 5000}, WEIR_STRATEGY_AUTO, "SPIN_ALLOCATOR=compact"},
        {"no room to grow", 120 * MIB, {.concurrency = 0}, WEIR_STRATEGY_AUTO,
            "Where 3 MiB are enough for a memory, there is room for a pool: '--max-instance-memory 3MiB'."},
        {"no room at all", 90 * MIB, {.minimum_memory_bytes = 4 * MIB}, WEIR_STRATEGY_AUTO, NULL},
        {"the size is stated", 120 * MIB, {.maximum_memory_bytes = 30 * MIB}, WEIR_STRATEGY_AUTO, NULL},
        {"a pool was asked for", 2000 * GIB, {.concurrency = 5000}, WEIR_STRATEGY_POOLING, NULL},
        {"a compact pool is there", 64 * GIB, {.concurrency = 0}, WEIR_STRATEGY_AUTO, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        weir_facts_t facts = generous();
        weir_choose_options_t options;
        facts.address_space_limit = known(cases[i].address_space);
        weir_choose_options_init(&options);
        options.strategy = cases[i].strategy;
        options.needs = cases[i].needs;
        options.cache_directory = "";
        weir_choice_t *choice = choose_for(&facts, &options, everything_passes, WEIR_OK, NULL);
        const char *advice = weir_choice_advice(choice);
        bool said = strstr(advice, cases[i].says == NULL ? "--max-instance-memory" : cases[i].says) != NULL;
        if (said != (cases[i].says != NULL) || strstr(advice, "ulimit -v") == NULL) {
            fail_msg("%s: %s: %s", cases[i].name, weir_choice_summary(choice), advice);
        }
        weir_choice_free(choice);
    }
}

static void fewer_slots_could_be_larger_unless_their_size_was_stated(void **state)
{
    weir_facts_t facts = generous();
    weir_choose_options_t options;
    (void)state;
    facts.address_space_limit = known(8 * GIB);
    weir_choose_options_init(&options);
    options.cache_directory = "";
    weir_choice_t *choice = choose_for(&facts, &options, everything_passes, WEIR_OK, NULL);
    assert_true(weir_remedy_trades_slots(choice));
    assert_says(weir_choice_notice(choice), "grows to 64 MiB at most (more when fewer at a time are wanted).");
    weir_choice_free(choice);
    options.needs.maximum_memory_bytes = 64 * MIB;
    choice = choose_for(&facts, &options, everything_passes, WEIR_OK, NULL);
    assert_false(weir_remedy_trades_slots(choice));
    assert_says(weir_choice_notice(choice), "grows to 64 MiB at most.");
    weir_choice_free(choice);
}

/* Arithmetic rules out what was wanted; that what came next failed its trial is not told by that. */
static void a_trial_that_failed_is_named_beside_what_arithmetic_ruled_out(void **state)
{
    const rule_t rules[] = {
        {COMPACT, 700, 0, 0, WEIR_OUTCOME_REPORT, 0, WEIR_LIMIT_UNKNOWN}, {0, 0, 0, 0, PASS, 10, 0}};
    weir_facts_t facts = generous();
    (void)state;
    facts.address_space_limit = known(64 * GIB);
    weir_choice_t *choice = choose(&facts, WEIR_STRATEGY_AUTO, rules, WEIR_OK);
    assert_says(weir_choice_notice(choice), "RLIMIT_AS (64 GiB) leaves ");
    assert_says(weir_choice_notice(choice), " for instances; compact pool, ");
    assert_says(weir_choice_notice(choice), " was tried: its trial's report was cut short.");
    weir_choice_free(choice);
    choice = choose(&facts, WEIR_STRATEGY_AUTO, everything_passes, WEIR_OK);
    assert_null(strstr(weir_choice_notice(choice), " was tried: "));
    weir_choice_free(choice);
}

static void each_limit_has_its_own_remedy_and_no_other(void **state)
{
    static const struct {
        weir_limit_t limit;
        const char *words;
    } cases[] = {
        {WEIR_LIMIT_ADDRESS_SPACE, "ulimit -v"},
        {WEIR_LIMIT_ADDRESS_BITS, "VA_BITS"},
        {WEIR_LIMIT_COMMIT, "vm.overcommit_memory=1"},
        {WEIR_LIMIT_DATA, "ulimit -d"},
        {WEIR_LIMIT_CGROUP, "MemoryMax="},
        {WEIR_LIMIT_MEMORY, "memory"},
        {WEIR_LIMIT_MAPPINGS, "vm.max_map_count"},
        {WEIR_LIMIT_EXECUTABLE, "execmem"},
        {WEIR_LIMIT_EMULATION, "natively"},
        {WEIR_LIMIT_PROCESSES, "TasksMax="},
    };
    const size_t count = sizeof cases / sizeof cases[0];
    weir_facts_t facts = generous();
    (void)state;
    for (size_t i = 0; i < count; i++) {
        const rule_t rules[] = {{STANDARD, 0, 0, 0, REFUSE, 0, cases[i].limit}, {0, 0, 0, 0, PASS, 12.34, 0}};
        weir_choice_t *choice = choose(&facts, WEIR_STRATEGY_AUTO, rules, WEIR_OK);
        const char *notice = weir_choice_notice(choice);
        assert_true(weir_choice_is_reduced(choice));
        assert_says(notice, "reduced automatically");
        assert_says(notice, "normal");
        assert_says(notice, "changes no behaviour");
        assert_says(notice, "mmap of 3.9 TiB was refused (ENOMEM)");
        assert_says(notice, "12.3 us");
        assert_says(notice, "could not be measured");
        assert_says(notice, weir_choice_advice(choice));
        assert_true(count_lines(notice) <= 3);
        for (size_t j = 0; j < count; j++) {
            bool there = strstr(weir_choice_advice(choice), cases[j].words) != NULL;
            if (there != (i == j) && strcmp(cases[j].words, "memory") != 0) {
                fail_msg("%s: %s", weir_limit_name(cases[i].limit), weir_choice_advice(choice));
            }
        }
        weir_choice_free(choice);
    }
    const rule_t unknown[] = {{STANDARD, 0, 0, 0, REFUSE, 0, WEIR_LIMIT_UNKNOWN}, {0, 0, 0, 0, PASS, 10, 0}};
    weir_choice_t *choice = choose(&facts, WEIR_STRATEGY_AUTO, unknown, WEIR_OK);
    assert_string_equal(weir_choice_advice(choice), ""); /* better none than a wrong one */
    weir_choice_free(choice);
}

static void a_hard_limit_says_who_can_raise_it(void **state)
{
    static const weir_limit_t limits[] = {WEIR_LIMIT_ADDRESS_SPACE, WEIR_LIMIT_DATA};
    static const char *const simple[] = {
        "'LimitAS=infinity' in a systemd unit.", "'LimitDATA=infinity' in a systemd unit."};
    static const char *const files[] = {"'as' in /etc/security/limits.conf", "'data' in /etc/security/limits.conf"};
    char text[WEIR_REMEDY_MAX];
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        weir_facts_t facts = generous();
        weir_fact_t *hard = i == 0 ? &facts.address_space_hard_limit : &facts.data_hard_limit;
        for (int knowledge = 0; knowledge < 2; knowledge++) {
            *hard = (weir_fact_t){knowledge == 0 ? WEIR_UNLIMITED : WEIR_UNKNOWN, 0, ""};
            assert_says(weir_phrase_remedy(&facts, limits[i], text, sizeof text), simple[i]);
            assert_null(strstr(text, "root"));
        }
        *hard = known(3 * GIB);
        assert_says(
            weir_phrase_remedy(&facts, limits[i], text, sizeof text), "hard limit, which is 3 GiB, that is for root");
        assert_says(text, files[i]);
    }
}

/* 10 MiB are less than any program has: nothing can be tried. */
static void where_nothing_fits_it_says_what_would(void **state)
{
    const rule_t rules[] = {{0, 0, 0, 0, PASS, 10, 0}};
    weir_facts_t facts = generous();
    char words[64];
    (void)state;
    facts.address_space_limit = known(10 * MIB);
    facts.address_space_used = known(20 * MIB);
    weir_choice_t *choice = choose(&facts, WEIR_STRATEGY_AUTO, rules, WEIR_ERROR_UNAVAILABLE);
    const char *notice = weir_choice_notice(choice);
    assert_says(notice, "No allocation strategy works on this machine. What asks for least is on demand, 1 instance, ");
    assert_says(notice, "RLIMIT_AS (10 MiB) leaves 0 bytes for instances; with a limit of ");
    assert_null(strstr(notice, "TiB"));
    assert_says(weir_choice_advice(choice), "ulimit -v unlimited");
    unsigned least = 0;
    assert_int_equal(sscanf(strstr(notice, "with a limit of "), "with a limit of %u MiB it would fit.", &least), 1);
    snprintf(words, sizeof words, "%u MiB", least);
    weir_choice_free(choice);
    /* That is true, and one less is not enough. */
    facts.address_space_limit = known(least * MIB);
    choice = choose(&facts, WEIR_STRATEGY_AUTO, rules, WEIR_OK);
    assert_int_equal(weir_choice_rung(choice)->tier, ONDEMAND);
    weir_choice_free(choice);
    facts.address_space_limit = known((least - 1) * MIB);
    choice = choose(&facts, WEIR_STRATEGY_AUTO, rules, WEIR_ERROR_UNAVAILABLE);
    assert_says(weir_choice_notice(choice), words);
    weir_choice_free(choice);
}

static void a_remedy_for_the_host_says_that_it_is_for_the_host(void **state)
{
    const weir_limit_t limits[] = {WEIR_LIMIT_COMMIT, WEIR_LIMIT_MAPPINGS};
    weir_facts_t facts = generous();
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const rule_t rules[] = {{STANDARD, 0, 0, 0, REFUSE, 0, limits[i]}, {0, 0, 0, 0, PASS, 10, 0}};
        weir_choice_t *choice = choose(&facts, WEIR_STRATEGY_AUTO, rules, WEIR_OK);
        assert_says(weir_choice_advice(choice), "on the host, not inside a container");
        weir_choice_free(choice);
    }
}

static void without_a_pool_it_is_disabled_automatically(void **state)
{
    const rule_t rules[] = {{ONDEMAND, 0, 0, 0, PASS, 106, 0}, {0, 0, 0, 0, REFUSE, 0, WEIR_LIMIT_COMMIT}};
    weir_facts_t facts = generous();
    (void)state;
    weir_choice_t *choice = choose(&facts, WEIR_STRATEGY_AUTO, rules, WEIR_OK);
    assert_says(weir_choice_notice(choice), "disabled automatically");
    assert_says(weir_choice_notice(choice), "106.0 us");
    assert_true(count_lines(weir_choice_notice(choice)) <= 3);
    weir_choice_free(choice);
}

static void what_it_means_for_memories_and_requests_is_said(void **state)
{
    const rule_t rules[] = {{COMPACT, 0, 0, 0, PASS, 10, 0}, {0, 0, 0, 0, REFUSE, 0, WEIR_LIMIT_ADDRESS_SPACE}};
    weir_facts_t facts = generous();
    char words[64];
    (void)state;
    facts.address_space_limit = known(400 * MIB);
    weir_choice_t *choice = choose(&facts, WEIR_STRATEGY_AUTO, rules, WEIR_OK);
    const weir_rung_t *rung = weir_choice_rung(choice);
    snprintf(words, sizeof words, "at most %u requests at a time", rung->slots);
    assert_says(weir_choice_notice(choice), words);
    snprintf(words, sizeof words, "a memory grows to %s at most", weir_size_text(rung->slot_bytes).text);
    assert_says(weir_choice_notice(choice), words);
    assert_says(weir_choice_notice(choice), "RLIMIT_AS (400 MiB) leaves ");
    weir_choice_free(choice);
}

static void the_runner_up_is_named_with_its_cost(void **state)
{
    const rule_t rules[] = {{STANDARD, 0, 0, 0, PASS, 30, 0}, {0, 0, 0, 0, PASS, 10, 0}};
    const rule_t within_noise[] = {{STANDARD, 0, 0, 0, PASS, 10.2, 0}, {0, 0, 0, 0, PASS, 10, 0}};
    const rule_t only[] = {{STANDARD, 0, 0, 0, PASS, 10, 0}, {0, 0, 0, 0, REFUSE, 0, WEIR_LIMIT_UNKNOWN}};
    weir_facts_t facts = generous();
    (void)state;
    weir_choice_t *choice = choose(&facts, WEIR_STRATEGY_AUTO, rules, WEIR_OK);
    assert_says(weir_choice_reason(choice), "the cheapest that works: 10.0 us per instance; the runner-up is ");
    assert_true(weir_report_runner_up(choice, false) != NULL);
    assert_int_equal(weir_report_runner_up(choice, true)->rung.tier, STANDARD);
    weir_choice_free(choice);
    choice = choose(&facts, WEIR_STRATEGY_AUTO, within_noise, WEIR_OK);
    assert_says(weir_choice_reason(choice), "within noise, and preferred: 10.2 us");
    weir_choice_free(choice);
    choice = choose(&facts, WEIR_STRATEGY_POOLING, only, WEIR_OK);
    assert_null(weir_report_runner_up(choice, true));
    assert_says(weir_choice_reason(choice), "the first that works");
    weir_choice_free(choice);
}

static void all_of_it_is_said_in_chinese_too(void **state)
{
    const rule_t reduced[] = {{STANDARD, 0, 0, 0, REFUSE, 0, WEIR_LIMIT_COMMIT}, {0, 0, 0, 0, PASS, 12.34, 0}};
    const rule_t disabled[] = {{ONDEMAND, 0, 0, 0, PASS, 106, 0}, {0, 0, 0, 0, REFUSE, 0, WEIR_LIMIT_ADDRESS_SPACE}};
    weir_facts_t facts = generous();
    (void)state;
    assert_true(weir_language_set("zh_CN"));
    weir_choice_t *choice = choose(&facts, WEIR_STRATEGY_AUTO, reduced, WEIR_OK);
    assert_says(weir_choice_notice(choice), "自动缩减池化分配器");
    assert_says(weir_choice_notice(choice), "ENOMEM");
    assert_says(weir_choice_notice(choice), "12.3 微秒");
    assert_says(weir_choice_advice(choice), "vm.overcommit_memory=1");
    assert_says(weir_choice_summary(choice), "分配器：紧凑池");
    assert_true(count_lines(weir_choice_notice(choice)) <= 3);
    weir_choice_free(choice);
    choice = choose(&facts, WEIR_STRATEGY_AUTO, disabled, WEIR_OK);
    assert_says(weir_choice_notice(choice), "自动禁用池化分配器");
    assert_says(weir_choice_notice(choice), "按需分配");
    assert_says(weir_choice_advice(choice), "ulimit -v unlimited");
    weir_choice_free(choice);
    assert_true(weir_language_set("en"));
}

static void where_code_cannot_run_natively_that_is_said(void **state)
{
    const rule_t rules[] = {{0, 0, 0, 1, PASS, 60, 0}, {0, 0, 0, 0, REFUSE, 0, WEIR_LIMIT_EXECUTABLE}};
    weir_facts_t facts = generous();
    (void)state;
    facts.executable_memory = known(0);
    weir_choice_t *choice = choose(&facts, WEIR_STRATEGY_AUTO, rules, WEIR_OK);
    assert_true(weir_choice_rung(choice)->pulley);
    assert_true(weir_choice_is_reduced(choice));
    assert_says(weir_choice_summary(choice), "Pulley");
    assert_says(weir_choice_notice(choice), "executable memory is refused");
    assert_says(weir_choice_advice(choice), "execmem");
    weir_choice_free(choice);
}

static void a_strategy_that_was_asked_for_is_never_replaced(void **state)
{
    static const weir_strategy_t strategies[] = {
        WEIR_STRATEGY_POOLING, WEIR_STRATEGY_COMPACT, WEIR_STRATEGY_ONDEMAND, WEIR_STRATEGY_ANY_POOL};
    weir_facts_t facts = generous();
    (void)state;
    for (size_t i = 0; i < sizeof strategies / sizeof strategies[0]; i++) {
        const rule_t rules[] = {{0, 0, 0, 0, REFUSE, 0, WEIR_LIMIT_COMMIT}};
        weir_choice_t *choice = choose(&facts, strategies[i], rules, WEIR_ERROR_UNAVAILABLE);
        assert_null(weir_choice_rung(choice));
        assert_int_equal(weir_choice_index(choice), SIZE_MAX);
        assert_says(weir_choice_notice(choice), weir_strategy_name(strategies[i]));
        assert_says(weir_choice_notice(choice), "cannot be had");
        assert_says(weir_choice_notice(choice), "was refused");
        assert_says(weir_choice_advice(choice), "overcommit_memory=1");
        assert_null(strstr(weir_choice_notice(choice), "automatically"));
        wasm_config_t *config = wasm_config_new();
        assert_int_equal(weir_choice_configure(choice, config), WEIR_ERROR_INVALID);
        wasm_config_delete(config);
        weir_choice_free(choice);
    }
}

static void on_demand_that_was_asked_for_is_no_fallback(void **state)
{
    const rule_t rules[] = {{0, 0, 0, 0, PASS, 50, 0}};
    weir_facts_t facts = generous();
    (void)state;
    weir_choice_t *choice = choose(&facts, WEIR_STRATEGY_ONDEMAND, rules, WEIR_OK);
    assert_int_equal(weir_choice_rung(choice)->tier, ONDEMAND);
    assert_false(weir_choice_is_reduced(choice));
    assert_string_equal(weir_choice_notice(choice), "");
    assert_says(weir_choice_summary(choice), "asked for: ondemand");
    weir_choice_free(choice);
}

/* ---- Words and arguments ----------------------------------------------------------------------------------------- */

static void the_four_words_and_no_others_are_strategies(void **state)
{
    static const char *const others[] = {"", "AUTO", "auto ", "pool", "on-demand", "any pool", "unknown", NULL};
    static const struct {
        const char *word;
        weir_strategy_t strategy;
    } words[] = {{"auto", WEIR_STRATEGY_AUTO}, {"pooling", WEIR_STRATEGY_POOLING}, {"compact", WEIR_STRATEGY_COMPACT},
        {"ondemand", WEIR_STRATEGY_ONDEMAND}};
    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        weir_strategy_t strategy = WEIR_STRATEGY_ANY_POOL;
        assert_true(weir_strategy_from_name(words[i].word, &strategy));
        assert_int_equal(strategy, words[i].strategy);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        weir_strategy_t strategy = WEIR_STRATEGY_ANY_POOL;
        assert_false(weir_strategy_from_name(others[i], &strategy));
        assert_int_equal(strategy, WEIR_STRATEGY_ANY_POOL);
    }
}

static void values_that_are_none_are_unknown(void **state)
{
    (void)state;
    assert_string_equal(weir_tier_name((weir_tier_t)0), "unknown");
    assert_string_equal(weir_strategy_name((weir_strategy_t)99), "unknown");
    assert_string_equal(weir_outcome_name((weir_outcome_t)99), "unknown");
    assert_string_equal(weir_limit_name(WEIR_LIMIT_NONE), "");
}

static void impossible_options_are_refused(void **state)
{
    weir_choose_options_t options;
    weir_choice_t *choice = NULL;
    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        weir_choose_options_init(&options);
        options.size = i == 0 ? 3 : options.size;
        options.strategy = i == 1 ? (weir_strategy_t)5 : options.strategy;
        options.needs.minimum_memory_bytes = i == 2 ? 5 * GIB : 0;
        options.needs.concurrency = i == 3 ? UINT32_MAX : 0;
        options.needs.memories = i == 4 ? UINT32_MAX : 0;
        assert_int_equal(weir_allocator_choose(&options, &choice), WEIR_ERROR_INVALID);
        assert_null(choice);
    }
    assert_int_equal(weir_allocator_choose(NULL, NULL), WEIR_ERROR_INVALID);
    weir_choice_free(NULL);
}

/* ---- Programs that were compiled for other versions -------------------------------------------------------------- */

static void options_of_an_older_program_are_taken_and_nothing_beyond_them_is_touched(void **state)
{
    weir_facts_t facts = generous();
    (void)state;
    for (size_t size = WEIR_CHOOSE_OPTIONS_FIRST; size <= sizeof(weir_choose_options_t); size += sizeof(uint64_t)) {
        /* What lies behind the older structure is anything but zeros, and is the program's. */
        union {
            weir_choose_options_t options;
            unsigned char bytes[sizeof(weir_choose_options_t) + 8];
        } program;
        memset(&program, 0xa5, sizeof program);
        weir_choose_options_init_sized(&program.options, size);
        for (size_t i = size; i < sizeof program; i++) {
            assert_int_equal(program.bytes[i], 0xa5);
        }
        assert_int_equal(program.options.size, size);
        program.options.strategy = WEIR_STRATEGY_ONDEMAND;
        program.options.needs.concurrency = 7;
        weir_choice_t *choice = choose_for(&facts, &program.options, everything_passes, WEIR_OK, NULL);
        assert_int_equal(weir_choice_rung(choice)->tier, ONDEMAND);
        assert_int_equal(weir_choice_rung(choice)->slots, 7);
        weir_choice_free(choice);
    }
}

static void options_of_a_later_program_are_refused_as_such(void **state)
{
    union {
        weir_choose_options_t options;
        unsigned char bytes[sizeof(weir_choose_options_t) + 8];
    } program;
    weir_choice_t *choice = NULL;
    (void)state;
    weir_choose_options_init_sized(&program.options, sizeof program);
    assert_int_equal(weir_allocator_choose(&program.options, &choice), WEIR_ERROR_VERSION);
    static const size_t never[] = {0, WEIR_CHOOSE_OPTIONS_FIRST - 8, WEIR_CHOOSE_OPTIONS_FIRST + 4};
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
        program.options.size = never[i];
        assert_int_equal(weir_allocator_choose(&program.options, &choice), WEIR_ERROR_INVALID);
    }
    assert_null(choice);
}

/* ---- This machine ------------------------------------------------------------------------------------------------ */

static void this_machine_has_a_choice_whose_engine_can_be_built(void **state)
{
    weir_choice_t *choice = NULL;
    wasm_engine_t *engine = NULL;
    int refused = 0;
    (void)state;
    assert_int_equal(weir_allocator_choose(NULL, &choice), WEIR_OK);
    size_t count;
    const weir_trial_result_t *ladder = weir_choice_ladder(choice, &count);
    assert_int_equal(ladder[weir_choice_index(choice)].verdict.outcome, PASS);
    assert_true(weir_choice_milliseconds(choice) > 0);
    assert_true(weir_choice_rung(choice)->slots > 0);
    assert_int_equal(weir_choice_facts(choice)->size, sizeof(weir_facts_t));
    weir_choice_prepare_process(choice);
    wasm_config_t *config = wasm_config_new();
    wasmtime_config_epoch_interruption_set(config, true);
    assert_int_equal(weir_choice_configure(choice, config), WEIR_OK);
    wasmtime_error_t *error = weir_engine_new(config, &engine, &refused);
    assert_null(error);
    weir_pool_metrics_t metrics;
    assert_int_equal(weir_engine_pool_metrics(engine, &metrics), weir_choice_rung(choice)->tier != ONDEMAND);
    wasm_engine_delete(engine);
    weir_choice_free(choice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_that_works_is_taken_and_no_trial_is_wasted),
        cmocka_unit_test(every_step_says_why_it_was_not_tried),
        cmocka_unit_test(one_disturbed_trial_does_not_cost_the_preferred_rung_its_place),
        cmocka_unit_test(a_preferred_rung_is_not_given_up_for_what_may_be_a_disturbance),
        cmocka_unit_test(a_busy_machine_is_not_taken_for_a_slow_one),
        cmocka_unit_test(what_works_once_and_not_twice_is_not_taken),
        cmocka_unit_test(deciding_ends_when_enough_time_is_spent),
        cmocka_unit_test(a_busy_machine_gets_what_takes_the_least_work_to_prove),
        cmocka_unit_test(of_a_busy_machine_it_is_said_that_it_is_busy),
        cmocka_unit_test(where_a_trial_does_not_explain_itself_the_limit_that_arithmetic_met_is_the_remedy),
        cmocka_unit_test(both_places_go_by_what_the_other_leaves),
        cmocka_unit_test(a_large_guest_gets_an_engine_of_its_own_and_the_others_keep_their_pool),
        cmocka_unit_test(where_there_is_no_room_for_two_engines_all_guests_share_one),
        cmocka_unit_test(code_is_shared_by_those_alone_that_need_the_same),
        cmocka_unit_test(what_is_to_be_decided_anew_is_forgotten),
        cmocka_unit_test(a_remembered_choice_is_proved_once_and_nothing_else_is_tried),
        cmocka_unit_test(what_was_decided_while_memory_was_short_is_forgotten_when_it_is_not),
        cmocka_unit_test(nothing_is_said_when_all_that_was_wanted_works),
        cmocka_unit_test(what_a_limit_leaves_no_room_for_is_told_and_a_small_machine_is_not_warned_of),
        cmocka_unit_test(a_faster_rung_than_the_wanted_one_is_no_fallback),
        cmocka_unit_test(what_could_be_asked_for_instead_is_part_of_the_remedy),
        cmocka_unit_test(fewer_slots_could_be_larger_unless_their_size_was_stated),
        cmocka_unit_test(a_trial_that_failed_is_named_beside_what_arithmetic_ruled_out),
        cmocka_unit_test(each_limit_has_its_own_remedy_and_no_other),
        cmocka_unit_test(a_hard_limit_says_who_can_raise_it),
        cmocka_unit_test(where_nothing_fits_it_says_what_would),
        cmocka_unit_test(a_remedy_for_the_host_says_that_it_is_for_the_host),
        cmocka_unit_test(without_a_pool_it_is_disabled_automatically),
        cmocka_unit_test(what_it_means_for_memories_and_requests_is_said),
        cmocka_unit_test(the_runner_up_is_named_with_its_cost),
        cmocka_unit_test(all_of_it_is_said_in_chinese_too),
        cmocka_unit_test(where_code_cannot_run_natively_that_is_said),
        cmocka_unit_test(a_strategy_that_was_asked_for_is_never_replaced),
        cmocka_unit_test(on_demand_that_was_asked_for_is_no_fallback),
        cmocka_unit_test(the_four_words_and_no_others_are_strategies),
        cmocka_unit_test(values_that_are_none_are_unknown),
        cmocka_unit_test(impossible_options_are_refused),
        cmocka_unit_test(options_of_an_older_program_are_taken_and_nothing_beyond_them_is_touched),
        cmocka_unit_test(options_of_a_later_program_are_refused_as_such),
        cmocka_unit_test(this_machine_has_a_choice_whose_engine_can_be_built),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
