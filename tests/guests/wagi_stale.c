/*
 * Answers "clean" when its memory is as a fresh instance's must be, the part that it began with and 4 MiB by which it
 * grows, and "stale" with a count of bytes when an earlier instance shows through. Leaves all of it full.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { PAGE = 65536, PAGES = 64 };

static unsigned char data[PAGE] = "data";
static unsigned char zero[PAGE];

static size_t count_other(const unsigned char *bytes, size_t size, unsigned char expected)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += bytes[i] != expected ? 1 : 0;
    return count;
}

int main(void)
{
    size_t stale = count_other(zero, sizeof zero, 0) + count_other(data + 4, sizeof data - 4, 0);
    stale += memcmp(data, "data", 4) != 0 ? 4 : 0;
    size_t before = __builtin_wasm_memory_grow(0, PAGES);
    if (before == SIZE_MAX) {
        printf("content-type: text/plain\n\ncannot grow\n");
        return 0;
    }
    unsigned char *grown = (unsigned char *)(before * PAGE);
    stale += count_other(grown, (size_t)PAGES * PAGE, 0);
    memset(zero, 0xa5, sizeof zero);
    memset(data, 0xa5, sizeof data);
    memset(grown, 0xa5, (size_t)PAGES * PAGE);
    if (stale == 0)
        printf("content-type: text/plain\n\nclean\n");
    else
        printf("content-type: text/plain\n\nstale: %zu bytes\n", stale);
    return 0;
}
