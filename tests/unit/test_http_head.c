/*
 * test_http_head.c: heads of requests, and trailers, as bytes: what is understood, and what is refused because two
 * programs could understand it differently (RFC 9112, sections 2 to 7).
 */
#include "http/head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static weir_pair_t fields[WEIR_HEAD_FIELDS_MAX];

/* Parse bytes in a block of exactly their size, so that a sanitizer sees a byte too much. */
static weir_head_state_t parse(
    const char *text, size_t size, weir_head_t *ret_head, unsigned *ret_status, char **ret_copy)
{
    char *copy = malloc(size + (size == 0 ? 1 : 0));
    assert_non_null(copy);
    memcpy(copy, text, size);
    weir_head_state_t state = weir_head_parse((weir_bytes_t){copy, size}, ret_head, fields, ret_status);
    *ret_copy = copy;
    return state;
}

static void assert_text(weir_bytes_t text, const char *expected)
{
    assert_int_equal(text.size, strlen(expected));
    assert_memory_equal(text.data, expected, text.size);
}

static void a_head_is_taken_apart(void **state)
{
    (void)state;
    static const char text[] = "POST /a?b HTTP/1.1\r\nHost: example.test\r\nContent-Length: 12\r\nX-One:  1\t \r\n"
                               "Expect: 100-Continue\r\nTE: gzip, trailers\r\n\r\nthe body";
    weir_head_t head;
    unsigned status;
    char *copy;
    assert_int_equal(parse(text, sizeof(text) - 1, &head, &status, &copy), WEIR_HEAD_WHOLE);
    assert_int_equal(head.size, sizeof(text) - 1 - strlen("the body"));
    assert_text(head.method, "POST");
    assert_text(head.target, "/a?b");
    assert_text(head.host, "example.test");
    assert_int_equal(head.minor, 1);
    assert_int_equal(head.content_length, 12);
    assert_true(head.keeps);
    assert_true(head.expects_continue);
    assert_true(head.takes_trailers);
    assert_int_equal(head.field_count, 5);
    assert_text(fields[2].name, "X-One");
    assert_text(fields[2].value, "1");
    free(copy);
}

static void every_beginning_of_a_head_is_partial(void **state)
{
    (void)state;
    static const char text[] = "\r\nGET /a HTTP/1.1\r\nHost: a\r\nCookie: b=c\r\n\r\n";
    for (size_t size = 0; size <= sizeof(text) - 1; size++) {
        weir_head_t head;
        unsigned status;
        char *copy;
        weir_head_state_t expected = size == sizeof(text) - 1 ? WEIR_HEAD_WHOLE : WEIR_HEAD_PARTIAL;
        assert_int_equal(parse(text, size, &head, &status, &copy), expected);
        free(copy);
    }
}

static void framing_and_persistence_are_decided_once(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t length;
        bool keeps;
        bool expects;
    } rows[] = {
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0, true, false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 0, false, false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE ,y\r\n\r\n", 0, false, false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n", 0, true, false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n", 0, false, false},
        {"GET / HTTP/1.0\r\n\r\n", 0, false, false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", 0, true, false},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775807\r\n\r\n", INT64_MAX, true, false},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 007\r\n\r\n", 7, true, false},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n", -1, true, false},
        {"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", 0, true, false}, /* for no body */
        {"POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n", 1, false, false},
        {"POST / HTTP/1.1\r\nHost:\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n", 1, true, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        weir_head_t head;
        unsigned status;
        char *copy;
        if (parse(rows[i].text, strlen(rows[i].text), &head, &status, &copy) != WEIR_HEAD_WHOLE ||
            head.content_length != rows[i].length || head.keeps != rows[i].keeps ||
            head.expects_continue != rows[i].expects) {
            fail_msg("not as it should be: %s", rows[i].text);
        }
        free(copy);
    }
}

static void methods_are_tokens(void **state)
{
    (void)state;
    static const char *const good[] = {"GET", "PROPFIND", "get", "a", "M-SEARCH", "X!#$%&'*+-.^_`|~9"};
    static const char *const bad[] = {"", "G(T", "GE T", "GET/", "G\"", "G\x80", "a@b", "[", "G\t", "{}"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]) + sizeof(bad) / sizeof(bad[0]); i++) {
        size_t goods = sizeof(good) / sizeof(good[0]);
        char text[100];
        weir_head_t head;
        unsigned status = 0;
        char *copy;
        int size =
            snprintf(text, sizeof(text), "%s / HTTP/1.1\r\nHost: a\r\n\r\n", i < goods ? good[i] : bad[i - goods]);
        weir_head_state_t parsed = parse(text, (size_t)size, &head, &status, &copy);
        if (parsed != (i < goods ? WEIR_HEAD_WHOLE : WEIR_HEAD_REFUSED)) {
            fail_msg("%s", text);
        }
        free(copy);
    }
}

#define POST "POST / HTTP/1.1\r\nHost: a\r\n"

static void what_could_be_read_in_two_ways_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned status;
    } rows[] = {
        {POST "Content-Length: 3\r\nContent-Length: 3\r\n\r\n", 400},
        {POST "Content-Length: 3, 3\r\n\r\n", 400},
        {POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 400},
        {POST "Content-Length: -1\r\n\r\n", 400},
        {POST "Content-Length: +1\r\n\r\n", 400},
        {POST "Content-Length: 0x1\r\n\r\n", 400},
        {POST "Content-Length: 1 1\r\n\r\n", 400},
        {POST "Content-Length:\r\n\r\n", 400},
        {POST "Content-Length: 9223372036854775808\r\n\r\n", 413},
        {POST "Content-Length: 9223372036854775808x\r\n\r\n", 400},
        {POST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
        {POST "Transfer-Encoding: identity , CHUNKED\r\n\r\n", 501},
        {POST "Transfer-Encoding: gzip\r\n\r\n", 400},
        {POST "Transfer-Encoding: chunked, chunked\r\n\r\n", 400},
        {POST "Transfer-Encoding: chunked, gzip, chunked\r\n\r\n", 400},
        {POST "Transfer-Encoding: chunked, identity\r\n\r\n", 400},
        {POST "Transfer-Encoding: ,chunked\r\n\r\n", 400},
        {POST "Transfer-Encoding: chunked,\r\n\r\n", 400},
        {POST "Transfer-Encoding: ,\r\n\r\n", 400},
        {POST "Transfer-Encoding:\r\n\r\n", 400},
        {POST "Expect: 200-ok\r\n\r\n", 417},
        {POST "Expect: 100-continue, x\r\n\r\n", 417},
        {POST "Expect: x\r\nExpect: 100-continue\r\n\r\n", 417},
        {POST "Expect: x\r\nContent-Length: y\r\n\r\n", 400},
        {POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {POST "Transfer-Encoding: \"chunked\"\r\n\r\n", 400},
        {"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost\t: a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: a\x01\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: a\x7f\r\n\r\n", 400},
        {"GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\n\n", 400},
        {"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET / HTTP/1.1\n", 400}, /* at once, although it is not whole */
        {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET / / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET /\r\nHost: a\r\n\r\n", 400},
        {"G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
        {"GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400},
        {"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
        {"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505},
        {"GET / http/1.1\r\nHost: a\r\n\r\n", 400},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
        {"\x16\x03\x01\x02", 400},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        weir_head_t head;
        unsigned status = 0;
        char *copy;
        if (parse(rows[i].text, strlen(rows[i].text), &head, &status, &copy) != WEIR_HEAD_REFUSED ||
            status != rows[i].status) {
            fail_msg("not refused with %u but %u: %s", rows[i].status, status, rows[i].text);
        }
        free(copy);
    }
}

static void another_version_is_refused_the_same_in_whatever_pieces_it_comes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned status;
    } rows[] = {{"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505}, {"\r\nGET / HTTP/1.2\r\n\r\n", 505},
        {"GET / HTTP/0.9\r\n", 505}, {"GET / HTTP/2\r\n", 400}, {"GET / HTTP/1.10\r\n", 400},
        {"GET / HTTP/x.1\r\n", 400}, {"GET / HTTP/2.0 \r\n", 400}, {"GET / ICAP/1.0\r\n", 400}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool refused = false;
        for (size_t size = 0; size <= strlen(rows[i].text); size++) {
            weir_head_t head;
            unsigned status = 0;
            char *copy;
            weir_head_state_t parsed = parse(rows[i].text, size, &head, &status, &copy);
            if (parsed == WEIR_HEAD_WHOLE || (refused && parsed != WEIR_HEAD_REFUSED) ||
                (parsed == WEIR_HEAD_REFUSED && status != rows[i].status)) {
                fail_msg("%.*s: %d, %u", (int)size, rows[i].text, (int)parsed, status);
            }
            refused = parsed == WEIR_HEAD_REFUSED;
            free(copy);
        }
        assert_true(refused);
    }
}

static void what_is_too_long_is_told_by_where_it_is(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned status;
    } rows[] = {
        {"GET / HTTP/1.1\r\nHost: aaaa", 431},
        {"GET / HTTP/1.1\r\n", 431},
        {"GET / HTTP/1.1", 414},
        {"GET /aaaa", 414},
        {"GET ", 414},
        {"GGGG", 501},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        weir_bytes_t text = {rows[i].text, strlen(rows[i].text)};
        assert_int_equal(weir_head_status_of_too_long(text), rows[i].status);
    }
}

static void a_nul_is_refused_wherever_it_stands(void **state)
{
    (void)state;
    static const char text[] = "GET /a HTTP/1.1\r\nHost: a\r\nX-One: b\r\n\r\n";
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        char changed[sizeof(text)];
        weir_head_t head;
        unsigned status;
        char *copy;
        memcpy(changed, text, sizeof(text));
        changed[i] = '\0';
        if (parse(changed, sizeof(text) - 1, &head, &status, &copy) == WEIR_HEAD_WHOLE) {
            fail_msg("a NUL at %zu is let through", i);
        }
        free(copy);
    }
}

static void more_fields_than_there_is_room_for_are_refused(void **state)
{
    (void)state;
    for (unsigned count = WEIR_HEAD_FIELDS_MAX; count <= WEIR_HEAD_FIELDS_MAX + 1; count++) {
        char text[16 * WEIR_HEAD_FIELDS_MAX];
        size_t size = (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: a\r\n");
        for (unsigned i = 1; i < count; i++) {
            size += (size_t)sprintf(text + size, "X-%u: 1\r\n", i);
        }
        size += (size_t)sprintf(text + size, "\r\n");
        weir_head_t head;
        unsigned status = 0;
        char *copy;
        weir_head_state_t parsed = parse(text, size, &head, &status, &copy);
        assert_int_equal(parsed, count > WEIR_HEAD_FIELDS_MAX ? WEIR_HEAD_REFUSED : WEIR_HEAD_WHOLE);
        assert_int_equal(status, count > WEIR_HEAD_FIELDS_MAX ? 431 : 0);
        free(copy);
    }
}

static void trailers_are_parsed_without_those_that_are_not_theirs_to_say(void **state)
{
    (void)state;
    static const char text[] =
        "X-Checksum: 12\r\nContent-Length: 5\r\nHOST: b\r\nx-late:\r\nTransfer-Encoding: chunked\r\n"
        "Authorization: c\r\n\r\n";
    size_t count;
    assert_true(weir_trailers_parse((weir_bytes_t){text, sizeof(text) - 1}, fields, &count));
    assert_int_equal(count, 2);
    assert_text(fields[0].name, "X-Checksum");
    assert_text(fields[0].value, "12");
    assert_text(fields[1].name, "x-late");
    assert_text(fields[1].value, "");
    static const char *const wrong[] = {
        "X: 1\r\n", "X\r\n\r\n", "X : 1\r\n\r\n", "X: 1\n\r\n", "X: 1\r\n 2\r\n\r\n", "X: 1\r\n\r\nY: 2\r\n\r\n"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_false(weir_trailers_parse((weir_bytes_t){wrong[i], strlen(wrong[i])}, fields, &count));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_is_taken_apart),
        cmocka_unit_test(every_beginning_of_a_head_is_partial),
        cmocka_unit_test(methods_are_tokens),
        cmocka_unit_test(framing_and_persistence_are_decided_once),
        cmocka_unit_test(what_could_be_read_in_two_ways_is_refused),
        cmocka_unit_test(another_version_is_refused_the_same_in_whatever_pieces_it_comes),
        cmocka_unit_test(what_is_too_long_is_told_by_where_it_is),
        cmocka_unit_test(a_nul_is_refused_wherever_it_stands),
        cmocka_unit_test(more_fields_than_there_is_room_for_are_refused),
        cmocka_unit_test(trailers_are_parsed_without_those_that_are_not_theirs_to_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
