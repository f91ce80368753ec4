/*
 * test_translate.c: which language the environment asks for, and how messages are found in catalogues, damaged ones
 * among them.
 */
#include "allocator/phrases.h"
#include "allocator/text.h"
#include "allocator/translate.h"
#include "allocator/trial.h"
#include "weir/allocator.h"

#include <stdbool.h>
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

/* ---- The language ------------------------------------------------------------------------------------------------ */

typedef struct environment_case {
    const char *all;      /* LC_ALL */
    const char *messages; /* LC_MESSAGES */
    const char *lang;     /* LANG */
    const char *language; /* LANGUAGE */
    const char *expected;
} environment_case_t;

static const environment_case_t environment_cases[] = {
    {NULL, NULL, NULL, NULL, "en"},
    {NULL, NULL, "zh_CN.UTF-8", NULL, "zh_CN"},
    {NULL, NULL, "zh_CN.utf8", NULL, "zh_CN"},
    {NULL, NULL, "zh_CN", NULL, "zh_CN"},
    {NULL, NULL, "zh", NULL, "zh_CN"},
    {NULL, NULL, "zh_CN.UTF-8@pinyin", NULL, "zh_CN"},
    {NULL, "zh_CN.UTF-8", "en_US.UTF-8", NULL, "zh_CN"},
    {"zh_CN.UTF-8", "C", "C", NULL, "zh_CN"},
    {"C", NULL, "zh_CN.UTF-8", NULL, "en"},
    {"POSIX", NULL, "zh_CN.UTF-8", NULL, "en"},
    {"", "", "zh_CN.UTF-8", NULL, "zh_CN"},
    {NULL, NULL, "en_GB.UTF-8", NULL, "en"},
    {NULL, NULL, "de_DE.UTF-8", NULL, "en"},
    {NULL, NULL, "zh_TW.UTF-8", NULL, "en"}, /* other characters, and there is no catalogue */
    {NULL, NULL, "zho_CN.UTF-8", NULL, "en"},
    {NULL, NULL, "z", NULL, "en"},
    {NULL, NULL, "zh_CN.GBK", NULL, "en"}, /* what is written is UTF-8 */
    {NULL, NULL, "zh_CN.", NULL, "en"},
    {NULL, NULL, ".UTF-8", NULL, "en"},
    {NULL, NULL, "_CN.UTF-8", NULL, "en"},
    {NULL, NULL, "@", NULL, "en"},
    /* LANGUAGE counts where there is a locale. */
    {NULL, NULL, "en_US.UTF-8", "zh_CN", "zh_CN"},
    {NULL, NULL, "C.UTF-8", "zh_CN", "zh_CN"},
    {NULL, NULL, "de_DE.UTF-8", "de:fr:zh_CN:en", "zh_CN"},
    {NULL, NULL, "zh_CN.UTF-8", "en:zh_CN", "en"},
    {NULL, NULL, "zh_CN.UTF-8", "de", "en"},
    {NULL, NULL, "zh_CN.UTF-8", "", "zh_CN"},
    {NULL, NULL, "zh_CN.UTF-8", ":::zh", "zh_CN"},
    {NULL, NULL, "C", "zh_CN", "en"},
    {NULL, NULL, NULL, "zh_CN", "en"},
    {NULL, NULL, "en_US.ISO-8859-1", "zh_CN", "en"},
};

static void put(const char *name, const char *value)
{
    if (value == NULL) {
        unsetenv(name);
    } else {
        setenv(name, value, 1);
    }
}

static void the_environment_names_the_language(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof environment_cases / sizeof environment_cases[0]; i++) {
        const environment_case_t *test = &environment_cases[i];
        put("LC_ALL", test->all);
        put("LC_MESSAGES", test->messages);
        put("LANG", test->lang);
        put("LANGUAGE", test->language);
        assert_true(weir_language_set(NULL));
        if (strcmp(weir_language(), test->expected) != 0) {
            fail_msg("LC_ALL=%s LC_MESSAGES=%s LANG=%s LANGUAGE=%s: %s instead of %s", test->all, test->messages,
                test->lang, test->language, weir_language(), test->expected);
        }
    }
    put("LANG", "zh_CN.UTF-8");
    put("LANGUAGE", NULL);
    assert_true(weir_language_set("en"));
    assert_string_equal(weir_language(), "en");
}

static void a_language_that_there_is_not_changes_nothing(void **state)
{
    static const char *const others[] = {"", "de", "zh_TW", "zh_CN_x", "ZH_CN"};
    (void)state;
    assert_true(weir_language_set("zh_CN"));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_false(weir_language_set(others[i]));
        assert_string_equal(weir_language(), "zh_CN");
    }
    assert_true(weir_language_set("en"));
}

/* ---- Messages ---------------------------------------------------------------------------------------------------- */

static void messages_are_english_until_a_language_is_set(void **state)
{
    (void)state;
    assert_string_equal(weir_language(), "en");
    assert_string_equal(weir_translate("the commit limit"), "the commit limit");
    assert_string_equal(weir_translate_count("one", "many", 1), "one");
    assert_string_equal(weir_translate_count("one", "many", 0), "many");
}

static void messages_are_found_and_others_are_left_alone(void **state)
{
    (void)state;
    assert_true(weir_language_set("zh_CN"));
    assert_string_equal(weir_translate("the commit limit"), "提交限额");
    assert_string_equal(weir_translate("no such message"), "no such message");
    assert_string_equal(weir_translate(""), ""); /* not the catalogue's header */
    assert_string_equal(weir_translate("the commit limit and more"), "the commit limit and more");
    const char *one = weir_translate_count("compact pool, %u slot of %s", "compact pool, %u slots of %s", 1);
    const char *many = weir_translate_count("compact pool, %u slot of %s", "compact pool, %u slots of %s", 2);
    assert_string_equal(one, many); /* Chinese has one form */
    assert_string_not_equal(one, "compact pool, %u slot of %s");
    assert_true(weir_language_set("en"));
}

/* A catalogue as msgfmt writes it, of three messages, one with a plural. */
static const unsigned char small_bytes[] = {
    0xde, 0x12, 0x04, 0x95, 0, 0, 0, 0, 3, 0, 0, 0, 28, 0, 0, 0, 52, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* header */
    0, 0, 0, 0, 76, 0, 0, 0, 3, 0, 0, 0, 77, 0, 0, 0, 8, 0, 0, 0, 81, 0, 0, 0,                        /* messages */
    2, 0, 0, 0, 90, 0, 0, 0, 1, 0, 0, 0, 93, 0, 0, 0, 3, 0, 0, 0, 95, 0, 0, 0,                        /* translations */
    0,                                                                                                /* "" */
    'c', 'a', 't', 0,                                                                                 /* 77 */
    'd', 'o', 'g', 0, 'd', 'o', 'g', 's', 0,                                                          /* 81 */
    'h', 'd', 0, 'C', 0,                                                                              /* 90, 93 */
    'D', 0, 'E', 0,                                                                                   /* 95 */
};

static void a_message_with_a_plural_has_all_its_forms(void **state)
{
    const weir_catalogue_t catalogue = {"xx", small_bytes, sizeof small_bytes};
    size_t size = 0;
    (void)state;
    assert_string_equal(weir_catalogue_find(&catalogue, "cat", &size), "C");
    assert_int_equal(size, 1);
    assert_memory_equal(weir_catalogue_find(&catalogue, "dog", &size), "D\0E", 4);
    assert_int_equal(size, 3);
    assert_null(weir_catalogue_find(&catalogue, "cow", &size));
    assert_null(weir_catalogue_find(&catalogue, "zebra", &size));
}

/* AddressSanitizer watches: each copy is as long as it says, and no longer. */
static void a_damaged_catalogue_is_never_read_beyond_its_end(void **state)
{
    (void)state;
    for (size_t length = 0; length <= sizeof small_bytes; length++) {
        for (size_t at = 0; at < length; at++) {
            static const unsigned char values[] = {0, 1, 0x7f, 0x80, 0xff};
            for (size_t i = 0; i < sizeof values; i++) {
                unsigned char *bytes = malloc(length);
                assert_non_null(bytes);
                memcpy(bytes, small_bytes, length);
                bytes[at] = values[i];
                const weir_catalogue_t catalogue = {"xx", bytes, length};
                static const char *const messages[] = {"", "cat", "dog", "cow"};
                for (size_t j = 0; j < sizeof messages / sizeof messages[0]; j++) {
                    size_t size = 0;
                    const char *found = weir_catalogue_find(&catalogue, messages[j], &size);
                    if (found != NULL) {
                        assert_true(found >= (const char *)bytes && found + size < (const char *)bytes + length);
                        assert_int_equal(found[size], 0);
                    }
                }
                free(bytes);
            }
        }
    }
}

/* ---- What is made of them ---------------------------------------------------------------------------------------- */

static void a_text_that_is_cut_is_cut_between_characters(void **state)
{
    static const char *const texts[] = {"ab提交", "é", "𝄞x", "plain", "提"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        size_t whole = strlen(texts[i]);
        for (size_t size = 1; size <= whole + 1; size++) {
            char buffer[32] = "";
            assert_int_equal(weir_text_append(buffer, size, "%s", texts[i]), size > whole);
            size_t length = strlen(buffer);
            assert_memory_equal(buffer, texts[i], length);
            /* What is left out begins with a character, and does not fit. */
            assert_true((texts[i][length] & 0xc0) != 0x80);
            size_t next = 1;
            while (length < whole && (texts[i][length + next] & 0xc0) == 0x80) {
                next++;
            }
            assert_true(length == whole || length + next >= size);
        }
    }
}

static void every_value_has_its_phrase_in_every_language(void **state)
{
    static const char *const languages[] = {"en", "zh_CN"};
    const weir_facts_t facts = {.size = sizeof facts};
    const weir_needs_t needs = {.minimum_memory_bytes = 65536, .memories = 1};
    char text[WEIR_PHRASE_MAX];
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_true(weir_language_set(languages[i]));
        for (int limit = WEIR_LIMIT_UNKNOWN; limit <= WEIR_LIMIT_LAST; limit++) {
            assert_string_not_equal(weir_phrase_limit(&facts, (weir_limit_t)limit, text, sizeof text), "");
            weir_phrase_remedy(&facts, (weir_limit_t)limit, text, sizeof text);
            assert_int_equal(text[0] == '\0', limit == WEIR_LIMIT_UNKNOWN);
        }
        for (int outcome = WEIR_OUTCOME_REFUSED; outcome <= WEIR_OUTCOME_SYSTEM; outcome++) {
            weir_trial_result_t result = {.rung = {.tier = WEIR_TIER_COMPACT, .slots = 2, .slot_bytes = 65536}};
            result.verdict.outcome = (weir_outcome_t)outcome;
            result.verdict.error_number = 12;
            result.verdict.detail = 9;
            weir_phrase_obstacle(&facts, &needs, WEIR_STRATEGY_AUTO, &result, text, sizeof text);
            assert_string_not_equal(text, "");
        }
        weir_trial_result_t cut = {
            .verdict = {.outcome = WEIR_OUTCOME_REPORT, .message = "the trial's report was cut"}};
        weir_trial_result_t senseless = {.verdict = {.outcome = WEIR_OUTCOME_REPORT}};
        snprintf(senseless.verdict.message, sizeof senseless.verdict.message, "%s", WEIR_REPORT_MAKES_NO_SENSE);
        char other[WEIR_PHRASE_MAX];
        assert_string_not_equal(weir_phrase_obstacle(&facts, &needs, WEIR_STRATEGY_AUTO, &cut, text, sizeof text),
            weir_phrase_obstacle(&facts, &needs, WEIR_STRATEGY_AUTO, &senseless, other, sizeof other));
        for (int tier = WEIR_TIER_STANDARD; tier <= WEIR_TIER_ONDEMAND; tier++) {
            const weir_rung_t rung = {.tier = (weir_tier_t)tier, .slots = 1, .slot_bytes = 65536, .pulley = true};
            assert_non_null(strstr(weir_phrase_rung(&rung, text, sizeof text), "Pulley"));
            assert_non_null(strstr(text, "64 KiB"));
        }
    }
    assert_true(weir_language_set("en"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_english_until_a_language_is_set),
        cmocka_unit_test(the_environment_names_the_language),
        cmocka_unit_test(a_language_that_there_is_not_changes_nothing),
        cmocka_unit_test(messages_are_found_and_others_are_left_alone),
        cmocka_unit_test(a_message_with_a_plural_has_all_its_forms),
        cmocka_unit_test(a_damaged_catalogue_is_never_read_beyond_its_end),
        cmocka_unit_test(a_text_that_is_cut_is_cut_between_characters),
        cmocka_unit_test(every_value_has_its_phrase_in_every_language),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
