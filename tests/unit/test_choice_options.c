/*
 * test_choice_options.c: the words and arguments that a choice takes, and programs that were compiled for other
 * versions.
 */
#include "allocator/options.h"
#include "choice_support.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_four_words_and_no_others_are_strategies),
        cmocka_unit_test(values_that_are_none_are_unknown),
        cmocka_unit_test(impossible_options_are_refused),
        cmocka_unit_test(options_of_an_older_program_are_taken_and_nothing_beyond_them_is_touched),
        cmocka_unit_test(options_of_a_later_program_are_refused_as_such),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
