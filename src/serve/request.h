/*
 * request.h: from a request's head to who answers it: routes, reserved paths, and the guest to whom it is handed.
 */
#ifndef WEIR_SERVE_REQUEST_H
#define WEIR_SERVE_REQUEST_H

#include "serve/connection.h"

/*
 * Look at the request whose head is in the connection: fill in the members that describe it, and either `match` or
 * `answer`.
 */
void weir_request_examine(weir_connection_t *connection);

/*
 * Keep the text of the head, which is at the start of the input, in memory of the connection's own, and have everything
 * that points into it point there. Returns false when memory ran out.
 */
bool weir_request_keep_head(weir_connection_t *connection);

/*
 * Match the request's path against the loop's routes: fill in `match`, and `answer` when no guest answers it. Returns
 * whether one does.
 */
bool weir_request_route(weir_connection_t *connection);

/* The client's address and port in words; lives as long as the request. */
const char *weir_request_client(weir_connection_t *connection);

/*
 * Start the guest on the request that was examined, whose head is at the start of the input, or was kept; takes the
 * permit. Returns NULL when the answer is 500.
 */
weir_task_t *weir_request_start(weir_connection_t *connection, const weir_permit_t *take_permit);

#endif
