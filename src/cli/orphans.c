/*
 * orphans.c: a handler for the end of children.
 */
#include "cli/orphans.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

/* The trial server is among them, should it have been killed: who stops it later finds it gone, which is as good. */
static void reap(int number)
{
    int error = errno;
    (void)number;
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
    errno = error;
}

bool weir_orphans_reap(void)
{
    struct sigaction action = {.sa_handler = reap, .sa_flags = SA_RESTART | SA_NOCLDSTOP};
    sigemptyset(&action.sa_mask);
    if (getpid() != 1) {
        return true;
    }
    if (sigaction(SIGCHLD, &action, NULL) != 0) {
        return false;
    }
    reap(SIGCHLD); /* those that have ended before */
    return true;
}
