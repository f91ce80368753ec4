/*
 * filter.h: a seccomp filter: which system calls a process may still make.
 */
#ifndef WEIR_SANDBOX_FILTER_H
#define WEIR_SANDBOX_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef enum weir_filter_kind {
    WEIR_FILTER_SERVER = 0, /* makes threads; opens sockets of IPv4, IPv6, Unix and for the resolver; cannot fork */
    WEIR_FILTER_TRIALS = 1, /* forks; opens no socket */
} weir_filter_kind_t;

typedef struct weir_filter_settings {
    weir_filter_kind_t kind;
    pid_t may_signal; /* the one process that it may send signals to beside itself, or 0; a trial server: any */
    bool tell;        /* say on standard error which call was refused, at the price of a signal for each */
} weir_filter_settings_t;

/* A filter as the kernel takes it; or, with an error, none. */
typedef struct weir_filter {
    struct sock_filter *program; /* own */
    size_t length;               /* in instructions */
    void *context;               /* own, where there is no program: libseccomp's, which makes it when it is installed */
    int error;                   /* 0, or the errno with which it could not be made */
    bool tell;
} weir_filter_t;

/*
 * Make a filter, which takes about a millisecond: any time before it is wanted, in the process that it is for. Where no
 * memory file can be had for it, that is left to weir_filter_install. Always
 * fills in `*ret_filter`, to be freed with weir_filter_free.
 */
void weir_filter_make(const weir_filter_settings_t *settings, weir_filter_t *ret_filter);

/*
 * Let this thread, and all that come of it, make no other calls than weir's own from now on; what is refused fails with
 * EPERM, and what is newer than weir with ENOSYS, so that libraries fall back to what there was before. Sets
 * no_new_privs, too, which the kernel demands. While the process has one thread. Returns 0, or the errno of what was
 * refused, or with which the filter could not be made: then nothing is in force but no_new_privs, if it was that far.
 */
int weir_filter_install(const weir_filter_t *filter);

/* Free what weir_filter_make has made; freeing it again, or all zero, does nothing. */
void weir_filter_free(weir_filter_t *filter);

#endif
