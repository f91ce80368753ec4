/*
 * Imports an interface that belongs neither to WASI nor to Spin, and calls it when there is a query.
 */
#include "elsewhere.h"

#include <stdio.h>
#include <stdlib.h>

bool exports_wasi_cli_run_run(void)
{
    printf("content-type: text/plain\n\n");
    if (getenv("QUERY_STRING")[0] != '\0')
        printf("touched %u\n", (unsigned)elsewhere_things_thing_touch());
    printf("not called\n");
    fflush(stdout);
    return true;
}
