/*
 * memory.c: reads what the kernel says of the machine's memory (proc_meminfo(5), proc_buddyinfo(5),
 * Documentation/admin-guide/mm/transhuge.rst).
 */
#include "allocator/memory.h"

#include "allocator/procfs.h"

#include <string.h>

enum { MEMINFO_BYTES = 16 * 1024, ORDERS_MAX = 24 };

static const uint64_t large_block = UINT64_C(2) << 20;

/* More than any processor can address: such a file is not to be believed. */
static const uint64_t memory_max = UINT64_C(1) << 56;

static weir_fact_t take(const char *text, const char *name, uint64_t most, const char *source)
{
    uint64_t bytes = 0;
    bool known = weir_procfs_kibibytes(text, name, &bytes) && bytes <= most;
    return (weir_fact_t){known ? WEIR_KNOWN : WEIR_UNKNOWN, known ? bytes : 0, source};
}

/* A part that is larger than its whole, or whose whole is not known, is not believed. */
static void bound(weir_fact_t *part, weir_fact_t whole)
{
    if (whole.knowledge != WEIR_KNOWN || part->value > whole.value) {
        part->knowledge = WEIR_UNKNOWN;
        part->value = 0;
    }
}

void weir_memory_parse(const char *text, weir_memory_t *ret_memory)
{
    weir_memory_t memory = {
        .total = take(text, "MemTotal", memory_max, "/proc/meminfo MemTotal"),
        .available = take(text, "MemAvailable", memory_max, "/proc/meminfo MemAvailable"),
        .swap_total = take(text, "SwapTotal", UINT64_MAX, "/proc/meminfo SwapTotal"),
        .swap_free = take(text, "SwapFree", UINT64_MAX, "/proc/meminfo SwapFree"),
        .commit_limit = take(text, "CommitLimit", UINT64_MAX, "/proc/meminfo CommitLimit"),
        .commit_used = take(text, "Committed_AS", UINT64_MAX, "/proc/meminfo Committed_AS"),
    };
    /* No machine has no memory. */
    if (memory.total.value == 0) {
        memory.total.knowledge = WEIR_UNKNOWN;
    }
    bound(&memory.available, memory.total);
    bound(&memory.swap_free, memory.swap_total);
    *ret_memory = memory;
}

void weir_memory_read(const char *root, weir_memory_t *ret_memory)
{
    char text[MEMINFO_BYTES];
    if (!weir_procfs_read(root, "/proc/meminfo", text, sizeof text)) {
        text[0] = '\0';
    }
    weir_memory_parse(text, ret_memory);
}

/* "Node 0, zone   Normal": what follows it, or NULL. */
static const char *skip_zone(const char *line)
{
    uint64_t node;
    if (strncmp(line, "Node ", 5) != 0) {
        return NULL;
    }
    line += 5;
    if (!weir_procfs_take_number(&line, &node) || strncmp(line, ", zone ", 7) != 0) {
        return NULL;
    }
    line += 7;
    line += strspn(line, " ");
    size_t name = strcspn(line, " ");
    return name == 0 ? NULL : line + name;
}

typedef struct free_pages {
    uint64_t all;
    uint64_t large;
    uint64_t largest;
} free_pages_t;

static bool add_zone(const char *line, uint64_t page_size, free_pages_t *pages)
{
    unsigned order = 0;
    line = skip_zone(line);
    for (; line != NULL && line[strspn(line, " ")] != '\0'; order++) {
        uint64_t blocks;
        line += strspn(line, " ");
        if (order >= ORDERS_MAX || !weir_procfs_take_number(&line, &blocks) || (*line != ' ' && *line != '\0') ||
            blocks > memory_max >> order) {
            return false;
        }
        uint64_t block = UINT64_C(1) << order;
        pages->all += blocks * block;
        pages->large += block * page_size >= large_block ? blocks * block : 0;
        pages->largest = blocks > 0 && block > pages->largest ? block : pages->largest;
        if (pages->all > memory_max / page_size) {
            return false;
        }
    }
    return order > 0;
}

bool weir_free_blocks_parse(weir_lines_t *lines, uint64_t page_size, weir_free_blocks_t *ret_blocks)
{
    free_pages_t pages = {0, 0, 0};
    weir_line_t line;
    if (page_size < 4096 || page_size > memory_max >> ORDERS_MAX) {
        return false;
    }
    while (weir_lines_next(lines, &line)) {
        if (line.cut || memchr(line.text, '\0', line.length) != NULL || !add_zone(line.text, page_size, &pages)) {
            return false;
        }
    }
    if (lines->failed || pages.all == 0) {
        return false;
    }
    *ret_blocks = (weir_free_blocks_t){
        .largest_bytes = pages.largest * page_size,
        .large_share = pages.large * 10000 / pages.all, /* at most 2^44 pages: no overflow */
    };
    return true;
}

bool weir_huge_pages_parse(const char *text, weir_huge_pages_t *ret_state)
{
    static const struct {
        const char *word;
        weir_huge_pages_t state;
    } states[] = {
        {"[always] madvise never\n", WEIR_HUGE_PAGES_ALWAYS},
        {"always [madvise] never\n", WEIR_HUGE_PAGES_MADVISE},
        {"always madvise [never]\n", WEIR_HUGE_PAGES_NEVER},
    };
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        if (strcmp(text, states[i].word) == 0) {
            *ret_state = states[i].state;
            return true;
        }
    }
    return false;
}
