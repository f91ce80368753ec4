/*
 * connection.h: a client's connection and the request on it. All of it belongs to one loop's thread.
 *
 * connection.c is its life, connection_transfer.c receives and sends, connection_limits.c sets its time limits;
 * client.c knows who is at its other end; handler.c goes with a request from its head to its end; request.c examines
 * the head, starting.c starts its guest, body.c takes the body in; response.c says what to send; tracing.c reads and
 * writes what a trace goes on with; record.c keeps what there is to tell of the request.
 */
#ifndef WEIR_SERVE_CONNECTION_H
#define WEIR_SERVE_CONNECTION_H

#include "guest/request_body.h"
#include "http/chunked.h"
#include "http/head.h"
#include "http/response_head.h"
#include "http/transport.h"
#include "serve/client.h"
#include "serve/deadline.h"
#include "serve/loop.h"
#include "serve/queue.h"
#include "serve/record.h"
#include "serve/target.h"
#include "serve/task.h"

#include <stdbool.h>
#include <stdint.h>

/* An answer that the server gives itself. */
typedef struct weir_answer {
    unsigned status; /* 0: none, the guest answers */
    bool closes;     /* where the request ends is unknown, or does not matter any more */
    const char *content_type;
    const char *body; /* constant as long as the server, or as the stake that the connection holds */
    size_t body_size;
    unsigned retry_after;                   /* seconds; 0: it is not said */
    const weir_static_response_t *of_route; /* what the body and these are of, or NULL: further headers */
} weir_answer_t;

typedef enum weir_stage {
    WEIR_STAGE_IDLE = 0,      /* there is no request, or a part of its head */
    WEIR_STAGE_BEGUN = 1,     /* there is one */
    WEIR_STAGE_LINGERING = 2, /* the last response was sent; what comes is dropped */
    WEIR_STAGE_CLOSED = 3,    /* freed at the end of the turn */
} weir_stage_t;

/* Where the response to a request is. */
typedef enum weir_response_stage {
    WEIR_RESPONSE_AWAITED = 0,
    WEIR_RESPONSE_BODY = 1, /* its head was sent, and its body follows */
    WEIR_RESPONSE_DONE = 2, /* all of it was, but for what `unsent` holds */
} weir_response_stage_t;

typedef struct weir_connection {
    weir_source_t source; /* WEIR_SOURCE_CONNECTION */
    weir_loop_t *loop;
    weir_transport_t transport;
    weir_link_t link;       /* in the loop's `connections`, or `closed` */
    weir_link_t ready_link; /* in the loop's `ready`: there is something to be done */
    weir_stage_t stage;
    bool peer_closed; /* the client sends nothing after what was received */
    bool received;    /* in this turn, something */
    bool sent;
    bool heard;           /* something came, ever */
    uint64_t active_at;   /* when something came, or a response ended */
    uint64_t requests;    /* that have begun on it */
    uint64_t address_key; /* what its peer is counted as */
    weir_client_t client;

    /* What was received and not used yet: in the loop's buffer during a turn, in `kept` between turns. */
    const char *input;
    size_t input_size;
    size_t input_seen; /* of it there is no whole head */
    char *kept;        /* own; NULL when there is nothing */

    /* What the client has not taken yet. */
    char *unsent; /* own; NULL when there is nothing */
    size_t unsent_size;
    size_t unsent_at;
    uint64_t taken; /* weir_transport_taken, when the idle limit was set while something was unsent */

    /* The request. The texts of head, target and match are there until its guest was started. */
    weir_head_t head;
    char *own_head; /* own: a copy of it, while it waits or may have to wait again; else NULL */
    weir_target_t target;
    weir_bytes_t host;
    bool counted;       /* among the loop's requests */
    bool head_only;     /* a HEAD request */
    bool body_coming;   /* its body is not complete */
    bool owes_continue; /* the client waits for 100 */
    int64_t body_left;  /* of one with a length */
    uint64_t dropped;   /* bytes of it, or of what came after the last response */
    weir_chunked_t chunked;
    weir_route_match_t match;
    weir_answer_t answer;
    weir_stake_t *held; /* what the answer is made of lives as long as it; or NULL */
    weir_task_t *task;
    weir_waiter_t waiter;          /* while it waits for an instance: in a queue of the loop's stake */
    weir_request_body_t collected; /* own: by a guest whose instance was refused, for its next one */
    bool has_collected;
    weir_response_stage_t response;
    weir_framing_t framing;
    bool keeps;                   /* the connection may be used again after the response */
    weir_request_record_t record; /* `begun_at` is 0 when no request is under way */
    weir_record_keeping_t keeping;

    weir_deadline_t head_deadline;         /* in `heads` */
    weir_deadline_t request_deadline;      /* in `requests` */
    weir_deadline_t idle_deadline;         /* in `idles` */
    weir_deadline_t body_deadline;         /* in `bodies` */
    uint64_t body_mark;                    /* bytes of the body that had come when that was set */
    weir_deadline_t linger_deadline;       /* in `lingers` */
    uint64_t linger_since;                 /* when that was first set; 0: it was not */
    weir_deadline_t watch_deadline;        /* in `watches` */
    weir_deadline_t proxy_header_deadline; /* in `proxy_headers` */
} weir_connection_t;

/*
 * Begin with a connection that was accepted; the descriptor is closed in every case, and the loop's count of
 * connections lowered, in the end. Returns false, with errno set, when it could not be taken.
 */
bool weir_connection_open(
    weir_loop_t *loop, int take_descriptor, const struct sockaddr *address, socklen_t address_size);

/* Free those that were closed. */
void weir_connection_free_closed(weir_loop_t *loop);

/* ---- What the loop tells a connection ---------------------------------------------------------------------------- */

/* The loop's epoll has something about its socket. */
void weir_connection_event(weir_connection_t *connection, uint32_t events);

/* There is something to be done: weir_connection_run is called in this turn, or the next. */
void weir_connection_make_ready(weir_connection_t *connection);

/* Do it. */
void weir_connection_run(weir_connection_t *connection);

/* It may have an instance, and waits no more; the permit is its own from now on. */
void weir_connection_admitted(weir_connection_t *connection, const weir_permit_t *take_permit);

/* It waits no more: the routes of a new generation lead it to no guest, and its answer is set. */
void weir_connection_answered(weir_connection_t *connection);

/* It waits no more: too many do, and it has to give way to another component's. */
void weir_connection_crowded_out(weir_connection_t *connection);

/* One of its time limits is over. */
void weir_connection_head_overdue(weir_connection_t *connection);
void weir_connection_request_overdue(weir_connection_t *connection);
void weir_connection_idle_over(weir_connection_t *connection);
void weir_connection_body_slow(weir_connection_t *connection);
void weir_connection_linger_over(weir_connection_t *connection);
void weir_connection_watch_due(weir_connection_t *connection);

/* The server drains: close it when no request is, or may be, on its way. */
void weir_connection_drain(weir_connection_t *connection);

/* The server stops for good: close it, and count a request that was not answered. */
void weir_connection_give_up(weir_connection_t *connection);

/* ---- For the parts of a connection ------------------------------------------------------------------------------- */

/* Close it, whatever was to be sent, and end its task. It is freed at the end of the turn. */
void weir_connection_close(weir_connection_t *connection);

/* End it well, when there is no request on it: a client that speaks TLS is told. */
void weir_connection_part(weir_connection_t *connection);

/* Count a request that has begun, or is over; again changes nothing. */
void weir_connection_count(weir_connection_t *connection, bool under_way);

/* End the guest, if there is one. */
void weir_connection_end_task(weir_connection_t *connection);

/* What came of receiving. */
typedef enum weir_received {
    WEIR_RECEIVED_SOME = 0,
    WEIR_RECEIVED_NOTHING = 1, /* now */
    WEIR_RECEIVED_END = 2,     /* nothing more will come; where it was reset, the connection is closed */
} weir_received_t;

/* Receive more after what there is of the input, which is less than WEIR_RECEIVE_BYTES. */
weir_received_t weir_connection_receive(weir_connection_t *connection);

/* Go on to what comes after so many bytes of the input. */
void weir_connection_use(weir_connection_t *connection, size_t size);

/* The loop's buffer is for the next connection: keep what is left in it. Returns false when memory ran out. */
bool weir_connection_keep_input(weir_connection_t *connection);

/* Send, and keep what the client does not take. Closes the connection on failure, and returns false then. */
bool weir_connection_send(weir_connection_t *connection, const struct iovec *pieces, size_t count);

/* Whether the client has to take something before more can be sent. */
bool weir_connection_is_blocked(const weir_connection_t *connection);

/* Send what was kept. Returns whether nothing is left of it. */
bool weir_connection_flush(weir_connection_t *connection);

/* Set its time limits, or lift them, after its turn. */
void weir_connection_set_limits(weir_connection_t *connection);

/*
 * Answer with this status and close the connection, whatever was under way: where the request ends is not known, or
 * does not matter any more. Not once a response has begun.
 */
void weir_connection_refuse(weir_connection_t *connection, unsigned status);

/* Whether the server drains, and nothing has come for so long that nothing will: then, without a request, it ends. */
bool weir_connection_is_leaving(const weir_connection_t *connection);

/* Forget the request, and be ready for the next one. */
void weir_connection_forget_request(weir_connection_t *connection);

/* Do what can be done with the request, or without one. Returns whether anything was; then more may be possible. */
bool weir_connection_step(weir_connection_t *connection);

#endif
