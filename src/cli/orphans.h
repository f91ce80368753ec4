/*
 * orphans.h: what process 1 of a container owes to processes that others leave behind.
 */
#ifndef WEIR_CLI_ORPHANS_H
#define WEIR_CLI_ORPHANS_H

#include <stdbool.h>

/*
 * Where this is process 1 of its namespace, wait from now on for every child that ends, whoever started it: nobody else
 * does, and an ended process that is not waited for counts against the container's limit on processes for ever. Once
 * this process waits for no child of its own in another place. False with errno; true, and nothing done, elsewhere.
 */
bool weir_orphans_reap(void);

#endif
