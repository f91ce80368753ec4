/*
 * thread.h: threads with a stack of their own size. In this room because every room uses it, and it uses none.
 */
#ifndef WEIR_OBSERVE_THREAD_H
#define WEIR_OBSERVE_THREAD_H

#include <pthread.h>
#include <stddef.h>

/*
 * Start a thread, to be joined, with a stack of `stack_bytes` in place of what the limit on the stack says, which takes
 * address space. Returns 0, or an errno with `*ret_thread` undefined. Any thread.
 */
int weir_thread_start(pthread_t *ret_thread, size_t stack_bytes, void *(*run)(void *context), void *context);

/* The same for a thread that takes no signals: they are for others. */
int weir_thread_start_unsignalled(
    pthread_t *ret_thread, size_t stack_bytes, void *(*run)(void *context), void *context);

#endif
