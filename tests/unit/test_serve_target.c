/*
 * test_serve_target.c: request targets, methods and authorities: what is taken, and what is refused with which status.
 */
#include "serve/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static bool is(weir_bytes_t bytes, const char *text)
{
    return bytes.size == strlen(text) && (bytes.size == 0 || memcmp(bytes.data, text, bytes.size) == 0);
}

static void test_targets(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned status;
        const char *authority;
        const char *target;
        const char *path;
        const char *query;
    } rows[] = {
        {"/", 0, "", "/", "/", ""},
        {"/a/b", 0, "", "/a/b", "/a/b", ""},
        {"/a?b=c&d", 0, "", "/a?b=c&d", "/a", "b=c&d"},
        {"/a?", 0, "", "/a?", "/a", ""},
        {"/a?b?c", 0, "", "/a?b?c", "/a", "b?c"},
        {"//a//", 0, "", "//a//", "//a//", ""},
        {"/%00%zz%", 0, "", "/%00%zz%", "/%00%zz%", ""},
        {"/\"{}", 0, "", "/\"{}", "/\"{}", ""},
        {"/?!$;=?@[\\]^`{|}~", 0, "", "/?!$;=?@[\\]^`{|}~", "/", "!$;=?@[\\]^`{|}~"},
        {"/gr\xC3\xBCn?\xE2\x82\xAC", 0, "", "/gr\xC3\xBCn?\xE2\x82\xAC", "/gr\xC3\xBCn", "\xE2\x82\xAC"},
        {"http://a", 0, "a", "/", "/", ""},
        {"http://a/", 0, "a", "/", "/", ""},
        {"HTTP://a:80/b?c", 0, "a:80", "/b?c", "/b", "c"},
        {"https://[::1]:1/b", 0, "[::1]:1", "/b", "/b", ""},
        {"*", 0, "", "", "", ""},
        {"", 400, NULL, NULL, NULL, NULL},
        {"a", 400, NULL, NULL, NULL, NULL},
        {"a/b", 400, NULL, NULL, NULL, NULL},
        {"**", 400, NULL, NULL, NULL, NULL},
        {"a:80", 400, NULL, NULL, NULL, NULL},
        {"?a", 400, NULL, NULL, NULL, NULL},
        {"/#a", 400, NULL, NULL, NULL, NULL},
        {"/?a#b", 400, NULL, NULL, NULL, NULL},
        {"/<", 400, NULL, NULL, NULL, NULL},
        {"/?\"", 400, NULL, NULL, NULL, NULL},
        {"/?<", 400, NULL, NULL, NULL, NULL},
        {"/?>", 400, NULL, NULL, NULL, NULL},
        {"/`", 400, NULL, NULL, NULL, NULL},
        {"/\x7F", 400, NULL, NULL, NULL, NULL},
        {"/\x01", 400, NULL, NULL, NULL, NULL},
        {"/\xFF", 400, NULL, NULL, NULL, NULL},
        {"/?\xC0\xAF", 400, NULL, NULL, NULL, NULL},
        {"/\xED\xA0\x80", 400, NULL, NULL, NULL, NULL},
        {"/\xE2\x82", 400, NULL, NULL, NULL, NULL},
        {"/\xF4\x90\x80\x80", 400, NULL, NULL, NULL, NULL},
        {"http://", 400, NULL, NULL, NULL, NULL},
        {"http:///a", 400, NULL, NULL, NULL, NULL},
        {"http://a@b/", 400, NULL, NULL, NULL, NULL},
        {"http://a?b", 400, NULL, NULL, NULL, NULL},
        {"http://a:99999/", 400, NULL, NULL, NULL, NULL},
        {"ftp://a/", 400, NULL, NULL, NULL, NULL},
        {"http:/a", 400, NULL, NULL, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        static const char untouched[] = "untouched";
        weir_target_t target = {.path = {untouched, 9}};
        unsigned status = weir_target_parse(rows[i].text, strlen(rows[i].text), &target);
        if (status != rows[i].status) {
            fail_msg("'%s': status %u", rows[i].text, status);
        }
        if (status != 0) {
            assert_ptr_equal(target.path.data, untouched);
            continue;
        }
        if (!is(target.authority, rows[i].authority) || !is(target.target, rows[i].target) ||
            !is(target.path, rows[i].path) || !is(target.query, rows[i].query)) {
            fail_msg("'%s' was taken apart wrongly", rows[i].text);
        }
    }
}

static void test_authorities(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool valid;
        bool internal;
    } rows[] = {
        {"a", true, false},
        {"example.test", true, false},
        {"example.test:80", true, false},
        {"127.0.0.1:65535", true, false},
        {"[::1]", true, false},
        {"[::1]:80", true, false},
        {"[::ffff:1.2.3.4]:80", true, false},
        {"a_b-c.~", true, false},
        {"a%20", false, false}, /* the bridge's URI has no room for it */
        {"a:", true, false},
        {"hello.spin.internal", true, true},
        {"HELLO.Spin.Internal:80", true, true},
        {"hello.spin.internal.", true, true},
        {"hello.spin.internal.:80", true, true},
        {"hello.spin.internal..", true, false}, /* no name */
        {".spin.internal.", true, false},
        {".", true, false},
        {".spin.internal", true, false},
        {"spin.internal", true, false},
        {"a.spin.internal.test", true, false},
        {"", false, false},
        {":80", false, false},
        {"a b", false, false},
        {"a/b", false, false},
        {"a@b", false, false},
        {"a?b", false, false},
        {"a#b", false, false},
        {"a\\b", false, false},
        {"a:b", false, false},
        {"a:80:80", false, false},
        {"a:65536", false, false},
        {"a:123456", false, false},
        {"[", false, false},
        {"[]", false, false},
        {"[::1", false, false},
        {"[::1]a", false, false},
        {"[::g]", false, false},
        {"::1", false, false},
        {"a\x80", false, false},
        {"a,b", true, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        weir_bytes_t text = {rows[i].text, strlen(rows[i].text)};
        if (weir_authority_is_valid(text) != rows[i].valid || weir_authority_is_internal(text) != rows[i].internal) {
            fail_msg("'%s' was taken for something else", rows[i].text);
        }
    }
    static const char nul[] = {'a', '\0', 'b'};
    assert_false(weir_authority_is_valid((weir_bytes_t){nul, sizeof(nul)}));
}

static void test_authorities_are_the_same_whatever_the_case(void **state)
{
    (void)state;
    assert_true(weir_authority_equals((weir_bytes_t){"A.test:80", 9}, (weir_bytes_t){"a.TEST:80", 9}));
    assert_false(weir_authority_equals((weir_bytes_t){"a.test:80", 9}, (weir_bytes_t){"a.test", 6}));
    assert_false(weir_authority_equals((weir_bytes_t){"a.test:80", 9}, (weir_bytes_t){"a.test:81", 9}));
    assert_true(weir_authority_equals((weir_bytes_t){NULL, 0}, (weir_bytes_t){NULL, 0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_authorities),
        cmocka_unit_test(test_authorities_are_the_same_whatever_the_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
