/*
 * fact_words.c: what the values of enumerated facts are called.
 */
#include "allocator/translate.h"
#include "weir/allocator.h"

static const char *word_of(const char *const *words, size_t count, uint64_t value)
{
    return value < count ? words[value] : "unknown";
}

const char *weir_huge_pages_name(uint64_t value)
{
    static const char *const words[] = {
        [WEIR_HUGE_PAGES_NEVER] = "never", [WEIR_HUGE_PAGES_MADVISE] = "madvise", [WEIR_HUGE_PAGES_ALWAYS] = "always"};
    return word_of(words, sizeof words / sizeof words[0], value);
}

const char *weir_hypervisor_name(uint64_t value)
{
    static const char *const words[] = {
        [WEIR_HYPERVISOR_NONE] = WEIR_TRANSLATABLE("none"),
        [WEIR_HYPERVISOR_KVM] = "kvm",
        [WEIR_HYPERVISOR_TCG] = "tcg",
        [WEIR_HYPERVISOR_HYPER_V] = "hyper-v",
        [WEIR_HYPERVISOR_VMWARE] = "vmware",
        [WEIR_HYPERVISOR_XEN] = "xen",
        [WEIR_HYPERVISOR_QEMU] = "qemu",
        [WEIR_HYPERVISOR_OTHER] = WEIR_TRANSLATABLE("other"),
    };
    return word_of(words, sizeof words / sizeof words[0], value);
}

const char *weir_container_name(uint64_t value)
{
    static const char *const words[] = {
        [WEIR_CONTAINER_NONE] = WEIR_TRANSLATABLE("none"),
        [WEIR_CONTAINER_DOCKER] = "docker",
        [WEIR_CONTAINER_PODMAN] = "podman",
        [WEIR_CONTAINER_KUBERNETES] = "kubernetes",
        [WEIR_CONTAINER_LXC] = "lxc",
        [WEIR_CONTAINER_NSPAWN] = "systemd-nspawn",
        [WEIR_CONTAINER_OTHER] = WEIR_TRANSLATABLE("other"),
    };
    return word_of(words, sizeof words / sizeof words[0], value);
}

const char *weir_wsl_name(uint64_t value)
{
    static const char *const words[] = {
        [WEIR_WSL_NONE] = WEIR_TRANSLATABLE("none"), [WEIR_WSL_1] = "wsl1", [WEIR_WSL_2] = "wsl2"};
    return word_of(words, sizeof words / sizeof words[0], value);
}

const char *weir_processor_flag_name(unsigned bit)
{
    static const char *const words[64] = {
        [WEIR_X86_CMPXCHG16B] = "cx16",
        [WEIR_X86_SSE3] = "sse3",
        [WEIR_X86_SSSE3] = "ssse3",
        [WEIR_X86_SSE4_1] = "sse4_1",
        [WEIR_X86_SSE4_2] = "sse4_2",
        [WEIR_X86_POPCNT] = "popcnt",
        [WEIR_X86_LZCNT] = "lzcnt",
        [WEIR_X86_BMI1] = "bmi1",
        [WEIR_X86_BMI2] = "bmi2",
        [WEIR_X86_FMA] = "fma",
        [WEIR_X86_AVX] = "avx",
        [WEIR_X86_AVX2] = "avx2",
        [WEIR_X86_AVX_VNNI] = "avx_vnni",
        [WEIR_X86_AVX512F] = "avx512f",
        [WEIR_X86_AVX512DQ] = "avx512dq",
        [WEIR_X86_AVX512BW] = "avx512bw",
        [WEIR_X86_AVX512VL] = "avx512vl",
        [WEIR_X86_AVX512VBMI] = "avx512vbmi",
        [WEIR_X86_AVX512BITALG] = "avx512_bitalg",
        [WEIR_X86_AVX512VNNI] = "avx512_vnni",
        [WEIR_X86_ERMS] = "erms",
        [WEIR_X86_PKU] = "pku",
        [WEIR_X86_OSPKE] = "ospke",
        [WEIR_ARM_ASIMD] = "asimd",
        [WEIR_ARM_ATOMICS] = "atomics",
        [WEIR_ARM_FP16] = "asimdhp",
        [WEIR_ARM_DOTPROD] = "asimddp",
        [WEIR_ARM_SVE] = "sve",
        [WEIR_ARM_PACA] = "paca",
        [WEIR_ARM_PACG] = "pacg",
        [WEIR_ARM_BTI] = "bti",
        [WEIR_ARM_MTE] = "mte",
        [WEIR_ARM_POE] = "poe",
    };
    return bit < sizeof words / sizeof words[0] ? words[bit] : NULL;
}
