/*
 * machine.c: the machine that this process runs on.
 */
#include "allocator/facts.h"

#include <sched.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

static bool real_processors(uint64_t *ret_count)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) {
        *ret_count = (uint64_t)CPU_COUNT(&set);
        return true;
    }
    long count = sysconf(_SC_NPROCESSORS_ONLN); /* more than 1024 processors, or no such system call */
    if (count <= 0) {
        return false;
    }
    *ret_count = (uint64_t)count;
    return true;
}

static bool real_page_size(uint64_t *ret_bytes)
{
    long bytes = sysconf(_SC_PAGESIZE);
    if (bytes <= 0) {
        return false;
    }
    *ret_bytes = (uint64_t)bytes;
    return true;
}

static void store_limit(rlim_t limit, uint64_t *ret_bytes, bool *ret_unlimited)
{
    *ret_unlimited = limit == RLIM_INFINITY;
    *ret_bytes = *ret_unlimited ? 0 : (uint64_t)limit;
}

static bool real_resource_limit(int resource, uint64_t *ret_bytes, bool *ret_unlimited)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) != 0) {
        return false;
    }
    store_limit(limit.rlim_cur, ret_bytes, ret_unlimited);
    return true;
}

static bool real_resource_hard_limit(int resource, uint64_t *ret_bytes, bool *ret_unlimited)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) != 0) {
        return false;
    }
    store_limit(limit.rlim_max, ret_bytes, ret_unlimited);
    return true;
}

static bool real_kernel_name(char *ret_name, size_t size)
{
    struct utsname name;
    if (uname(&name) != 0 || strlen(name.release) >= size) {
        return false;
    }
    memcpy(ret_name, name.release, strlen(name.release) + 1);
    return true;
}

#if defined(__x86_64__)

static bool real_cpuid(uint32_t leaf, uint32_t subleaf, weir_cpuid_t *ret_registers)
{
    weir_cpuid_t registers;
    __cpuid_count(leaf, subleaf, registers.eax, registers.ebx, registers.ecx, registers.edx);
    *ret_registers = registers;
    return true;
}

static bool real_vector_state(uint64_t *ret_state)
{
    uint32_t low;
    uint32_t high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    *ret_state = (uint64_t)high << 32 | low;
    return true;
}

#elif defined(__aarch64__)

static bool real_capabilities(uint64_t ret_words[2])
{
    ret_words[0] = getauxval(AT_HWCAP);
    ret_words[1] = getauxval(AT_HWCAP2);
    return ret_words[0] != 0; /* each has floating point at least */
}

#endif

const weir_machine_t *weir_machine_real(void)
{
    static const weir_machine_t machine = {
        .root = "",
        .processors = real_processors,
        .page_size = real_page_size,
        .resource_limit = real_resource_limit,
        .resource_hard_limit = real_resource_hard_limit,
        .kernel_name = real_kernel_name,
#if defined(__x86_64__)
        .cpuid = real_cpuid,
        .vector_state = real_vector_state,
#elif defined(__aarch64__)
        .capabilities = real_capabilities,
#endif
        .try_features = weir_features_try,
    };
    return &machine;
}
