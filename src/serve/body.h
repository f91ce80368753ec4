/*
 * body.h: the body of the request on a connection.
 */
#ifndef WEIR_SERVE_BODY_H
#define WEIR_SERVE_BODY_H

#include "serve/connection.h"

/*
 * Take what there is of it: hand it to the guest, or drop what nobody wants. Where it breaks off, or is none, the
 * request is refused or the connection closed, unless the response is complete. Returns whether anything was done; then
 * more may be possible.
 */
bool weir_body_take(weir_connection_t *connection);

#endif
