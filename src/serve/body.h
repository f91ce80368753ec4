/*
 * body.h: the body of the request on a connection.
 */
#ifndef WEIR_SERVE_BODY_H
#define WEIR_SERVE_BODY_H

#include "serve/connection.h"

/*
 * Answer 413 to a request that is for a guest where its head says that its body is longer than that guest's component
 * allows; one in chunks shows later. For one that was recorded as that component's. Returns whether it did.
 */
bool weir_body_refuse(weir_connection_t *connection);

/*
 * Take what there is of it: hand it to the guest, or drop what nobody wants. Where it breaks off, or is none, the
 * request is refused or the connection closed, unless the response is complete. Returns whether anything was done; then
 * more may be possible.
 */
bool weir_body_take(weir_connection_t *connection);

#endif
