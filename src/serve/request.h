/*
 * request.h: from libmicrohttpd's view of a request to weir's: checks what libmicrohttpd lets through, decides who
 * answers, and hands the request to the guest.
 */
#ifndef WEIR_SERVE_REQUEST_H
#define WEIR_SERVE_REQUEST_H

#include "serve/connection.h"

#include <stddef.h>

/*
 * Look at the request whose headers are complete: fill in the connection's members that describe it, and either `match`
 * or `answer`.
 */
void weir_request_examine(weir_connection_t *connection);

/*
 * Match the request's path against the loop's routes: fill in `match`, and `answer` when no guest answers it. Returns
 * whether one does.
 */
bool weir_request_route(weir_connection_t *connection);

/* Start the guest on the request that was examined; takes the permit. Returns NULL when the answer is 500. */
weir_task_t *weir_request_start(weir_connection_t *connection, const weir_permit_t *take_permit);

/*
 * About how much of the connection's memory libmicrohttpd has used for the request's head, rather more than less: the
 * response's head has to fit into the rest.
 */
size_t weir_request_memory(weir_connection_t *connection);

#endif
