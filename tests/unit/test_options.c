/*
 * test_options.c: the command line of `weir up`, and the bounds that follow from limits.
 */
#include "cli/bounds.h"
#include "cli/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ARGUMENTS = 8 };

/* getopt_long may reorder its arguments, so each row is parsed from a copy. */
static bool parse(const char *const *words, const char *variable, weir_up_options_t *ret_options, char **ret_message)
{
    char *arguments[ARGUMENTS + 2];
    int count = 0;
    arguments[count++] = strdup("up");
    for (size_t i = 0; i < ARGUMENTS && words[i] != NULL; i++) {
        arguments[count++] = strdup(words[i]);
    }
    arguments[count] = NULL;
    bool parsed = weir_up_options_parse(count, arguments, variable, ret_options, ret_message);
    /* What the options borrow is compared with constants below: point them there. */
    for (size_t i = 0; parsed && words[i] != NULL; i++) {
        if (strcmp(ret_options->application, words[i]) == 0) {
            ret_options->application = words[i];
        }
        const char *value = strchr(words[i], '=') != NULL ? strchr(words[i], '=') + 1 : words[i];
        if (strcmp(ret_options->listen, value) == 0) {
            ret_options->listen = value;
        }
    }
    for (int i = 0; i < count; i++) {
        free(arguments[i]);
    }
    return parsed;
}

typedef struct good {
    const char *words[ARGUMENTS];
    const char *variable;
    weir_up_options_t options;
} good_t;

#define DEFAULTS .application = ".", .listen = "127.0.0.1:3000", .request_timeout_milliseconds = 30000

static const good_t good_rows[] = {
    {{NULL}, NULL, {DEFAULTS}},
    {{"app"}, NULL, {.application = "app", .listen = "127.0.0.1:3000", .request_timeout_milliseconds = 30000}},
    {{"-f", "app"}, NULL, {.application = "app", .listen = "127.0.0.1:3000", .request_timeout_milliseconds = 30000}},
    {{"--from", "app"}, NULL,
        {.application = "app", .listen = "127.0.0.1:3000", .request_timeout_milliseconds = 30000}},
    {{"--", "-f"}, NULL, {.application = "-f", .listen = "127.0.0.1:3000", .request_timeout_milliseconds = 30000}},
    {{NULL}, "[::]:1", {.application = ".", .listen = "[::]:1", .request_timeout_milliseconds = 30000}},
    {{"--listen", "a:1"}, "b:2", {.application = ".", .listen = "a:1", .request_timeout_milliseconds = 30000}},
    {{"--listen=a:1", "x"}, NULL, {.application = "x", .listen = "a:1", .request_timeout_milliseconds = 30000}},
    {{"x", "--request-timeout", "2s"}, NULL,
        {.application = "x", .listen = "127.0.0.1:3000", .request_timeout_milliseconds = 2000}},
    {{"--quiet", "--disable-pooling", "--max-concurrency", "7"}, NULL,
        {DEFAULTS, .quiet = true, .disable_pooling = true, .max_concurrency = 7}},
    {{"--max-instance-memory", "65536"}, NULL, {DEFAULTS, .max_instance_memory_bytes = 65536}},
    {{"--max-instance-memory=64KiB"}, NULL, {DEFAULTS, .max_instance_memory_bytes = 65536}},
    {{"--max-instance-memory", "100MiB"}, NULL, {DEFAULTS, .max_instance_memory_bytes = UINT64_C(100) << 20}},
    {{"--max-instance-memory", "4GiB"}, NULL, {DEFAULTS, .max_instance_memory_bytes = UINT64_C(4) << 30}},
    {{"--no-trial-requests"}, NULL, {DEFAULTS, .no_trial_requests = true}},
    {{"--help"}, NULL, {DEFAULTS, .help = true}},
    {{"-h"}, NULL, {DEFAULTS, .help = true}},
};

static void test_what_is_given_is_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(good_rows) / sizeof(good_rows[0]); i++) {
        weir_up_options_t options;
        char *message = NULL;
        bool parsed = parse(good_rows[i].words, good_rows[i].variable, &options, &message);
        if (!parsed) {
            fail_msg("row %zu: %s", i, message);
        }
        const weir_up_options_t *expected = &good_rows[i].options;
        assert_string_equal(options.application, expected->application);
        assert_string_equal(options.listen, expected->listen);
        assert_int_equal(options.request_timeout_milliseconds, expected->request_timeout_milliseconds);
        assert_int_equal(options.max_concurrency, expected->max_concurrency);
        assert_int_equal(options.max_instance_memory_bytes, expected->max_instance_memory_bytes);
        assert_int_equal(options.disable_pooling, expected->disable_pooling);
        assert_int_equal(options.no_trial_requests, expected->no_trial_requests);
        assert_int_equal(options.quiet, expected->quiet);
        assert_int_equal(options.help, expected->help);
    }
}

static const struct {
    const char *words[ARGUMENTS];
    const char *found[3];
} bad_rows[] = {
    {{"--surprise"}, {"'--surprise'", "weir up --help"}},
    {{"--surprise=1"}, {"'--surprise'"}},
    {{"-x"}, {"'-x'"}},
    {{"app", "-xyz"}, {"'-x'"}},
    {{"--listen"}, {"--listen", "value"}},
    {{"-f"}, {"-f", "value"}},
    {{"--quiet=1"}, {"--quiet"}},
    {{"one", "two"}, {"'one'", "'two'"}},
    {{"-f", "one", "two"}, {"'one'", "'two'"}},
    {{""}, {"empty"}},
    {{"--request-timeout", "soon"}, {"'soon'", "2s"}},
    {{"--request-timeout", ""}, {"--request-timeout"}},
    {{"--request-timeout", "-1s"}, {"'-1s'"}},
    {{"--max-concurrency", "0"}, {"'0'"}},
    {{"--max-concurrency", "100001"}, {"'100001'"}},
    {{"--max-concurrency", "9x"}, {"'9x'"}},
    {{"--max-instance-memory", "0"}, {"'0'", "64KiB"}},
    {{"--max-instance-memory", "65535"}, {"'65535'"}},
    {{"--max-instance-memory", "63KiB"}, {"'63KiB'"}},
    {{"--max-instance-memory", "5GiB"}, {"'5GiB'"}},
    {{"--max-instance-memory", "99999999999999999999"}, {"--max-instance-memory"}},
    {{"--max-instance-memory", "64MB"}, {"'64MB'", "MiB"}},
    {{"--sqlite", "x"}, {"--sqlite is Spin's", "not have it yet"}},
    {{"--key-value=a=b"}, {"--key-value is Spin's"}},
    {{"-e", "A=B"}, {"-e is Spin's"}},
    {{"app", "--env", "A=B"}, {"--env is Spin's"}},
    {{"--tls-cert", "x"}, {"--tls-cert is Spin's"}},
    {{"--find-free-port"}, {"--find-free-port is Spin's"}},
};

static void test_what_is_wrong_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad_rows) / sizeof(bad_rows[0]); i++) {
        weir_up_options_t options = {.max_concurrency = 12345};
        char *message = NULL;
        assert_false(parse(bad_rows[i].words, NULL, &options, &message));
        assert_int_equal(options.max_concurrency, 12345);
        assert_non_null(message);
        assert_null(strchr(message, '\n'));
        for (size_t word = 0; word < 3 && bad_rows[i].found[word] != NULL; word++) {
            if (strstr(message, bad_rows[i].found[word]) == NULL) {
                fail_msg("row %zu: '%s' is not in '%s'", i, bad_rows[i].found[word], message);
            }
        }
        free(message);
    }
}

static void test_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t milliseconds; /* 0: none */
    } rows[] = {
        {"1ms", 1},
        {"500ms", 500},
        {"2s", 2000},
        {"1m", 60000},
        {"24h", 86400000},
        {"86400s", 86400000},
        {"86400000ms", 86400000},
        {"007s", 7000},
        {"", 0},
        {"s", 0},
        {"1", 0},
        {"0s", 0},
        {"0", 0},
        {"1 s", 0},
        {" 1s", 0},
        {"1s ", 0},
        {"+1s", 0},
        {"-1s", 0},
        {"1.5s", 0},
        {"1S", 0},
        {"1d", 0},
        {"25h", 0},
        {"86401s", 0},
        {"1sms", 0},
        {"soon", 0},
        {"99999999999999999999s", 0},
        {"18446744073709551617ms", 0},
        {"0x1s", 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t milliseconds = 4711;
        bool parsed = weir_duration_parse(rows[i].text, &milliseconds);
        if (parsed != (rows[i].milliseconds != 0) || milliseconds != (parsed ? rows[i].milliseconds : 4711)) {
            fail_msg("'%s' was taken for %d, %llu ms", rows[i].text, parsed, (unsigned long long)milliseconds);
        }
    }
}

static void test_connections_fit_descriptors_and_address_space(void **state)
{
    (void)state;
    const uint64_t mebibyte = 1024 * 1024;
    assert_int_equal(weir_bounds_connections(UINT64_MAX, UINT64_MAX), 4096);
    assert_int_equal(weir_bounds_connections(65536, UINT64_MAX), 4096);
    assert_int_equal(weir_bounds_connections(1024, UINT64_MAX), 720);
    assert_int_equal(weir_bounds_connections(64, UINT64_MAX), 16);
    assert_int_equal(weir_bounds_connections(0, 0), 16);
    /* In 400 MiB they take a sixteenth at most. */
    uint32_t connections = weir_bounds_connections(65536, 400 * mebibyte);
    assert_in_range(connections, 200, 400);
    assert_true(weir_bounds_connections(65536, 1024 * mebibyte) > connections);
    /* More than the loops' own, and few enough for the usual soft limit of 1,024 on a machine with 128 processors. */
    assert_true(weir_bounds_descriptors(1) > 16);
    assert_true(weir_bounds_descriptors(128) < 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_given_is_taken),
        cmocka_unit_test(test_what_is_wrong_is_named),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_connections_fit_descriptors_and_address_space),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
