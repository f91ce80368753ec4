/*
 * test_placement.c: which guests share a pool, by arithmetic alone.
 */
#include "allocator/placement.h"

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

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static weir_fact_t known(uint64_t value)
{
    return (weir_fact_t){WEIR_KNOWN, value, "test"};
}

static weir_facts_t machine(uint64_t address_space)
{
    weir_fact_t unlimited = {WEIR_UNLIMITED, 0, "test"};
    return (weir_facts_t){
        .size = sizeof(weir_facts_t),
        .processors = known(2),
        .page_size = known(4096),
        .memory_total = known(24 * GIB),
        .memory_available = known(23 * GIB),
        .overcommit_mode = known(0),
        .address_space_limit = address_space == 0 ? unlimited : known(address_space),
        .address_space_used = known(30 * MIB),
        .data_limit = unlimited,
        .address_bits = known(47),
        .cgroup_limit = unlimited,
        .mappings_limit = known(65530),
        .mappings_used = known(60),
        .executable_memory = known(1),
        .emulated = known(0),
    };
}

static weir_needs_t guest(uint64_t minimum)
{
    return (weir_needs_t){
        .minimum_memory_bytes = minimum, .memories = 1, .tables = 1, .table_elements = 100, .core_instances = 4};
}

enum { GUESTS = 4 };

typedef struct placement_case {
    const char *name;
    uint64_t address_space; /* 0: unlimited */
    weir_strategy_t strategy;
    uint64_t minimums[GUESTS]; /* 0: no guest */
    const char *expected;      /* a letter for each: p(ool) or a(part) */
} placement_case_t;

static const placement_case_t placement_cases[] = {
    {"where there is room all share it", 0, WEIR_STRATEGY_AUTO, {MIB, 20 * MIB, 2 * MIB}, "ppp"},
    {"one that needs the memory of many goes apart also where there is room", 0, WEIR_STRATEGY_AUTO,
        {MIB, 600 * MIB, 2 * MIB}, "pap"},
    {"one large among small ones goes apart", 4 * GIB, WEIR_STRATEGY_AUTO, {MIB, 600 * MIB, 2 * MIB}, "pap"},
    {"two large ones go apart", 4 * GIB, WEIR_STRATEGY_AUTO, {700 * MIB, MIB, 600 * MIB, 2 * MIB}, "apap"},
    {"alike share it", 4 * GIB, WEIR_STRATEGY_AUTO, {600 * MIB, 600 * MIB}, "pp"},
    {"one alone has the pool", 4 * GIB, WEIR_STRATEGY_AUTO, {600 * MIB}, "p"},
    {"slightly larger is no reason", 4 * GIB, WEIR_STRATEGY_AUTO, {MIB, 2 * MIB, 3 * MIB}, "ppp"},
    {"also where a pool was asked for", 4 * GIB, WEIR_STRATEGY_COMPACT, {MIB, 600 * MIB}, "pa"},
    {"on demand there is no pool to share", 4 * GIB, WEIR_STRATEGY_ONDEMAND, {MIB, 600 * MIB}, "pp"},
};

static void a_guest_that_would_make_the_pool_worse_for_others_goes_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof placement_cases / sizeof placement_cases[0]; i++) {
        const placement_case_t *test = &placement_cases[i];
        weir_facts_t facts = machine(test->address_space);
        weir_needs_t guests[GUESTS];
        weir_choose_options_t options;
        weir_placement_t placement;
        weir_choose_options_init(&options);
        options.strategy = test->strategy;
        options.guests = guests;
        while (options.guest_count < GUESTS && test->minimums[options.guest_count] != 0) {
            guests[options.guest_count] = guest(test->minimums[options.guest_count]);
            options.guest_count++;
        }
        weir_placement_make(&facts, &options, &placement);
        size_t apart = 0;
        for (size_t j = 0; j < options.guest_count; j++) {
            if (placement.apart[j] != (test->expected[j] == 'a')) {
                fail_msg("%s: guest %zu is %s", test->name, j, placement.apart[j] ? "apart" : "in the pool");
            }
            uint64_t has =
                placement.apart[j] ? placement.rest.minimum_memory_bytes : placement.pool.minimum_memory_bytes;
            assert_true(has >= test->minimums[j]);
            apart += placement.apart[j] ? 1 : 0;
        }
        assert_int_equal(placement.apart_count, apart);
        assert_true(apart < options.guest_count);
    }
}

static void without_a_list_of_guests_the_needs_say_it_all(void **state)
{
    weir_facts_t facts = machine(4 * GIB);
    weir_choose_options_t options;
    weir_placement_t placement;
    (void)state;
    weir_choose_options_init(&options);
    options.needs = guest(600 * MIB);
    weir_placement_make(&facts, &options, &placement);
    assert_int_equal(placement.apart_count, 0);
    assert_memory_equal(&placement.pool, &options.needs, sizeof options.needs);
}

static void what_an_operator_states_holds_for_both_places(void **state)
{
    weir_facts_t facts = machine(4 * GIB);
    const weir_needs_t guests[] = {guest(MIB), guest(600 * MIB)};
    weir_choose_options_t options;
    weir_placement_t placement;
    (void)state;
    weir_choose_options_init(&options);
    options.guests = guests;
    options.guest_count = 2;
    options.needs.concurrency = 10;
    options.needs.maximum_memory_bytes = GIB;
    weir_placement_make(&facts, &options, &placement);
    assert_int_equal(placement.pool.concurrency, 10);
    assert_int_equal(placement.rest.concurrency, 10);
    assert_int_equal(placement.pool.maximum_memory_bytes, GIB);
    assert_int_equal(placement.rest.maximum_memory_bytes, GIB);
}

static void joined_needs_suit_both(void **state)
{
    const weir_needs_t a = {1, 20, 3, 40, 5, 60, 7, 80, 9};
    const weir_needs_t b = {10, 2, 30, 4, 50, 6, 70, 8, 90};
    const weir_needs_t expected = {10, 20, 33, 40, 50, 60, 70, 80, 90};
    (void)state;
    weir_needs_t joined = weir_needs_join(&a, &b);
    assert_int_equal(joined.minimum_memory_bytes, expected.minimum_memory_bytes);
    assert_int_equal(joined.maximum_memory_bytes, expected.maximum_memory_bytes);
    assert_int_equal(joined.wasm_bytes, expected.wasm_bytes);
    assert_int_equal(joined.memories, expected.memories);
    assert_int_equal(joined.tables, expected.tables);
    assert_int_equal(joined.table_elements, expected.table_elements);
    assert_int_equal(joined.core_instances, expected.core_instances);
    assert_int_equal(joined.stacks, expected.stacks);
    assert_int_equal(joined.concurrency, expected.concurrency);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_guest_that_would_make_the_pool_worse_for_others_goes_apart),
        cmocka_unit_test(without_a_list_of_guests_the_needs_say_it_all),
        cmocka_unit_test(what_an_operator_states_holds_for_both_places),
        cmocka_unit_test(joined_needs_suit_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
