/*
 * Exports `run` itself, writes a whole response and returns an error.
 */
#include "run.h"

#include <stdio.h>

bool exports_wasi_cli_run_run(void)
{
    printf("content-type: text/plain\n\nstill the answer\n");
    fflush(stdout);
    fprintf(stderr, "about to return an error\n");
    return false;
}
