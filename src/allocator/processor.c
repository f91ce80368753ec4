/*
 * processor.c: what the processor can do, from CPUID (Intel SDM volume 2A, CPUID; AMD APM volume 3, appendix E) or from
 * the auxiliary vector (Documentation/arch/arm64/elf_hwcaps.rst). The bits are written out, for headers lack some and
 * those of the other architecture.
 */
#include "allocator/processor.h"

#include <string.h>

#define BIT(n) (UINT64_C(1) << (n))

/* ---- x86 --------------------------------------------------------------------------------------------------------- */

/* What the kernel has to keep so that a flag may be used: bits of XCR0. */
enum { NO_STATE = 0, AVX_STATE = 0x6, AVX512_STATE = 0xe6 };

/* Registers that flags are in. */
enum { LEAF_1_ECX, LEAF_7_EBX, LEAF_7_ECX, LEAF_7_1_EAX, EXTENDED_1_ECX, WORDS };

static const struct {
    uint8_t flag;
    uint8_t word;
    uint8_t bit;
    uint8_t state;
} x86_flags[] = {
    {WEIR_X86_SSE3, LEAF_1_ECX, 0, NO_STATE},
    {WEIR_X86_SSSE3, LEAF_1_ECX, 9, NO_STATE},
    {WEIR_X86_FMA, LEAF_1_ECX, 12, AVX_STATE},
    {WEIR_X86_CMPXCHG16B, LEAF_1_ECX, 13, NO_STATE},
    {WEIR_X86_SSE4_1, LEAF_1_ECX, 19, NO_STATE},
    {WEIR_X86_SSE4_2, LEAF_1_ECX, 20, NO_STATE},
    {WEIR_X86_POPCNT, LEAF_1_ECX, 23, NO_STATE},
    {WEIR_X86_AVX, LEAF_1_ECX, 28, AVX_STATE},
    {WEIR_X86_BMI1, LEAF_7_EBX, 3, NO_STATE},
    {WEIR_X86_AVX2, LEAF_7_EBX, 5, AVX_STATE},
    {WEIR_X86_BMI2, LEAF_7_EBX, 8, NO_STATE},
    {WEIR_X86_ERMS, LEAF_7_EBX, 9, NO_STATE},
    {WEIR_X86_AVX512F, LEAF_7_EBX, 16, AVX512_STATE},
    {WEIR_X86_AVX512DQ, LEAF_7_EBX, 17, AVX512_STATE},
    {WEIR_X86_AVX512BW, LEAF_7_EBX, 30, AVX512_STATE},
    {WEIR_X86_AVX512VL, LEAF_7_EBX, 31, AVX512_STATE},
    {WEIR_X86_AVX512VBMI, LEAF_7_ECX, 1, AVX512_STATE},
    {WEIR_X86_PKU, LEAF_7_ECX, 3, NO_STATE},
    {WEIR_X86_OSPKE, LEAF_7_ECX, 4, NO_STATE},
    {WEIR_X86_AVX512VNNI, LEAF_7_ECX, 11, AVX512_STATE},
    {WEIR_X86_AVX512BITALG, LEAF_7_ECX, 12, AVX512_STATE},
    {WEIR_X86_AVX_VNNI, LEAF_7_1_EAX, 4, AVX_STATE},
    {WEIR_X86_LZCNT, EXTENDED_1_ECX, 5, NO_STATE},
};

enum { OSXSAVE_BIT = 27, HYPERVISOR_BIT = 31 };

/* A leaf that is above `highest` holds what another one does, so it is not asked. */
static weir_cpuid_t ask(weir_cpuid_function_t cpuid, uint32_t leaf, uint32_t subleaf, uint32_t highest)
{
    weir_cpuid_t registers = {0, 0, 0, 0};
    if (leaf > highest || !cpuid(leaf, subleaf, &registers)) {
        return (weir_cpuid_t){0, 0, 0, 0};
    }
    return registers;
}

static uint64_t x86_flags_of(const uint32_t words[WORDS], uint64_t state)
{
    uint64_t flags = 0;
    for (size_t i = 0; i < sizeof x86_flags / sizeof x86_flags[0]; i++) {
        bool there = (words[x86_flags[i].word] >> x86_flags[i].bit & 1) != 0;
        bool kept = (state & x86_flags[i].state) == x86_flags[i].state;
        flags |= there && kept ? BIT(x86_flags[i].flag) : 0;
    }
    return flags;
}

static const struct {
    char signature[13];
    weir_hypervisor_t hypervisor;
} hypervisors[] = {
    {"KVMKVMKVM", WEIR_HYPERVISOR_KVM},
    {"TCGTCGTCGTCG", WEIR_HYPERVISOR_TCG},
    {"Microsoft Hv", WEIR_HYPERVISOR_HYPER_V},
    {"VMwareVMware", WEIR_HYPERVISOR_VMWARE},
    {"XenVMMXenVMM", WEIR_HYPERVISOR_XEN},
};

/* The signature of a hypervisor's leaves: twelve bytes in three registers, padded with NUL. */
static void take_signature(weir_cpuid_t registers, char signature[13])
{
    const uint32_t words[3] = {registers.ebx, registers.ecx, registers.edx};
    for (unsigned i = 0; i < 12; i++) {
        signature[i] = (char)(words[i / 4] >> (i % 4 * 8) & 0xff);
    }
    signature[12] = '\0';
}

static weir_hypervisor_t hypervisor_of(const char *signature)
{
    for (size_t i = 0; i < sizeof hypervisors / sizeof hypervisors[0]; i++) {
        if (strcmp(signature, hypervisors[i].signature) == 0) {
            return hypervisors[i].hypervisor;
        }
    }
    return WEIR_HYPERVISOR_OTHER;
}

static void read_hypervisor(weir_cpuid_function_t cpuid, bool present, weir_facts_t *facts)
{
    static const char source[] = "CPUID 0x40000000";
    /* KVM and Xen that offer Hyper-V's interface as well have their own leaves behind its. */
    enum { FIRST = 0x40000000, SECOND = 0x40000100 };
    char signature[13] = "";
    char second[13] = "";
    if (!present) {
        facts->hypervisor = (weir_fact_t){WEIR_KNOWN, WEIR_HYPERVISOR_NONE, "CPUID 1"};
        return;
    }
    take_signature(ask(cpuid, FIRST, 0, UINT32_MAX), signature);
    weir_hypervisor_t hypervisor = hypervisor_of(signature);
    if (hypervisor == WEIR_HYPERVISOR_HYPER_V) {
        take_signature(ask(cpuid, SECOND, 0, UINT32_MAX), second);
        weir_hypervisor_t other = hypervisor_of(second);
        if (other == WEIR_HYPERVISOR_KVM || other == WEIR_HYPERVISOR_XEN) {
            hypervisor = other;
            memcpy(signature, second, sizeof signature);
        }
    }
    facts->hypervisor = (weir_fact_t){WEIR_KNOWN, hypervisor, source};
    size_t used = 0;
    for (const char *byte = signature; *byte != '\0'; byte++) {
        facts->hypervisor_signature[used++] = *byte >= ' ' && *byte <= '~' ? *byte : '?';
    }
    facts->hypervisor_signature[used] = '\0';
}

void weir_processor_read_x86(
    weir_cpuid_function_t cpuid, bool (*vector_state)(uint64_t *ret_state), weir_facts_t *facts)
{
    weir_cpuid_t registers;
    if (cpuid == NULL || !cpuid(0, 0, &registers) || registers.eax == 0) {
        return;
    }
    uint32_t highest = registers.eax;
    uint32_t words[WORDS] = {0};
    words[LEAF_1_ECX] = ask(cpuid, 1, 0, highest).ecx;
    weir_cpuid_t seventh = ask(cpuid, 7, 0, highest);
    words[LEAF_7_EBX] = seventh.ebx;
    words[LEAF_7_ECX] = seventh.ecx;
    words[LEAF_7_1_EAX] = seventh.eax >= 1 ? ask(cpuid, 7, 1, highest).eax : 0;
    uint32_t highest_extended = ask(cpuid, 0x80000000, 0, UINT32_MAX).eax;
    words[EXTENDED_1_ECX] = ask(cpuid, 0x80000001, 0, highest_extended).ecx;
    uint64_t state = 0;
    bool readable = (words[LEAF_1_ECX] >> OSXSAVE_BIT & 1) != 0;
    if (!readable || vector_state == NULL || !vector_state(&state)) {
        state = 0;
    }
    facts->processor_flags = (weir_fact_t){WEIR_KNOWN, x86_flags_of(words, state), "CPUID"};
    read_hypervisor(cpuid, (words[LEAF_1_ECX] >> HYPERVISOR_BIT & 1) != 0, facts);
}

/* ---- AArch64 ----------------------------------------------------------------------------------------------------- */

void weir_processor_read_arm(uint64_t capabilities, uint64_t capabilities2, weir_facts_t *facts)
{
    static const struct {
        uint8_t flag;
        uint8_t word;
        uint8_t bit;
    } flags[] = {
        {WEIR_ARM_ASIMD, 0, 1},
        {WEIR_ARM_ATOMICS, 0, 8},
        {WEIR_ARM_FP16, 0, 10},
        {WEIR_ARM_DOTPROD, 0, 20},
        {WEIR_ARM_SVE, 0, 22},
        {WEIR_ARM_PACA, 0, 30},
        {WEIR_ARM_PACG, 0, 31},
        {WEIR_ARM_BTI, 1, 17},
        {WEIR_ARM_MTE, 1, 18},
        {WEIR_ARM_POE, 1, 63},
    };
    const uint64_t words[2] = {capabilities, capabilities2};
    uint64_t set = 0;
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        set |= (words[flags[i].word] & BIT(flags[i].bit)) != 0 ? BIT(flags[i].flag) : 0;
    }
    facts->processor_flags = (weir_fact_t){WEIR_KNOWN, set, "AT_HWCAP"};
}
