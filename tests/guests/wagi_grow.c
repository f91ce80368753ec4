/*
 * Grows its memory page by page, as many as its argument says, and answers how many it got.
 */
#include <stdio.h>
#include <stdlib.h>

int main(int count, char **arguments)
{
    long wanted = count > 1 ? strtol(arguments[1], NULL, 10) : 0;
    long got = 0;
    while (got < wanted && __builtin_wasm_memory_grow(0, 1) != (size_t)-1)
        got++;
    printf("content-type: text/plain\n\n%ld of %zu pages\n", got, __builtin_wasm_memory_size(0));
}
