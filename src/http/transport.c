/*
 * transport.c: recv(2), sendmsg(2), and what their errors mean; or the bridge's TLS, which speaks to the socket itself.
 */
#include "http/transport.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

static ssize_t outcome_of_failure(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK ? WEIR_TRANSPORT_LATER : WEIR_TRANSPORT_BROKEN;
}

static ssize_t receive_tls(weir_transport_t *transport, void *buffer, size_t size)
{
    ssize_t received = weir_tls_receive(transport->tls, transport->descriptor, buffer, size);
    if (received < 0) {
        transport->readable = false;
    }
    if (received != WEIR_TRANSPORT_BROKEN) {
        (void)weir_transport_flush(transport); /* what belongs to TLS itself, if it was not sent */
    }
    return received;
}

/* A method begins with a capital letter, a record of TLS with a number below (RFC 9110, 9.3; RFC 8446, 5.1). */
static void look_for_plain_http(weir_transport_t *transport)
{
    char first;
    if (recv(transport->descriptor, &first, 1, MSG_PEEK | MSG_DONTWAIT) != 1) {
        return;
    }
    transport->begun = true;
    if (first >= 'A' && first <= 'Z') {
        transport->unsecured = true;
        weir_tls_free(transport->tls);
        transport->tls = NULL;
    }
}

ssize_t weir_transport_receive(weir_transport_t *transport, void *buffer, size_t size)
{
    if (transport->tls != NULL && !transport->begun) {
        look_for_plain_http(transport);
    }
    if (transport->tls != NULL) {
        return receive_tls(transport, buffer, size);
    }
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

ssize_t weir_transport_flush(weir_transport_t *transport)
{
    ssize_t flushed = transport->tls == NULL ? 0 : weir_tls_flush(transport->tls, transport->descriptor);
    bool was_blocked = transport->blocked;
    transport->blocked = flushed == WEIR_TRANSPORT_LATER;
    if (transport->finished && was_blocked && !transport->blocked) {
        shutdown(transport->descriptor, SHUT_WR);
    }
    return flushed;
}

static ssize_t send_tls(weir_transport_t *transport, const struct iovec *pieces, size_t count)
{
    size_t sent = 0;
    for (size_t i = 0; i < count; i++) {
        size_t taken = weir_tls_write(transport->tls, (weir_bytes_t){pieces[i].iov_base, pieces[i].iov_len});
        sent += taken;
        if (taken < pieces[i].iov_len) {
            break;
        }
    }
    if (weir_transport_flush(transport) == WEIR_TRANSPORT_BROKEN) {
        return WEIR_TRANSPORT_BROKEN;
    }
    return sent == 0 ? WEIR_TRANSPORT_LATER : (ssize_t)sent;
}

ssize_t weir_transport_send(weir_transport_t *transport, const struct iovec *pieces, size_t count)
{
    if (transport->tls != NULL) {
        return send_tls(transport, pieces, count);
    }
    struct msghdr message = {.msg_iov = (struct iovec *)(size_t)pieces, .msg_iovlen = count};
    ssize_t sent;
    do {
        sent = sendmsg(transport->descriptor, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? outcome_of_failure() : sent;
}

uint64_t weir_transport_taken(const weir_transport_t *transport)
{
    struct tcp_info info = {.tcpi_bytes_acked = 0};
    socklen_t size = sizeof(info);
    if (getsockopt(transport->descriptor, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
        size < offsetof(struct tcp_info, tcpi_bytes_acked) + sizeof(info.tcpi_bytes_acked)) {
        return 0;
    }
    return info.tcpi_bytes_acked;
}

void weir_transport_finish(weir_transport_t *transport)
{
    if (transport->finished) {
        return;
    }
    transport->finished = true;
    transport->blocked = true; /* by that end, which is flushed with the rest */
    if (transport->tls != NULL) {
        weir_tls_finish(transport->tls, transport->descriptor);
    }
    (void)weir_transport_flush(transport);
}

void weir_transport_break(const weir_transport_t *transport)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(transport->descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

void weir_transport_close(weir_transport_t *transport)
{
    weir_tls_free(transport->tls);
    transport->tls = NULL;
    close(transport->descriptor);
    transport->descriptor = -1;
}
