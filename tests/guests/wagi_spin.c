/*
 * Computes for ever and never lets go. Says on standard error that it has begun.
 */
#include <stdint.h>
#include <stdio.h>

int main(void)
{
    fputs("spinning\n", stderr);
    for (volatile uint64_t i = 0;; i++) {
    }
}
