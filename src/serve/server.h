/*
 * server.h: the HTTP server: event loops that own connections and the calls on them from beginning to end.
 */
#ifndef WEIR_SERVE_SERVER_H
#define WEIR_SERVE_SERVER_H

#include "app/routes.h"
#include "guest/guest.h"

#include <stdbool.h>
#include <stdint.h>

/* What a server serves and within which bounds. Copied; what it points to is borrowed and must outlive the server. */
typedef struct weir_server_settings {
    const weir_routes_t *routes;
    weir_guest_t *const *guests; /* by the trigger's component index, as the manifest's components */
    const char *application_name;
    const char *application_version;       /* or NULL */
    wasm_engine_t *engine;                 /* for the epoch tick */
    unsigned loops;                        /* event loops, one thread each; at most max_calls of them are used */
    uint32_t max_calls;                    /* instances in use at once over all loops: the pool's slots */
    uint32_t max_waiting;                  /* requests that wait for an instance, over all loops; beyond it: 503 */
    uint32_t max_connections;              /* over all loops */
    uint64_t request_timeout_milliseconds; /* until the response's head; then 504 */
    uint64_t drain_timeout_milliseconds;   /* how long a stop waits for requests in flight */
} weir_server_settings_t;

typedef struct weir_server weir_server_t;

/* A listening socket and where it listens. */
typedef struct weir_listener {
    int descriptor;
    char url[80]; /* "http://127.0.0.1:3000", with the port that was really bound */
    uint16_t port;
} weir_listener_t;

/*
 * Bind "host:port" (host an IPv4 address, an IPv6 address in brackets, or "localhost", which prefers IPv4; port 0 takes
 * a free one). It listens only once the server starts, so that nobody connects before there is someone to answer; that
 * the port is taken is found out here all the same. On failure returns false, leaves `*ret_listener` untouched and
 * stores a one-line message to be freed with free(3).
 */
bool weir_listener_open(const char *address, weir_listener_t *ret_listener, char **ret_message);

/* Close it. */
void weir_listener_close(weir_listener_t *listener);

/*
 * Listen, start the loops and serve. On success stores a server; on failure returns false, nothing runs, and a message,
 * to be freed with free(3), is stored. The listener must stay open as long as the server. SIGINT, SIGTERM and SIGPIPE
 * should be blocked or ignored by the caller beforehand: the threads inherit that.
 */
bool weir_server_start(const weir_server_settings_t *settings, const weir_listener_t *listener,
    weir_server_t **ret_server, char **ret_message);

/*
 * Stop: what has been accepted or waits in the listen queue is answered, new connections are refused, idle connections
 * are closed; after the drain time-out what is left is cut, and its number returned (0: nothing was lost). Joins the
 * threads and frees the server. Blocks.
 */
unsigned weir_server_stop(weir_server_t *own_server);

#endif
