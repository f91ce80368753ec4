/*
 * test_ladder.c: which rungs are made of which facts, needs and strategy, and what holds for every ladder.
 */
#include "allocator/budget.h"
#include "allocator/ladder.h"
#include "allocator/plan.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* cmocka.h wants the others before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
/* clang-format on */

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)
#define GIB (KIB * MIB)
#define TIB (KIB * GIB)

static weir_fact_t known(uint64_t value)
{
    return (weir_fact_t){WEIR_KNOWN, value, "test"};
}

static weir_fact_t unlimited(void)
{
    return (weir_fact_t){WEIR_UNLIMITED, 0, "test"};
}

static weir_fact_t unknown(void)
{
    return (weir_fact_t){WEIR_UNKNOWN, 0, "test"};
}

/* A machine with two processors and 24 GiB that refuses nothing. */
static weir_facts_t generous(void)
{
    return (weir_facts_t){
        .size = sizeof(weir_facts_t),
        .processors = known(2),
        .page_size = known(4096),
        .memory_total = known(24 * GIB),
        .memory_available = known(23 * GIB),
        .commit_limit = known(12 * GIB),
        .commit_used = known(GIB),
        .commit_reserve = known(8 * MIB),
        .overcommit_mode = known(0),
        .address_space_limit = unlimited(),
        .address_space_used = known(30 * MIB),
        .data_limit = unlimited(),
        .data_used = known(4 * MIB),
        .address_bits = known(47),
        .cgroup_limit = unlimited(),
        .cgroup_used = unknown(),
        .mappings_limit = known(65530),
        .mappings_used = known(60),
        .executable_memory = known(1),
        .emulated = known(0),
    };
}

static weir_facts_t ignorant(void)
{
    weir_facts_t facts = {.size = sizeof facts};
    size_t count = (sizeof facts - offsetof(weir_facts_t, processors)) / sizeof(weir_fact_t);
    weir_fact_t *first = &facts.processors;
    for (size_t i = 0; i < count; i++) {
        first[i] = unknown();
    }
    return facts;
}

static void make(const weir_facts_t *facts, const weir_needs_t *needs, weir_strategy_t strategy,
    weir_needs_t *ret_needs, weir_ladder_t *ret_ladder)
{
    weir_needs_complete(facts, needs, ret_needs);
    weir_ladder_make(facts, ret_needs, strategy, ret_ladder);
}

static const weir_step_t *first_possible(const weir_ladder_t *ladder)
{
    for (size_t i = 0; i < ladder->count; i++) {
        if (ladder->steps[i].possible) {
            return &ladder->steps[i];
        }
    }
    return NULL;
}

/* ---- What comes first -------------------------------------------------------------------------------------------- */

typedef struct first_case {
    const char *name;
    void (*change)(weir_facts_t *facts);
    weir_needs_t needs;
    weir_strategy_t strategy;
    weir_tier_t tier;
    uint32_t slots_least;
    uint32_t slots_most;
    uint64_t slot_least;
    uint64_t slot_most;
    bool pulley;
    weir_limit_t limit; /* that rules out the standard pool in full; NONE: nothing does */
} first_case_t;

static void as_it_is(weir_facts_t *facts)
{
    (void)facts;
}

static void as_64_gib(weir_facts_t *facts)
{
    facts->address_space_limit = known(64 * GIB);
}

static void as_1_tib(weir_facts_t *facts)
{
    facts->address_space_limit = known(TIB);
}

static void as_2_tib(weir_facts_t *facts)
{
    facts->address_space_limit = known(2 * TIB);
}

static void as_8_gib(weir_facts_t *facts)
{
    facts->address_space_limit = known(8 * GIB);
}

static void as_1_gib(weir_facts_t *facts)
{
    facts->address_space_limit = known(GIB);
}

static void as_400_mib(weir_facts_t *facts)
{
    facts->address_space_limit = known(400 * MIB);
}

static void as_100_mib(weir_facts_t *facts)
{
    facts->address_space_limit = known(100 * MIB);
}

static void as_80_mib(weir_facts_t *facts)
{
    facts->address_space_limit = known(80 * MIB);
}

static void as_60_mib(weir_facts_t *facts)
{
    facts->address_space_limit = known(60 * MIB);
}

static void as_used_up(weir_facts_t *facts)
{
    facts->address_space_limit = known(20 * MIB);
}

static void bits_39(weir_facts_t *facts)
{
    facts->address_bits = known(39);
}

static void commit_200_mib(weir_facts_t *facts)
{
    facts->overcommit_mode = known(2);
    facts->commit_limit = known(GIB);
    facts->commit_used = known(GIB - 200 * MIB);
}

static void data_300_mib(weir_facts_t *facts)
{
    facts->data_limit = known(300 * MIB);
}

static void data_300_gib(weir_facts_t *facts)
{
    facts->data_limit = known(300 * GIB);
}

static void data_40_mib(weir_facts_t *facts)
{
    facts->data_limit = known(40 * MIB);
}

static void cgroup_16_mib(weir_facts_t *facts)
{
    facts->cgroup_limit = known(16 * MIB);
    facts->cgroup_used = known(3 * MIB);
}

static void cgroup_8_mib(weir_facts_t *facts)
{
    facts->cgroup_limit = known(8 * MIB);
    facts->cgroup_used = known(2 * MIB);
}

static void cgroup_256_mib(weir_facts_t *facts)
{
    facts->cgroup_limit = known(256 * MIB);
    facts->cgroup_used = known(20 * MIB);
}

static void few_mappings(weir_facts_t *facts)
{
    facts->mappings_limit = known(2000);
}

static void no_code(weir_facts_t *facts)
{
    facts->executable_memory = known(0);
}

static void emulated(weir_facts_t *facts)
{
    facts->emulated = known(1);
}

static const first_case_t first_cases[] = {
    {"all is granted", as_it_is, {0}, WEIR_STRATEGY_AUTO, WEIR_TIER_STANDARD, 1000, 1000, 4 * GIB, 4 * GIB, false,
        WEIR_LIMIT_NONE},
    {"fewer 4 GiB slots before smaller ones", as_1_tib, {0}, WEIR_STRATEGY_AUTO, WEIR_TIER_STANDARD, 200, 256, 4 * GIB,
        4 * GIB, false, WEIR_LIMIT_ADDRESS_SPACE},
    {"64 GiB", as_64_gib, {0}, WEIR_STRATEGY_AUTO, WEIR_TIER_COMPACT, 900, 1000, 64 * MIB, 64 * MIB, false,
        WEIR_LIMIT_ADDRESS_SPACE},
    {"64 GiB and few wanted", as_64_gib, {.concurrency = 8}, WEIR_STRATEGY_AUTO, WEIR_TIER_STANDARD, 8, 8, 4 * GIB,
        4 * GIB, false, WEIR_LIMIT_NONE},
    {"8 GiB: somewhat smaller slots, so that there are enough to be divided among threads", as_8_gib, {0},
        WEIR_STRATEGY_AUTO, WEIR_TIER_COMPACT, 128, 140, 48 * MIB, 60 * MIB, false, WEIR_LIMIT_ADDRESS_SPACE},
    {"8 GiB and fewer wanted than are divided", as_8_gib, {.concurrency = 100}, WEIR_STRATEGY_AUTO, WEIR_TIER_COMPACT,
        100, 100, 64 * MIB, 64 * MIB, false, WEIR_LIMIT_ADDRESS_SPACE},
    {"1 GiB", as_1_gib, {0}, WEIR_STRATEGY_AUTO, WEIR_TIER_COMPACT, 16, 32, 16 * MIB, 32 * MIB, false,
        WEIR_LIMIT_ADDRESS_SPACE},
    {"400 MiB", as_400_mib, {0}, WEIR_STRATEGY_AUTO, WEIR_TIER_COMPACT, 12, 16, 16 * MIB, 16 * MIB, false,
        WEIR_LIMIT_ADDRESS_SPACE},
    {"400 MiB and 13 MiB guests", as_400_mib, {.minimum_memory_bytes = 13 * MIB}, WEIR_STRATEGY_AUTO, WEIR_TIER_COMPACT,
        8, 12, 26 * MIB, 26 * MIB, false, WEIR_LIMIT_ADDRESS_SPACE},
    {"100 MiB: few slots before none", as_100_mib, {0}, WEIR_STRATEGY_AUTO, WEIR_TIER_COMPACT, 4, 4, 5376 * KIB,
        5376 * KIB, false, WEIR_LIMIT_ADDRESS_SPACE},
    {"80 MiB: room to grow is not traded for slots", as_80_mib, {0}, WEIR_STRATEGY_AUTO, WEIR_TIER_ONDEMAND, 4, 5, 0, 0,
        false, WEIR_LIMIT_ADDRESS_SPACE},
    {"80 MiB, and less room is enough", as_80_mib, {.maximum_memory_bytes = 2 * MIB}, WEIR_STRATEGY_AUTO,
        WEIR_TIER_COMPACT, 4, 6, 2 * MIB, 2 * MIB, false, WEIR_LIMIT_ADDRESS_SPACE},
    {"60 MiB", as_60_mib, {0}, WEIR_STRATEGY_AUTO, WEIR_TIER_ONDEMAND, 1, 12, 0, 0, false, WEIR_LIMIT_ADDRESS_SPACE},
    {"39 bits", bits_39, {0}, WEIR_STRATEGY_AUTO, WEIR_TIER_COMPACT, 1000, 1000, 64 * MIB, 128 * MIB, false,
        WEIR_LIMIT_ADDRESS_BITS},
    {"39 bits and 16 wanted", bits_39, {.concurrency = 16}, WEIR_STRATEGY_AUTO, WEIR_TIER_STANDARD, 16, 16, 4 * GIB,
        4 * GIB, false, WEIR_LIMIT_NONE},
    {"200 MiB of commit", commit_200_mib, {0}, WEIR_STRATEGY_AUTO, WEIR_TIER_STANDARD, 32, 80, 4 * GIB, 4 * GIB, false,
        WEIR_LIMIT_COMMIT},
    {"RLIMIT_DATA", data_300_mib, {0}, WEIR_STRATEGY_AUTO, WEIR_TIER_STANDARD, 32, 130, 4 * GIB, 4 * GIB, false,
        WEIR_LIMIT_DATA},
    {"a control group of 256 MiB wants no more than it holds", cgroup_256_mib, {0}, WEIR_STRATEGY_AUTO,
        WEIR_TIER_STANDARD, 64, 180, 4 * GIB, 4 * GIB, false, WEIR_LIMIT_NONE},
    {"a control group of 256 MiB, 1000 wanted", cgroup_256_mib, {.concurrency = 1000}, WEIR_STRATEGY_AUTO,
        WEIR_TIER_STANDARD, 64, 180, 4 * GIB, 4 * GIB, false, WEIR_LIMIT_CGROUP},
    {"a control group of 16 MiB: as many slots as it holds", cgroup_16_mib, {0}, WEIR_STRATEGY_AUTO, WEIR_TIER_STANDARD,
        4, 4, 4 * GIB, 4 * GIB, false, WEIR_LIMIT_NONE},
    {"a control group of 16 MiB, 8 wanted", cgroup_16_mib, {.concurrency = 8}, WEIR_STRATEGY_AUTO, WEIR_TIER_STANDARD,
        4, 4, 4 * GIB, 4 * GIB, false, WEIR_LIMIT_CGROUP},
    {"a control group of 8 MiB, 1000 wanted", cgroup_8_mib, {.concurrency = 1000}, WEIR_STRATEGY_AUTO,
        WEIR_TIER_STANDARD, 2, 2, 4 * GIB, 4 * GIB, false, WEIR_LIMIT_CGROUP},
    {"RLIMIT_DATA that leaves room for few", data_40_mib, {0}, WEIR_STRATEGY_AUTO, WEIR_TIER_STANDARD, 3, 7, 4 * GIB,
        4 * GIB, false, WEIR_LIMIT_DATA},
    {"few mappings", few_mappings, {0}, WEIR_STRATEGY_AUTO, WEIR_TIER_STANDARD, 32, 165, 4 * GIB, 4 * GIB, false,
        WEIR_LIMIT_MAPPINGS},
    {"no executable memory", no_code, {0}, WEIR_STRATEGY_AUTO, WEIR_TIER_STANDARD, 1000, 1000, 4 * GIB, 4 * GIB, true,
        WEIR_LIMIT_NONE},
    {"emulated", emulated, {0}, WEIR_STRATEGY_AUTO, WEIR_TIER_COMPACT, 64, 64, 64 * MIB, 128 * MIB, false,
        WEIR_LIMIT_EMULATION},
    {"pooling", as_it_is, {0}, WEIR_STRATEGY_POOLING, WEIR_TIER_STANDARD, 1000, 1000, 4 * GIB, 4 * GIB, false,
        WEIR_LIMIT_NONE},
    {"pooling means any number of slots", as_8_gib, {0}, WEIR_STRATEGY_POOLING, WEIR_TIER_STANDARD, 1, 1, 4 * GIB,
        4 * GIB, false, WEIR_LIMIT_ADDRESS_SPACE},
    {"pooling, emulated", emulated, {0}, WEIR_STRATEGY_POOLING, WEIR_TIER_STANDARD, 15, 16, 4 * GIB, 4 * GIB, false,
        WEIR_LIMIT_EMULATION},
    {"compact", as_it_is, {0}, WEIR_STRATEGY_COMPACT, WEIR_TIER_COMPACT, 1000, 1000, GIB, GIB, false, WEIR_LIMIT_NONE},
    {"compact in 60 MiB means any number and size", as_60_mib, {0}, WEIR_STRATEGY_COMPACT, WEIR_TIER_COMPACT, 1, 10,
        1280 * KIB, 4 * MIB, false, WEIR_LIMIT_NONE},
    {"on demand", as_it_is, {0}, WEIR_STRATEGY_ONDEMAND, WEIR_TIER_ONDEMAND, 1000, 1000, 4 * GIB, 4 * GIB, false,
        WEIR_LIMIT_NONE},
    {"any pool", as_1_gib, {0}, WEIR_STRATEGY_ANY_POOL, WEIR_TIER_COMPACT, 16, 32, 16 * MIB, 32 * MIB, false,
        WEIR_LIMIT_ADDRESS_SPACE},
    {"a stated maximum is the slot", as_1_gib, {.maximum_memory_bytes = 10 * MIB}, WEIR_STRATEGY_AUTO,
        WEIR_TIER_COMPACT, 50, 90, 10 * MIB, 10 * MIB, false, WEIR_LIMIT_ADDRESS_SPACE},
};

static void the_first_rung_that_fits_is_the_one_for_the_machine(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof first_cases / sizeof first_cases[0]; i++) {
        const first_case_t *test = &first_cases[i];
        weir_facts_t facts = generous();
        weir_needs_t needs;
        weir_ladder_t ladder;
        test->change(&facts);
        make(&facts, &test->needs, test->strategy, &needs, &ladder);
        const weir_step_t *step = first_possible(&ladder);
        if (step == NULL) {
            fail_msg("%s: nothing is possible", test->name);
            return;
        }
        const weir_rung_t *rung = &step->result.rung;
        char text[128];
        if (rung->tier != test->tier || rung->slots < test->slots_least || rung->slots > test->slots_most ||
            rung->slot_bytes < test->slot_least || rung->slot_bytes > test->slot_most || rung->pulley != test->pulley) {
            fail_msg("%s: %s", test->name, weir_rung_text(rung, text, sizeof text));
        }
        for (size_t j = 0; j < ladder.count; j++) {
            const weir_trial_result_t *result = &ladder.steps[j].result;
            bool whole = result->rung.tier == WEIR_TIER_STANDARD && result->rung.slots == needs.concurrency;
            if (whole && result->verdict.limit != test->limit) {
                fail_msg("%s: the standard pool is ruled out by %d", test->name, result->verdict.limit);
            }
        }
    }
}

/* As a pool comes before on demand whatever it costs, it must not hold far fewer. */
static void a_pool_holds_half_of_what_on_demand_does_and_two_for_each_processor(void **state)
{
    static const uint64_t minima[] = {128 * KIB, 0, 13 * MIB};
    unsigned pools = 0;
    unsigned others = 0;
    (void)state;
    for (uint64_t mib = 60; mib < 600; mib += 3) {
        for (uint64_t processors = 1; processors <= 16; processors *= 2) {
            for (size_t i = 0; i < sizeof minima / sizeof minima[0]; i++) {
                weir_facts_t facts = generous();
                weir_needs_t needs = {.minimum_memory_bytes = minima[i]};
                weir_ladder_t ladder;
                uint32_t rival = 0;
                facts.processors = known(processors);
                facts.address_space_limit = known(mib * MIB);
                make(&facts, &needs, WEIR_STRATEGY_AUTO, &needs, &ladder);
                const weir_step_t *first = first_possible(&ladder);
                if (first == NULL) {
                    continue;
                }
                for (size_t j = 0; j < ladder.count; j++) {
                    const weir_step_t *step = &ladder.steps[j];
                    bool ondemand =
                        step->result.rung.tier == WEIR_TIER_ONDEMAND && step->possible && !step->last_resort;
                    rival = ondemand && step->result.rung.slots > rival ? step->result.rung.slots : rival;
                }
                const weir_rung_t *rung = &first->result.rung;
                bool pool = rung->tier != WEIR_TIER_ONDEMAND;
                pools += pool ? 1 : 0;
                others += pool ? 0 : 1;
                if (pool) {
                    assert_true(rung->slots >= 2 * processors || rung->slots >= rival);
                    assert_true(2 * rung->slots + 1 >= rival || (rung->slots >= 8 && rung->slots >= 4 * processors));
                    assert_true(rung->slot_bytes >= needs.minimum_memory_bytes + 4 * MIB);
                }
            }
        }
    }
    assert_true(pools > 0);
    assert_true(others > 0);
}

static void a_rung_that_is_ruled_out_says_the_arithmetic(void **state)
{
    weir_facts_t facts = generous();
    weir_needs_t needs;
    weir_ladder_t ladder;
    (void)state;
    as_64_gib(&facts);
    make(&facts, &(weir_needs_t){0}, WEIR_STRATEGY_AUTO, &needs, &ladder);
    const weir_verdict_t *verdict = &ladder.steps[0].result.verdict;
    assert_false(ladder.steps[0].possible);
    assert_int_equal(verdict->outcome, WEIR_OUTCOME_NOT_TRIED);
    assert_non_null(strstr(verdict->message, "3.9 TiB of address space"));
    assert_non_null(strstr(verdict->message, "RLIMIT_AS (64 GiB)"));
    assert_in_range(verdict->refused_bytes, 1000 * 4 * GIB, 1000 * 5 * GIB);
}

static void slots_are_spare_where_that_makes_a_pool_large_enough_to_be_divided(void **state)
{
    static const struct {
        const char *name;
        void (*change)(weir_facts_t *facts);
        uint64_t processors;
        uint32_t concurrency;
        uint32_t spare;
    } cases[] = {
        {"few are wanted of many", as_it_is, 2, 32, 96},
        {"one is wanted", as_it_is, 16, 1, 127},
        {"as many as are divided", as_it_is, 2, 128, 0},
        {"all", as_it_is, 2, 0, 0},
        {"one processor has them to itself", as_it_is, 1, 32, 0},
        {"they fit in half of a limit", as_2_tib, 2, 60, 68},
        {"they do not", as_1_tib, 2, 8, 0},
        {"writable memory is short", commit_200_mib, 2, 8, 0},
        {"an emulator pays for each", emulated, 2, 8, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        weir_facts_t facts = generous();
        weir_needs_t needs = {.concurrency = cases[i].concurrency};
        weir_ladder_t ladder;
        cases[i].change(&facts);
        facts.processors = known(cases[i].processors);
        make(&facts, &needs, WEIR_STRATEGY_POOLING, &needs, &ladder);
        const weir_step_t *first = first_possible(&ladder);
        assert_non_null(first);
        print_message("%s\n", cases[i].name);
        assert_int_equal(first->result.rung.spare_slots, cases[i].spare);
    }
    weir_facts_t facts = ignorant();
    weir_needs_t needs = {.concurrency = 32};
    weir_ladder_t ladder;
    facts.processors = known(2);
    make(&facts, &needs, WEIR_STRATEGY_AUTO, &needs, &ladder);
    assert_int_equal(first_possible(&ladder)->result.rung.spare_slots, 0);
}

/* ---- What holds for every ladder --------------------------------------------------------------------------------- */

static bool strategy_allows(weir_strategy_t strategy, weir_tier_t tier)
{
    switch (strategy) {
    case WEIR_STRATEGY_AUTO:
        return true;
    case WEIR_STRATEGY_POOLING:
        return tier == WEIR_TIER_STANDARD;
    case WEIR_STRATEGY_COMPACT:
        return tier == WEIR_TIER_COMPACT;
    case WEIR_STRATEGY_ONDEMAND:
        return tier == WEIR_TIER_ONDEMAND;
    case WEIR_STRATEGY_ANY_POOL:
        return tier != WEIR_TIER_ONDEMAND;
    }
    return false;
}

static void check_step(const weir_facts_t *facts, const weir_needs_t *needs, weir_strategy_t strategy,
    const weir_ladder_t *ladder, size_t index)
{
    const weir_step_t *step = &ladder->steps[index];
    const weir_rung_t *rung = &step->result.rung;
    uint64_t asked;
    const char *what;
    assert_true(strategy_allows(strategy, rung->tier));
    assert_in_range(rung->slots, 1, needs->concurrency);
    assert_true(rung->memory_keep_resident_bytes <= rung->slot_bytes);
    assert_true(rung->stack_bytes >= MIB);
    assert_int_equal(step->result.verdict.outcome, WEIR_OUTCOME_NOT_TRIED);
    /* Totals are scaled by what one instance needs, and no guest finds a slot too small. */
    assert_int_equal(rung->memories_per_slot, needs->memories);
    assert_int_equal(rung->tables_per_slot, needs->tables);
    assert_int_equal(rung->core_instances_per_slot, needs->core_instances);
    assert_int_equal(rung->stacks_per_slot, needs->stacks);
    assert_true(rung->table_elements >= needs->table_elements);
    if (rung->tier == WEIR_TIER_STANDARD) {
        assert_int_equal(rung->slot_bytes, 4 * GIB);
    }
    if (rung->tier == WEIR_TIER_COMPACT) {
        assert_true(rung->slot_bytes >= needs->minimum_memory_bytes);
        assert_true(rung->slot_bytes < 4 * GIB || needs->minimum_memory_bytes == 4 * GIB);
        assert_int_equal(rung->slot_bytes % (64 * KIB), 0);
    }
    assert_int_equal(rung->guard_bytes != 0, !rung->pulley);
    if (weir_fact_is(facts->executable_memory, 0)) {
        assert_true(rung->pulley);
    } else {
        assert_int_equal(rung->pulley, step->last_resort);
    }
    if (rung->spare_slots > 0) {
        assert_int_not_equal(rung->tier, WEIR_TIER_ONDEMAND);
        assert_int_equal(rung->slots + rung->spare_slots, 128);
        assert_true(weir_plan_is_roomy(facts, needs, &ladder->budgets, rung));
    }
    bool fits = weir_rung_overdraws(rung, needs, weir_facts_page_size(facts), &ladder->budgets, &asked, &what) == NULL;
    bool smallest = rung->tier == WEIR_TIER_ONDEMAND && rung->slot_bytes == 0;
    if (step->possible) {
        assert_true(fits || smallest);
    } else {
        assert_string_not_equal(step->result.verdict.message, "");
        assert_int_not_equal(step->result.verdict.limit, WEIR_LIMIT_NONE);
    }
    if (index > 0) {
        assert_true(step->group >= ladder->steps[index - 1].group);
    }
}

static void check_ladder(const weir_facts_t *facts, const weir_needs_t *wanted, weir_strategy_t strategy)
{
    weir_needs_t needs;
    weir_ladder_t ladder;
    make(facts, wanted, strategy, &needs, &ladder);
    assert_in_range(ladder.count, 1, WEIR_LADDER_MAX);
    bool ondemand = false;
    for (size_t i = 0; i < ladder.count; i++) {
        check_step(facts, &needs, strategy, &ladder, i);
        ondemand = ondemand || (ladder.steps[i].possible && ladder.steps[i].result.rung.tier == WEIR_TIER_ONDEMAND);
    }
    /* There is always something left to try, unless a strategy was asked for, or nothing is left at all. */
    bool nothing = (ladder.budgets.address.bounded && ladder.budgets.address.bytes == 0) ||
                   (ladder.budgets.commit.bounded && ladder.budgets.commit.bytes == 0);
    if (strategy == WEIR_STRATEGY_AUTO) {
        assert_int_equal(ondemand, !nothing);
    }
}

static void every_ladder_keeps_its_promises(void **state)
{
    static const uint64_t values[] = {0, 1, 4096, 50 * MIB, 400 * MIB, GIB, 8 * GIB, 64 * GIB, 6 * TIB, UINT64_MAX};
    static const uint64_t minima[] = {0, 1, 64 * KIB, 1280 * KIB, 13 * MIB, 200 * MIB, 3 * GIB, 4 * GIB};
    static const uint32_t wanted[] = {0, 1, 7, 1000, 1000000};
    static const weir_strategy_t strategies[] = {WEIR_STRATEGY_AUTO, WEIR_STRATEGY_POOLING, WEIR_STRATEGY_COMPACT,
        WEIR_STRATEGY_ONDEMAND, WEIR_STRATEGY_ANY_POOL};
    const size_t value_count = sizeof values / sizeof values[0];
    (void)state;
    for (size_t fact = 0; fact < 8; fact++) {
        for (size_t i = 0; i < value_count * (sizeof minima / sizeof minima[0]); i++) {
            weir_facts_t facts = fact == 7 ? ignorant() : generous();
            uint64_t value = values[i % value_count];
            facts.address_space_limit = fact == 0 ? known(value) : facts.address_space_limit;
            facts.data_limit = fact == 1 ? known(value) : facts.data_limit;
            facts.cgroup_limit = fact == 2 ? known(value) : facts.cgroup_limit;
            facts.memory_available = fact == 3 ? known(value) : facts.memory_available;
            facts.overcommit_mode = fact == 4 ? known(2) : facts.overcommit_mode;
            facts.commit_limit = fact == 4 ? known(value) : facts.commit_limit;
            facts.emulated = fact == 5 ? known(1) : facts.emulated;
            facts.address_space_limit = fact == 5 ? known(value) : facts.address_space_limit;
            facts.executable_memory = fact == 6 ? known(0) : facts.executable_memory;
            facts.mappings_limit = fact == 6 ? known(value) : facts.mappings_limit;
            facts.processors = fact == 6 ? known(UINT64_MAX) : facts.processors;
            for (size_t j = 0; j < sizeof wanted / sizeof wanted[0]; j++) {
                weir_needs_t needs = {.minimum_memory_bytes = minima[i / value_count],
                    .concurrency = wanted[j],
                    .memories = j % 3 * 2,
                    .tables = j % 2 * 5,
                    .maximum_memory_bytes = j == 3 ? values[(i + 5) % value_count] : 0,
                    .wasm_bytes = j == 4 ? UINT64_MAX / 2 : 0};
                for (size_t k = 0; k < sizeof strategies / sizeof strategies[0]; k++) {
                    check_ladder(&facts, &needs, strategies[k]);
                }
            }
        }
    }
}

static void what_is_unknown_is_tried_and_not_ruled_out(void **state)
{
    weir_facts_t facts = ignorant();
    weir_needs_t needs;
    weir_ladder_t ladder;
    (void)state;
    make(&facts, &(weir_needs_t){0}, WEIR_STRATEGY_AUTO, &needs, &ladder);
    for (size_t i = 0; i < ladder.count; i++) {
        assert_true(ladder.steps[i].possible);
    }
    assert_int_equal(ladder.steps[0].result.rung.tier, WEIR_TIER_STANDARD);
    /* Where the first is refused against expectation, smaller ones follow. */
    uint32_t slots = 0;
    uint64_t smallest = UINT64_MAX;
    for (size_t i = 0; i < ladder.count; i++) {
        const weir_rung_t *rung = &ladder.steps[i].result.rung;
        slots = rung->tier == WEIR_TIER_STANDARD ? rung->slots : slots;
        smallest = rung->tier == WEIR_TIER_COMPACT && rung->slot_bytes < smallest ? rung->slot_bytes : smallest;
    }
    assert_in_range(slots, 32, 125);
    assert_true(smallest <= 64 * MIB);
}

/* ---- Budgets and costs ------------------------------------------------------------------------------------------- */

static void sums_and_products_stop_at_the_largest_number(void **state)
{
    (void)state;
    assert_int_equal(weir_add(1, 2), 3);
    assert_int_equal(weir_add(UINT64_MAX, 1), UINT64_MAX);
    assert_int_equal(weir_add(UINT64_MAX - 1, 1), UINT64_MAX);
    assert_int_equal(weir_multiply(3, 4), 12);
    assert_int_equal(weir_multiply(0, UINT64_MAX), 0);
    assert_int_equal(weir_multiply(UINT64_MAX, 0), 0);
    assert_int_equal(weir_multiply(UINT64_C(1) << 32, UINT64_C(1) << 32), UINT64_MAX);
}

static void the_cost_of_a_pool_is_what_wasmtime_maps(void **state)
{
    /* 1000 × (4 GiB + 32 MiB) + 2 × 32 MiB, 1000 × 160,000 bytes of tables in whole pages, 1000 × (2 MiB + 4 KiB). */
    const weir_rung_t rung = {.tier = WEIR_TIER_STANDARD,
        .slots = 1000,
        .slot_bytes = 4 * GIB,
        .guard_bytes = 32 * MIB,
        .table_elements = 20000,
        .memories_per_slot = 1,
        .tables_per_slot = 1,
        .stack_bytes = 2 * MIB};
    const weir_needs_t needs = {.minimum_memory_bytes = 1280 * KIB, .memories = 1, .tables = 1};
    (void)state;
    weir_cost_t cost = weir_rung_cost(&rung, &needs, 4096, 1000);
    uint64_t tables = UINT64_C(1000) * 163840;
    uint64_t stacks = UINT64_C(1000) * (2 * MIB + 4 * KIB);
    uint64_t heap = UINT64_C(1000) * 64 * KIB; /* what the host keeps for each */
    assert_int_equal(cost.address, 1000 * (4 * GIB + 32 * MIB) + 64 * MIB + tables + stacks + heap);
    assert_int_equal(cost.commit, UINT64_C(1000) * (1280 * KIB + 163840 + 2 * MIB) + heap);
    assert_int_equal(weir_rung_address_bytes(&rung, &needs), cost.address);
}

static void the_most_that_fits_is_found_exactly(void **state)
{
    const weir_rung_t rung = {.tier = WEIR_TIER_COMPACT,
        .slot_bytes = 64 * MIB,
        .guard_bytes = 64 * KIB,
        .table_elements = 1000,
        .memories_per_slot = 1,
        .tables_per_slot = 1,
        .stack_bytes = MIB};
    const weir_needs_t needs = {.minimum_memory_bytes = MIB, .memories = 1, .tables = 1};
    weir_budgets_t budgets = {.arenas = 0};
    (void)state;
    for (uint32_t slots = 1; slots < 40; slots += 13) {
        budgets.address = (weir_budget_t){true, weir_rung_cost(&rung, &needs, 4096, slots).address, 0, 0};
        assert_int_equal(weir_rung_fit(&rung, &needs, 4096, &budgets, 1000), slots);
        assert_int_equal(weir_rung_fit(&rung, &needs, 4096, &budgets, 5), slots < 5 ? slots : 5);
        budgets.address.bytes--;
        assert_int_equal(weir_rung_fit(&rung, &needs, 4096, &budgets, 1000), slots - 1);
    }
    budgets.address.bounded = false;
    assert_int_equal(weir_rung_fit(&rung, &needs, 4096, &budgets, UINT32_MAX), UINT32_MAX - 1);
}

static void the_instances_wanted_follow_the_memory_that_is_there(void **state)
{
    static const struct {
        uint64_t available;
        uint64_t minimum;
        uint32_t least;
        uint32_t most;
    } cases[] = {
        {23 * GIB, 0, 1000, 1000},
        {200 * MIB, 0, 40, 120},
        {23 * GIB, 200 * MIB, 60, 90},
        {10 * MIB, 0, 2, 3},
        {0, 0, 1, 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        weir_facts_t facts = generous();
        weir_needs_t needs = {.minimum_memory_bytes = cases[i].minimum};
        facts.memory_available = known(cases[i].available);
        weir_needs_complete(&facts, &needs, &needs);
        assert_in_range(needs.concurrency, cases[i].least, cases[i].most);
    }
}

static void arenas_are_limited_where_address_space_is_tight(void **state)
{
    static const struct {
        uint64_t limit;
        unsigned arenas;
    } cases[] = {{400 * MIB, 1}, {GIB, 1}, {8 * GIB, 8}, {64 * GIB, 0}};
    weir_budgets_t budgets;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        weir_facts_t facts = generous();
        facts.address_space_limit = known(cases[i].limit);
        weir_budgets_make(&facts, &(weir_needs_t){0}, false, &budgets);
        assert_int_equal(budgets.arenas, cases[i].arenas);
        /* What is left, what is kept back, what is used and what an engine takes are the limit together. */
        uint64_t sum = budgets.address.bytes + budgets.address_margin + facts.address_space_used.value;
        assert_in_range(cases[i].limit - sum, 0, 32 * MIB);
    }
    weir_facts_t facts = generous();
    weir_budgets_make(&facts, &(weir_needs_t){0}, false, &budgets);
    assert_int_equal(budgets.arenas, 0);
    assert_int_equal(budgets.address_margin, 0);
}

static void the_tightest_of_several_limits_is_the_one_that_is_named(void **state)
{
    weir_facts_t facts = generous();
    weir_budgets_t budgets;
    (void)state;
    facts.address_bits = known(39);
    facts.address_space_limit = known(64 * GIB);
    facts.overcommit_mode = known(2);
    facts.data_limit = known(GIB);
    weir_budgets_make(&facts, &(weir_needs_t){0}, false, &budgets);
    assert_int_equal(budgets.address.limit, WEIR_LIMIT_ADDRESS_SPACE);
    assert_int_equal(budgets.commit.limit, WEIR_LIMIT_DATA);
    assert_int_equal(budgets.resident.limit, WEIR_LIMIT_MEMORY);
    facts.address_space_limit = known(TIB);
    facts.data_limit = known(100 * GIB);
    facts.cgroup_limit = known(GIB);
    facts.cgroup_used = known(0);
    weir_budgets_make(&facts, &(weir_needs_t){0}, false, &budgets);
    assert_int_equal(budgets.address.limit, WEIR_LIMIT_ADDRESS_BITS);
    assert_int_equal(budgets.commit.limit, WEIR_LIMIT_COMMIT);
    assert_int_equal(budgets.resident.limit, WEIR_LIMIT_CGROUP);
    /* CommitLimit binds in mode 2 alone. */
    facts.overcommit_mode = known(0);
    weir_budgets_make(&facts, &(weir_needs_t){0}, false, &budgets);
    assert_int_equal(budgets.commit.limit, WEIR_LIMIT_DATA);
}

static void where_nothing_is_left_nothing_is_tried_and_the_limit_is_named(void **state)
{
    weir_facts_t facts = generous();
    weir_needs_t needs;
    weir_ladder_t ladder;
    (void)state;
    as_used_up(&facts);
    make(&facts, &(weir_needs_t){0}, WEIR_STRATEGY_AUTO, &needs, &ladder);
    assert_null(first_possible(&ladder));
    for (size_t i = 0; i < ladder.count; i++) {
        assert_int_equal(ladder.steps[i].result.verdict.limit, WEIR_LIMIT_ADDRESS_SPACE);
    }
}

/* ---- Plans ------------------------------------------------------------------------------------------------------- */

static void a_plan_holds_all_that_is_promised_and_takes_its_time_where_that_is_tight(void **state)
{
    static const struct {
        const char *name;
        void (*change)(weir_facts_t *facts);
        weir_tier_t tier;
        bool tight;
    } cases[] = {
        {"a pool where nothing is tight", as_it_is, WEIR_TIER_STANDARD, false},
        {"a pool in little address space", as_400_mib, WEIR_TIER_COMPACT, false},
        {"on demand in little address space", as_400_mib, WEIR_TIER_ONDEMAND, true},
        {"a pool with little commit", commit_200_mib, WEIR_TIER_STANDARD, true},
        {"a pool with little data", data_300_mib, WEIR_TIER_COMPACT, true},
        {"a pool with data to spare", data_300_gib, WEIR_TIER_COMPACT, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        weir_facts_t facts = generous();
        weir_needs_t needs;
        weir_ladder_t ladder;
        weir_plan_t plan;
        cases[i].change(&facts);
        make(&facts, &(weir_needs_t){0}, WEIR_STRATEGY_AUTO, &needs, &ladder);
        const weir_rung_t rung = {.tier = cases[i].tier,
            .slots = 100,
            .slot_bytes = 16 * MIB,
            .stack_bytes = MIB,
            .memories_per_slot = 1,
            .tables_per_slot = 1};
        weir_plan_make(&facts, &needs, &ladder.budgets, &rung, WEIR_DEPTH_FULL, 0, &plan);
        assert_int_equal(plan.hold, 100);
        if ((plan.hold_milliseconds >= 1000) != cases[i].tight) {
            fail_msg("%s: %.0f ms", cases[i].name, plan.hold_milliseconds);
        }
        assert_true(plan.hold >= 1);
        assert_true(plan.deadline > 0);
    }
}

static void to_prove_again_a_pool_may_be_short_as_long_as_all_of_it_is_asked_for(void **state)
{
    enum { SHORT = 64 };
    static const struct {
        const char *name;
        uint64_t mappings; /* that may be had */
        uint64_t address;  /* RLIMIT_AS; 0: none */
        uint64_t commit;   /* that may be committed, in strict overcommit; 0: any */
        weir_tier_t tier;
        uint32_t slots;
        bool shortened;
    } cases[] = {
        {"far within the limits", 65530, 0, 0, WEIR_TIER_STANDARD, 1000, true},
        {"few slots", 65530, 0, 0, WEIR_TIER_STANDARD, SHORT, false},
        {"most of the mappings", 4000, 0, 0, WEIR_TIER_STANDARD, 1000, false},
        {"most of the address space", 65530, 5000 * GIB, 0, WEIR_TIER_STANDARD, 1000, false},
        {"a part of the address space", 65530, 20000 * GIB, 0, WEIR_TIER_STANDARD, 1000, true},
        {"most of what may be committed", 65530, 0, 2 * GIB, WEIR_TIER_STANDARD, 1000, false},
        {"a part of what may be committed", 65530, 0, 20 * GIB, WEIR_TIER_STANDARD, 1000, true},
        {"no pool", 65530, 0, 0, WEIR_TIER_ONDEMAND, 1000, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        weir_facts_t facts = generous();
        weir_needs_t needs;
        weir_ladder_t ladder;
        weir_plan_t full;
        weir_plan_t quick;
        facts.mappings_limit = known(cases[i].mappings);
        if (cases[i].address != 0) {
            facts.address_space_limit = known(cases[i].address);
        }
        if (cases[i].commit != 0) {
            facts.overcommit_mode = known(2);
            facts.commit_limit = known(cases[i].commit);
            facts.commit_used = known(0);
        }
        make(&facts, &(weir_needs_t){.concurrency = 1000}, WEIR_STRATEGY_AUTO, &needs, &ladder);
        const weir_rung_t rung = {.tier = cases[i].tier,
            .slots = cases[i].slots,
            .slot_bytes = 4 * GIB,
            .stack_bytes = MIB,
            .memories_per_slot = 1,
            .tables_per_slot = 1};
        weir_plan_make(&facts, &needs, &ladder.budgets, &rung, WEIR_DEPTH_FULL, 0, &full);
        weir_plan_make(&facts, &needs, &ladder.budgets, &rung, WEIR_DEPTH_QUICK, 0, &quick);
        assert_int_equal(full.rung.slots, cases[i].slots);
        if ((quick.rung.slots < cases[i].slots) != cases[i].shortened) {
            fail_msg("%s: %u slots", cases[i].name, (unsigned)quick.rung.slots);
        }
        weir_cost_t all = weir_rung_cost(&rung, &needs, 4096, rung.slots);
        weir_cost_t some = weir_rung_cost(&quick.rung, &needs, 4096, quick.rung.slots);
        uint64_t reserved = quick.reserve_address + quick.reserve_commit;
        assert_true(some.address + reserved == all.address + full.reserve_address + full.reserve_commit);
        if (cases[i].commit != 0) {
            assert_true(some.commit + quick.reserve_commit == all.commit + full.reserve_commit);
        }
    }
}

static void a_plan_never_touches_more_than_half_of_what_is_there(void **state)
{
    weir_facts_t facts = generous();
    weir_needs_t needs;
    weir_ladder_t ladder;
    weir_plan_t plan;
    (void)state;
    commit_200_mib(&facts);
    facts.cgroup_limit = known(20 * MIB);
    facts.cgroup_used = known(0);
    make(&facts, &(weir_needs_t){.concurrency = 1000}, WEIR_STRATEGY_AUTO, &needs, &ladder);
    const weir_rung_t rung = {.tier = WEIR_TIER_STANDARD, .slots = 1000, .slot_bytes = 4 * GIB};
    weir_plan_make(&facts, &needs, &ladder.budgets, &rung, WEIR_DEPTH_FULL, 77, &plan);
    assert_int_equal(plan.deadline, 77);
    const uint32_t half = 10 * MIB / 2 / (160 * KIB);
    const struct {
        weir_fact_t kills;
        uint32_t most;
    } cases[] = {
        {known(0), half},
        {known(1), half / 4}, /* this process would go with its trial */
        {{WEIR_UNKNOWN, 0, "test"}, half / 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        facts.cgroup_kills_group = cases[i].kills;
        weir_plan_make(&facts, &needs, &ladder.budgets, &rung, WEIR_DEPTH_FULL, 77, &plan);
        assert_in_range(plan.hold, cases[i].most - 1, cases[i].most);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_rung_that_fits_is_the_one_for_the_machine),
        cmocka_unit_test(where_nothing_is_left_nothing_is_tried_and_the_limit_is_named),
        cmocka_unit_test(a_pool_holds_half_of_what_on_demand_does_and_two_for_each_processor),
        cmocka_unit_test(a_rung_that_is_ruled_out_says_the_arithmetic),
        cmocka_unit_test(slots_are_spare_where_that_makes_a_pool_large_enough_to_be_divided),
        cmocka_unit_test(every_ladder_keeps_its_promises),
        cmocka_unit_test(what_is_unknown_is_tried_and_not_ruled_out),
        cmocka_unit_test(sums_and_products_stop_at_the_largest_number),
        cmocka_unit_test(the_cost_of_a_pool_is_what_wasmtime_maps),
        cmocka_unit_test(the_most_that_fits_is_found_exactly),
        cmocka_unit_test(the_instances_wanted_follow_the_memory_that_is_there),
        cmocka_unit_test(arenas_are_limited_where_address_space_is_tight),
        cmocka_unit_test(the_tightest_of_several_limits_is_the_one_that_is_named),
        cmocka_unit_test(a_plan_holds_all_that_is_promised_and_takes_its_time_where_that_is_tight),
        cmocka_unit_test(to_prove_again_a_pool_may_be_short_as_long_as_all_of_it_is_asked_for),
        cmocka_unit_test(a_plan_never_touches_more_than_half_of_what_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
