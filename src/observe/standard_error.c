/*
 * standard_error.c: O_NONBLOCK belongs to the open file description, which the shell and other processes share, so it
 * is not set there; what is asked for is that this one write does not wait, and how depends on what standard error is.
 */
#include "observe/standard_error.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <termios.h>
#include <unistd.h>

/* Turn to an open file description of one's own, or else to poll(2). */
static void reopen(weir_standard_error_t *out)
{
    int own = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (own >= 0)
        *out = (weir_standard_error_t){.way = WEIR_STANDARD_ERROR_OWN, .descriptor = own};
    else
        *out = (weir_standard_error_t){.way = WEIR_STANDARD_ERROR_POLL, .descriptor = STDERR_FILENO};
}

/* Whether it is a terminal, and not the master of a pseudoterminal: to open that makes a new one. */
static bool is_terminal(void)
{
    struct termios settings;
    int number;
    return tcgetattr(STDERR_FILENO, &settings) == 0 && ioctl(STDERR_FILENO, TIOCGPTN, &number) != 0;
}

void weir_standard_error_open(weir_standard_error_t *ret_out)
{
    *ret_out = (weir_standard_error_t){.way = WEIR_STANDARD_ERROR_POLL, .descriptor = STDERR_FILENO};
    struct stat what;
    if (fstat(STDERR_FILENO, &what) < 0)
        return;
    if (S_ISSOCK(what.st_mode))
        ret_out->way = WEIR_STANDARD_ERROR_SOCKET;
    else if (S_ISFIFO(what.st_mode))
        ret_out->way = WEIR_STANDARD_ERROR_NOWAIT;
    else if (S_ISCHR(what.st_mode) && is_terminal())
        reopen(ret_out);
    /* Not files: with a place of its own in the file, weir would write over what comes through the shared one. */
}

void weir_standard_error_close(const weir_standard_error_t *out)
{
    if (out->way == WEIR_STANDARD_ERROR_OWN)
        close(out->descriptor);
}

static ssize_t write_if_polled(int descriptor, const char *bytes, size_t size)
{
    struct pollfd wanted = {.fd = descriptor, .events = POLLOUT};
    int ready = poll(&wanted, 1, 0);
    if (ready < 0)
        return -1;
    if (ready > 0 && (wanted.revents & POLLOUT) != 0)
        return write(descriptor, bytes, size < PIPE_BUF ? size : PIPE_BUF);
    errno = ready == 0 ? EAGAIN : (wanted.revents & POLLNVAL) != 0 ? EBADF : EIO;
    return -1;
}

ssize_t weir_standard_error_write(weir_standard_error_t *out, const char *bytes, size_t size)
{
    if (out->way == WEIR_STANDARD_ERROR_NOWAIT) {
        /* An iovec has no const. */
        struct iovec piece = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};
        ssize_t count = pwritev2(out->descriptor, &piece, 1, -1, RWF_NOWAIT);
        if (count >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL))
            return count;
        reopen(out); /* pipes take RWF_NOWAIT since Linux 6.4 */
    }
    switch (out->way) {
    case WEIR_STANDARD_ERROR_SOCKET:
        return send(out->descriptor, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    case WEIR_STANDARD_ERROR_OWN:
        return write(out->descriptor, bytes, size);
    case WEIR_STANDARD_ERROR_NOWAIT:
    case WEIR_STANDARD_ERROR_POLL:
        break;
    }
    return write_if_polled(out->descriptor, bytes, size);
}
