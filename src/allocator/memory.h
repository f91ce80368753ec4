/*
 * memory.h: the machine's memory: how much there is, how it is committed, how its free part is spread.
 */
#ifndef WEIR_ALLOCATOR_MEMORY_H
#define WEIR_ALLOCATOR_MEMORY_H

#include "allocator/lines.h"
#include "weir/allocator.h"

/* What /proc/meminfo says. Bytes. */
typedef struct weir_memory {
    weir_fact_t total;
    weir_fact_t available;
    weir_fact_t swap_total;
    weir_fact_t swap_free;
    weir_fact_t commit_limit;
    weir_fact_t commit_used;
} weir_memory_t;

/* Read /proc/meminfo below `root`. What cannot be read, understood or believed is WEIR_UNKNOWN. Allocates nothing. */
void weir_memory_read(const char *root, weir_memory_t *ret_memory);

/* The same from a text. */
void weir_memory_parse(const char *text, weir_memory_t *ret_memory);

/* How free memory is spread. */
typedef struct weir_free_blocks {
    uint64_t largest_bytes; /* the largest free block */
    uint64_t large_share;   /* of free memory that lies in blocks of at least 2 MiB, in hundredths of a percent */
} weir_free_blocks_t;

/*
 * Read the lines of /proc/buddyinfo to their end: "Node 0, zone Normal" and the numbers of free blocks of 1, 2, 4, ...
 * pages. False, with the result untouched, when a line is something else or nothing is free.
 */
bool weir_free_blocks_parse(weir_lines_t *lines, uint64_t page_size, weir_free_blocks_t *ret_blocks);

/* The word in brackets of "always [madvise] never". False, with the result untouched, for anything else. */
bool weir_huge_pages_parse(const char *text, weir_huge_pages_t *ret_state);

#endif
