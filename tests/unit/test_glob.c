/*
 * test_glob.c: patterns for files. Expected values are those of the tests of the crate glob 0.3.3, which Spin's loader
 * uses (src/lib.rs there), unless another source is named.
 */
#include "app/glob.h"
#include "manifest_support.h"

static bool matches(const char *pattern, const char *text)
{
    return weir_glob_matches(pattern, strlen(pattern), text, strlen(text));
}

static void patterns_match_what_the_crate_glob_matches(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        const char *text;
        bool matches;
    } CASES[] = {
        /* test_wildcards */
        {"a*b", "a_b", true},
        {"a*b*c", "abc", true},
        {"a*b*c", "abcd", false},
        {"a*b*c", "a_b_c", true},
        {"a*b*c", "a___b___c", true},
        {"abc*abc*abc", "abcabcabcabcabcabcabc", true},
        {"abc*abc*abc", "abcabcabcabcabcabcabca", false},
        {"a*a*a*a*a*a*a*a*a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true},
        {"a*b[xyz]c*d", "abxcdbxcddd", true},
        /* test_recursive_wildcards */
        {"some/**/needle.txt", "some/needle.txt", true},
        {"some/**/needle.txt", "some/one/needle.txt", true},
        {"some/**/needle.txt", "some/one/two/needle.txt", true},
        {"some/**/needle.txt", "some/other/needle.txt", true},
        {"some/**/needle.txt", "some/other/notthis.txt", false},
        {"**", "abcde", true},
        {"**", "", true},
        {"**", ".asdf", true},
        {"**", "/x/.asdf", true},
        {"some/**/**/needle.txt", "some/needle.txt", true},
        {"some/**/**/needle.txt", "some/one/two/needle.txt", true},
        {"some/**/**/needle.txt", "some/other/notthis.txt", false},
        {"**/test", "one/two/test", true},
        {"**/test", "one/test", true},
        {"**/test", "test", true},
        {"**/test", "onetest", false},
        {"/**/test", "/one/two/test", true},
        {"/**/test", "/one/test", true},
        {"/**/test", "/test", true},
        {"/**/test", "/one/notthis", false},
        {"/**/test", "/notthis", false},
        {"**/.*", ".abc", true},
        {"**/.*", "abc/.abc", true},
        {"**/.*", "ab.c", false},
        {"**/.*", "abc/ab.c", false},
        /* test_range_pattern */
        {"a[0-9]b", "a0b", true},
        {"a[0-9]b", "a9b", true},
        {"a[0-9]b", "a_b", false},
        {"a[!0-9]b", "a0b", false},
        {"a[!0-9]b", "a_b", true},
        {"[a-z123]", "q", true},
        {"[1a-z23]", "3", true},
        {"[123a-z]", "z", true},
        {"[123a-z]", "A", false},
        {"[abc-]", "-", true},
        {"[-abc]", "-", true},
        {"[a-c-]", "-", true},
        {"[a-c-]", "d", false},
        {"[2-1]", "1", false},
        {"[2-1]", "2", false},
        {"[-]", "-", true},
        {"[!-]", "-", false},
        /* test_pattern_matches */
        {"*hello.txt", "hello.txt", true},
        {"*hello.txt", "gareth_says_hello.txt", true},
        {"*hello.txt", "some/path/to/hello.txt", true},
        {"*hello.txt", "/an/absolute/path/to/hello.txt", true},
        {"*hello.txt", "hello.txt-and-then-some", false},
        {"*hello.txt", "goodbye.txt", false},
        {"*some/path/to/hello.txt", "a/bigger/some/path/to/hello.txt", true},
        {"*some/path/to/hello.txt", "some/other/path/to/hello.txt", false},
        /* test_pattern_escape */
        {"_[[]_[]]_[?]_[*]_!_", "_[_]_?_*_!_", true},
        /* test_pattern_matches_case_insensitive_range */
        {"[a]", "A", false},
        {"[!a]", "A", true},
        /* test_pattern_matches_require_literal_separator, where it is not required */
        {"abc/def", "abc/def", true},
        {"abc?def", "abc/def", true},
        {"abc*def", "abc/def", true},
        {"abc[/]def", "abc/def", true},
        /* test_pattern_matches_require_literal_leading_dot, where it is not required */
        {"*.txt", ".hello.txt", true},
        {".*.*", ".hello.txt", true},
        {"aaa/bbb/*", "aaa/bbb/.ccc", true},
        {"aaa/?bbb", "aaa/.bbb", true},
        {"aaa/[.]bbb", "aaa/.bbb", true},
        {"**/*", ".bbb", true},
        /* Characters, not bytes (Rust's chars) */
        {"?", "\xc3\xa9", true},
        {"??", "\xc3\xa9", false},
        {"[\xc3\xa0-\xc3\xaa]x", "\xc3\xa9x", true},
        {"[!\xc3\xa9]", "\xc3\xa8", true},
        /* Ends */
        {"", "", true},
        {"", "a", false},
        {"a", "", false},
        {"*", "", true},
        {"?", "", false},
        {"static/**", "static/a", true},
        {"static/**", "static", false},
        {"static/*", "static/a/b", true},
        {"**/node_modules/**/*", "a/node_modules/b/c", true},
        {"**/b/*.txt", "a/b/c/b/d.txt", true},
        {"*/**/x*y", "a/b/c/xay", true},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        assert_null(weir_glob_fault(CASES[i].pattern, strlen(CASES[i].pattern)));
        if (matches(CASES[i].pattern, CASES[i].text) != CASES[i].matches)
            fail_msg("\"%s\" and \"%s\": must be %d", CASES[i].pattern, CASES[i].text, CASES[i].matches);
    }
}

static void faults_of_patterns_are_said(void **state)
{
    (void)state;
#define CLASS "has a [ without its ]; write [[] for the character"
#define STARS "has more than two * in a row; write * for a name, ** for any directories"
#define BESIDE "has ** beside something else; it stands for directories, as in a/**/b"
    static const wrong_t CASES[] = {
        /* test_wildcard_errors */
        {"a/**b", BESIDE},
        {"a/bc**", BESIDE},
        {"a/*****", STARS},
        {"a/b**c**d", BESIDE},
        {"a**b", BESIDE},
        /* test_unclosed_bracket_errors */
        {"abc[def", CLASS},
        {"abc[!def", CLASS},
        {"abc[", CLASS},
        {"abc[!", CLASS},
        {"abc[d", CLASS},
        {"abc[!d", CLASS},
        {"abc[]", CLASS},
        {"abc[!]", CLASS},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        const char *fault = weir_glob_fault(CASES[i].text, strlen(CASES[i].text));
        assert_non_null(fault);
        assert_string_equal(fault, CASES[i].message);
    }
    /* looks_like_glob_pattern in Spin's crates/loader/src/local.rs */
    assert_true(weir_glob_is_pattern("a*"));
    assert_true(weir_glob_is_pattern("a]"));
    assert_false(weir_glob_is_pattern("a!{b}-c"));
}

/* What takes exponential time with recursion. */
static void many_stars_take_no_longer(void **state)
{
    (void)state;
    char pattern[2 * 2000 + 2], text[20000];
    for (size_t i = 0; i < 2000; i++)
        memcpy(pattern + 2 * i, "*a", 2);
    memcpy(pattern + 2 * 2000, "b", 2);
    memset(text, 'a', sizeof text);
    assert_false(weir_glob_matches(pattern, strlen(pattern), text, sizeof text));
    text[sizeof text - 1] = 'b';
    assert_true(weir_glob_matches(pattern, strlen(pattern), text, sizeof text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_match_what_the_crate_glob_matches),
        cmocka_unit_test(faults_of_patterns_are_said),
        cmocka_unit_test(many_stars_take_no_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
