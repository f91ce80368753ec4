/*
 * fault_pause: a library to be preloaded (LD_PRELOAD) that stops a program with SIGSTOP, once, where
 * WEIR_FAULT_PAUSE says, so that strace can be attached there: "main" (the loader is done, main is next) or "thread"
 * (the first thread is about to be made).
 */
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_bool before_thread;
static pid_t process; /* its children make threads as well */

__attribute__((constructor)) static void begin(void)
{
    const char *where = getenv("WEIR_FAULT_PAUSE");
    process = getpid();
    atomic_store(&before_thread, where != NULL && strcmp(where, "thread") == 0);
    if (where != NULL && strcmp(where, "main") == 0) {
        raise(SIGSTOP);
    }
}

/* Takes the place of the C library's. */
int create_thread(pthread_t *ret_thread, const pthread_attr_t *attributes, void *(*function)(void *),
    void *argument) __asm__("pthread_create");

int create_thread(pthread_t *ret_thread, const pthread_attr_t *attributes, void *(*function)(void *), void *argument)
{
    int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    void *next = dlsym(RTLD_NEXT, "pthread_create");
    memcpy(&create, &next, sizeof create); /* ISO C has no conversion between the two */
    if (getpid() == process && atomic_exchange(&before_thread, false)) {
        raise(SIGSTOP);
    }
    return create(ret_thread, attributes, function, argument);
}
