/*
 * process.h: what this process is at the moment.
 */
#ifndef WEIR_ALLOCATOR_PROCESS_H
#define WEIR_ALLOCATOR_PROCESS_H

#include <stdbool.h>

/* Whether this process has a second thread. False when that cannot be found out. */
bool weir_process_has_threads(void);

#endif
