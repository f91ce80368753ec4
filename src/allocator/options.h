/*
 * options.h: structures that programs fill, of any size that they ever had.
 */
#ifndef WEIR_ALLOCATOR_OPTIONS_H
#define WEIR_ALLOCATOR_OPTIONS_H

#include "weir/allocator.h"

/* The sizes that the structures had first. */
enum {
    WEIR_CHOOSE_OPTIONS_FIRST = offsetof(weir_choose_options_t, guests),
    WEIR_WORKLOAD_FIRST = offsetof(weir_workload_t, fingerprint),
};

/*
 * Copy what a program stated; members that it does not know get their defaults, as do all for NULL. WEIR_ERROR_VERSION:
 * it knows more than this library. WEIR_ERROR_INVALID: the structure never had that size, or says what cannot be.
 */
weir_status_t weir_choose_options_read(const weir_choose_options_t *options, weir_choose_options_t *ret_options);

/* The same for a program's work, which may not be NULL. */
weir_status_t weir_workload_read(const weir_workload_t *workload, weir_workload_t *ret_workload);

#endif
