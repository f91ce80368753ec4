/*
 * test_guest_headers.c: which headers pass, and what Spin adds to a request (crates/trigger-http/src/headers.rs).
 */
#include "guest/header_filter.h"
#include "guest/spin_headers.h"
#include "observe/escape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_names_are_tokens(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "Content-Type", "x_y", "!#$%&'*+-.^_`|~09azAZ"};
    static const char *const bad[] = {"", " ", "a b", "a:", "a\n", "a\r", "a(", "a)", "a,", "a/", "a;", "a<",
        "a=", "a>", "a?", "a@", "a[", "a\\", "a]", "a{", "a}", "a\"", "a\x7f", "caf\xc3\xa9", "\t"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(weir_header_name_is_valid(weir_bytes_of(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(weir_header_name_is_valid(weir_bytes_of(bad[i])));
    assert_false(weir_header_name_is_valid((weir_bytes_t){"a\0b", 3}));
}

static void test_values_have_no_control_characters(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        const char value[] = {'a', (char)c, 'b'};
        weir_bytes_t bytes = {value, sizeof value};
        bool control = (c < 0x20 && c != '\t') || c == 0x7f;
        assert_int_equal(weir_header_value_is_valid(bytes), !control);
        assert_int_equal(weir_header_value_is_ascii(bytes), !control && c < 0x80);
    }
    assert_true(weir_header_value_is_valid((weir_bytes_t){NULL, 0}));
}

static void test_utf8_is_told_from_other_bytes(void **state)
{
    (void)state;
    static const char *const good[] = {
        "", "abc", "caf\xc3\xa9", "\xe4\xb8\xad", "\xf0\x9f\x92\xa9", "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {
        "\x80", "caf\xe9", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe4\xb8"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(weir_utf8_is_valid(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(weir_utf8_is_valid(bad[i], strlen(bad[i])));
}

typedef struct name_case {
    const char *name;
    bool client_connection;
    bool server_connection;
    bool host;
} name_case_t;

static void test_names_belong_to_guest_connection_or_host(void **state)
{
    (void)state;
    static const name_case_t cases[] = {
        {"Connection", true, true, false},
        {"KEEP-ALIVE", true, true, false},
        {"proxy-connection", true, true, false},
        {"Proxy-Authorization", true, true, false},
        {"Proxy-Authenticate", true, true, false},
        {"proxy-authentication-info", false, true, false},
        {"Transfer-Encoding", true, true, false},
        {"Upgrade", true, true, false},
        {"TE", false, true, false},
        {"Trailer", false, true, false},
        {"Proxy-Status", false, false, false},
        {"Content-Length", false, false, false},
        {"Host", false, false, false},
        {"connections", false, false, false},
        {"spin-full-url", false, false, true},
        {"SPIN-x", false, false, true},
        {"Spin_Client_Addr", false, false, true},
        {"spin-", false, false, true},
        {"spin", false, false, false},
        {"spinner", false, false, false},
        {"x-spin-y", false, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        weir_bytes_t name = weir_bytes_of(cases[i].name);
        assert_int_equal(weir_header_is_of_client_connection(name), cases[i].client_connection);
        assert_int_equal(weir_header_is_of_server_connection(name), cases[i].server_connection);
        assert_int_equal(weir_header_is_of_host(name), cases[i].host);
    }
}

static void test_length_is_digits_only(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", " 1", "1 ", "+1", "-1", "0x1", "1.0", "1,1", "9223372036854775808", "99999999999999999999999"};
    int64_t length = 4711;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(weir_header_parse_length(weir_bytes_of(bad[i]), &length));
        assert_int_equal(length, 4711);
    }
    assert_true(weir_header_parse_length(weir_bytes_of("0"), &length));
    assert_int_equal(length, 0);
    assert_true(weir_header_parse_length(weir_bytes_of("0042"), &length));
    assert_int_equal(length, 42);
    assert_true(weir_header_parse_length(weir_bytes_of("9223372036854775807"), &length));
    assert_int_equal(length, INT64_MAX);
}

/* ---- Spin's headers ---- */

static weir_http_trigger_t trigger;

/* The example of Spin's own test test_default_headers. */
static const weir_route_t foo_route = {.trigger = &trigger,
    .raw = "/foo/...",
    .matched = "/foo/...",
    .base = "/foo",
    .raw_base = "/foo",
    .wildcard = true};

static const char foo_target[] = "/foo/bar?key1=value1&key2=value2";

static weir_request_t foo_request(void)
{
    return (weir_request_t){.method = weir_bytes_of("POST"),
        .target = weir_bytes_of(foo_target),
        .path = {foo_target, 8},
        .query = weir_bytes_of(foo_target + 9),
        .host = weir_bytes_of("fermyon.dev"),
        .version = weir_bytes_of("HTTP/1.1"),
        .secure = true,
        .client_address = "127.0.0.1:8777",
        .client_ip = "127.0.0.1",
        .server_port = 443};
}

static weir_route_match_t foo_match(void)
{
    return (weir_route_match_t){.route = &foo_route, .path_info = foo_target + 4, .path_info_size = 4};
}

/* "name: value\n" for each */
static char *shown(const weir_spin_headers_t *headers)
{
    char *text;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    assert_non_null(stream);
    for (size_t i = 0; i < headers->count; i++) {
        weir_pair_t header = headers->pairs[i];
        fprintf(
            stream, "%.*s: %.*s\n", (int)header.name.size, header.name.data, (int)header.value.size, header.value.data);
    }
    fclose(stream);
    return text;
}

#define FOO_HEADERS                                                                                                    \
    "spin-path-info: /bar\n"                                                                                           \
    "spin-full-url: https://fermyon.dev/foo/bar?key1=value1&key2=value2\n"                                             \
    "spin-matched-route: /foo/...\n"                                                                                   \
    "spin-base-path: /\n"                                                                                              \
    "spin-raw-component-route: /foo/...\n"                                                                             \
    "spin-component-route: /foo\n"                                                                                     \
    "spin-client-addr: 127.0.0.1:8777\n"

static void test_spin_adds_seven_headers(void **state)
{
    (void)state;
    weir_request_t request = foo_request();
    weir_route_match_t match = foo_match();
    weir_spin_headers_t headers;
    assert_null(weir_spin_headers_prepare(&request, &match, &headers));
    char *text = shown(&headers);
    assert_string_equal(text, FOO_HEADERS);
    free(text);
    weir_spin_headers_free(&headers);
}

/* crates/trigger-http/src/headers.rs, compute_default_headers: after the others */
static void test_each_parameter_of_the_route_adds_one(void **state)
{
    (void)state;
    const weir_route_parameter_t parameters[] = {
        {"id", "spin-path-match-id", "X_PATH_MATCH_ID"}, {"Part", "spin-path-match-part", "X_PATH_MATCH_PART"}};
    weir_route_t route = foo_route;
    route.parameters = parameters;
    route.parameter_count = 2;
    weir_request_t request = foo_request();
    weir_route_match_t match = foo_match();
    match.route = &route;
    match.parameters[0] = (weir_route_value_t){"42, not more", 2};
    match.parameters[1] = (weir_route_value_t){"a%20b", 5};
    weir_spin_headers_t headers;
    assert_null(weir_spin_headers_prepare(&request, &match, &headers));
    char *text = shown(&headers);
    assert_string_equal(text, FOO_HEADERS "spin-path-match-id: 42\nspin-path-match-part: a%20b\n");
    free(text);
    weir_spin_headers_free(&headers);
}

static void test_client_headers_come_first_in_order(void **state)
{
    (void)state;
    const weir_pair_t own[] = {{weir_bytes_of("Host"), weir_bytes_of("fermyon.dev")},
        {weir_bytes_of("X-A"), weir_bytes_of("1")}, {weir_bytes_of("connection"), weir_bytes_of("X-A")},
        {weir_bytes_of("Spin-Full-Url"), weir_bytes_of("http://evil/")},
        {weir_bytes_of("spin_client_addr"), weir_bytes_of("1.2.3.4:5")}, {weir_bytes_of("x-a"), weir_bytes_of("2")},
        {weir_bytes_of("Transfer-Encoding"), weir_bytes_of("chunked")}, {weir_bytes_of("no token"), weir_bytes_of("3")},
        {weir_bytes_of("x-control"), weir_bytes_of("a\x01z")}, {weir_bytes_of("TE"), weir_bytes_of("trailers")},
        {weir_bytes_of("x-utf8"), weir_bytes_of("caf\xc3\xa9")}, {weir_bytes_of("x-empty"), {NULL, 0}}};
    weir_request_t request = foo_request();
    request.headers = own;
    request.header_count = sizeof own / sizeof own[0];
    weir_route_match_t match = foo_match();
    weir_spin_headers_t headers;
    assert_null(weir_spin_headers_prepare(&request, &match, &headers));
    char *text = shown(&headers);
    assert_string_equal(
        text, "Host: fermyon.dev\nX-A: 1\nx-a: 2\nTE: trailers\nx-utf8: caf\xc3\xa9\nx-empty: \n" FOO_HEADERS);
    free(text);
    weir_spin_headers_free(&headers);
}

static void test_value_that_is_not_utf8_refuses_the_request(void **state)
{
    (void)state;
    const weir_pair_t own[] = {
        {weir_bytes_of("x-a"), weir_bytes_of("1")}, {weir_bytes_of("x-b"), weir_bytes_of("caf\xe9")}};
    weir_request_t request = foo_request();
    request.headers = own;
    request.header_count = sizeof own / sizeof own[0];
    weir_route_match_t match = foo_match();
    weir_spin_headers_t headers;
    assert_string_equal(
        weir_spin_headers_prepare(&request, &match, &headers), "the value of a request header is not UTF-8");
}

static void test_large_requests_do_not_overrun(void **state)
{
    (void)state;
    /* Around the sizes up to which the stack is used. */
    static const size_t counts[] = {
        WEIR_SPIN_HEADERS_INLINE - WEIR_SPIN_HEADER_COUNT, WEIR_SPIN_HEADERS_INLINE - WEIR_SPIN_HEADER_COUNT + 1, 250};
    static const size_t target_sizes[] = {400, WEIR_SPIN_HEADERS_INLINE_TEXT, 8000};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        weir_pair_t *own = calloc(counts[i], sizeof *own);
        char *target = malloc(target_sizes[i]);
        assert_true(own != NULL && target != NULL);
        for (size_t k = 0; k < counts[i]; k++)
            own[k] = (weir_pair_t){weir_bytes_of("x"), weir_bytes_of("y")};
        memset(target, '/', target_sizes[i]);
        weir_request_t request = foo_request();
        request.headers = own;
        request.header_count = counts[i];
        request.target = (weir_bytes_t){target, target_sizes[i]};
        weir_route_match_t match = foo_match();
        weir_spin_headers_t headers;
        assert_null(weir_spin_headers_prepare(&request, &match, &headers));
        assert_int_equal(headers.count, counts[i] + WEIR_SPIN_HEADER_COUNT);
        assert_int_equal(headers.pairs[counts[i] + 1].value.size, strlen("https://fermyon.dev") + target_sizes[i]);
        weir_spin_headers_free(&headers);
        free(target);
        free(own);
    }
}

static void test_no_host_is_localhost_in_the_url(void **state)
{
    (void)state;
    weir_request_t request = foo_request();
    request.host = (weir_bytes_t){NULL, 0};
    request.secure = false;
    weir_route_match_t match = foo_match();
    weir_spin_headers_t headers;
    assert_null(weir_spin_headers_prepare(&request, &match, &headers));
    weir_bytes_t url = headers.pairs[1].value;
    static const char expected[] = "http://localhost/foo/bar?key1=value1&key2=value2";
    assert_int_equal(url.size, sizeof expected - 1);
    assert_memory_equal(url.data, expected, url.size);
    weir_spin_headers_free(&headers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_tokens),
        cmocka_unit_test(test_values_have_no_control_characters),
        cmocka_unit_test(test_utf8_is_told_from_other_bytes),
        cmocka_unit_test(test_names_belong_to_guest_connection_or_host),
        cmocka_unit_test(test_length_is_digits_only),
        cmocka_unit_test(test_spin_adds_seven_headers),
        cmocka_unit_test(test_each_parameter_of_the_route_adds_one),
        cmocka_unit_test(test_client_headers_come_first_in_order),
        cmocka_unit_test(test_value_that_is_not_utf8_refuses_the_request),
        cmocka_unit_test(test_large_requests_do_not_overrun),
        cmocka_unit_test(test_no_host_is_localhost_in_the_url),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
