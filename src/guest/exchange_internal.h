/*
 * exchange_internal.h: the state of an exchange, and what its two kinds have in common. Private to this room.
 *
 * exchange.c holds the public functions and the response's body; exchange_component.c and exchange_module.c each know
 * how one kind of guest is started and how it comes to its response's head.
 */
#ifndef WEIR_GUEST_EXCHANGE_INTERNAL_H
#define WEIR_GUEST_EXCHANGE_INTERNAL_H

#include "guest/cgi_request.h"
#include "guest/cgi_response.h"
#include "guest/guest.h"
#include "guest/request_body.h"
#include "observe/trace.h"

#include <stdatomic.h>

enum {
    /* What is held of a response at most to learn its length: all that the bridge can hold of a guest that has ended.
     */
    WEIR_HELD_MAX_BYTES = 128 * 1024,
    WEIR_HELD_INLINE_BYTES = 1024,
    WEIR_HEADERS_INLINE = 16,
    WEIR_SHOWN_TRACE_BYTES = 8 + WEIR_TRACE_ID_TEXT,
    WEIR_SHOWN_METHOD_MAX = 24, /* bytes of what is shown in the log of a request */
    WEIR_SHOWN_PATH_MAX = 200,
};

typedef enum weir_phase {
    WEIR_PHASE_COLLECTING = 0, /* the request's body is being collected; there is no call yet */
    WEIR_PHASE_RUNNING = 1,
    WEIR_PHASE_HEAD = 2,
    WEIR_PHASE_FAILED = 3,
    WEIR_PHASE_REFUSED = 4,
} weir_phase_t;

/* Only of an exchange with a WAGI program, be it a module or a component. */
typedef struct weir_module_part {
    weir_cgi_response_t response;
    weir_request_body_t body;                     /* while it is collected and until it is fed */
    weir_cgi_request_t request;                   /* while the body is collected */
    bool collected;                               /* the body was */
    bool feeding;                                 /* the body was collected and is not fed completely yet */
    bool started;                                 /* it has its instance: the collected body is not needed again */
    bool insufficient;                            /* the head is of no use: the rest of the output is dropped */
    char traceparent[WEIR_TRACEPARENT_BYTES + 1]; /* for what it requests; "": none */
    unsigned slices_held;                         /* for how many time slices the head has been held back */
    atomic_uint references; /* to the exchange's block: the exchange's own, and the call's waker's */
    atomic_bool woken;      /* since the call was last polled */
} weir_module_part_t;

struct weir_exchange {
    const weir_guest_t *guest;
    weir_call_t *call;       /* own; NULL while collecting, and when it could not be made */
    weir_waker_t waker;      /* the server's */
    void *caller;            /* the request's */
    bool waker_is_passed_on; /* to the call, which releases it */
    weir_phase_t phase;
    uint16_t status;
    uint16_t failure_status;
    bool head_request; /* the method is HEAD */
    bool no_body;      /* the response has none: a HEAD request, or a status that allows none */
    bool body_is_held; /* all of it: the call has nothing to add */
    bool call_over;    /* the call has ended or failed */
    bool excess_logged;
    bool fed;               /* some of the request's body, as it came */
    int64_t content_length; /* of the response, or -1 */
    int64_t body_left;      /* what may still be delivered of it, or -1 */

    weir_pair_t *headers; /* own unless inline_headers, or the module part's */
    size_t header_count;

    /* The beginning of the body, or all of it, copied so that its length is known. */
    const char *held;
    size_t held_size;
    size_t held_taken;
    char *own_held; /* NULL while held is inline_held or a constant */

    weir_module_part_t *module; /* within the same block, or NULL for a component */
    weir_pair_t inline_headers[WEIR_HEADERS_INLINE];
    char inline_held[WEIR_HELD_INLINE_BYTES];
    /* The request: "GET /path", and where it is part of one ", trace 4bf92f35..." */
    char shown[WEIR_SHOWN_METHOD_MAX + WEIR_SHOWN_PATH_MAX + 8 + WEIR_SHOWN_TRACE_BYTES];
};

/*
 * End in failure before the response's head, or within its body, which leaves the head as it was; the caller has logged
 * why.
 */
void weir_exchange_fail(weir_exchange_t *exchange, uint16_t status);

/* Log a call's failure. `when` is "" or "after its response: ". */
void weir_exchange_log_call_failure(const weir_exchange_t *exchange, weir_log_level_t level, const char *when);

/* The call has failed on its way to the head: log why and fail, or, where nothing is lost by it, be refused. */
void weir_exchange_take_failure(weir_exchange_t *exchange);

/*
 * Take the head as set in status, headers and content_length, and begin with the body. Fails with 500 when the status
 * is one that no final response has (1xx; hyper does the same under Spin).
 */
void weir_exchange_begin_body(weir_exchange_t *exchange);

/* Drop what the call has of a body; returns how much it was. */
size_t weir_exchange_drain(weir_exchange_t *exchange);

/* Start. On failure they have logged why, and return false. */
bool weir_component_start(weir_exchange_t *exchange, const weir_request_t *request, const weir_route_match_t *match);
bool weir_module_start(weir_exchange_t *exchange, const weir_request_t *request, const weir_route_match_t *match);

/* Poll the call once on the way to the head. */
void weir_component_run(weir_exchange_t *exchange);
void weir_module_run(weir_exchange_t *exchange);

/* Collect a module's request body, and create the call when it is complete. */
void weir_module_collect(weir_exchange_t *exchange, weir_bytes_t bytes);
void weir_module_collected(weir_exchange_t *exchange, bool aborted);

/* Give the call more of a collected body. */
void weir_module_feed(weir_exchange_t *exchange);

/* Free what the module part owns, and the exchange's block with it, now or when the call's waker is released. */
void weir_module_free(weir_exchange_t *take_exchange);

#endif
