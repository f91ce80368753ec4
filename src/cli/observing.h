/*
 * observing.h: what `weir up` tells others of requests: the access log.
 */
#ifndef WEIR_CLI_OBSERVING_H
#define WEIR_CLI_OBSERVING_H

#include "cli/options.h"
#include "observe/access_log.h"
#include "serve/server.h"

#include <stdbool.h>

/* Zeroed: nothing is told. */
typedef struct weir_observing {
    weir_access_log_t *access_log; /* own, or NULL */
} weir_observing_t;

/* How many threads it will have. */
unsigned weir_observing_threads(const weir_up_options_t *options);

/*
 * Open what the options ask for, for a server with so many loops. On failure returns false, leaves `*ret_observing`
 * untouched and stores a one-line message to be freed with free(3), or NULL when memory ran out.
 */
bool weir_observing_open(
    const weir_up_options_t *options, unsigned loops, weir_observing_t *ret_observing, char **ret_message);

/* Have the server tell it of requests. */
void weir_observing_give(const weir_observing_t *observing, weir_server_settings_t *settings);

/* Start its threads. What has none is told nothing, which is logged. */
void weir_observing_start(weir_observing_t *observing);

/* Open files anew, by their names: they may have been moved. Any thread; async-signal-safe. */
void weir_observing_reopen(const weir_observing_t *observing);

/* Write what is left, and free it; the server has stopped. Zeroed is allowed. */
void weir_observing_free(weir_observing_t *observing);

#endif
