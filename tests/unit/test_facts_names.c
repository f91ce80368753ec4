/*
 * test_facts_names.c: how facts are called, said and documented, and the fingerprint of those that stay the same.
 */
#include "facts_support.h"

static const weir_fact_name_t *name_of(const char *wanted)
{
    size_t count;
    const weir_fact_name_t *names = weir_fact_names(&count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i].name, wanted) == 0) {
            return &names[i];
        }
    }
    fail_msg("there is no %s", wanted);
    return NULL;
}

static void every_fact_has_a_name_of_its_own(void **state)
{
    size_t count;
    const weir_fact_name_t *names = weir_fact_names(&count);
    (void)state;
    /* They lie one behind the other, to the structure's end. */
    assert_int_equal(offsetof(weir_facts_t, processors) + count * sizeof(weir_fact_t), sizeof(weir_facts_t));
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(names[i].offset, offsetof(weir_facts_t, processors) + i * sizeof(weir_fact_t));
        assert_true(names[i].meaning[0] != '\0' && strlen(names[i].meaning) <= 40);
        assert_string_not_equal(weir_fact_unit_name(names[i].unit), "unknown");
        assert_string_not_equal(weir_fact_group_name(names[i].group), "");
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(names[i].name, names[j].name);
            assert_string_not_equal(names[i].meaning, names[j].meaning);
        }
    }
}

static void the_documentation_describes_every_fact_as_it_is(void **state)
{
    static char text[64 * 1024];
    size_t count;
    const weir_fact_name_t *names = weir_fact_names(&count);
    (void)state;
    FILE *file = fopen("../../docs/facts.md", "r");
    assert_non_null(file);
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = '\0';
    for (size_t i = 0; i < count; i++) {
        char row[128];
        snprintf(row, sizeof row, "\n| `%s` | %s | %s |", names[i].name, weir_fact_unit_name(names[i].unit),
            names[i].stable ? "yes" : "no");
        if (strstr(text, row) == NULL) {
            fail_msg("docs/facts.md lacks%s", row);
        }
    }
}

static void values_are_said_in_words(void **state)
{
    static const struct {
        const char *name;
        weir_fact_t fact;
        const char *text;
    } cases[] = {
        {"processors", {WEIR_KNOWN, 4, ""}, "4"},
        {"memory_total", {WEIR_KNOWN, UINT64_C(3) << 29, ""}, "1.5 GiB"},
        {"memory_total", {WEIR_UNKNOWN, 0, ""}, "unknown"},
        {"cgroup_limit", {WEIR_UNLIMITED, 0, ""}, "unlimited"},
        {"emulated", {WEIR_KNOWN, 1, ""}, "yes"},
        {"emulated", {WEIR_KNOWN, 0, ""}, "no"},
        {"overcommit_ratio", {WEIR_KNOWN, 50, ""}, "50 %"},
        {"stall_some", {WEIR_KNOWN, 1205, ""}, "12.05 %"},
        {"stall_some", {WEIR_KNOWN, 10000, ""}, "100.00 %"},
        {"huge_pages", {WEIR_KNOWN, WEIR_HUGE_PAGES_MADVISE, ""}, "madvise"},
        {"huge_pages", {WEIR_KNOWN, 3, ""}, "unknown"},
        {"hypervisor", {WEIR_KNOWN, WEIR_HYPERVISOR_KVM, ""}, "kvm"},
        {"hypervisor", {WEIR_KNOWN, WEIR_HYPERVISOR_OTHER, ""}, "other (ACRNACRNACRN)"},
        {"container", {WEIR_KNOWN, WEIR_CONTAINER_NSPAWN, ""}, "systemd-nspawn"},
        {"container", {WEIR_KNOWN, UINT64_MAX, ""}, "unknown"},
        {"wsl", {WEIR_KNOWN, WEIR_WSL_2, ""}, "wsl2"},
        {"kernel_release", {WEIR_KNOWN, 6001085, ""}, "6.1.85-cloud-amd64"},
        {"processor_flags", {WEIR_KNOWN, 1u << WEIR_X86_AVX2 | 1u << WEIR_X86_SSE3, ""}, "sse3 avx2"},
        {"processor_flags", {WEIR_KNOWN, 0, ""}, ""},
        {"processor_flags", {WEIR_KNOWN, UINT64_C(1) << WEIR_ARM_ATOMICS | UINT64_C(1) << 63, ""}, "atomics"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[64];
        const weir_fact_name_t *name = name_of(cases[i].name);
        weir_facts_t facts = {
            .size = sizeof facts, .kernel_name = "6.1.85-cloud-amd64", .hypervisor_signature = "ACRNACRNACRN"};
        memcpy((char *)&facts + name->offset, &cases[i].fact, sizeof cases[i].fact);
        weir_fact_text(&facts, name, text, sizeof text);
        assert_string_equal(text, cases[i].text);
        weir_fact_text(&facts, name, text, 3);
        assert_true(strlen(text) <= 2);
    }
}

static void the_fingerprint_changes_with_what_is_stable_and_with_nothing_else(void **state)
{
    size_t count;
    const weir_fact_name_t *names = weir_fact_names(&count);
    weir_machine_t probes = machine();
    weir_facts_t facts;
    (void)state;
    put_healthy_machine();
    weir_facts_read(&probes, &facts, NULL);
    uint64_t before = weir_facts_fingerprint(&facts);
    weir_facts_read_executable(&probes, &facts);
    assert_true(weir_facts_fingerprint(&facts) == before);
    for (size_t i = 0; i < count; i++) {
        weir_facts_t changed = facts;
        weir_fact_t *fact = (weir_fact_t *)(void *)((char *)&changed + names[i].offset);
        fact->source = "elsewhere";
        assert_true(weir_facts_fingerprint(&changed) == before);
        fact->value += UINT64_C(1) << 30;
        bool after_value = weir_facts_fingerprint(&changed) != before;
        fact->value -= UINT64_C(1) << 30;
        fact->knowledge = fact->knowledge == WEIR_UNLIMITED ? WEIR_UNKNOWN : WEIR_UNLIMITED;
        bool after_knowledge = weir_facts_fingerprint(&changed) != before;
        if (after_value != names[i].stable || after_knowledge != names[i].stable) {
            fail_msg("%s: %d, %d", names[i].name, after_value, after_knowledge);
        }
    }
    weir_facts_t changed = facts;
    changed.kernel_name[0]++;
    assert_true(weir_facts_fingerprint(&changed) != before);
    changed = facts;
    changed.hypervisor_signature[0] = 'x';
    assert_true(weir_facts_fingerprint(&changed) != before);
    /* What is in use or free, and what a reboot may change a little */
    changed = facts;
    changed.memory_total.value -= 4096;
    changed.memory_available.value /= 2;
    changed.swap_total.value -= 4096;
    changed.commit_limit.value -= 4096;
    assert_true(weir_facts_fingerprint(&changed) == before);
}

static void nothing_that_depends_on_the_moment_is_stable(void **state)
{
    static const char *const moments[] = {"memory_available", "commit_used", "address_space_used", "data_used",
        "cgroup_used", "mappings_used", "swap_free", "stall_some", "stall_full", "cgroup_stall_some",
        "cgroup_stall_full", "free_block_largest", "free_large_share", "executable_memory", "pagemap_scan",
        "process_madvise", "protection_keys", "memory_files", "address_space_hard_limit", "data_hard_limit",
        "processes_limit", "processes_used", "cgroup_processes_limit", "cgroup_processes_used", "file_size_hard_limit"};
    size_t count;
    const weir_fact_name_t *names = weir_fact_names(&count);
    size_t stable = 0;
    (void)state;
    for (size_t i = 0; i < COUNT(moments); i++) {
        assert_false(name_of(moments[i])->stable);
    }
    for (size_t i = 0; i < count; i++) {
        stable += names[i].stable ? 1 : 0;
    }
    assert_int_equal(stable + COUNT(moments), count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_fact_has_a_name_of_its_own),
        cmocka_unit_test(the_documentation_describes_every_fact_as_it_is),
        cmocka_unit_test(values_are_said_in_words),
        IN_TREE(the_fingerprint_changes_with_what_is_stable_and_with_nothing_else),
        cmocka_unit_test(nothing_that_depends_on_the_moment_is_stable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
