/*
 * processor.h: what the processor can do, and which hypervisor it says it belongs to.
 */
#ifndef WEIR_ALLOCATOR_PROCESSOR_H
#define WEIR_ALLOCATOR_PROCESSOR_H

#include "weir/allocator.h"

/* The registers that the instruction CPUID leaves. */
typedef struct weir_cpuid {
    uint32_t eax;
    uint32_t ebx;
    uint32_t ecx;
    uint32_t edx;
} weir_cpuid_t;

/* Asks the processor. Returns false where there is no such instruction. */
typedef bool (*weir_cpuid_function_t)(uint32_t leaf, uint32_t subleaf, weir_cpuid_t *ret_registers);

/*
 * Read processor_flags, hypervisor and hypervisor_signature from an x86 processor. `vector_state` is the register XCR0,
 * which says whose registers the kernel keeps, and counts only where CPUID says that it can be read. The processor is
 * asked and not /proc/cpuinfo, which takes milliseconds on large machines and, under an emulator, shows another
 * processor. Unknown where `cpuid` is NULL or returns false.
 */
void weir_processor_read_x86(
    weir_cpuid_function_t cpuid, bool (*vector_state)(uint64_t *ret_state), weir_facts_t *facts);

/* Read processor_flags from the auxiliary vector of an AArch64 process: AT_HWCAP and AT_HWCAP2. */
void weir_processor_read_arm(uint64_t capabilities, uint64_t capabilities2, weir_facts_t *facts);

#endif
