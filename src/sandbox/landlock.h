/*
 * landlock.h: beneath which directories a process may still write. Linux's Landlock, called directly: there is no
 * library of it to depend on, and it has three calls.
 */
#ifndef WEIR_SANDBOX_LANDLOCK_H
#define WEIR_SANDBOX_LANDLOCK_H

#include <stddef.h>

/* The version of Landlock that this kernel has; 0: none, with errno. Any thread. */
unsigned weir_landlock_version(void);

/* What may be done beneath a directory, or to a file. */
typedef enum weir_place_use {
    WEIR_PLACE_WRITE = 0,  /* everything */
    WEIR_PLACE_FILES = 1,  /* files are written and made; nothing is removed or renamed */
    WEIR_PLACE_REMOVE = 2, /* files are removed, and nothing else */
} weir_place_use_t;

typedef struct weir_landlock_place {
    const char *path;
    weir_place_use_t use;
} weir_landlock_place_t;

/*
 * Refuse this thread, and all that come of it, from now on: to write, make, remove or rename files but in these
 * places (one that is not there is passed over), to /dev/null and through the standard streams; to
 * execute programs; and, as far as the version goes, to bind TCP ports that are not there yet. Reading stays as it is.
 * Sets no_new_privs. While the process has one thread. Returns 0, or the errno of what was refused: then nothing is in
 * force but no_new_privs, if it was that far.
 */
int weir_landlock_enter(const weir_landlock_place_t *places, size_t count);

#endif
