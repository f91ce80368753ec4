/*
 * transport.h: the bytes of a connection: a socket that does not block, in the clear or with TLS. One thread at a time
 * for each.
 */
#ifndef WEIR_HTTP_TRANSPORT_H
#define WEIR_HTTP_TRANSPORT_H

#include "weir_bridge.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Zero it, and set the descriptor, to begin; with weir_tls_new's `tls`, which is the transport's then, or without. */
typedef struct weir_transport {
    int descriptor;  /* of a socket with O_NONBLOCK */
    bool readable;   /* there may be something to receive; whoever is told by an event sets it */
    bool blocked;    /* something that was taken to be sent waits for weir_transport_flush */
    bool finished;   /* nothing is sent after that */
    bool begun;      /* something of TLS was received */
    bool unsecured;  /* the client speaks HTTP in the clear where TLS is due: so does the transport then, to say so */
    weir_tls_t *tls; /* own; NULL: in the clear */
} weir_transport_t;

enum {
    WEIR_TRANSPORT_LATER = -1,  /* nothing can be moved now; an event will tell */
    WEIR_TRANSPORT_BROKEN = -2, /* nothing can be moved any more: the client has reset the connection */
};

/*
 * Receive at most `size` bytes, which is more than 0. Returns how many came; 0 at the end of what the client sends; or
 * one of the above. `readable` becomes false when an event is to be waited for.
 */
ssize_t weir_transport_receive(weir_transport_t *transport, void *buffer, size_t size);

/*
 * Send some of these bytes, which are at least one. Returns how many were sent: all of them, or some, after which more
 * can be tried at once; or one of the above.
 */
ssize_t weir_transport_send(weir_transport_t *transport, const struct iovec *pieces, size_t count);

/* Send what waits. Returns 0 when nothing is left, or one of the above. */
ssize_t weir_transport_flush(weir_transport_t *transport);

/*
 * How many bytes the client's system has confirmed, in all: it takes more only while there is room, which a client that
 * reads makes. 0 where the system does not tell.
 */
uint64_t weir_transport_taken(const weir_transport_t *transport);

/*
 * Nothing more will be sent: the client sees the end, of TLS too; at once, or when weir_transport_flush has sent what
 * waits. Again changes nothing.
 */
void weir_transport_finish(weir_transport_t *transport);

/* Have the client see a reset when it is closed, which comes instead of what was not sent yet. */
void weir_transport_break(const weir_transport_t *transport);

/* Close it. */
void weir_transport_close(weir_transport_t *transport);

#endif
