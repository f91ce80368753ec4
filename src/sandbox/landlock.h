/*
 * landlock.h: beneath which directories a process may still write. Linux's Landlock, called directly: there is no
 * library of it to depend on, and it has three calls.
 */
#ifndef WEIR_SANDBOX_LANDLOCK_H
#define WEIR_SANDBOX_LANDLOCK_H

#include <stddef.h>

/* The version of Landlock that this kernel has; 0: none, with errno. Any thread. */
unsigned weir_landlock_version(void);

/*
 * Refuse this thread, and all that come of it, from now on: to write, make, remove or rename files but beneath these
 * directories (or to these files; what is not there is passed over), to /dev/null and through the standard streams; to
 * execute programs; to bind TCP ports that are not there yet; to reach abstract Unix sockets of others (the last two as
 * far as the version goes). Reading stays as it is. Sets no_new_privs. While the process has one thread. Returns 0, or
 * the errno of what was refused: then nothing is in force but no_new_privs, if it was that far.
 */
int weir_landlock_enter(const char *const *writable, size_t count);

#endif
