/*
 * test_progress.c: what is said of components that take long to compile.
 */
#include "cli/progress.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* cmocka's header wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { WORKS = 3 };

/* Reads lines until there are so many. */
static void read_lines(int descriptor, unsigned count, char *text, size_t size)
{
    size_t length = 0;
    while (count > 0 && length < size - 1) {
        assert_int_equal(read(descriptor, text + length, 1), 1);
        count -= text[length++] == '\n' ? 1 : 0;
    }
    text[length] = '\0';
}

static void what_takes_long_is_told_in_its_order_and_with_its_size(void **state)
{
    static const char *const names[WORKS] = {"first", "second", "third"};
    static const size_t sizes[WORKS] = {700, 5 * 1024 + 512, 3 << 20};
    weir_progress_t *progress[WORKS];
    int ends[2];
    char text[1024];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    for (size_t i = 0; i < WORKS; i++) {
        const weir_progress_work_t work = {
            .component = names[i], .size = sizes[i], .number = i + 1, .count = WORKS, .is_kept = i == 0};
        progress[i] = weir_progress_begin(&work, ends[1]);
        assert_non_null(progress[i]);
    }
    read_lines(ends[0], WORKS, text, sizeof(text));
    assert_string_equal(text, "weir: compiling component first (700 bytes), 1 of 3; a large one takes a while, but "
                              "only once on this machine\n"
                              "weir: compiling component second (5.5 KiB), 2 of 3; a large one takes a while\n"
                              "weir: compiling component third (3 MiB), 3 of 3; a large one takes a while\n");
    weir_progress_end(progress[1]);
    weir_progress_end(progress[0]);
    weir_progress_end(progress[2]);
    read_lines(ends[0], WORKS, text, sizeof(text));
    const char *second = strstr(text, "weir: component second took ");
    const char *first = strstr(text, "weir: component first took ");
    assert_non_null(first);
    assert_ptr_equal(second, text);
    assert_non_null(strstr(first, "weir: component third took "));
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_takes_long_is_told_in_its_order_and_with_its_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
