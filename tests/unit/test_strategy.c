/*
 * test_strategy.c: what SPIN_ALLOCATOR, SPIN_WASMTIME_POOLING and --disable-pooling make of each other.
 */
#include "cli/strategy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct row {
    const char *allocator;
    const char *pooling;
    bool disable;
    bool accepted;
    weir_strategy_t strategy;
    const char *words[4]; /* that the message holds; none: there is no message */
} row_t;

static const row_t rows[] = {
    {NULL, NULL, false, true, WEIR_STRATEGY_AUTO, {NULL}},
    {"auto", NULL, false, true, WEIR_STRATEGY_AUTO, {NULL}},
    {"pooling", NULL, false, true, WEIR_STRATEGY_POOLING, {NULL}},
    {"compact", NULL, false, true, WEIR_STRATEGY_COMPACT, {NULL}},
    {"ondemand", NULL, false, true, WEIR_STRATEGY_ONDEMAND, {NULL}},
    {NULL, "1", false, true, WEIR_STRATEGY_ANY_POOL, {NULL}},
    {NULL, "0", false, true, WEIR_STRATEGY_ONDEMAND, {NULL}},
    {NULL, NULL, true, true, WEIR_STRATEGY_ONDEMAND, {NULL}},
    {NULL, "0", true, true, WEIR_STRATEGY_ONDEMAND, {NULL}},
    {"ondemand", "0", true, true, WEIR_STRATEGY_ONDEMAND, {NULL}},
    {"pooling", "1", false, true, WEIR_STRATEGY_POOLING, {NULL}},
    {"compact", "1", false, true, WEIR_STRATEGY_COMPACT, {NULL}},
    /* Contradictions */
    {NULL, "1", true, true, WEIR_STRATEGY_ONDEMAND, {"--disable-pooling", "SPIN_WASMTIME_POOLING=1"}},
    {"compact", "0", false, true, WEIR_STRATEGY_COMPACT, {"SPIN_ALLOCATOR=compact", "SPIN_WASMTIME_POOLING=0"}},
    {"pooling", NULL, true, true, WEIR_STRATEGY_POOLING, {"SPIN_ALLOCATOR=pooling", "--disable-pooling"}},
    {"ondemand", "1", false, true, WEIR_STRATEGY_ONDEMAND, {"SPIN_ALLOCATOR=ondemand", "SPIN_WASMTIME_POOLING=1"}},
    {"auto", "0", false, true, WEIR_STRATEGY_AUTO, {"SPIN_ALLOCATOR=auto", "SPIN_WASMTIME_POOLING=0"}},
    {"auto", "1", false, true, WEIR_STRATEGY_AUTO, {"SPIN_ALLOCATOR=auto", "SPIN_WASMTIME_POOLING=1"}},
    {"compact", "0", true, true, WEIR_STRATEGY_COMPACT,
        {"SPIN_ALLOCATOR=compact", "SPIN_WASMTIME_POOLING=0", "--disable-pooling"}},
    /* Values that are none */
    {"", NULL, false, false, WEIR_STRATEGY_AUTO, {"SPIN_ALLOCATOR", "auto", "pooling", "ondemand"}},
    {"POOLING", NULL, false, false, WEIR_STRATEGY_AUTO, {"SPIN_ALLOCATOR", "'POOLING'", "pooling", "compact"}},
    {"any pool", NULL, false, false, WEIR_STRATEGY_AUTO, {"SPIN_ALLOCATOR", "'any pool'", "auto", "ondemand"}},
    {"auto ", NULL, false, false, WEIR_STRATEGY_AUTO, {"SPIN_ALLOCATOR", "'auto '"}},
    {NULL, "", false, false, WEIR_STRATEGY_AUTO, {"SPIN_WASMTIME_POOLING", "1", "0"}},
    {NULL, "2", false, false, WEIR_STRATEGY_AUTO, {"SPIN_WASMTIME_POOLING", "'2'"}},
    {NULL, "true", true, false, WEIR_STRATEGY_AUTO, {"SPIN_WASMTIME_POOLING", "'true'"}},
    {"compact", "yes", false, false, WEIR_STRATEGY_AUTO, {"SPIN_WASMTIME_POOLING", "'yes'"}},
};

static void check_message(const row_t *row, const char *message)
{
    if (row->words[0] == NULL) {
        assert_null(message);
        return;
    }
    if (message == NULL) {
        fail_msg("there is no message; it should hold '%s'", row->words[0]);
        return;
    }
    assert_null(strchr(message, '\n'));
    for (size_t i = 0; i < sizeof(row->words) / sizeof(row->words[0]) && row->words[i] != NULL; i++) {
        if (strstr(message, row->words[i]) == NULL) {
            fail_msg("'%s' is not in '%s'", row->words[i], message);
        }
    }
}

static void test_the_switches_are_taken_together(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const weir_strategy_t untouched = (weir_strategy_t)99;
        weir_strategy_t strategy = untouched;
        char *message = NULL;
        bool accepted = weir_strategy_decide(rows[i].allocator, rows[i].pooling, rows[i].disable, &strategy, &message);
        print_message("SPIN_ALLOCATOR=%s SPIN_WASMTIME_POOLING=%s %s: %s\n",
            rows[i].allocator == NULL ? "(none)" : rows[i].allocator,
            rows[i].pooling == NULL ? "(none)" : rows[i].pooling, rows[i].disable ? "--disable-pooling" : "",
            message == NULL ? "-" : message);
        assert_int_equal(accepted, rows[i].accepted);
        assert_int_equal(strategy, rows[i].accepted ? rows[i].strategy : untouched);
        check_message(&rows[i], message);
        free(message);
    }
}

static void test_the_environment_is_read(void **state)
{
    (void)state;
    weir_strategy_t strategy;
    char *message;
    setenv("SPIN_ALLOCATOR", "compact", 1);
    setenv("SPIN_WASMTIME_POOLING", "0", 1);
    assert_true(weir_strategy_from_environment(false, &strategy, &message));
    assert_int_equal(strategy, WEIR_STRATEGY_COMPACT);
    assert_non_null(message);
    free(message);
    unsetenv("SPIN_ALLOCATOR");
    assert_true(weir_strategy_from_environment(false, &strategy, &message));
    assert_int_equal(strategy, WEIR_STRATEGY_ONDEMAND);
    assert_null(message);
    unsetenv("SPIN_WASMTIME_POOLING");
    assert_true(weir_strategy_from_environment(false, &strategy, &message));
    assert_int_equal(strategy, WEIR_STRATEGY_AUTO);
    assert_null(message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_switches_are_taken_together),
        cmocka_unit_test(test_the_environment_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
