/*
 * stale.h: whether a guest's memory is as a fresh instance's must be, the part that it began with and 4 MiB by which it
 * grows.
 */
#ifndef STALE_H
#define STALE_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { PAGE = 65536, PAGES = 64 };

static unsigned char data[PAGE] = "data";
static unsigned char zero[PAGE];

static inline size_t count_other(const unsigned char *bytes, size_t size, unsigned char expected)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += bytes[i] != expected ? 1 : 0;
    return count;
}

/* Write "clean" into `ret_text`, or "stale" with a count of bytes when an earlier instance shows through, or that the
 * memory cannot grow. Leaves all of it full. */
static inline void stale_check(char *ret_text, size_t text_size)
{
    size_t stale = count_other(zero, sizeof zero, 0) + count_other(data + 4, sizeof data - 4, 0);
    stale += memcmp(data, "data", 4) != 0 ? 4 : 0;
    size_t before = __builtin_wasm_memory_grow(0, PAGES);
    if (before == SIZE_MAX) {
        snprintf(ret_text, text_size, "cannot grow\n");
        return;
    }
    unsigned char *grown = (unsigned char *)(before * PAGE);
    stale += count_other(grown, (size_t)PAGES * PAGE, 0);
    memset(zero, 0xa5, sizeof zero);
    memset(data, 0xa5, sizeof data);
    memset(grown, 0xa5, (size_t)PAGES * PAGE);
    if (stale == 0)
        snprintf(ret_text, text_size, "clean\n");
    else
        snprintf(ret_text, text_size, "stale: %zu bytes\n", stale);
}

#endif
