/*
 * body.h: the body of the request on a connection.
 */
#ifndef WEIR_SERVE_BODY_H
#define WEIR_SERVE_BODY_H

#include "serve/connection.h"

/* Whether the body of a request that is for a guest may be as long as its head says; one in chunks shows later. */
bool weir_body_may_come(const weir_connection_t *connection);

/*
 * Take what there is of it: hand it to the guest, or drop what nobody wants. Where it breaks off, or is none, the
 * request is refused or the connection closed, unless the response is complete. Returns whether anything was done; then
 * more may be possible.
 */
bool weir_body_take(weir_connection_t *connection);

#endif
