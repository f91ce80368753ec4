/*
 * test_pressure_policy.c: when the allocator takes a lower rung and when it goes back up, as a table of what a machine
 * goes through, second by second.
 */
#include "cli/pressure_policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define MIB(count) ((uint64_t)(count) << 20)
#define KNOWN(number) {.knowledge = WEIR_KNOWN, .value = (number)}
#define UNLIMITED {.knowledge = WEIR_UNLIMITED}

/* Kinds of seconds. */
typedef enum second {
    FINE,
    BLIND,      /* nothing can be read */
    GROUP,      /* the control group is nearly full */
    BETWEEN,    /* neither tight nor relieved */
    MACHINE,    /* the machine's memory is short */
    LARGE,      /* a large machine with 1.5 GiB available: less than a sixteenth, but much */
    STALLED,    /* everything waits */
    SOME,       /* something waits, as it does while files are read */
    GROUP_SOME, /* much of the group waits */
    SWAP,       /* swap fills up, and the kernel measures no stalls */
    REFUSED,    /* an instance was refused */
} second_t;

static weir_memory_reading_t reading_of(second_t second, uint64_t *swap_free)
{
    weir_memory_reading_t reading = {
        .total = KNOWN(MIB(2048)),
        .available = KNOWN(MIB(1000)),
        .swap_free = KNOWN(*swap_free),
        .group_limit = KNOWN(MIB(256)),
        .group_used = KNOWN(MIB(100)),
        .stall_some = KNOWN(0),
        .stall_full = KNOWN(0),
        .group_stall_some = KNOWN(0),
        .group_stall_full = KNOWN(0),
    };
    switch (second) {
    case FINE:
        break;
    case BLIND:
        return (weir_memory_reading_t){.group_limit = UNLIMITED};
    case GROUP:
        reading.group_used.value = MIB(245);
        break;
    case BETWEEN:
        reading.group_used.value = MIB(230);
        break;
    case MACHINE:
        reading.available.value = MIB(100);
        break;
    case LARGE:
        reading.total.value = MIB(1 << 20);
        reading.available.value = MIB(1500);
        break;
    case STALLED:
        reading.stall_full.value = 1500;
        break;
    case SOME:
        reading.stall_some.value = 2500;
        break;
    case GROUP_SOME:
        reading.group_stall_some.value = 4500;
        break;
    case SWAP:
        *swap_free -= MIB(20);
        reading.swap_free.value = *swap_free;
        reading.stall_some.knowledge = WEIR_UNKNOWN;
        reading.stall_full.knowledge = WEIR_UNKNOWN;
        break;
    case REFUSED:
        reading.refusals = 1;
        break;
    }
    return reading;
}

/* So many seconds of one kind, at whose end (and not before) comes this decision, which goes well or not. */
typedef struct stretch {
    unsigned seconds;
    second_t second;
    weir_pressure_decision_t decision;
    weir_pressure_cause_t cause;
    bool fails;
} stretch_t;

static void go_through(const char *name, const stretch_t *stretches)
{
    weir_pressure_policy_t policy = {0};
    uint64_t swap_free = MIB(100000);
    for (unsigned i = 0; stretches[i].seconds > 0; i++) {
        for (unsigned second = 1; second <= stretches[i].seconds; second++) {
            weir_memory_reading_t reading = reading_of(stretches[i].second, &swap_free);
            weir_pressure_verdict_t verdict = weir_pressure_policy_step(&policy, &reading);
            bool last = second == stretches[i].seconds;
            weir_pressure_decision_t expected = last ? stretches[i].decision : WEIR_PRESSURE_STAY;
            if (verdict.decision != expected)
                fail_msg("%s: stretch %u, second %u: %d instead of %d", name, i, second, verdict.decision, expected);
            if (verdict.decision == WEIR_PRESSURE_LOWER)
                assert_int_equal(verdict.cause, stretches[i].cause);
            if (verdict.decision != WEIR_PRESSURE_STAY)
                weir_pressure_policy_done(&policy, verdict.decision, !stretches[i].fails);
        }
    }
}

#define STAY WEIR_PRESSURE_STAY, WEIR_CAUSE_NONE, false
#define LOWER(cause) WEIR_PRESSURE_LOWER, WEIR_CAUSE_##cause, false
#define RAISE WEIR_PRESSURE_RAISE, WEIR_CAUSE_NONE, false

static void test_each_course_of_a_machine_leads_to_its_decisions(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        stretch_t stretches[12];
    } rows[] = {
        {"all is well: nothing happens", {{1000, FINE, STAY}}},
        {"what is unknown is no pressure", {{1000, BLIND, STAY}}},
        {"a peak is none either", {{4, GROUP, STAY}, {1, FINE, STAY}, {4, GROUP, STAY}, {300, FINE, STAY}}},
        {"the group nearly full for five seconds", {{5, GROUP, LOWER(GROUP_LEFT)}}},
        {"the machine short", {{5, MACHINE, LOWER(AVAILABLE)}}},
        {"a gigabyte is enough on any machine", {{100, LARGE, STAY}}},
        {"everything waits", {{5, STALLED, LOWER(STALL)}}},
        {"files are read", {{100, SOME, STAY}}},
        {"the group waits", {{5, GROUP_SOME, LOWER(GROUP_STALL)}}},
        {"swap fills up", {{6, SWAP, LOWER(SWAPPING)}}}, /* the first shows only how much there is */
        {"several reasons in a row count together", {{2, GROUP, STAY}, {3, STALLED, LOWER(STALL)}}},
        {"a refusal, at once", {{1, REFUSED, LOWER(REFUSAL)}}},
        {"refusals of the old engine are not the new one's",
            {{1, REFUSED, LOWER(REFUSAL)}, {2, REFUSED, STAY}, {1, REFUSED, LOWER(REFUSAL)}}},
        {"what was done takes effect before more is done",
            {{5, GROUP, LOWER(GROUP_LEFT)}, {14, GROUP, STAY}, {5, GROUP, LOWER(GROUP_LEFT)},
                {19, GROUP, LOWER(GROUP_LEFT)}}},
        {"nothing lower: asked again after a while", {{5, GROUP, WEIR_PRESSURE_LOWER, WEIR_CAUSE_GROUP_LEFT, true},
                                                         {29, GROUP, STAY}, {5, GROUP, LOWER(GROUP_LEFT)}}},
        {"and with refusals too", {{1, REFUSED, WEIR_PRESSURE_LOWER, WEIR_CAUSE_REFUSAL, true}, {29, REFUSED, STAY},
                                      {1, REFUSED, LOWER(REFUSAL)}}},
        {"back up after two minutes, and no further than to the top",
            {{5, GROUP, LOWER(GROUP_LEFT)}, {120, FINE, RAISE}, {1000, FINE, STAY}}},
        {"one rung after the other", {{1, REFUSED, LOWER(REFUSAL)}, {4, FINE, STAY}, {1, REFUSED, LOWER(REFUSAL)},
                                         {120, FINE, RAISE}, {120, FINE, RAISE}, {1000, FINE, STAY}}},
        {"not while it is neither tight nor relieved", {{5, GROUP, LOWER(GROUP_LEFT)}, {1000, BETWEEN, STAY}}},
        {"a moment of pressure begins the wait anew",
            {{5, GROUP, LOWER(GROUP_LEFT)}, {119, FINE, STAY}, {1, BETWEEN, STAY}, {120, FINE, RAISE}}},
        {"a raise that was too early doubles the wait, each time",
            {{5, GROUP, LOWER(GROUP_LEFT)}, {120, FINE, RAISE}, {5, GROUP, LOWER(GROUP_LEFT)}, {240, FINE, RAISE},
                {5, GROUP, LOWER(GROUP_LEFT)}, {480, FINE, RAISE}}},
        {"one that stood the test makes it short again",
            {{5, GROUP, LOWER(GROUP_LEFT)}, {120, FINE, RAISE}, {5, GROUP, LOWER(GROUP_LEFT)}, {240, FINE, RAISE},
                {700, FINE, STAY}, {5, GROUP, LOWER(GROUP_LEFT)}, {120, FINE, RAISE}}},
        {"a raise that is not possible is tried again later",
            {{5, GROUP, LOWER(GROUP_LEFT)}, {120, FINE, WEIR_PRESSURE_RAISE, WEIR_CAUSE_NONE, true},
                {240, FINE, RAISE}}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        go_through(rows[i].name, rows[i].stretches);
}

static void test_the_wait_before_a_raise_is_an_hour_at_most(void **state)
{
    (void)state;
    weir_pressure_policy_t policy = {0};
    uint64_t swap_free = MIB(1000);
    unsigned waited = 0;
    for (unsigned i = 0; i < 12; i++) {
        weir_memory_reading_t refused = reading_of(REFUSED, &swap_free);
        weir_memory_reading_t fine = reading_of(FINE, &swap_free);
        while (weir_pressure_policy_step(&policy, &refused).decision != WEIR_PRESSURE_LOWER)
            continue;
        weir_pressure_policy_done(&policy, WEIR_PRESSURE_LOWER, true);
        waited = 1;
        while (weir_pressure_policy_step(&policy, &fine).decision != WEIR_PRESSURE_RAISE)
            waited++;
        weir_pressure_policy_done(&policy, WEIR_PRESSURE_RAISE, true);
    }
    assert_in_range(waited, 3600, 4000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_course_of_a_machine_leads_to_its_decisions),
        cmocka_unit_test(test_the_wait_before_a_raise_is_an_hour_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
