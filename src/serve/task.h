/*
 * task.h: a guest's exchange as its loop runs it: polled when it was started and whenever its waker was called. It
 * belongs to the request's connection, and goes on alone when the guest does after its response.
 */
#ifndef WEIR_SERVE_TASK_H
#define WEIR_SERVE_TASK_H

#include "guest/guest.h"
#include "serve/admission.h"
#include "serve/deadline.h"
#include "serve/inbox.h"
#include "serve/list.h"
#include "serve/loop.h"
#include "serve/record.h"

#include <stdatomic.h>
#include <stdbool.h>

struct weir_chain;
struct weir_connection;

typedef struct weir_task {
    /*
     * Shared with whoever holds the waker. It may be called after the task has ended, so the memory is counted: one
     * reference for the loop, one for the waker, one while the message is in the inbox.
     */
    weir_message_t message;
    atomic_uint references;
    atomic_bool woken;   /* the message is in the inbox */
    weir_inbox_t *inbox; /* retained */

    /* The loop's thread only. */
    weir_loop_t *loop;
    const weir_guest_t *guest;
    weir_component_metrics_t *metrics; /* where it is counted */
    weir_permit_t permit;
    struct weir_connection *connection; /* whose request it is, or */
    struct weir_chain *chain;           /* the guest's request; both NULL once it goes on alone */
    weir_list_t chains;                 /* what its guest requests of its own application */
    unsigned chain_count;
    unsigned depth;              /* how many guests wait for this one, each for the next */
    weir_exchange_t *exchange;   /* NULL once it has ended */
    weir_exchange_state_t state; /* as of the last poll */
    unsigned polls;              /* how many there were */
    weir_link_t link;            /* in the loop's tasks */
    weir_link_t run_link;        /* in one of the loop's run queues */
    bool is_polled;              /* at this moment */
    bool used_up;                /* its time slice, before it was put into a run queue */
    uint32_t poll_ticks;         /* the ticker's count when the poll began */
    const weir_limits_t *limits; /* its component's */
    uint64_t cpu_most;           /* nanoseconds that its guest may compute for; 0: as long as it likes */
    uint64_t cpu_spent;          /* of these; some are given back while it waits */
    uint64_t waits_since;        /* it is not in a run queue since then; 0: it was not polled yet */
    bool is_metered;             /* its guest computes: its thread's processor time is read */
    weir_deadline_t overtime;
} weir_task_t;

/*
 * Start an exchange for a connection or a chain, and poll it once, unless others have waited longer for that.
 * Everything is borrowed for the time of this function, except `guest`; the permit is the task's from now on. Returns
 * NULL when it could not be started; that has been logged, the permit was given back, and the answer is 500.
 */
weir_task_t *weir_task_start(weir_loop_t *loop, struct weir_connection *connection, struct weir_chain *chain,
    const weir_permit_t *take_permit, const weir_guest_t *guest, const weir_request_t *request,
    const weir_route_match_t *match);

/* The milliseconds that its component's requests may take until the response's head. */
uint64_t weir_task_time(const weir_task_t *task);

/* Run the guest for a slice. */
void weir_task_poll(weir_task_t *task);

/* Whether it is worth polling again at once, and has not used up its share of this turn. */
bool weir_task_is_eager(const weir_task_t *task);

/* What there is of a response's body. */
typedef enum weir_body_state {
    WEIR_BODY_BYTES,  /* some */
    WEIR_BODY_LATER,  /* nothing now; the task will be polled */
    WEIR_BODY_ENDED,  /* nothing more: it is complete */
    WEIR_BODY_BROKEN, /* nothing more, and it is not complete */
} weir_body_state_t;

/*
 * The next bytes of the response's body, to be consumed with weir_exchange_consume; the guest is polled for them when
 * it is eager. Only once the head is there.
 */
weir_body_state_t weir_task_body(weir_task_t *task, weir_bytes_t *ret_bytes);

/* The connection needs it no more: let the guest go on, for a limited time, and drop what it still writes. */
void weir_task_detach(weir_task_t *task);

/* For one that was detached and polled: drop its output, and end it when the guest has. */
void weir_task_continue(weir_task_t *task);

/* End it wherever the guest stands. The pointer is invalid afterwards. */
void weir_task_end(weir_task_t *own_task);

/* Put the task whose message came through the inbox into a run queue. */
void weir_task_receive(weir_message_t *message);

#endif
