/*
 * test_choice.c: which rung is taken for which verdicts, and how many trials that takes. The trials are a table here;
 * one test at the end lets this machine decide.
 */
#include "allocator/phrases.h"
#include "choice_support.h"
#include "weir_bridge.h"

/* ---- The decision ------------------------------------------------------------------------------------------------ */

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
        cmocka_unit_test(this_machine_has_a_choice_whose_engine_can_be_built),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
