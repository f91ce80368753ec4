/*
 * record.h: keeping the record of a connection's request: begun when its head is whole or what came is refused, and
 * finished once when the request is over, however it ends. The loop's own thread.
 */
#ifndef WEIR_SERVE_RECORD_H
#define WEIR_SERVE_RECORD_H

#include "guest/guest.h"
#include "observe/metrics.h"
#include "observe/record.h"

#include <stdint.h>

struct weir_connection;

enum {
    /* What of a request's texts is told to sinks at most. */
    WEIR_RECORD_METHOD_BYTES = 32,
    WEIR_RECORD_HOST_BYTES = 256,
    WEIR_RECORD_ROUTE_BYTES = 256,
    WEIR_RECORD_TARGET_BYTES = 4096,
};

/* What a record needs beside what it tells. */
typedef struct weir_record_keeping {
    const weir_counted_t *counted; /* what it is counted as */
    weir_method_t method;
    bool waited; /* for an instance */
    bool waits;  /* at this moment: counted as waiting */
    char *texts; /* own, as long as the connection: method, host, route and target, each terminated; NULL: none yet */
    size_t texts_size;
} weir_record_keeping_t;

/* A request has begun, with the connection's head, or without one when what came is refused. Again changes nothing. */
void weir_record_begin(struct weir_connection *connection, bool has_head);

/* It was examined: its match leads to a component, or its answer is there. Again when other routes lead it elsewhere.
 */
void weir_record_route(struct weir_connection *connection);

/* It waits for an instance, or has leave to have one. */
void weir_record_wait(struct weir_connection *connection);
void weir_record_admit(struct weir_connection *connection);

/* Say how it ends, unless that was said before; nothing when no request is under way. */
void weir_record_note(struct weir_connection *connection, weir_request_outcome_t outcome);

/* The same, by what its guest's exchange failed of. */
void weir_record_failure(struct weir_connection *connection, const weir_exchange_t *exchange);

/* The head of its response is about to be sent. */
void weir_record_head(struct weir_connection *connection, unsigned status);

/*
 * It is over: complete it, count it and hand it to the sinks. Where nothing was noted of how it ended, it was answered
 * when its response is complete; else the client has left. Nothing when no request is under way.
 */
void weir_record_finish(struct weir_connection *connection);

/* The connection ends: free what was kept for its records. */
void weir_record_free(struct weir_connection *connection);

#endif
