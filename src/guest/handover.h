/*
 * handover.h: what ThreadSanitizer has to be told about wakers. The bridge orders what happened before a waker was
 * given to it before the waker's calls, and these before its release, whatever threads they come from; but
 * ThreadSanitizer sees nothing of the bridge. In other builds this is nothing.
 */
#ifndef WEIR_GUEST_HANDOVER_H
#define WEIR_GUEST_HANDOVER_H

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WEIR_CLANG_THREAD_SANITIZER 1
#endif
#endif

#if defined(__SANITIZE_THREAD__) || defined(WEIR_CLANG_THREAD_SANITIZER)
#include <sanitizer/tsan_interface.h>

/* The bridge gets a waker with this context, or gets it back. */
static inline void weir_give_to_bridge(void *context)
{
    __tsan_release(context);
}

/* A waker's function begins; returns its context. */
static inline void *weir_take_from_bridge(void *context)
{
    __tsan_acquire(context);
    return context;
}
#else
static inline void weir_give_to_bridge(void *context)
{
    (void)context;
}

static inline void *weir_take_from_bridge(void *context)
{
    return context;
}
#endif

#endif
