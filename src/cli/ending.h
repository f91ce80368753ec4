/*
 * ending.h: the end of a server in its steps, which up.c takes in this order, and ends what else there is between them.
 * Of the main thread. `drain_milliseconds` is how long requests in flight may take.
 */
#ifndef WEIR_CLI_ENDING_H
#define WEIR_CLI_ENDING_H

#include "serve/server.h"

#include <stdint.h>

/*
 * It is to end: for as long as was asked for it serves on and says that it is not ready, until nobody sends it more;
 * with a delay of 0 nothing happens. A second signal ends it at once, here as later.
 */
void weir_ending_leave(weir_server_t *server, uint64_t delay_milliseconds, uint64_t drain_milliseconds);

/* Tell a service manager that it ends, and how long that may take. */
void weir_ending_begin(uint64_t drain_milliseconds);

/* Have it drain, say so where that takes a while, and wait until what is in flight is answered or its time is over. */
void weir_ending_drain(weir_server_t *server, uint64_t drain_milliseconds);

/* Stop it, and free it; what was cut is told of. */
void weir_ending_stop(weir_server_t *own_server);

#endif
