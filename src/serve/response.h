/*
 * response.h: what is sent in answer to a request, from a guest's exchange or from the server itself.
 */
#ifndef WEIR_SERVE_RESPONSE_H
#define WEIR_SERVE_RESPONSE_H

#include "serve/connection.h"

/*
 * Send the head of the response, of the connection's `answer` if it has one, else of its task, whose head is there;
 * with as much of the body as there is. Sets `response`. The connection may be closed afterwards.
 */
void weir_response_begin(weir_connection_t *connection);

/* Send what there is now of the body of the connection's task. Returns false when there is nothing. As above. */
bool weir_response_continue(weir_connection_t *connection);

/* A header of a static response. */
weir_pair_t weir_response_static_header(const weir_static_response_t *response, size_t index);

#endif
