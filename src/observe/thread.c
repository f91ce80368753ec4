/*
 * thread.c: pthread_create(3) with a size of the stack.
 */
#include "observe/thread.h"

#include <signal.h>

int weir_thread_start(pthread_t *ret_thread, size_t stack_bytes, void *(*run)(void *context), void *context)
{
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);
    if (error != 0) {
        return error;
    }
    pthread_attr_setstacksize(
        &attributes, stack_bytes); /* refused if it is below the minimum: the usual size will do */
    error = pthread_create(ret_thread, &attributes, run, context);
    pthread_attr_destroy(&attributes);
    return error;
}

int weir_thread_start_unsignalled(pthread_t *ret_thread, size_t stack_bytes, void *(*run)(void *context), void *context)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* which the thread inherits */
    int error = weir_thread_start(ret_thread, stack_bytes, run, context);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}
