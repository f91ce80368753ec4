/*
 * request.h: from libmicrohttpd's view of a request to weir's: checks what libmicrohttpd lets through, decides who
 * answers, and hands the request to the guest.
 */
#ifndef WEIR_SERVE_REQUEST_H
#define WEIR_SERVE_REQUEST_H

#include "serve/connection.h"

/*
 * Look at the request whose headers are complete: fill in the connection's members that describe it, and either `match`
 * or `answer`.
 */
void weir_request_examine(weir_connection_t *connection);

/* Start the guest on the request that was examined. Returns NULL when the answer is 500. */
weir_task_t *weir_request_start(weir_connection_t *connection);

#endif
