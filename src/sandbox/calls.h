/*
 * calls.h: which system calls a process of weir makes once it is confined, as tables. Private to this room.
 */
#ifndef WEIR_SANDBOX_CALLS_H
#define WEIR_SANDBOX_CALLS_H

#include <stddef.h>

/* Numbers as libseccomp has them: what an architecture lacks is negative, and skipped. */
typedef struct weir_calls {
    const int *numbers;
    size_t count;
} weir_calls_t;

/* Of every process. */
extern const weir_calls_t weir_calls_common;

/* Of the server alone: files that are written, sockets. */
extern const weir_calls_t weir_calls_server;

/* Of the process that forks trials, and of these. */
extern const weir_calls_t weir_calls_trials;

/* Refused as unknown (ENOSYS), as those are that are newer than these tables; all others as forbidden (EPERM). */
extern const weir_calls_t weir_calls_unknown;

/* All architectures number their calls alike from 424 on; these came after Linux 5.16, which has the last of the
 * tables. */
enum { WEIR_CALLS_NEWER_FIRST = 450, WEIR_CALLS_NEWER_LAST = 511 };

#endif
