/*
 * starting.h: what handler.c needs to know of a request's guest, and of the wait for it. Of the loop's thread. What the
 * loop tells of it stands in connection.h.
 */
#ifndef WEIR_SERVE_STARTING_H
#define WEIR_SERVE_STARTING_H

#include "serve/connection.h"

#include <stdbool.h>

/* Start the guest, or have the request wait for an instance, or turn it away. The request was examined. */
void weir_starting_admit(weir_connection_t *connection);

/* Whether the head of the response is known, from the guest or from the server. */
bool weir_starting_is_answerable(const weir_connection_t *connection);

/* Whether it waits for an instance: it goes no further before it has one. */
bool weir_starting_waits(const weir_connection_t *connection);

/*
 * If its task's instance was refused, let it wait for another, with all that it has. Returns whether that was so. Where
 * another generation is served by now, with other routes, it goes where these lead, as those do that have waited.
 */
bool weir_starting_take_refusal(weir_connection_t *connection);

/* Whether the request may have to be handed to a guest, again or for the first time: its head is needed for that. */
bool weir_starting_may_be_refused(const weir_connection_t *connection);

#endif
