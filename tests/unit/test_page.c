/*
 * test_page.c: text for a person: where lines end, how wide they are, and what is kept together.
 */
#include "cli/page.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* cmocka.h wants the others before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
/* clang-format on */

typedef struct wrap_case {
    unsigned width;
    unsigned indent;
    const char *lead;
    const char *text;
    const char *expected;
} wrap_case_t;

static const wrap_case_t wrap_cases[] = {
    {30, 0, "", "short", "short\n"},
    {30, 0, "", "", "\n"},
    {30, 0, "", "one two three four five six seven", "one two three four five six\nseven\n"},
    {30, 0, "", "exactly thirty columns are here", "exactly thirty columns are\nhere\n"},
    {30, 0, "", "exactly thirty columns ar here", "exactly thirty columns ar here\n"},
    {30, 4, "  a", "one two three four five six seven", "  a one two three four five\n    six seven\n"},
    {30, 0, "", "a word_that_is_longer_than_a_whole_line here", "a\nword_that_is_longer_than_a_whole_line\nhere\n"},
    {30, 0, "", "two\nlines", "two\nlines\n"},
    /* A command stays whole; an apostrophe begins none. */
    {30, 0, "", "set it once: 'ulimit -v unlimited', please", "set it once:\n'ulimit -v unlimited', please\n"},
    {30, 0, "", "the machine's own memory is what the others' is",
        "the machine's own memory is\nwhat the others' is\n"},
    /* A number stays with its unit. */
    {30, 0, "", "this takes exactly about 12345 MiB", "this takes exactly about\n12345 MiB\n"},
    {30, 0, "", "this takes exactly about 12345 pages", "this takes exactly about 12345\npages\n"},
    {30, 0, "", "trials that are begun within 4 s", "trials that are begun within\n4 s\n"},
    {30, 0, "", "this takes exactly about 1234 slots", "this takes exactly about 1234\nslots\n"},
    /* Chinese: two columns each, lines end anywhere but before a closing mark or after an opening one. */
    {30, 0, "", "一二三四五六七八九十一二三四五六七", "一二三四五六七八九十一二三四五\n六七\n"},
    {30, 0, "", "一二三四五六七八九十一二三四五。六七", "一二三四五六七八九十一二三四\n五。六七\n"},
    {30, 0, "", "一二三四五六七八九十一二三四（五六", "一二三四五六七八九十一二三四\n（五六\n"},
    {30, 0, "", "一二三四五六七八九十：'ulimit -v unlimited'", "一二三四五六七八九十：\n'ulimit -v unlimited'\n"},
    {30, 0, "", "一二三四五六七八九十 RLIMIT_AS", "一二三四五六七八九十 RLIMIT_AS\n"},
};

static void lines_end_where_they_may(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrap_cases / sizeof wrap_cases[0]; i++) {
        const wrap_case_t *test = &wrap_cases[i];
        char *written = NULL;
        size_t size = 0;
        weir_page_t page = {.stream = open_memstream(&written, &size), .width = test->width, .colour = false};
        assert_non_null(page.stream);
        weir_page_text(&page, test->indent, test->lead, WEIR_INK_WARNING, test->text);
        fclose(page.stream);
        if (strcmp(written, test->expected) != 0) {
            fail_msg("'%s':\n%s", test->text, written);
        }
        free(written);
    }
}

static void colours_begin_and_end_with_a_text(void **state)
{
    char *written = NULL;
    size_t size = 0;
    weir_page_t page = {.stream = open_memstream(&written, &size), .width = 30, .colour = true};
    (void)state;
    assert_non_null(page.stream);
    weir_page_text(&page, 0, "", WEIR_INK_BAD, "no");
    weir_page_text(&page, 0, "", WEIR_INK_PLAIN, "plain");
    weir_page_heading(&page, "More");
    fclose(page.stream);
    assert_string_equal(written, "\x1b[31mno\x1b[0m\nplain\n\n\x1b[1mMore\x1b[0m\n");
    free(written);
}

static void columns_are_those_of_a_terminal(void **state)
{
    static const struct {
        const char *text;
        unsigned columns;
    } cases[] = {{"", 0}, {"abc", 3}, {"提交限额", 8}, {"（a）", 5}, {"µs", 2}, {"\xff\xfe", 2}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(weir_page_columns(cases[i].text), cases[i].columns);
        char buffer[32];
        snprintf(buffer, sizeof buffer, "%s", cases[i].text);
        weir_page_pad(buffer, sizeof buffer, 10);
        assert_int_equal(weir_page_columns(buffer), 10);
        weir_page_pad(buffer, sizeof buffer, 3);
        assert_int_equal(weir_page_columns(buffer), 10);
    }
    char small[4] = "ab";
    weir_page_pad(small, sizeof small, 10);
    assert_string_equal(small, "ab ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_end_where_they_may),
        cmocka_unit_test(colours_begin_and_end_with_a_text),
        cmocka_unit_test(columns_are_those_of_a_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
