/*
 * tell.c: the handler of SIGSYS. Where a thread blocks that signal, the kernel ends the process in its stead: this is
 * for finding mistakes, not for serving.
 */
#include "sandbox/tell.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ucontext.h>
#include <unistd.h>

/* Decimal digits at the end of a buffer, as snprintf(3) is not for handlers. */
static char *digits(char *end, unsigned number)
{
    do {
        *--end = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return end;
}

static void tell(int number, siginfo_t *what, void *context)
{
    static const char words[] = "weir: warning: the sandbox refused system call ";
    char line[sizeof words + 12];
    char *end = line + sizeof line;
    (void)number;
    *--end = '\n';
    char *at = digits(end, (unsigned)what->si_syscall);
    at -= sizeof words - 1;
    memcpy(at, words, sizeof words - 1);
    ssize_t ignored = write(STDERR_FILENO, at, (size_t)(line + sizeof line - at));
    (void)ignored;
    const long result = -EPERM;
    ucontext_t *thread = context;
#if defined(__x86_64__)
    thread->uc_mcontext.gregs[REG_RAX] = result;
#elif defined(__aarch64__)
    thread->uc_mcontext.regs[0] = (unsigned long long)result;
#else
    (void)thread;
    (void)result;
#endif
}

bool weir_tell_refused_calls(void)
{
    struct sigaction action = {.sa_sigaction = tell, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigemptyset(&action.sa_mask);
    return sigaction(SIGSYS, &action, NULL) == 0;
}
