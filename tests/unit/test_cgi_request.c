/*
 * test_cgi_request.c: arguments and environment of a WAGI guest. Expected values follow Spin's
 * crates/trigger-http/src/wagi.rs (argv), crates/http/src/wagi/mod.rs (build_headers, parse_host_header_uri) and
 * crates/trigger-http/src/headers.rs (compute_default_headers, which override them).
 */
#include "guest/cgi_request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char default_argv[] = "${SCRIPT_NAME} ${ARGS}";

static weir_bytes_t bytes_of(const char *string)
{
    return (weir_bytes_t){string, strlen(string)};
}

static weir_http_trigger_t trigger;

/* A request for `target` at the route "/hi/..." (or "/hi" when the path is no longer). */
static weir_request_t request_for(const char *target)
{
    size_t path_size = strcspn(target, "?");
    return (weir_request_t){.method = bytes_of("GET"),
        .target = bytes_of(target),
        .path = {target, path_size},
        .query = bytes_of(target + path_size + (target[path_size] == '?')),
        .host = bytes_of("example.com:3000"),
        .version = bytes_of("HTTP/1.1"),
        .client_address = "[2001:db8::7]:4711",
        .client_ip = "2001:db8::7",
        .server_port = 3000};
}

static const weir_route_t hi_route = {
    .trigger = &trigger, .raw = "/hi/...", .matched = "/hi/...", .base = "/hi", .raw_base = "/hi", .wildcard = true};

static weir_route_match_t match_for(const weir_request_t *request)
{
    size_t base_size = strlen(hi_route.base);
    size_t path_info_size = request->path.size > base_size ? request->path.size - base_size : 0;
    return (weir_route_match_t){
        .route = &hi_route, .path_info = request->path.data + base_size, .path_info_size = path_info_size};
}

/* The value of a variable, checked to be there once; NULL when it is not there. To be freed. */
static char *value_of(const weir_cgi_request_t *cgi, const char *name)
{
    const weir_pair_t *found = NULL;
    for (size_t i = 0; i < cgi->environment_count; i++) {
        const weir_pair_t *pair = &cgi->environment[i];
        if (pair->name.size == strlen(name) && memcmp(pair->name.data, name, pair->name.size) == 0) {
            assert_null(found);
            found = pair;
        }
    }
    if (found == NULL)
        return NULL;
    return found->value.size > 0 ? strndup(found->value.data, found->value.size) : calloc(1, 1);
}

static void assert_variable(const weir_cgi_request_t *cgi, const char *name, const char *expected)
{
    char *value = value_of(cgi, name);
    if (expected == NULL ? value != NULL : value == NULL || strcmp(value, expected) != 0)
        fail_msg(
            "%s is \"%s\", not \"%s\"", name, value != NULL ? value : "(none)", expected != NULL ? expected : "(none)");
    free(value);
}

/* ---- Arguments ---- */

typedef struct argv_case {
    const char *argv_template;
    const char *target;
    const char *expected; /* each argument in brackets */
} argv_case_t;

static void test_arguments_are_spins(void **state)
{
    (void)state;
    static const argv_case_t cases[] = {
        {default_argv, "/hi/there?a=1&b=2", "[/hi/there][a=1][b=2]"},
        {default_argv, "/hi/there", "[/hi/there][]"},
        {default_argv, "/hi/there?", "[/hi/there][]"},
        {default_argv, "/hi?a%20b&&c", "[/hi][a%20b][][c]"},
        {default_argv, "/hi?a+b=c", "[/hi][a+b=c]"},
        {"", "/hi?a", "[]"},
        {"x  y", "/hi", "[x][][y]"},
        {" x ", "/hi", "[][x][]"},
        {"${ARGS} ${ARGS}", "/hi?a&b", "[a][b][a][b]"},
        {"${SCRIPT_NAME}${SCRIPT_NAME}", "/hi", "[/hi/hi]"},
        {"-${SCRIPT_NAME}-${ARGS}-", "/hi?a&b", "[-/hi-a][b-]"},
        {"${script_name} ${ARG} $ARGS ${ARGS", "/hi?a", "[${script_name}][${ARG}][$ARGS][${ARGS]"},
        /* One after the other: what the path brings is replaced too. */
        {"${SCRIPT_NAME}", "/hi/${ARGS}?a&b", "[/hi/a][b]"},
        {"${SCRIPT_NAME}GS}", "/hi/${AR?a&b", "[/hi/a][b]"},
        /* But what the query brings is not. */
        {"${ARGS}", "/hi?${SCRIPT_NAME}&${ARGS}", "[${SCRIPT_NAME}][${ARGS}]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        print_message("  %s with %s\n", cases[i].argv_template, cases[i].target);
        weir_request_t request = request_for(cases[i].target);
        weir_route_match_t match = match_for(&request);
        weir_cgi_request_t cgi;
        assert_null(weir_cgi_request_prepare(&request, &match, cases[i].argv_template, 0, &cgi));
        char shown[256];
        size_t size = 0;
        for (size_t k = 0; k < cgi.argument_count; k++) {
            weir_bytes_t argument = cgi.arguments[k];
            size += (size_t)snprintf(shown + size, sizeof shown - size, "[%.*s]", (int)argument.size, argument.data);
        }
        assert_string_equal(shown, cases[i].expected);
        weir_cgi_request_free(&cgi);
    }
}

static void test_arguments_are_bounded(void **state)
{
    (void)state;
    enum { QUERY = 1024 };
    char target[QUERY + 5];
    memset(target, '&', sizeof target);
    memcpy(target, "/hi?", 4);
    target[sizeof target - 1] = '\0';
    char argv_template[7 * 200 + 1];
    for (int times = 127; times <= 129; times++) {
        argv_template[0] = '\0';
        for (int i = 0; i < times; i++)
            memcpy(argv_template + 7 * i, "${ARGS}", sizeof "${ARGS}");
        weir_request_t request = request_for(target);
        weir_route_match_t match = match_for(&request);
        weir_cgi_request_t cgi = {.argument_count = 4711};
        const char *failure = weir_cgi_request_prepare(&request, &match, argv_template, 0, &cgi);
        if (times <= 128) { /* 128 times 1,024 bytes are the 128 KiB */
            assert_null(failure);
            assert_int_equal(cgi.argument_count, times * QUERY + 1);
            weir_cgi_request_free(&cgi);
        } else {
            assert_string_equal(failure, "its arguments would be longer than 128 KiB");
            assert_int_equal(cgi.argument_count, 4711);
        }
    }
}

/* ---- Environment ---- */

typedef struct variable {
    const char *name;
    const char *value;
} variable_t;

static void test_environment_is_spins(void **state)
{
    (void)state;
    static const variable_t expected[] = {{"AUTH_TYPE", ""}, {"CONTENT_LENGTH", "17"}, {"CONTENT_TYPE", "text/plain"},
        {"GATEWAY_INTERFACE", "CGI/1.1"}, {"HTTP_ACCEPT", "a/b"}, {"HTTP_CONTENT_TYPE", "text/plain"},
        {"HTTP_HOST", "example.com:3000"}, {"PATH_INFO", "/a%20b/"}, {"PATH_TRANSLATED", "/a b/"},
        {"QUERY_STRING", "x=%201&y"}, {"REMOTE_ADDR", "2001:db8::7"}, {"REMOTE_HOST", "2001:db8::7"},
        {"REMOTE_USER", ""}, {"REQUEST_METHOD", "POST"}, {"SCRIPT_NAME", "/hi"}, {"SERVER_NAME", "example.com"},
        {"SERVER_PORT", "3000"}, {"SERVER_PROTOCOL", "HTTP/1.1"}, {"SERVER_SOFTWARE", "WAGI/1"}, {"X_BASE_PATH", "/"},
        {"X_CLIENT_ADDR", "[2001:db8::7]:4711"}, {"X_COMPONENT_ROUTE", "/hi"},
        {"X_FULL_URL", "http://example.com:3000/hi/a%20b/?x=%201&y"}, {"X_MATCHED_ROUTE", "/hi/..."},
        {"X_RAW_COMPONENT_ROUTE", "/hi/..."}, {"X_RAW_PATH_INFO", "/a%20b/"}};
    const weir_pair_t headers[] = {{bytes_of("Host"), bytes_of("example.com:3000")},
        {bytes_of("Accept"), bytes_of("a/b")}, {bytes_of("Content-Type"), bytes_of("text/plain")}};
    weir_request_t request = request_for("/hi/a%20b/?x=%201&y");
    request.method = bytes_of("POST");
    request.headers = headers;
    request.header_count = sizeof headers / sizeof headers[0];
    weir_route_match_t match = match_for(&request);
    weir_cgi_request_t cgi;
    assert_null(weir_cgi_request_prepare(&request, &match, default_argv, 17, &cgi));
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        assert_variable(&cgi, expected[i].name, expected[i].value);
    assert_int_equal(cgi.environment_count, sizeof expected / sizeof expected[0]);
    weir_cgi_request_free(&cgi);
}

typedef struct host_case {
    const char *host;
    const char *name;
    const char *port;
    const char *url;
} host_case_t;

static void test_server_comes_from_the_host_header(void **state)
{
    (void)state;
    static const host_case_t cases[] = {
        {"example.com", "example.com", "80", "http://example.com/hi"},
        {"example.com:8080", "example.com", "8080", "http://example.com:8080/hi"},
        {"example.com:", "example.com", "80", "http://example.com:/hi"},
        {":8080", "default_host", "8080", "http://:8080/hi"},
        {"", "default_host", "80", "http://localhost/hi"},
        /* splitn(2, ':'), also here */
        {"[::1]:3000", "[", ":1]:3000", "http://[::1]:3000/hi"},
        /* to_str() fails, from_utf8() does not */
        {"caf\xc3\xa9", "default_host", "80", "http://caf\xc3\xa9/hi"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        weir_request_t request = request_for("/hi");
        request.host = bytes_of(cases[i].host);
        weir_route_match_t match = match_for(&request);
        weir_cgi_request_t cgi;
        assert_null(weir_cgi_request_prepare(&request, &match, default_argv, 0, &cgi));
        assert_variable(&cgi, "SERVER_NAME", cases[i].name);
        assert_variable(&cgi, "SERVER_PORT", cases[i].port);
        assert_variable(&cgi, "X_FULL_URL", cases[i].url);
        weir_cgi_request_free(&cgi);
    }
}

static void test_host_that_is_not_utf8_is_refused(void **state)
{
    (void)state;
    weir_request_t request = request_for("/hi");
    request.host = bytes_of("caf\xe9");
    weir_route_match_t match = match_for(&request);
    weir_cgi_request_t cgi;
    assert_string_equal(
        weir_cgi_request_prepare(&request, &match, default_argv, 0, &cgi), "the Host header is not UTF-8");
}

static void test_url_says_https_over_tls(void **state)
{
    (void)state;
    weir_request_t request = request_for("/hi?a");
    request.secure = true;
    weir_route_match_t match = match_for(&request);
    weir_cgi_request_t cgi;
    assert_null(weir_cgi_request_prepare(&request, &match, default_argv, 0, &cgi));
    assert_variable(&cgi, "X_FULL_URL", "https://example.com:3000/hi?a");
    weir_cgi_request_free(&cgi);
}

static void test_routes_are_as_written_and_as_matched(void **state)
{
    (void)state;
    /* Without its leading slash, and the one route whose based form is empty in Spin. */
    static const weir_route_t routes[] = {
        {.trigger = &trigger, .raw = "hi/...", .matched = "/hi/...", .base = "/hi", .raw_base = "hi", .wildcard = true},
        {.trigger = &trigger, .raw = "/", .matched = "", .base = "", .raw_base = "/"},
        {.trigger = &trigger, .raw = "/...", .matched = "/...", .base = "", .raw_base = "", .wildcard = true},
    };
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        weir_request_t request = request_for("/");
        weir_route_match_t match = {.route = &routes[i], .path_info = "", .path_info_size = 0};
        weir_cgi_request_t cgi;
        assert_null(weir_cgi_request_prepare(&request, &match, default_argv, 0, &cgi));
        assert_variable(&cgi, "SCRIPT_NAME", routes[i].base);
        assert_variable(&cgi, "X_MATCHED_ROUTE", routes[i].matched);
        assert_variable(&cgi, "X_RAW_COMPONENT_ROUTE", routes[i].raw);
        assert_variable(&cgi, "X_COMPONENT_ROUTE", routes[i].raw_base);
        assert_variable(&cgi, "PATH_INFO", "");
        weir_cgi_request_free(&cgi);
    }
}

typedef struct header_case {
    const char *name;
    const char *value;
    const char *variable;
    const char *expected; /* NULL: not there */
} header_case_t;

static void test_each_parameter_of_the_route_is_a_variable(void **state)
{
    (void)state;
    const weir_route_parameter_t parameters[] = {
        {"id", "spin-path-match-id", "X_PATH_MATCH_ID"}, {"a-b", "spin-path-match-a-b", "X_PATH_MATCH_A-B"}};
    weir_route_t route = hi_route;
    route.parameters = parameters;
    route.parameter_count = 2;
    weir_request_t request = request_for("/hi/x");
    weir_route_match_t match = match_for(&request);
    match.route = &route;
    match.parameters[0] = (weir_route_value_t){"42, not more", 2};
    match.parameters[1] = (weir_route_value_t){"a%20b", 5};
    weir_cgi_request_t cgi;
    assert_null(weir_cgi_request_prepare(&request, &match, default_argv, 0, &cgi));
    assert_variable(&cgi, "X_PATH_MATCH_ID", "42");
    assert_variable(&cgi, "X_PATH_MATCH_A-B", "a%20b");
    weir_cgi_request_free(&cgi);
}

static void test_headers_become_variables(void **state)
{
    (void)state;
    static const header_case_t cases[] = {
        {"X-Some.Thing", "v", "HTTP_X_SOME.THING", "v"},
        {"accept", "", "HTTP_ACCEPT", ""},
        {"Keep-Alive", "5", "HTTP_KEEP_ALIVE", "5"},
        {"Transfer-Encoding", "chunked", "HTTP_TRANSFER_ENCODING", "chunked"},
        {"X", "tab\there", "HTTP_X", "tab\there"},
        /* HeaderValue::to_str() takes printable ASCII only. */
        {"X", "caf\xc3\xa9", "HTTP_X", "CORRUPT VALUE"},
        {"X", "caf\xe9", "HTTP_X", "CORRUPT VALUE"},
        /* RFC 3875, section 4.1.18 */
        {"Authorization", "Basic x", "HTTP_AUTHORIZATION", NULL},
        {"CONNECTION", "close", "HTTP_CONNECTION", NULL},
        /* Not as in Spin, on purpose: see cgi_request.h. */
        {"Proxy", "http://evil/", "HTTP_PROXY", NULL},
        {"Spin-Full-Url", "http://evil/", "HTTP_SPIN_FULL_URL", NULL},
        {"spin_client_addr", "1.2.3.4:5", "HTTP_SPIN_CLIENT_ADDR", NULL},
        {"Spinner", "1", "HTTP_SPINNER", "1"},
        {"no token", "1", "HTTP_NO TOKEN", NULL},
        {"", "1", "HTTP_", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        weir_pair_t header = {bytes_of(cases[i].name), bytes_of(cases[i].value)};
        weir_request_t request = request_for("/hi");
        request.headers = &header;
        request.header_count = 1;
        weir_route_match_t match = match_for(&request);
        weir_cgi_request_t cgi;
        assert_null(weir_cgi_request_prepare(&request, &match, default_argv, 0, &cgi));
        assert_variable(&cgi, cases[i].variable, cases[i].expected);
        weir_cgi_request_free(&cgi);
    }
}

static void test_last_of_a_repeated_header_counts(void **state)
{
    (void)state;
    const weir_pair_t headers[] = {{bytes_of("X-A"), bytes_of("1")}, {bytes_of("X_B"), bytes_of("low 1")},
        {bytes_of("x-a"), bytes_of("2")}, {bytes_of("X-B"), bytes_of("high")}, {bytes_of("x_b"), bytes_of("low 2")},
        {bytes_of("x_c"), bytes_of("3")}, {bytes_of("X_C"), bytes_of("4")}};
    weir_request_t request = request_for("/hi");
    request.headers = headers;
    request.header_count = sizeof headers / sizeof headers[0];
    weir_route_match_t match = match_for(&request);
    weir_cgi_request_t cgi;
    assert_null(weir_cgi_request_prepare(&request, &match, default_argv, 0, &cgi));
    assert_variable(&cgi, "HTTP_X_A", "2");
    assert_variable(&cgi, "HTTP_X_B", "high");
    assert_variable(&cgi, "HTTP_X_C", "4");
    weir_cgi_request_free(&cgi);
}

/*
 * Not as in Spin, on purpose: build_headers (crates/http/src/wagi/mod.rs) looks for a header that is called
 * "CONTENT_TYPE", so that for Content-Type the variable is empty. RFC 3875, section 4.1.3, wants it.
 */
static void test_the_content_type_is_that_of_the_first_header_of_that_name(void **state)
{
    (void)state;
    static const struct {
        const char *name[2];
        const char *value[2];
        const char *expected;
    } cases[] = {
        {{"Content-Type", "X"}, {"a/b", "y"}, "a/b"},
        {{"Content-Type", "content-type"}, {"first", "second"}, "first"},
        {{"Content_Type", "X"}, {"a/b", "y"}, ""},
        {{"Content_Type", "Content-Type"}, {"a/b", "c/d"}, "c/d"},
        {{"Content-Type", "X"}, {"caf\xc3\xa9", "y"}, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const weir_pair_t headers[] = {{bytes_of(cases[i].name[0]), bytes_of(cases[i].value[0])},
            {bytes_of(cases[i].name[1]), bytes_of(cases[i].value[1])}};
        weir_request_t request = request_for("/hi");
        request.headers = headers;
        request.header_count = 2;
        weir_route_match_t match = match_for(&request);
        weir_cgi_request_t cgi;
        assert_null(weir_cgi_request_prepare(&request, &match, default_argv, 0, &cgi));
        assert_variable(&cgi, "CONTENT_TYPE", cases[i].expected);
        weir_cgi_request_free(&cgi);
    }
}

static void test_content_length_can_be_put_in_later(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {0, 9, UINT64_MAX, 10};
    static const char *const shown[] = {"0", "9", "18446744073709551615", "10"};
    weir_request_t request = request_for("/hi");
    weir_route_match_t match = match_for(&request);
    weir_cgi_request_t cgi;
    assert_null(weir_cgi_request_prepare(&request, &match, default_argv, 12345, &cgi));
    assert_variable(&cgi, "CONTENT_LENGTH", "12345");
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        weir_cgi_request_set_content_length(&cgi, lengths[i]);
        assert_variable(&cgi, "CONTENT_LENGTH", shown[i]);
        assert_variable(&cgi, "CONTENT_TYPE", "");
    }
    weir_cgi_request_free(&cgi);
}

static void test_result_does_not_depend_on_the_request(void **state)
{
    (void)state;
    char target[] = "/hi/there?a=b";
    char value[] = "blue";
    weir_pair_t header = {bytes_of("x-color"), bytes_of(value)};
    weir_request_t request = request_for(target);
    request.headers = &header;
    request.header_count = 1;
    weir_route_match_t match = match_for(&request);
    weir_cgi_request_t cgi;
    assert_null(weir_cgi_request_prepare(&request, &match, default_argv, 0, &cgi));
    memset(target, 'z', sizeof target);
    memset(value, 'z', sizeof value);
    assert_variable(&cgi, "PATH_INFO", "/there");
    assert_variable(&cgi, "QUERY_STRING", "a=b");
    assert_variable(&cgi, "HTTP_X_COLOR", "blue");
    assert_memory_equal(cgi.arguments[0].data, "/hi/there", 9);
    weir_cgi_request_free(&cgi);
}

/* ---- Percent-decoding ---- */

typedef struct decode_case {
    const char *text;
    const char *expected;
} decode_case_t;

#define REPLACEMENT "\xef\xbf\xbd"

/* Rust: percent_decode_str(text).decode_utf8_lossy() */
static void test_percent_decoding_is_rusts(void **state)
{
    (void)state;
    static const decode_case_t cases[] = {
        {"", ""},
        {"/a%20b%2Fc", "/a b/c"},
        {"%e4%B8%ad", "\xe4\xb8\xad"},
        {"%", "%"},
        {"%4", "%4"},
        {"%4g%zz%%41", "%4g%zz%A"},
        {"%41%", "A%"},
        {"+", "+"},
        {"%ff", REPLACEMENT},
        {"a%80b", "a" REPLACEMENT "b"},
        {"%c3", REPLACEMENT},
        {"%c3(", REPLACEMENT "("},
        {"%e4%b8", REPLACEMENT},
        {"%e4%b8x", REPLACEMENT "x"},
        {"%f0%9f%92", REPLACEMENT},
        {"%f0%9f%92%a9", "\xf0\x9f\x92\xa9"},
        {"%c0%af", REPLACEMENT REPLACEMENT},
        {"%e0%80%80", REPLACEMENT REPLACEMENT REPLACEMENT},
        {"%ed%a0%80", REPLACEMENT REPLACEMENT REPLACEMENT},
        {"%f4%90%80%80", REPLACEMENT REPLACEMENT REPLACEMENT REPLACEMENT},
        {"%ff%ff%ff", REPLACEMENT REPLACEMENT REPLACEMENT},
        {"\xc3\xa9", "\xc3\xa9"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t size = strlen(cases[i].text);
        char *result = malloc(3 * size + (size == 0));
        assert_non_null(result);
        size_t result_size = weir_percent_decode((weir_bytes_t){cases[i].text, size}, result);
        assert_int_equal(result_size, strlen(cases[i].expected));
        if (result_size > 0)
            assert_memory_equal(result, cases[i].expected, result_size);
        free(result);
    }
}

static void test_percent_decoding_keeps_within_three_times_the_size(void **state)
{
    (void)state;
    enum { SIZE = 1000 };
    char text[SIZE];
    memset(text, 0xff, sizeof text); /* each byte becomes three */
    char *result = malloc((size_t)3 * SIZE);
    assert_non_null(result);
    assert_int_equal(weir_percent_decode((weir_bytes_t){text, SIZE}, result), 3 * SIZE);
    for (int i = 0; i < SIZE; i++)
        assert_memory_equal(result + (size_t)3 * (size_t)i, REPLACEMENT, 3);
    free(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arguments_are_spins),
        cmocka_unit_test(test_arguments_are_bounded),
        cmocka_unit_test(test_environment_is_spins),
        cmocka_unit_test(test_server_comes_from_the_host_header),
        cmocka_unit_test(test_host_that_is_not_utf8_is_refused),
        cmocka_unit_test(test_url_says_https_over_tls),
        cmocka_unit_test(test_routes_are_as_written_and_as_matched),
        cmocka_unit_test(test_each_parameter_of_the_route_is_a_variable),
        cmocka_unit_test(test_headers_become_variables),
        cmocka_unit_test(test_last_of_a_repeated_header_counts),
        cmocka_unit_test(test_the_content_type_is_that_of_the_first_header_of_that_name),
        cmocka_unit_test(test_content_length_can_be_put_in_later),
        cmocka_unit_test(test_result_does_not_depend_on_the_request),
        cmocka_unit_test(test_percent_decoding_is_rusts),
        cmocka_unit_test(test_percent_decoding_keeps_within_three_times_the_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
