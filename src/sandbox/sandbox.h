/*
 * sandbox.h: what a process of weir gives up once it has what it needs: new privileges, system calls, places to write.
 */
#ifndef WEIR_SANDBOX_SANDBOX_H
#define WEIR_SANDBOX_SANDBOX_H

#include "sandbox/filter.h"
#include "sandbox/landlock.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct weir_sandbox_settings {
    const weir_filter_t *filter;         /* borrowed */
    const weir_landlock_place_t *places; /* where it may write; borrowed */
    size_t place_count;
} weir_sandbox_settings_t;

/* What is in force. */
typedef struct weir_sandbox {
    bool is_entered;    /* false: it was not asked for */
    bool no_new_privs;  /* nothing that it executes gains rights */
    int filter_error;   /* 0: the filter is in force; else the errno with which it was refused */
    int landlock_error; /* 0: writing is restricted; else the errno: ENOSYS or EOPNOTSUPP where there is none */
    unsigned landlock_version;
} weir_sandbox_t;

/*
 * Give up what can be given up; each part alone, so that one that is refused takes no other with it. While the process
 * has one thread, for what it starts afterwards inherits it. `*ret_sandbox` is filled in every case.
 */
void weir_sandbox_enter(const weir_sandbox_settings_t *settings, weir_sandbox_t *ret_sandbox);

#endif
