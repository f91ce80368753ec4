/*
 * Fails, each time in the way that its first argument names.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argument_count, char **arguments)
{
    const char *way = argument_count > 1 ? arguments[1] : "";
    if (strcmp(way, "nothing") == 0)
        return 0;
    printf("content-type: text/plain\n\nnobody must see this\n");
    fflush(stdout);
    if (strcmp(way, "exit") == 0)
        exit(3);
    if (strcmp(way, "abort") == 0)
        abort();
    if (strcmp(way, "exit-0") == 0)
        exit(0);
    __builtin_trap();
}
