/*
 * process.h: what this process is at the moment.
 */
#ifndef WEIR_ALLOCATOR_PROCESS_H
#define WEIR_ALLOCATOR_PROCESS_H

#include <stdbool.h>

/* Whether this process has a second thread, as far as that can be found out: without /proc, one that the C library
 * made. */
bool weir_process_has_threads(void);

#endif
