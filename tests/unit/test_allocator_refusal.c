/*
 * test_allocator_refusal.c: what Wasmtime's messages of refusal mean, which limit stands behind them, and the words for
 * sizes and lines.
 */
#include "allocator/refusal.h"
#include "allocator/text.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* cmocka.h wants the others before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
/* clang-format on */

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/* ---- Messages ---------------------------------------------------------------------------------------------------- */

/* The first six are as Wasmtime 48 writes them. */
static const struct {
    const char *message;
    weir_refused_t what;
    const char *call;
    uint64_t bytes;
    int error_number;
} messages[] = {
    {"failed to create memory pool mapping\n\nCaused by:\n    0: mmap failed to reserve 0x3efd2000000 bytes\n    1: "
     "Cannot "
     "allocate memory (os error 12)",
        WEIR_REFUSED_MEMORIES, "mmap", UINT64_C(0x3efd2000000), ENOMEM},
    {"failed to create stack pool mapping\n\nCaused by:\n    0: mmap failed to allocate 0x7d3e8000 bytes\n    1: "
     "Cannot "
     "allocate memory (os error 12)",
        WEIR_REFUSED_STACKS, "mmap", 0x7d3e8000, ENOMEM},
    {"failed to create table pool mapping\n\nCaused by:\n    0: mmap failed to allocate 0x9c40000 bytes\n    1: Cannot "
     "allocate memory (os error 12)",
        WEIR_REFUSED_TABLES, "mmap", 0x9c40000, ENOMEM},
    {"failed to protect stack guard page\n\nCaused by:\n    Cannot allocate memory (os error 12)", WEIR_REFUSED_STACKS,
        "mprotect", 0, ENOMEM},
    {"unable to make memory executable\n\nCaused by:\n    0: failed to make memory executable\n    1: Operation not "
     "permitted (os error 1)",
        WEIR_REFUSED_CODE, "mprotect", 0, EPERM},
    {"mmap failed to reserve 0x104000000 bytes\n\nCaused by:\n    Cannot allocate memory (os error 12)",
        WEIR_REFUSED_MEMORIES, "mmap", 0x104000000, ENOMEM},
    {"Cannot allocate memory (os error 12)", WEIR_REFUSED_OTHER, "", 0, ENOMEM},
    {"maximum concurrent limit of 4 for fibers reached", WEIR_REFUSED_OTHER, "", 0, 0},
    {"", WEIR_REFUSED_OTHER, "", 0, 0},
    {"mmap failed to reserve 0x bytes", WEIR_REFUSED_MEMORIES, "mmap", 0, 0},
    {"mmap failed to reserve 0xfffffffffffffffffff bytes", WEIR_REFUSED_MEMORIES, "mmap", 0, 0},
    {"(os error ", WEIR_REFUSED_OTHER, "", 0, 0},
    {"(os error 99999999999999999999)", WEIR_REFUSED_OTHER, "", 0, 0},
    {"(os error -1)", WEIR_REFUSED_OTHER, "", 0, 0},
};

static void a_message_gives_up_its_call_size_and_errno(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        weir_refusal_t refusal;
        weir_refusal_parse(messages[i].message, strlen(messages[i].message), &refusal);
        if (refusal.what != messages[i].what || strcmp(refusal.call, messages[i].call) != 0 ||
            refusal.bytes != messages[i].bytes || refusal.error_number != messages[i].error_number) {
            fail_msg("'%s': %d, '%s', %#llx, %d", messages[i].message, refusal.what, refusal.call,
                (unsigned long long)refusal.bytes, refusal.error_number);
        }
    }
}

static void a_message_is_not_read_beyond_its_length(void **state)
{
    static const char message[] = "mmap failed to reserve 0x1234 bytes (os error 12)";
    weir_refusal_t refusal;
    (void)state;
    weir_refusal_parse(message, strlen("mmap failed to reserve 0x12"), &refusal);
    assert_int_equal(refusal.bytes, 0x12);
    assert_int_equal(refusal.error_number, 0);
    weir_refusal_parse(message, 0, &refusal);
    assert_string_equal(refusal.call, "");
}

/* ---- Limits ------------------------------------------------------------------------------------------------------ */

static weir_fact_t known(uint64_t value)
{
    return (weir_fact_t){WEIR_KNOWN, value, "test"};
}

typedef struct limit_case {
    const char *name;
    uint64_t address_space_limit; /* 0: unlimited; so too the others */
    uint64_t data_limit;
    uint64_t mappings_limit;
    unsigned overcommit_mode;
    unsigned address_bits;
    bool emulated;
    weir_refusal_t refusal;
    weir_limit_t limit;
} limit_case_t;

static const limit_case_t limit_cases[] = {
    {"a reservation beyond RLIMIT_AS", 64 * GIB, 0, 65530, 0, 47, false,
        {WEIR_REFUSED_MEMORIES, "mmap", 100 * GIB, ENOMEM}, WEIR_LIMIT_ADDRESS_SPACE},
    {"stacks beyond RLIMIT_AS, not commit", GIB, 0, 65530, 2, 47, false, {WEIR_REFUSED_STACKS, "mmap", 2 * GIB, ENOMEM},
        WEIR_LIMIT_ADDRESS_SPACE},
    {"stacks within RLIMIT_AS under mode 2: commit", 64 * GIB, 0, 65530, 2, 47, false,
        {WEIR_REFUSED_STACKS, "mmap", 2 * GIB, ENOMEM}, WEIR_LIMIT_COMMIT},
    {"tables under mode 2: commit", 0, 0, 65530, 2, 47, false, {WEIR_REFUSED_TABLES, "mmap", 2 * GIB, ENOMEM},
        WEIR_LIMIT_COMMIT},
    {"an instance's memory under mode 2: commit", 0, 0, 65530, 2, 47, false, {WEIR_REFUSED_OTHER, "", 0, ENOMEM},
        WEIR_LIMIT_COMMIT},
    {"memories without access are not committed", 0, 0, 65530, 2, 47, false,
        {WEIR_REFUSED_MEMORIES, "mmap", 4096 * GIB, ENOMEM}, WEIR_LIMIT_UNKNOWN},
    {"stacks under mode 0: nothing explains it", 0, 0, 65530, 0, 47, false,
        {WEIR_REFUSED_STACKS, "mmap", 2 * GIB, ENOMEM}, WEIR_LIMIT_UNKNOWN},
    {"a file in memory beyond RLIMIT_FSIZE", GIB, 0, 65530, 0, 47, false, {WEIR_REFUSED_OTHER, "", 0, EFBIG},
        WEIR_LIMIT_FILE_SIZE},
    {"stacks beyond RLIMIT_DATA", 0, GIB, 65530, 0, 47, false, {WEIR_REFUSED_STACKS, "mmap", 2 * GIB, ENOMEM},
        WEIR_LIMIT_DATA},
    {"memories do not count as data", 0, GIB, 65530, 0, 47, false, {WEIR_REFUSED_MEMORIES, "mmap", 2 * GIB, ENOMEM},
        WEIR_LIMIT_UNKNOWN},
    {"as many mappings as may be", 0, 0, 61, 0, 47, false, {WEIR_REFUSED_STACKS, "mprotect", 0, ENOMEM},
        WEIR_LIMIT_MAPPINGS},
    {"4 TiB with 39 bits", 0, 0, 65530, 0, 39, false, {WEIR_REFUSED_MEMORIES, "mmap", 4096 * GIB, ENOMEM},
        WEIR_LIMIT_ADDRESS_BITS},
    {"256 GiB with 39 bits", 0, 0, 65530, 0, 39, false, {WEIR_REFUSED_MEMORIES, "mmap", 256 * GIB, ENOMEM},
        WEIR_LIMIT_ADDRESS_BITS},
    {"64 GiB with 39 bits", 0, 0, 65530, 0, 39, false, {WEIR_REFUSED_MEMORIES, "mmap", 64 * GIB, ENOMEM},
        WEIR_LIMIT_UNKNOWN},
    {"code that may not be executable", 0, 0, 65530, 0, 47, false, {WEIR_REFUSED_CODE, "mprotect", 0, EACCES},
        WEIR_LIMIT_EXECUTABLE},
    {"code for which there is no memory", GIB, 0, 65530, 0, 47, false, {WEIR_REFUSED_CODE, "mprotect", 2 * GIB, ENOMEM},
        WEIR_LIMIT_ADDRESS_SPACE},
    {"an emulator", 0, 0, 65530, 0, 47, true, {WEIR_REFUSED_MEMORIES, "mmap", 4096 * GIB, ENOMEM},
        WEIR_LIMIT_EMULATION},
    {"no system call at all", GIB, GIB, 61, 2, 39, true, {WEIR_REFUSED_OTHER, "", 0, 0}, WEIR_LIMIT_UNKNOWN},
};

static void the_limit_behind_a_refusal_is_the_one_that_explains_it(void **state)
{
    const weir_fact_t unlimited = {WEIR_UNLIMITED, 0, "test"};
    const weir_rung_t rung = {.tier = WEIR_TIER_STANDARD, .slots = 1000, .slot_bytes = 4 * GIB, .memories_per_slot = 1};
    const weir_needs_t needs = {.minimum_memory_bytes = MIB, .memories = 1};
    const weir_usage_t usage = {known(30 * MIB), known(4 * MIB), known(60)};
    (void)state;
    for (size_t i = 0; i < sizeof limit_cases / sizeof limit_cases[0]; i++) {
        const limit_case_t *test = &limit_cases[i];
        weir_facts_t facts = {
            .size = sizeof facts,
            .page_size = known(4096),
            .address_space_limit = test->address_space_limit != 0 ? known(test->address_space_limit) : unlimited,
            .data_limit = test->data_limit != 0 ? known(test->data_limit) : unlimited,
            .mappings_limit = known(test->mappings_limit),
            .overcommit_mode = known(test->overcommit_mode),
            .address_bits = known(test->address_bits),
            .emulated = known(test->emulated ? 1 : 0),
        };
        weir_limit_t limit = weir_refusal_limit(&facts, &usage, &rung, &needs, &test->refusal);
        if (limit != test->limit) {
            fail_msg("%s: %s", test->name, weir_limit_name(limit));
        }
    }
}

static void what_is_unknown_explains_nothing(void **state)
{
    weir_facts_t facts = {.size = sizeof facts};
    weir_usage_t usage = {{WEIR_UNKNOWN, 0, ""}, {WEIR_UNKNOWN, 0, ""}, {WEIR_UNKNOWN, 0, ""}};
    const weir_rung_t rung = {.tier = WEIR_TIER_STANDARD, .slots = 1000, .slot_bytes = 4 * GIB, .memories_per_slot = 1};
    const weir_needs_t needs = {.memories = 1};
    const weir_refusal_t refusal = {WEIR_REFUSED_MEMORIES, "mmap", 4096 * GIB, ENOMEM};
    (void)state;
    assert_int_equal(weir_refusal_limit(&facts, &usage, &rung, &needs, &refusal), WEIR_LIMIT_UNKNOWN);
}

/* ---- Words ------------------------------------------------------------------------------------------------------- */

static void a_size_is_exact_where_it_is_whole(void **state)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {
        {0, "0 bytes"},
        {1023, "1023 bytes"},
        {1024, "1 KiB"},
        {1536, "1.5 KiB"},
        {64 * MIB, "64 MiB"},
        {4 * GIB, "4 GiB"},
        {4 * GIB + 1, "4.0 GiB"},
        {UINT64_C(0x3efd2000000), "3.9 TiB"},
        {UINT64_C(1) << 60, "1 EiB"},
        {UINT64_MAX, "16.0 EiB"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_string_equal(weir_size_text(cases[i].bytes).text, cases[i].text);
    }
}

static void a_text_is_cut_and_never_overruns(void **state)
{
    char buffer[8] = "";
    (void)state;
    assert_true(weir_text_append(buffer, sizeof buffer, "%s", "abc"));
    assert_true(weir_text_append(buffer, sizeof buffer, "%d", 1234));
    assert_string_equal(buffer, "abc1234");
    assert_false(weir_text_append(buffer, sizeof buffer, "x"));
    assert_string_equal(buffer, "abc1234");
    buffer[0] = '\0';
    assert_false(weir_text_append(buffer, sizeof buffer, "%s", "123456789"));
    assert_string_equal(buffer, "1234567");
    assert_false(weir_text_append(buffer, 0, "x"));
    memset(buffer, 'y', sizeof buffer);
    assert_false(weir_text_append(buffer, sizeof buffer, "x"));
}

static void any_bytes_become_one_printable_line(void **state)
{
    static const struct {
        const char *from;
        size_t length;
        const char *line;
    } cases[] = {
        {"", 0, ""},
        {"  a \n\t b\r\n", 9, "a b"},
        {"a\0b", 3, "a"},
        {"\x1b[31mred", 8, "[31mred"},
        {"caf\xc3\xa9!", 6, "caf!"},
        {"0123456789abcdef", 16, "0123456789abcde"},
        {"0123456789abcd ef", 17, "0123456789abcd"},
    };
    char line[16];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        weir_text_one_line(line, sizeof line, cases[i].from, cases[i].length);
        assert_string_equal(line, cases[i].line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_gives_up_its_call_size_and_errno),
        cmocka_unit_test(a_message_is_not_read_beyond_its_length),
        cmocka_unit_test(the_limit_behind_a_refusal_is_the_one_that_explains_it),
        cmocka_unit_test(what_is_unknown_explains_nothing),
        cmocka_unit_test(a_size_is_exact_where_it_is_whole),
        cmocka_unit_test(a_text_is_cut_and_never_overruns),
        cmocka_unit_test(any_bytes_become_one_printable_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
