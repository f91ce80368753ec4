/*
 * refuse_signal_stacks: a library to be preloaded (LD_PRELOAD): threads of this process, but for its first, get no
 * stack for handlers of signals, as where memory has run out. Its children are spared.
 */
#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

static pid_t process;

__attribute__((constructor)) static void begin(void)
{
    process = getpid();
}

/* Takes the place of the C library's. */
int refuse_signal_stack(const stack_t *stack, stack_t *old) __asm__("sigaltstack");
int refuse_signal_stack(const stack_t *stack, stack_t *old)
{
    if (stack != NULL && (stack->ss_flags & SS_DISABLE) == 0 && getpid() == process && syscall(SYS_gettid) != process) {
        errno = ENOMEM;
        return -1;
    }
    return (int)syscall(SYS_sigaltstack, stack, old);
}
