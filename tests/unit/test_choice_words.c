/*
 * test_choice_words.c: what is said of a choice: the notice, the reasons, the remedies, in English and in Chinese.
 */
#include "allocator/phrases.h"
#include "allocator/remedy.h"
#include "allocator/report.h"
#include "allocator/text.h"
#include "choice_support.h"

#include <stdlib.h>

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
    assert_says(weir_choice_notice(choice), "grows to 56 MiB at most (more when fewer at a time are wanted).");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_a_busy_machine_it_is_said_that_it_is_busy),
        cmocka_unit_test(where_a_trial_does_not_explain_itself_the_limit_that_arithmetic_met_is_the_remedy),
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
