/*
 * signals.c: a handler that counts, and a semaphore that the main thread waits at. A handler, because any thread may be
 * given the signal, those of libraries too, whose masks are not weir's to set.
 */
#include "cli/signals.h"

#include "observe/standard_error.h"

#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

/*
 * One wish to end can come as two signals: timeout(1) and terminals signal a process and its group. What comes this
 * soon after the first is no second wish.
 */
enum { SAME_WISH_MILLISECONDS = 250 };

static atomic_bool serving;
static atomic_llong first; /* when the first signal came, in milliseconds of the monotonic clock; 0: not yet */
static sem_t arrived;

static long long clock_milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000 + 1;
}

static void handle(int number)
{
    (void)number;
    int error = errno;
    if (!atomic_load(&serving)) {
        _exit(0);
    }
    long long now = clock_milliseconds();
    long long before = 0;
    if (!atomic_compare_exchange_strong(&first, &before, now)) {
        if (now - before < SAME_WISH_MILLISECONDS) {
            errno = error;
            return;
        }
        static const char text[] = "weir: warning: ended at once by a second signal\n";
        weir_standard_error_t out; /* which is written to only if that does not wait */
        weir_standard_error_open(&out);
        (void)weir_standard_error_write(&out, text, sizeof(text) - 1);
        _exit(1);
    }
    sem_post(&arrived);
    errno = error;
}

bool weir_signals_init(void)
{
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigemptyset(&action.sa_mask);
    sigemptyset(&ignore.sa_mask);
    /* A terminal that is closed ends it in good order, unless nohup(1) had that ignored. */
    struct sigaction before;
    if (sigaction(SIGHUP, NULL, &before) != 0 ||
        (before.sa_handler != SIG_IGN && sigaction(SIGHUP, &action, NULL) != 0)) {
        return false;
    }
    return sem_init(&arrived, 0, 0) == 0 && sigaction(SIGINT, &action, NULL) == 0 &&
           sigaction(SIGTERM, &action, NULL) == 0 && sigaction(SIGPIPE, &ignore, NULL) == 0 &&
           sigaction(SIGXFSZ, &ignore, NULL) == 0; /* RLIMIT_FSIZE counts memfds, too: an error will do */
}

void weir_signals_serving(void)
{
    atomic_store(&serving, true);
}

void weir_signals_wait(void)
{
    while (sem_wait(&arrived) < 0 && errno == EINTR) {
        /* another signal than those */
    }
}
