/*
 * chain.h: a request that a guest makes to a component of its own application, and that is answered in-process: service
 * chaining, and requests of an application to itself. It belongs to the task whose guest made it and has a task of its
 * own, on the same loop. All of it is for the loop's own thread, except the waker.
 */
#ifndef WEIR_SERVE_CHAIN_H
#define WEIR_SERVE_CHAIN_H

#include "guest/request_body.h"
#include "serve/admission.h"
#include "serve/deadline.h"
#include "serve/inbox.h"
#include "serve/list.h"
#include "serve/loop.h"
#include "serve/task.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct weir_chain {
    /* Shared with whoever holds the waker, as in weir_task_t. */
    weir_message_t message;
    atomic_uint references;
    atomic_bool woken;
    weir_inbox_t *inbox; /* retained */

    /* The loop's thread only. */
    weir_loop_t *loop;
    weir_outgoing_t *outgoing; /* own; NULL once it has ended */
    weir_task_t *caller;
    weir_task_t *task;   /* NULL before it has an instance, and once that is not needed any more */
    weir_stake_t *stake; /* the caller's: both are served by the same generation */
    size_t component;    /* the index of the one that is to answer */
    unsigned depth;      /* 1 for what a guest requests that answers a client */
    weir_route_t route;  /* a route of its own, when a component is addressed by name */
    weir_route_match_t match;
    weir_link_t link;         /* in the caller's `chains` */
    weir_link_t ready_link;   /* in the loop's `ready_chains`: to be begun, or gone on with */
    weir_link_t waiting_link; /* in a lane: it waits for an instance */
    weir_deadline_t deadline; /* for the response's head */
    bool begun;
    bool is_direct;    /* the server answers itself */
    weir_bytes_t rest; /* then: what is left of the body; borrowed from what lives longer */
    bool answered;     /* the head was passed on */
    bool fed;          /* all of the request's body was */
    bool has_collected;
    weir_request_body_t collected; /* own: by a guest whose instance was refused, for its next one */
} weir_chain_t;

/*
 * Take over what a guest requests, from within the poll of its task (`caller`, a weir_task_t), on the guest's stack. It
 * is begun later in the loop's turn.
 */
void weir_chain_take(void *caller, weir_outgoing_t *own_outgoing);

/* Begin those that were taken, and go on with those that may. To be called whenever guests may have been polled. */
void weir_chain_run(weir_loop_t *loop);

/* Its task was polled. */
void weir_chain_progress(weir_chain_t *chain);

/* It may have an instance; the permit is its own from now on. */
void weir_chain_admitted(weir_chain_t *chain, const weir_permit_t *take_permit);

/* It will not get an instance: all of them are held by those that wait for one. */
void weir_chain_refuse(weir_chain_t *chain);

/* Its time is over. */
void weir_chain_overdue(weir_chain_t *chain);

/* End those that a task has made, and theirs. */
void weir_chain_end_all(weir_task_t *caller);

/* Put the one whose message came through the inbox among those that may go on. */
void weir_chain_receive(weir_message_t *message);

#endif
