/*
 * connection.h: a client's connection and the request on it, from libmicrohttpd's first callback to its last. All of it
 * belongs to one loop's thread.
 */
#ifndef WEIR_SERVE_CONNECTION_H
#define WEIR_SERVE_CONNECTION_H

#include "guest/request_body.h"
#include "serve/deadline.h"
#include "serve/loop.h"
#include "serve/target.h"
#include "serve/task.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/* What a suspended connection waits for. */
typedef enum weir_wait {
    WEIR_WAIT_NOTHING = 0, /* it is not suspended */
    WEIR_WAIT_CALL,        /* an instance */
    WEIR_WAIT_HEAD,        /* the response's head */
    WEIR_WAIT_SPACE,       /* room for more of the request's body */
    WEIR_WAIT_BODY,        /* more of the response's body */
    WEIR_WAIT_EARLY,       /* that its early answer is sent */
} weir_wait_t;

/* An answer that the server gives itself. */
typedef struct weir_answer {
    unsigned status; /* 0: none, the guest answers */
    bool at_once;    /* without reading anything more from the connection, which is closed after it */
    const char *content_type;
    const char *body; /* constant as long as the server, or as the stake that the connection holds */
    size_t body_size;
    const weir_static_response_t *of_route; /* what the body and these are of, or NULL: further headers */
} weir_answer_t;

/* Where a request stands. */
typedef enum weir_stage {
    WEIR_STAGE_NONE = 0, /* there is no request */
    WEIR_STAGE_LINE,     /* its request line is there, not yet all of its headers */
    WEIR_STAGE_BEGUN,    /* the headers are there; it may wait for an instance */
    WEIR_STAGE_BODY,     /* the body is being received */
    WEIR_STAGE_RECEIVED, /* all of it is there */
    WEIR_STAGE_ANSWERED, /* the response is on its way through libmicrohttpd */
} weir_stage_t;

typedef struct weir_connection {
    weir_source_t source; /* WEIR_SOURCE_CONNECTION */
    weir_loop_t *loop;
    struct MHD_Connection *handle;
    int descriptor;
    weir_link_t link;
    uint64_t idle_since;
    bool watched;       /* the descriptor is in the loop's epoll */
    bool peer_closed;   /* the client sends nothing more */
    bool reading_ended; /* the server takes nothing more */
    weir_link_t arrival_link;
    weir_link_t hangup_link;
    char client_address[INET6_ADDRSTRLEN + 10];
    char client_ip[INET6_ADDRSTRLEN];

    /* The request. */
    weir_stage_t stage;
    weir_wait_t wait;
    bool cut;   /* to be closed without an answer, or without the rest of it */
    char *line; /* own: a copy of the target as received; its memory is kept for the next request */
    size_t line_size;
    size_t line_capacity;
    const char *method; /* these two are libmicrohttpd's, for the time of the request */
    const char *version;
    weir_target_t target;
    weir_bytes_t host;
    bool has_body;
    int64_t content_length;
    bool expects_continue;
    bool head_only; /* a HEAD request */
    weir_route_match_t match;
    weir_answer_t answer;
    weir_stake_t *held; /* what the answer is made of lives as long as it; or NULL */
    weir_task_t *task;
    struct weir_early *early;
    weir_link_t waiting_link;      /* while it waits for an instance: in a lane of the loop's stake */
    uint64_t turn;                 /* its place among those that wait */
    weir_request_body_t collected; /* own: by a guest whose instance was refused, for its next one */
    bool has_collected;
    weir_link_t early_link;
    weir_deadline_t head_deadline;
    weir_deadline_t request_deadline;
    weir_deadline_t rest_deadline;
    weir_deadline_t linger_deadline;
    weir_deadline_t watch_deadline;

    /* What of the response's body was taken from the exchange, and not yet sent, when its head was made. */
    char *prefix; /* own */
    size_t prefix_size;
    size_t prefix_sent;
} weir_connection_t;

/* ---- libmicrohttpd's callbacks; `context` is the loop ------------------------------------------------------------ */

void weir_connection_notify(
    void *context, struct MHD_Connection *handle, void **socket_context, enum MHD_ConnectionNotificationCode code);
void *weir_connection_log_uri(void *context, const char *uri, struct MHD_Connection *handle);
enum MHD_Result weir_connection_handle(void *context, struct MHD_Connection *handle, const char *url,
    const char *method, const char *version, const char *upload_data, size_t *upload_size, void **request_context);
void weir_connection_completed(
    void *context, struct MHD_Connection *handle, void **request_context, enum MHD_RequestTerminationCode code);

/* ---- What the loop tells a connection ---------------------------------------------------------------------------- */

/* It may have an instance, and waits no more; the permit is its own from now on. */
void weir_connection_admitted(weir_connection_t *connection, const weir_permit_t *take_permit);

/* It waits no more: the routes of a new generation lead it to no guest, and its answer is set. */
void weir_connection_answered(weir_connection_t *connection);

/* Its task was polled. */
void weir_connection_progress(weir_connection_t *connection);

/* One of its time limits is over. */
void weir_connection_head_overdue(weir_connection_t *connection);
void weir_connection_request_overdue(weir_connection_t *connection);
void weir_connection_rest_overdue(weir_connection_t *connection);
void weir_connection_linger_over(weir_connection_t *connection);
void weir_connection_watch_due(weir_connection_t *connection);

/* The loop's epoll has something about its descriptor. */
void weir_connection_event(weir_connection_t *connection, uint32_t events);

/* libmicrohttpd has had its turn: have it notice that the client has closed its side. */
void weir_connection_hang_up(weir_connection_t *connection);

/* The server drains: close it when no request is, or may be, on its way. */
void weir_connection_drain(weir_connection_t *connection);

/* The server stops for good: resume it when it is suspended, so that libmicrohttpd can close it. */
void weir_connection_give_up(weir_connection_t *connection);

/* ---- For the other parts of a connection ------------------------------------------------------------------------- */

/* Suspend it until weir_connection_resume is called, for this reason. From within libmicrohttpd's calls. */
enum MHD_Result weir_connection_suspend(weir_connection_t *connection, weir_wait_t wait);

/* End the guest, if there is one. */
void weir_connection_end_task(weir_connection_t *connection);

/* Close it as soon as possible, without an answer or the rest of it, and end its task. */
void weir_connection_cut(weir_connection_t *connection);

/* Go on with it when it is suspended. */
void weir_connection_resume(weir_connection_t *connection);

/*
 * Have the loop's epoll watch the descriptor, for these events too. What is true already is told once, and again when
 * this is called again; what becomes true, each time. Returns false on failure.
 */
bool weir_connection_watch(weir_connection_t *connection, uint32_t events);

#endif
