/*
 * allocator_text.c: fuzzes the parsers of small texts: numbers, meminfo, status, memory.stat, PSI, huge pages.
 */
#include "allocator/memory.h"
#include "allocator/pressure.h"
#include "allocator/procfs.h"
#include "fuzz.h"

static void check_fact(weir_fact_t fact, uint64_t most)
{
    must_hold(fact.knowledge == WEIR_KNOWN || fact.knowledge == WEIR_UNKNOWN);
    must_hold(fact.knowledge == WEIR_KNOWN ? fact.value <= most : fact.value == 0);
    must_hold(fact.source != NULL);
}

static void check_memory(const char *text)
{
    weir_memory_t memory;
    weir_memory_parse(text, &memory);
    check_fact(memory.total, UINT64_C(1) << 56);
    check_fact(memory.available, memory.total.value);
    check_fact(memory.swap_total, UINT64_MAX);
    check_fact(memory.swap_free, memory.swap_total.value);
    check_fact(memory.commit_limit, UINT64_MAX);
    check_fact(memory.commit_used, UINT64_MAX);
    must_hold(memory.total.knowledge == WEIR_UNKNOWN || memory.total.value > 0);
}

static void check_numbers(const char *text)
{
    uint64_t value = 4711;
    must_hold(weir_procfs_number(text, &value) || value == 4711);
    value = 4711;
    must_hold(weir_procfs_kibibytes(text, "VmSize", &value) ? value % 1024 == 0 : value == 4711);
    value = 4711;
    must_hold(weir_procfs_statistic(text, "inactive_file", &value) || value == 4711);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = copy_text(data, size);
    weir_fact_t some = {WEIR_UNKNOWN, 0, ""};
    weir_fact_t full = {WEIR_UNKNOWN, 0, ""};
    weir_huge_pages_t pages = (weir_huge_pages_t)99;
    check_numbers(text);
    check_memory(text);
    weir_stall_parse(text, &some, &full);
    check_fact(some, 10000);
    check_fact(full, 10000);
    must_hold(weir_huge_pages_parse(text, &pages) ? pages <= WEIR_HUGE_PAGES_ALWAYS : (unsigned)pages == 99);
    free(text);
    return 0;
}
