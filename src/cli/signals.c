/*
 * signals.c: a handler that counts, and a semaphore that the main thread waits at. A handler, because any thread may be
 * given the signal, those of libraries too, whose masks are not weir's to set.
 */
#include "cli/signals.h"

#include "observe/clock.h"
#include "observe/standard_error.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

/*
 * One wish to end can come as two signals: timeout(1) and terminals signal a process and its group. What comes this
 * soon after the first is no second wish.
 */
enum { SAME_WISH_MILLISECONDS = 250 };

static atomic_bool serving;
static atomic_llong first; /* when the first signal came, in milliseconds of the monotonic clock; 0: not yet */
static atomic_bool reload; /* is wanted */
static sem_t arrived;

/* Constant once the handlers are there. */
static bool ignores_hangup;
static bool had_terminal;

/* From a handler: to standard error, if that does not wait. */
static void say(const char *text, size_t size)
{
    weir_standard_error_t out;
    weir_standard_error_open(&out);
    (void)weir_standard_error_write(&out, text, size);
    weir_standard_error_close(&out);
}

/* The first wish to end, or a second one. */
static void end(void)
{
    if (!atomic_load(&serving)) {
        _exit(0);
    }
    long long now = (long long)weir_monotonic_milliseconds() + 1;
    long long before = 0;
    if (atomic_compare_exchange_strong(&first, &before, now)) {
        sem_post(&arrived);
    } else if (now - before >= SAME_WISH_MILLISECONDS) {
        static const char text[] = "weir: warning: ended at once by a second signal\n";
        say(text, sizeof(text) - 1);
        _exit(1);
    }
}

static void handle(int number)
{
    (void)number;
    int error = errno;
    end();
    errno = error;
}

/*
 * The kernel sends SIGHUP when the terminal is gone, and so does a shell on its behalf; everybody else who does wants a
 * reload. Once this process has lost the terminal that it began with, nobody is there for that.
 */
static bool is_hangup(const siginfo_t *info)
{
    if (info->si_code == SI_KERNEL) {
        return true;
    }
    int terminal = had_terminal ? open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC) : -1;
    if (terminal >= 0) {
        close(terminal);
    }
    return had_terminal && terminal < 0 && (errno == ENXIO || errno == EIO);
}

static void handle_hangup(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    int error = errno;
    if (is_hangup(info)) {
        if (!ignores_hangup) {
            end();
        }
    } else if (atomic_load(&first) != 0) {
        static const char text[] = "weir: warning: not reloaded: the server is ending\n";
        say(text, sizeof(text) - 1);
    } else if (!atomic_exchange(&reload, true)) {
        sem_post(&arrived);
    }
    errno = error;
}

bool weir_signals_init(void)
{
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
    struct sigaction hangup = {.sa_sigaction = handle_hangup, .sa_flags = SA_RESTART | SA_SIGINFO};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigemptyset(&action.sa_mask);
    sigemptyset(&hangup.sa_mask);
    sigemptyset(&ignore.sa_mask);
    /* nohup(1) has it ignored that the terminal is gone. */
    struct sigaction before;
    if (sigaction(SIGHUP, NULL, &before) != 0) {
        return false;
    }
    ignores_hangup = before.sa_handler == SIG_IGN;
    int terminal = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
    had_terminal = terminal >= 0;
    if (had_terminal) {
        close(terminal);
    }
    return sem_init(&arrived, 0, 0) == 0 && sigaction(SIGHUP, &hangup, NULL) == 0 &&
           sigaction(SIGINT, &action, NULL) == 0 && sigaction(SIGTERM, &action, NULL) == 0 &&
           sigaction(SIGPIPE, &ignore, NULL) == 0 &&
           sigaction(SIGXFSZ, &ignore, NULL) == 0; /* RLIMIT_FSIZE counts memfds, too: an error will do */
}

void weir_signals_serving(void)
{
    atomic_store(&serving, true);
}

weir_signal_t weir_signals_wait(void)
{
    for (;;) {
        while (sem_wait(&arrived) < 0 && errno == EINTR) {
            /* another signal than those */
        }
        if (atomic_load(&first) != 0) {
            return WEIR_SIGNAL_END;
        }
        if (atomic_exchange(&reload, false)) {
            return WEIR_SIGNAL_RELOAD;
        }
    }
}
