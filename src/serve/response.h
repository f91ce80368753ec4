/*
 * response.h: responses as libmicrohttpd sends them, from a guest's exchange or from the server itself.
 */
#ifndef WEIR_SERVE_RESPONSE_H
#define WEIR_SERVE_RESPONSE_H

#include "serve/connection.h"

/*
 * The response of the connection's task, whose head is there; its body comes from the exchange as far as it was not
 * complete yet. Returns NULL when memory ran out, or, with the connection's `answer` set, when the body has broken off
 * already. On success stores the status, and whether the task is needed no more.
 */
struct MHD_Response *weir_response_of_guest(weir_connection_t *connection, unsigned *ret_status, bool *ret_complete);

/*
 * The size of the head of the response, of the connection's `answer` if it has one, else of its task; but for what
 * libmicrohttpd adds, and the server's own headers, which are less than 512 bytes.
 */
size_t weir_response_head_size(const weir_connection_t *connection);

/* A header of a static response. */
weir_pair_t weir_response_static_header(const weir_static_response_t *response, size_t index);

/* The response to the connection's `answer`. Returns NULL when memory ran out. */
struct MHD_Response *weir_response_of_server(weir_connection_t *connection);

/* Whether a response with this status has no body, whatever the guest writes. */
bool weir_response_is_bodiless(const weir_connection_t *connection, unsigned status);

#endif
