/*
 * tell.h: says which system call a filter refused, to find what weir's own lacks. Private to this room.
 */
#ifndef WEIR_SANDBOX_TELL_H
#define WEIR_SANDBOX_TELL_H

#include <stdbool.h>

/*
 * Answer the signal that a filter sends for what it refuses (SECCOMP_RET_TRAP): write a line to standard error with the
 * number of the call, and let it fail as it would without that signal. False with errno.
 */
bool weir_tell_refused_calls(void);

#endif
