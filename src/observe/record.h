/*
 * record.h: what there is to tell of one request when it is over: for counters, the access log and traces. It is filled
 * by the thread that serves the request, and handed to sinks on it.
 */
#ifndef WEIR_OBSERVE_RECORD_H
#define WEIR_OBSERVE_RECORD_H

#include <stdbool.h>
#include <stdint.h>

/* How a request ended. The first thing that decides it is told; what follows from it is not. */
typedef enum weir_request_outcome {
    WEIR_REQUEST_ANSWERED = 0,         /* completely, with whatever status */
    WEIR_REQUEST_MALFORMED = 1,        /* refused: what came is no request that may be served */
    WEIR_REQUEST_STALLED = 2,          /* the client did not go on in time with its request, or to take its response */
    WEIR_REQUEST_LEFT = 3,             /* the client left before it had its response */
    WEIR_REQUEST_FULL = 4,             /* refused: too many waited for an instance */
    WEIR_REQUEST_WAITED = 5,           /* refused: no instance could be had in time */
    WEIR_REQUEST_INSTANCE_REFUSED = 6, /* no instance could be had, and the request could not be tried again */
    WEIR_REQUEST_TIMED_OUT = 7,        /* its guest did not respond in time */
    WEIR_REQUEST_CPU_OVER = 8,         /* its guest computed for too long */
    WEIR_REQUEST_TRAPPED = 9,          /* its guest trapped, before or within its response */
    WEIR_REQUEST_FAILED = 10,   /* its guest failed otherwise: it exited, or gave no response, or not all of it */
    WEIR_REQUEST_INTERNAL = 11, /* the server had no memory for it, or cannot pass it on to a guest */
    WEIR_REQUEST_CUT = 12,      /* it was not over when the time to drain was */
    WEIR_REQUEST_OUTCOMES = 13,
} weir_request_outcome_t;

/* An outcome in one word of a-z and "_", for logs and labels: "answered". */
const char *weir_request_outcome_name(weir_request_outcome_t outcome);

/* Where a request stands in a trace (W3C Trace Context). Identifiers that are all zero are not set. */
typedef struct weir_trace_context {
    unsigned char trace_id[16];
    unsigned char span_id[8];   /* of this request */
    unsigned char parent_id[8]; /* of whoever sent it */
    unsigned char flags;
} weir_trace_context_t;

/* Times are nanoseconds of CLOCK_MONOTONIC; 0: it did not come to that. */
typedef struct weir_request_record {
    /* Texts end with a null byte and live until the sink returns. Method, target, host, route and client are there only
     * where the server has sinks, and are cut to a length that record.h of the room `serve` states; else, and where
     * there is none, "". None has control characters. */
    const char *component; /* its id; NULL: the server answered */
    const char *route;     /* as the manifest has it */
    const char *method;
    const char *target; /* path and query as sent */
    const char *host;
    const char *client; /* address and port */
    unsigned loop;      /* the number of the thread that served it */
    bool secure;        /* it came over TLS */
    uint8_t minor;      /* HTTP/1.0 or HTTP/1.1 */
    uint16_t status;    /* of the response that was begun; 0: none was */
    weir_request_outcome_t outcome;
    uint64_t received_bytes; /* of the request's body */
    uint64_t sent_bytes;     /* of the response's body, handed to the system */
    uint64_t begun_at;       /* the head was whole, or what came was refused */
    uint64_t admitted_at;    /* it got leave to have an instance */
    uint64_t head_at;        /* the head of the response was sent */
    uint64_t ended_at;
    int64_t begun_wall;       /* nanoseconds of CLOCK_REALTIME; only for sinks */
    uint64_t cpu_nanoseconds; /* that its guest ran for, roughly: the time that polling it took */
    weir_trace_context_t trace;
} weir_request_record_t;

/*
 * Whoever is told of every request when it is over. Called on the thread that served it: it must not block, and copy
 * what it keeps.
 */
typedef struct weir_request_sink {
    void (*tell)(void *context, const weir_request_record_t *record);
    void *context;
} weir_request_sink_t;

enum { WEIR_REQUEST_SINKS_MAX = 4 };

#endif
