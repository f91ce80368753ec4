/*
 * Whether a choice suits guests that it was not made for.
 */
#include "allocator/choice.h"
#include "allocator/holds.h"

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#define MIB ((uint64_t)1 << 20)

static weir_choice_t choice; /* too large for a stack; zeroed but for its only rung */

static void choose(weir_tier_t tier, uint64_t slot_bytes, size_t apart)
{
    choice.decision.apart_count = apart;
    choice.decision.pool.count = 1;
    choice.decision.pool.index = 0;
    choice.decision.rest = choice.decision.pool;
    choice.decision.pool.ladder[0].rung = (weir_rung_t){.tier = tier,
        .slots = 10,
        .slot_bytes = slot_bytes,
        .table_elements = 1000,
        .memories_per_slot = 1,
        .tables_per_slot = 2,
        .core_instances_per_slot = 3};
}

static const weir_needs_t usual = {
    .minimum_memory_bytes = 4 * MIB, .memories = 1, .tables = 2, .table_elements = 1000, .core_instances = 3};

static weir_needs_t with_memory(uint64_t bytes)
{
    weir_needs_t needs = usual;
    needs.minimum_memory_bytes = bytes;
    return needs;
}

static void test_the_same_needs_are_held_well_however_large_the_files_are(void **state)
{
    (void)state;
    weir_needs_t now = usual;
    now.wasm_bytes = 100 * MIB;
    choose(WEIR_TIER_COMPACT, 8 * MIB, 0);
    assert_int_equal(weir_choice_holds(&choice, &usual, 1, &now, 1), WEIR_HOLDS_WELL);
    choose(WEIR_TIER_COMPACT, 8 * MIB, 1);
    assert_int_equal(weir_choice_holds(&choice, &usual, 1, &now, 1), WEIR_HOLDS_WELL);
}

static void test_what_a_slot_does_not_hold_is_not_held(void **state)
{
    (void)state;
    weir_needs_t more[5] = {with_memory(9 * MIB), usual, usual, usual, usual};
    more[1].memories = 2;
    more[2].tables = 3;
    more[3].table_elements = 1001;
    more[4].core_instances = 4;
    choose(WEIR_TIER_COMPACT, 8 * MIB, 0);
    for (size_t i = 0; i < 5; i++) {
        const weir_needs_t both[2] = {usual, more[i]};
        assert_int_equal(weir_choice_holds(&choice, &usual, 1, both, 2), WEIR_HOLDS_NOT);
    }
    choose(WEIR_TIER_ONDEMAND, 8 * MIB, 0); /* there is no slot to be too small */
    assert_int_not_equal(weir_choice_holds(&choice, &usual, 1, more, 5), WEIR_HOLDS_NOT);
}

static void test_far_smaller_needs_may_have_a_better_choice_unless_there_is_none(void **state)
{
    (void)state;
    const weir_needs_t smaller = with_memory(MIB);
    const weir_needs_t similar = with_memory(3 * MIB);
    choose(WEIR_TIER_COMPACT, 8 * MIB, 0);
    assert_int_equal(weir_choice_holds(&choice, &usual, 1, &smaller, 1), WEIR_HOLDS);
    assert_int_equal(weir_choice_holds(&choice, &usual, 1, &similar, 1), WEIR_HOLDS_WELL);
    choose(WEIR_TIER_STANDARD, 4096 * MIB, 0);
    assert_int_equal(weir_choice_holds(&choice, &usual, 1, &smaller, 1), WEIR_HOLDS_WELL);
}

static void test_who_is_apart_was_decided_for_other_guests(void **state)
{
    (void)state;
    const weir_needs_t now[2] = {usual, with_memory(2 * MIB)};
    choose(WEIR_TIER_COMPACT, 8 * MIB, 1);
    assert_int_equal(weir_choice_holds(&choice, &usual, 1, now, 2), WEIR_HOLDS_NOT);
}

static void test_without_guests_anything_is_held(void **state)
{
    (void)state;
    choose(WEIR_TIER_COMPACT, 8 * MIB, 0);
    assert_int_not_equal(weir_choice_holds(&choice, &usual, 1, NULL, 0), WEIR_HOLDS_NOT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_needs_are_held_well_however_large_the_files_are),
        cmocka_unit_test(test_what_a_slot_does_not_hold_is_not_held),
        cmocka_unit_test(test_far_smaller_needs_may_have_a_better_choice_unless_there_is_none),
        cmocka_unit_test(test_who_is_apart_was_decided_for_other_guests),
        cmocka_unit_test(test_without_guests_anything_is_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
