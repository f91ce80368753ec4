/*
 * early.h: an answer that is sent before the request's body is complete, which libmicrohttpd 1.0 cannot do: it takes a
 * response before the body or after it. A guest may answer while it still reads (an echo), or without reading at all;
 * waiting for the body would let the one starve and the other's client send for nothing. So in this case weir writes to
 * the socket itself, while libmicrohttpd goes on receiving; the connection is closed afterwards. The same serves for a
 * response whose head is too large for libmicrohttpd's memory of the connection.
 */
#ifndef WEIR_SERVE_EARLY_H
#define WEIR_SERVE_EARLY_H

#include "serve/connection.h"

typedef struct weir_early weir_early_t;

/*
 * Begin to send the connection's `answer`, or the response of its task, whose head is there. Returns false, and changes
 * nothing, when memory ran out.
 */
bool weir_early_start(weir_connection_t *connection);

/*
 * Whether libmicrohttpd is about to answer the request itself, because its body turned out to be malformed. Then
 * nothing else may be sent.
 */
bool weir_early_is_too_late(const weir_connection_t *connection);

/* After libmicrohttpd's turn: cut those connections of which weir_early_is_too_late has become true meanwhile. */
void weir_early_check(weir_loop_t *loop);

/* Send as much as can be sent now. */
void weir_early_pump(weir_connection_t *connection);

/* Whether all of it was sent; what remains is to drop the rest of the request. */
bool weir_early_is_done(const weir_early_t *early);

/* Free it. NULL is allowed. */
void weir_early_free(weir_early_t *own_early);

#endif
