/*
 * test_app_limits.c: the table of limits: what is a value of each, which of several values counts, and that the program
 * and docs/limits.md say the same.
 */
#include "app/limits.h"
#include "cli/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_what_is_a_value_of_a_limit(void **state)
{
    (void)state;
    static const struct {
        weir_serving_limit_t limit;
        const char *text;
        int64_t value; /* -1: it is none */
    } cases[] = {
        {WEIR_SERVING_REQUEST_TIMEOUT, "500ms", 500},
        {WEIR_SERVING_REQUEST_TIMEOUT, "2", 2000},
        {WEIR_SERVING_REQUEST_TIMEOUT, "24h", 86400000},
        {WEIR_SERVING_REQUEST_TIMEOUT, "25h", -1},
        {WEIR_SERVING_REQUEST_TIMEOUT, "0", -1},
        {WEIR_SERVING_REQUEST_TIMEOUT, "none", -1},
        {WEIR_SERVING_CPU_TIME, "none", 0},
        {WEIR_SERVING_CPU_TIME, "None", -1},
        {WEIR_SERVING_INSTANCE_MEMORY, "64KiB", 65536},
        {WEIR_SERVING_INSTANCE_MEMORY, "65535", -1},
        {WEIR_SERVING_INSTANCE_MEMORY, "4GiB", INT64_C(4) << 30},
        {WEIR_SERVING_INSTANCE_MEMORY, "5GiB", -1},
        {WEIR_SERVING_REQUEST_BODY, "1", 1},
        {WEIR_SERVING_REQUEST_BODY, "0", -1},
        {WEIR_SERVING_REQUEST_BODY, "none", 0},
        {WEIR_SERVING_REQUEST_BODY, "18446744073709551616", -1},
        {WEIR_SERVING_REQUEST_BODY, "17179869185GiB", -1},
        {WEIR_SERVING_WAITING, "0", 0},
        {WEIR_SERVING_WAITING, "1000001", -1},
        {WEIR_SERVING_WAITING, "-1", -1},
        {WEIR_SERVING_WAITING, "1 ", -1},
        {WEIR_SERVING_WAITING, "", -1},
        {WEIR_SERVING_REQUEST_HEAD, "32KiB", 32768},
        {WEIR_SERVING_REQUEST_HEAD, "32769", -1},
        {WEIR_SERVING_REQUEST_HEADERS, "257", -1},
        {WEIR_SERVING_CONNECTIONS_PER_ADDRESS, "none", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        weir_limits_t limits = {.are_set = {false}};
        bool parsed = weir_limits_parse(&limits, cases[i].limit, cases[i].text);
        if (parsed != (cases[i].value >= 0) || (parsed && limits.values[cases[i].limit] != (uint64_t)cases[i].value) ||
            limits.are_set[cases[i].limit] != parsed)
            fail_msg("%s = \"%s\": %d, %llu", weir_limit_rules[cases[i].limit].name, cases[i].text, parsed,
                (unsigned long long)limits.values[cases[i].limit]);
    }
}

static weir_limits_t limits_of(weir_serving_limit_t limit, const char *text)
{
    weir_limits_t limits = {.are_set = {false}};
    assert_true(text == NULL || weir_limits_parse(&limits, limit, text));
    return limits;
}

static void test_an_option_wins_over_the_application_and_bounds_a_component(void **state)
{
    (void)state;
    static const struct {
        const char *option;
        const char *application;
        const char *component;
        uint64_t of_server;
        uint64_t of_component;
    } cases[] = {
        {NULL, NULL, NULL, 30000, 30000},
        {"5s", NULL, NULL, 5000, 5000},
        {NULL, "5s", NULL, 5000, 5000},
        {"1s", "5s", NULL, 1000, 1000},
        {"1m", "5s", NULL, 60000, 60000},
        {NULL, NULL, "1m", 30000, 60000},
        {NULL, "5s", "1m", 5000, 60000},
        {"10s", "5s", "1m", 10000, 10000}, /* no more than an option allows */
        {"10s", "5s", "1s", 10000, 1000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        weir_limits_t option = limits_of(WEIR_SERVING_REQUEST_TIMEOUT, cases[i].option);
        weir_limits_t application = limits_of(WEIR_SERVING_REQUEST_TIMEOUT, cases[i].application);
        weir_limits_t component = limits_of(WEIR_SERVING_REQUEST_TIMEOUT, cases[i].component);
        weir_limits_t server = weir_limits_resolve(&option, &application, NULL);
        weir_limits_t own = weir_limits_resolve(&option, &application, &component);
        assert_int_equal(server.values[WEIR_SERVING_REQUEST_TIMEOUT], cases[i].of_server);
        assert_int_equal(own.values[WEIR_SERVING_REQUEST_TIMEOUT], cases[i].of_component);
        assert_int_equal(own.values[WEIR_SERVING_CPU_TIME], cases[i].of_component); /* it goes with that */
        assert_int_equal(own.values[WEIR_SERVING_WAITING_TIMEOUT], 0);
    }
}

static void test_none_is_more_than_any_value(void **state)
{
    (void)state;
    static const struct {
        const char *option;
        const char *component;
        uint64_t value;
    } cases[] = {{"none", "1KiB", 1024}, {"1KiB", "none", 1024}, {"none", "none", 0}, {NULL, "none", 0}};
    weir_limits_t application = limits_of(WEIR_SERVING_REQUEST_BODY, "2KiB");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        weir_limits_t option = limits_of(WEIR_SERVING_REQUEST_BODY, cases[i].option);
        weir_limits_t component = limits_of(WEIR_SERVING_REQUEST_BODY, cases[i].component);
        weir_limits_t own = weir_limits_resolve(&option, &application, &component);
        assert_int_equal(own.values[WEIR_SERVING_REQUEST_BODY], cases[i].value);
    }
}

static void test_a_limit_is_named_by_who_has_set_it(void **state)
{
    (void)state;
    static const struct {
        weir_limit_source_t source;
        const char *setter;
    } cases[] = {
        {WEIR_LIMIT_DEFAULT, "--max-instance-memory"}, /* an option, as long as nobody says otherwise */
        {WEIR_LIMIT_OPTION, "--max-instance-memory"},
        {WEIR_LIMIT_VARIABLE, "SPIN_MAX_INSTANCE_MEMORY"},
        {WEIR_LIMIT_RUNTIME_CONFIG, "\"max_instance_memory\" of the runtime configuration"},
    };
    const weir_limits_t application = limits_of(WEIR_SERVING_INSTANCE_MEMORY, "1MiB");
    const weir_limits_t large = limits_of(WEIR_SERVING_INSTANCE_MEMORY, "4MiB");
    const weir_limits_t small = limits_of(WEIR_SERVING_INSTANCE_MEMORY, "1MiB");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[WEIR_LIMIT_WORDS_BYTES];
        weir_limits_t options = limits_of(WEIR_SERVING_INSTANCE_MEMORY, "2MiB");
        options.sources[WEIR_SERVING_INSTANCE_MEMORY] = (uint8_t)cases[i].source;
        weir_limits_t resolved = weir_limits_resolve(&options, &application, &large);
        assert_string_equal(weir_limit_setter(&resolved, WEIR_SERVING_INSTANCE_MEMORY, "one", text), cases[i].setter);
        assert_int_equal(resolved.values[WEIR_SERVING_INSTANCE_MEMORY], 2 << 20); /* it bounds the component's */
        resolved = weir_limits_resolve(&options, &application, &small);
        assert_string_equal(weir_limit_setter(&resolved, WEIR_SERVING_INSTANCE_MEMORY, "one", text),
            "\"max_instance_memory\" of [component.one.tool.weir]");
    }
}

static void test_a_value_is_written_as_it_can_be_given(void **state)
{
    (void)state;
    static const struct {
        weir_serving_limit_t limit;
        uint64_t value;
        const char *text;
    } cases[] = {
        {WEIR_SERVING_REQUEST_TIMEOUT, 1500, "1500ms"},
        {WEIR_SERVING_REQUEST_TIMEOUT, 30000, "30s"},
        {WEIR_SERVING_CPU_TIME, 0, "none"},
        {WEIR_SERVING_REQUEST_BODY, 0, "none"},
        {WEIR_SERVING_REQUEST_BODY, 1 << 20, "1MiB"},
        {WEIR_SERVING_WAITING, 0, "0"},
        {WEIR_SERVING_CONNECTIONS, 17, "17"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[32];
        weir_limits_t limits = {.are_set = {false}};
        assert_string_equal(weir_limit_write(cases[i].limit, text, sizeof text, cases[i].value), cases[i].text);
        assert_true(weir_limits_parse(&limits, cases[i].limit, text));
        assert_int_equal(limits.values[cases[i].limit], cases[i].value);
    }
}

static void test_every_limit_is_an_option_and_its_advice_is_true(void **state)
{
    (void)state;
    for (unsigned i = 0; i < WEIR_SERVING_COUNT; i++) {
        const weir_limit_rule_t *rule = &weir_limit_rules[i];
        char advice[160];
        weir_limits_t limits = {.are_set = {false}};
        size_t found = 0;
        for (size_t k = 0; k < weir_up_command.option_count; k++)
            found += strcmp(weir_up_command.options[k].name, rule->name) == 0 ? 1 : 0;
        if (found != 1)
            fail_msg("--%s is %zu options", rule->name, found);
        assert_int_equal(weir_limit_named(rule->name), i);
        assert_true(strlen(weir_limit_advice((weir_serving_limit_t)i, advice, sizeof advice)) < sizeof advice - 1);
        assert_int_equal(strstr(advice, "none") != NULL, rule->can_be_none);
        assert_int_equal(weir_limits_parse(&limits, (weir_serving_limit_t)i, "none"), rule->can_be_none);
    }
    assert_int_equal(weir_limit_named("no-such-limit"), WEIR_SERVING_COUNT);
}

/* ---- The documentation ------------------------------------------------------------------------------------------- */

enum { CELLS = 7 };

/* The cells of a table's row, without blanks and backquotes; returns how many. */
static size_t split(char *line, char *cells[CELLS + 1])
{
    size_t count = 0;
    char *end = strrchr(line, '|');
    char *next = line[0] == '|' ? line + 1 : NULL;
    while (next != NULL && next < end && count <= CELLS) {
        char *cell = next;
        char *bar = strchr(cell, '|');
        *bar = '\0';
        next = bar + 1;
        cell += strspn(cell, " `");
        for (char *last = cell + strlen(cell); last > cell && strchr(" `", last[-1]) != NULL; last--)
            last[-1] = '\0';
        cells[count++] = cell;
    }
    return count;
}

static void test_the_table_in_the_documentation_is_that_of_the_program(void **state)
{
    (void)state;
    FILE *file = fopen("../../docs/limits.md", "r");
    char line[1024];
    unsigned rows[WEIR_SERVING_COUNT] = {0};
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        char *cells[CELLS + 1] = {NULL};
        if (split(line, cells) != CELLS || strncmp(cells[1], "--", 2) != 0 || cells[1][2] == '-')
            continue;
        bool is_option = false;
        for (size_t k = 0; k < weir_up_command.option_count; k++)
            is_option = is_option || strcmp(weir_up_command.options[k].name, cells[1] + 2) == 0;
        if (!is_option)
            fail_msg("%s is no option", cells[1]);
        weir_serving_limit_t limit = weir_limit_named(cells[1] + 2);
        if (limit == WEIR_SERVING_COUNT)
            continue;
        const weir_limit_rule_t *rule = &weir_limit_rules[limit];
        rows[limit]++;
        assert_string_equal(cells[2], rule->key);
        assert_string_equal(cells[3], rule->of_component ? "each" : "all");
        assert_string_equal(cells[4], rule->fallback);
    }
    fclose(file);
    for (unsigned i = 0; i < WEIR_SERVING_COUNT; i++) {
        if (rows[i] != 1)
            fail_msg("--%s has %u rows", weir_limit_rules[i].name, rows[i]);
    }
}

static void test_help_tells_the_defaults(void **state)
{
    (void)state;
    for (size_t k = 0; k < weir_up_command.option_count; k++) {
        const weir_option_t *option = &weir_up_command.options[k];
        weir_serving_limit_t limit = weir_limit_named(option->name);
        if (limit == WEIR_SERVING_COUNT || strchr("0123456789n", weir_limit_rules[limit].fallback[0]) == NULL)
            continue;
        char *said = strdup(option->help);
        char wanted[64];
        for (char *at = said; *at != '\0'; at++)
            *at = *at == '\n' ? ' ' : *at;
        snprintf(wanted, sizeof wanted, "default %s", weir_limit_rules[limit].fallback);
        if (strstr(said, wanted) == NULL)
            fail_msg("--%s: \"%s\" does not say \"%s\"", option->name, said, wanted);
        free(said);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_a_value_of_a_limit),
        cmocka_unit_test(test_an_option_wins_over_the_application_and_bounds_a_component),
        cmocka_unit_test(test_none_is_more_than_any_value),
        cmocka_unit_test(test_a_limit_is_named_by_who_has_set_it),
        cmocka_unit_test(test_a_value_is_written_as_it_can_be_given),
        cmocka_unit_test(test_every_limit_is_an_option_and_its_advice_is_true),
        cmocka_unit_test(test_the_table_in_the_documentation_is_that_of_the_program),
        cmocka_unit_test(test_help_tells_the_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
