/*
 * test_collector.c: what a collector's Retry-After says (RFC 9110, section 10.2.3).
 */
#include "cli/collector.h"

/* cmocka.h wants the others before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

static void test_a_retry_after_is_seconds_or_a_date(void **state)
{
    (void)state;
    static const time_t now = 784111777; /* Sun, 06 Nov 1994 08:49:37 GMT */
    static const struct {
        const char *text;
        uint64_t milliseconds;
    } cases[] = {
        {"0", 0},
        {"1", 1000},
        {"120", 120000},
        {"3601", 3600000},
        {"99999999999999999999999999", 3600000},
        {"Sun, 06 Nov 1994 08:49:47 GMT", 10000},
        {"Sun, 06 Nov 1994 08:49:37 GMT", 0},
        {"Sun, 06 Nov 1994 08:49:00 GMT", 0},
        {"Mon, 07 Nov 1994 08:49:37 GMT", 3600000},
        {"Sun, 06 Nov 1994 08:49:47 GMT and more", 0},
        {"Sun, 06 ovD 1994 08:49:47 GMT", 0},
        {"Sun, 06 Nov 1994 08:49:47", 0},
        {"", 0},
        {"soon", 0},
        {"-1", 0},
        {"1.5", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (weir_collector_retry_after(cases[i].text, now) != cases[i].milliseconds) {
            fail_msg("'%s' is %ju ms", cases[i].text, (uintmax_t)weir_collector_retry_after(cases[i].text, now));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_retry_after_is_seconds_or_a_date)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
