/*
 * test_facts_processor.c: what a processor says of itself and of its hypervisor, and firmware where it does not.
 */
#include "facts_support.h"

static weir_facts_t read_processor(const answer_t *own_answers, size_t count, uint64_t kept)
{
    weir_facts_t facts = {.size = sizeof facts};
    set_processor(own_answers, count);
    vector_state = kept;
    weir_processor_read_x86(ask_processor, read_vector_state, &facts);
    return facts;
}

static void a_hypervisor_is_known_by_its_signature(void **state)
{
    static const struct {
        weir_cpuid_t first;
        weir_cpuid_t second;
        weir_hypervisor_t hypervisor;
        const char *signature;
    } cases[] = {
        {SIGNATURE(0, "KVMKVMKVM\0\0\0"), {0, 0, 0, 0}, WEIR_HYPERVISOR_KVM, "KVMKVMKVM"},
        {SIGNATURE(0, "TCGTCGTCGTCG"), {0, 0, 0, 0}, WEIR_HYPERVISOR_TCG, "TCGTCGTCGTCG"},
        {SIGNATURE(0, "Microsoft Hv"), {0, 0, 0, 0}, WEIR_HYPERVISOR_HYPER_V, "Microsoft Hv"},
        {SIGNATURE(0, "Microsoft Hv"), SIGNATURE(0, "KVMKVMKVM\0\0\0"), WEIR_HYPERVISOR_KVM, "KVMKVMKVM"},
        {SIGNATURE(0, "Microsoft Hv"), SIGNATURE(0, "XenVMMXenVMM"), WEIR_HYPERVISOR_XEN, "XenVMMXenVMM"},
        {SIGNATURE(0, "Microsoft Hv"), SIGNATURE(0, "abcdefghijkl"), WEIR_HYPERVISOR_HYPER_V, "Microsoft Hv"},
        {SIGNATURE(0, "VMwareVMware"), {0, 0, 0, 0}, WEIR_HYPERVISOR_VMWARE, "VMwareVMware"},
        {SIGNATURE(0, "XenVMMXenVMM"), {0, 0, 0, 0}, WEIR_HYPERVISOR_XEN, "XenVMMXenVMM"},
        {SIGNATURE(0, "ACRNACRNACRN"), {0, 0, 0, 0}, WEIR_HYPERVISOR_OTHER, "ACRNACRNACRN"},
        {SIGNATURE(0, "\x01\x1b[31mnoise!"), {0, 0, 0, 0}, WEIR_HYPERVISOR_OTHER, "??[31mnoise!"},
        {{0, 0, 0, 0}, {0, 0, 0, 0}, WEIR_HYPERVISOR_OTHER, ""},
        {{0, UINT32_MAX, UINT32_MAX, UINT32_MAX}, {0, 0, 0, 0}, WEIR_HYPERVISOR_OTHER, "????????????"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const answer_t said[] = {
            {0, 0, {7, 0, 0, 0}},
            {1, 0, {0, 0, HYPERVISOR_BIT, 0}},
            {0x40000000, 0, cases[i].first},
            {0x40000100, 0, cases[i].second},
        };
        weir_facts_t facts = read_processor(said, COUNT(said), 7);
        assert_known(facts.hypervisor, cases[i].hypervisor);
        assert_string_equal(facts.hypervisor_signature, cases[i].signature);
    }
}

static void flags_count_only_where_their_registers_are_kept(void **state)
{
    enum { OSXSAVE = 1 << 27 };
    const answer_t all[] = {
        {0, 0, {7, 0, 0, 0}},
        {1, 0, {0, 0, ~HYPERVISOR_BIT, 0}},
        {7, 0, {1, UINT32_MAX, UINT32_MAX, 0}},
        {7, 1, {UINT32_MAX, 0, 0, 0}},
        {0x80000000, 0, {0x80000001, 0, 0, 0}},
        {0x80000001, 0, {0, 0, UINT32_MAX, 0}},
    };
    const answer_t unreadable[] = {
        {0, 0, {7, 0, 0, 0}},
        {1, 0, {0, 0, ~(HYPERVISOR_BIT | OSXSAVE), 0}},
        {7, 0, {0, UINT32_MAX, UINT32_MAX, 0}},
        {7, 1, {UINT32_MAX, 0, 0, 0}},
    };
    const uint64_t plain = 0x3ff & ~(UINT64_C(1) << WEIR_X86_FMA);
    const uint64_t rest = UINT64_C(7) << WEIR_X86_ERMS;
    const uint64_t avx = UINT64_C(0xf) << WEIR_X86_FMA;
    const uint64_t avx512 = UINT64_C(0x7f) << WEIR_X86_AVX512F;
    (void)state;
    assert_known(read_processor(all, COUNT(all), 0xe7).processor_flags, plain | rest | avx | avx512);
    assert_known(read_processor(all, COUNT(all), 7).processor_flags, plain | rest | avx);
    assert_known(read_processor(all, COUNT(all), 3).processor_flags, plain | rest);
    assert_known(read_processor(all, COUNT(all), 0).processor_flags, plain | rest);
    assert_known(read_processor(unreadable, COUNT(unreadable), 0xe7).processor_flags,
        (plain | rest) & ~(UINT64_C(1) << WEIR_X86_LZCNT));
}

static void leaves_that_a_processor_lacks_are_not_asked(void **state)
{
    /* Above its highest leaf a processor answers with another one's registers. */
    const answer_t old[] = {
        {0, 0, {2, 0, 0, 0}},
        {1, 0, {0, 0, 1, 0}},
        {7, 0, {1, UINT32_MAX, UINT32_MAX, 0}},
        {7, 1, {UINT32_MAX, 0, 0, 0}},
        {0x80000000, 0, {0x80000000, 0, 0, 0}},
        {0x80000001, 0, {0, 0, UINT32_MAX, 0}},
    };
    weir_facts_t facts = read_processor(old, COUNT(old), 7);
    (void)state;
    assert_known(facts.processor_flags, 1u << WEIR_X86_SSE3);
    assert_known(facts.hypervisor, WEIR_HYPERVISOR_NONE);
    facts = read_processor(NULL, 0, 7);
    assert_int_equal(facts.processor_flags.knowledge, WEIR_UNKNOWN);
    assert_int_equal(facts.hypervisor.knowledge, WEIR_UNKNOWN);
}

static void an_arm_processor_says_what_it_can_in_the_auxiliary_vector(void **state)
{
    weir_facts_t facts = {.size = sizeof facts};
    (void)state;
    weir_processor_read_arm(UINT64_C(1) << 1 | UINT64_C(1) << 8, UINT64_C(1) << 18, &facts);
    assert_known(facts.processor_flags,
        UINT64_C(1) << WEIR_ARM_ASIMD | UINT64_C(1) << WEIR_ARM_ATOMICS | UINT64_C(1) << WEIR_ARM_MTE);
    weir_processor_read_arm(UINT64_MAX, UINT64_MAX, &facts);
    assert_known(facts.processor_flags, UINT64_C(0x3ff) << WEIR_ARM_ASIMD);
}

static void every_flag_has_a_name_of_its_own(void **state)
{
    size_t named = 0;
    (void)state;
    for (unsigned i = 0; i < 64; i++) {
        const char *name = weir_processor_flag_name(i);
        named += name != NULL ? 1 : 0;
        for (unsigned j = 0; j < i && name != NULL; j++) {
            const char *other = weir_processor_flag_name(j);
            assert_true(other == NULL || strcmp(name, other) != 0);
        }
    }
    assert_int_equal(named, 23 + 10);
    assert_null(weir_processor_flag_name(64));
    assert_null(weir_processor_flag_name(UINT32_MAX));
}

/* ---- Machines whose processor does not say ----------------------------------------------------------------------- */

static void without_cpuid_the_firmware_tells_of_the_hypervisor(void **state)
{
    static const struct {
        const char *path; /* NULL: nothing is there */
        const char *text;
        size_t size;
        const char *product;
        int hypervisor; /* -1: unknown */
        const char *signature;
    } cases[] = {
        {NULL, "", 0, NULL, -1, ""},
        {"/proc/device-tree/hypervisor/compatible", "xen,xen-4.17\0xen,xen", 20, NULL, WEIR_HYPERVISOR_XEN, ""},
        {"/proc/device-tree/hypervisor/compatible", "linux,kvm", 10, NULL, WEIR_HYPERVISOR_KVM, ""},
        {"/proc/device-tree/fw-cfg@9020000/compatible", "qemu,fw-cfg-mmio", 17, NULL, WEIR_HYPERVISOR_QEMU, ""},
        {"/proc/device-tree/compatible", "linux,dummy-virt", 17, NULL, WEIR_HYPERVISOR_OTHER, ""},
        {"/proc/device-tree/compatible", "raspberrypi,4-model-b\0brcm,bcm2711", 35, NULL, -1, ""},
        {"/proc/device-tree/compatible", "\0\0\0", 3, NULL, -1, ""},
        {"/sys/class/dmi/id/sys_vendor", "QEMU\n", 5, "QEMU Virtual Machine\n", WEIR_HYPERVISOR_QEMU, "QEMU"},
        {"/sys/class/dmi/id/sys_vendor", "Red Hat\n", 8, "KVM\n", WEIR_HYPERVISOR_KVM, "Red Hat"},
        {"/sys/class/dmi/id/sys_vendor", "VMware, Inc.\n", 13, "VMware20,1\n", WEIR_HYPERVISOR_VMWARE, "VMware, Inc."},
        {"/sys/class/dmi/id/sys_vendor", "Microsoft Corporation\n", 22, "Virtual Machine\n", WEIR_HYPERVISOR_HYPER_V,
            "Microsoft Corpo"},
        {"/sys/class/dmi/id/sys_vendor", "Microsoft Corporation\n", 22, "Surface Pro X\n", -1, ""},
        {"/sys/class/dmi/id/sys_vendor", "Ampere\n", 7, "Mt. Jade\n", -1, ""},
        {"/sys/class/dmi/id/sys_vendor", "\n", 1, "\n", -1, ""},
    };
    weir_machine_t probes = machine();
    for (size_t i = 0; i < COUNT(cases); i++) {
        weir_facts_t facts;
        set_processor(NULL, 0);
        if (cases[i].path != NULL) {
            put_bytes(cases[i].path, cases[i].text, cases[i].size);
        }
        if (cases[i].product != NULL) {
            put("/sys/class/dmi/id/product_name", cases[i].product);
        }
        weir_facts_read(&probes, &facts, NULL);
        bool known = facts.hypervisor.knowledge == WEIR_KNOWN;
        if (known != (cases[i].hypervisor >= 0) || (known && (int)facts.hypervisor.value != cases[i].hypervisor)) {
            fail_msg("case %zu: %d, %llu", i, known, (unsigned long long)facts.hypervisor.value);
        }
        assert_string_equal(facts.hypervisor_signature, cases[i].signature);
        remove_tree(state);
        assert_int_equal(make_tree(state), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hypervisor_is_known_by_its_signature),
        cmocka_unit_test(flags_count_only_where_their_registers_are_kept),
        cmocka_unit_test(leaves_that_a_processor_lacks_are_not_asked),
        cmocka_unit_test(an_arm_processor_says_what_it_can_in_the_auxiliary_vector),
        cmocka_unit_test(every_flag_has_a_name_of_its_own),
        IN_TREE(without_cpuid_the_firmware_tells_of_the_hypervisor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
