/*
 * server.h: the HTTP server: event loops that own connections and the calls on them from beginning to end.
 */
#ifndef WEIR_SERVE_SERVER_H
#define WEIR_SERVE_SERVER_H

#include "http/endpoint.h"
#include "observe/metrics.h"
#include "observe/record.h"
#include "observe/trace.h"
#include "serve/generation.h"

#include <stdbool.h>
#include <stdint.h>

/* Within which bounds a server serves. Copied; what it points to is borrowed and must outlive the server. */
typedef struct weir_server_settings {
    unsigned loops;                        /* event loops, one thread each */
    uint32_t max_waiting;                  /* requests that wait for an instance, over all loops; beyond it: 503 */
    uint32_t max_connections;              /* over all loops */
    uint64_t request_timeout_milliseconds; /* until the response's head; then 504 */
    uint64_t idle_timeout_milliseconds;    /* until a client sends or takes something; 0: a minute */
    weir_limits_t limits;                  /* further ones, where a generation has none of its own; zeroed: none */
    bool allow_half_close;                 /* a client that has closed its side has not left */
    uint32_t time_slice_milliseconds;      /* that a guest computes at once; 0: the usual ones; or WEIR_TICK_NEVER */
    uint64_t drain_timeout_milliseconds;   /* how long a stop waits for requests in flight */
    const weir_tls_config_t *tls;          /* certificate and key, borrowed until weir_server_set_tls; NULL: no TLS */
    /* Told that an instance of a component was refused, and of what there was no more, one line; or NULL. The request
     * waits and is tried again. Called on a loop's thread: it must not block. */
    void (*refused)(void *context, const char *component, const char *what);
    void *context;
    const weir_peers_t *proxies; /* trusted: what they say of clients is believed; borrowed as long as the server */
    size_t proxy_count;
    bool proxy_protocol; /* they, and nobody else, connect, and begin with a header of the PROXY protocol */
    weir_request_sink_t sinks[WEIR_REQUEST_SINKS_MAX]; /* told of every request that is over */
    size_t sink_count;
    const weir_sampler_t *sampler; /* of the spans that are exported, borrowed; NULL: none are */
    weir_metrics_t *metrics;       /* what is counted, for so many loops, borrowed; NULL: the server's own */
} weir_server_settings_t;

typedef struct weir_server weir_server_t;

/* A listening socket and where it listens. */
typedef struct weir_listener {
    int descriptor;
    char url[80]; /* "http://127.0.0.1:3000", or https, with the port that was really bound */
    uint16_t port;
    bool shared; /* it came from another process, which goes on to have it */
} weir_listener_t;

/*
 * Bind "host:port" (host an IPv4 address, an IPv6 address in brackets, or "localhost", which prefers IPv4; port 0 takes
 * a free one). It listens only once the server starts, so that nobody connects before there is someone to answer; that
 * the port is taken is found out here all the same. On failure returns false, leaves `*ret_listener` untouched and
 * stores a one-line message to be freed with free(3).
 */
bool weir_listener_open(const char *address, weir_listener_t *ret_listener, char **ret_message);

/*
 * The same, and while a port is in use the one above it is tried, `ports` in all (Spin tries 10: crates/trigger-http/
 * src/server.rs, search_for_free_port).
 */
bool weir_listener_search(const char *address, unsigned ports, weir_listener_t *ret_listener, char **ret_message);

/*
 * Take over a socket that listens already, on TCP, and belongs to whoever started this process as well, as systemd
 * hands it over (sd_listen_fds(3)). A server that stops leaves it listening: who comes meanwhile is answered by the
 * next one. On failure returns false, closes nothing, and says why, as above.
 */
bool weir_listener_adopt(int take_descriptor, weir_listener_t *ret_listener, char **ret_message);

/* Have one that weir bound listen: connections are taken from now on. Returns 0, or -1 with errno set. */
int weir_listener_begin(const weir_listener_t *listener);

/* Say https in its URL: a server with TLS listens there. */
void weir_listener_name_https(weir_listener_t *listener);

/* Close it. */
void weir_listener_close(weir_listener_t *listener);

/* How many threads a server with so many loops starts. */
unsigned weir_server_threads(unsigned loops);

/*
 * Listen, start the loops and serve. The generation is the server's in every case. On success stores a server; on
 * failure returns false, nothing runs, and a message, to be freed with free(3), is stored. The listener must stay open
 * as long as the server. SIGINT, SIGTERM and SIGPIPE should be blocked or ignored by the caller beforehand: the threads
 * inherit that.
 */
bool weir_server_start(const weir_server_settings_t *settings, weir_generation_t *take_generation,
    const weir_listener_t *listener, weir_server_t **ret_server, char **ret_message);

/*
 * Serve with another generation from now on: what comes, and what waits, enters the new one; what is under way ends in
 * the generation that it entered, which is freed when its last request is over. No request fails because of it, unless
 * the new routes do not lead it anywhere. While earlier calls last they count against the new bounds, except that each
 * loop may always have one call. Returns false, and changes nothing, when memory ran out; the generation is the
 * caller's then. Any thread, one at a time; not while the server is being stopped.
 */
bool weir_server_swap(weir_server_t *server, weir_generation_t *own_generation);

/* How many generations there are: the current one, and those before it whose last requests are under way. Any thread.
 */
unsigned weir_server_generations(weir_server_t *server);

/* The metrics that it counts in: the settings', or its own. Any thread. */
weir_metrics_t *weir_server_metrics(const weir_server_t *server);

/* An engine of a generation, at this moment. */
typedef struct weir_pool_reading {
    uint64_t generation; /* they count from 1 */
    bool current;
    size_t engine;      /* its index in the generation */
    uint32_t max_calls; /* that it may hold at once */
    uint64_t waiting;   /* requests of clients for it that wait; only of the current generation */
    uint64_t kept;      /* of those calls, for components that hold none while others do; only of the current one */
    uint64_t live;      /* instances; without a pool of components' of all generations */
    bool has_pool;
    weir_pool_metrics_t pool; /* zero without one */
} weir_pool_reading_t;

/* Read the pools of all generations, those of the oldest first, into room for `most`. Returns how many. Any thread. */
size_t weir_server_read_pools(weir_server_t *server, weir_pool_reading_t *ret_readings, size_t most);

/* What a loop has at this moment. */
typedef struct weir_loop_reading {
    unsigned connections;
    unsigned requests;
} weir_loop_reading_t;

/* How many loops there are, and what one has. Any thread. */
unsigned weir_server_loops(const weir_server_t *server);
weir_loop_reading_t weir_server_read_loop(const weir_server_t *server, unsigned loop);

/* Whether it has begun to stop, or is to soon. Any thread. */
bool weir_server_is_draining(const weir_server_t *server);

/* How many requests of clients have begun and are not over. Any thread. */
unsigned weir_server_requests(const weir_server_t *server);

/*
 * Have new connections use another certificate and key; those that are there go on. For a server that was started with
 * TLS. Borrowed until the next call, or the server's end; what was borrowed before is the caller's again. Any thread.
 */
void weir_server_set_tls(weir_server_t *server, const weir_tls_config_t *tls);

/*
 * Whether the loops turn: weir_server_nudge wakes each, and weir_server_has_turned tells whether all have come round
 * since, or ended. A turn takes some time slices of guests at most. One thread.
 */
void weir_server_nudge(weir_server_t *server);
bool weir_server_has_turned(const weir_server_t *server);

/*
 * It is to stop soon: it counts as draining and serves on, new connections, too, but each is closed after its next
 * response, so that clients look for another server. weir_server_drain may follow at any time. Any thread.
 */
void weir_server_leave(weir_server_t *server);

/*
 * Begin to stop: from now on new connections are refused, and those that are idle are closed. Returns at once. No swap
 * may follow.
 */
void weir_server_drain(weir_server_t *server);

/*
 * Wait until a server that drains has nothing left to do, or its time for that is over. No request can be in flight
 * afterwards. weir_server_stop does this, too; between the two it can still be asked about itself.
 */
void weir_server_wait(weir_server_t *server);

/*
 * Stop, drained before or not: what has been accepted or waits in the listen queue is answered, new connections are
 * refused, idle connections are closed; after the drain time-out what is left is cut, and its number returned (0:
 * nothing was lost). Joins the threads and frees the server. Blocks.
 */
unsigned weir_server_stop(weir_server_t *own_server);

#endif
