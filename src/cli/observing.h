/*
 * observing.h: what `weir up` tells others of requests: the access log, and traces.
 */
#ifndef WEIR_CLI_OBSERVING_H
#define WEIR_CLI_OBSERVING_H

#include "app/manifest.h"
#include "cli/options.h"
#include "observe/access_log.h"
#include "observe/otlp.h"
#include "serve/server.h"

#include <stdbool.h>

/* Zeroed: nothing is told. */
typedef struct weir_observing {
    weir_metrics_t *metrics;       /* own: the server's, that what is told is counted in, too */
    weir_access_log_t *access_log; /* own, or NULL */
    weir_otlp_t *otlp;             /* own, or NULL */
} weir_observing_t;

/* How many threads it will have at most. */
unsigned weir_observing_threads(const weir_up_options_t *options);

/*
 * Open what the options and OpenTelemetry's variables ask for, for a server with so many loops; what of these is not
 * served is warned of. On failure returns false, leaves `*ret_observing` untouched and stores a one-line message to be
 * freed with free(3), or NULL when memory ran out.
 */
bool weir_observing_open(const weir_up_options_t *options, const weir_manifest_t *manifest, unsigned loops,
    weir_observing_t *ret_observing, char **ret_message);

/* Have the server tell it of requests, and count in its metrics. */
void weir_observing_give(const weir_observing_t *observing, weir_server_settings_t *settings);

/* Start its threads. What has none is told nothing, which is logged. */
void weir_observing_start(weir_observing_t *observing);

/* Open files anew, by their names: they may have been moved. Any thread; async-signal-safe. */
void weir_observing_reopen(const weir_observing_t *observing);

/* Write and send what is left, and free it; the server has stopped. Zeroed is allowed. */
void weir_observing_free(weir_observing_t *observing);

#endif
