/*
 * Works, and answers with what came of it: /compute/ROUNDS takes so many steps of a linear congruential generator from
 * 1 on (Knuth's MMIX: TAOCP 2, 3.3.4) and answers with the number it has come to; /dirty/MIB writes to every page of so
 * many MiB, reads them again and answers with their sum, or with "no memory" when it cannot have them.
 */
#include "http_guest.h"

#include <stdio.h>

enum { MIB = 1024 * 1024, STEP = 4096 / sizeof(uint64_t) };

static uint64_t compute(uint64_t rounds)
{
    uint64_t number = 1;
    for (uint64_t i = 0; i < rounds; i++)
        number = number * 6364136223846793005U + 1442695040888963407U;
    return number;
}

/* The sum of 1 to the number of pages; false when there is no memory. */
static bool dirty(size_t size, uint64_t *sum)
{
    volatile uint64_t *words = malloc(size);
    if (words == NULL)
        return false;
    for (size_t i = 0; i < size / sizeof *words; i += STEP)
        words[i] = i / STEP + 1;
    *sum = 0;
    for (size_t i = 0; i < size / sizeof *words; i += STEP)
        *sum += words[i];
    return true;
}

void exports_wasi_http_incoming_handler_handle(http_request_t request, http_outparam_t out)
{
    char path[64];
    unsigned long long number = 0;
    uint64_t result = 0;
    bool had = true;
    http_path_info(request, path, sizeof path);
    if (sscanf(path, "/compute/%llu", &number) == 1)
        result = compute(number);
    else if (sscanf(path, "/dirty/%llu", &number) == 1)
        had = number < 4096 && dirty((size_t)number * MIB, &result);
    else
        __builtin_trap();
    char text[32] = "no memory\n";
    if (had)
        snprintf(text, sizeof text, "%llu\n", (unsigned long long)result);
    http_reply_t reply = http_begin_text(out);
    http_require(http_write_text(reply, text));
    http_require(http_end(reply));
}
