/*
 * test_cgi_response.c: what a CGI head means, and where it ends. Expected values follow Spin's
 * crates/http/src/wagi/mod.rs (compose_response, parse_cgi_headers).
 */
#include "guest/cgi_response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct head_case {
    const char *name;
    const char *output;
    weir_cgi_verdict_t verdict;
    uint16_t status;
    int64_t content_length;
    const char *headers; /* "name: value\n" for each */
    const char *body;    /* what is left of the output; NULL: the head does not end */
} head_case_t;

static const head_case_t cases[] = {
    {"content type", "Content-Type: text/plain\n\nhi", WEIR_CGI_GOOD, 200, -1, "content-type: text/plain\n", "hi"},
    {"CRLF", "Content-Type: text/plain\r\n\r\nhi\r\n", WEIR_CGI_GOOD, 200, -1, "content-type: text/plain\n", "hi\r\n"},
    {"CRs anywhere in the head", "Con\rtent-Type: te\r\rxt/plain\n\r\r\nhi", WEIR_CGI_GOOD, 200, -1,
        "content-type: text/plain\n", "hi"},
    {"body with empty lines", "Content-Type: a/b\n\n\n\r\n\nhi", WEIR_CGI_GOOD, 200, -1, "content-type: a/b\n",
        "\n\r\n\nhi"},
    {"empty body", "Content-Type: a/b\n\n", WEIR_CGI_GOOD, 200, -1, "content-type: a/b\n", ""},
    {"spaces around name and value", "  Content-Type \t:\t  a/b  \nX: y\n\n", WEIR_CGI_GOOD, 200, -1,
        "content-type: a/b\nx: y\n", ""},
    {"colons in the value", "Content-Type: a/b\nX-Url: http://h:1/\n\n", WEIR_CGI_GOOD, 200, -1,
        "content-type: a/b\nx-url: http://h:1/\n", ""},
    {"empty value", "Content-Type:\n\n", WEIR_CGI_GOOD, 200, -1, "content-type: \n", ""},
    {"value in UTF-8", "Content-Type: a/b\nX: caf\xc3\xa9\n\n", WEIR_CGI_GOOD, 200, -1,
        "content-type: a/b\nx: caf\xc3\xa9\n", ""},

    {"status with text", "Status: 404 Not Found\n\n", WEIR_CGI_GOOD, 404, -1, "", ""},
    {"status alone", "status:204\n\n", WEIR_CGI_GOOD, 204, -1, "", ""},
    {"highest status", "Status: 999\n\n", WEIR_CGI_GOOD, 999, -1, "", ""},
    {"lowest status", "Status: 100\n\n", WEIR_CGI_GOOD, 100, -1, "", ""},
    {"status 099", "Status: 099\n\n", WEIR_CGI_GOOD, 502, -1, "", ""},
    {"status of two digits", "Status: 99\n\n", WEIR_CGI_GOOD, 502, -1, "", ""},
    {"status of four digits", "Status: 2000\n\n", WEIR_CGI_GOOD, 502, -1, "", ""},
    {"status that is text", "Status: OK\nX: y\n\nhi", WEIR_CGI_GOOD, 502, -1, "x: y\n", "hi"},
    {"empty status", "Status:\n\n", WEIR_CGI_GOOD, 502, -1, "", ""},
    {"status before a tab", "Status: 200\tOK\n\n", WEIR_CGI_GOOD, 502, -1, "", ""},
    {"status with a sign", "Status: +20\n\n", WEIR_CGI_GOOD, 502, -1, "", ""},
    {"control character in the status text", "Status: 200 O\x01K\n\n", WEIR_CGI_GOOD, 200, -1, "", ""},
    {"last status", "Status: 200\nStatus: 404\n\n", WEIR_CGI_GOOD, 404, -1, "", ""},

    {"location", "Location: /there\n\n", WEIR_CGI_GOOD, 302, -1, "location: /there\n", ""},
    {"location after status", "Status: 301\nLocation: /there\n\n", WEIR_CGI_GOOD, 301, -1, "location: /there\n", ""},
    {"location before status", "Location: /there\nStatus: 201\n\n", WEIR_CGI_GOOD, 201, -1, "location: /there\n", ""},
    {"location with a bad status", "Location: /there\nStatus: x\n\n", WEIR_CGI_GOOD, 502, -1, "location: /there\n", ""},
    {"location and content type", "Content-Type: a/b\nLocation: /there\n\n", WEIR_CGI_GOOD, 302, -1,
        "content-type: a/b\nlocation: /there\n", ""},

    {"nothing that suffices", "X: y\n\nhi", WEIR_CGI_INSUFFICIENT, 200, -1, "x: y\n", "hi"},
    {"empty head", "\n\nhi", WEIR_CGI_INSUFFICIENT, 200, -1, "", "hi"},
    {"one empty line first", "\nContent-Type: a/b\n\nhi", WEIR_CGI_GOOD, 200, -1, "content-type: a/b\n", "hi"},
    {"no end", "Content-Type: a/b\n", WEIR_CGI_GOOD, 0, 0, NULL, NULL},
    {"no end but CRs", "Content-Type: a/b\n\r\r", WEIR_CGI_GOOD, 0, 0, NULL, NULL},

    {"lines without a colon", "hello\nContent-Type: a/b\nworld\n\n", WEIR_CGI_GOOD, 200, -1, "content-type: a/b\n", ""},
    {"last of a name", "Content-Type: a/b\nX: 1\nY: 2\nX: 3\n\n", WEIR_CGI_GOOD, 200, -1,
        "content-type: a/b\nx: 3\ny: 2\n", ""},
    {"last of a name in any case", "Content-Type: a/b\nX-A: 1\nx-a: 2\n\n", WEIR_CGI_GOOD, 200, -1,
        "content-type: a/b\nx-a: 2\n", ""},
    {"invalid names", "Content-Type: a/b\nX Y: 1\n: 2\nX(: 3\nX\xc3\xa9: 4\n\n", WEIR_CGI_GOOD, 200, -1,
        "content-type: a/b\n", ""},
    /* compose_response: HeaderValue::from_str(h.1)? fails the request, where a header's name is one. */
    {"tab in a value", "Content-Type: a/b\nZ: a\tz\n\n", WEIR_CGI_GOOD, 200, -1, "content-type: a/b\nz: a\tz\n", ""},
    {"control character in a value", "Content-Type: a/b\nX: a\x01z\n\nhi", WEIR_CGI_BAD_VALUE, 0, 0, NULL, "hi"},
    {"delete in a value", "Content-Type: a/b\nX: a\x7fz\n\n", WEIR_CGI_BAD_VALUE, 0, 0, NULL, ""},
    {"control character in the content type", "Content-Type: a/\x02z\n\n", WEIR_CGI_BAD_VALUE, 0, 0, NULL, ""},
    {"control character in the location", "Location: /\x02z\n\n", WEIR_CGI_BAD_VALUE, 0, 0, NULL, ""},
    {"control character in the length", "Content-Type: a/b\nContent-Length: 1\x02\n\n", WEIR_CGI_BAD_VALUE, 0, 0, NULL,
        ""},
    {"control character in a header of the connection", "Content-Type: a/b\nConnection: a\x02z\n\n", WEIR_CGI_BAD_VALUE,
        0, 0, NULL, ""},
    {"control character in a value and nothing that suffices", "X: a\x01z\n\n", WEIR_CGI_BAD_VALUE, 0, 0, NULL, ""},
    {"control character after an invalid name", "Content-Type: a/b\nX Y: a\x01z\n\n", WEIR_CGI_GOOD, 200, -1,
        "content-type: a/b\n", ""},
    /* parse_cgi_headers: a map by the name as it is written, so that a value that is replaced is never looked at. */
    {"control character in a value that another replaces", "Content-Type: a/b\nX: a\x01z\nX: b\n\n", WEIR_CGI_GOOD, 200,
        -1, "content-type: a/b\nx: b\n", ""},
    {"control character in a value of a name in another case", "Content-Type: a/b\nX: a\x01z\nx: b\n\n",
        WEIR_CGI_BAD_VALUE, 0, 0, NULL, ""},
    {"two content lengths in another case", "Content-Length: 42\ncontent-length: 43\nContent-Type: a/b\n\n",
        WEIR_CGI_BAD_LENGTH, 0, 0, NULL, ""},
    {"not UTF-8", "Content-Type: a/b\nX: \xe9\n\n", WEIR_CGI_NOT_UTF8, 0, 0, NULL, ""},

    {"headers of the connection",
        "Content-Type: a/b\nConnection: close\nKeep-Alive: 5\nProxy-Connection: x\nProxy-Authenticate: x\n"
        "Proxy-Authorization: x\nTE: x\nTrailer: x\nTransfer-Encoding: chunked\nUpgrade: x\nProxy-Status: kept\n\n",
        WEIR_CGI_GOOD, 200, -1, "content-type: a/b\nproxy-status: kept\n", ""},
    {"content length", "Content-Length: 42\nContent-Type: a/b\n\n", WEIR_CGI_GOOD, 200, 42, "content-type: a/b\n", ""},
    {"the same content length twice", "Content-Length: 42\ncontent-length: 42\nContent-Type: a/b\n\n", WEIR_CGI_GOOD,
        200, 42, "content-type: a/b\n", ""},
    {"two content lengths", "Content-Length: 42\nContent-Length: 43\nContent-Type: a/b\n\n", WEIR_CGI_BAD_LENGTH, 0, 0,
        NULL, ""},
    {"negative content length", "Content-Length: -1\nContent-Type: a/b\n\n", WEIR_CGI_BAD_LENGTH, 0, 0, NULL, ""},
    {"content length with a sign", "Content-Length: +1\nContent-Type: a/b\n\n", WEIR_CGI_BAD_LENGTH, 0, 0, NULL, ""},
    {"empty content length", "Content-Length:\nContent-Type: a/b\n\n", WEIR_CGI_BAD_LENGTH, 0, 0, NULL, ""},
    {"list of content lengths", "Content-Length: 1, 1\nContent-Type: a/b\n\n", WEIR_CGI_BAD_LENGTH, 0, 0, NULL, ""},
    {"largest content length", "Content-Length: 9223372036854775807\nContent-Type: a/b\n\n", WEIR_CGI_GOOD, 200,
        INT64_MAX, "content-type: a/b\n", ""},
    {"too large a content length", "Content-Length: 9223372036854775808\nContent-Type: a/b\n\n", WEIR_CGI_BAD_LENGTH, 0,
        0, NULL, ""},
};

/* Feed bytes as heap memory of just their size, so that reading beyond them is found out. */
static weir_cgi_progress_t feed(weir_cgi_response_t *response, const char *bytes, size_t size, size_t *ret_taken)
{
    char *copy = malloc(size + (size == 0));
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    weir_cgi_progress_t progress = weir_cgi_response_feed(response, (weir_bytes_t){copy, size}, ret_taken);
    free(copy);
    return progress;
}

static void check_head(const head_case_t *expected, weir_cgi_response_t *response, const char *body)
{
    assert_non_null(expected->body);
    assert_string_equal(body, expected->body);
    assert_int_equal(weir_cgi_response_understand(response), expected->verdict);
    if (expected->headers == NULL)
        return;
    char headers[1024];
    size_t size = 0;
    headers[0] = '\0';
    for (size_t i = 0; i < response->header_count; i++) {
        weir_pair_t header = response->headers[i];
        size += (size_t)snprintf(headers + size, sizeof headers - size, "%.*s: %.*s\n", (int)header.name.size,
            header.name.data, (int)header.value.size, header.value.data);
    }
    assert_string_equal(headers, expected->headers);
    assert_int_equal(response->status, expected->status);
    assert_int_equal(response->content_length, expected->content_length);
}

static void test_heads_are_understood_as_in_spin(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        print_message("  %s\n", cases[i].name);
        weir_cgi_response_t response;
        weir_cgi_response_init(&response);
        size_t taken;
        weir_cgi_progress_t progress = feed(&response, cases[i].output, strlen(cases[i].output), &taken);
        if (cases[i].body == NULL) {
            assert_int_equal(progress, WEIR_CGI_MORE);
            assert_int_equal(taken, strlen(cases[i].output));
        } else {
            assert_int_equal(progress, WEIR_CGI_COMPLETE);
            check_head(&cases[i], &response, cases[i].output + taken);
        }
        weir_cgi_response_free(&response);
    }
}

static void test_pieces_may_end_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *output = cases[i].output;
        size_t size = strlen(output);
        /* Two pieces, cut at every byte; then pieces of one byte each. */
        for (size_t cut = 0; cut <= size + 1; cut++) {
            weir_cgi_response_t response;
            weir_cgi_response_init(&response);
            size_t at = 0;
            weir_cgi_progress_t progress = WEIR_CGI_MORE;
            while (progress == WEIR_CGI_MORE && at < size) {
                size_t piece = cut == size + 1 ? 1 : at < cut ? cut - at : size - at;
                size_t taken;
                progress = feed(&response, output + at, piece, &taken);
                assert_true(taken <= piece);
                at += taken;
            }
            if (cases[i].body == NULL)
                assert_int_equal(progress, WEIR_CGI_MORE);
            else
                check_head(&cases[i], &response, output + at);
            weir_cgi_response_free(&response);
        }
    }
}

static void test_what_was_left_out_is_counted(void **state)
{
    (void)state;
    static const char output[] = "a\nb\n\x01: c\nContent-Type: a/b\nX Y: z\nd\n\n";
    weir_cgi_response_t response;
    weir_cgi_response_init(&response);
    size_t taken;
    assert_int_equal(feed(&response, output, sizeof output - 1, &taken), WEIR_CGI_COMPLETE);
    assert_int_equal(weir_cgi_response_understand(&response), WEIR_CGI_GOOD);
    assert_int_equal(response.skipped_lines, 3);
    assert_int_equal(response.dropped_headers, 2);
    assert_false(response.bad_status);
    weir_cgi_response_free(&response);
}

static void test_head_may_have_64_kib_and_no_more(void **state)
{
    (void)state;
    static const char beginning[] = "Content-Type: a/b\nX: ";
    for (size_t size = WEIR_CGI_HEAD_MAX_BYTES - 1; size <= WEIR_CGI_HEAD_MAX_BYTES + 1; size++) {
        char *output = malloc(size);
        assert_non_null(output);
        memset(output, 'x', size);
        memcpy(output, beginning, sizeof beginning - 1);
        memcpy(output + size - 2, "\n\n", 2);
        weir_cgi_response_t response;
        weir_cgi_response_init(&response);
        size_t taken;
        weir_cgi_progress_t progress = feed(&response, output, size, &taken);
        assert_int_equal(progress, size <= WEIR_CGI_HEAD_MAX_BYTES ? WEIR_CGI_COMPLETE : WEIR_CGI_TOO_LONG);
        if (progress == WEIR_CGI_COMPLETE) {
            assert_int_equal(weir_cgi_response_understand(&response), WEIR_CGI_GOOD);
            assert_int_equal(response.header_count, 2);
            assert_int_equal(response.headers[1].value.size, size - (sizeof beginning - 1) - 2);
        }
        weir_cgi_response_free(&response);
        free(output);
    }
}

static void test_head_of_nothing_but_crs_is_too_long(void **state)
{
    (void)state;
    char output[4096];
    memset(output, '\r', sizeof output);
    weir_cgi_response_t response;
    weir_cgi_response_init(&response);
    weir_cgi_progress_t progress = WEIR_CGI_MORE;
    size_t fed = 0;
    while (progress == WEIR_CGI_MORE) {
        size_t taken;
        progress = feed(&response, output, sizeof output, &taken);
        fed += taken;
        assert_true(fed <= WEIR_CGI_HEAD_MAX_BYTES);
    }
    assert_int_equal(progress, WEIR_CGI_TOO_LONG);
    weir_cgi_response_free(&response);
}

static void test_head_may_have_256_headers_and_no_more(void **state)
{
    (void)state;
    for (int headers = WEIR_CGI_HEAD_MAX_HEADERS; headers <= WEIR_CGI_HEAD_MAX_HEADERS + 1; headers++) {
        weir_cgi_response_t response;
        weir_cgi_response_init(&response);
        char line[32];
        size_t taken;
        for (int i = 1; i < headers; i++) {
            int size = snprintf(line, sizeof line, "x-%d: %d\n", i, i);
            assert_int_equal(feed(&response, line, (size_t)size, &taken), WEIR_CGI_MORE);
        }
        assert_int_equal(feed(&response, "Content-Type: a/b\n\n", 19, &taken), WEIR_CGI_COMPLETE);
        bool fits = headers == WEIR_CGI_HEAD_MAX_HEADERS;
        assert_int_equal(weir_cgi_response_understand(&response), fits ? WEIR_CGI_GOOD : WEIR_CGI_TOO_MANY);
        if (fits) {
            assert_int_equal(response.header_count, WEIR_CGI_HEAD_MAX_HEADERS);
            assert_memory_equal(response.headers[254].value.data, "255", 3);
        }
        weir_cgi_response_free(&response);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heads_are_understood_as_in_spin),
        cmocka_unit_test(test_pieces_may_end_anywhere),
        cmocka_unit_test(test_what_was_left_out_is_counted),
        cmocka_unit_test(test_head_may_have_64_kib_and_no_more),
        cmocka_unit_test(test_head_of_nothing_but_crs_is_too_long),
        cmocka_unit_test(test_head_may_have_256_headers_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
