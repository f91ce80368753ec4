/*
 * quantity.c: parsing of durations, sizes and numbers.
 */
#include "app/quantity.h"

#include <stddef.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* A whole decimal number of at most `most`; `*ret_end` is what follows it. */
static bool parse_number(const char *text, uint64_t most, uint64_t *ret_number, const char **ret_end)
{
    uint64_t number = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        unsigned digit = (unsigned)(*at - '0');
        if (digit > most || number > (most - digit) / 10) {
            return false;
        }
        number = number * 10 + digit;
    }
    if (at == text) {
        return false;
    }
    *ret_number = number;
    *ret_end = at;
    return true;
}

bool weir_duration_parse(const char *text, uint64_t *ret_milliseconds)
{
    static const uint64_t second = UINT64_C(1000000000);
    static const struct {
        const char *name;
        uint64_t nanoseconds;
    } units[] = {{"", second}, {"ns", 1}, {"us", 1000}, {"\u03bcs", 1000}, {"\u00b5s", 1000}, {"ms", 1000000},
        {"s", second}, {"m", 60 * second}, {"h", 3600 * second}};
    static const uint64_t most = WEIR_MAX_TIMEOUT_MILLISECONDS * UINT64_C(1000000);
    uint64_t number;
    const char *unit;
    if (!parse_number(text, most, &number, &unit) || number == 0) {
        return false;
    }
    for (size_t i = 0; i < COUNT(units); i++) {
        if (strcmp(unit, units[i].name) == 0 && number <= most / units[i].nanoseconds) {
            *ret_milliseconds = (number * units[i].nanoseconds + 999999) / 1000000;
            return true;
        }
    }
    return false;
}

bool weir_size_parse(const char *text, uint64_t least, uint64_t most, uint64_t *ret_bytes)
{
    static const struct {
        const char *name;
        unsigned shift;
    } units[] = {{"", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}};
    uint64_t number;
    const char *unit;
    if (!parse_number(text, most, &number, &unit)) {
        return false;
    }
    for (size_t i = 0; i < COUNT(units); i++) {
        if (strcmp(unit, units[i].name) == 0 && number <= most >> units[i].shift && number << units[i].shift >= least) {
            *ret_bytes = number << units[i].shift;
            return true;
        }
    }
    return false;
}

bool weir_count_parse(const char *text, uint64_t least, uint64_t most, uint64_t *ret_number)
{
    uint64_t number;
    const char *end;
    if (!parse_number(text, most, &number, &end) || *end != '\0' || number < least) {
        return false;
    }
    *ret_number = number;
    return true;
}
