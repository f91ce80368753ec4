/*
 * loop.h: an event loop: one thread, one epoll, and the connections and tasks that belong to
 * it from beginning to end. Unless a comment says otherwise, a member or function is for the loop's own thread.
 */
#ifndef WEIR_SERVE_LOOP_H
#define WEIR_SERVE_LOOP_H

#include "guest/guest.h"
#include "http/response_head.h"
#include "observe/metrics.h"
#include "serve/deadline.h"
#include "serve/inbox.h"
#include "serve/list.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct weir_connection;
struct weir_server;
struct weir_stake;

/* What an event of the loop's epoll is about; epoll's data points to one of these. */
typedef enum weir_source {
    WEIR_SOURCE_LISTENER,
    WEIR_SOURCE_INBOX,
    WEIR_SOURCE_CONNECTION, /* the first member of a weir_connection_t */
} weir_source_t;

typedef struct weir_loop {
    /* Constant once the thread runs. */
    struct weir_server *server;
    weir_loop_metrics_t *metrics; /* where its thread counts */
    unsigned index;
    uint32_t max_waiting;        /* requests; as the current generation has it */
    uint32_t max_waiting_of_all; /* loops together */
    uint32_t max_connections;
    uint32_t max_turn_ticks; /* beyond it a turn starts no more guests: what has come in goes first */

    /* Shared: the inbox, the number of connections that the loop has or is about to get, and that of requests on them
     * that have begun and are not over. */
    weir_inbox_t *inbox;
    atomic_uint connection_count;
    atomic_uint request_count;
    atomic_uint computing; /* guests in the spin queue, at the end of its last turn: written by its thread alone */
    atomic_uint turns;     /* how often it has come round: written by its thread alone */
    unsigned turns_seen;   /* for weir_server_nudge */
    atomic_bool ended;     /* it drained, and turns no more */

    pthread_t thread;
    int epoll;
    uint64_t now;        /* milliseconds of the monotonic clock at the start of the turn, without `lost` */
    uint64_t woken_at;   /* nanoseconds of that clock, with it */
    uint64_t lost;       /* milliseconds in which the thread was held up, and which count for no limit */
    uint64_t lost_until; /* before that, on its own clock, no more is lost */
    uint64_t yielded_at; /* as woken_at: when it last let others run */
    bool is_busy;        /* there were several events when it looked last */
    uint32_t turn_ticks; /* the ticker's count then */

    weir_list_t connections;
    weir_list_t run_queue;    /* tasks to be polled */
    weir_list_t spin_queue;   /* and those among them that have used up a time slice: one each turn */
    uint32_t spin_count;      /* how many these are */
    uint32_t spins;           /* how often one has, modulo 2^32 */
    weir_list_t tasks;        /* every task */
    weir_list_t stakes;       /* what the loop has of the generations in which it has calls, and of the current one */
    weir_list_t ready;        /* connections for which there is something to be done */
    weir_list_t closed;       /* and those to be freed */
    weir_list_t ready_chains; /* requests from guest to guest that are to be begun, or gone on with */
    struct weir_stake *stake; /* of the current one, as of the beginning of the turn */
    uint32_t waiting_count;   /* connections that wait for an instance, in all lanes */
    uint64_t next_turn;       /* numbers requests as they come */
    uint64_t notice_at;       /* when to tell what was left out of the log, on the monotonic clock; 0: nothing was */

    weir_deadline_lists_t heads;       /* requests without their response's head, or an instance */
    weir_deadline_lists_t chain_heads; /* and those of them that a guest made */
    weir_deadlines_t bodies;           /* requests of whose bodies more is waited for */
    weir_deadlines_t requests;         /* connections without a whole request head */
    weir_deadlines_t idles;            /* connections whose clients are waited for */
    weir_deadlines_t lingers;          /* connections whose rest is dropped */
    weir_deadlines_t watches;          /* requests whose clients have closed their side */
    weir_deadline_lists_t overtimes;   /* guests that go on after their response */
    weir_deadlines_t proxy_headers;    /* connections without their header of the PROXY protocol */

    bool listening;        /* the listening socket is in the epoll */
    bool accept_refused;   /* accept failed for want of something, and that was logged */
    uint64_t accept_after; /* the pause after that ends then; 0: none */
    bool draining;
    bool emptied; /* the listen queue, for the last time */
    bool cutting; /* the drain time is over */

    /* What only one connection needs at a time. */
    char *received;                          /* own: WEIR_RECEIVE_BYTES that came from one */
    char *gathered;                          /* own: WEIR_GATHER_BYTES of a response's body */
    weir_pair_t *fields;                     /* own: a request's headers, WEIR_HEAD_FIELDS_MAX at most */
    const struct weir_connection *fields_of; /* the one whose headers they still are; or NULL */
    weir_head_text_t head_text;              /* a response's head */
    weir_head_text_t end_text;               /* what follows a response's last chunk */
    weir_date_t date;
} weir_loop_t;

/*
 * Prepare a loop whose `server` and `index` are set and whose other members are zero. On failure returns false, leaves
 * nothing to free and stores errno. Any thread.
 */
bool weir_loop_init(weir_loop_t *loop);

/* Undo weir_loop_init, when no loop's thread runs. Any thread. */
void weir_loop_destroy(weir_loop_t *loop);

/*
 * The thread: counts itself in the server's `prepared` or, when it cannot run guests and ends, `unprepared`; then
 * serves until the server has stopped. `argument` is the loop.
 */
void *weir_loop_main(void *argument);

/* Whether this turn has taken so long that what has come in meanwhile is looked at before guests go on. */
bool weir_loop_is_late(const weir_loop_t *loop);

/* Whether the calling thread is this loop's. Any thread. */
bool weir_loop_is_own(const weir_inbox_t *inbox);

#endif
