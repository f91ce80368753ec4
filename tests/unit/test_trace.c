/*
 * test_trace.c: what is a traceparent and a tracestate, and what is not (W3C Trace Context, level 2, and its own tests
 * in test/test.py of w3c/trace-context); identifiers and samplers.
 */
#include "observe/trace.h"

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

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void test_a_traceparent_is_parsed_strictly(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int flags; /* -1: it is none */
    } cases[] = {
        {"00-" TRACE "-" PARENT "-01", WEIR_TRACE_SAMPLED},
        {"00-" TRACE "-" PARENT "-00", 0},
        {"00-" TRACE "-" PARENT "-02", WEIR_TRACE_RANDOM},
        {"00-" TRACE "-" PARENT "-03", WEIR_TRACE_SAMPLED | WEIR_TRACE_RANDOM},
        {"00-" TRACE "-" PARENT "-ff", WEIR_TRACE_SAMPLED | WEIR_TRACE_RANDOM}, /* flags that are not known */
        {"00-" TRACE "-" PARENT "-08", 0},
        /* Later versions: as version 00, and whatever comes behind another dash. */
        {"01-" TRACE "-" PARENT "-01", WEIR_TRACE_SAMPLED},
        {"cc-" TRACE "-" PARENT "-01", WEIR_TRACE_SAMPLED},
        {"cc-" TRACE "-" PARENT "-01-what-the-future-brings", WEIR_TRACE_SAMPLED},
        {"fe-" TRACE "-" PARENT "-01-", WEIR_TRACE_SAMPLED},
        {"cc-" TRACE "-" PARENT "-01.what-the-future-brings", -1},
        {"cc-" TRACE "-" PARENT "-012", -1},
        {"ff-" TRACE "-" PARENT "-01", -1},
        {"ff-" TRACE "-" PARENT "-01-x", -1},
        {"00-" TRACE "-" PARENT "-01-", -1},
        {"00-" TRACE "-" PARENT "-01-what-the-past-brings", -1},
        {"00-" TRACE "-" PARENT "-01 ", -1},
        {" 00-" TRACE "-" PARENT "-01", -1},
        {"00-00000000000000000000000000000000-" PARENT "-01", -1},
        {"00-" TRACE "-0000000000000000-01", -1},
        {"00-4BF92F3577B34DA6A3CE929D0E0E4736-" PARENT "-01", -1},
        {"00-" TRACE "-00F067AA0BA902B7-01", -1},
        {"00-" TRACE "-" PARENT "-0A", -1},
        {"0A-" TRACE "-" PARENT "-01", -1},
        {".0-" TRACE "-" PARENT "-01", -1},
        {"0-" TRACE "-" PARENT "-01", -1},
        {"000-" TRACE "-" PARENT "-01", -1},
        {"00-" TRACE "-" PARENT "-1", -1},
        {"00-" TRACE "-" PARENT "-001", -1},
        {"00-" TRACE "-" PARENT "-.1", -1},
        {"00-" TRACE "-" PARENT "-0.", -1},
        {"00-" TRACE "-" PARENT "-", -1},
        {"00-" TRACE "-" PARENT, -1},
        {"00-" TRACE, -1},
        {"00_" TRACE "-" PARENT "-01", -1},
        {"00-" TRACE "_" PARENT "-01", -1},
        {"00-" TRACE "-" PARENT "_01", -1},
        {"00-.bf92f3577b34da6a3ce929d0e0e4736-" PARENT "-01", -1},
        {"00-" TRACE "-.0f067aa0ba902b7-01", -1},
        {"00-4bf92f3577b34da6a3ce929d0e0e473-" PARENT "-01", -1},
        {"00-" TRACE "0-" PARENT "-01", -1},
        {"", -1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        weir_trace_context_t context;
        weir_trace_context_t untouched;
        memset(&context, 0x5a, sizeof context);
        untouched = context;
        bool parsed = weir_traceparent_parse(cases[i].text, strlen(cases[i].text), &context);
        if (parsed != (cases[i].flags >= 0))
            fail_msg("'%s' was %staken", cases[i].text, parsed ? "" : "not ");
        if (!parsed) {
            assert_memory_equal(&context, &untouched, sizeof context);
            continue;
        }
        char trace[WEIR_TRACE_ID_TEXT + 1];
        char parent[WEIR_SPAN_ID_TEXT + 1];
        weir_trace_write_id(context.trace_id, sizeof context.trace_id, trace);
        weir_trace_write_id(context.parent_id, sizeof context.parent_id, parent);
        assert_string_equal(trace, TRACE);
        assert_string_equal(parent, PARENT);
        assert_int_equal(context.flags, cases[i].flags);
        assert_true(weir_trace_is_set(&context));
        assert_false(weir_trace_has_span(&context));
    }
}

static void test_nothing_is_read_behind_the_end_of_a_traceparent(void **state)
{
    (void)state;
    static const char text[] = "cc-" TRACE "-" PARENT "-01-x";
    for (size_t size = 0; size < sizeof text; size++) {
        char *exact = malloc(size + 1);
        assert_non_null(exact);
        memcpy(exact, text, size);
        weir_trace_context_t context;
        char *moved = realloc(exact, size == 0 ? 1 : size);
        assert_int_equal(weir_traceparent_parse(moved, size, &context), size == 55 || size > 55);
        free(moved);
    }
}

static void test_who_is_called_sees_the_span_or_without_one_the_parent(void **state)
{
    (void)state;
    static const char text[] = "00-" TRACE "-" PARENT "-01";
    weir_trace_context_t context;
    char written[WEIR_TRACEPARENT_BYTES + 1];
    assert_true(weir_traceparent_parse(text, sizeof text - 1, &context));
    weir_traceparent_write(&context, written);
    assert_string_equal(written, text);
    memcpy(context.span_id, "\x01\x23\x45\x67\x89\xab\xcd\xef", 8);
    weir_traceparent_write(&context, written);
    assert_string_equal(written, "00-" TRACE "-0123456789abcdef-01");
}

static void test_a_tracestate_is_collected_strictly(void **state)
{
    (void)state;
    static const struct {
        const char *headers[3];
        const char *collected; /* NULL: broken */
    } cases[] = {
        {{"foo=1"}, "foo=1"},
        {{"foo=1,bar=2"}, "foo=1,bar=2"},
        {{"foo=1", "bar=2"}, "foo=1,bar=2"},
        {{"foo=1 \t , \t bar=2, \t baz=3"}, "foo=1,bar=2,baz=3"},
        {{"foo=1,", ",bar=2,,"}, "foo=1,bar=2"},
        {{""}, ""},
        {{"", "foo=1"}, "foo=1"},
        {{" , ,\t"}, ""},
        {{"foo@bar=1,1a-_*/=1"}, "foo@bar=1,1a-_*/=1"},
        {{"foo= a b"}, "foo= a b"},
        {{"foo=~!\"#$%&'()*+-./:;<>?@[\\]^_`{|}"}, "foo=~!\"#$%&'()*+-./:;<>?@[\\]^_`{|}"},
        {{"foo=1,foo=2"}, NULL},
        {{"foo=1", "bar=1", "foo=1"}, NULL},
        {{"foo=1,fo=2,f=3"}, "foo=1,fo=2,f=3"},
        {{"f=1,fo=2,foo=3"}, "f=1,fo=2,foo=3"},
        {{"foo"}, NULL},
        {{"foo="}, NULL},
        {{"foo= "}, NULL},
        {{"=1"}, NULL},
        {{"foo =1"}, NULL},
        {{"FOO=1"}, NULL},
        {{"foo.bar=1"}, NULL},
        {{"@foo=1"}, NULL},
        {{"foo=1=2"}, NULL},
        {{"foo=bar=baz"}, NULL},
        {{"foo=\x7f"}, NULL},
        {{"foo=a\tb"}, NULL},
        {{"foo=\xc3\xbc"}, NULL},
        {{"f\xc3\xbc=1"}, NULL},
        {{"foo=1;bar=2"}, NULL},
        {{"foo=1", "bar", "baz=3"}, NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        weir_tracestate_t collected = {.size = 0};
        for (size_t k = 0; k < COUNT(cases[i].headers) && cases[i].headers[k] != NULL; k++)
            weir_tracestate_add(&collected, cases[i].headers[k], strlen(cases[i].headers[k]));
        if (collected.is_broken != (cases[i].collected == NULL))
            fail_msg("'%s' was %s", cases[i].headers[0], collected.is_broken ? "refused" : "taken");
        if (cases[i].collected != NULL) {
            assert_int_equal(collected.size, strlen(cases[i].collected));
            assert_memory_equal(collected.text, cases[i].collected, collected.size);
        }
    }
}

static void add_members(weir_tracestate_t *state, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char member[16];
        int size = snprintf(member, sizeof member, "k%u=1", i);
        weir_tracestate_add(state, member, (size_t)size);
    }
}

static void test_a_tracestate_is_bounded(void **state)
{
    (void)state;
    weir_tracestate_t collected = {.size = 0};
    add_members(&collected, WEIR_TRACESTATE_MEMBERS_MAX);
    assert_false(collected.is_broken);
    weir_tracestate_add(&collected, "more=1", 6);
    assert_true(collected.is_broken);

    /* 2 + 253 bytes, a comma, and 256 more: 512 in all. */
    char text[600];
    memset(text, 'x', sizeof text);
    memcpy(text, "a=", 2);
    collected = (weir_tracestate_t){.size = 0};
    weir_tracestate_add(&collected, text, 255);
    memcpy(text, "b=", 2);
    weir_tracestate_add(&collected, text, 256);
    assert_false(collected.is_broken);
    assert_int_equal(collected.size, WEIR_TRACESTATE_BYTES_MAX);
    weir_tracestate_add(&collected, "c=1", 3);
    assert_true(collected.is_broken);

    /* A value of 256 bytes is the longest, and so is a key. */
    collected = (weir_tracestate_t){.size = 0};
    weir_tracestate_add(&collected, text, 2 + 256);
    assert_false(collected.is_broken);
    collected = (weir_tracestate_t){.size = 0};
    weir_tracestate_add(&collected, text, 2 + 257);
    assert_true(collected.is_broken);
    memset(text, 'k', sizeof text);
    memcpy(text + 256, "=1", 2);
    collected = (weir_tracestate_t){.size = 0};
    weir_tracestate_add(&collected, text, 258);
    assert_false(collected.is_broken);
    memset(text, 'k', sizeof text);
    memcpy(text + 257, "=1", 2);
    collected = (weir_tracestate_t){.size = 0};
    weir_tracestate_add(&collected, text, 259);
    assert_true(collected.is_broken);
}

static void test_identifiers_are_random_and_never_zero(void **state)
{
    (void)state;
    enum { TRIES = 4000 };
    static unsigned char ids[TRIES][8];
    for (size_t i = 0; i < TRIES; i++) {
        weir_trace_random(ids[i], sizeof ids[i]);
        assert_memory_not_equal(ids[i], "\0\0\0\0\0\0\0\0", 8);
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(ids[i], ids[k], 8);
    }
}

static weir_trace_context_t context_of(const char *parent)
{
    weir_trace_context_t context = {.flags = 0};
    if (parent != NULL)
        assert_true(weir_traceparent_parse(parent, strlen(parent), &context));
    return context;
}

static void test_samplers_decide_as_opentelemetry_says(void **state)
{
    (void)state;
    static const char sampled[] = "00-" TRACE "-" PARENT "-01";
    static const char dropped[] = "00-" TRACE "-" PARENT "-00";
    static const struct {
        weir_sampler_t sampler;
        const char *parent;
        bool is_sampled;
    } cases[] = {
        {{WEIR_SAMPLER_ALWAYS_ON, false, 0}, NULL, true},
        {{WEIR_SAMPLER_ALWAYS_ON, false, 0}, dropped, true},
        {{WEIR_SAMPLER_ALWAYS_OFF, false, 0}, NULL, false},
        {{WEIR_SAMPLER_ALWAYS_OFF, false, 0}, sampled, false},
        {{WEIR_SAMPLER_ALWAYS_ON, true, 0}, NULL, true},
        {{WEIR_SAMPLER_ALWAYS_ON, true, 0}, sampled, true},
        {{WEIR_SAMPLER_ALWAYS_ON, true, 0}, dropped, false},
        {{WEIR_SAMPLER_ALWAYS_OFF, true, 0}, NULL, false},
        {{WEIR_SAMPLER_ALWAYS_OFF, true, 0}, sampled, true},
        {{WEIR_SAMPLER_RATIO, false, 0}, sampled, false},
        {{WEIR_SAMPLER_RATIO, false, 1}, dropped, true},
        {{WEIR_SAMPLER_RATIO, true, 0}, sampled, true},
        {{WEIR_SAMPLER_RATIO, true, 0}, NULL, false},
        {{WEIR_SAMPLER_RATIO, true, 1}, NULL, true},
        /* a3ce929d0e0e4736 >> 1 is 0.6399 of 2^63. */
        {{WEIR_SAMPLER_RATIO, false, 0.63}, sampled, false},
        {{WEIR_SAMPLER_RATIO, false, 0.64}, sampled, true},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        weir_trace_context_t context = context_of(cases[i].parent);
        weir_trace_begin(&cases[i].sampler, &context);
        if (((context.flags & WEIR_TRACE_SAMPLED) != 0) != cases[i].is_sampled)
            fail_msg("case %zu was %ssampled", i, cases[i].is_sampled ? "not " : "");
        assert_true(weir_trace_is_set(&context));
        assert_true(weir_trace_has_span(&context));
        if (cases[i].parent != NULL) {
            char trace[WEIR_TRACE_ID_TEXT + 1];
            weir_trace_write_id(context.trace_id, sizeof context.trace_id, trace);
            assert_string_equal(trace, TRACE);
        } else {
            assert_memory_equal(context.parent_id, "\0\0\0\0\0\0\0\0", 8);
        }
    }
}

static void test_a_ratio_samples_that_part_of_new_traces(void **state)
{
    (void)state;
    enum { TRIES = 20000 };
    const weir_sampler_t sampler = {WEIR_SAMPLER_RATIO, true, 0.25};
    unsigned sampled = 0;
    for (unsigned i = 0; i < TRIES; i++) {
        weir_trace_context_t context = {.flags = 0};
        weir_trace_begin(&sampler, &context);
        sampled += context.flags & WEIR_TRACE_SAMPLED;
    }
    /* 5,000 with a standard deviation of 61: ten of these are not left by chance. */
    assert_in_range(sampled, 5000 - 610, 5000 + 610);
}

static void test_the_flag_for_random_identifiers_is_passed_on_and_not_made_up(void **state)
{
    (void)state;
    const weir_sampler_t sampler = {WEIR_SAMPLER_ALWAYS_ON, true, 0};
    weir_trace_context_t context = context_of("00-" TRACE "-" PARENT "-03");
    weir_trace_begin(&sampler, &context);
    assert_int_equal(context.flags, WEIR_TRACE_SAMPLED | WEIR_TRACE_RANDOM);
    context = context_of(NULL);
    weir_trace_begin(&sampler, &context);
    assert_int_equal(context.flags, WEIR_TRACE_SAMPLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_traceparent_is_parsed_strictly),
        cmocka_unit_test(test_nothing_is_read_behind_the_end_of_a_traceparent),
        cmocka_unit_test(test_who_is_called_sees_the_span_or_without_one_the_parent),
        cmocka_unit_test(test_a_tracestate_is_collected_strictly),
        cmocka_unit_test(test_a_tracestate_is_bounded),
        cmocka_unit_test(test_identifiers_are_random_and_never_zero),
        cmocka_unit_test(test_samplers_decide_as_opentelemetry_says),
        cmocka_unit_test(test_a_ratio_samples_that_part_of_new_traces),
        cmocka_unit_test(test_the_flag_for_random_identifiers_is_passed_on_and_not_made_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
