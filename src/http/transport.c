/*
 * transport.c: recvmsg(2), sendmsg(2), and what their errors mean.
 */
#include "http/transport.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static ssize_t outcome_of_failure(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK ? WEIR_TRANSPORT_LATER : WEIR_TRANSPORT_BROKEN;
}

ssize_t weir_transport_receive(weir_transport_t *transport, void *buffer, size_t size)
{
    ssize_t received;
    do {
        received = recv(transport->descriptor, buffer, size, MSG_DONTWAIT);
    } while (received < 0 && errno == EINTR);
    if (received < 0) {
        received = outcome_of_failure();
    }
    /* Less than could have come: that was all, and what comes later makes another event. */
    if (received != 0 && received < (ssize_t)size) {
        transport->readable = false;
    }
    return received;
}

ssize_t weir_transport_send(weir_transport_t *transport, const struct iovec *pieces, size_t count)
{
    struct msghdr message = {.msg_iov = (struct iovec *)(size_t)pieces, .msg_iovlen = count};
    ssize_t sent;
    do {
        sent = sendmsg(transport->descriptor, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? outcome_of_failure() : sent;
}

void weir_transport_finish(weir_transport_t *transport)
{
    shutdown(transport->descriptor, SHUT_WR);
}

void weir_transport_close(weir_transport_t *transport)
{
    close(transport->descriptor);
    transport->descriptor = -1;
}
