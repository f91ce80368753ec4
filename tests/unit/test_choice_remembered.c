/*
 * test_choice_remembered.c: which guests are placed apart from the others, and which decisions are remembered, proved
 * again and forgotten.
 */
#include "allocator/phrases.h"
#include "allocator/report.h"
#include "allocator/trial.h"
#include "choice_support.h"
#include "temporary.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Placed apart, and remembered -------------------------------------------------------------------------------- */

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
static void what_was_decided_with_other_memory_is_forgotten_where_that_differs_by_much(void **state)
{
    static const struct {
        const char *available; /* KiB */
        bool remembered;
        uint32_t slots_least;
    } starts[] = {
        {"  300000", false, 8},
        {"  300000", true, 8},
        {"  310000", true, 8}, /* not worth a decision */
        {"  290000", true, 8},
        {"  200000", false, 8},
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_places_go_by_what_the_other_leaves),
        cmocka_unit_test(a_large_guest_gets_an_engine_of_its_own_and_the_others_keep_their_pool),
        cmocka_unit_test(where_there_is_no_room_for_two_engines_all_guests_share_one),
        cmocka_unit_test(code_is_shared_by_those_alone_that_need_the_same),
        cmocka_unit_test(what_is_to_be_decided_anew_is_forgotten),
        cmocka_unit_test(a_remembered_choice_is_proved_once_and_nothing_else_is_tried),
        cmocka_unit_test(what_was_decided_with_other_memory_is_forgotten_where_that_differs_by_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
