/*
 * test_log_rate.c: whoever causes lines of the log without end gets some of them, and the others are counted.
 */
#include "observe/log_rate.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* cmocka.h wants the others before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
/* clang-format on */

/* Standard error goes to a file meanwhile; `ret_text` is what came, terminated. */
static void log_lines(unsigned count, char *ret_text, size_t size)
{
    char path[] = "/tmp/weir-log-rate-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(unlink(path), 0);
    int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    assert_int_equal(dup2(file, STDERR_FILENO), STDERR_FILENO);
    weir_log_rate_t rate;
    weir_log_rate_init(&rate);
    for (unsigned i = 1; i <= count; i++)
        weir_log_rated(&rate, WEIR_LOG_WARNING, "component it", "line %u\nof many", i);
    weir_log_rate_destroy(&rate, "component it");
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    close(saved);
    ssize_t got = pread(file, ret_text, size - 1, 0);
    assert_true(got >= 0);
    ret_text[got] = '\0';
    close(file);
}

static unsigned count_of(const char *text, const char *part)
{
    unsigned count = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at++)
        count++;
    return count;
}

static void test_few_lines_are_all_written(void **state)
{
    (void)state;
    static char text[1 << 20];
    log_lines(WEIR_LOG_RATE_BURST, text, sizeof text);
    assert_int_equal(count_of(text, "weir: warning: component it: line "), WEIR_LOG_RATE_BURST);
    assert_int_equal(count_of(text, "\n"), WEIR_LOG_RATE_BURST);
    assert_non_null(strstr(text, "line 50\\nof many"));
    assert_null(strstr(text, "left out"));
}

/* A second may pass meanwhile, so it is the sum that counts. */
static void test_of_many_lines_the_others_are_counted(void **state)
{
    (void)state;
    enum { MANY = 10000 };
    static char text[1 << 20];
    log_lines(MANY, text, sizeof text);
    unsigned written = count_of(text, "weir: warning: component it: line ");
    assert_in_range(written, WEIR_LOG_RATE_BURST, MANY / 10);
    unsigned left_out = 0;
    static const char before[] = "weir: warning: component it: ";
    for (const char *at = strstr(text, " more such line"); at != NULL; at = strstr(at + 1, " more such line")) {
        const char *number = at;
        while (number[-1] != ' ')
            number--;
        assert_memory_equal(number - (sizeof before - 1), before, sizeof before - 1);
        left_out += (unsigned)strtoul(number, NULL, 10);
    }
    assert_int_equal(written + left_out, MANY);
}

/* Told when it is over, in words for one and for many. */
static void test_one_line_left_out_is_one(void **state)
{
    (void)state;
    static char text[1 << 20];
    static const char *const told[] = {"weir: warning: component it: 1 more such line was left out\n",
        "weir: warning: component it: 2 more such lines were left out\n"};
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
        /* Where a second passes meanwhile, fewer are left out. */
        for (unsigned tries = 0; tries == 0 || (tries < 100 && strstr(text, told[i]) == NULL); tries++)
            log_lines(WEIR_LOG_RATE_BURST + (unsigned)i + 1, text, sizeof text);
        assert_non_null(strstr(text, told[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few_lines_are_all_written),
        cmocka_unit_test(test_of_many_lines_the_others_are_counted),
        cmocka_unit_test(test_one_line_left_out_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
