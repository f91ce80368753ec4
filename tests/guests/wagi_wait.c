/*
 * Waits for as many milliseconds as its first argument says, and answers. Says on standard error that it waits.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(int argument_count, char **arguments)
{
    unsigned long milliseconds = argument_count > 1 ? strtoul(arguments[1], NULL, 10) : 0;
    struct timespec time = {.tv_sec = (time_t)(milliseconds / 1000), .tv_nsec = (long)(milliseconds % 1000) * 1000000};
    fputs("waiting\n", stderr);
    if (nanosleep(&time, NULL) != 0)
        return 1;
    printf("content-type: text/plain\n\nwaited\n");
    return 0;
}
