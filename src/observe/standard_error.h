/*
 * standard_error.h: writing to standard error without ever waiting for whoever reads it, and without making it
 * non-blocking for the other processes that share it.
 */
#ifndef WEIR_OBSERVE_STANDARD_ERROR_H
#define WEIR_OBSERVE_STANDARD_ERROR_H

#include <stddef.h>
#include <sys/types.h>

typedef enum weir_standard_error_way {
    WEIR_STANDARD_ERROR_SOCKET, /* send(2) with MSG_DONTWAIT */
    WEIR_STANDARD_ERROR_NOWAIT, /* pwritev2(2) with RWF_NOWAIT */
    WEIR_STANDARD_ERROR_OWN,    /* write(2) to a non-blocking open file description of weir's own */
    WEIR_STANDARD_ERROR_POLL,   /* poll(2), then write(2) */
} weir_standard_error_way_t;

/* How standard error is written to; only for as long as nobody exchanges it. */
typedef struct weir_standard_error {
    weir_standard_error_way_t way;
    int descriptor;
} weir_standard_error_t;

/* Find out what standard error is now. Never fails; to be closed again. Any thread; async-signal-safe. */
void weir_standard_error_open(weir_standard_error_t *ret_out);

void weir_standard_error_close(const weir_standard_error_t *out);

/*
 * Write at most `size` bytes, without waiting. Returns how many bytes went out, or -1 with errno set: EAGAIN when there
 * is no room now. At most PIPE_BUF bytes go to a pipe whole or not at all. Any thread; async-signal-safe.
 *
 * It cannot wait on sockets, on pipes (before Linux 6.4: those that this user may open) and on terminals that this user
 * may open. On other things it writes only when poll(2) promises room: to wait, another process would have to take that
 * room at the same moment, or a disk be slow.
 */
ssize_t weir_standard_error_write(weir_standard_error_t *out, const char *bytes, size_t size);

#endif
