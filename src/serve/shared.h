/*
 * shared.h: what the threads of a server share. Everything that more than one thread touches is reached from here:
 *
 * - the settings, the listening socket's number and the array of loops are constant once the threads run;
 * - the ticker, the inboxes, the keeper of the generations, the addresses and the notices have their own
 *   synchronization; of a
 * generation each loop has its own stake, and the gates have a lock;
 * - the atomic members below; what may be shared of a loop is said in loop.h, of a task in task.h.
 *
 * Connections, exchanges and deadlines belong to one loop's thread each.
 */
#ifndef WEIR_SERVE_SHARED_H
#define WEIR_SERVE_SHARED_H

#include "serve/addresses.h"
#include "serve/keeper.h"
#include "serve/loop.h"
#include "serve/notice.h"
#include "serve/server.h"
#include "serve/ticker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

struct weir_server {
    weir_server_settings_t settings;
    int listener;
    bool listener_is_shared; /* with another process */
    uint16_t port;
    pthread_mutex_t tls_lock;
    const weir_tls_config_t *tls; /* under its lock; whether there is TLS is constant, and in the settings */
    weir_ticker_t *ticker;
    weir_keeper_t keeper;
    weir_notices_t notices;
    weir_addresses_t *addresses; /* own; NULL: an address may have any number of connections */
    weir_metrics_t *metrics;     /* the settings', or: */
    weir_metrics_t *own_metrics; /* own; NULL: the settings have some */
    unsigned loop_count;
    weir_loop_t *loops;

    bool joined;          /* the threads have ended */
    uint64_t drain_until; /* on the monotonic clock, in milliseconds; written before `stopping` is set */
    atomic_bool leaving;  /* it serves on, but not for long: connections are not kept for further requests */
    atomic_bool stopping;
    atomic_uint listening; /* loops that have not yet emptied the listen queue, and 1 until it is closed */
    pthread_mutex_t lock;  /* for waiting until `listening` is 1, or `prepared` and `unprepared` are all loops */
    pthread_cond_t changed;
    unsigned prepared; /* loops whose threads can run guests, and those whose cannot; under the lock */
    unsigned unprepared;
    atomic_bool hinted; /* at a route for what no other route matches */
    atomic_uint cut;    /* requests that were not answered when the drain time was over */
};

/* What a new connection needs of TLS, with the certificate as it is now; NULL where memory ran out. Any thread. */
weir_tls_t *weir_server_new_tls(struct weir_server *server);

#endif
