/*
 * status.h: the state of a server as a JSON document: docs/status.schema.json describes each member; keep them in step.
 */
#ifndef WEIR_ADMIN_STATUS_H
#define WEIR_ADMIN_STATUS_H

#include "admin/board.h"
#include "admin/history.h"
#include "http/response_head.h"
#include "serve/server.h"

#include <stdint.h>

/* Where it comes from. Everything is borrowed. */
typedef struct weir_status_sources {
    weir_server_t *server;
    weir_board_t *board;
    const weir_history_t *history;
    const char *const *urls; /* on which it listens */
    size_t url_count;
    const char *version;
    double started_at; /* seconds since 1970 */
} weir_status_sources_t;

/* What an engine of a generation is called, by its index. Constant. */
const char *weir_engine_name(size_t engine);

/* Append the document. The admin thread. */
void weir_status_write(const weir_status_sources_t *sources, weir_head_text_t *text);

/* Append what Prometheus reads: the text format, version 0.0.4. docs/observability.md has the table. */
void weir_status_write_metrics(const weir_status_sources_t *sources, weir_head_text_t *text);

#endif
